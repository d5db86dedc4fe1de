//! How often one kind of event is worth a line.

use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(10);
const LINES_PER_WINDOW: u32 = 10;

/// Lets some events of each ten seconds through and counts the others.
#[derive(Debug, Default)]
pub(super) struct Pace {
    window: Option<Instant>,
    said: u32,
    unsaid: u64,
}

impl Pace {
    /// `Some` when this event is to be said, with how many before it were not.
    pub(super) fn handle_event(&mut self, now: Instant) -> Option<u64> {
        if self.window.is_none_or(|begun| now.saturating_duration_since(begun) >= WINDOW) {
            self.window = Some(now);
            self.said = 0;
        }
        if self.said == LINES_PER_WINDOW {
            self.unsaid += 1;
            return None;
        }
        self.said += 1;
        Some(self.take_unsaid())
    }

    pub(super) fn take_unsaid(&mut self) -> u64 {
        std::mem::take(&mut self.unsaid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_cut_short_and_counted_later() {
        let start = Instant::now();
        let mut pace = Pace::default();
        for _ in 0..LINES_PER_WINDOW {
            assert_eq!(pace.handle_event(start), Some(0));
        }
        for _ in 0..5 {
            assert_eq!(pace.handle_event(start + WINDOW / 2), None);
        }
        assert_eq!(pace.handle_event(start + WINDOW), Some(5));
        assert_eq!(pace.handle_event(start + WINDOW), Some(0));
    }
}
