//! The [`Broker`]: who orders the publications of a channel, keeps them and hands them on.
//!
//! # Contract
//! - The order of calls to [`Broker::publish`] on a channel is the order of its entries. A call has
//!   its effect whether or not the answer is awaited.
//! - An entry is visible, to readers and to the [`Tail`], from the moment its level is reached, and
//!   not before; the tail gets the entries of a channel in their order, each once.
//! - Whoever has subscribed before it reads gets each entry in what it read, or from the tail, or
//!   both, and can tell by the position.
//! - An answer that is an error means that the entry is nowhere, unless the error says otherwise.
//! - Dropping a broker writes what it was given.
//!
//! One suite of tests holds every broker to it.

mod answer;
#[cfg(test)]
mod contract;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod link;
mod local;
#[cfg(feature = "nats")]
mod nats;
mod record;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "seeded-bugs")]
pub(crate) mod seeded;
mod shared;
mod stripes;
#[cfg(test)]
mod texts;

use std::fmt;
use std::sync::Arc;

use openline_engine::{Draft, Extent, Page, PageLimits, Query, Recovery};
use openline_protocol::{ChannelName, ErrorCode, Fault, Position, Publication, Reason};

pub(crate) use answer::Answer;
pub(crate) use link::{Ear, Link, NodeId};
pub(crate) use local::{LocalBroker, LocalOptions};
#[cfg(feature = "nats")]
pub(crate) use nats::NatsBackend;
#[cfg(feature = "redis")]
pub(crate) use redis::RedisBackend;
#[cfg(test)]
pub(crate) use shared::testing;
pub(crate) use shared::{Backend, SharedBroker, SharedOptions};

/// Orders, keeps and hands on.
pub(crate) trait Broker: Send + Sync {
    /// Publishes; ready when the level is reached.
    fn publish(&self, draft: Draft, except: Option<Arc<str>>) -> Answer<Published>;

    /// What a reader at `since` missed.
    fn recover(
        &self,
        channel: &ChannelName,
        since: Position,
        limits: &PageLimits,
    ) -> Answer<Recovery>;

    /// A part of a channel's history.
    fn query(
        &self,
        channel: &ChannelName,
        query: &Query,
        limits: &PageLimits,
    ) -> Answer<Result<Page, Reason>>;

    /// How much a channel keeps; none where that cannot be told.
    fn extent(&self, _channel: &ChannelName) -> Answer<Option<Extent>> {
        Answer::now(Ok(None))
    }

    /// Forgets the history of a channel.
    fn clear(&self, channel: &ChannelName) -> Answer<()>;

    /// Has the tail get what is published to a channel from now on; to be called for each
    /// subscription, once [`Tail::is_heard`] says so, and waited for before it reads.
    fn listen(&self, _channel: &ChannelName) -> Answer<()> {
        Answer::now(Ok(()))
    }

    /// Looks whether a channel is heard still; if not, the tail need not get it any more.
    fn unlisten(&self, _channel: &ChannelName) {}

    /// The way to the other nodes, if there can be any.
    fn link(&self) -> Option<Arc<dyn Link>> {
        None
    }

    /// Of what an operator is to be warned, each once; to be asked now and then.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Forgets what is beyond its time; to be called now and then.
    fn sweep(&self) {}

    /// Memory of this node that entries take.
    fn history_bytes(&self) -> usize {
        0
    }

    /// Forgets the oldest entries until those that are left take no more than this.
    fn shrink_history(&self, _bytes_max: usize) {}

    /// Takes no more entries, and gives away what other processes cannot have beside this one. Blocks
    /// until all that came before is written and answered. Readers get what is known until then.
    ///
    /// # Errors
    /// What was to be written may not be; it is given away all the same.
    fn give(&self) -> Result<(), GiveError> {
        Ok(())
    }

    /// Takes back what was given away, from a process that took no entry. Blocks.
    ///
    /// # Errors
    /// [`GiveError::Locked`] while the other process has it: to be tried again. With another error no
    /// entries are taken until a restart.
    fn take_back(&self) -> Result<(), GiveError> {
        Ok(())
    }

    /// What an ack of this broker means.
    fn level(&self) -> &'static str;

