//! [`Waiting`]: how much memory the ends of a thread's lines would free.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use openline_engine::Hub;

use crate::exchange::Seat;

/// What waits for a thread's lines, as it was when the thread weighed it last. A payload that waits for
/// several of them counts once it waits for one only: what is said of it is rather too little.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    bytes: AtomicUsize,
    is_asked: AtomicBool,
}

impl Waiting {
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether the thread is to be asked to weigh it; false while it has yet to answer.
    pub(super) fn ask(&self) -> bool {
        !self.is_asked.swap(true, Ordering::Relaxed)
    }

    /// Weighs it. For the thread, in its turn.
    pub(crate) fn weigh(&self, hub: &Hub<Seat>) {
        let bytes = hub.lines().map(|(_, seat)| seat.line.own_bytes()).sum();
        self.bytes.store(bytes, Ordering::Relaxed);
        self.is_asked.store(false, Ordering::Relaxed);
    }
}
