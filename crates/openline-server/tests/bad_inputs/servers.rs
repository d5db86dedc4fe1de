//! The servers that bad inputs are sent to, and the tokens for them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openline_server::Config;
use ring::hmac;
use serde_json::{Value, json};

use crate::support::talk::Talk;
use crate::support::{Answer, TestServer, ask};

pub(crate) const SECRET: &str = "a-secret-of-more-than-32-bytes-for-tests";
pub(crate) const API_KEY: &str = "an-api-key-of-the-tests-that-is-long";

/// One that checks tokens, as with a file of these lines more.
pub(crate) fn guarded(more: &str) -> Config {
    let text = format!(
        "[auth]\naudience = \"openline\"\nleeway = \"0s\"\n\
         keys = [{{algorithm = \"HS256\", secret = \"{SECRET}\", id = \"one\"}}]\n{more}\n\
         [api]\nkeys = [\"{API_KEY}\"]\n[namespace.feed]\n"
    );
    Config::read(Some(("test.toml", &text)), [], []).unwrap()
}

pub(crate) fn guarded_server(more: &str) -> TestServer {
    TestServer::with_config(guarded(more))
}

/// As the server counts them.
pub(crate) fn now_s() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs()
}

/// A token of these claims.
pub(crate) fn token_of(claims: &Value) -> String {
    signed(&json!({ "alg": "HS256", "typ": "JWT", "kid": "one" }), claims)
}

/// A good one for this user and so many seconds.
pub(crate) fn token(user: &str, seconds: u64) -> String {
    token_of(&json!({ "sub": user, "aud": "openline", "exp": now_s() + seconds }))
}

pub(crate) fn signed(header: &Value, claims: &Value) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let input = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes())
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!("{input}.{}", encode(hmac::sign(&key, input.as_bytes()).as_ref()))
}

/// A line that has shown this token.
pub(crate) async fn authenticated(server: &TestServer, token: &str) -> Talk {
    let (mut line, _) = Talk::greeted(&server.url("/ws")).await;
    let answer = line.ask(&json!({ "type": "auth", "id": "auth", "token": token })).await;
    assert_eq!(answer["type"], "auth_success", "{answer}");
    line
}

/// A request to the API.
pub(crate) async fn call(server: &TestServer, operation: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let request = format!(
        "POST /api/v1/{operation} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {API_KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    ask(server.address(), &request).await
}
