//! The client's side of the handshake (RFC 6455 §4.1).

use std::fmt;

use base64::Engine as _;
use http::header::{
    CONNECTION, HOST, LOCATION, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};

use super::headers::{extensions, has_token, is_token, joined};
use super::{Agreed, BASE64, accept_key};
use crate::deflate::{DeflateOptions, accept_response, offer};

/// Headers that the handshake sets itself.
const OWN: [HeaderName; 6] = [
    UPGRADE,
    CONNECTION,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_EXTENSIONS,
];

/// A handshake under way: made with its request, used to check the response.
#[derive(Debug, Clone)]
pub struct Handshake {
    accept: String,
    protocols: Vec<String>,
    deflate: DeflateOptions,
}

/// The request cannot be made: the caller's mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The address has no host.
    NoHost,
    /// A subprotocol that is not a token, or stands twice.
    InvalidProtocol(String),
    /// A header that the handshake sets itself.
    OwnHeader(HeaderName),
}

/// The server did not open the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseError {
    /// A redirect. It is not followed: whoever holds the address decides whether to trust the new
    /// one.
    Redirect {
        /// 3xx.
        status: StatusCode,
        /// Where to.
        location: String,
    },
    /// The server takes no connections now, and says when to come again: 429 or 503 with
    /// `Retry-After` in seconds (RFC 9110 §10.2.3).
    Later {
        /// 429 or 503.
        status: StatusCode,
        /// In so many seconds.
        seconds: u64,
    },
    /// Any other status than 101.
    Status(StatusCode),
    /// RFC 6455 §4.1: the upgrade, connection or accept header is not what it has to be.
    Header(&'static str),
    /// RFC 6455 §4.1: a subprotocol that was not offered.
    Protocol(String),
    /// RFC 6455 §4.1, RFC 7692 §7: an extension or a parameter that was not offered.
    Extension(String),
}

impl Handshake {
    /// Makes the request. `key` is to be 16 random bytes; `headers` are added to the request, and a
    /// `Host` among them takes the place of the address's own.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn new(
        uri: &Uri,
        key: [u8; 16],
        protocols: &[String],
        deflate: &DeflateOptions,
        headers: &HeaderMap,
    ) -> Result<(Request<()>, Self), RequestError> {
        let authority = uri.authority().ok_or(RequestError::NoHost)?;
        check_protocols(protocols)?;
        if let Some(own) = OWN.into_iter().find(|own| headers.contains_key(own)) {
            return Err(RequestError::OwnHeader(own));
        }
        let key = BASE64.encode(key);
        let mut request = Request::new(());
        *request.uri_mut() = uri.clone();
        let all = request.headers_mut();
        // RFC 3986 §3.2.1: user information is not part of Host.
        let host = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, host)| host);
        all.insert(HOST, visible(host));
        all.insert(UPGRADE, HeaderValue::from_static("websocket"));
        all.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        all.insert(SEC_WEBSOCKET_KEY, visible(&key));
        all.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if !protocols.is_empty() {
            all.insert(SEC_WEBSOCKET_PROTOCOL, visible(&protocols.join(", ")));
        }
        if let Some(offer) = offer(deflate) {
            all.insert(SEC_WEBSOCKET_EXTENSIONS, visible(&offer));
        }
        all.extend(headers.clone());
        let handshake = Self {
            accept: accept_key(key.as_bytes()),
            protocols: protocols.to_vec(),
            deflate: deflate.clone(),
        };
        Ok((request, handshake))
    }

    /// Checks the server's response (RFC 6455 §4.1, steps 1 to 6).
    ///
    /// # Errors
    /// See [`ResponseError`]; the transport is to be ended then.
    pub fn check<B>(&self, response: &Response<B>) -> Result<Agreed, ResponseError> {
        let (status, headers) = (response.status(), response.headers());
        if status.is_redirection()
            && let Some(location) = headers.get(LOCATION)
        {
            let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
            return Err(ResponseError::Redirect { status, location });
        }
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refusal(status, headers));
        }
        let upgrade = joined(headers, UPGRADE).unwrap_or_default();
        if !upgrade.eq_ignore_ascii_case("websocket") {
            return Err(ResponseError::Header("Upgrade is not websocket"));
        }
        let connection = joined(headers, CONNECTION).unwrap_or_default();
        if !has_token(&connection, "upgrade") {
            return Err(ResponseError::Header("Connection lacks the token Upgrade"));
        }
        if joined(headers, SEC_WEBSOCKET_ACCEPT).as_ref() != Some(&self.accept) {
            return Err(ResponseError::Header("Sec-WebSocket-Accept does not match the key"));
        }
        let protocol = match headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
            false => None,
            true => Some(joined(headers, SEC_WEBSOCKET_PROTOCOL).unwrap_or_default()),
        };
        if let Some(protocol) = &protocol
            && !self.protocols.contains(protocol)
        {
            return Err(ResponseError::Protocol(protocol.clone()));
        }
        let listed = joined(headers, SEC_WEBSOCKET_EXTENSIONS);
        let listed = listed.as_deref().and_then(extensions).ok_or_else(|| {
            ResponseError::Extension("Sec-WebSocket-Extensions breaks its grammar".to_owned())
        })?;
        let deflate = accept_response(&listed, &self.deflate).map_err(ResponseError::Extension)?;
        Ok(Agreed { protocol, deflate })
    }
}

