//! Keys whose value is a list of tables: `[[auth.keys]]`, `[[tls.certificates]]`.

use toml::de::{DeTable, DeValue};

use super::error::unknown_key;
use super::signing::SigningKey;
use super::table::{Defaults, Key, Table};
use super::tls::CertificateFiles;
use super::value::{Complaint, Input, Value};

/// A table of which a key holds a list.
pub(super) trait Item: Table + Defaults {
    /// The key.
    const PATH: &'static str;
    const KEYS: &'static [Key];
    /// What a list with one looks like.
    const EXAMPLE: &'static str;
}

/// A list of tables, for the documents.
pub(super) struct List {
    pub(super) path: &'static str,
    pub(super) about: &'static [&'static str],
    pub(super) keys: &'static [Key],
}

pub(super) const LISTS: [List; 2] = [
    List { path: SigningKey::PATH, about: SigningKey::ABOUT, keys: SigningKey::KEYS },
    List {
        path: CertificateFiles::PATH,
        about: CertificateFiles::ABOUT,
        keys: CertificateFiles::KEYS,
    },
];

/// Whether the key holds a list of tables.
pub(super) fn is_list(path: &str) -> bool {
    LISTS.iter().any(|list| list.path == path)
}

/// What such a list looks like.
pub(super) fn expected<T: Item>() -> String {
    format!("a list of tables, as in {}", T::EXAMPLE)
}

pub(super) fn read<T: Item>(input: &Input<'_>) -> Result<Vec<T>, Complaint>
where
    Vec<T>: Value,
{
    match input {
        Input::Text("") => Ok(Vec::new()),
        // The text may hold secrets, so nothing of it is shown.
        Input::Text(text) => match DeValue::parse(text) {
            Ok(value) => read(&Input::Toml(&value)).map_err(|complaint| match complaint {
                Complaint::Value { what, .. } => Complaint::Value { at: None, what },
                Complaint::Inside { what, .. } => Complaint::Inside { at: None, what },
                unknown => unknown,
            }),
            Err(_) => Err(Complaint::value(input, not_expected::<T>())),
        },
        Input::Toml(value) => {
            let Some(list) = value.get_ref().as_array() else {
                return Err(Complaint::value(input, not_expected::<T>()));
            };
            list.iter()
                .map(|item| match item.get_ref().as_table() {
                    Some(table) => read_one(table),
                    None => Err(Complaint::value(&Input::Toml(item), not_expected::<T>())),
                })
                .collect()
        }
    }
}

fn not_expected<T: Item>() -> String {
    format!("this is not {}", expected::<T>())
}

fn read_one<T: Item>(table: &DeTable<'_>) -> Result<T, Complaint> {
    let mut item = T::defaults(true);
    for (name, value) in table {
        item.set(name.get_ref(), &Input::Toml(value)).map_err(|complaint| match complaint {
            Complaint::UnknownKey => Complaint::Inside {
                at: Some(name.span()),
                what: unknown_key(name.get_ref(), T::PATH, T::KEYS),
            },
            Complaint::Value { at, what } => {
                let (path, name) = (T::PATH, name.get_ref());
                Complaint::Inside { at, what: format!("{path}.{name}: {what}") }
            }
            inside => inside,
        })?;
    }
    Ok(item)
}
