//! [`Keys`]: publications that carried a key, so that a retry is answered as the first try was.

use std::collections::{HashMap, VecDeque};

use bytestring::ByteString;
use openline_protocol::Position;

/// Keys that one channel remembers. Beyond it the oldest are forgotten before their time.
const KEYS_MAX: usize = 10_000;

/// A publication that carried a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Used {
    /// Of what was published; a retry has the same.
    pub(crate) fingerprint: u64,
    /// Its place, on a channel with history.
    pub(crate) position: Option<Position>,
    /// When, in milliseconds.
    pub(crate) at: u64,
}

/// The keys of one channel.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    by_key: HashMap<ByteString, Used>,
    /// The oldest first.
    order: VecDeque<(u64, ByteString)>,
    /// The position that was remembered last.
    newest: Option<Position>,
}

impl Keys {
    /// What was published with this key within the window.
    pub(crate) fn find(&self, key: &str, now: u64, window_ms: u64) -> Option<Used> {
        self.by_key.get(key).copied().filter(|used| used.at.saturating_add(window_ms) > now)
    }

    /// Remembers a key.
    pub(crate) fn insert(&mut self, key: ByteString, used: Used) {
        self.order.push_back((used.at, key.clone()));
        self.newest = used.position;
        self.by_key.insert(key, used);
        if self.order.len() > KEYS_MAX {
            self.forget_oldest();
        }
    }

    /// Forgets a key whose publication was taken back, unless the window has passed meanwhile and the
    /// key was used again.
    pub(crate) fn remove(&mut self, key: &str, position: Option<Position>) {
        if self.by_key.get(key).is_some_and(|used| used.position == position) {
            self.by_key.remove(key);
        }
    }

    /// Forgets the keys of publications at a position or behind it.
    pub(crate) fn remove_from(&mut self, position: Position) {
        let is_before = |at: Position| at.epoch != position.epoch || at.offset < position.offset;
        if self.newest.is_some_and(|newest| !is_before(newest)) {
            self.by_key.retain(|_, used| used.position.is_none_or(is_before));
        }
    }

    /// Forgets what is older than the window.
    pub(crate) fn expire(&mut self, now: u64, window_ms: u64) {
        while self.order.front().is_some_and(|(at, _)| at.saturating_add(window_ms) <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((at, key)) = self.order.pop_front() else { return };
        // The key may have been used again since.
        if self.by_key.get(&key).is_some_and(|used| used.at == at) {
            self.by_key.remove(&key);
        }
    }

    /// Whether nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}
