//! What the application wants sent: in order, within bounds, and again where it was not answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use openline_protocol::Message;
use tokio::sync::{Notify, oneshot};

use super::Frame;
use crate::error::Error;
use crate::options::{Overflow, Queue as QueueOptions};

pub(crate) type Reply = oneshot::Sender<Result<Message, Error>>;

/// One message that waits.
pub(crate) struct Item {
    pub(crate) frame: Frame,
    /// Whether it goes out again on the next line if it was not answered.
    pub(crate) again: bool,
    pub(crate) expires_at: u64,
    pub(crate) reply: Reply,
    /// Whether it was on a line at least once.
    sent: bool,
    place: Place,
}

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It waits for its turn.
    Here,
    /// It went out on the line, and its answer is awaited.
    OnLine,
    /// It went out on the line that was left for this one, which may still answer it.
    OnLineBefore,
}

impl Item {
    pub(crate) fn new(frame: Frame, again: bool, expires_at: u64, reply: Reply) -> Self {
        Self { frame, again, expires_at, reply, sent: false, place: Place::Here }
    }

    fn settle(self, result: Result<Message, Error>) {
        // Whoever asked may have gone.
        let _ = self.reply.send(result);
    }
}

/// The messages that wait, by the numbers of their requests, which grow.
pub(crate) struct Queue {
    options: QueueOptions,
    items: BTreeMap<u64, Item>,
    expiries: BTreeSet<(u64, u64)>,
    bytes: usize,
    /// What is below was sent.
    next: u64,
    /// Until when nothing goes out because the server is about to stop.
    held_until: Option<u64>,
    /// Told whenever there is more room.
    pub(crate) room: Arc<Notify>,
}

impl Queue {
    pub(crate) fn new(options: QueueOptions) -> Self {
        Self {
            options,
            items: BTreeMap::new(),
            expiries: BTreeSet::new(),
            bytes: 0,
            next: 0,
            held_until: None,
            room: Arc::default(),
        }
    }

    pub(crate) fn ttl(&self) -> Duration {
        self.options.ttl
    }

    pub(crate) fn overflow(&self) -> Overflow {
        self.options.overflow
    }

    /// Messages and bytes that wait.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.items.len(), self.bytes)
    }

    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.items.is_empty()
            || (self.items.len() < self.options.messages_max
                && self.bytes + bytes <= self.options.bytes_max)
    }

    /// Makes room by refusing what waits for longest and was not sent. False if that is not enough.
    pub(crate) fn drop_oldest(&mut self, bytes: usize) -> bool {
        while !self.has_room(bytes) {
            let oldest = self.items.iter().find(|(_, item)| !item.sent).map(|(id, _)| *id);
            let Some(item) = oldest.and_then(|id| self.remove(id)) else { return false };
            item.settle(Err(Error::QueueFull));
        }
        true
    }

    pub(crate) fn push(&mut self, id: u64, item: Item) {
        self.bytes += item.frame.len();
        self.expiries.insert((item.expires_at, id));
        self.items.insert(id, item);
    }

    /// The next message for the line.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        if self.held_until.is_some() {
            return None;
        }
        loop {
            let (&id, item) = self.items.range_mut(self.next..).next()?;
            self.next = id + 1;
            if item.place != Place::Here {
                continue;
            }
            // A publish goes out even if nobody waits for its answer.
            if item.again || !item.reply.is_closed() {
                item.sent = true;
                item.place = Place::OnLine;
                return Some(item.frame.clone());
            }
            self.remove(id);
        }
    }

    /// The answer to a message came.
    pub(crate) fn answer(&mut self, now: u64, id: u64, result: Result<Message, Error>) {
        match self.items.get_mut(&id) {
            Some(item) if item.again && is_shutting_down(&result) => {
                // It goes out again, before all that is newer, on the next line, or on this one if the
                // server goes on after all.
                item.place = Place::Here;
                self.next = self.next.min(id);
                let retry_after = result.err().and_then(|error| match error {
                    Error::Server(failure) => failure.retry_after_ms,
                    _ => None,
                });
                self.held_until = Some(now.saturating_add(retry_after.unwrap_or(HOLD_MS)));
            }
            _ => self.settle_one(id, result),
        }
    }

    /// The line that was left for this one has answered. What went out again is answered by this one.
    pub(crate) fn answer_before(&mut self, id: u64, result: Result<Message, Error>) {
        if self.items.get(&id).is_some_and(|item| item.place == Place::OnLineBefore) {
            self.settle_one(id, result);
        }
    }

    /// There is another line: what may go out again waits for it, in its order. The rest may still be
    /// answered by the line before.
    pub(crate) fn move_over(&mut self) {
        self.next = 0;
        self.held_until = None;
        for item in self.items.values_mut().filter(|item| item.place == Place::OnLine) {
            item.place = if item.again { Place::Here } else { Place::OnLineBefore };
        }
    }

    /// Whether an answer of the line before is awaited.
    pub(crate) fn awaits_line_before(&self) -> bool {
        self.items.values().any(|item| item.place == Place::OnLineBefore)
    }

    /// The line before is gone.
    pub(crate) fn lose_line_before(&mut self) {
        self.lose(|item| item.place == Place::OnLineBefore);
    }

    /// The line is gone: what may go out again waits, in its order, for the next.
    pub(crate) fn unready(&mut self) {
        self.lose(|item| item.place != Place::Here && !item.again);
        self.move_over();
    }

    fn lose(&mut self, is_lost: impl Fn(&Item) -> bool) {
        let lost = self.items.iter().filter(|(_, item)| is_lost(item));
        for id in lost.map(|(id, _)| *id).collect::<Vec<u64>>() {
            self.settle_one(id, Err(Error::ConnectionLost));
        }
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        let expiry = self.expiries.first().map(|(at, _)| *at);
        [expiry, self.held_until].into_iter().flatten().min()
    }

    /// Lets go what was held back until now. True if there is something for the line.
    pub(crate) fn release(&mut self, now: u64) -> bool {
        let is_due = self.held_until.is_some_and(|until| now >= until);
        if is_due {
            self.held_until = None;
        }
        is_due
    }

    pub(crate) fn expire(&mut self, now: u64) {
        while let Some(&(at, id)) = self.expiries.first()
            && at <= now
        {
            let Some(item) = self.remove(id) else { return };
            let error = if item.sent { Error::Timeout } else { Error::Expired };
            item.settle(Err(error));
        }
    }

    /// Nothing will be answered any more.
    pub(crate) fn settle(&mut self, error: &Error) {
        self.next = 0;
        self.held_until = None;
        self.bytes = 0;
        self.expiries.clear();
        for (_, item) in std::mem::take(&mut self.items) {
            item.settle(Err(error.clone()));
        }
        self.room.notify_waiters();
    }

    fn settle_one(&mut self, id: u64, result: Result<Message, Error>) {
        if let Some(item) = self.remove(id) {
            item.settle(result);
        }
    }

    fn remove(&mut self, id: u64) -> Option<Item> {
        let item = self.items.remove(&id)?;
        self.bytes -= item.frame.len();
        self.expiries.remove(&(item.expires_at, id));
        self.room.notify_one();
        Some(item)
    }
}

/// For how long nothing is sent after the server said that it is about to stop, if it did not say how long.
const HOLD_MS: u64 = 1_000;

fn is_shutting_down(result: &Result<Message, Error>) -> bool {
    matches!(result, Err(Error::Server(failure)) if failure.code == "shutting_down")
}
