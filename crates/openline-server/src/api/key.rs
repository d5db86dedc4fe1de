//! Whether a request has the key.

use ::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use ::http::{HeaderMap, HeaderValue};
use openline_protocol::{ErrorCode, Fault};
use openline_ws::Rejection;

use super::refusal;
use crate::node::Node;

const HEADER: &str = "x-api-key";

/// Lets the request through if it has one of the keys.
pub(crate) fn check(node: &Node, headers: &HeaderMap) -> Result<(), Rejection> {
    let mut presented = headers.get_all(HEADER).iter().chain(headers.get_all(AUTHORIZATION));
    let Some(first) = presented.next() else {
        let message = "this needs the key: send Authorization: Bearer <key>, or X-API-Key: <key>";
        return Err(refused(ErrorCode::Unauthorized, message));
    };
    if presented.next().is_some() {
        return Err(refused(ErrorCode::AuthFailed, "the key must be there once"));
    }
    let key = match headers.contains_key(HEADER) {
        true => first.as_bytes(),
        false => bearer(first.as_bytes())
            .ok_or_else(|| refused(ErrorCode::AuthFailed, "Authorization must be Bearer <key>"))?,
    };
    match node.settings().api_keys.accept(key.trim_ascii()) {
        true => Ok(()),
        false => Err(refused(ErrorCode::AuthFailed, "this is not a key of this server")),
    }
}

/// RFC 6750 §2.1; the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer ";
    let (scheme, key) = value.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(key)
}

/// RFC 9110 §15.5.2: a 401 says how to authenticate.
fn refused(code: ErrorCode, message: &str) -> Rejection {
    let challenge = HeaderValue::from_static("Bearer realm=\"openline\"");
    refusal(Fault::new(code, message)).header(WWW_AUTHENTICATE, challenge)
}
