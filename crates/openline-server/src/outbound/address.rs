//! Which addresses are not public, by the IANA registries of special-purpose addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A kind of address that nobody on the internet has a right to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    Unspecified,
    Loopback,
    Private,
    /// RFC 6598: carrier-grade NAT, and the inside of some clouds.
    Shared,
    /// RFC 3927; the metadata services of clouds live here.
    LinkLocal,
    Multicast,
    /// An IPv6 address that stands for an IPv4 one and could smuggle it past a check.
    Embedded,
    Reserved,
}

impl Range {
    /// Reads behind "127.0.0.1 is".
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Unspecified => "the unspecified address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::Shared => "a carrier-grade NAT address",
            Self::LinkLocal => "a link-local address",
            Self::Multicast => "a multicast address",
            Self::Embedded => "an IPv4 address in an IPv6 one",
            Self::Reserved => "a reserved address",
        }
    }

    /// Whether a backend is commonly found there, so that naming its host is consent enough. The
    /// others, cloud metadata above all, have to be listed by address.
    pub(crate) fn holds_backends(self) -> bool {
        matches!(self, Self::Loopback | Self::Private | Self::Shared)
    }
}

/// The special range that an address lies in; `None` for a public one.
pub(crate) fn range_of(address: IpAddr) -> Option<Range> {
    match address {
        IpAddr::V4(address) => range_of_v4(address),
        IpAddr::V6(address) => range_of_v6(address),
    }
}

fn range_of_v4(address: Ipv4Addr) -> Option<Range> {
    match address.octets() {
        [0, ..] => Some(Range::Unspecified),
        [127, ..] => Some(Range::Loopback),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some(Range::Private),
        [100, 64..=127, ..] => Some(Range::Shared),
        [169, 254, ..] => Some(Range::LinkLocal),
        [224..=239, ..] => Some(Range::Multicast),
        // Protocol assignments, documentation, 6to4 relays, benchmarks, class E and broadcast.
        [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18..=19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [240..=255, ..] => Some(Range::Reserved),
        _ => None,
    }
}

fn range_of_v6(address: Ipv6Addr) -> Option<Range> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(Range::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Range::Loopback),
        // Mapped and compatible addresses reach the same machines as what they hold, so the kind
        // of that is the better answer. No resolver gives a public one, so all are refused.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => {
            Some(range_of_v4(embedded(high, low)).unwrap_or(Range::Embedded))
        }
        // RFC 6052: how a network without IPv4 reaches all of it, so public ones have to work.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => range_of_v4(embedded(high, low)),
        // Teredo and 6to4.
        [0x2001, 0, ..] | [0x2002, ..] => Some(Range::Embedded),
        [0xfc00..=0xfdff, ..] => Some(Range::Private),
        [0xfe80..=0xfebf, ..] => Some(Range::LinkLocal),
        [0xff00..=0xffff, ..] => Some(Range::Multicast),
        // Protocol assignments and documentation.
        [0x2001, 1..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some(Range::Reserved),
        // RFC 4291 §2.4: all that is handed out as global unicast.
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Range::Reserved),
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_have_no_range() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(range_of(text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn special_addresses_have_theirs() {
        for (text, range) in [
            ("0.0.0.0", Range::Unspecified),
            ("0.1.2.3", Range::Unspecified),
            ("::", Range::Unspecified),
            ("127.0.0.1", Range::Loopback),
            ("127.255.255.254", Range::Loopback),
            ("::1", Range::Loopback),
            ("10.0.0.1", Range::Private),
            ("172.16.0.1", Range::Private),
            ("172.31.255.255", Range::Private),
            ("192.168.1.1", Range::Private),
            ("fd00::1", Range::Private),
            ("fd00:ec2::254", Range::Private),
            ("100.64.0.1", Range::Shared),
            ("100.100.100.200", Range::Shared),
            ("169.254.169.254", Range::LinkLocal),
            ("fe80::1", Range::LinkLocal),
            ("224.0.0.1", Range::Multicast),
            ("ff02::1", Range::Multicast),
            ("192.0.0.192", Range::Reserved),
            ("192.0.2.1", Range::Reserved),
            ("198.18.0.1", Range::Reserved),
            ("203.0.113.9", Range::Reserved),
            ("240.0.0.1", Range::Reserved),
            ("255.255.255.255", Range::Reserved),
            ("2001:db8::1", Range::Reserved),
            ("fec0::1", Range::Reserved),
            ("100::1", Range::Reserved),
            ("64:ff9b:1::1", Range::Reserved),
            ("::ffff:127.0.0.1", Range::Loopback),
            ("::ffff:169.254.169.254", Range::LinkLocal),
            ("::ffff:8.8.8.8", Range::Embedded),
            ("::10.0.0.1", Range::Private),
            ("64:ff9b::10.0.0.1", Range::Private),
            ("64:ff9b::169.254.169.254", Range::LinkLocal),
            ("2002:7f00:1::", Range::Embedded),
            ("2001:0:4136:e378::1", Range::Embedded),
        ] {
            assert_eq!(range_of(text.parse().unwrap()), Some(range), "{text}");
        }
    }
}
