//! The server's side of the handshake (RFC 6455 §4.2, RFC 8441 §5).

use base64::Engine as _;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};

use super::headers::{elements, extensions, has_token, is_token, joined};
use super::{Agreed, BASE64, HeadError, accept_key};
use crate::deflate::{DeflateOptions, accept_offer};

/// What a client asks for, once its request was found to be a lawful handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The answer to the key; none over HTTP/2 (RFC 8441 §5).
    accept: Option<String>,
    protocols: Vec<String>,
    extensions: String,
}

/// Why a request is not taken, with the answer that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The status.
    pub status: StatusCode,
    /// For programs.
    pub code: &'static str,
    /// One sentence, for people: what was wrong and what would be right.
    pub message: String,
    /// Headers beyond those of the body.
    pub headers: Box<HeaderMap>,
    /// JSON that stands in place of the usual body.
    pub json: Option<Box<str>>,
}

impl Offer {
    /// Whether a request means to be a handshake at all: it names the protocol `websocket` to
    /// switch to. One that does and is not lawful is to be refused rather than served as something
    /// else.
    pub fn is_attempted<B>(request: &Request<B>) -> bool {
        let values = request.headers().get_all(UPGRADE).iter();
        values.filter_map(|value| value.to_str().ok()).any(|value| has_token(value, "websocket"))
    }

    /// Checks a request that came over HTTP/1.1 (RFC 6455 §4.2.1).
    ///
    /// # Errors
    /// The answer to give instead.
    pub fn from_http1<B>(request: &Request<B>) -> Result<Self, Rejection> {
        let headers = request.headers();
        if !has_token(&listed(headers, UPGRADE)?, "websocket") {
            return Err(Rejection::upgrade_required(
                "This is a WebSocket endpoint; send Upgrade: websocket.",
            ));
        }
        if request.method() != Method::GET {
            return Err(Rejection::bad_handshake(format!(
                "A WebSocket handshake is a GET request, got {}.",
                request.method()
            )));
        }
        if request.version() < Version::HTTP_11 {
            return Err(Rejection::bad_handshake("A WebSocket handshake needs HTTP/1.1 or later."));
        }
        // RFC 9112 §3.2: exactly one.
        if headers.get_all(HOST).iter().count() != 1 {
            return Err(Rejection::bad_handshake("There must be one Host header."));
        }
        if !has_token(&listed(headers, CONNECTION)?, "upgrade") {
            return Err(Rejection::bad_handshake(
                "The Connection header must have the token Upgrade.",
            ));
        }
        // A body would be read as frames by one side and not by the other: request smuggling.
        let has_length = headers.get_all(CONTENT_LENGTH).iter().any(|length| length != "0");
        if headers.contains_key(TRANSFER_ENCODING) || has_length {
            return Err(Rejection::bad_handshake("A WebSocket handshake has no body."));
        }
        check_version(headers)?;
        let accept = accept_key(key(headers)?);
        Self::with(headers, Some(accept))
    }

    /// Checks an extended CONNECT request that came over HTTP/2 (RFC 8441 §4, §5). `protocol` is the
    /// `:protocol` pseudo-header.
    ///
    /// # Errors
    /// The answer to give instead.
    pub fn from_http2<B>(request: &Request<B>, protocol: &str) -> Result<Self, Rejection> {
        if request.method() != Method::CONNECT || protocol != "websocket" {
            return Err(Rejection::bad_handshake(
                "Over HTTP/2 a WebSocket handshake is a CONNECT request with :protocol websocket.",
            ));
        }
        check_version(request.headers())?;
        Self::with(request.headers(), None)
    }

    fn with(headers: &HeaderMap, accept: Option<String>) -> Result<Self, Rejection> {
        let offered = listed(headers, SEC_WEBSOCKET_PROTOCOL)?;
        let mut protocols: Vec<String> = Vec::new();
        for protocol in elements(&offered) {
            // RFC 6455 §4.1: tokens, each once.
            if !is_token(protocol) {
                return Err(Rejection::bad_handshake(format!(
                    "Sec-WebSocket-Protocol has {protocol:?}, which is not a token."
                )));
            }
            if protocols.iter().any(|p| p == protocol) {
                return Err(Rejection::bad_handshake(format!(
                    "Sec-WebSocket-Protocol names {protocol} twice."
                )));
            }
            protocols.push(protocol.to_owned());
        }
        let offered = listed(headers, SEC_WEBSOCKET_EXTENSIONS)?;
        if extensions(&offered).is_none() {
            return Err(Rejection::bad_handshake("Sec-WebSocket-Extensions breaks its grammar."));
        }
        Ok(Self { accept, protocols, extensions: offered })
    }

    /// The subprotocols that the client offers, the one it likes best first.
    pub fn protocols(&self) -> &[String] {
        &self.protocols
    }

    /// Takes the offer as if there were no extensions in it: the connection is not compressed.
    pub fn ignore_extensions(&mut self) {
        self.extensions.clear();
    }

