//! The proof that a request came from this server.

use std::fmt::Write as _;

use http::HeaderValue;
use ring::hmac::{Context, HMAC_SHA256, Key};

use super::Secret;

/// Signs bodies: HMAC-SHA256 of the time, a dot and the body, with each secret.
#[derive(Debug)]
pub(super) struct Signer {
    keys: Vec<Key>,
}

impl Signer {
    pub(super) fn new(secrets: &[Secret]) -> Self {
        Self { keys: secrets.iter().map(|secret| Key::new(HMAC_SHA256, secret.bytes())).collect() }
    }

    /// `t=<unix seconds>,v1=<hex>`, with one `v1` for each secret. The time is signed too, so that
    /// a backend can refuse what was recorded long ago.
    pub(super) fn sign(&self, unix_seconds: u64, body: &[u8]) -> HeaderValue {
        let mut text = format!("t={unix_seconds}");
        for key in &self.keys {
            let mut context = Context::with_key(key);
            context.update(unix_seconds.to_string().as_bytes());
            context.update(b".");
            context.update(body);
            text.push_str(",v1=");
            for byte in context.sign().as_ref() {
                write!(text, "{byte:02x}").expect("a string takes what is written");
            }
        }
        HeaderValue::from_str(&text).expect("it is ASCII")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(secrets: &[&str]) -> Signer {
        let secrets: Vec<Secret> =
            secrets.iter().map(|secret| Secret::new(secret).unwrap()).collect();
        Signer::new(&secrets)
    }

    #[test]
    fn a_known_signature_comes_out() {
        // printf '1700000000.{"events":[]}' | openssl dgst -sha256 -hmac 0123456789abcdef
        assert_eq!(
            signer(&["0123456789abcdef"]).sign(1_700_000_000, br#"{"events":[]}"#),
            "t=1700000000,v1=1f1c43683e76ee83b09613ab56fa5bdd3ce55f3ee41db00a92e22eea0376899e"
        );
    }

    #[test]
    fn each_secret_signs() {
        let one = signer(&["0123456789abcdef"]).sign(1, b"x");
        let both = signer(&["0123456789abcdef", "fedcba9876543210"]).sign(1, b"x");
        let both = both.to_str().unwrap();
        assert!(both.starts_with(one.to_str().unwrap()), "{both}");
        assert_eq!(both.matches(",v1=").count(), 2);
    }
}
