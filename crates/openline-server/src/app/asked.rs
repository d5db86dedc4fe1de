//! [`Asked`]: what the server asked a client and has no answer to yet.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::oneshot;

use super::payload::Payload;

/// Requests to one client that may wait for their answers.
const WAITING_MAX: usize = 1024;

/// What the server asked a client and has no answer to yet.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    waiting: HashMap<u64, oneshot::Sender<Payload>>,
    last: u64,
    ended: bool,
}

/// Why a client is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAsked {
    Gone,
    /// It has not answered so many.
    Full,
}

impl Asked {
    /// A request begins: its number, and where its answer comes. It is dropped when the client goes.
    pub(crate) fn begin(&self) -> Result<(u64, oneshot::Receiver<Payload>), NotAsked> {
        let mut table = self.table();
        if table.ended {
            return Err(NotAsked::Gone);
        }
        if table.waiting.len() >= WAITING_MAX {
            return Err(NotAsked::Full);
        }
        table.last += 1;
        let number = table.last;
        let (told, answer) = oneshot::channel();
        table.waiting.insert(number, told);
        Ok((number, answer))
    }

    /// The answer to a request; returns whether it was waited for.
    pub(crate) fn answer(&self, number: u64, payload: Payload) -> bool {
        let told = self.table().waiting.remove(&number);
        told.is_some_and(|told| told.send(payload).is_ok())
    }

    /// Whether this was asked, however long ago.
    pub(crate) fn knows(&self, number: u64) -> bool {
        (1..=self.table().last).contains(&number)
    }

    /// Nobody waits for it any more.
    pub(crate) fn forget(&self, number: u64) {
        self.table().waiting.remove(&number);
    }

    /// What was asked got lost with the client's connection. The client itself may come back.
    pub(crate) fn lose(&self) {
        self.table().waiting = HashMap::new();
    }

    /// The client is gone.
    pub(crate) fn end(&self) {
        let mut table = self.table();
        table.ended = true;
        table.waiting = HashMap::new();
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("nothing under this lock panics")
    }
}
