//! [`Kind`]: what can break.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::BrokerKind;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A node is killed (`kill -9`), and started again on the same data.
    Kill,
    /// A node is stopped (`SIGSTOP`), and goes on.
    Pause,
    /// A node is told to end (`SIGTERM`), and started again.
    Drain,
    /// Another process takes over from a node's.
    Upgrade,
    /// Another process begins to take over from a node's, and is killed (`kill -9`).
    UpgradeKill,
    /// A node is killed, and started again on an older copy of its data.
    Rollback,
    /// The disk with a node's data is full, and has space again.
    DiskFull,
    /// A node's time of day jumps by an hour, and back.
    ClockJump,
    /// What goes between clients and a node takes its time.
    Delay,
    /// Connections of clients are reset, those that come too.
    Cut,
    /// Clients see their connections end, the node does not.
    HalfClose,
    /// Nothing gets through between clients and a node, and nobody is told.
    Blackhole,
    /// Clients of a node read slowly.
    Slow,
    /// What goes between a node and its broker takes its time.
    LinkDelay,
    /// The connections of a node to its broker are reset, those that come too.
    LinkCut,
    /// Nothing gets through between a node and its broker, and nobody is told.
    LinkBlackhole,
    /// The broker is killed (`kill -9`), and started again on the same data.
    BrokerKill,
    /// The broker is told to end, and started again.
    BrokerRestart,
    /// The broker is stopped (`SIGSTOP`), and goes on.
    BrokerPause,
    /// The broker is killed, and started again on an older copy of its data.
    BrokerRollback,
    /// The connections on which the nodes listen to the broker are closed by it.
    PubsubKill,
    /// The network interface of a node is down.
    LinkDown,
    /// A node has no route to anybody; what is sent to it arrives.
    RouteLost,
}

/// What a fault happens to. Of one place one thing breaks at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Node,
    Clients,
    Link,
    Broker,
    Network,
}

use BrokerKind::{Embedded, Nats, Redis};

/// Kind, name, place, the brokers that it is for, and how long it takes, in milliseconds.
type Row = (Kind, &'static str, Place, &'static [BrokerKind], Range<u64>);

const EVERY: &[BrokerKind] = &[Embedded, Redis, Nats];
const SHARED: &[BrokerKind] = &[Redis, Nats];

const TABLE: &[Row] = &[
    (Kind::Kill, "kill", Place::Node, EVERY, 200..4000),
    (Kind::Pause, "pause", Place::Node, EVERY, 500..8000),
    (Kind::Drain, "drain", Place::Node, EVERY, 1000..5000),
    (Kind::Upgrade, "upgrade", Place::Node, EVERY, 1000..4000),
    (Kind::UpgradeKill, "upgrade-kill", Place::Node, EVERY, 10..600),
    (Kind::Rollback, "rollback", Place::Node, &[Embedded], 1000..4000),
    (Kind::DiskFull, "disk-full", Place::Node, &[Embedded], 1000..4000),
    (Kind::ClockJump, "clock-jump", Place::Node, EVERY, 2000..6000),
    (Kind::Delay, "delay", Place::Clients, EVERY, 1000..6000),
    (Kind::Cut, "cut", Place::Clients, EVERY, 10..1500),
    (Kind::HalfClose, "half-close", Place::Clients, EVERY, 10..200),
    (Kind::Blackhole, "blackhole", Place::Clients, EVERY, 500..6000),
    (Kind::Slow, "slow", Place::Clients, EVERY, 2000..6000),
    (Kind::LinkDelay, "link-delay", Place::Link, SHARED, 1000..6000),
    (Kind::LinkCut, "link-cut", Place::Link, SHARED, 10..3000),
    (Kind::LinkBlackhole, "link-blackhole", Place::Link, SHARED, 500..8000),
    (Kind::BrokerKill, "broker-kill", Place::Broker, SHARED, 200..3000),
    (Kind::BrokerRestart, "broker-restart", Place::Broker, SHARED, 200..3000),
    (Kind::BrokerPause, "broker-pause", Place::Broker, SHARED, 500..6000),
    (Kind::BrokerRollback, "broker-rollback", Place::Broker, SHARED, 1000..4000),
    (Kind::PubsubKill, "pubsub-kill", Place::Broker, &[Redis], 10..100),
    (Kind::LinkDown, "link-down", Place::Network, EVERY, 500..6000),
    (Kind::RouteLost, "route-lost", Place::Network, EVERY, 500..6000),
];

impl Kind {
    /// All kinds.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// Whether the store may forget by it what it has acknowledged.
    pub fn forgets(self) -> bool {
        matches!(self, Self::Rollback | Self::BrokerRollback)
    }

    /// Whether there is such a thing with this broker.
    pub fn happens_with(self, broker: BrokerKind) -> bool {
        self.row().3.contains(&broker)
    }

    pub(super) fn place(self) -> Place {
        self.row().2
    }

    /// How long it takes, in milliseconds.
    pub(super) fn lengths(self) -> Range<u64> {
        self.row().4.clone()
    }

    fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.0 == self).expect("every kind has a row: a test looks")
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = TABLE.iter().find(|row| row.1 == text);
        found.map(|row| row.0).ok_or_else(|| {
            let names: Vec<_> = TABLE.iter().map(|row| row.1).collect();
            format!("{text} is no fault; there are {}", names.join(", "))
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().1)
    }
}

impl Place {
    /// What the report calls it; nodes are counted from 1.
    pub(super) fn target(self, node: usize) -> String {
        match self {
            Self::Node => format!("node-{node}"),
            Self::Clients => format!("clients-{node}"),
            Self::Link => format!("link-{node}"),
            Self::Network => format!("network-{node}"),
            Self::Broker => "broker".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn every_kind_is_read_as_it_is_written() {
        assert_eq!(Kind::all().count(), Kind::RouteLost as usize + 1);
        for kind in Kind::all() {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("kil".parse::<Kind>().unwrap_err().contains("kill, pause"));
    }
}
