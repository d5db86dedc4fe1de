//! The signed form of a token: three parts of base64url with dots between (RFC 7515, compact).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::options::KEY_ID_BYTES_MAX;
use super::{Algorithm, AuthError, Token};

/// The longest token, in bytes; it has to fit into a request head of 16 KiB.
pub(super) const TOKEN_BYTES_MAX: usize = 8192;

/// A token taken apart; nothing in it is believed yet.
pub(super) struct Jws<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    /// What the signature is over.
    pub(super) signed: &'a str,
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// The members that count. `jku`, `x5u`, `jwk` and `x5c` are not read: a token does not say where
/// the key that proves it is to be found.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart. `expected` makes the list of algorithms for the error, if the token's
    /// own is none of those that are read at all.
    pub(super) fn parse(
        token: &'a Token,
        expected: impl FnOnce() -> String,
    ) -> Result<Self, AuthError> {
        let (signed, signature) = split(token.expose())?;
        // `split` has counted the dots.
        let (header, payload) = signed.split_once('.').unwrap_or((signed, ""));
        let header: Header = serde_json::from_slice(&decode(header, "header")?)
            .map_err(|_| malformed("token header must be a JSON object with alg, a string"))?;
        let Some(algorithm) = Algorithm::named(&header.alg) else {
            return Err(AuthError::Algorithm { found: foreign(&header.alg), expected: expected() });
        };
        // RFC 7515 section 4.1.11: whoever does not understand a critical extension must refuse.
        if header.crit.is_some() {
            return Err(malformed("token header has crit, and no extension is supported"));
        }
        if let Some(kid) = header.kid.as_ref().filter(|kid| kid.len() > KEY_ID_BYTES_MAX) {
            let message =
                format!("token kid must have at most {KEY_ID_BYTES_MAX} bytes, got {}", kid.len());
            return Err(AuthError::Malformed(message));
        }
        Ok(Self {
            algorithm,
            kid: header.kid,
            signed,
            payload: decode(payload, "payload")?,
            signature: decode(signature, "signature")?,
        })
    }
}

/// Header and payload as JSON text, believed by nobody: what `openline token` shows.
pub(super) fn peek(token: &Token) -> Result<(String, String), AuthError> {
    let (signed, _) = split(token.expose())?;
    let (header, payload) = signed.split_once('.').unwrap_or((signed, ""));
    let text = |part: &str, name: &'static str| {
        String::from_utf8(decode(part, name)?)
            .map_err(|_| AuthError::Malformed(format!("token {name} must be UTF-8")))
    };
    Ok((text(header, "header")?, text(payload, "payload")?))
}

/// What is signed, and the signature.
fn split(token: &str) -> Result<(&str, &str), AuthError> {
    if token.is_empty() {
        return Err(malformed("token is empty"));
    }
    if token.len() > TOKEN_BYTES_MAX {
        let length = token.len();
        let message = format!("token must have at most {TOKEN_BYTES_MAX} bytes, got {length}");
        return Err(AuthError::Malformed(message));
    }
    match (token.split('.').count(), token.rsplit_once('.')) {
        (3, Some(parts)) => Ok(parts),
        (parts, _) => Err(AuthError::Malformed(format!(
            "token must have three parts with dots between, got {parts}"
        ))),
    }
}

fn decode(part: &str, name: &str) -> Result<Vec<u8>, AuthError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| {
        AuthError::Malformed(format!("token {name} must be base64url without padding"))
    })
}

fn malformed(message: &str) -> AuthError {
    AuthError::Malformed(message.into())
}

/// The name of an algorithm that is not read. Only registered names are repeated; anything else
/// is the peer's text.
fn foreign(name: &str) -> &'static str {
    const NAMES: [&str; 10] = [
        "none", "RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "ES512", "ES256K", "Ed25519",
    ];
    let known = NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name));
    known.unwrap_or("(unknown)")
}
