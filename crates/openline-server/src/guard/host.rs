//! [`Host`]: the name of a host with its port; [`Hosts`]: which names this server answers to.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ::http::header::HOST;
use ::http::{Request, StatusCode};
use openline_ws::Rejection;

use super::peer_text::shown;

/// The longest name that DNS knows.
const NAME_BYTES_MAX: usize = 253;

/// A host and the port that is named with it, normalised so that equal ones are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Host {
    /// In lower case; an IPv6 address in brackets, in its canonical form.
    pub(crate) name: String,
    pub(crate) port: Option<u16>,
}

/// The names that requests may be sent to.
///
/// A page whose name its owner points at this machine (DNS rebinding) reaches the server as its own
/// origin; the `Host` it sends gives it away.
#[derive(Debug)]
pub(crate) struct Hosts {
    /// None: any.
    allowed: Option<HashSet<String>>,
}

impl Host {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            let port = match port {
                "" => None,
                _ => Some(parse_port(port.strip_prefix(':')?)?),
            };
            return Some(Self { name: format!("[{address}]"), port });
        }
        let (name, port) = match text.split_once(':') {
            None => (text, None),
            Some((name, port)) => (name, Some(parse_port(port)?)),
        };
        let lawful = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(lawful) {
            return None;
        }
        Some(Self { name: name.to_ascii_lowercase(), port })
    }

    /// What a request was sent to: in its target over HTTP/2, in the header otherwise.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        Self::parse(std::str::from_utf8(authority(request)?).ok()?)
    }

    /// Whether it is this machine by any resolver, or by being an address.
    pub(crate) fn is_loopback(&self) -> bool {
        if self.name == "localhost" {
            return true;
        }
        match self.name.strip_prefix('[') {
            Some(name) => {
                let address = name.trim_end_matches(']').parse::<IpAddr>();
                address.is_ok_and(|ip| ip.to_canonical().is_loopback())
            }
            None => self.name.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback()),
        }
    }
}

impl Hosts {
    /// Names without a port, such as `chat.example`, `10.0.0.1`, `[2001:db8::1]`; or `*` alone for
    /// any. This machine's loopback names are always among them: nobody else can own those. With an
    /// empty list they are all there is if `loopback_only`, and otherwise any name will do.
    ///
    /// # Errors
    /// The entry that cannot be used.
    pub(crate) fn new(list: &[String], loopback_only: bool) -> Result<Self, String> {
        if list == ["*"] || (list.is_empty() && !loopback_only) {
            return Ok(Self { allowed: None });
        }
        let entry = |text: &String| match Host::parse(text) {
            Some(Host { name, port: None }) => Ok(name),
            Some(Host { name, .. }) => {
                Err(format!("http.allowed_hosts: {text:?} has a port; write {name:?}."))
            }
            None => Err(format!(
                "http.allowed_hosts: {text:?} is not the name of a host; write one such as \
                 \"chat.example\", or \"*\" alone."
            )),
        };
        Ok(Self { allowed: Some(list.iter().map(entry).collect::<Result<_, _>>()?) })
    }

    /// # Errors
    /// The answer to give instead.
    pub(crate) fn check<B>(&self, request: &Request<B>) -> Result<(), Rejection> {
        let Some(allowed) = &self.allowed else { return Ok(()) };
        let known = |host: Host| host.is_loopback() || allowed.contains(&host.name);
        if Host::of(request).is_some_and(known) {
            return Ok(());
        }
        let host = shown(authority(request).unwrap_or(b"(none)"));
        let message = if allowed.is_empty() {
            format!("Host {host} is not this machine; use localhost or 127.0.0.1.")
        } else {
            format!("Host {host} is not in http.allowed_hosts.")
        };
        Err(Rejection::new(StatusCode::FORBIDDEN, "host_not_allowed", message))
    }
}

fn authority<B>(request: &Request<B>) -> Option<&[u8]> {
    match request.uri().authority() {
        Some(authority) => Some(authority.as_str().as_bytes()),
        None => Some(request.headers().get(HOST)?.as_bytes()),
    }
}

