//! Reading the file: TOML into the tables, with a line and a column for everything that is wrong.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, nearest, unknown_key};
use super::keys::{Config, Namespace};
use super::namespaces;
use super::table::Table;
use super::value::{Complaint, Input, quoted};

/// More than anybody reads at once.
const ERRORS_MAX: usize = 100;

/// Fills the configuration from the text of a file and returns what is wrong with it, in its
/// order.
pub(super) fn read(config: &mut Config, file: &str, text: &str) -> Vec<ConfigError> {
    let (root, syntax) = DeTable::parse_recoverable(text);
    let mut reader = Reader { found: Vec::new() };
    if syntax.is_empty() {
        reader.read_root(config, root.get_ref());
    }
    // What is written wrongly hides the rest: a recovered table would be guessed.
    let first = syntax.first();
    reader.found.extend(first.map(|error| {
        (error.span().map_or(0, |span| span.start), format!("not TOML: {}", error.message()))
    }));
    reader.found.sort_by_key(|(offset, _)| *offset);
    let found = reader.found.into_iter().take(ERRORS_MAX);
    found.map(|(offset, what)| ConfigError::at(file, text, offset, what)).collect()
}

/// What was found so far, with its byte in the file.
struct Reader {
    found: Vec<(usize, String)>,
}

impl Reader {
    fn read_root(&mut self, config: &mut Config, root: &DeTable<'_>) {
        for (name, value) in root {
            let key = name.get_ref().as_ref();
            if key == "namespace" {
                self.read_namespaces(config, value);
            } else if let Some(table) = config.section(key) {
                match value.get_ref().as_table() {
                    Some(values) => self.read_table(table, values, key),
                    None => self.say(value.span(), format!("{key} is a table; write [{key}]")),
                }
            } else if value.get_ref().is_table() && Config::KEYS.iter().all(|k| k.name != key) {
                let near = nearest(key, Config::SECTIONS.iter().map(|section| section.name));
                let meant = near.map(|near| format!("; did you mean [{near}]?"));
                let what = format!("unknown table {}{}", quoted(key), meant.unwrap_or_default());
                self.say(name.span(), what);
            } else {
                self.read_key(config, name.span(), key, value, "");
            }
        }
    }

    fn read_namespaces(&mut self, config: &mut Config, value: &Spanned<DeValue<'_>>) {
        let Some(tables) = value.get_ref().as_table() else {
            let what = "namespace is a table; write [namespace.default]".to_owned();
            return self.say(value.span(), what);
        };
        // The others take from it what they leave out.
        if let Some(values) = tables.get("default").and_then(|value| value.get_ref().as_table()) {
            self.read_table(&mut config.namespace.default, values, "namespace.default");
        }
        for (name, value) in tables {
            let key = name.get_ref().as_ref();
            let Some(values) = value.get_ref().as_table() else {
                let known = Namespace::KEYS.iter().any(|known| known.name == key);
                let what = if known {
                    format!("{key:?} belongs in a namespace; write it in [namespace.default]")
                } else {
                    format!("{} is a table; write [namespace.…]", quoted(key))
                };
                self.say(name.span(), what);
                continue;
            };
            if !namespaces::is_name(key) {
                let what = format!(
                    "{} cannot be a namespace; its name has 1 to 64 letters, digits, _ and -",
                    quoted(key)
                );
                self.say(name.span(), what);
            } else if key != "default" {
                let mut namespace = config.namespace.default.clone();
                self.read_table(&mut namespace, values, &format!("namespace.{key}"));
                config.namespace.named.insert(key.to_owned(), namespace);
            }
        }
    }

    fn read_table(&mut self, table: &mut dyn Table, values: &DeTable<'_>, section: &str) {
        for (name, value) in values {
            self.read_key(table, name.span(), name.get_ref(), value, section);
        }
    }

    fn read_key(
        &mut self,
        table: &mut dyn Table,
        at: Range<usize>,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        section: &str,
    ) {
        let Err(complaint) = table.set(name, &Input::Toml(value)) else { return };
        match complaint {
            Complaint::UnknownKey => {
                let what = unknown_key(name, section, table.keys());
                let elsewhere = if what.contains(';') { None } else { home(name) };
                self.say(at, what + &elsewhere.unwrap_or_default());
            }
            Complaint::Value { at, what } => {
                let dot = if section.is_empty() { "" } else { "." };
                self.say(at.unwrap_or(value.span()), format!("{section}{dot}{name}: {what}"));
            }
            Complaint::Inside { at, what } => self.say(at.unwrap_or(value.span()), what),
        }
    }

    fn say(&mut self, at: Range<usize>, what: String) {
        self.found.push((at.start, what));
    }
}

/// Where a key of this name does belong.
fn home(name: &str) -> Option<String> {
    if Config::KEYS.iter().any(|key| key.name == name) {
        return Some("; it belongs before the first table".to_owned());
    }
    let mut sections = Config::SECTIONS.iter();
    let section = sections.find(|section| section.keys.iter().any(|key| key.name == name))?;
    Some(match section.name {
        "namespace" => "; it belongs in [namespace.default] or another namespace".to_owned(),
        other => format!("; it belongs in [{other}]"),
    })
}
