//! What webhooks have done, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use super::QuestionKind;

/// A look at the counts. All but the first three only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Events that wait to be sent.
    pub(crate) queued: usize,
    /// Events that are being sent or wait to be sent again.
    pub(crate) sending: u64,
    /// Questions with the backend or waiting for their turn.
    pub(crate) deciding: u64,
    /// Events the backend took.
    pub(crate) delivered: u64,
    /// Events pushed out of a full queue.
    pub(crate) dropped_overflow: u64,
    /// Events given up: refused, retried too often, or left when the server stopped.
    pub(crate) dropped_failed: u64,
    /// Posts of batches.
    pub(crate) attempts: u64,
    /// How many of them repeated an earlier one.
    pub(crate) retries: u64,
    pub(crate) connect: Decisions,
    pub(crate) subscribe: Decisions,
    pub(crate) publish: Decisions,
    pub(crate) request: Decisions,
}

/// How questions of one kind ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Decisions {
    pub(crate) allowed: u64,
    pub(crate) denied: u64,
    /// Without an answer that counts; `fail_open` may have let them through.
    pub(crate) failed: u64,
}

/// The counts as they are kept.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) sending: AtomicU64,
    pub(super) deciding: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) dropped_failed: AtomicU64,
    pub(super) attempts: AtomicU64,
    pub(super) retries: AtomicU64,
    decisions: [DecisionTally; 4],
}

#[derive(Debug, Default)]
pub(super) struct DecisionTally {
    pub(super) allowed: AtomicU64,
    pub(super) denied: AtomicU64,
    pub(super) failed: AtomicU64,
}

impl Tally {
    pub(super) fn decisions(&self, kind: QuestionKind) -> &DecisionTally {
        &self.decisions[kind as usize]
    }

    pub(super) fn counters(&self, queued: usize, dropped_overflow: u64) -> Counters {
        let decisions = |kind| {
            let tally = self.decisions(kind);
            Decisions {
                allowed: tally.allowed.load(Ordering::Relaxed),
                denied: tally.denied.load(Ordering::Relaxed),
                failed: tally.failed.load(Ordering::Relaxed),
            }
        };
        Counters {
            queued,
            sending: self.sending.load(Ordering::Relaxed),
            deciding: self.deciding.load(Ordering::Relaxed),
            delivered: self.delivered.load(Ordering::Relaxed),
            dropped_overflow,
            dropped_failed: self.dropped_failed.load(Ordering::Relaxed),
            attempts: self.attempts.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            connect: decisions(QuestionKind::Connect),
            subscribe: decisions(QuestionKind::Subscribe),
            publish: decisions(QuestionKind::Publish),
            request: decisions(QuestionKind::Request),
        }
    }
}

/// Adds one. The counts are read for display alone, so no order among them is needed.
pub(super) fn count(counter: &AtomicU64) {
    add(counter, 1);
}

pub(super) fn add(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}
