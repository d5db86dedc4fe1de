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
    sent: bool,
}

impl Item {
    pub(crate) fn new(frame: Frame, again: bool, expires_at: u64, reply: Reply) -> Self {
        Self { frame, again, expires_at, reply, sent: false }
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
    /// What is below was sent on this line.
    next: u64,
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
        loop {
            let (&id, item) = self.items.range_mut(self.next..).next()?;
            self.next = id + 1;
            // A publish goes out even if nobody waits for its answer.
            if item.again || !item.reply.is_closed() {
                item.sent = true;
                return Some(item.frame.clone());
            }
            self.remove(id);
        }
    }

    /// The answer to a message came.
    pub(crate) fn answer(&mut self, id: u64, result: Result<Message, Error>) {
        if let Some(item) = self.remove(id) {
            item.settle(result);
        }
    }

    /// The line is gone: what may go out again waits, in its order, for the next.
    pub(crate) fn unready(&mut self) {
        self.next = 0;
        let lost: Vec<u64> = self
            .items
            .iter()
            .filter(|(_, item)| item.sent && !item.again)
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            self.answer(id, Err(Error::ConnectionLost));
        }
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        self.expiries.first().map(|(at, _)| *at)
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
        self.bytes = 0;
        self.expiries.clear();
        for (_, item) in std::mem::take(&mut self.items) {
            item.settle(Err(error.clone()));
        }
        self.room.notify_waiters();
    }

    fn remove(&mut self, id: u64) -> Option<Item> {
        let item = self.items.remove(&id)?;
        self.bytes -= item.frame.len();
        self.expiries.remove(&(item.expires_at, id));
        self.room.notify_one();
        Some(item)
    }
}
