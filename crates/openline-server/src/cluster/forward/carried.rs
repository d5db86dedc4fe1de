//! [`Errand`] and [`CarriedAnswer`]: what nodes ask each other to do, and its answer, as they are sent.

use std::net::IpAddr;

use ::http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, HeaderName, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VARY,
};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use axum::body::Body;
use bytes::Bytes;
use openline_ws::Rejection;
use serde::{Deserialize, Serialize};

use crate::auth::Token;

/// What one node asks another to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Errand {
    Request(CarriedRequest),
    /// To take a ticket, and say which token it stands for.
    Ticket(String),
}

/// A request that one node hands to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CarriedRequest {
    method: String,
    /// Path and query.
    target: String,
    headers: Vec<(String, Bytes)>,
    /// Whose request it is, as the first node found out.
    address: IpAddr,
    body: Bytes,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CarriedAnswer {
    status: u16,
    headers: Vec<(String, Bytes)>,
    body: Bytes,
}

/// Stands in the extensions of a request that another node handed over: it is answered here or not
/// at all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HandedOver;

impl Errand {
    pub(super) fn to_bytes(&self) -> Bytes {
        encoded(self)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}

impl CarriedRequest {
    pub(crate) fn new<B>(request: &Request<B>, address: IpAddr, body: Bytes) -> Self {
        let target = request.uri().path_and_query();
        let mut headers = carried(request.headers());
        // HTTP/2 says it elsewhere.
        if let Some(host) = request.uri().authority()
            && !request.headers().contains_key(HOST)
        {
            headers
                .push((HOST.as_str().to_owned(), Bytes::copy_from_slice(host.as_str().as_bytes())));
        }
        Self {
            method: request.method().as_str().to_owned(),
            target: target.map_or("/", |target| target.as_str()).to_owned(),
            headers,
            address,
            body,
        }
    }

    /// As it is handled here, and whose it is. None if that is no request.
    pub(super) fn open(self) -> Option<(Request<Body>, IpAddr)> {
        let mut request = Request::new(Body::from(self.body));
        *request.method_mut() = Method::from_bytes(self.method.as_bytes()).ok()?;
        *request.uri_mut() = Uri::try_from(self.target).ok()?;
        *request.headers_mut() = opened(self.headers)?;
        request.extensions_mut().insert(HandedOver);
        Some((request, self.address))
    }
}

impl CarriedAnswer {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Self {
        Self { status: status.as_u16(), headers: carried(headers), body }
    }

    pub(super) fn of(rejection: &Rejection) -> Self {
        let (parts, body) = rejection.response().into_parts();
        Self::new(parts.status, &parts.headers, body.into())
    }

    /// The answer to a ticket; none if it is not good.
    pub(super) fn of_token(token: Option<&Token>) -> Self {
        let status = if token.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        let body = token.map_or("", Token::expose);
        Self::new(status, &HeaderMap::new(), Bytes::copy_from_slice(body.as_bytes()))
    }

    /// The token in such an answer.
    pub(super) fn token(self) -> Option<Token> {
        let is_good = self.status == StatusCode::OK.as_u16();
        is_good.then(|| Some(Token::new(std::str::from_utf8(&self.body).ok()?))).flatten()
    }

    /// As the client gets it. Which pages may read it says the node that they asked.
    pub(super) fn open(self) -> Option<Response<Body>> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).ok()?;
        let mut headers = opened(self.headers)?;
        let theirs =
            |name: &&HeaderName| **name == VARY || name.as_str().starts_with("access-control-");
        for name in headers.keys().filter(theirs).cloned().collect::<Vec<_>>() {
            headers.remove(name);
        }
        *response.headers_mut() = headers;
        Some(response)
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        encoded(self)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}

/// Headers but those that are about a connection (RFC 9110 section 7.6.1), and those that say whose
/// request it is, which is known.
fn carried(headers: &HeaderMap) -> Vec<(String, Bytes)> {
    let named: Vec<_> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let stays = |name: &HeaderName| {
        let about_connection = [
            CONNECTION,
            CONTENT_LENGTH,
            EXPECT,
            PROXY_AUTHENTICATE,
            PROXY_AUTHORIZATION,
            TE,
            TRAILER,
            TRANSFER_ENCODING,
            UPGRADE,
            FORWARDED,
        ];
        let name_text = name.as_str();
        !about_connection.contains(name)
            && !matches!(name_text, "keep-alive" | "proxy-connection" | "x-real-ip")
            && !name_text.starts_with("x-forwarded-")
            && !named.iter().any(|named| named == name_text)
    };
    headers
        .iter()
        .filter(|(name, _)| stays(name))
        .map(|(name, value)| (name.as_str().to_owned(), Bytes::copy_from_slice(value.as_bytes())))
        .collect()
}

