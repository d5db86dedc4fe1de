//! [`Freed`]: memory that was freed and that the allocator keeps.
//!
//! An allocator gives little of what was freed back to the system: what it keeps is used again
//! first. A process that has grown once would look full for ever, and would refuse publications
//! although it has room for them.

/// What a process may exceed its peak by, in thousandths of what it may take, before it counts as
/// a new peak.
const SLACK: u64 = 20;

/// How much of what the process takes is free for use, as far as is known: what history and the lines'
/// queues held at the process's peak and hold no more, less what has gone back to the system since.
///
/// Where other things have taken the place meanwhile, it is too much. That does no harm for long: once
/// the process grows beyond its peak, nothing counts as free.
#[derive(Debug, Default)]
pub(super) struct Freed {
    peak_bytes: u64,
    held_at_peak: u64,
}

impl Freed {
    /// Takes what the process has of the system, and what history and queues hold of it.
    pub(super) fn handle_sample(&mut self, process_bytes: u64, held: u64, bytes_max: u64) -> u64 {
        if process_bytes > self.peak_bytes.saturating_add(bytes_max / 1_000 * SLACK)
            || (process_bytes >= self.peak_bytes && held >= self.held_at_peak)
        {
            *self = Self { peak_bytes: process_bytes, held_at_peak: held };
        }
        let given_up = self.held_at_peak.saturating_sub(held);
        let returned = self.peak_bytes.saturating_sub(process_bytes);
        given_up.saturating_sub(returned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = 1_000;

    #[test]
    fn while_all_grows_nothing_is_free() {
        let mut freed = Freed::default();
        for bytes in (0..MAX).step_by(10) {
            assert_eq!(freed.handle_sample(bytes, bytes / 2, MAX), 0);
        }
    }

    #[test]
    fn what_was_given_up_is_free_whether_the_system_has_it_back_or_not() {
        let mut freed = Freed::default();
        freed.handle_sample(900, 500, MAX);
        assert_eq!(freed.handle_sample(900, 300, MAX), 200, "the allocator has it");
        assert_eq!(freed.handle_sample(800, 300, MAX), 100, "half of it went back");
        assert_eq!(freed.handle_sample(650, 300, MAX), 0, "that and more went back");
        assert_eq!(freed.handle_sample(900, 500, MAX), 0, "it is in use again");
    }

    #[test]
    fn beyond_the_peak_nothing_is_free() {
        let mut freed = Freed::default();
        freed.handle_sample(900, 500, MAX);
        assert_eq!(freed.handle_sample(915, 300, MAX), 200, "a little more is no new peak");
        assert_eq!(freed.handle_sample(921, 300, MAX), 0);
        assert_eq!(freed.handle_sample(921, 200, MAX), 100);
    }

    #[test]
    fn what_is_free_is_never_more_than_what_was_held() {
        let mut freed = Freed::default();
        freed.handle_sample(900, 50, MAX);
        assert_eq!(freed.handle_sample(890, 0, MAX), 40);
        assert_eq!(freed.handle_sample(0, 0, MAX), 0);
    }
}
