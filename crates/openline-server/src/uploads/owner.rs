//! [`Owner`]: whose files they are.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Who sends files: what they share their room and their keys with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    User(Arc<str>),
    /// Whoever has no name, by where the requests come from.
    Network(Network),
}

/// An address of IPv4, or the first 64 bits of one of IPv6, which is what one customer gets. The two
/// do not meet: no IPv6 network begins with 32 zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network(u64);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_bits().into()),
            IpAddr::V6(address) => Self((address.to_bits() >> 64) as u64),
        }
    }
}

/// As it is kept on the disk.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Network(Network(bits)) => write!(f, "network:{bits:016x}"),
        }
    }
}

impl Owner {
    /// What [`fmt::Display`] wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("user", user) => Some(Self::User(user.into())),
            ("network", bits) => Some(Self::Network(Network(u64::from_str_radix(bits, 16).ok()?))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn network(address: &str) -> Network {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn an_owner_is_read_as_it_was_written() {
        let nobody = Owner::Network(network("2001:db8:1:2:3::4"));
        for owner in [Owner::User("ann:1".into()), nobody, Owner::Network(network("10.0.0.1"))] {
            assert_eq!(Owner::parse(&owner.to_string()), Some(owner));
        }
        assert_eq!(Owner::parse("somebody"), None);
    }

    #[test]
    fn addresses_of_one_customer_are_one_network() {
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:2"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8::1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
        assert_ne!(network("10.0.0.2"), network("10.0.0.1"));
    }
}
