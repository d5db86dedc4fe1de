//! [`Deadlines`]: when calls have to be answered. Watched by a thread that runs no handlers, so that
//! one that blocks is found out too.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use openline_protocol::ErrorCode;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::call::Responder;
use super::client::Client;
use super::reply::Refusal;

/// When calls have to be answered.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    table: Mutex<BTreeMap<Key, Entry>>,
    sooner: Notify,
    numbers: AtomicU64,
}

type Key = (Instant, u64);

#[derive(Debug)]
struct Entry {
    responder: Weak<Responder>,
    client: Weak<Client>,
    passed: Arc<AtomicBool>,
    timeout: Duration,
}

/// The deadline of a call. Dropping it takes it back.
#[derive(Debug)]
pub(crate) struct Ticket {
    deadlines: Arc<Deadlines>,
    key: Key,
    passed: Arc<AtomicBool>,
    is_kept: bool,
}

impl Deadlines {
    /// A call begins that has to be answered in time.
    pub(crate) fn set(
        self: &Arc<Self>,
        client: &Arc<Client>,
        responder: &Arc<Responder>,
        timeout: Duration,
    ) -> Ticket {
        let key = (Instant::now() + timeout, self.numbers.fetch_add(1, Ordering::Relaxed));
        let passed = Arc::new(AtomicBool::new(false));
        let entry = Entry {
            responder: Arc::downgrade(responder),
            client: Arc::downgrade(client),
            passed: passed.clone(),
            timeout,
        };
        let is_first = {
            let mut table = self.table();
            table.insert(key, entry);
            table.first_key_value().is_some_and(|(first, _)| *first == key)
        };
        if is_first {
            self.sooner.notify_one();
        }
        Ticket { deadlines: self.clone(), key, passed, is_kept: false }
    }

    /// Watches over them until `stopped`.
    pub(crate) async fn watch(&self, stopped: impl Future<Output = ()>) {
        let watch = async {
            loop {
                let first = self.table().first_key_value().map(|((at, _), _)| *at);
                match first {
                    None => self.sooner.notified().await,
                    Some(at) => tokio::select! {
                        () = self.sooner.notified() => {}
                        () = sleep_until(at) => self.pass(Instant::now()),
                    },
                }
            }
        };
        tokio::select! {
            () = watch => {}
            () = stopped => {}
        }
    }

    fn pass(&self, now: Instant) {
        let passed = {
            let mut table = self.table();
            let later = table.split_off(&(now, u64::MAX));
            std::mem::replace(&mut *table, later)
        };
        for Entry { responder, client, passed, timeout } in passed.into_values() {
            passed.store(true, Ordering::Relaxed);
            if let Some(responder) = responder.upgrade() {
                let message = format!("no answer within {} ms", timeout.as_millis());
                responder.respond(Err(Refusal::new(ErrorCode::Timeout.as_str(), message)));
            }
            if let Some(client) = client.upgrade() {
                client.calls.expired();
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<Key, Entry>> {
        self.table.lock().expect("nothing under this lock panics")
    }
}

impl Ticket {
    pub(crate) fn has_passed(&self) -> bool {
        self.passed.load(Ordering::Relaxed)
    }

    /// The deadline stands, although the handler has returned.
    pub(crate) fn keep(&mut self) {
        self.is_kept = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_kept {
            self.deadlines.table().remove(&self.key);
        }
    }
}
