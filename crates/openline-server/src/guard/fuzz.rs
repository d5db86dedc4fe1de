//! What holds of any header that says where a connection or a request is from.

use std::net::{IpAddr, Ipv4Addr};

use ::http::header::{HOST, ORIGIN};
use ::http::{HeaderMap, HeaderValue, Request};

use super::proxy_protocol::{Header, parse};
use super::{Guard, Options};
use crate::fuzzing::halves;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// A PROXY header is the same whole, in parts and with bytes behind it; nothing that a client writes
/// changes the address that its proxy has seen; pages are those of the list.
pub fn addresses(data: &[u8]) {
    proxy_header(data);
    let options = Options {
        trusted_proxies: vec!["10.0.0.0/8".to_owned()],
        allowed_origins: vec!["https://a.example".to_owned(), "https://*.b.example".to_owned()],
        ..Options::default()
    };
    let guard = Guard::new(&options, Ipv4Addr::LOCALHOST.into()).expect("these are lists");
    forwarded(&guard, data);
    origin(&guard, data);
}

fn proxy_header(data: &[u8]) {
    let whole = parse(data);
    let end = match whole {
        Header::Done { length, .. } => length,
        Header::Incomplete | Header::Invalid(_) => data.len(),
    };
    assert!(end <= data.len());
    for part in (0..end).map(|end| &data[..end]) {
        match parse(part) {
            Header::Incomplete => {}
            // What cannot become right again is refused early.
            Header::Invalid(_) => return assert!(matches!(whole, Header::Invalid(_))),
            Header::Done { .. } => unreachable!("a header ended before it was whole"),
        }
    }
    if let Header::Done { .. } = whole {
        assert_eq!(parse(&data[..end]), whole);
    }
}

fn forwarded(guard: &Guard, data: &[u8]) {
    let (first, second) = halves(data);
    let mut headers = HeaderMap::new();
    for (name, value) in [("x-forwarded-for", first), ("x-real-ip", second)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    // It comes directly.
    assert_eq!(guard.client_address(CLIENT, &headers), CLIENT);
    guard.client_address(PROXY, &headers);
    // The proxy adds a line of its own, or to the line that there is.
    let mut added = headers.clone();
    added.append("x-forwarded-for", HeaderValue::from_static("198.51.100.7"));
    assert_eq!(guard.client_address(PROXY, &added), CLIENT);
    if let Ok(joined) = HeaderValue::from_bytes(&[first, b", 198.51.100.7"].concat()) {
        headers.insert("x-forwarded-for", joined);
        assert_eq!(guard.client_address(PROXY, &headers), CLIENT);
    }
}

fn origin(guard: &Guard, data: &[u8]) {
    let (origin, host) = halves(data);
    let mut request = Request::new(());
    for (name, value) in [(HOST, host), (ORIGIN, origin)] {
        let Ok(value) = HeaderValue::from_bytes(value) else { return };
        request.headers_mut().insert(name, value);
    }
    let _ = guard.check_host(&request);
    if guard.check_origin(&request).is_ok() {
        let text = origin.to_ascii_lowercase();
        let text = text.strip_suffix(b":443").unwrap_or(&text);
        let label = text.strip_prefix(b"https://").expect("the scheme of the list");
        let below = label.strip_suffix(b".b.example").is_some_and(|name| !name.contains(&b'.'));
        assert!(label == b"a.example" || below, "{:?}", String::from_utf8_lossy(origin));
    }
}