fn check_protocols(protocols: &[String]) -> Result<(), RequestError> {
    for (i, protocol) in protocols.iter().enumerate() {
        if !is_token(protocol) || protocols[..i].contains(protocol) {
            return Err(RequestError::InvalidProtocol(protocol.clone()));
        }
    }
    Ok(())
}

fn visible(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("hosts, tokens and base64 are visible ASCII")
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost => f.write_str("the address has no host"),
            Self::InvalidProtocol(protocol) => {
                write!(f, "subprotocol {protocol:?} is not a token or stands twice")
            }
            Self::OwnHeader(name) => write!(f, "header {name} is set by the handshake itself"),
        }
    }
}

fn refusal(status: StatusCode, headers: &HeaderMap) -> ResponseError {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    match seconds {
        Some(seconds)
            if matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            ) =>
        {
            ResponseError::Later { status, seconds }
        }
        _ => ResponseError::Status(status),
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redirect { status, location } => {
                write!(
                    f,
                    "server redirects ({}) to {location}; redirects are not followed",
                    status.as_u16()
                )
            }
            Self::Later { status, seconds } => {
                write!(f, "server answered {status}: it takes no connections for {seconds} s")
            }
            Self::Status(status) => {
                write!(f, "server answered {status} instead of 101; is this a WebSocket endpoint?")
            }
            Self::Header(what) => write!(f, "server's handshake is invalid: {what}"),
            Self::Protocol(protocol) => {
                write!(f, "server chose subprotocol {protocol:?}, which was not offered")
            }
            Self::Extension(what) => write!(f, "server's choice of extensions is invalid: {what}"),
        }
    }
}

impl std::error::Error for RequestError {}
impl std::error::Error for ResponseError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::server::Offer;

    fn begin(protocols: &[&str]) -> (Request<()>, Handshake) {
        let protocols: Vec<String> = protocols.iter().map(|p| (*p).to_owned()).collect();
        let uri = "ws://user:secret@example.com:81/x?y".parse().unwrap();
        Handshake::new(&uri, [7; 16], &protocols, &DeflateOptions::client(), &HeaderMap::new())
            .unwrap()
    }

    #[test]
    fn our_server_answers_our_client() {
        let (request, handshake) = begin(&["v1", "v2"]);
        assert_eq!(request.headers()["host"], "example.com:81");
        let offer = Offer::from_http1(&request).unwrap();
        let (response, on_server) = offer.accept(Some("v2"), &DeflateOptions::default());
        let on_client = handshake.check(&response).unwrap();
        assert_eq!(on_client, on_server);
        assert_eq!(on_client.protocol.as_deref(), Some("v2"));
        assert!(on_client.deflate.is_some());
    }

    fn spoiled(spoil: impl FnOnce(&mut Response<()>)) -> ResponseError {
        let (request, handshake) = begin(&["v1"]);
        let (mut response, _) =
            Offer::from_http1(&request).unwrap().accept(None, &DeflateOptions::default());
        spoil(&mut response);
        handshake.check(&response).unwrap_err()
    }

    fn with(name: &'static str, value: &'static str) -> ResponseError {
        spoiled(|response| {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        })
    }

    #[test]
    fn a_wrong_response_is_refused() {
        assert!(matches!(
            with("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ResponseError::Header(_)
        ));
        assert!(matches!(with("upgrade", "h2c"), ResponseError::Header(_)));
        assert!(matches!(with("connection", "close"), ResponseError::Header(_)));
        assert!(matches!(with("sec-websocket-protocol", "v9"), ResponseError::Protocol(_)));
        assert!(matches!(with("sec-websocket-protocol", "v1, v1"), ResponseError::Protocol(_)));
        assert!(matches!(
            with("sec-websocket-extensions", "permessage-deflate; server_max_window_bits=7"),
            ResponseError::Extension(_)
        ));
        assert_eq!(
            spoiled(|r| *r.status_mut() = StatusCode::OK),
            ResponseError::Status(StatusCode::OK)
        );
    }

    #[test]
    fn a_server_that_takes_none_now_says_when_to_come_again() {
        let answer = |status: u16, retry_after: &'static str| {
            spoiled(|response| {
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                let headers = response.headers_mut();
                headers.insert("retry-after", HeaderValue::from_static(retry_after));
            })
        };
        for code in [429, 503] {
            let status = StatusCode::from_u16(code).unwrap();
            assert_eq!(answer(code, "7"), ResponseError::Later { status, seconds: 7 });
            assert_eq!(answer(code, "soon"), ResponseError::Status(status));
        }
        assert_eq!(answer(403, "7"), ResponseError::Status(StatusCode::FORBIDDEN));
    }

    #[test]
    fn a_redirect_is_told_and_not_followed() {
        let error = spoiled(|response| {
            *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
            response
                .headers_mut()
                .insert("location", HeaderValue::from_static("wss://other.test/"));
        });
        assert_eq!(
            error.to_string(),
            "server redirects (301) to wss://other.test/; redirects are not followed"
        );
    }

    #[test]
    fn the_handshakes_own_headers_cannot_be_set() {
        let mut headers = HeaderMap::new();
        headers.insert("sec-websocket-key", HeaderValue::from_static("x"));
        let result = Handshake::new(
            &"ws://a/".parse().unwrap(),
            [0; 16],
            &[],
            &DeflateOptions::client(),
            &headers,
        );
        assert!(matches!(result, Err(RequestError::OwnHeader(_))));
    }
}
