//! [`ConfigError`]: what is wrong, where it is, and what would be right.

use std::fmt;

use super::list::is_list;
use super::table::Key;
use super::value::quoted;

/// Something that is wrong with the configuration. It is shown as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it was found.
    pub place: Place,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// Where an error was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In the file.
    Line {
        /// The file as it was named.
        file: String,
        /// Counted from 1.
        line: usize,
        /// In characters, counted from 1.
        column: usize,
    },
    /// The file cannot be read at all.
    File(String),
    /// In an environment variable.
    Variable(String),
    /// In a flag.
    Flag(String),
    /// In how several keys stand together.
    Together,
}

impl ConfigError {
    pub(crate) fn together(what: String) -> Self {
        Self { place: Place::Together, what }
    }

    /// An error at a byte of a file.
    pub(super) fn at(file: &str, text: &str, offset: usize, what: String) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        // Editors do not count a byte order mark.
        let column = before[line_start..].trim_start_matches('\u{feff}').chars().count() + 1;
        let line = before.matches('\n').count() + 1;
        Self { place: Place::Line { file: file.to_owned(), line, column }, what }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Line { file, line, column } => write!(f, "{file}:{line}:{column}: ")?,
            Place::File(file) => write!(f, "{file}: ")?,
            Place::Variable(name) => write!(f, "{name}: ")?,
            Place::Flag(name) => write!(f, "--{name}: ")?,
            Place::Together => {}
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for ConfigError {}

/// `unknown key "histroy_size" in [namespace.chat]; did you mean "history_size"?`
pub(super) fn unknown_key(name: &str, table: &str, keys: &[Key]) -> String {
    let place = match table {
        "" => String::new(),
        list if is_list(list) => format!(" in {list}"),
        _ => format!(" in [{table}]"),
    };
    let mut what = format!("unknown key {}{place}", quoted(name));
    if let Some(near) = nearest(name, keys.iter().map(|key| key.name)) {
        what.push_str(&format!("; did you mean {near:?}?"));
    }
    what
}

/// The candidate that was probably meant.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    const PREFIX_MIN: usize = 3;
    // Longer than any name; comparing costs the product of both lengths.
    const BYTES_MAX: usize = 64;
    if name.len() > BYTES_MAX {
        return None;
    }
    let name = name.to_ascii_lowercase().replace('-', "_");
    let allowed = (name.len() / 3).clamp(1, 3);
    candidates
        .map(|candidate| {
            let begins = name.len() >= PREFIX_MIN && candidate.starts_with(&name);
            let distance = if begins { 0 } else { strsim::damerau_levenshtein(&name, candidate) };
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
