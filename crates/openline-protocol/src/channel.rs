//! Names of channels.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::limits::CHANNEL_BYTES_MAX;

/// The name of a channel: 1 to 255 bytes of UTF-8 without control characters and white space. What
/// stands before the first `:` is its namespace.
///
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ChannelName(Arc<str>);

impl ChannelName {
    /// Checks the name.
    ///
    /// # Errors
    /// A rule that the name breaks.
    pub fn new(name: &str) -> Result<Self, ChannelNameError> {
        if name.is_empty() {
            return Err(ChannelNameError::Empty);
        }
        if name.len() > CHANNEL_BYTES_MAX {
            return Err(ChannelNameError::TooLong { bytes: name.len() });
        }
        // Printable ASCII, which most names are, is settled byte by byte.
        if !name.bytes().all(|byte| byte.is_ascii_graphic())
            && let Some((at, character)) =
                name.char_indices().find(|(_, c)| c.is_control() || c.is_whitespace())
        {
            return Err(ChannelNameError::Forbidden { character, at });
        }
        Ok(Self(name.into()))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first `:`, and nothing where there is none.
    pub fn namespace(&self) -> &str {
        self.0.split_once(':').map_or("", |(namespace, _)| namespace)
    }
}

impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ChannelName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for ChannelName {
    type Err = ChannelNameError;

    fn from_str(name: &str) -> Result<Self, ChannelNameError> {
        Self::new(name)
    }
}

/// The rule that a name breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelNameError {
    /// There is no name.
    Empty,
    /// It has more than 255 bytes.
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// It contains a control character or white space.
    Forbidden {
        /// The first such character.
        character: char,
        /// Where it stands, in bytes from 0.
        at: usize,
    },
}

impl fmt::Display for ChannelNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("channel is empty"),
            Self::TooLong { bytes } => {
                write!(f, "channel has {bytes} bytes, {CHANNEL_BYTES_MAX} are allowed")
            }
            Self::Forbidden { character, at } => {
                let kind = if character.is_control() { "control character" } else { "white space" };
                write!(f, "channel contains {kind} U+{:04X} at byte {at}", character as u32)
            }
        }
    }
}

impl std::error::Error for ChannelNameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_namespace_before_its_first_colon() {
        let namespace = |name: &str| ChannelName::new(name).unwrap().namespace().to_owned();
        assert_eq!(namespace("room:1:a"), "room");
        assert_eq!(namespace("news"), "");
        assert_eq!(namespace(":x"), "");
    }

    #[test]
    fn a_name_may_be_any_text_of_1_to_255_bytes() {
        assert_eq!(ChannelName::new("größe:日本").unwrap().as_str(), "größe:日本");
        assert!(ChannelName::new(&"a".repeat(255)).is_ok());
        let long = ChannelName::new(&"ü".repeat(128)).unwrap_err();
        assert_eq!(long.to_string(), "channel has 256 bytes, 255 are allowed");
        assert_eq!(ChannelName::new("").unwrap_err().to_string(), "channel is empty");
    }

    #[test]
    fn control_characters_and_white_space_are_named_with_their_place() {
        let said = |name: &str| ChannelName::new(name).unwrap_err().to_string();
        assert_eq!(said("rooms\n"), "channel contains control character U+000A at byte 5");
        assert_eq!(said("ü\u{85}"), "channel contains control character U+0085 at byte 2");
        assert_eq!(said("a b"), "channel contains white space U+0020 at byte 1");
        assert_eq!(said("a\u{2003}"), "channel contains white space U+2003 at byte 1");
    }
}
