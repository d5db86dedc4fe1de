//! Whose request it is, when proxies stand between.
//!
//! Anybody can write `X-Forwarded-For`. What counts is who wrote which part: each proxy adds the
//! address that it saw to the right, so the walk goes from the right, and only as far as the proxies
//! that wrote are trusted.
//!
//! A trusted proxy must add to `X-Forwarded-For` or drop what came with it. One that passes it on as
//! it is and speaks by `X-Real-IP` alone lets its clients choose their address.

use std::net::{IpAddr, SocketAddr};

use ::http::{HeaderMap, HeaderName, HeaderValue};

use super::network::Network;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Proxies behind one another; nobody has so many.
const PROXIES_MAX: usize = 16;

/// The list `http.trusted_proxies`: who is believed about a client's address.
#[derive(Debug)]
pub(crate) struct TrustedProxies {
    networks: Vec<Network>,
}

impl TrustedProxies {
    /// Addresses and networks.
    ///
    /// # Errors
    /// The entry that cannot be used, and what would be right.
    pub(crate) fn new(list: &[String]) -> Result<Self, String> {
        let entry = |text: &String| match Network::parse(text) {
            Ok(network) if network.is_everybody() => Err(format!(
                "http.trusted_proxies: {text:?} would believe every client about its address; \
                 name the proxies' own addresses or networks."
            )),
            Ok(network) => Ok(network),
            Err(error) => Err(format!("http.trusted_proxies: {text:?} {error}.")),
        };
        Ok(Self { networks: list.iter().map(entry).collect::<Result<_, _>>()? })
    }

    /// Whether the address is a trusted proxy's.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(address))
    }

    /// The address that the request came from, canonical: the first one, seen from here, that is not
    /// a trusted proxy's; the farthest one if all are.
    pub(crate) fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contain(peer) {
            return peer;
        }
        let mut client = peer;
        if headers.contains_key(&X_FORWARDED_FOR) {
            for entry in forwarded(headers).take(PROXIES_MAX) {
                // What a proxy could not or would not name is not to be skipped: beyond it, nobody
                // we trust has written.
                let Some(address) = entry else { break };
                client = address;
                if !self.contain(client) {
                    break;
                }
            }
        } else if let Some(address) = real_ip(headers) {
            client = address;
        }
        client
    }
}

/// The entries of `X-Forwarded-For`, the last one first: its lines are one list (RFC 9110 §5.3).
fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all(&X_FORWARDED_FOR).iter().rev();
    lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',').map(parse_entry))
}

/// `X-Real-IP`, if it is there once.
fn real_ip(headers: &HeaderMap) -> Option<IpAddr> {
    let mut values = headers.get_all(&X_REAL_IP).iter().map(HeaderValue::as_bytes);
    let address = parse_entry(values.next()?)?;
    values.next().is_none().then_some(address)
}