    /// The response that opens the connection: 101, or 200 over HTTP/2. With `protocol` the server
    /// names its choice among [`Offer::protocols`].
    ///
    /// # Panics
    /// When `protocol` was not offered (RFC 6455 §4.2.2 forbids it, and the client would fail).
    pub fn accept(
        &self,
        protocol: Option<&str>,
        deflate: &DeflateOptions,
    ) -> (Response<()>, Agreed) {
        let mut response = Response::new(());
        let mut agreed = Agreed::default();
        let headers = response.headers_mut();
        if let Some(accept) = &self.accept {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(SEC_WEBSOCKET_ACCEPT, visible(accept));
        }
        if let Some(protocol) = protocol {
            assert!(
                self.protocols.iter().any(|p| p == protocol),
                "subprotocol {protocol:?} was not offered"
            );
            headers.insert(SEC_WEBSOCKET_PROTOCOL, visible(protocol));
            agreed.protocol = Some(protocol.to_owned());
        }
        let offers = extensions(&self.extensions).unwrap_or_default();
        if let Some((params, value)) = accept_offer(&offers, deflate) {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, visible(&value));
            agreed.deflate = Some(params);
        }
        *response.status_mut() = match self.accept {
            Some(_) => StatusCode::SWITCHING_PROTOCOLS,
            None => StatusCode::OK,
        };
        (response, agreed)
    }
}

impl Rejection {
    /// An answer of the application's own.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Box::default(), json: None }
    }

    /// Answers with this JSON, where the client expects errors in a form of its own.
    #[must_use]
    pub fn json(mut self, json: impl Into<Box<str>>) -> Self {
        self.json = Some(json.into());
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    fn bad_handshake(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_handshake", message)
    }

    /// 426, with what to upgrade to (RFC 9110 §15.5.22).
    fn upgrade_required(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message)
            .header(UPGRADE, HeaderValue::from_static("websocket"))
            .header(CONNECTION, HeaderValue::from_static("Upgrade"))
            .header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
    }

    /// The response, with the error as JSON.
    pub fn response(&self) -> Response<String> {
        let body = self.json.as_deref().map_or_else(|| self.error_json(), str::to_owned);
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = (*self.headers).clone();
        let length = HeaderValue::from(response.body().len());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().insert(CONTENT_LENGTH, length);
        response
    }

    fn error_json(&self) -> String {
        format!(
            "{{\"error\":{{\"code\":{},\"message\":{},\"docs\":{}}}}}",
            json_string(self.code),
            json_string(&self.message),
            json_string(&format!("docs/errors.md#{}", self.code)),
        )
    }
}

impl From<HeadError> for Rejection {
    fn from(error: HeadError) -> Self {
        let (status, code) = error.status();
        Self::new(status, code, error.to_string())
            .header(CONNECTION, HeaderValue::from_static("close"))
    }
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.status, self.message)
    }
}

impl std::error::Error for Rejection {}

/// All values of a header as one list.
fn listed(headers: &HeaderMap, name: HeaderName) -> Result<String, Rejection> {
    joined(headers, &name).ok_or_else(|| {
        Rejection::bad_handshake(format!("The {name} header has what is not visible ASCII."))
    })
}

/// RFC 6455 §4.2.1, §4.4: version 13, named once.
fn check_version(headers: &HeaderMap) -> Result<(), Rejection> {
    match listed(headers, SEC_WEBSOCKET_VERSION)?.as_str() {
        "13" => Ok(()),
        "" => Err(Rejection::upgrade_required("There is no Sec-WebSocket-Version; supported: 13.")),
        other => Err(Rejection::upgrade_required(format!(
            "Unsupported WebSocket version {}; supported: 13.",
            other.chars().take(32).collect::<String>()
        ))),
    }
}

/// RFC 6455 §4.2.1: one key, 16 bytes in base64.
fn key(headers: &HeaderMap) -> Result<&[u8], Rejection> {
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(Rejection::bad_handshake("There must be one Sec-WebSocket-Key header."));
    };
    match BASE64.decode(key.as_bytes()) {
        Ok(bytes) if bytes.len() == 16 => Ok(key.as_bytes()),
        Ok(bytes) => Err(Rejection::bad_handshake(format!(
            "Sec-WebSocket-Key must decode to 16 bytes, got {}.",
            bytes.len()
        ))),
        Err(_) => Err(Rejection::bad_handshake("Sec-WebSocket-Key must be 16 bytes in base64.")),
    }
}

fn visible(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("tokens and what we write ourselves are visible ASCII")
}

