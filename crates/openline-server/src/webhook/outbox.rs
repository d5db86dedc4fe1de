//! What is sent when.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::EventKind;
use super::event::Stamped;
use super::occupancy::Occupancy;

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) queue_events_max: usize,
    pub(super) batch_events_max: usize,
    /// How long the first event of a batch waits for others.
    pub(super) batch_delay: Duration,
    pub(super) vacated_delay: Duration,
}

/// Events on their way to batches, in order. A full queue loses its oldest: a backend that was away
/// is better served by what is true now.
#[derive(Debug)]
pub(super) struct Outbox {
    limits: Limits,
    occupancy: Occupancy,
    /// With when each was queued.
    queue: VecDeque<(Instant, Stamped)>,
    overflowed: u64,
    is_closing: bool,
}

impl Outbox {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            occupancy: Occupancy::new(limits.vacated_delay, limits.queue_events_max),
            queue: VecDeque::new(),
            overflowed: 0,
            is_closing: false,
        }
    }

    /// Takes an event; `wanted` says whether a kind is told at all.
    pub(super) fn handle_event(
        &mut self,
        event: Stamped,
        wanted: impl Fn(EventKind) -> bool,
        now: Instant,
    ) {
        self.release_due(now, &wanted);
        match event.event.kind {
            EventKind::ChannelVacated if !self.is_closing => {
                if let Some(early) = self.occupancy.handle_vacated(event, now) {
                    self.push(early, now, &wanted);
                }
            }
            EventKind::ChannelOccupied => {
                let channel = event.event.channel.as_deref().unwrap_or_default();
                if self.occupancy.handle_occupied(channel) {
                    self.push(event, now, &wanted);
                }
            }
            _ => self.push(event, now, &wanted),
        }
    }

    /// Events that are to be sent now, at most a batch of them; none if it is not yet time.
    pub(super) fn poll_batch(
        &mut self,
        wanted: impl Fn(EventKind) -> bool,
        now: Instant,
    ) -> Vec<Stamped> {
        self.release_due(now, &wanted);
        if self.batch_due().is_none_or(|due| due > now) {
            return Vec::new();
        }
        let count = self.queue.len().min(self.limits.batch_events_max);
        self.queue.drain(..count).map(|(_, event)| event).collect()
    }

    /// When [`Self::poll_batch`] has to be called next.
    pub(super) fn poll_deadline(&self) -> Option<Instant> {
        [self.batch_due(), self.occupancy.poll_deadline()].into_iter().flatten().min()
    }

    /// From here on nothing waits: channels that are held as vacated are told, batches go as they
    /// are.
    pub(super) fn handle_close(&mut self, wanted: impl Fn(EventKind) -> bool, now: Instant) {
        self.is_closing = true;
        while let Some(vacated) = self.occupancy.take_first() {
            self.push(vacated, now, &wanted);
        }
    }

    pub(super) fn is_closed_and_empty(&self) -> bool {
        self.is_closing && self.queue.is_empty()
    }

    /// Throws away what is queued; returns how much that was.
    pub(super) fn clear(&mut self) -> usize {
        let count = self.queue.len();
        self.queue.clear();
        count
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn overflowed(&self) -> u64 {
        self.overflowed
    }

    fn batch_due(&self) -> Option<Instant> {
        let (queued, _) = self.queue.front()?;
        let is_full = self.queue.len() >= self.limits.batch_events_max;
        Some(if is_full || self.is_closing { *queued } else { *queued + self.limits.batch_delay })
    }

    /// Every call that takes the time begins with this, so that a channel's events keep their
    /// order however late the sender looks.
    fn release_due(&mut self, now: Instant, wanted: &impl Fn(EventKind) -> bool) {
        while let Some(vacated) = self.occupancy.poll(now) {
            self.push(vacated, now, wanted);
        }
    }

    fn push(&mut self, event: Stamped, now: Instant, wanted: &impl Fn(EventKind) -> bool) {
        if !wanted(event.event.kind) {
            return;
        }
        if self.queue.len() >= self.limits.queue_events_max {
            self.queue.pop_front();
            self.overflowed += 1;
        }
        self.queue.push_back((now, event));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Event;
    use super::*;

    const LIMITS: Limits = Limits {
        queue_events_max: 5,
        batch_events_max: 3,
        batch_delay: Duration::from_millis(100),
        vacated_delay: Duration::from_secs(1),
    };

    fn gone(name: &str) -> Stamped {
        stamp(name, Event::client_gone(name, None, ""))
    }

    fn stamp(id: &str, event: Event) -> Stamped {
        Stamped { id: id.to_owned(), unix_ms: 0, event }
    }

    fn all(_: EventKind) -> bool {
        true
    }

    fn ids(events: Vec<Stamped>) -> Vec<String> {
        events.into_iter().map(|event| event.id).collect()
    }

    #[test]
    fn a_batch_waits_for_others_and_no_longer() {
        let start = Instant::now();
        let mut outbox = Outbox::new(LIMITS);
        outbox.handle_event(gone("1"), all, start);
        outbox.handle_event(gone("2"), all, start + LIMITS.batch_delay / 2);
        assert_eq!(outbox.poll_deadline(), Some(start + LIMITS.batch_delay));
        assert!(outbox.poll_batch(all, start + LIMITS.batch_delay / 2).is_empty());
        assert_eq!(ids(outbox.poll_batch(all, start + LIMITS.batch_delay)), ["1", "2"]);
        assert_eq!(outbox.poll_deadline(), None);
    }

    #[test]
    fn a_full_batch_goes_at_once() {
        let start = Instant::now();
        let mut outbox = Outbox::new(LIMITS);
        for name in ["1", "2", "3", "4"] {
            outbox.handle_event(gone(name), all, start);
        }
        assert_eq!(outbox.poll_deadline(), Some(start));
        assert_eq!(ids(outbox.poll_batch(all, start)), ["1", "2", "3"]);
        assert!(outbox.poll_batch(all, start).is_empty());
        assert_eq!(outbox.len(), 1);
    }

    #[test]
    fn a_full_queue_loses_its_oldest_and_counts_it() {
        let start = Instant::now();
        let mut outbox = Outbox::new(LIMITS);
        for number in 0..8 {
            outbox.handle_event(gone(&number.to_string()), all, start);
        }
        assert_eq!((outbox.len(), outbox.overflowed()), (5, 3));
        assert_eq!(ids(outbox.poll_batch(all, start)), ["3", "4", "5"]);
    }

    #[test]
    fn a_vacated_that_is_due_goes_before_the_occupied_that_follows() {
        let start = Instant::now();
        let mut outbox = Outbox::new(LIMITS);
        outbox.handle_event(stamp("v", Event::channel_vacated("a")), all, start);
        assert_eq!(outbox.poll_deadline(), Some(start + LIMITS.vacated_delay));
        // The sender was busy with a retry when it was due.
        let late = start + LIMITS.vacated_delay * 2;
        outbox.handle_event(stamp("o", Event::channel_occupied("a")), all, late);
        assert_eq!(ids(outbox.poll_batch(all, late + LIMITS.batch_delay)), ["v", "o"]);
    }

    #[test]
    fn what_is_not_wanted_is_not_told_but_still_counts_for_the_channel() {
        let start = Instant::now();
        let only_vacated = |kind| kind == EventKind::ChannelVacated;
        let mut outbox = Outbox::new(LIMITS);
        outbox.handle_event(stamp("v1", Event::channel_vacated("a")), only_vacated, start);
        outbox.handle_event(stamp("o1", Event::channel_occupied("a")), only_vacated, start);
        outbox.handle_event(stamp("o2", Event::channel_occupied("b")), only_vacated, start);
        outbox.handle_event(stamp("v2", Event::channel_vacated("b")), only_vacated, start);
        let late = start + LIMITS.vacated_delay;
        assert!(outbox.poll_batch(only_vacated, late).is_empty(), "it waits for others");
        assert_eq!(ids(outbox.poll_batch(only_vacated, late + LIMITS.batch_delay)), ["v2"]);
    }

    #[test]
    fn closing_sends_what_was_held_back() {
        let start = Instant::now();
        let mut outbox = Outbox::new(LIMITS);
        outbox.handle_event(gone("1"), all, start);
        outbox.handle_event(stamp("v", Event::channel_vacated("a")), all, start);
        assert!(!outbox.is_closed_and_empty());
        outbox.handle_close(all, start);
        outbox.handle_event(stamp("w", Event::channel_vacated("b")), all, start);
        assert_eq!(ids(outbox.poll_batch(all, start)), ["1", "v", "w"]);
        assert!(outbox.is_closed_and_empty());
    }
}
