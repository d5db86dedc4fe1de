//! Names and addresses: [`OriginPattern`], [`HostPattern`], [`DomainName`], [`Network`], [`HttpUrl`],
//! [`CookieName`], [`PrivateTarget`]. Each is checked here, and kept as text where it is used as
//! text.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use http::uri::Authority;

use super::value::Text;

/// Makes a type that is checked text.
macro_rules! checked_text {
    ($(#[doc = $about:literal])+ $Name:ident, $kind:literal, $expected:literal, $check:expr) => {
        checked_text! {
            $(#[doc = $about])+ $Name, $kind, $expected, $check, str::to_owned
        }
    };
    (
        $(#[doc = $about:literal])+
        $Name:ident, $kind:literal, $expected:literal, $check:expr, $shown:expr
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $Name(String);

        impl $Name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Text for $Name {
            fn kind() -> String {
                $kind.to_owned()
            }

            fn expected() -> String {
                $expected.to_owned()
            }

            fn parse(text: &str) -> Option<Self> {
                let check: fn(&str) -> Option<String> = $check;
                check(text).map(Self)
            }

            fn shown(&self) -> String {
                let shown: fn(&str) -> String = $shown;
                format!("{:?}", shown(&self.0))
            }
        }
    };
}

checked_text! {
    /// Pages that may open lines: `https://a.example` exactly, `https://*.a.example` with one label
    /// for the star, or `*`. It is in lower case and without the scheme's own port, as browsers
    /// send it.
    OriginPattern, "ORIGIN",
    "an origin: \"https://a.example\", \"https://*.a.example\" (for one label), or \"*\" alone",
    origin
}

checked_text! {
    /// A host that requests may be for, at any port and in lower case, or `*`.
    HostPattern, "HOST", "a host without a port, as in \"a.example\", or \"*\" alone", host
}

checked_text! {
    /// A name that certificates are ordered for, in lower case.
    DomainName, "NAME",
    "a name of this server, as in \"a.example\" (not an address, and without \"*\")", domain
}

checked_text! {
    /// Addresses that begin alike, as in `10.0.0.0/8`, or a single one.
    Network, "NETWORK",
    "an address or a network, as in \"10.0.0.1\", \"10.0.0.0/8\" or \"fd00::/8\"", network
}

checked_text! {
    /// Where to ask over HTTP.
    HttpUrl, "URL", "a URL that begins with https:// or http://", url, without_path
}

checked_text! {
    /// What the names of everything in a shared broker begin with.
    BrokerPrefix, "PREFIX", "1 to 32 letters, digits, \"-\" or \"_\"",
    |text| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let is_prefix = (1..=32).contains(&text.len()) && text.bytes().all(is_plain);
        is_prefix.then(|| text.to_owned())
    }
}

checked_text! {
    /// What people know a node by.
    NodeName, "NAME", "1 to 64 letters, digits, \"-\", \"_\", \".\" or \":\"",
    |text| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        let is_name = (1..=64).contains(&text.len()) && text.bytes().all(is_plain);
        is_name.then(|| text.to_owned())
    }
}

checked_text! {
    /// The name of a cookie.
    CookieName, "NAME", "the name of a cookie, as in \"session\"",
    |text| (!text.is_empty() && text.bytes().all(is_token)).then(|| text.to_owned())
}

checked_text! {
    /// Where the webhook may lead although it is no public address: a network, an address, or a
    /// host with its port.
    PrivateTarget, "TARGET",
    "a network, an address or a host with its port, as in \"10.0.0.0/8\" or \"backend.internal:80\"",
    |text| {
        let has_port = || text.parse().is_ok_and(|host: Authority| host.port().is_some());
        let is_target = network(text).is_some() || (is_host(text) && has_port());
        is_target.then(|| text.to_ascii_lowercase())
    }
}

impl OriginPattern {
    /// Whether every page is meant.
    pub fn is_any(&self) -> bool {
        self.0 == "*"
    }
}

impl HttpUrl {
    /// Whether what is sent there can be read on the way.
    pub fn is_plain(&self) -> bool {
        self.0.starts_with("http://")
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        let uri: Option<Uri> = self.0.parse().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost")
            || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

/// The path and the query of a URL may hold a secret, and so may what stands before its host.
fn without_path(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{}", if rest == host { "" } else { "/…" })
}

fn origin(text: &str) -> Option<String> {
    if text == "*" {
        return Some(text.to_owned());
    }
    let text = text.to_ascii_lowercase();
    let (scheme, authority) = text.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let (name, is_named) = match authority.strip_prefix("*.") {
        Some(parent) => (parent, may_be_parent(parent)),
        None => (authority, true),
    };
    if !is_scheme || !is_named || !is_host(name) || ["ws", "wss"].contains(&scheme) {
        return None;
    }
    let own_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return Some(text),
    };
    Some(text.strip_suffix(own_port).map_or_else(|| text.clone(), str::to_owned))
}

/// `https://*.example` would be everybody's: what follows the star has two labels, or is this
/// machine.
fn may_be_parent(authority: &str) -> bool {
    let name = authority.split(':').next().unwrap_or_default();
    let is_address = name.split('.').next_back().is_some_and(|label| label.parse::<u32>().is_ok());
    name == "localhost" || (name.contains('.') && !is_address)
}

fn host(text: &str) -> Option<String> {
    let has_port = text.parse().is_ok_and(|authority: Authority| authority.port().is_some());
    (text == "*" || (is_host(text) && !has_port)).then(|| text.to_ascii_lowercase())
}

fn domain(text: &str) -> Option<String> {
    const BYTES_MAX: usize = 253;
    const LABEL_BYTES_MAX: usize = 63;
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(is_plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next()?;
    // A last label of digits makes it an address (RFC 3696, 2).
    let is_domain = text.len() <= BYTES_MAX
        && text.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit());
    is_domain.then(|| text.to_ascii_lowercase())
}

fn url(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let is_http = text.starts_with("https://") || text.starts_with("http://");
    let host = uri.host().unwrap_or_default();
    (is_http && !host.is_empty()).then(|| text.to_owned())
}

/// A name or an address, in brackets where RFC 3986 says so, with or without a port.
fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else { return false };
    let name = authority.host();
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_name = match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                && name.split('.').all(|label| !label.is_empty())
        }
    };
    let port = &text[name.len().min(text.len())..];
    let is_port = port.is_empty() || authority.port_u16().is_some_and(|port| port > 0);
    is_name && is_port && !text.contains('@')
}

/// RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `10.0.0.0/8`, or a single address.
fn network(text: &str) -> Option<String> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix: u8 = match prefix {
        None => bits,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok().filter(|prefix| *prefix <= bits)?
        }
        Some(_) => return None,
    };
    // 10.1.2.3/8 says two things at once.
    (first_bits(address, prefix) == first_bits(address, bits)).then(|| text.to_owned())
}

/// The first bits of an address, the others zero.
fn first_bits(address: IpAddr, prefix: u8) -> u128 {
    let (number, bits) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    number
        .checked_shr(bits - u32::from(prefix))
        .map_or(0, |kept| kept << (bits - u32::from(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_exact_or_have_a_wildcard_for_a_whole_label() {
        for (text, kept) in [
            ("*", "*"),
            ("https://a.example", "https://a.example"),
            ("HTTPS://A.Example:443", "https://a.example"),
            ("http://a.example:8080", "http://a.example:8080"),
            ("https://*.a.example", "https://*.a.example"),
            ("http://*.localhost:3000", "http://*.localhost:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("capacitor://localhost", "capacitor://localhost"),
        ] {
            assert_eq!(OriginPattern::parse(text).unwrap().as_str(), kept);
        }
        for wrong in [
            "",
            "null",
            "a.example",
            "https://",
            "https://*",
            "https://a.example/",
            "https://a.example/page",
            "https://*a.example",
            "https://a.*.example",
            "https://*.*.example",
            "*.a.example",
            "https://a.example:0",
            "https://a.example:x",
            "https://a.example:",
            "https://user@a.example",
            "https://.example",
            "https://*.example",
            "https://*.0.0.1",
            "wss://a.example",
            "https://[::1",
            "://a.example",
        ] {
            assert_eq!(OriginPattern::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn hosts_have_no_port() {
        for text in ["localhost", "A.example", "127.0.0.1", "[::1]", "*"] {
            assert_eq!(HostPattern::parse(text).unwrap().as_str(), text.to_lowercase());
        }
        for wrong in ["", "*.a.example", "https://a.example", "a.example:8443", "::1", "a b"] {
            assert_eq!(HostPattern::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn certificates_are_ordered_for_names() {
        assert_eq!(domain("Chat.Example"), Some("chat.example".to_owned()));
        assert_eq!(domain("localhost"), Some("localhost".to_owned()));
        assert_eq!(domain("xn--bcher-kva.example"), Some("xn--bcher-kva.example".to_owned()));
        let (label, long) = (format!("{}.a", "a".repeat(64)), "a.".repeat(127) + "ab");
        for wrong in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "*.a",
            "a_b.c",
            "a b",
            "-a.b",
            "a-.b",
            "1.2.3.4",
            "[::1]",
            "a.example:443",
            "https://a.example",
            "bücher.example",
            &label,
            &long,
        ] {
            assert_eq!(domain(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn networks_begin_where_they_say() {
        for text in ["10.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "::/0", "::1"] {
            assert_eq!(Network::parse(text).unwrap().as_str(), text);
        }
        for wrong in ["", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "a.example"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn private_targets_are_networks_or_name_a_port() {
        for text in ["10.0.0.0/8", "10.0.0.1", "::1", "[::1]:80", "backend.internal:8080"] {
            assert_eq!(PrivateTarget::parse(text).unwrap().as_str(), text);
        }
        for wrong in ["", "backend.internal", "10.0.0.1/8", "http://a.example:80", "a:0"] {
            assert_eq!(PrivateTarget::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn urls_are_http_with_a_host() {
        for text in ["https://a.example/hook?x=1", "http://127.0.0.1:9000"] {
            assert_eq!(HttpUrl::parse(text).unwrap().as_str(), text);
        }
        for wrong in ["", "a.example", "/hook", "ftp://a.example", "https://", "https:///x"] {
            assert_eq!(HttpUrl::parse(wrong), None, "{wrong}");
        }
    }
}
