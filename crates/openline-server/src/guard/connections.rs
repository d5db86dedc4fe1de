//! How many there are: for the node, from one address, of one user. What counts by address and user is
//! counted over all nodes, as far as the others have told.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::refusal::{Limit, Refusal};

/// Locks, so that threads seldom wait for one another.
const STRIPES: usize = 64;

/// A client that was one too many is told to wait between these, drawn at random: a place is free
/// when somebody goes, which nobody knows.
const RETRY_AFTER_MS: std::ops::Range<u64> = 1_000..10_000;

/// The most there may be; None: any number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ConnectionLimits {
    pub(crate) per_node: Option<u32>,
    /// IPv6 addresses count by their first 64 bits, which is what one customer gets.
    pub(crate) per_address: Option<u32>,
    pub(crate) per_user: Option<u32>,
}

/// The limits that hold now. Each is looked at by itself.
#[derive(Debug)]
struct Limits {
    per_node: Most,
    per_address: Most,
    per_user: Most,
}

/// A number that nothing may exceed, or none.
#[derive(Debug)]
struct Most(AtomicU64);

impl Limits {
    fn new(limits: ConnectionLimits) -> Self {
        let most = || Most(AtomicU64::new(u64::MAX));
        let new = Self { per_node: most(), per_address: most(), per_user: most() };
        new.set(limits);
        new
    }

    fn set(&self, limits: ConnectionLimits) {
        self.per_node.set(limits.per_node);
        self.per_address.set(limits.per_address);
        self.per_user.set(limits.per_user);
    }
}

impl Most {
    fn get(&self) -> Option<u32> {
        u32::try_from(self.0.load(Ordering::Relaxed)).ok()
    }

    fn set(&self, most: Option<u32>) {
        self.0.store(most.map_or(u64::MAX, u64::from), Ordering::Relaxed);
    }
}

/// What is counted, shared by all threads. A limit that is not set costs nothing.
#[derive(Debug)]
pub(crate) struct Connections {
    limits: Limits,
    all: AtomicU32,
    addresses: Counts,
    users: Counts,
}

/// A place among the connections, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    connections: Arc<Connections>,
    address: Option<NonZeroU64>,
    user: Option<NonZeroU64>,
}

/// What is counted by a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Whose {
    Address,
    User,
}

/// How many connections a node has of one address or user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) whose: Whose,
    /// The same on all nodes.
    pub(crate) key: NonZeroU64,
    pub(crate) count: u32,
}

/// A limit that is reached, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Over {
    limit: Limit,
    max: u32,
}

impl Connections {
    pub(crate) fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            limits: Limits::new(limits),
            all: AtomicU32::new(0),
            addresses: Counts::new(),
            users: Counts::new(),
        })
    }

    /// Holds what comes from now on to other limits. What is counted stays; what was not counted, for
    /// lack of a limit, is not from now on either.
    pub(crate) fn limit(&self, limits: ConnectionLimits) {
        self.limits.set(limits);
    }

    /// What limits hold.
    pub(super) fn limits(&self) -> ConnectionLimits {
        let Limits { per_node, per_address, per_user } = &self.limits;
        ConnectionLimits {
            per_node: per_node.get(),
            per_address: per_address.get(),
            per_user: per_user.get(),
        }
    }

    /// Takes a place; without an address only in the node.
    ///
    /// # Errors
    /// The limit that is reached; nothing is taken.
    pub(crate) fn enter(connections: &Arc<Self>, address: Option<IpAddr>) -> Result<Slot, Over> {
        let max = connections.limits.per_node.get().unwrap_or(u32::MAX);
        let free = |count| (count < max).then_some(count + 1);
        if connections.all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).is_err() {
            return Err(Over { limit: Limit::Node, max });
        }
        // From here on dropping the slot gives back what it has.
        let mut slot = Slot { connections: connections.clone(), address: None, user: None };
        if let (Some(address), Some(max)) = (address, connections.limits.per_address.get()) {
            let key = address_key(address);
            if !connections.addresses.take(key, max) {
                return Err(Over { limit: Limit::Address(address.to_canonical()), max });
            }
            slot.address = Some(key);
        }
        Ok(slot)
    }

    /// Of a node that has as many as it may have.
    pub(super) fn full(max: u32) -> Over {
        Over { limit: Limit::Node, max }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.all.load(Ordering::Relaxed)
    }

    /// Whether this is counted.
    pub(crate) fn is_limited(&self, whose: Whose) -> bool {
        match whose {
            Whose::Address => self.limits.per_address.get().is_some(),
            Whose::User => self.limits.per_user.get().is_some(),
        }
    }

    /// From here on it is noted what changes, for other nodes.
    pub(crate) fn share(&self) {
        for counts in [&self.addresses, &self.users] {
            counts.is_shared.store(true, Ordering::Relaxed);
        }
    }

    /// What has changed here since the last call.
    pub(crate) fn take_changes(&self) -> Vec<Held> {
        self.with_counts(|stripe, held| {
            for key in stripe.changed.drain() {
                held(key, stripe.counts.get(&key).map_or(0, |count| count.here));
            }
        })
    }

    /// All that is here.
    pub(crate) fn here(&self) -> Vec<Held> {
        self.with_counts(|stripe, held| {
            let counts = stripe.counts.iter().filter(|(_, count)| count.here > 0);
            counts.for_each(|(key, count)| held(*key, count.here));
        })
    }

    /// Another node has so many, where it had so many before.
    pub(crate) fn set_elsewhere(&self, held: Held, before: u32) {
        self.counts(held.whose).set_elsewhere(held.key, held.count, before);
    }

    fn counts(&self, whose: Whose) -> &Counts {
        match whose {
            Whose::Address => &self.addresses,
            Whose::User => &self.users,
        }
    }

    fn with_counts(
        &self,
        read: impl Fn(&mut Stripe, &mut dyn FnMut(NonZeroU64, u32)),
    ) -> Vec<Held> {
        let mut all = Vec::new();
        for whose in [Whose::Address, Whose::User] {
            for stripe in &self.counts(whose).stripes {
                let mut stripe = stripe.lock().unwrap_or_else(PoisonError::into_inner);
                read(&mut stripe, &mut |key, count| all.push(Held { whose, key, count }));
            }
        }
        all
    }
}