    /// How its store is, if it has one here.
    fn store(&self) -> Option<crate::store::Health> {
        None
    }

    /// Whether publications can be taken now.
    fn health(&self) -> BrokerHealth;
}

/// Why a broker could not be given away, or had back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GiveError {
    /// Another process has the store.
    Locked,
    Other(String),
}

impl fmt::Display for GiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("another process has it still"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// Where entries go that have become visible.
pub(crate) trait Tail: Send + Sync {
    /// The next entry of its channel. `except` is a client that does not get it.
    fn publish(&self, publication: Arc<Publication>, except: Option<Arc<str>>);

    /// As [`Tail::publish`], with entries that have become visible together, in their order.
    fn publish_all(&self, entries: Vec<(Arc<Publication>, Option<Arc<str>>)>) {
        for (publication, except) in entries {
            self.publish(publication, except);
        }
    }

    /// What the channel's readers got last cannot be gone on from: each is to read on for itself, and
    /// is told why if that cannot be done. The next entry follows on `_head`.
    fn lost(&self, _channel: &ChannelName, _head: Position) {}

    /// Whether somebody listens to the channel, who could not tell it from another of its name.
    fn is_heard(&self, channel: &ChannelName) -> bool;
}

/// A publication that has its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    /// None on a channel without history.
    pub(crate) position: Option<Position>,
    pub(crate) timestamp: u64,
    /// The key was used before: this is the place of the first try.
    pub(crate) duplicate: bool,
}

/// Who publishes while memory is nearly full is told to wait between these, drawn at random.
const MEMORY_RETRY_MS: std::ops::Range<u64> = 1_000..5_000;

/// Why a broker did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BrokerError {
    /// The key was used for something else so long ago.
    Conflict {
        key: String,
        age_ms: u64,
    },
    /// There are as many channels as may be.
    Channels {
        most: usize,
    },
    /// More waits for the store than it takes.
    Overloaded,
    /// The node has hardly any memory left.
    MemoryFull,
    StorageFull,
    StorageFailed(String),
    /// Another process has it by now.
    HandedOver,
    /// It ends, or does not answer. Whether the entry is kept is not known.
    Unavailable,
}

/// What a broker says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BrokerHealth {
    /// Why it takes no publications, if so.
    pub(crate) ailment: Option<String>,
    pub(crate) channels: usize,
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    /// What waits for the store.
    pub(crate) queued_bytes: u64,
}

impl BrokerError {
    pub(crate) fn fault(&self) -> Fault {
        let fault = Fault::new(self.code(), self.to_string());
        match self {
            Self::MemoryFull => fault.with_retry_after_ms(rand::random_range(MEMORY_RETRY_MS)),
            _ => fault,
        }
    }

    fn code(&self) -> ErrorCode {
        match self {
            Self::Conflict { .. } => ErrorCode::IdempotencyConflict,
            Self::Channels { .. } => ErrorCode::ChannelLimit,
            Self::Overloaded | Self::MemoryFull => ErrorCode::Overloaded,
            Self::StorageFull => ErrorCode::StorageFull,
            Self::StorageFailed(_) => ErrorCode::StorageFailed,
            Self::HandedOver => ErrorCode::ShuttingDown,
            Self::Unavailable => ErrorCode::BrokerUnavailable,
        }
    }
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { key, age_ms } => write!(
                f,
                "key {} was used {} s ago with a different payload; use a new key",
                key.escape_debug(),
                age_ms / 1000
            ),
            Self::Channels { most } => write!(
                f,
                "this server keeps at most {most} channels (limits.channels); use one that exists"
            ),
            Self::Overloaded => f.write_str("too many publications wait; try again in a moment"),
            Self::MemoryFull => f.write_str(
                "the server's memory is nearly full; publishing goes on once there is room",
            ),
            Self::StorageFull => {
                f.write_str("the store is full; publishing goes on by itself once there is space")
            }
            Self::StorageFailed(_) => f.write_str("the store does not write; see the server's log"),
            Self::HandedOver => {
                f.write_str("another process takes over from this one; retry on a new connection")
            }
            Self::Unavailable => f.write_str("the broker does not answer; retry with the same key"),
        }
    }
}
