//! [`Limits`]: connections by user and address, counted over all nodes.
//!
//! Each node tells the others what changed, ten times a second and only where such a limit is set;
//! when it meets another, all of it. Everyone decides by what it knows then, so that together they may
//! let in what comes within that tenth beyond a limit.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Cluster, Message};
use crate::broker::NodeId;
use crate::guard::{Connections, Held, Whose};
use crate::node::Node;

/// How often nodes tell each other what has changed.
pub(super) const TELL_EVERY: Duration = Duration::from_millis(100);

/// What one message holds: of at most 13 bytes each.
const HELD_MAX: usize = 50_000;

/// After so many changes, 2 s at least, what was asked for is not coming.
const ASK_AGAIN_AFTER: u64 = 20;

/// Keys of other nodes that are known at a time. What is beyond counts for its own node alone.
const KEYS_MAX: usize = 1_000_000;

/// What nodes tell each other of their connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Counted {
    /// What has changed, numbered.
    Changes { number: u64, held: Vec<Held> },
    /// All, in parts: what is not in it is not there. Changes go on with this number.
    All { number: u64, is_first: bool, held: Vec<Held> },
    /// Tell me all of yours.
    Ask,
}

/// What other nodes have told.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Of the next changes that are told.
    next: u64,
    others: HashMap<NodeId, Other>,
    keys: usize,
}

#[derive(Debug, Default)]
struct Other {
    /// The number that its next changes have; none when all is to be had anew.
    next: Option<u64>,
    /// At which of its changes all was asked for.
    asked_at: Option<u64>,
    counts: HashMap<(Whose, NonZeroU64), u32>,
}

/// Whether there is something to tell.
pub(super) fn counts(node: &Node) -> bool {
    let settings = node.settings();
    let lines = settings.guard.counted_lines();
    lines.is_limited(Whose::Address) || lines.is_limited(Whose::User)
}

impl Cluster {
    /// Tells what has changed.
    pub(super) fn tell_counted(&self, node: &Node) {
        for counted in self.limits.tick(node.settings().guard.counted_lines()) {
            let _ = self.cast(&Message::Counted(counted));
        }
    }

    /// Tells all to a node that is new; or to all, and asks them, when something may have been
    /// missed.
    pub(super) fn tell_all_counted(&self, to: Option<NodeId>) {
        let node = self.node.get().and_then(Weak::upgrade);
        let Some(node) = node.filter(|node| counts(node)) else { return };
        for counted in self.limits.all(node.settings().guard.counted_lines()) {
            let message = Message::Counted(counted);
            let _ = match to {
                Some(to) => self.tell(to, &message),
                None => self.cast(&message),
            };
        }
        if to.is_none() {
            let _ = self.cast(&Message::Counted(Counted::Ask));
        }
    }

    pub(super) fn hear_counted(&self, node: &Arc<Node>, from: NodeId, counted: Counted) {
        for counted in self.limits.told(node.settings().guard.counted_lines(), from, counted) {
            let _ = self.tell(from, &Message::Counted(counted));
        }
    }
}

impl Limits {
    /// What is to be told to all, ten times a second.
    pub(crate) fn tick(&self, lines: &Connections) -> Vec<Counted> {
        let changes = lines.take_changes();
        let mut state = self.state();
        let parts = changes.chunks(HELD_MAX);
        parts
            .map(|held| {
                let number = state.next;
                state.next += 1;
                Counted::Changes { number, held: held.to_vec() }
            })
            .collect()
    }

    /// All that is here, to be told to a node that is new, or to all when something may have been
    /// missed.
    pub(crate) fn all(&self, lines: &Connections) -> Vec<Counted> {
        let state = self.state();
        let (number, here) = (state.next, lines.here());
        drop(state);
        // None is told too: it is an answer.
        let parts = here.chunks(HELD_MAX).map(<[_]>::to_vec);
        let parts = if here.is_empty() { vec![Vec::new()] } else { parts.collect() };
        let parts = parts.into_iter().enumerate();
        parts.map(|(part, held)| Counted::All { number, is_first: part == 0, held }).collect()
    }

    /// Another node has told something. What is to be told to it.
    pub(crate) fn told(&self, lines: &Connections, from: NodeId, counted: Counted) -> Vec<Counted> {
        let mut state = self.state();
        match counted {
            Counted::Ask => {
                drop(state);
                return self.all(lines);
            }
            Counted::All { number, is_first, held } => {
                if is_first {
                    state.forget(lines, from);
                }
                let other = state.others.entry(from).or_default();
                (other.next, other.asked_at) = (Some(number), None);
                state.take(lines, from, held);
            }
            Counted::Changes { number, held } => {
                let other = state.others.entry(from).or_default();
                if other.next == Some(number) {
                    other.next = Some(number + 1);
                    state.take(lines, from, held);
                } else if other.asks_at(number) {
                    return vec![Counted::Ask];
                }
            }
        }
        Vec::new()
    }

    /// A node is gone, and its connections with it.
    pub(crate) fn gone(&self, lines: &Connections, node: NodeId) {
        self.state().forget(lines, node);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing under this lock panics")
    }
}

impl Other {
    /// Changes of this number do not follow. Whether all is to be asked for, or was a moment ago.
    fn asks_at(&mut self, number: u64) -> bool {
        self.next = None;
        let is_due = |asked_at| number < asked_at || number - asked_at >= ASK_AGAIN_AFTER;
        let asks = self.asked_at.is_none_or(is_due);
        if asks {
            self.asked_at = Some(number);
        }
        asks
    }
}

