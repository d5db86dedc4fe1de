//! [`Peers`]: which other nodes there are, as told by their heartbeats.

use std::collections::BTreeMap;

/// One run of one node.
pub type NodeKey = u64;

/// How long a node is believed to live after it was heard last, in milliseconds.
pub const LEASE_MS: u64 = 5_000;

/// How long nodes that cannot be heard at all are believed to live while nobody can be heard.
const CUT_MS: u64 = 30_000;

/// Who comes to look more seldom than this was frozen, and has not heard what waits to be heard.
const FROZEN_MS: u64 = 3_000;

/// Other nodes, each with what it says about itself.
#[derive(Debug)]
pub struct Peers<T> {
    peers: BTreeMap<NodeKey, Peer<T>>,
    most: usize,
    /// When [`Peers::tick`] was called last.
    ticked: Option<u64>,
    /// Since when nobody can be heard.
    cut_since: Option<u64>,
}

/// Another node.
#[derive(Debug, Clone)]
pub struct Peer<T> {
    /// What it said last about itself.
    pub about: T,
    /// When.
    pub heard: u64,
    /// It is gone if it is not heard until then.
    until: u64,
}

/// What a heartbeat was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heartbeat {
    /// The first of this node, or the first since it was gone.
    New,
    /// One more.
    Known,
    /// There are as many nodes as may be, and this one is none of them.
    Refused,
}

/// What time brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ticked {
    /// Their leases have ended.
    pub gone: Vec<NodeKey>,
    /// This node itself was away for so long that others have given it up.
    pub was_frozen: bool,
}

impl<T> Peers<T> {
    /// At most so many.
    pub fn new(most: usize) -> Self {
        Self { peers: BTreeMap::new(), most, ticked: None, cut_since: None }
    }

    /// A node is heard.
    pub fn heard(&mut self, node: NodeKey, about: T, now: u64) -> Heartbeat {
        let is_known = self.peers.contains_key(&node);
        if !is_known && self.peers.len() >= self.most {
            return Heartbeat::Refused;
        }
        self.peers.insert(node, Peer { about, heard: now, until: now.saturating_add(LEASE_MS) });
        if is_known { Heartbeat::Known } else { Heartbeat::New }
    }

    /// A node takes its leave; returns whether it was there.
    pub fn bye(&mut self, node: NodeKey) -> bool {
        self.peers.remove(&node).is_some()
    }

    /// Time has passed; to be called each second or so. `is_cut` says that nobody can be heard now:
    /// leases do not run meanwhile, but for no longer than half a minute.
    pub fn tick(&mut self, now: u64, is_cut: bool) -> Ticked {
        let since = self.ticked.replace(now).map_or(0, |ticked| now.saturating_sub(ticked));
        let cut_for = match is_cut {
            true => now.saturating_sub(*self.cut_since.get_or_insert(now)),
            false => {
                self.cut_since = None;
                0
            }
        };
        let is_excused = since > FROZEN_MS || (is_cut && cut_for <= CUT_MS);
        if is_excused {
            for peer in self.peers.values_mut() {
                peer.until = peer.until.saturating_add(since);
            }
        }
        let is_over = |peer: &Peer<T>| peer.until <= now;
        let gone: Vec<_> =
            self.peers.iter().filter(|(_, peer)| is_over(peer)).map(|(node, _)| *node).collect();
        for node in &gone {
            self.peers.remove(node);
        }
        Ticked { gone, was_frozen: since > LEASE_MS }
    }

    /// What a node said last about itself.
    pub fn about(&self, node: NodeKey) -> Option<&T> {
        self.peers.get(&node).map(|peer| &peer.about)
    }

    /// Whether a node is there.
    pub fn contains(&self, node: NodeKey) -> bool {
        self.peers.contains_key(&node)
    }

    /// Those that are there, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (NodeKey, &Peer<T>)> {
        self.peers.iter().map(|(node, peer)| (*node, peer))
    }

    /// How many are there.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether this node is alone.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers() -> Peers<()> {
        Peers::new(3)
    }

    /// Ticks each second, up to and with `until`; returns who went when.
    fn ticks(peers: &mut Peers<()>, from: u64, until: u64, is_cut: bool) -> Vec<(u64, NodeKey)> {
        let mut gone = Vec::new();
        for now in (from..=until).step_by(1000) {
            let ticked = peers.tick(now, is_cut);
            assert!(!ticked.was_frozen);
            gone.extend(ticked.gone.into_iter().map(|node| (now, node)));
        }
        gone
    }

    #[test]
    fn who_is_not_heard_for_a_lease_is_gone_and_who_returns_is_new() {
        let mut peers = peers();
        assert_eq!(peers.heard(1, (), 0), Heartbeat::New);
        assert_eq!(peers.heard(2, (), 500), Heartbeat::New);
        assert_eq!(peers.heard(1, (), 900), Heartbeat::Known);
        assert_eq!(ticks(&mut peers, 0, 5000, false), []);
        assert_eq!(peers.heard(2, (), 5400), Heartbeat::Known);
        assert_eq!(ticks(&mut peers, 6000, 9000, false), [(6000, 1)]);
        assert!(!peers.contains(1));
        assert_eq!(peers.heard(1, (), 9500), Heartbeat::New);
    }

    #[test]
    fn who_takes_its_leave_is_gone_at_once() {
        let mut peers = peers();
        peers.heard(1, (), 0);
        assert!(peers.bye(1));
        assert!(!peers.bye(1));
        assert!(peers.is_empty());
    }

    #[test]
    fn who_was_frozen_does_not_take_others_for_dead() {
        let mut peers = peers();
        peers.tick(0, false);
        peers.heard(1, (), 1000);
        assert_eq!(peers.tick(1000, false), Ticked::default());
        let woken = peers.tick(61_000, false);
        assert_eq!(woken, Ticked { gone: vec![], was_frozen: true });
        assert_eq!(ticks(&mut peers, 62_000, 64_000, false), []);
        assert_eq!(ticks(&mut peers, 65_000, 70_000, false), [(66_000, 1)]);
    }

    #[test]
    fn while_nobody_can_be_heard_nobody_is_taken_for_dead_for_a_while() {
        let mut peers = peers();
        peers.tick(0, false);
        peers.heard(1, (), 0);
        assert_eq!(ticks(&mut peers, 1000, 31_000, true), []);
        assert_eq!(ticks(&mut peers, 32_000, 40_000, true), [(36_000, 1)]);
        let mut peers = self::peers();
        peers.tick(0, false);
        peers.heard(1, (), 0);
        assert_eq!(ticks(&mut peers, 1000, 20_000, true), []);
        // Heard again from here on, but not this one.
        assert_eq!(ticks(&mut peers, 21_000, 30_000, false), [(25_000, 1)]);
    }

    #[test]
    fn there_are_no_more_than_may_be() {
        let mut peers = peers();
        for node in 0..3 {
            assert_eq!(peers.heard(node, (), 0), Heartbeat::New);
        }
        assert_eq!(peers.heard(3, (), 0), Heartbeat::Refused);
        assert_eq!(peers.heard(2, (), 0), Heartbeat::Known);
        assert_eq!(peers.len(), 3);
    }
}
