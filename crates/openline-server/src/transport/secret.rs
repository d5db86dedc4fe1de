//! [`SessionSecret`]: what names a session in requests.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::broker::NodeId;

/// What names a session in requests, and proves that they are its client's. It begins with the node
/// where the session is, so that any other knows whom to ask. Others in its channels see its client
/// id, so it is not that.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionSecret {
    home: NodeId,
    random: [u8; 16],
}

impl SessionSecret {
    /// 128 random bits beside the node: nobody guesses another's.
    pub(crate) fn random(home: NodeId) -> Self {
        Self { home, random: rand::random() }
    }

    /// Where the session is.
    pub(crate) fn home(self) -> NodeId {
        self.home
    }

    pub(crate) fn text(self) -> String {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.home.0.to_be_bytes());
        bytes[8..].copy_from_slice(&self.random);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = <[u8; 24]>::try_from(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (home, random) = bytes.split_first_chunk::<8>()?;
        let home = NodeId(u64::from_be_bytes(*home));
        Some(Self { home, random: random.try_into().ok()? })
    }
}

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionSecret({}, [redacted])", self.home)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_as_they_are_written() {
        for home in [NodeId(0), NodeId(1), NodeId(u64::MAX)] {
            let secret = SessionSecret::random(home);
            assert_eq!(SessionSecret::parse(&secret.text()), Some(secret));
            assert_eq!((secret.home(), secret.text().len()), (home, 32));
            assert_ne!(secret, SessionSecret::random(home));
        }
        let (short, long) = ("A".repeat(31), "A".repeat(33));
        for text in ["", "test", &short, &long, "%00", "é", &"=".repeat(32)] {
            assert_eq!(SessionSecret::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_logged_tells_nothing_that_could_be_used() {
        let secret = SessionSecret::random(NodeId(7));
        assert_eq!(format!("{secret:?}"), "SessionSecret(0000000000000007, [redacted])");
    }
}
