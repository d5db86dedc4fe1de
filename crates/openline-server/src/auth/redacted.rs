//! Text that no log, trace or error may show.

use std::fmt;

/// A token as a client sent it. Printing it, in any way, shows a placeholder.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(Box<str>);

impl Token {
    pub(crate) fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself. Whoever asks must not let it reach anything that is kept.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// What signs tokens or opens the API. Printing it, in any way, shows a placeholder.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Box<[u8]>);

impl Secret {
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into().into_boxed_slice())
    }

    /// The bytes themselves. Whoever asks must not let them reach anything that is kept.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([redacted])")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_shows_nothing() {
        let token = Token::new("canary-1");
        let secret = Secret::new(*b"canary-2");
        for printed in [
            format!("{token} {token:?} {token:#?} {:?}", Some(&token)),
            format!("{secret} {secret:?} {secret:#?} {:?}", Some(&secret)),
        ] {
            assert!(!printed.contains("canary"), "{printed}");
            // Nor its bytes as numbers.
            assert!(!printed.contains("99"), "{printed}");
        }
    }
}
