//! [`Network`]: an address or a range of them, as lists of proxies name them.

use std::fmt;
use std::net::IpAddr;

/// Addresses that begin with the same bits. IPv4 in IPv6's clothes (RFC 4291 §2.5.5.2) is IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    /// How many bits count; the rest are zero.
    prefix: u8,
}

impl Network {
    /// `10.0.0.0/8`, `2001:db8::/32`, or an address by itself.
    ///
    /// # Errors
    /// What is wrong with it, to be read after its text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            return Err("is not an address or a network; write 10.0.0.1 or 10.0.0.0/8".to_owned());
        };
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(text) => parse_prefix(text)
                .filter(|prefix| *prefix <= bits)
                .ok_or_else(|| format!("must have a prefix of 0 to {bits} bits"))?,
        };
        let written = match (address.to_canonical(), prefix.checked_sub(96)) {
            (mapped @ IpAddr::V4(_), Some(prefix)) if bits == 128 => {
                Self { address: mapped, prefix }
            }
            _ => Self { address, prefix },
        };
        let network = Self { address: masked(written.address, written.prefix), ..written };
        if network != written {
            return Err(format!("has bits beyond its prefix; write {network}"));
        }
        Ok(network)
    }

    /// Whether the address is one of them. It must be canonical ([`IpAddr::to_canonical`]).
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }

    pub(crate) fn is_everybody(&self) -> bool {
        self.prefix == 0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Decimal digits. `u8::from_str` would take `+8`.
fn parse_prefix(text: &str) -> Option<u8> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The address with the bits beyond `prefix` cleared.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_that_begin_like_it() {
        let table = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "a00::1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("192.0.2.6/31", "192.0.2.7", true),
            ("192.0.2.7/32", "192.0.2.7", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("::1", "::1", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
            ("::ffff:192.0.2.7", "192.0.2.7", true),
        ];
        for (network, address, expected) in table {
            let found = Network::parse(network).unwrap().contains(address.parse().unwrap());
            assert_eq!(found, expected, "{network} {address}");
        }
    }

    #[test]
    fn what_is_not_a_network_is_refused_with_what_would_be_right() {
        let table = [
            ("", "not an address"),
            ("localhost", "not an address"),
            ("10.0.0", "not an address"),
            ("10.0.0.01", "not an address"),
            ("[::1]", "not an address"),
            ("/8", "not an address"),
            ("10.0.0.0/", "0 to 32"),
            ("10.0.0.0/33", "0 to 32"),
            ("10.0.0.0/+8", "0 to 32"),
            ("10.0.0.0/8/8", "0 to 32"),
            ("10.0.0.0/264", "0 to 32"),
            ("::/129", "0 to 128"),
            ("10.0.0.1/8", "write 10.0.0.0/8"),
            ("2001:db8::1/32", "write 2001:db8::/32"),
            ("::ffff:10.0.0.1/104", "write 10.0.0.0/8"),
        ];
        for (text, said) in table {
            let error = Network::parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
