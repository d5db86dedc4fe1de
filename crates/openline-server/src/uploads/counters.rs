//! [`Counters`]: what monitoring is told of uploads.

use std::sync::atomic::{AtomicU64, Ordering};

/// What has happened since the start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) started: Count,
    pub(super) completed: Count,
    pub(super) cancelled: Count,
    pub(super) expired: Count,
    pub(super) failed: Count,
    pub(super) received_bytes: Count,
}

#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The same at a moment, and what there is then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counters {
    /// Transfers that are not complete.
    pub(crate) open: u64,
    /// What all files count for among the limits.
    pub(crate) bytes: u64,
    pub(crate) bytes_max: u64,
    pub(crate) started: u64,
    pub(crate) completed: u64,
    pub(crate) cancelled: u64,
    /// Without being complete.
    pub(crate) expired: u64,
    pub(crate) failed: u64,
    pub(crate) received_bytes: u64,
}
