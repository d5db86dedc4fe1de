//! [`SigningKey`]: a key that tokens are checked with.

use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::choice::Algorithm;
use super::error::unknown_key;
use super::secret::Secret;
use super::table::{Defaults as _, Table as _, table};
use super::value::{Complaint, Input, Value};

table! {
    /// A key that tokens are checked with.
    "auth.keys" SigningKey {
        /// How its tokens are signed. A token that names another algorithm is refused.
        algorithm: Algorithm = "HS256";

        /// The secret of an HS algorithm, at least 32 bytes (RFC 7518, 3.2).
        secret: Option<Secret> = "";

        /// A file with the secret, without the line break at its end.
        secret_file: Option<PathBuf> = "";

        /// A PEM file with the public key of any other algorithm.
        public_key_file: Option<PathBuf> = "";

        /// The `kid` of the tokens that it is for. Without one it is for all of its algorithm.
        id: Option<String> = "";
    }
}

impl Value for Vec<SigningKey> {
    fn kind() -> String {
        "[{…}]".to_owned()
    }

    fn expected() -> String {
        "a list of tables, as in [{algorithm = \"HS256\", secret_file = \"token.key\"}]".to_owned()
    }

    fn read(input: &Input<'_>) -> Result<Self, Complaint> {
        match input {
            Input::Text("") => Ok(Self::new()),
            // The text may hold secrets, so nothing of it is shown.
            Input::Text(text) => match DeValue::parse(text) {
                Ok(value) => {
                    Self::read(&Input::Toml(&value)).map_err(|complaint| match complaint {
                        Complaint::Value { what, .. } => Complaint::Value { at: None, what },
                        Complaint::Inside { what, .. } => Complaint::Inside { at: None, what },
                        unknown => unknown,
                    })
                }
                Err(_) => Err(Complaint::value(input, not_expected())),
            },
            Input::Toml(value) => {
                let list = value.get_ref().as_array().into_iter().flatten();
                if value.get_ref().as_array().is_none() {
                    return Err(Complaint::value(input, not_expected()));
                }
                list.map(|item| match item.get_ref().as_table() {
                    Some(table) => read_one(table),
                    None => Err(Complaint::value(&Input::Toml(item), not_expected())),
                })
                .collect()
            }
        }
    }
}

fn not_expected() -> String {
    format!("this is not {}", Vec::<SigningKey>::expected())
}

fn read_one(table: &DeTable<'_>) -> Result<SigningKey, Complaint> {
    let mut key = SigningKey::defaults(true);
    for (name, value) in table {
        key.set(name.get_ref(), &Input::Toml(value)).map_err(|complaint| match complaint {
            Complaint::UnknownKey => Complaint::Inside {
                at: Some(name.span()),
                what: unknown_key(name.get_ref(), "auth.keys", SigningKey::KEYS),
            },
            Complaint::Value { at, what } => {
                Complaint::Inside { at, what: format!("auth.keys.{}: {what}", name.get_ref()) }
            }
            inside => inside,
        })?;
    }
    Ok(key)
}
