//! [`SigningKey`]: a key that tokens are checked with.

use std::path::PathBuf;

use super::choice::Algorithm;
use super::list::{self, Item};
use super::secret::Secret;
use super::table::{Key, table};
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

impl Item for SigningKey {
    const PATH: &'static str = "auth.keys";
    const KEYS: &'static [Key] = Self::KEYS;
    const EXAMPLE: &'static str = "[{algorithm = \"HS256\", secret_file = \"token.key\"}]";
}

impl Value for Vec<SigningKey> {
    fn kind() -> String {
        "[{…}]".to_owned()
    }

    fn expected() -> String {
        list::expected::<SigningKey>()
    }

    fn read(input: &Input<'_>) -> Result<Self, Complaint> {
        list::read(input)
    }

    fn shown(&self) -> String {
        let keys = self.iter().map(|key| match &key.id {
            Some(id) => format!("{} {id:?}", key.algorithm.as_str()),
            None => key.algorithm.as_str().to_owned(),
        });
        format!("[{}]", keys.collect::<Vec<_>>().join(", "))
    }
}
