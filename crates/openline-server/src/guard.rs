//! Who may ask: the checks of `Host` and `Origin` that keep other people's pages out.

use std::net::IpAddr;

use ::http::header::{HOST, ORIGIN};
use ::http::{HeaderMap, Request, StatusCode, Uri};
use openline_ws::Rejection;

/// Decides by where the server listens.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Nobody outside this machine can reach the server, so a name that is not this machine's can
    /// only be a trick (DNS rebinding).
    loopback_only: bool,
}

impl Guard {
    pub(crate) fn new(listen: IpAddr) -> Self {
        Self { loopback_only: listen.to_canonical().is_loopback() }
    }

    /// Checks what the request says it was sent to.
    pub(crate) fn check_host<B>(&self, request: &Request<B>) -> Result<(), Rejection> {
        let host = authority(request.uri(), request.headers());
        if self.loopback_only && !host.is_some_and(is_loopback) {
            let message = format!(
                "Host {} is not this machine; use localhost or 127.0.0.1.",
                host.unwrap_or("(none)")
            );
            return Err(Rejection::new(StatusCode::FORBIDDEN, "host_not_allowed", message));
        }
        Ok(())
    }

    /// Checks the page that opens a line, if it is one: loopback, or on another address the same
    /// host.
    pub(crate) fn check_origin<B>(&self, request: &Request<B>) -> Result<(), Rejection> {
        let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
        let origin = String::from_utf8_lossy(origin.as_bytes());
        let host = origin.split_once("://").map(|(_, host)| host);
        let same = host.is_some() && host == authority(request.uri(), request.headers());
        if host.is_some_and(is_loopback) || (same && !self.loopback_only) {
            return Ok(());
        }
        let message = format!("Origin {origin} is not in http.allowed_origins.");
        Err(Rejection::new(StatusCode::FORBIDDEN, "origin_not_allowed", message))
    }
}

/// Host and port: from the target over HTTP/2, from the header otherwise.
fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(HOST)?.to_str().ok(),
    }
}

/// Whether a host, with or without a port, is this machine.
fn is_loopback(host: &str) -> bool {
    let Ok(uri) = host.parse::<::http::uri::Authority>() else { return false };
    let name = uri.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: &str, origin: Option<&str>) -> Request<()> {
        let request = Request::builder().header(HOST, host);
        let request = origin.into_iter().fold(request, |r, origin| r.header(ORIGIN, origin));
        request.body(()).unwrap()
    }

    #[test]
    fn on_loopback_only_this_machines_names_are_answered() {
        let guard = Guard::new([127, 0, 0, 1].into());
        for host in ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "127.9.9.9", "[::1]:8000"] {
            assert!(guard.check_host(&request(host, None)).is_ok(), "{host}");
        }
        for host in
            ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test:80", "10.0.0.1", "", "a@b"]
        {
            let rejection = guard.check_host(&request(host, None)).unwrap_err();
            assert_eq!(rejection.status, StatusCode::FORBIDDEN, "{host}");
        }
    }

    #[test]
    fn on_loopback_only_this_machines_pages_open_lines() {
        let guard = Guard::new([127, 0, 0, 1].into());
        for origin in
            [None, Some("http://localhost:3000"), Some("https://127.0.0.1"), Some("http://[::1]:1")]
        {
            assert!(guard.check_origin(&request("localhost", origin)).is_ok(), "{origin:?}");
        }
        for origin in ["https://evil.test", "null", "", "http://localhost.evil.test"] {
            let rejection = guard.check_origin(&request("localhost", Some(origin))).unwrap_err();
            assert_eq!(
                rejection.message,
                format!("Origin {origin} is not in http.allowed_origins.")
            );
        }
    }

    #[test]
    fn elsewhere_pages_of_the_same_host_open_lines() {
        let guard = Guard::new([0, 0, 0, 0].into());
        assert!(guard.check_host(&request("chat.test", None)).is_ok());
        assert!(guard.check_origin(&request("chat.test", Some("https://chat.test"))).is_ok());
        assert!(guard.check_origin(&request("chat.test", Some("https://evil.test"))).is_err());
    }
}
