//! How often a failure is worth a line in a log.

use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(5);

/// Lets one failure through now and then and counts the others.
#[derive(Debug, Default)]
pub(super) struct Pace {
    last: Option<Instant>,
    unsaid: u64,
}

impl Pace {
    /// `Some` when this failure is to be said, with how many were not since the last.
    pub(super) fn handle_failure(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < EVERY) {
            self.unsaid += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_failures_is_said_once_and_counted_later() {
        let start = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.handle_failure(start), Some(0));
        assert_eq!(pace.handle_failure(start + EVERY / 2), None);
        assert_eq!(pace.handle_failure(start + EVERY / 2), None);
        assert_eq!(pace.handle_failure(start + EVERY), Some(2));
        assert_eq!(pace.handle_failure(start + EVERY * 3), Some(0));
    }
}