impl Slot {
    /// Counts the connection among the user's, and no longer among those of the user it was before.
    ///
    /// # Errors
    /// When the user has as many as may be; the slot stays what it was. Close the line with 1013, or
    /// make room first by ending another of the user's (4001).
    pub(crate) fn sign_in(&mut self, user: &str, random: u64) -> Result<(), Refusal> {
        let Some(max) = self.connections.limits.per_user.get() else { return Ok(()) };
        let users = &self.connections.users;
        let key = user_key(user);
        if self.user == Some(key) {
            return Ok(());
        }
        if !users.take(key, max) {
            return Err(Over { limit: Limit::User, max }.refusal(random));
        }
        if let Some(before) = self.user.replace(key) {
            users.give_back(before);
        }
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(address) = self.address {
            self.connections.addresses.give_back(address);
        }
        if let Some(user) = self.user {
            self.connections.users.give_back(user);
        }
        self.connections.all.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Over {
    pub(crate) fn refusal(self, random: u64) -> Refusal {
        let Self { limit, max } = self;
        let message = match limit {
            Limit::Address(address) => format!(
                "{address} has {max} connections, as many as limits.connections_per_ip allows; \
                 close one first."
            ),
            Limit::User => format!(
                "This user has {max} connections, as many as limits.connections_per_user allows; \
                 close one first."
            ),
            Limit::Node | Limit::Admission | Limit::Memory => format!(
                "This node has {max} connections, as many as limits.connections allows; try again \
                 later."
            ),
        };
        let span = RETRY_AFTER_MS.end - RETRY_AFTER_MS.start;
        Refusal { limit, message, retry_after_ms: RETRY_AFTER_MS.start + random % span }
    }
}

/// One word for those who count as one: an IPv4 address, or the first half of an IPv6 one. They do
/// not meet, because nobody has an address in `::/32`.
fn address_key(address: IpAddr) -> NonZeroU64 {
    let key = match address.to_canonical() {
        IpAddr::V4(v4) => 1 << 32 | u64::from(v4.to_bits()),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    };
    // `::1` and its like.
    NonZeroU64::new(key).unwrap_or(NonZeroU64::MIN)
}

/// The same on all nodes. Nobody finds a name that counts as a given other one, and by chance two of
/// a million do once in 40 million clusters.
fn user_key(name: &str) -> NonZeroU64 {
    let hash = digest(&SHA256, name.as_bytes());
    let word = hash.as_ref().first_chunk().copied().map_or(0, u64::from_be_bytes);
    NonZeroU64::new(word).unwrap_or(NonZeroU64::MIN)
}

/// How many of each key. A key without any is not kept.
#[derive(Debug)]
struct Counts {
    stripes: Box<[Mutex<Stripe>]>,
    hasher: RandomState,
    is_shared: AtomicBool,
}

#[derive(Debug, Default)]
struct Stripe {
    counts: HashMap<NonZeroU64, Count>,
    /// What other nodes do not know yet.
    changed: HashSet<NonZeroU64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    here: u32,
    elsewhere: u32,
}

impl Counts {
    fn new() -> Self {
        let stripes = (0..STRIPES).map(|_| Mutex::default()).collect();
        Self { stripes, hasher: RandomState::new(), is_shared: AtomicBool::new(false) }
    }

    fn take(&self, key: NonZeroU64, max: u32) -> bool {
        let mut stripe = self.stripe(key);
        let count = stripe.counts.get(&key).copied().unwrap_or_default();
        let free = count.here.saturating_add(count.elsewhere) < max;
        if free {
            self.set(&mut stripe, key, Count { here: count.here + 1, ..count });
        }
        free
    }

    fn give_back(&self, key: NonZeroU64) {
        let mut stripe = self.stripe(key);
        let count = stripe.counts.get(&key).copied().unwrap_or_default();
        self.set(&mut stripe, key, Count { here: count.here.saturating_sub(1), ..count });
    }

    fn set_elsewhere(&self, key: NonZeroU64, now: u32, before: u32) {
        let mut stripe = self.stripe(key);
        let count = stripe.counts.entry(key).or_default();
        count.elsewhere = count.elsewhere.saturating_sub(before).saturating_add(now);
        if (count.here, count.elsewhere) == (0, 0) {
            stripe.counts.remove(&key);
        }
    }

    fn set(&self, stripe: &mut Stripe, key: NonZeroU64, count: Count) {
        if (count.here, count.elsewhere) == (0, 0) {
            stripe.counts.remove(&key);
        } else {
            stripe.counts.insert(key, count);
        }
        if self.is_shared.load(Ordering::Relaxed) {
            stripe.changed.insert(key);
        }
    }

    fn stripe(&self, key: NonZeroU64) -> MutexGuard<'_, Stripe> {
        let index = self.hasher.hash_one(key) % STRIPES as u64;
        self.stripes[index as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn keys(&self) -> usize {
        self.stripes.iter().map(|stripe| stripe.lock().unwrap().counts.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(node: u32, address: u32, user: u32) -> Arc<Connections> {
        let limits = ConnectionLimits {
            per_node: Some(node),
            per_address: Some(address),
            per_user: Some(user),
        };
        Connections::new(limits)
    }

    fn enter(connections: &Arc<Connections>, address: &str) -> Result<Slot, Limit> {
        let address = address.parse().unwrap();
        Connections::enter(connections, Some(address)).map_err(|over| over.limit)
    }

    fn empty(connections: &Connections) -> bool {
        (connections.count(), connections.addresses.keys(), connections.users.keys()) == (0, 0, 0)
    }

    #[test]
    fn a_place_is_given_back_when_its_slot_is_dropped() {
        let connections = connections(3, 2, 9);
        let ip = "192.0.2.1".parse().unwrap();
        let first = enter(&connections, "192.0.2.1").unwrap();
        let second = enter(&connections, "192.0.2.1").unwrap();
        assert_eq!(enter(&connections, "192.0.2.1").unwrap_err(), Limit::Address(ip));
        let third = enter(&connections, "192.0.2.2").unwrap();
        assert_eq!(enter(&connections, "192.0.2.3").unwrap_err(), Limit::Node);
        drop(first);
        let fourth = enter(&connections, "192.0.2.1").unwrap();
        assert_eq!(connections.count(), 3);
        drop((second, third, fourth));
        assert!(empty(&connections));
    }

    #[test]
    fn addresses_of_one_customer_count_as_one() {
        let same = [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
            ("192.0.2.1", "::ffff:192.0.2.1"),
            ("::1", "::1"),
        ];
        for (one, other) in same {
            let connections = connections(9, 1, 9);
            let _slot = enter(&connections, one).unwrap();
            assert!(enter(&connections, other).is_err(), "{one} {other}");
        }
        let different = [
            ("2001:db8:1:2::1", "2001:db8:1:3::1"),
            ("192.0.2.1", "192.0.2.2"),
            ("::1", "127.0.0.1"),
            ("::1", "0.0.0.1"),
        ];
        for (one, other) in different {
            let connections = connections(9, 1, 9);
            let _slot = enter(&connections, one).unwrap();
            assert!(enter(&connections, other).is_ok(), "{one} {other}");
        }
    }

    #[test]
    fn a_users_connections_are_counted_from_sign_in() {
        let connections = connections(9, 9, 2);
        let mut slots: Vec<_> = (0..4).map(|_| enter(&connections, "192.0.2.1").unwrap()).collect();
        assert!(slots[0].sign_in("ann", 0).is_ok());
        assert!(slots[0].sign_in("ann", 0).is_ok(), "a new token counts nothing twice");
        assert!(slots[1].sign_in("ann", 0).is_ok());
        let refusal = slots[2].sign_in("ann", 0).unwrap_err();
        assert_eq!((refusal.limit, refusal.code()), (Limit::User, "connection_limit"));
        assert!(slots[2].sign_in("bob", 0).is_ok());
        assert!(slots[2].sign_in("ann", 0).is_err(), "and stays bob");
        assert!(slots[0].sign_in("bob", 0).is_ok());
        assert!(slots[3].sign_in("bob", 0).is_err());
        assert!(slots[3].sign_in("ann", 0).is_ok(), "the place that was left");
        drop(slots);
        assert!(empty(&connections));
    }

    #[test]
    fn a_socket_without_an_address_takes_a_place_in_the_node_only() {
        let connections = connections(3, 1, 1);
        let slots: Vec<_> =
            (0..4).map_while(|_| Connections::enter(&connections, None).ok()).collect();
        assert_eq!((slots.len(), connections.addresses.keys()), (3, 0));
    }

    #[test]
    fn without_limits_nothing_is_refused_and_nothing_kept() {
        let connections = Connections::new(ConnectionLimits::default());
        let mut slots: Vec<_> = (0..1000).map(|_| enter(&connections, "::1").unwrap()).collect();
        assert!(slots.iter_mut().all(|slot| slot.sign_in("ann", 0).is_ok()));
        assert_eq!((connections.addresses.keys(), connections.users.keys()), (0, 0));
        assert_eq!(connections.count(), 1000);
    }

    #[test]
    fn threads_together_never_pass_a_limit() {
        let connections = connections(50, 20, 5);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let connections = &connections;
                scope.spawn(move || {
                    let mut held = Vec::new();
                    for turn in 0..2_000_u32 {
                        let address = format!("192.0.2.{}", (turn + thread) % 3);
                        if let Ok(mut slot) = enter(connections, &address) {
                            let _ = slot.sign_in(&address, 0);
                            held.push(slot);
                        }
                        assert!(connections.count() <= 50);
                        if held.len() > 15 {
                            held.remove(turn as usize % held.len());
                        }
                    }
                });
            }
        });
        assert!(empty(&connections));
    }

    #[test]
    fn what_other_nodes_have_counts_too() {
        let connections = connections(9, 2, 2);
        connections.share();
        let mut slot = enter(&connections, "192.0.2.1").unwrap();
        slot.sign_in("ann", 0).unwrap();
        let mut held = connections.take_changes();
        held.sort_by_key(|held| held.whose == Whose::User);
        assert_eq!(held.iter().map(|held| held.count).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(connections.take_changes(), []);
        let [address, user] = held[..] else { panic!("{held:?}") };
        assert_eq!(user.key, user_key("ann"));
        for held in [address, user] {
            connections.set_elsewhere(held, 0);
        }
        assert!(enter(&connections, "192.0.2.1").is_err());
        assert!(enter(&connections, "192.0.2.2").unwrap().sign_in("ann", 0).is_err());
        connections.set_elsewhere(Held { count: 0, ..address }, 1);
        connections.set_elsewhere(Held { count: 0, ..user }, 1);
        assert!(enter(&connections, "192.0.2.1").unwrap().sign_in("ann", 0).is_ok());
        assert_eq!(connections.here().len(), 2);
        drop(slot);
        assert!(empty(&connections));
        // That it is none any more is told too.
        let changes = connections.take_changes();
        assert!(changes.len() >= 2 && changes.iter().all(|held| held.count == 0), "{changes:?}");
    }

    #[test]
    fn other_limits_hold_for_who_comes_and_what_is_counted_stays() {
        let connections = connections(9, 2, 1);
        let mut first = enter(&connections, "192.0.2.1").unwrap();
        let mut second = enter(&connections, "192.0.2.1").unwrap();
        first.sign_in("ann", 0).unwrap();
        let limits =
            |per_address, per_user| ConnectionLimits { per_node: Some(9), per_address, per_user };
        connections.limit(limits(Some(3), Some(2)));
        second.sign_in("ann", 0).unwrap();
        let _third = enter(&connections, "192.0.2.1").unwrap();
        assert!(enter(&connections, "192.0.2.1").is_err());
        connections.limit(limits(Some(1), None));
        assert!(enter(&connections, "192.0.2.1").is_err());
        drop(second);
        assert!(enter(&connections, "192.0.2.1").is_err(), "nobody is ended by a lower limit");
        connections.limit(limits(None, None));
        assert_eq!(connections.limits(), limits(None, None));
        let _free = enter(&connections, "192.0.2.1").unwrap();
        assert_eq!(connections.count(), 3);
    }

    #[test]
    fn a_slot_is_three_words() {
        assert_eq!(size_of::<Slot>(), 24);
    }
}
