//! The guard as a whole, as connections and requests meet it.

use std::num::NonZeroU32;

use ::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST,
    RETRY_AFTER, VARY,
};
use ::http::{HeaderValue, Method};

use super::refusal::Limit;
use super::*;

const LOOPBACK: [u8; 4] = [127, 0, 0, 1];
const ANYWHERE: [u8; 4] = [0, 0, 0, 0];

fn guard(options: &Options, listen: [u8; 4]) -> Guard {
    Guard::new(options, listen.into()).unwrap()
}

fn with_origins(list: &[&str], listen: [u8; 4]) -> Guard {
    let allowed_origins = list.iter().map(|entry| (*entry).to_owned()).collect();
    guard(&Options { allowed_origins, ..Options::default() }, listen)
}

fn rate(per_second: u32) -> Option<Rate> {
    let per_second = NonZeroU32::new(per_second)?;
    Some(Rate { per_second, burst: per_second })
}

fn request(host: &str, origin: Option<&str>) -> Request<()> {
    let request = Request::builder().header(HOST, host);
    origin.into_iter().fold(request, |r, origin| r.header(ORIGIN, origin)).body(()).unwrap()
}

#[test]
fn on_loopback_only_this_machines_pages_open_lines() {
    let guard = guard(&Options::default(), LOOPBACK);
    for origin in [
        None,
        Some("http://localhost:3000"),
        Some("https://127.0.0.1"),
        Some("http://[::1]:1"),
        Some("capacitor://localhost"),
    ] {
        assert!(guard.check_origin(&request("localhost", origin)).is_ok(), "{origin:?}");
    }
    for origin in
        ["https://evil.test", "null", "", "http://localhost.evil.test", "localhost", "http://a b"]
    {
        let rejection = guard.check_origin(&request("localhost", Some(origin))).unwrap_err();
        assert_eq!(rejection.status, StatusCode::FORBIDDEN);
        assert_eq!(rejection.code, "origin_not_allowed");
        let said = format!("Origin {origin} is not in http.allowed_origins.");
        assert_eq!(rejection.message, said);
    }
    // Its own name is no excuse: the name may be pointed here for that.
    let rebound = request("evil.test", Some("http://evil.test"));
    assert!(guard.check_origin(&rebound).is_err() && guard.check_host(&rebound).is_err());
}

#[test]
fn elsewhere_pages_of_the_same_host_open_lines() {
    let guard = guard(&Options::default(), ANYWHERE);
    assert!(guard.check_host(&request("chat.test", None)).is_ok());
    for (host, origin, expected) in [
        ("chat.test", "https://chat.test", true),
        ("Chat.test:443", "https://chat.test", true),
        ("chat.test:8000", "http://CHAT.test:8000", true),
        ("localhost:8000", "http://localhost:8000", true),
        ("chat.test", "https://evil.test", false),
        ("chat.test", "https://chat.test:8443", false),
        ("chat.test", "http://localhost:3000", false),
        ("chat.test", "https://chat.test.evil.test", false),
        ("chat.test", "null", false),
        ("", "null", false),
        ("", "https://", false),
    ] {
        let checked = guard.check_origin(&request(host, Some(origin)));
        assert_eq!(checked.is_ok(), expected, "{host} {origin}");
    }
}

#[test]
fn with_a_list_the_list_alone_counts() {
    for listen in [LOOPBACK, ANYWHERE] {
        let guard = with_origins(&["https://*.chat.test"], listen);
        let check = |origin| guard.check_origin(&request("localhost", Some(origin))).is_ok();
        assert!(check("https://a.chat.test"));
        assert!(!check("https://chat.test"));
        assert!(!check("http://localhost"));
        assert!(guard.check_origin(&request("localhost", None)).is_ok(), "programs send none");
    }
}

#[test]
fn two_origins_are_none() {
    let guard = with_origins(&["https://a.test"], ANYWHERE);
    let mut request = request("a.test", Some("https://a.test"));
    request.headers_mut().append(ORIGIN, HeaderValue::from_static("https://a.test"));
    let rejection = guard.check_origin(&request).unwrap_err();
    assert_eq!(rejection.message, "There must be one Origin header.");
    let mut headers = HeaderMap::new();
    guard.cors(&request).apply(&mut headers);
    assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
}

