//! [`Returning`]: sockets whose clients may come back.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openline_engine::{Missed, Returning as Who};
use openline_protocol::close;

use super::broadcast::messages;
use super::engine::{Ended, Message, Outlet};
use super::packet;
use super::socket::{Carrier, Socket};

/// Sockets without a connection that are waited for. Beyond it a lost connection ends its sockets.
const AWAY_MAX: usize = 10_000;

/// The sockets of a node that can come back, by what only their clients know.
pub(super) struct Returning {
    recovery: Option<Duration>,
    by_pid: Mutex<HashMap<Box<str>, Arc<Socket>>>,
    away: AtomicUsize,
}

impl fmt::Debug for Returning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returning").field("away", &self.away).finish_non_exhaustive()
    }
}

impl Returning {
    /// They are waited for so long; for no time at all, none of them can come back.
    pub(super) fn new(recovery: Duration) -> Self {
        let recovery = (!recovery.is_zero()).then_some(recovery);
        Self { recovery, by_pid: Mutex::default(), away: AtomicUsize::new(0) }
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.recovery.is_some()
    }

    /// 128 random bits: nobody guesses another's. Others see the socket's id, so it is not that.
    pub(super) fn new_pid() -> Box<str> {
        URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()).into()
    }

    pub(super) fn remember(&self, socket: &Arc<Socket>) {
        if let Some(pid) = &socket.pid {
            self.table().insert(pid.clone(), socket.clone());
        }
    }

    pub(super) fn find(&self, pid: &str) -> Option<Arc<Socket>> {
        self.table().get(pid).cloned()
    }

    pub(super) fn forget(&self, pid: &str) {
        // Dropped behind the lock.
        let _socket = self.table().remove(pid);
    }

    pub(super) fn not_away(&self) {
        self.away.fetch_sub(1, Ordering::Relaxed);
    }

    fn table(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Socket>>> {
        self.by_pid.lock().expect("nothing under this lock panics")
    }
}

impl Socket {
    /// The connection is lost that the socket had. Its client may come back for a while.
    pub(super) fn lose(self: &Arc<Self>, generation: u64, reason: Ended) {
        let returning = &self.returning;
        let recovery = returning.recovery.filter(|_| {
            let goes_on = !matches!(reason, Ended::ParseError | Ended::ServerStop);
            goes_on && returning.away.load(Ordering::Relaxed) < AWAY_MAX
        });
        let Some(recovery) = recovery else {
            if self.is_on(generation) {
                self.end(reason.as_str());
            }
            return;
        };
        {
            let mut state = self.state();
            if state.generation != generation || !matches!(state.carrier, Carrier::Open(_)) {
                return;
            }
            state.carrier = Carrier::Away;
        }
        returning.away.fetch_add(1, Ordering::Relaxed);
        if let Some(client) = self.client() {
            client.asked.lose();
        }
        let socket = self.clone();
        self.node.operator.spawn(async move {
            tokio::time::sleep(recovery).await;
            socket.give_up(generation, reason);
        });
    }

    /// Nobody came back to it in time.
    fn give_up(&self, generation: u64, reason: Ended) {
        self.end_if(reason.as_str(), |state| {
            state.generation == generation && matches!(state.carrier, Carrier::Away)
        });
    }

    /// Its client begins anew elsewhere, and nobody comes back to this one.
    pub(super) fn abandon(&self) {
        if let Some(Carrier::Open(old)) = self.end_if("transport close", |_| true) {
            old.close(close::GOING_AWAY, "the client came back by another connection");
        }
    }

    /// The client is back on another connection: it is told what it missed after the number `since`,
    /// and goes on there. A connection that it still had is over. Returns which of its connections
    /// this is; none if it is not known any more what was missed, or that is too much.
    pub(super) fn come_back(&self, outlet: &Arc<Outlet>, since: u64) -> Option<u64> {
        let (session, client, pid) = (self.key()?, self.client()?, self.pid.as_deref()?);
        let (before, generation) = {
            let hub = self.shard.hub();
            let journal = self.shard.journal();
            let mut state = self.state();
            if !matches!(state.carrier, Carrier::Open(_) | Carrier::Away) {
                return None;
            }
            let who = Who {
                session,
                client: client.id(),
                encoding: self.encoding(),
                channels: hub.subscriptions(session).cloned().collect(),
            };
            let missed = journal.missed(&who, since.max(self.began))?;
            let hello = packet::connect(self.namespace(), client.id(), Some(pid));
            let mut said = vec![Message::Text(hello)];
            for (number, missed) in missed {
                match missed {
                    Missed::Broadcast(broadcast) => {
                        said.extend(messages(self.namespace(), broadcast, Some(number)));
                    }
                    Missed::Direct(packet) => said.extend(packet.iter().cloned()),
                }
            }
            outlet.send(&said).ok()?;
            state.generation += 1;
            (std::mem::replace(&mut state.carrier, Carrier::Open(outlet.clone())), state.generation)
        };
        match before {
            Carrier::Away => self.returning.not_away(),
            // It was dead, and nobody had noticed; what is heard on it from here on is nobody's.
            Carrier::Open(old) => {
                client.asked.lose();
                old.close(close::GOING_AWAY, "the client came back by another connection");
            }
            Carrier::Beginning(_) | Carrier::Ended(_) => {}
        }
        Some(generation)
    }
}
