//! `openline config`, and the configuration for `openline serve`.

use std::env;
use std::io::{self, Write as _};
use std::path::Path;

use openline_server::ConfigSource;
use openline_server::config::{self, Config, ConfigError};

use crate::cli::ConfigCommand;
use crate::exit::{Exit, Failure};

pub(crate) fn run(command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check { file } => check(file.as_deref()),
        ConfigCommand::Default => print(&config::default_file()),
    }
}

/// Where the configuration is loaded from again.
pub(crate) fn source(file: Option<&Path>, flags: &[(String, String)]) -> ConfigSource {
    ConfigSource::new(file, environment(), flags.iter().cloned())
}

/// The configuration of the file, the environment and the flags. What is allowed but probably not
/// meant is said on standard error.
pub(crate) fn load(file: Option<&Path>, flags: &[(String, String)]) -> Result<Config, Failure> {
    let config = Config::load(file, environment(), flags.iter().cloned()).map_err(refused)?;
    for warning in config.warnings() {
        // Nobody has to read it.
        let _ = writeln!(io::stderr(), "openline: warning: {warning}");
    }
    Ok(config)
}

fn check(file: Option<&Path>) -> Result<(), Failure> {
    let config = load(file, &[])?;
    let unreadable = config.unreadable_files();
    if !unreadable.is_empty() {
        return Err(refused(unreadable));
    }
    match file {
        Some(file) => print(&format!("{}: ok\n", file.display())),
        None => print("the environment: ok\n"),
    }
}

/// Writes to standard output, all of it.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    printed.map_err(|error| Failure::new(Exit::Io, error))
}

/// Our variables; other programs' may be anything but text.
fn environment() -> impl Iterator<Item = (String, String)> {
    env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with("OPENLINE_"))?;
        Some((name, value.to_string_lossy().into_owned()))
    })
}

/// The failure is one line, the last; the others are said before it.
pub(crate) fn refused(mut errors: Vec<ConfigError>) -> Failure {
    let last = errors.pop();
    for error in errors {
        let _ = writeln!(io::stderr(), "openline: {error}");
    }
    Failure::new(Exit::Config, last.map_or_else(String::new, |error| error.to_string()))
}