/// RFC 8259 §7.
fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", control as u32)),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::HeadReader;

    const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n";

    fn offer(head: &str) -> Result<Offer, Rejection> {
        let mut reader = HeadReader::new();
        assert_eq!(reader.handle_input(head.as_bytes()), Ok(true), "{head}");
        Offer::from_http1(&reader.request().unwrap())
    }

    fn refused(from: &str, to: &str) -> Rejection {
        assert!(REQUEST.contains(from), "{from}");
        offer(&REQUEST.replace(from, to)).expect_err(to)
    }

    #[test]
    fn a_lawful_request_is_answered_with_101() {
        let (response, agreed) = offer(REQUEST).unwrap().accept(None, &DeflateOptions::default());
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(agreed, Agreed::default());
    }

    #[test]
    fn names_are_compared_in_any_case_and_lists_may_have_other_tokens() {
        for (from, to) in [
            ("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
            ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: uPGRADE"),
            ("Upgrade: websocket", "uPGRADE: foo, WebSocket"),
            ("Host: example.com", "Host: example.com\r\nContent-Length: 0"),
        ] {
            assert!(offer(&REQUEST.replace(from, to)).is_ok(), "{to}");
        }
    }

    #[test]
    fn each_broken_rule_has_its_own_sentence() {
        let cases = [
            (
                "Upgrade: websocket\r\n",
                "",
                426,
                "This is a WebSocket endpoint; send Upgrade: websocket.",
            ),
            ("Version: 13", "Version: 8", 426, "Unsupported WebSocket version 8; supported: 13."),
            (
                "Version: 13",
                "Version: 13, 8",
                426,
                "Unsupported WebSocket version 13, 8; supported: 13.",
            ),
            (
                "Sec-WebSocket-Version: 13\r\n",
                "",
                426,
                "There is no Sec-WebSocket-Version; supported: 13.",
            ),
            (
                "dGhlIHNhbXBsZSBub25jZQ==",
                "dGhlIHNhbXBsZSBu",
                400,
                "Sec-WebSocket-Key must decode to 16 bytes, got 12.",
            ),
            (
                "dGhlIHNhbXBsZSBub25jZQ==",
                "not base64!",
                400,
                "Sec-WebSocket-Key must be 16 bytes in base64.",
            ),
            (
                "Connection: Upgrade",
                "Connection: close",
                400,
                "The Connection header must have the token Upgrade.",
            ),
            ("GET", "POST", 400, "A WebSocket handshake is a GET request, got POST."),
            ("HTTP/1.1", "HTTP/1.0", 400, "A WebSocket handshake needs HTTP/1.1 or later."),
            ("Host: example.com\r\n", "", 400, "There must be one Host header."),
            ("Host: example.com", "Host: a\r\nHost: b", 400, "There must be one Host header."),
            (
                "Host: example.com",
                "Host: a\r\nContent-Length: 5",
                400,
                "A WebSocket handshake has no body.",
            ),
            (
                "Host: example.com",
                "Host: a\r\nTransfer-Encoding: chunked",
                400,
                "A WebSocket handshake has no body.",
            ),
            (
                "Host: example.com",
                "Host: a\r\nSec-WebSocket-Protocol: a, b c",
                400,
                "Sec-WebSocket-Protocol has \"b c\", which is not a token.",
            ),
            (
                "Host: example.com",
                "Host: a\r\nSec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a",
                400,
                "Sec-WebSocket-Protocol names a twice.",
            ),
            (
                "Host: example.com",
                "Host: a\r\nSec-WebSocket-Extensions: a;;",
                400,
                "Sec-WebSocket-Extensions breaks its grammar.",
            ),
        ];
        for (from, to, status, message) in cases {
            let rejection = refused(from, to);
            assert_eq!((rejection.status.as_u16(), rejection.message.as_str()), (status, message));
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        let rejection = refused(
            "Sec-WebSocket-Version",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version",
        );
        assert_eq!(rejection.message, "There must be one Sec-WebSocket-Key header.");
    }

    #[test]
    fn a_426_says_what_to_upgrade_to() {
        let response = refused("Version: 13", "Version: 8").response();
        assert_eq!(response.headers()["sec-websocket-version"], "13");
        assert_eq!(response.headers()["upgrade"], "websocket");
        assert_eq!(
            response.body(),
            r#"{"error":{"code":"upgrade_required","message":"Unsupported WebSocket version 8; supported: 13.","docs":"docs/errors.md#upgrade_required"}}"#
        );
    }

    #[test]
    fn subprotocols_come_joined_or_repeated_in_the_clients_order() {
        let head = REQUEST.replace(
            "Host: example.com",
            "Host: a\r\nSec-WebSocket-Protocol: v2, v1\r\nsec-websocket-protocol: v0",
        );
        let offer = offer(&head).unwrap();
        assert_eq!(offer.protocols(), ["v2", "v1", "v0"]);
        let (response, agreed) = offer.accept(Some("v1"), &DeflateOptions::default());
        assert_eq!(response.headers()["sec-websocket-protocol"], "v1");
        assert_eq!(agreed.protocol.as_deref(), Some("v1"));
    }

    #[test]
    fn the_http2_form_has_no_key_and_is_answered_with_200() {
        let request = |method| {
            Request::builder()
                .method(method)
                .uri("https://a/chat")
                .header("sec-websocket-version", "13")
                .body(())
                .unwrap()
        };
        let (response, _) = Offer::from_http2(&request(Method::CONNECT), "websocket")
            .unwrap()
            .accept(None, &DeflateOptions::default());
        assert_eq!(response.status(), 200);
        assert!(!response.headers().contains_key("upgrade"));
        assert!(Offer::from_http2(&request(Method::GET), "websocket").is_err());
        assert!(Offer::from_http2(&request(Method::CONNECT), "connect-udp").is_err());
    }
}
