//! Bugs that are put in on purpose, to see whether the delivery checker finds them. Nothing of this
//! is compiled without the feature `seeded-bugs`, and that feature is refused in a release.
//!
//! The engine heals much: a hub that misses an entry reads it from the history, and does not hand on
//! one that it had. So each bug stands behind what would heal it: at what a line is handed, at what a
//! reader is answered, or where the order itself is made.

#[cfg(not(debug_assertions))]
compile_error!("seeded-bugs is for tests of the delivery checker and never for a release");

mod broker;
mod delivery;
mod tail;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use openline_protocol::ChannelName;

use super::{Broker, Ear, Tail};

pub(crate) use delivery::handed_on;

/// Names the bug.
const VARIABLE: &str = "OPENLINE_SEEDED_BUG";

/// How long a commit is held back where something is said before it.
const BEFORE_WRITE: Duration = Duration::from_millis(40);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// What is published between the reading of the history and going live reaches nobody.
    SkipMerge,
    /// The ack comes before the entry is written.
    EarlyAck,
    /// Entries have no tag of their own, so that an offset given out again cannot be told apart.
    ReuseOffset,
    /// One entry in a thousand reaches nobody.
    Drop,
    /// Neighbours change places.
    Swap,
    /// Some entries come twice.
    Twice,
    /// Keys that were used before the node was started are not known.
    ForgetKeys,
    /// After the connection to the broker was lost its channels are not heard again.
    ForgetResubscribe,
    /// Whoever reads on is told that it has all, whether or not the chain joins.
    IgnoreChain,
    /// Subscribers get an entry before it is written.
    EarlyDelivery,
}

const NAMES: &[(&str, Bug)] = &[
    ("skip-merge", Bug::SkipMerge),
    ("early-ack", Bug::EarlyAck),
    ("reuse-offset", Bug::ReuseOffset),
    ("drop", Bug::Drop),
    ("swap", Bug::Swap),
    ("twice", Bug::Twice),
    ("forget-keys", Bug::ForgetKeys),
    ("forget-resubscribe", Bug::ForgetResubscribe),
    ("ignore-chain", Bug::IgnoreChain),
    ("early-delivery", Bug::EarlyDelivery),
];

impl FromStr for Bug {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, bug)| *bug).ok_or_else(|| {
            let known: Vec<_> = NAMES.iter().map(|(known, _)| *known).collect();
            format!("{VARIABLE}: there is no bug {name:?}; there are {}", known.join(", "))
        })
    }
}

impl Bug {
    /// The one of this process, if any.
    fn chosen() -> Result<Option<Self>, String> {
        static CHOSEN: OnceLock<Result<Option<Bug>, String>> = OnceLock::new();
        let read = || match std::env::var(VARIABLE).as_deref() {
            Err(_) | Ok("") => Ok(None),
            Ok(name) => name.parse().map(Some),
        };
        CHOSEN.get_or_init(read).clone()
    }

    fn is_chosen(self) -> bool {
        Self::chosen() == Ok(Some(self))
    }
}

/// Whether the embedded broker acks what it has not written.
pub(crate) fn acks_early() -> bool {
    Bug::EarlyAck.is_chosen()
}

/// Whether the embedded broker hands on what it has not written.
pub(crate) fn delivers_early() -> bool {
    Bug::EarlyDelivery.is_chosen()
}

/// Before the store writes: leaves time for a kill to come between.
pub(crate) fn before_write() {
    if acks_early() || delivers_early() {
        std::thread::sleep(BEFORE_WRITE);
    }
}

/// The bug of a node, put around its broker.
pub(crate) struct Seeded {
    bug: Option<Bug>,
    state: Arc<State>,
}

/// What the parts of a bug share.
#[derive(Default)]
struct State {
    /// Channels that are listened to, and whether they are deaf since a connection was lost.
    listening: Mutex<HashMap<ChannelName, bool>>,
    /// The broker is of this node alone.
    embedded: AtomicBool,
    tail: OnceLock<Arc<dyn Tail>>,
}

impl State {
    fn listening(&self) -> MutexGuard<'_, HashMap<ChannelName, bool>> {
        self.listening.lock().expect("nothing under this lock panics")
    }
}

impl Seeded {
    /// The bug that the environment names, or none.
    pub(crate) fn chosen() -> Result<Self, String> {
        Bug::chosen().map(Self::new)
    }

    fn new(bug: Option<Bug>) -> Self {
        Self { bug, state: Arc::default() }
    }

    /// What the broker is given in place of `tail`.
    pub(crate) fn tail(&self, tail: Arc<dyn Tail>) -> Arc<dyn Tail> {
        let Some(bug) = self.bug else { return tail };
        let _ = self.state.tail.set(tail.clone());
        Arc::new(tail::SeededTail::new(tail, bug, self.state.clone()))
    }

    /// What the broker is given in place of `ear`.
    pub(crate) fn ear(&self, ear: Arc<dyn Ear>) -> Arc<dyn Ear> {
        match self.bug {
            Some(Bug::ForgetResubscribe) => Arc::new(tail::SeededEar::new(ear, self.state.clone())),
            _ => ear,
        }
    }

    /// What the node uses in place of `broker`.
    pub(crate) fn broker(&self, broker: Box<dyn Broker>) -> Box<dyn Broker> {
        let Some(bug) = self.bug else { return broker };
        Box::new(broker::SeededBroker::new(broker.into(), bug, self.state.clone()))
    }
}
