//! The command line: one mode, then `--name value` pairs and bare switches.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

/// Flags that stand alone; every other flag takes a value.
const SWITCHES: &[&str] = &["text", "raw", "deflate", "socketio"];

/// What the command line said.
pub(crate) struct Args {
    pub(crate) mode: String,
    values: HashMap<String, String>,
}

impl Args {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mode =
            words.next().ok_or("a mode is missing: echo, idle, fanout, ask, stream or cycle")?;
        let mut values = HashMap::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").ok_or_else(|| format!("unexpected {word:?}"))?;
            let value = if SWITCHES.contains(&name) {
                String::new()
            } else {
                words.next().ok_or_else(|| format!("--{name} needs a value"))?
            };
            values.insert(name.to_owned(), value);
        }
        Ok(Self { mode, values })
    }

    /// Takes a value out; what nobody took is reported by [`Args::finish`].
    pub(crate) fn take<T>(&mut self, name: &str) -> Result<Option<T>, String>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.values
            .remove(name)
            .map(|value| value.parse().map_err(|e| format!("--{name} {value}: {e}")))
            .transpose()
    }

    pub(crate) fn required<T>(&mut self, name: &str) -> Result<T, String>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.take(name)?.ok_or_else(|| format!("--{name} is missing"))
    }

    pub(crate) fn switch(&mut self, name: &str) -> bool {
        self.values.remove(name).is_some()
    }

    /// Fails on a flag that the mode does not know.
    pub(crate) fn finish(self) -> Result<(), String> {
        match self.values.keys().next() {
            Some(name) => Err(format!("{} does not take --{name}", self.mode)),
            None => Ok(()),
        }
    }
}
