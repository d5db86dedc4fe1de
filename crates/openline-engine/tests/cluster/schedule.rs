//! Virtual time: what is to happen, in the order in which it happens.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use slab::Slab;

/// What is to happen. Of two things at the same time the one that was planned first comes first.
pub(crate) struct Schedule<E> {
    pub(crate) now: u64,
    planned: u64,
    /// When, the how manieth, and where it is.
    heap: BinaryHeap<Reverse<(u64, u64, usize)>>,
    events: Slab<E>,
}

impl<E> Schedule<E> {
    pub(crate) fn new(now: u64) -> Self {
        Self { now, planned: 0, heap: BinaryHeap::new(), events: Slab::new() }
    }

    /// Milliseconds from now.
    pub(crate) fn after(&mut self, delay: u64, event: E) {
        self.at(self.now + delay, event);
    }

    /// What is past happens at once.
    pub(crate) fn at(&mut self, at: u64, event: E) {
        self.planned += 1;
        let place = self.events.insert(event);
        self.heap.push(Reverse((at.max(self.now), self.planned, place)));
    }

    /// What happens next, if it happens before `until`; moves the time.
    pub(crate) fn next(&mut self, until: u64) -> Option<E> {
        match self.heap.peek() {
            Some(Reverse((at, _, place))) if *at < until => {
                self.now = *at;
                let event = self.events.remove(*place);
                self.heap.pop();
                Some(event)
            }
            _ => {
                self.now = self.now.max(until);
                None
            }
        }
    }
}