/// An address, with or without brackets and port.
fn parse_entry(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = match bare {
        Some(text) => IpAddr::V6(text.parse().ok()?),
        None => match text.parse::<IpAddr>() {
            Ok(address) => address,
            Err(_) => text.parse::<SocketAddr>().ok().filter(|_| !text.contains('%'))?.ip(),
        },
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.1";

    /// The client's address by these headers, with 10/8 and 2001:db8::/32 trusted.
    fn client(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let trusted = ["10.0.0.0/8".to_owned(), "2001:db8::/32".to_owned()];
        TrustedProxies::new(&trusted)
            .unwrap()
            .client_address(peer.parse().unwrap(), &map)
            .to_string()
    }

    #[test]
    fn a_peer_that_is_not_trusted_is_not_believed() {
        for header in ["x-forwarded-for", "x-real-ip"] {
            assert_eq!(client("192.0.2.1", &[(header, "198.51.100.7")]), "192.0.2.1");
            assert_eq!(client("192.0.2.1", &[(header, "10.0.0.1")]), "192.0.2.1");
            assert_eq!(client("::ffff:192.0.2.1", &[(header, "10.0.0.1")]), "192.0.2.1");
        }
    }

    #[test]
    fn the_walk_goes_from_the_right_past_trusted_proxies() {
        let table = [
            ("198.51.100.7", "198.51.100.7"),
            ("203.0.113.9, 198.51.100.7", "198.51.100.7"),
            ("127.0.0.1,198.51.100.7", "198.51.100.7"),
            ("10.9.9.9, 198.51.100.7", "198.51.100.7"),
            ("198.51.100.7, 10.0.0.2", "198.51.100.7"),
            ("203.0.113.9, 198.51.100.7, 10.0.0.2 ,\t10.0.0.3 ", "198.51.100.7"),
            ("198.51.100.7, 2001:db8::5", "198.51.100.7"),
            ("2a02::1, [2001:db8::5]:443", "2a02::1"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ];
        for (value, expected) in table {
            assert_eq!(client(PROXY, &[("x-forwarded-for", value)]), expected, "{value}");
        }
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_understood() {
        let table = [
            ("198.51.100.7:4711", "198.51.100.7"),
            ("[2a02::1]", "2a02::1"),
            ("[2a02::1]:4711", "2a02::1"),
            ("2A02:0:0::1", "2a02::1"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("[::ffff:198.51.100.7]:1", "198.51.100.7"),
            ("198.51.100.7, ::ffff:10.0.0.2", "198.51.100.7"),
        ];
        for (value, expected) in table {
            assert_eq!(client(PROXY, &[("x-forwarded-for", value)]), expected, "{value}");
        }
        let headers = [("x-forwarded-for", "198.51.100.7")];
        assert_eq!(client("::ffff:10.0.0.1", &headers), "198.51.100.7");
    }

    #[test]
    fn what_is_not_an_address_ends_the_walk() {
        for junk in [
            "unknown",
            "",
            "_hidden",
            "198.51.100.7;",
            "198.51.100",
            "198.51.100.07",
            "[2a02::1",
            "2a02::1]",
            "[198.51.100.7]",
            "[2a02::1%eth0]:1",
            "2a02::1%1",
            "198.51.100.7:99999",
            "198.51.100.7:",
            "\"198.51.100.7\"",
            "198.51.100.7 198.51.100.8",
            "unix:",
            "ä",
        ] {
            let whole = [("x-forwarded-for", junk)];
            assert_eq!(client(PROXY, &whole), PROXY, "{junk:?}");
            let left = format!("198.51.100.7, {junk}, 10.0.0.2");
            assert_eq!(client(PROXY, &[("x-forwarded-for", &left)]), "10.0.0.2", "{junk:?}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        let headers =
            [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "198.51.100.7, 10.0.0.2")];
        assert_eq!(client(PROXY, &headers), "198.51.100.7");
    }

    #[test]
    fn real_ip_counts_where_nothing_was_forwarded() {
        assert_eq!(client(PROXY, &[("x-real-ip", "198.51.100.7")]), "198.51.100.7");
        assert_eq!(client(PROXY, &[("x-real-ip", "junk")]), PROXY);
        let twice = [("x-real-ip", "203.0.113.9"), ("x-real-ip", "198.51.100.7")];
        assert_eq!(client(PROXY, &twice), PROXY);
        let both = [("x-real-ip", "203.0.113.9"), ("x-forwarded-for", "198.51.100.7")];
        assert_eq!(client(PROXY, &both), "198.51.100.7");
        let junk = [("x-real-ip", "203.0.113.9"), ("x-forwarded-for", "junk")];
        assert_eq!(client(PROXY, &junk), PROXY);
        assert_eq!(client(PROXY, &[]), PROXY);
    }

    #[test]
    fn the_walk_has_an_end() {
        let chain = format!("198.51.100.7{}", ", 10.0.0.2".repeat(1000));
        assert_eq!(client(PROXY, &[("x-forwarded-for", &chain)]), "10.0.0.2");
    }

    /// What a client sends stands left of what the proxy adds, so no bytes of its choosing change
    /// the outcome.
    #[test]
    fn nothing_a_client_sends_through_a_proxy_changes_its_address() {
        let pieces = [
            "10.0.0.1",
            ",",
            " ",
            "[",
            "]",
            ":",
            "::1",
            "unknown",
            "198.51.100.7",
            "\t",
            "%",
            "\u{e4}",
            "0",
        ];
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..5000 {
            let mut forged = String::new();
            for _ in 0..12 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                forged.push_str(pieces[(seed >> 33) as usize % pieces.len()]);
            }
            let same_line = format!("{forged}, 192.0.2.1");
            assert_eq!(client(PROXY, &[("x-forwarded-for", &same_line)]), "192.0.2.1", "{forged}");
            let lines = [("x-forwarded-for", forged.as_str()), ("x-forwarded-for", "192.0.2.1")];
            assert_eq!(client(PROXY, &lines), "192.0.2.1", "{forged}");
            assert_eq!(client("192.0.2.1", &lines[..1]), "192.0.2.1", "{forged}");
        }
    }

    #[test]
    fn a_list_with_something_else_in_it_is_refused() {
        let error = |entry: &str| TrustedProxies::new(&[entry.to_owned()]).unwrap_err();
        assert!(
            error("proxy.example").starts_with("http.trusted_proxies: \"proxy.example\" is not")
        );
        assert!(error("0.0.0.0/0").contains("every client"));
        assert!(error("::/0").contains("every client"));
    }
}
