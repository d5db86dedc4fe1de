//! Names for what is posted, so that a backend can tell a repetition.

use std::sync::atomic::{AtomicU64, Ordering};

/// Ids that no other process and no earlier run gives out.
#[derive(Debug)]
pub(super) struct Ids {
    run: u64,
    next: AtomicU64,
}

impl Ids {
    /// `run` has to be random.
    pub(super) fn new(run: u64) -> Self {
        Self { run, next: AtomicU64::new(1) }
    }

    pub(super) fn next(&self) -> String {
        format!("{:016x}-{:x}", self.run, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_within_a_run_and_between_runs() {
        let ids = Ids::new(0xab);
        assert_eq!(ids.next(), "00000000000000ab-1");
        assert_eq!(ids.next(), "00000000000000ab-2");
        assert_eq!(Ids::new(0xac).next(), "00000000000000ac-1");
    }
}
