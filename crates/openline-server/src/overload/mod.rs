//! What a node does when it has more to do than it can: memory that runs out, descriptors that run
//! out.
//!
//! [`Steps`] decides from figures alone how much is given up, [`memory`] reads the figures, and
//! [`watch`] puts the two together, about once a second. All others ask [`Overload`], which is one
//! relaxed read of a number.

mod descriptors;
mod freed;
mod memory;
mod relief;
mod steps;
#[cfg(test)]
mod tests;
mod waiting;
mod watch;

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

pub(crate) use descriptors::{Descriptors, open_files_max};
pub(crate) use relief::relieve;
pub(crate) use steps::Level;
pub(crate) use waiting::Waiting;
pub(crate) use watch::watch;

/// How much is given up just now, for whoever is about to do something that can wait.
#[derive(Debug, Default)]
pub(crate) struct Overload {
    level: AtomicU8,
    used_bytes: AtomicU64,
    bytes_max: AtomicU64,
}

impl Overload {
    pub(crate) fn level(&self) -> Level {
        Level::of_number(self.level.load(Ordering::Relaxed))
    }

    /// What the level was decided by: the bytes in use, and how many there may be. 0 where the
    /// system does not tell.
    pub(crate) fn memory(&self) -> (u64, u64) {
        (self.used_bytes.load(Ordering::Relaxed), self.bytes_max.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, level: Level, used_bytes: u64, bytes_max: u64) {
        self.used_bytes.store(used_bytes, Ordering::Relaxed);
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
        self.level.store(level as u8, Ordering::Relaxed);
    }
}