#[test]
fn what_a_peer_sent_is_shown_short_and_clean() {
    let guard = guard(&Options::default(), LOOPBACK);
    let mut request = request("localhost", None);
    let origin = HeaderValue::from_bytes(&[&b"https://\te\x9f"[..], &[b'x'; 5000]].concat());
    request.headers_mut().insert(ORIGIN, origin.unwrap());
    let message = guard.check_origin(&request).unwrap_err().message;
    assert!(message.starts_with("Origin https://e\u{fffd}xxx"), "{message}");
    assert!(message.len() < 300, "{}", message.len());
}

#[test]
fn answers_can_be_read_by_listed_pages_only() {
    // Origins configured, the page's origin; whether it may read, and with cookies.
    type Row = (&'static [&'static str], Option<&'static str>, Option<&'static str>, bool);
    let table: [Row; 9] = [
        (&["https://a.test"], Some("https://a.test"), Some("https://a.test"), true),
        (&["https://a.test"], Some("HTTPS://A.test:443"), Some("HTTPS://A.test:443"), true),
        (&["https://*.a.test"], Some("https://b.a.test"), Some("https://b.a.test"), true),
        (&["https://a.test"], Some("https://b.test"), None, false),
        (&["https://a.test"], Some("null"), None, false),
        (&["https://a.test"], None, None, false),
        (&["*"], Some("https://b.test"), Some("*"), false),
        (&["*"], None, Some("*"), false),
        (&[], Some("https://evil.test"), None, false),
    ];
    for (list, origin, allowed, credentials) in table {
        let mut headers = HeaderMap::new();
        headers.insert(VARY, HeaderValue::from_static("Accept"));
        with_origins(list, ANYWHERE).cors(&request("chat.test", origin)).apply(&mut headers);
        let value = |name| headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(value(ACCESS_CONTROL_ALLOW_ORIGIN), allowed, "{list:?} {origin:?}");
        let said = value(ACCESS_CONTROL_ALLOW_CREDENTIALS) == Some("true");
        assert_eq!(said, credentials, "{list:?} {origin:?}");
        // What depends on the page says so, whether it may read or not.
        let vary: Vec<_> = headers.get_all(VARY).iter().collect();
        let expected: &[&str] = if list == ["*"] { &["Accept"] } else { &["Accept", "Origin"] };
        assert_eq!(vary, expected, "{list:?} {origin:?}");
    }
}

#[test]
fn a_preflight_is_answered_by_the_same_list() {
    let allowed = Preflight { methods: "GET, POST", headers: "authorization, content-type" };
    let asks = |method: Method, origin: Option<&str>, wants: Option<&str>| {
        let mut request = request("chat.test", origin);
        *request.method_mut() = method;
        if let Some(wants) = wants {
            let wants = HeaderValue::from_str(wants).unwrap();
            request.headers_mut().insert(ACCESS_CONTROL_REQUEST_METHOD, wants);
        }
        request
    };
    let page = Some("https://a.test");
    let listed = with_origins(&["https://a.test"], ANYWHERE);
    for (method, origin, wants) in [
        (Method::GET, page, Some("POST")),
        (Method::OPTIONS, None, Some("POST")),
        (Method::OPTIONS, page, None),
    ] {
        assert!(listed.preflight(&asks(method, origin, wants), &allowed).is_none());
    }
    for (list, origin, answered, credentials) in [
        (&["https://a.test"], "https://a.test", Some("https://a.test"), true),
        (&["https://a.test"], "https://b.test", None, false),
        (&["https://a.test"], "null", None, false),
        (&["*"], "https://b.test", Some("*"), false),
    ] {
        let guard = with_origins(list, ANYWHERE);
        let request = asks(Method::OPTIONS, Some(origin), Some("DELETE"));
        match (guard.preflight(&request, &allowed).unwrap(), answered) {
            (Ok(response), Some(answered)) => {
                let headers = response.headers();
                assert_eq!(response.status(), StatusCode::NO_CONTENT);
                assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], answered);
                assert_eq!(headers[ACCESS_CONTROL_ALLOW_METHODS], "GET, POST");
                assert_eq!(headers[ACCESS_CONTROL_ALLOW_HEADERS], "authorization, content-type");
                assert_eq!(headers[ACCESS_CONTROL_MAX_AGE], "600");
                assert_eq!(headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS), credentials);
                assert_eq!(headers.contains_key(VARY), answered != "*");
            }
            (Err(rejection), None) => assert_eq!(rejection.status, StatusCode::FORBIDDEN),
            (result, _) => panic!("{list:?} {origin}: {result:?}"),
        }
    }
}

