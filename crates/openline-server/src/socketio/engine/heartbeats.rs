//! [`Heartbeats`]: when the connections of a thread are looked at again. One list for all of them
//! costs a connection less than a timer of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use super::connection::Connection;
use super::{Ended, Outlet};
use crate::node::Node;
use crate::shard::Shard;

/// Connections that are looked at before others of the thread have their turn.
const TURN_MAX: usize = 256;

/// Connections by the time when they are due, in milliseconds by the node's clock, and by number.
/// Each that has not ended is in it once.
#[derive(Default)]
pub(crate) struct Heartbeats {
    due: Mutex<BTreeMap<(u64, u64), Arc<Connection>>>,
    sooner: Notify,
}

impl Heartbeats {
    pub(super) fn set(&self, at_ms: u64, number: u64, connection: Arc<Connection>) {
        let mut due = self.due();
        due.insert((at_ms, number), connection);
        self.tell_if_first(&due, (at_ms, number));
    }

    /// Has a connection looked at at another time. One that is not there is being looked at.
    pub(super) fn shift(&self, from_ms: u64, to_ms: u64, number: u64) {
        let mut due = self.due();
        if let Some(connection) = due.remove(&(from_ms, number)) {
            due.insert((to_ms, number), connection);
            self.tell_if_first(&due, (to_ms, number));
        }
    }

    /// Has a connection looked at now.
    pub(super) fn advance(&self, from_ms: u64, number: u64) {
        self.shift(from_ms, 0, number);
    }

    pub(super) fn remove(&self, at_ms: u64, number: u64) -> Option<Arc<Connection>> {
        self.due().remove(&(at_ms, number))
    }

    /// Ends all connections, because the server stops.
    pub(crate) fn close_all(&self) {
        for connection in self.all() {
            connection.outlet.end(Ended::ServerStop);
        }
    }

    /// Forgets all, when the server has stopped.
    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *self.due());
        drop(all);
    }

    fn all(&self) -> Vec<Arc<Connection>> {
        self.due().values().cloned().collect()
    }

    fn take_due(&self, now_ms: u64) -> Vec<Arc<Connection>> {
        let mut due = self.due();
        let mut connections = Vec::new();
        while connections.len() < TURN_MAX
            && let Some(first) = due.first_entry()
            && first.key().0 <= now_ms
        {
            connections.push(first.remove());
        }
        connections
    }

    fn first_ms(&self) -> Option<u64> {
        self.due().first_key_value().map(|((at_ms, _), _)| *at_ms)
    }

    fn tell_if_first(&self, due: &BTreeMap<(u64, u64), Arc<Connection>>, key: (u64, u64)) {
        if due.first_key_value().is_some_and(|(first, _)| *first == key) {
            self.sooner.notify_one();
        }
    }

    fn due(&self) -> MutexGuard<'_, BTreeMap<(u64, u64), Arc<Connection>>> {
        self.due.lock().expect("nothing under this lock panics")
    }
}

/// Looks at connections when they are due.
pub(crate) async fn watch(shard: Arc<Shard>, node: Arc<Node>) {
    loop {
        let now_ms = node.exchange.clock.now_ms();
        let sooner = shard.heartbeats.sooner.notified();
        match shard.heartbeats.first_ms() {
            None => sooner.await,
            Some(at_ms) if at_ms > now_ms => {
                // Whichever comes first.
                let wait = Duration::from_millis(at_ms - now_ms);
                let _ = tokio::time::timeout(wait, sooner).await;
            }
            Some(_) => {
                for connection in shard.heartbeats.take_due(now_ms) {
                    Outlet::look(&connection);
                }
                tokio::task::yield_now().await;
            }
        }
    }
}