impl State {
    fn take(&mut self, lines: &Connections, from: NodeId, held: Vec<Held>) {
        let other = self.others.entry(from).or_default();
        for held in held.into_iter().filter(|held| lines.is_limited(held.whose)) {
            let key = (held.whose, held.key);
            let before = other.counts.get(&key).copied();
            match (before, held.count) {
                (None, 0) => continue,
                (None, _) if self.keys >= KEYS_MAX => continue,
                (None, count) => {
                    self.keys += 1;
                    other.counts.insert(key, count);
                }
                (Some(_), 0) => {
                    self.keys -= 1;
                    other.counts.remove(&key);
                }
                (Some(_), count) => {
                    other.counts.insert(key, count);
                }
            }
            lines.set_elsewhere(held, before.unwrap_or(0));
        }
    }

    fn forget(&mut self, lines: &Connections, node: NodeId) {
        let Some(other) = self.others.remove(&node) else { return };
        self.keys -= other.counts.len();
        for ((whose, key), before) in other.counts {
            lines.set_elsewhere(Held { whose, key, count: 0 }, before);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::Arc;

    use super::*;
    use crate::guard::{ConnectionLimits, Slot};

    /// A node's connections, and what it knows of others'.
    struct Counting {
        id: NodeId,
        lines: Arc<Connections>,
        limits: Limits,
    }

    impl Counting {
        fn new(id: u64, per_user: Option<u32>) -> Self {
            let limits = ConnectionLimits { per_node: None, per_address: Some(2), per_user };
            let lines = Connections::new(limits);
            lines.share();
            Self { id: NodeId(id), lines, limits: Limits::default() }
        }

        fn enter(&self, address: [u8; 4], user: &str) -> Option<Slot> {
            let mut slot = Connections::enter(&self.lines, Some(address.into())).ok()?;
            slot.sign_in(user, 0).ok()?;
            Some(slot)
        }

        fn told(&self, other: &Self, counted: Vec<Counted>) -> Vec<Counted> {
            let told = |counted| self.limits.told(&self.lines, other.id, counted);
            counted.into_iter().flat_map(told).collect()
        }

        /// Tells another what changed, and what it asks for then.
        fn tell(&self, other: &Self) {
            let asked = other.told(self, self.limits.tick(&self.lines));
            let answered = self.told(other, asked);
            assert_eq!(other.told(self, answered), []);
        }
    }

    #[test]
    fn limits_hold_over_nodes() {
        let (a, b) = (Counting::new(1, Some(1)), Counting::new(2, Some(1)));
        let ann = a.enter([192, 0, 2, 1], "ann").unwrap();
        assert!(b.enter([192, 0, 2, 1], "ann").is_some(), "not known yet");
        a.tell(&b);
        assert!(b.enter([192, 0, 2, 9], "ann").is_none());
        let bob = b.enter([192, 0, 2, 1], "bob").unwrap();
        b.tell(&a);
        assert!(a.enter([192, 0, 2, 1], "eve").is_none(), "two from this address");
        drop(ann);
        a.tell(&b);
        assert!(b.enter([192, 0, 2, 9], "ann").is_some());
        b.tell(&a);
        drop(bob);
        b.tell(&a);
        assert_eq!((a.limits.state().keys, b.limits.state().keys), (0, 0));
        assert_eq!((a.limits.tick(&a.lines), a.lines.here()), (vec![], vec![]));
    }

    #[test]
    fn what_was_missed_is_asked_for() {
        let (a, b) = (Counting::new(1, Some(1)), Counting::new(2, Some(1)));
        let first = a.enter([192, 0, 2, 1], "ann");
        a.tell(&b);
        drop(first);
        let _second = a.enter([192, 0, 2, 2], "bob").unwrap();
        drop(a.limits.tick(&a.lines));
        let _third = a.enter([192, 0, 2, 3], "eve").unwrap();
        a.tell(&b);
        for (user, is_free) in [("ann", true), ("bob", false), ("eve", false)] {
            assert_eq!(b.enter([192, 0, 2, 9], user).is_some(), is_free, "{user}");
        }
    }

    #[test]
    fn what_a_node_that_is_gone_had_is_free() {
        let (a, b) = (Counting::new(1, Some(1)), Counting::new(2, Some(1)));
        let _ann = a.enter([192, 0, 2, 1], "ann").unwrap();
        assert_eq!(b.told(&a, a.limits.all(&a.lines)), []);
        assert!(b.enter([192, 0, 2, 1], "ann").is_none());
        b.limits.gone(&b.lines, a.id);
        assert!(b.enter([192, 0, 2, 1], "ann").is_some());
        assert_eq!(b.limits.state().keys, 0);
        // When it is met again it tells all.
        assert_eq!(b.told(&a, a.limits.all(&a.lines)), []);
        assert!(b.enter([192, 0, 2, 1], "ann").is_none());
    }

    #[test]
    fn what_is_not_limited_is_not_known() {
        let (a, b) = (Counting::new(1, Some(1)), Counting::new(2, None));
        let _ann = a.enter([192, 0, 2, 1], "ann").unwrap();
        a.tell(&b);
        assert_eq!(b.limits.state().keys, 1, "the address alone");
    }

    #[test]
    fn a_long_table_comes_in_parts() {
        let (a, b) = (Counting::new(1, None), Counting::new(2, None));
        let count = HELD_MAX + 10;
        let address = |number: usize| std::net::Ipv4Addr::from_bits(number as u32).octets();
        let slots: Vec<_> = (0..count).map(|number| a.enter(address(number), "ann")).collect();
        drop(a.limits.tick(&a.lines));
        let all = a.limits.all(&a.lines);
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|part| postcard::to_allocvec(part).unwrap().len() < 1 << 20));
        assert_eq!(b.told(&a, all), []);
        assert_eq!(b.limits.state().keys, count);
        drop(slots);
    }
}
