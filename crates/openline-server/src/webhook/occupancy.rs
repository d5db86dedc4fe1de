//! Which changes of a channel are worth telling.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::event::Stamped;

/// Holds a channel's *vacated* back for a while. When the channel is occupied again within it, a
/// page was reloaded or a line reconnected, and neither is told.
#[derive(Debug)]
pub(super) struct Occupancy {
    delay: Duration,
    held_max: usize,
    /// In the order in which they are due; the number tells apart those due at once.
    held: BTreeMap<Key, Stamped>,
    by_channel: HashMap<String, Key>,
    next: u64,
}

type Key = (Instant, u64);

impl Occupancy {
    pub(super) fn new(delay: Duration, held_max: usize) -> Self {
        Self { delay, held_max, held: BTreeMap::new(), by_channel: HashMap::new(), next: 0 }
    }

    /// Whether the caller should tell that the channel is occupied.
    pub(super) fn handle_occupied(&mut self, channel: &str) -> bool {
        match self.by_channel.remove(channel) {
            Some(key) => {
                self.held.remove(&key);
                false
            }
            None => true,
        }
    }

    /// Takes a *vacated*, which [`Self::poll`] returns when it is due. When as many are held as may
    /// be, the oldest comes back: it is told early rather than lost.
    pub(super) fn handle_vacated(&mut self, vacated: Stamped, now: Instant) -> Option<Stamped> {
        let channel = vacated.event.channel.clone().unwrap_or_default();
        if self.by_channel.contains_key(&channel) {
            return None;
        }
        let early = if self.held.len() < self.held_max { None } else { self.take_first() };
        let key = (now + self.delay, self.next);
        self.next += 1;
        self.held.insert(key, vacated);
        self.by_channel.insert(channel, key);
        early
    }

    /// A *vacated* that has been held for long enough.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Stamped> {
        if self.poll_deadline()? <= now { self.take_first() } else { None }
    }

    /// When [`Self::poll`] next has something.
    pub(super) fn poll_deadline(&self) -> Option<Instant> {
        self.held.keys().next().map(|(due, _)| *due)
    }

    /// One of those held, whether it is due or not.
    pub(super) fn take_first(&mut self) -> Option<Stamped> {
        let (_, vacated) = self.held.pop_first()?;
        self.by_channel.remove(vacated.event.channel.as_deref().unwrap_or_default());
        Some(vacated)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Event;
    use super::*;

    const DELAY: Duration = Duration::from_secs(1);
    const MOMENT: Duration = Duration::from_millis(1);

    fn vacated(channel: &str) -> Stamped {
        Stamped { id: String::new(), unix_ms: 0, event: Event::channel_vacated(channel) }
    }

    fn channel(stamped: Option<Stamped>) -> Option<String> {
        stamped.and_then(|stamped| stamped.event.channel)
    }

    #[test]
    fn a_channel_that_stays_vacated_is_told_when_the_delay_is_over() {
        let start = Instant::now();
        let mut occupancy = Occupancy::new(DELAY, 10);
        assert!(occupancy.handle_occupied("a"));
        assert_eq!(occupancy.handle_vacated(vacated("a"), start), None);
        assert_eq!(occupancy.poll_deadline(), Some(start + DELAY));
        assert_eq!(occupancy.poll(start + DELAY - MOMENT), None);
        assert_eq!(channel(occupancy.poll(start + DELAY)).as_deref(), Some("a"));
        assert_eq!(occupancy.poll(start + DELAY), None);
        assert_eq!(occupancy.poll_deadline(), None);
        assert!(occupancy.handle_occupied("a"));
    }

    #[test]
    fn a_channel_that_is_occupied_again_in_time_tells_nothing() {
        let start = Instant::now();
        let mut occupancy = Occupancy::new(DELAY, 10);
        for turn in 0..100 {
            assert_eq!(occupancy.handle_vacated(vacated("a"), start + MOMENT * turn), None);
            assert!(!occupancy.handle_occupied("a"));
        }
        assert_eq!(occupancy.poll(start + DELAY * 10), None);
        assert!(occupancy.held.is_empty() && occupancy.by_channel.is_empty());
    }

    #[test]
    fn channels_do_not_disturb_each_other() {
        let start = Instant::now();
        let mut occupancy = Occupancy::new(DELAY, 10);
        for name in ["a", "b", "c"] {
            assert_eq!(occupancy.handle_vacated(vacated(name), start), None);
        }
        assert!(!occupancy.handle_occupied("b"));
        assert_eq!(channel(occupancy.poll(start + DELAY)).as_deref(), Some("a"));
        assert_eq!(channel(occupancy.poll(start + DELAY)).as_deref(), Some("c"));
        assert_eq!(occupancy.poll(start + DELAY), None);
    }

    #[test]
    fn a_second_vacated_changes_nothing() {
        let start = Instant::now();
        let mut occupancy = Occupancy::new(DELAY, 10);
        assert_eq!(occupancy.handle_vacated(vacated("a"), start), None);
        assert_eq!(occupancy.handle_vacated(vacated("a"), start + MOMENT), None);
        assert_eq!(channel(occupancy.poll(start + DELAY)).as_deref(), Some("a"));
        assert_eq!(occupancy.poll(start + DELAY * 2), None);
    }

    #[test]
    fn when_too_many_are_held_the_oldest_is_told_early() {
        let start = Instant::now();
        let mut occupancy = Occupancy::new(DELAY, 2);
        assert_eq!(occupancy.handle_vacated(vacated("a"), start), None);
        assert_eq!(occupancy.handle_vacated(vacated("b"), start), None);
        assert_eq!(channel(occupancy.handle_vacated(vacated("c"), start)).as_deref(), Some("a"));
        assert!(occupancy.handle_occupied("a"), "it was told that a is vacated");
        assert!(!occupancy.handle_occupied("b"));
    }
}
