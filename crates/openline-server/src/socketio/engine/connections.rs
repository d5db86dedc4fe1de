//! [`Connections`]: the connections of the node by their ids, for requests on any thread.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::connection::Connection;
use crate::transport::SessionSecret;

/// Connections that have ended and wait for a last poll, which is to be told. They hold no place
/// among the lines any more, so they have a limit of their own.
const LINGERING_MAX: usize = 1_000;

/// The connections of the node. Each has a place among the lines, so `limits.connections` is their
/// limit too.
#[derive(Default)]
pub(crate) struct Connections {
    table: Mutex<HashMap<SessionSecret, Arc<Connection>>>,
    lingering: AtomicUsize,
}

impl Connections {
    pub(super) fn add(&self, connection: &Arc<Connection>) {
        self.table().insert(connection.outlet.sid, connection.clone());
    }

    pub(super) fn find(&self, sid: SessionSecret) -> Option<Arc<Connection>> {
        self.table().get(&sid).cloned()
    }

    /// Forgets a connection. It is returned to be dropped where no lock is held, because of what
    /// may hang on it.
    pub(super) fn remove(&self, sid: SessionSecret) -> Option<Arc<Connection>> {
        self.table().remove(&sid)
    }

    /// A place among those that have ended; false if there is none. It is given back by
    /// [`Connections::left`].
    pub(super) fn linger(&self) -> bool {
        let free = |count| (count < LINGERING_MAX).then_some(count + 1);
        self.lingering.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).is_ok()
    }

    pub(super) fn left(&self) {
        self.lingering.fetch_sub(1, Ordering::Relaxed);
    }

    /// Forgets all, when the server has stopped.
    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *self.table());
        drop(all);
    }

    fn table(&self) -> MutexGuard<'_, HashMap<SessionSecret, Arc<Connection>>> {
        self.table.lock().expect("nothing under this lock panics")
    }
}
