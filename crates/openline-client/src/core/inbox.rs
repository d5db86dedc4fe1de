//! What the reader of a subscription has not taken yet.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use openline_protocol::Position;

use crate::event::{ChannelEvent, GapReason};

/// Events between the client and the reader of one subscription.
pub(crate) struct Inbox {
    max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    events: VecDeque<ChannelEvent>,
    /// How many of them count. Gaps and the like do not: neighbours are drawn together, so there is
    /// at most one for each that counts.
    filled: usize,
    is_over: bool,
    /// Whether the client is to be told when there is room.
    is_behind: bool,
    waker: Option<Waker>,
}

impl Inbox {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, state: Mutex::default() }
    }

    /// The next event, none after the last; and whether the client is to be told that there is room.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> (Poll<Option<ChannelEvent>>, bool) {
        let mut state = self.lock();
        let Some(event) = state.events.pop_front() else {
            if state.is_over {
                return (Poll::Ready(None), false);
            }
            state.waker = Some(cx.waker().clone());
            let is_behind = std::mem::take(&mut state.is_behind);
            return (Poll::Pending, is_behind);
        };
        state.filled -= usize::from(counts(&event));
        let has_room = state.filled <= self.max / 2;
        let tell = has_room && std::mem::take(&mut state.is_behind);
        (Poll::Ready(Some(event)), tell)
    }

    /// How many more events there is room for.
    pub(super) fn room(&self) -> usize {
        self.max.saturating_sub(self.lock().filled)
    }

    /// The client wants to be told when about half of the room is free. True if it is by now.
    pub(super) fn wait_for_room(&self) -> bool {
        let mut state = self.lock();
        let has_room = state.filled <= self.max / 2;
        state.is_behind = !has_room;
        has_room
    }

    pub(super) fn push(&self, event: ChannelEvent) {
        let mut state = self.lock();
        state.filled += usize::from(counts(&event));
        state.push(event);
    }

    /// Takes something that may be left out where the reader does not keep up.
    pub(super) fn push_news(&self, event: ChannelEvent) {
        let mut state = self.lock();
        if state.filled < self.max {
            state.filled += 1;
            state.push(event);
        }
    }

    pub(super) fn gap(&self, reason: GapReason, position: Option<Position>) {
        let mut state = self.lock();
        if let Some(ChannelEvent::Gap { position: last, .. }) = state.events.back_mut() {
            *last = position.or(*last);
        } else {
            state.push(ChannelEvent::Gap { reason, position });
        }
    }

    pub(super) fn recovered(&self, more: u64) {
        let mut state = self.lock();
        if let Some(ChannelEvent::Recovered { count }) = state.events.back_mut() {
            *count += more;
        } else {
            state.push(ChannelEvent::Recovered { count: more });
        }
    }

    /// Nothing comes any more.
    pub(super) fn end(&self, reason: String) {
        let mut state = self.lock();
        if !state.is_over {
            state.push(ChannelEvent::Unsubscribed { reason });
            state.is_over = true;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, event: ChannelEvent) {
        self.events.push_back(event);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

fn counts(event: &ChannelEvent) -> bool {
    matches!(
        event,
        ChannelEvent::Publication(_) | ChannelEvent::Presence(_) | ChannelEvent::Typing { .. }
    )
}
