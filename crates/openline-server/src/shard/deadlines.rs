//! [`Deadlines`]: when sessions have to be looked at again: to authenticate, or to have their token
//! renewed. A list for the thread costs a line less than a timer of its own.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use openline_engine::SessionKey;
use tokio::sync::Notify;

use super::Shard;
use crate::node::Node;
use crate::session;

/// How often the list is looked at while there is something in it.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Sessions by the time when they are due, in milliseconds since 1970 by the node's clock.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    due: Mutex<BTreeSet<(u64, SessionKey)>>,
    news: Notify,
}

impl Deadlines {
    /// Has a session looked at. It is looked at once; one that ended does no harm.
    pub(crate) fn set(&self, at_ms: u64, key: SessionKey) {
        let mut due = self.due();
        let was_empty = due.is_empty();
        due.insert((at_ms, key));
        drop(due);
        if was_empty {
            self.news.notify_one();
        }
    }

    /// Does not have it looked at.
    pub(crate) fn clear(&self, at_ms: u64, key: SessionKey) {
        self.due().remove(&(at_ms, key));
    }

    fn take_due(&self, now_ms: u64) -> Vec<SessionKey> {
        let mut due = self.due();
        let mut keys = Vec::new();
        while due.first().is_some_and(|(at_ms, _)| *at_ms <= now_ms) {
            keys.extend(due.pop_first().map(|(_, key)| key));
        }
        keys
    }

    fn due(&self) -> MutexGuard<'_, BTreeSet<(u64, SessionKey)>> {
        self.due.lock().expect("nothing under this lock panics")
    }
}

pub(super) async fn watch(shard: Arc<Shard>, node: Arc<Node>) {
    loop {
        if shard.deadlines.due().is_empty() {
            shard.deadlines.news.notified().await;
        }
        for key in shard.deadlines.take_due(node.exchange.clock.now_ms()) {
            session::deadline_passed(&shard, &node, key);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
