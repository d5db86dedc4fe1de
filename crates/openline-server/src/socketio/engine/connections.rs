//! [`Connections`]: the connections of the node by their ids, for requests on any thread.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::connection::Connection;

/// Connections that have ended and wait for a last poll, which is to be told. They hold no place
/// among the lines any more, so they have a limit of their own.
const LINGERING_MAX: usize = 1_000;

/// What names a connection in requests, and proves that they are its client's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SessionId([u8; 16]);

/// The connections of the node. Each has a place among the lines, so `limits.connections` is their
/// limit too.
#[derive(Default)]
pub(crate) struct Connections {
    table: Mutex<HashMap<SessionId, Arc<Connection>>>,
    lingering: AtomicUsize,
}

impl Connections {
    pub(super) fn add(&self, connection: &Arc<Connection>) {
        self.table().insert(connection.outlet.sid, connection.clone());
    }

    pub(super) fn find(&self, sid: &str) -> Option<Arc<Connection>> {
        self.table().get(&SessionId::parse(sid)?).cloned()
    }

    /// Forgets a connection. It is returned to be dropped where no lock is held, because of what
    /// may hang on it.
    pub(super) fn remove(&self, sid: SessionId) -> Option<Arc<Connection>> {
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

    fn table(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Connection>>> {
        self.table.lock().expect("nothing under this lock panics")
    }
}

impl SessionId {
    /// 128 random bits: nobody guesses another's.
    pub(super) fn random() -> Self {
        Self(rand::random())
    }

    pub(super) fn text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

#[cfg(test)]
impl From<[u8; 16]> for SessionId {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let sid = SessionId::random();
        assert_eq!(SessionId::parse(&sid.text()), Some(sid));
        assert_eq!(sid.text().len(), 22);
        for text in ["", "test", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA", "%00", "é"] {
            assert_eq!(SessionId::parse(text), None, "{text}");
        }
    }
}
