//! What came of a reload: [`Reloaded`], or [`ReloadError`].

use std::fmt;
use std::path::PathBuf;

use crate::config::{ConfigError, Difference};

/// A configuration is in force that was loaded while the server ran.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// The file that it was loaded from. Without one only the files that it names were read again.
    pub file: Option<PathBuf>,
    /// The keys with another value than before.
    pub changed: Vec<Difference>,
    /// Files that the configuration names and that were read again: keys and certificates.
    pub read: Vec<PathBuf>,
}

/// Why the configuration is what it was. Nothing of the new one is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReloadError {
    /// What was loaded is wrong, or a file that it names cannot be used; all that was found.
    Invalid(Vec<ConfigError>),
    /// These keys were changed, and they cannot change while the server runs.
    NeedsRestart(Vec<Difference>),
    /// The server has ended.
    Stopped,
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(errors) => {
                for (index, error) in errors.iter().enumerate() {
                    write!(f, "{}{error}", if index == 0 { "" } else { "\n" })?;
                }
                Ok(())
            }
            Self::NeedsRestart(changed) => {
                f.write_str(match changed[..] {
                    [_] => "a restart is needed to change ",
                    _ => "a restart is needed to change any of ",
                })?;
                for (index, difference) in changed.iter().enumerate() {
                    write!(f, "{}{}", if index == 0 { "" } else { ", " }, difference.path)?;
                }
                Ok(())
            }
            Self::Stopped => f.write_str("the server has ended"),
        }
    }
}

impl std::error::Error for ReloadError {}
