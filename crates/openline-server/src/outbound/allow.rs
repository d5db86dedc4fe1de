//! Which addresses that are not public may be reached after all.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::address::{Range, range_of};

/// One line of a list of exceptions: `10.1.0.0/16`, `10.1.2.3`, `127.0.0.1:8080`, `[::1]:8080` or
/// `backend.internal:8080`.
///
/// A name permits loopback, private and carrier-grade NAT addresses. Link-local ones, where clouds
/// keep their secrets, and the other special ranges are permitted by address only: a name is in the
/// hands of whoever runs its DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// All addresses whose first `bits` are those of `base`, on any port.
    Network { base: IpAddr, bits: u8 },
    /// One host on one port.
    Host { host: String, port: u16 },
}

impl Allowed {
    pub(crate) fn host(host: &str, port: u16) -> Self {
        Self::Host { host: normal_host(host), port }
    }

    /// Whether `address`, which `host` resolved to and which lies in `range`, is excepted.
    fn permits(&self, host: &str, port: u16, address: IpAddr, range: Range) -> bool {
        match self {
            Self::Network { base, bits } => network_has(*base, *bits, address),
            Self::Host { host: listed, port: on } if *on == port => match listed.parse() {
                Ok(listed) => plain(listed) == plain(address),
                Err(_) => listed == host && range.holds_backends(),
            },
            Self::Host { .. } => false,
        }
    }
}

/// What is wrong with connecting to `address`, if anything.
pub(super) fn refusal(
    allowed: &[Allowed],
    host: &str,
    port: u16,
    address: IpAddr,
) -> Option<Range> {
    let range = range_of(address)?;
    let excepted = allowed.iter().any(|allowed| allowed.permits(host, port, address, range));
    (!excepted).then_some(range)
}

/// A host as it is compared.
pub(super) fn normal_host(host: &str) -> String {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// An exception that cannot be read; says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AllowError(String);

impl fmt::Display for AllowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AllowError {}

impl FromStr for Allowed {
    type Err = AllowError;

    fn from_str(text: &str) -> Result<Self, AllowError> {
        let wrong = |what: &str| {
            AllowError(format!(
                "{text:?} {what}; write a network (10.1.0.0/16), an address (10.1.2.3) or a host \
                 with its port (backend.internal:8080)"
            ))
        };
        if let Some((base, bits)) = text.split_once('/') {
            let base: IpAddr = base.parse().map_err(|_| wrong("has no address before the /"))?;
            let bits = bits.parse().map_err(|_| wrong("has no number behind the /"))?;
            return network(base, bits).map_err(wrong);
        }
        if let Ok(base) = text.parse::<IpAddr>() {
            return network(base, width(base)).map_err(wrong);
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong("has no port"))?;
        let port = port.parse().ok().filter(|port| *port != 0);
        let port = port.ok_or_else(|| wrong("has no port behind the last colon"))?;
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match inner {
            Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
            None => {
                let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
                !host.is_empty() && host.chars().all(fits)
            }
        };
        if !is_host {
            return Err(wrong("has no host before the port"));
        }
        Ok(Self::host(host, port))
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { base, bits } => write!(f, "{base}/{bits}"),
            Self::Host { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Host { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

fn network(base: IpAddr, bits: u8) -> Result<Allowed, &'static str> {
    if bits > width(base) {
        return Err("has more bits behind the / than its address");
    }
    if number(base) & !mask(base, bits) != 0 {
        return Err("has bits set behind its prefix");
    }
    Ok(Allowed::Network { base, bits })
}

fn network_has(base: IpAddr, bits: u8, address: IpAddr) -> bool {
    // As it is first, so that ::ffff:0:0/96 can be listed; then as the IPv4 address it stands for.
    [address, plain(address)].into_iter().any(|address| {
        base.is_ipv4() == address.is_ipv4() && number(base) == number(address) & mask(address, bits)
    })
}

/// The IPv4 address that a mapped one reaches.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn mask(address: IpAddr, bits: u8) -> u128 {
    let width = u32::from(width(address));
    let whole = u128::MAX >> (128 - width);
    whole & !whole.checked_shr(u32::from(bits)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(list: &[&str], host: &str, port: u16, address: &str) -> bool {
        let list: Vec<Allowed> = list.iter().map(|text| text.parse().unwrap()).collect();
        refusal(&list, host, port, address.parse().unwrap()).is_some()
    }

    #[test]
    fn public_addresses_need_no_exception() {
        assert!(!refused(&[], "a.test", 80, "1.1.1.1"));
    }

    #[test]
    fn a_network_excepts_its_addresses_on_any_port() {
        assert!(!refused(&["10.1.0.0/16"], "a.test", 80, "10.1.255.3"));
        assert!(!refused(&["10.1.0.0/16"], "a.test", 81, "::ffff:10.1.0.1"));
        assert!(refused(&["10.1.0.0/16"], "a.test", 80, "10.2.0.1"));
        assert!(!refused(&["0.0.0.0/0"], "a.test", 80, "127.0.0.1"));
        assert!(refused(&["0.0.0.0/0"], "a.test", 80, "::1"));
        assert!(!refused(&["fd00::/8"], "a.test", 80, "fd12::1"));
        assert!(!refused(&["169.254.169.254"], "a.test", 80, "169.254.169.254"));
        assert!(refused(&["169.254.169.254"], "a.test", 80, "169.254.169.253"));
    }

    #[test]
    fn a_host_is_excepted_on_its_port_alone() {
        let list = ["127.0.0.1:8080", "[::1]:8080", "Backend.internal:9000"];
        assert!(!refused(&list, "127.0.0.1", 8080, "127.0.0.1"));
        assert!(refused(&list, "127.0.0.1", 8081, "127.0.0.1"));
        assert!(!refused(&list, "::1", 8080, "::1"));
        assert!(!refused(&list, "backend.internal", 9000, "10.0.0.7"));
        assert!(refused(&list, "backend.internal", 9001, "10.0.0.7"));
        assert!(refused(&list, "other.internal", 9000, "10.0.0.7"));
    }

    #[test]
    fn a_name_does_not_except_cloud_metadata() {
        let list = ["backend.internal:80"];
        assert!(refused(&list, "backend.internal", 80, "169.254.169.254"));
        assert!(refused(&list, "backend.internal", 80, "0.0.0.0"));
        assert!(!refused(&["169.254.169.254:80"], "169.254.169.254", 80, "169.254.169.254"));
    }

    #[test]
    fn what_is_wrong_with_an_exception_is_said() {
        for (text, what) in [
            ("10.0.0.1/8", "bits set behind its prefix"),
            ("10.0.0.0/33", "more bits"),
            ("10.0.0.0/x", "no number"),
            ("x/8", "no address"),
            ("backend", "no port"),
            ("backend:", "no port behind"),
            ("backend:0", "no port behind"),
            (":80", "no host"),
            ("http://backend:80", "has no address before the /"),
            ("::1:x", "no port behind"),
        ] {
            let error = text.parse::<Allowed>().unwrap_err().to_string();
            assert!(error.contains(what), "{text}: {error}");
        }
    }

    #[test]
    fn an_exception_reads_as_it_was_written() {
        for text in ["10.1.0.0/16", "127.0.0.1:8080", "[::1]:8080", "backend.internal:80"] {
            assert_eq!(text.parse::<Allowed>().unwrap().to_string(), text);
        }
    }
}
