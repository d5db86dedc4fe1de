//! The configuration as a whole.

pub(crate) mod broken;
mod documents;
mod load;

use super::Config;

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_file(text: &str) -> Config {
    Config::read(Some(("openline.toml", text)), [], []).unwrap()
}

/// The errors of a file, as they are shown.
fn errors(text: &str) -> Vec<String> {
    errors_of(Some(text), &[], &[])
}

fn errors_of(
    text: Option<&str>,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Vec<String> {
    let file = text.map(|text| ("openline.toml", text));
    match Config::read(file, pairs(environment), pairs(flags)) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}
