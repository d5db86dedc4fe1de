//! The chat members of a thread, and what is said in their rooms.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use openline_ws::{CloseCode, Prepared, Sender};
use tokio::sync::mpsc;

use super::Shard;

/// Publications that may wait for a shard. A publisher waits when it is full.
const INBOX_MAX: usize = 1024;

/// The members of rooms whose lines this thread serves.
#[derive(Debug)]
pub(crate) struct Members {
    /// By room and number.
    rooms: Mutex<HashMap<u64, HashMap<u64, Listener>>>,
    inbox: mpsc::Sender<Delivery>,
}

/// A member as its shard knows it.
#[derive(Debug)]
struct Listener {
    line: Sender,
    /// The last publication that it was told of in another way: as part of the history.
    heard: u64,
}

/// One publication for all members of a room on a shard: one message for each thread, not one for
/// each member.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// The room's id. Not its name: a room that was forgotten and one that took its name since are
    /// two.
    pub(crate) room: u64,
    /// Its place in the room's order.
    pub(crate) offset: u64,
    pub(crate) message: Prepared,
    /// A member that does not get it.
    pub(crate) except: Option<u64>,
}

impl Members {
    pub(super) fn new() -> (Self, mpsc::Receiver<Delivery>) {
        let (inbox, deliveries) = mpsc::channel(INBOX_MAX);
        (Self { rooms: Mutex::default(), inbox }, deliveries)
    }

    /// Makes a line of this thread a member of a room: it hears what comes after `heard` in the
    /// room's order.
    pub(crate) fn join(&self, room: u64, member: u64, line: Sender, heard: u64) {
        self.rooms().entry(room).or_default().insert(member, Listener { line, heard });
    }

    /// Ends a membership.
    pub(crate) fn leave(&self, room: u64, member: u64) {
        let mut rooms = self.rooms();
        if let Some(members) = rooms.get_mut(&room) {
            members.remove(&member);
            if members.is_empty() {
                rooms.remove(&room);
            }
        }
    }

    /// Hands a publication over; waits while too many wait already.
    pub(crate) async fn post(&self, delivery: Delivery) {
        // A shard that is gone has no members.
        let _ = self.inbox.send(delivery).await;
    }

    /// Queues a publication for each member. Each line is written once, after all that this turn of
    /// the runtime brings.
    fn deliver(&self, delivery: &Delivery) {
        let rooms = self.rooms();
        for (member, listener) in rooms.get(&delivery.room).into_iter().flatten() {
            if delivery.except != Some(*member) && listener.heard < delivery.offset {
                // A line that does not keep up is closed by its queue; one that is closed leaves.
                let _ = listener.line.try_send_prepared(&delivery.message);
            }
        }
    }

    pub(super) fn close_all(&self) {
        for listener in self.rooms().values().flat_map(HashMap::values) {
            let _ = listener.line.close(CloseCode::GOING_AWAY, "server stops");
        }
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<u64, HashMap<u64, Listener>>> {
        self.rooms.lock().expect("nothing under this lock panics")
    }
}

pub(super) async fn deliver_all(shard: Arc<Shard>, mut deliveries: mpsc::Receiver<Delivery>) {
    while let Some(delivery) = deliveries.recv().await {
        shard.members.deliver(&delivery);
    }
}
