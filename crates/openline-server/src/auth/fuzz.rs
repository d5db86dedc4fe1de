//! What holds of any token, any set of keys, and any headers that may hold one.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ::http::header::{AUTHORIZATION, COOKIE};
use ::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use super::jwks::KeySet;
use super::jws::TOKEN_BYTES_MAX;
use super::{
    Algorithm, AuthError, Identity, KeyMaterial, KeyOptions, Options, Secret, Token, Verifier,
    find_credential, inspect,
};
use crate::fuzzing::halves;

const SECRET: &[u8] = b"a secret that no input comes upon";
const NOW: u64 = 1_700_000_000;
const NAME_BYTES_MAX: usize = 255;

/// Nobody signs without the secret; what was signed holds only what a token may say; a set of keys and
/// headers are read or refused.
pub fn tokens(data: &[u8]) {
    let verifier = verifier();
    if let Ok(text) = std::str::from_utf8(data) {
        let token = Token::new(text);
        assert!(verify(&verifier, &token).is_err());
        let _ = ready(inspect(&verifier, &token, NOW));
    }
    let (payload, header) = halves(data);
    for header in [&br#"{"alg":"HS256"}"#[..], header] {
        if let Ok(identity) = verify(&verifier, &signed(header, payload)) {
            check(&identity);
        }
    }
    let _ = KeySet::parse(data);
    credentials(data);
}

fn check(identity: &Identity) {
    let ends = identity.expires_at.expect("a token has an end");
    assert!(ends.saturating_add(30) > NOW);
    assert!(identity.user.as_ref().is_none_or(|user| (1..=NAME_BYTES_MAX).contains(&user.len())));
    if let Some(info) = &identity.info {
        assert!(serde_json::from_str::<serde_json::Value>(info).is_ok(), "{info:?}");
    }
}

fn credentials(data: &[u8]) {
    let (first, second) = halves(data);
    let mut headers = HeaderMap::new();
    for (name, value) in [(AUTHORIZATION, first), (COOKIE, second), (COOKIE, first)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let options = Options { query: true, cookie: Some("session".to_owned()), ..Options::default() };
    if let Ok(Some(found)) =
        find_credential(&options, &headers, std::str::from_utf8(data).ok(), true)
    {
        assert!((1..=TOKEN_BYTES_MAX).contains(&found.token.expose().len()));
    }
}

fn verifier() -> Verifier {
    let material = KeyMaterial::Secret(Secret::new(SECRET));
    let key = KeyOptions { algorithm: Algorithm::Hs256, key_id: None, material };
    Verifier::new(Options { keys: vec![key], ..Options::default() })
        .expect("the key is long enough")
}

/// A token of these parts, with the right signature.
fn signed(header: &[u8], payload: &[u8]) -> Token {
    let parts = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let signature = hmac::sign(&key, parts.as_bytes());
    Token::new(format!("{parts}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn verify(verifier: &Verifier, token: &Token) -> Result<Identity, AuthError> {
    ready(verifier.verify(token, NOW))
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("there is nothing to fetch"),
    }
}