#[test]
fn refusals_say_which_limit_and_when_to_come_back() {
    let lines = ConnectionLimits { per_node: Some(3), per_address: Some(2), per_user: Some(1) };
    let options = Options { lines, admission: rate(4), ..Options::default() };
    let guard = guard(&options, LOOPBACK);
    let admit = |address: &str, now_ms| guard.admit(address.parse().unwrap(), Kind::New, now_ms, 0);
    let mut slots = vec![admit("192.0.2.1", 0).unwrap(), admit("192.0.2.1", 0).unwrap()];

    let by_address = Rejection::from(admit("::ffff:192.0.2.1", 0).unwrap_err());
    assert_eq!((by_address.status.as_u16(), by_address.code), (429, "connection_limit"));
    let said = "192.0.2.1 has 2 connections, as many as limits.connections_per_ip allows; close \
                one first.";
    assert_eq!(by_address.message, said);
    assert_eq!(by_address.headers[RETRY_AFTER], "1");

    slots.push(admit("192.0.2.2", 0).unwrap());
    let by_node = Rejection::from(admit("192.0.2.3", 0).unwrap_err());
    assert_eq!((by_node.status.as_u16(), by_node.code), (503, "connection_limit"));
    assert!(by_node.message.starts_with("This node has 3 connections"), "{}", by_node.message);

    slots.pop();
    slots.push(admit("192.0.2.2", 0).unwrap());
    slots.pop();
    let refusal = admit("192.0.2.3", 0).unwrap_err();
    assert_eq!((refusal.limit, refusal.retry_after_ms), (Limit::Admission, 250));
    assert_eq!(refusal.close_reason(), "overloaded; retry=250");
    let too_fast = Rejection::from(refusal);
    assert_eq!((too_fast.status.as_u16(), too_fast.code), (503, "overloaded"));
    assert_eq!(too_fast.headers[RETRY_AFTER], "1");
    assert_eq!(guard.lines(), 2, "who was refused holds no place");
    slots.push(admit("192.0.2.3", 250).unwrap());

    assert!(slots[0].sign_in("ann", 0).is_ok());
    let by_user = Rejection::from(slots[1].sign_in("ann", 8_500).unwrap_err());
    assert_eq!((by_user.status.as_u16(), by_user.code), (429, "connection_limit"));
    assert!(by_user.message.contains("limits.connections_per_user"), "{}", by_user.message);
    assert_eq!(by_user.headers[RETRY_AFTER], "10");
    drop(slots);
    assert_eq!(guard.lines(), 0);
}

#[test]
fn who_is_over_a_count_takes_no_turn_from_others() {
    let lines = ConnectionLimits { per_address: Some(1), ..ConnectionLimits::default() };
    let options = Options { lines, admission: rate(2), ..Options::default() };
    let guard = guard(&options, LOOPBACK);
    let admit = |address: [u8; 4]| guard.admit(address.into(), Kind::New, 0, 0);
    let _first = admit([192, 0, 2, 1]).unwrap();
    for _ in 0..10 {
        assert!(matches!(admit([192, 0, 2, 1]).unwrap_err().limit, Limit::Address(_)));
    }
    assert!(admit([192, 0, 2, 2]).is_ok());
}