fn opened(carried: Vec<(String, Bytes)>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(carried.len());
    for (name, value) in carried {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.try_append(name, HeaderValue::from_maybe_shared(value).ok()?).ok()?;
    }
    Some(headers)
}

fn encoded(carried: &impl Serialize) -> Bytes {
    let bytes = postcard::to_allocvec(carried);
    bytes.expect("it is made of plain values and a vector takes them all").into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_request_arrives_as_it_was_sent_but_for_what_is_about_its_connection() {
        let request = Request::builder()
            .method("POST")
            .uri("/socket.io/?EIO=4&sid=%20x")
            .header("host", "example.org")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("x-own", b"\xff\x80".as_slice())
            .header("connection", "close, X-Drop")
            .header("x-drop", "1")
            .header("content-length", "3")
            .header("transfer-encoding", "chunked")
            .header("x-forwarded-for", "192.0.2.9")
            .header("x-real-ip", "192.0.2.9")
            .header("forwarded", "for=192.0.2.9")
            .body(())
            .unwrap();
        let address = "2001:db8::1".parse().unwrap();
        let body = Bytes::from_static(b"\0\xff4");
        let carried = CarriedRequest::new(&request, address, body);
        let errand = Errand::Request(carried.clone());
        assert_eq!(Errand::from_bytes(&errand.to_bytes()), Some(errand));
        let read = carried;
        assert_eq!(&read.body[..], b"\0\xff4");
        let (opened, whose) = read.open().unwrap();
        assert_eq!(whose, address);
        assert_eq!((opened.method(), opened.uri()), (request.method(), request.uri()));
        let mut names: Vec<_> = opened
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        names.sort_unstable();
        let expected: [(&str, &[u8]); 4] = [
            ("cookie", b"a=1"),
            ("cookie", b"b=2"),
            ("host", b"example.org"),
            ("x-own", b"\xff\x80"),
        ];
        assert_eq!(names, expected);
        assert!(opened.extensions().get::<HandedOver>().is_some());
    }

    #[test]
    fn the_host_of_a_request_over_http_2_arrives_as_a_header() {
        let request = Request::get("https://example.org:8443/poll?session=x").body(()).unwrap();
        let carried = CarriedRequest::new(&request, [127, 0, 0, 1].into(), Bytes::new());
        let (opened, _) = carried.open().unwrap();
        assert_eq!(opened.headers()["host"], "example.org:8443");
        assert_eq!(opened.uri(), "/poll?session=x");
    }

    #[test]
    fn an_answer_arrives_but_for_who_may_read_it() {
        let mut headers = HeaderMap::new();
        headers.append("set-cookie", HeaderValue::from_static("a"));
        headers.append("retry-after", HeaderValue::from_static("1"));
        headers.append("access-control-allow-origin", HeaderValue::from_static("*"));
        headers.append("vary", HeaderValue::from_static("Origin"));
        let answer =
            CarriedAnswer::new(StatusCode::TOO_MANY_REQUESTS, &headers, Bytes::from_static(b"x"));
        let opened = CarriedAnswer::from_bytes(&answer.to_bytes()).unwrap().open().unwrap();
        assert_eq!(opened.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(opened.headers().len(), 2);
        assert_eq!(opened.headers()["retry-after"], "1");
    }

    #[test]
    fn what_is_no_request_is_none() {
        let request = Request::new(());
        let good = CarriedRequest::new(&request, [127, 0, 0, 1].into(), Bytes::new());
        assert!(good.clone().open().is_some());
        for bad in [
            CarriedRequest { method: "G T".into(), ..good.clone() },
            CarriedRequest { target: "a b".into(), ..good.clone() },
            CarriedRequest { headers: vec![("a b".into(), Bytes::new())], ..good.clone() },
            CarriedRequest {
                headers: vec![("a".into(), Bytes::from_static(b"\n"))],
                ..good.clone()
            },
        ] {
            assert!(bad.clone().open().is_none(), "{bad:?}");
        }
        let bytes = Errand::Request(good).to_bytes();
        for end in 0..bytes.len() {
            assert!(Errand::from_bytes(&bytes[..end]).is_none(), "{end}");
        }
    }
}
