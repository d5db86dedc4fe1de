//! [`Secret`]: text that is not shown.

use std::fmt;

use super::value::Text;

/// Text that neither logs nor errors show. [`Secret::expose`] is where it comes out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"…\"")
    }
}

impl Text for Secret {
    const IS_SECRET: bool = true;

    fn kind() -> String {
        "SECRET".to_owned()
    }

    fn expected() -> String {
        "secret text".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::parse("hunter2").unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(format!("{:?}", Some(secret)), "Some(\"…\")");
    }
}