/// Decimal digits without leading zeros: what programs write. `u16::from_str` would take `+80`.
fn parse_port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: &str) -> Request<()> {
        Request::builder().header(HOST, host).body(()).unwrap()
    }

    #[test]
    fn equal_hosts_are_equal_however_they_are_written() {
        let same = [
            ("Chat.Example", "chat.example"),
            ("CHAT.example:8000", "chat.example:8000"),
            ("[2001:DB8:0:0::1]:8000", "[2001:db8::1]:8000"),
        ];
        for (one, other) in same {
            assert_eq!(Host::parse(one).unwrap(), Host::parse(other).unwrap());
        }
        assert_ne!(Host::parse("chat.example."), Host::parse("chat.example"));
    }

    #[test]
    fn what_is_not_a_host_is_not_taken_for_one() {
        let too_long = "a".repeat(254);
        for text in [
            "",
            ":80",
            "a:",
            "a:0",
            "a:080",
            "a:+80",
            "a:65536",
            "a:80:80",
            "a b",
            "a/b",
            "a@b",
            "ä",
            "[::1",
            "[::1]x",
            "[::1]:",
            "[127.0.0.1]",
            "[fe80::1%eth0]",
            "::1",
            "a%2eb",
            "*.a",
            &too_long,
        ] {
            assert_eq!(Host::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn on_loopback_only_this_machines_names_are_answered() {
        let hosts = Hosts::new(&[], true).unwrap();
        for host in [
            "localhost",
            "LOCALHOST:8000",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:8000",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(hosts.check(&request(host)).is_ok(), "{host}");
        }
        for host in
            ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test:80", "10.0.0.1", "", "a@b"]
        {
            let rejection = hosts.check(&request(host)).unwrap_err();
            assert_eq!(
                (rejection.status, rejection.code),
                (StatusCode::FORBIDDEN, "host_not_allowed")
            );
            let said = format!("Host {host} is not this machine; use localhost or 127.0.0.1.");
            assert_eq!(rejection.message, said);
        }
        assert!(hosts.check(&Request::new(())).unwrap_err().message.starts_with("Host (none) "));
    }

    #[test]
    fn a_list_names_the_hosts_beside_this_machines() {
        for loopback_only in [true, false] {
            let list = ["Chat.example", "10.0.0.1"].map(str::to_owned);
            let hosts = Hosts::new(&list, loopback_only).unwrap();
            for host in ["chat.example", "chat.example:8443", "10.0.0.1:80", "localhost:8000"] {
                assert!(hosts.check(&request(host)).is_ok(), "{host}");
            }
            for host in ["evil.test", "a.chat.example", "chat.example.evil.test"] {
                let rejection = hosts.check(&request(host)).unwrap_err();
                assert_eq!(rejection.message, format!("Host {host} is not in http.allowed_hosts."));
            }
        }
    }

    #[test]
    fn any_host_is_answered_with_a_star_or_elsewhere_without_a_list() {
        let star = ["*".to_owned()];
        for hosts in [Hosts::new(&star, true), Hosts::new(&star, false), Hosts::new(&[], false)] {
            assert!(hosts.unwrap().check(&request("evil.test")).is_ok());
        }
    }

    #[test]
    fn the_target_counts_more_than_the_header() {
        let hosts = Hosts::new(&[], true).unwrap();
        let target = |uri: &str| Request::builder().uri(uri).header(HOST, "localhost").body(());
        assert!(hosts.check(&target("http://127.0.0.1:8000/").unwrap()).is_ok());
        assert!(hosts.check(&target("http://evil.test/").unwrap()).is_err());
        assert!(hosts.check(&target("http://localhost@evil.test/").unwrap()).is_err());
    }

    #[test]
    fn a_list_with_something_else_in_it_is_refused() {
        for (entry, said) in [
            ("chat.example:80", "has a port; write \"chat.example\"."),
            ("https://chat.example", "is not the name of a host"),
            ("*.example", "is not the name of a host"),
            ("", "is not the name of a host"),
        ] {
            let error = Hosts::new(&[entry.to_owned()], true).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        assert!(Hosts::new(&["*".to_owned(), "a".to_owned()], true).is_err());
    }
}