#[test]
fn sockets_are_counted_by_address_unless_they_are_a_proxys() {
    let sockets = ConnectionLimits { per_node: Some(6), per_address: Some(2), per_user: None };
    let trusted_proxies = vec!["10.0.0.0/8".to_owned()];
    let guard = guard(&Options { sockets, trusted_proxies, ..Options::default() }, ANYWHERE);
    let accept = |peer: [u8; 4]| guard.accept(peer.into(), 0);
    let _client: Vec<_> = (0..2).map(|_| accept([192, 0, 2, 1]).unwrap()).collect();
    assert!(matches!(accept([192, 0, 2, 1]).unwrap_err().limit, Limit::Address(_)));
    let _proxy: Vec<_> = (0..4).map(|_| accept([10, 0, 0, 1]).unwrap()).collect();
    assert_eq!(accept([10, 0, 0, 1]).unwrap_err().limit, Limit::Node);
}

#[test]
fn sockets_beyond_the_lines_are_for_requests() {
    let lines = ConnectionLimits { per_node: Some(2), ..ConnectionLimits::default() };
    let sockets = ConnectionLimits { per_node: Some(3), ..ConnectionLimits::default() };
    let guard = guard(&Options { lines, sockets, ..Options::default() }, LOOPBACK);
    let accept = || guard.accept(LOOPBACK.into(), 0);
    let mut places = vec![accept().unwrap(), accept().unwrap()];
    assert!(!guard.is_crowded() && guard.admit(LOOPBACK.into(), Kind::New, 0, 0).is_ok());
    places.push(accept().unwrap());
    assert!(guard.is_crowded());
    let refused = guard.admit(LOOPBACK.into(), Kind::Resume, 0, 0).unwrap_err();
    assert_eq!(refused.limit, Limit::Node, "there are no lines, and it would be one of the last");
    assert_eq!(accept().unwrap_err().limit, Limit::Node);
    places.pop();
    assert!(!guard.is_crowded() && guard.admit(LOOPBACK.into(), Kind::New, 0, 0).is_ok());
}

#[test]
fn a_proxy_header_is_asked_of_trusted_proxies_only_and_only_if_they_send_it() {
    let trusted_proxies = vec!["10.0.0.1".to_owned()];
    for (proxy_protocol, peer, expected) in
        [(true, [10, 0, 0, 1], true), (true, [10, 0, 0, 2], false), (false, [10, 0, 0, 1], false)]
    {
        let trusted_proxies = trusted_proxies.clone();
        let options = Options { trusted_proxies, proxy_protocol, ..Options::default() };
        assert_eq!(guard(&options, ANYWHERE).expects_proxy_header(peer.into()), expected);
    }
}

#[test]
fn lines_count_by_the_address_that_trusted_proxies_tell() {
    let lines = ConnectionLimits { per_address: Some(1), ..ConnectionLimits::default() };
    let trusted_proxies = vec!["127.0.0.1".to_owned()];
    let guard = guard(&Options { lines, trusted_proxies, ..Options::default() }, LOOPBACK);
    let admit = |peer: [u8; 4], forwarded: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static(forwarded));
        guard.admit(guard.client_address(peer.into(), &headers), Kind::New, 0, 0)
    };
    let _first = admit(LOOPBACK, "192.0.2.1").unwrap();
    assert!(admit(LOOPBACK, "192.0.2.2").is_ok());
    assert!(admit(LOOPBACK, "192.0.2.2, 192.0.2.1").is_err());
    assert!(admit([192, 0, 2, 1], "192.0.2.2").is_err());
}

#[test]
fn a_list_that_cannot_be_used_is_said_by_its_key() {
    let list = || vec!["no/entry".to_owned()];
    for (options, key) in [
        (Options { allowed_origins: list(), ..Options::default() }, "http.allowed_origins"),
        (Options { allowed_hosts: list(), ..Options::default() }, "http.allowed_hosts"),
        (Options { trusted_proxies: list(), ..Options::default() }, "http.trusted_proxies"),
    ] {
        let error = Guard::new(&options, LOOPBACK.into()).unwrap_err();
        assert!(error.starts_with(key) && error.contains("no/entry"), "{error}");
    }
}
