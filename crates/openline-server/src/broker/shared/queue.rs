//! [`Desk`]: where callers leave what the broker's thread is to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use openline_engine::{Draft, Extent, Page, Query, Recovery};
use openline_protocol::{ChannelName, Position, Reason};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::reads::Asked;
use crate::broker::{Answer, BrokerError, NodeId, Published};

/// Commands that are not answered yet, and what they carry. Beyond it callers are refused as
/// overload: at a rate at which the store cannot follow, more would only wait longer.
const COMMANDS_MAX: usize = 65_536;
const BYTES_MAX: u64 = 64 << 20;

/// What the broker's thread is to do.
pub(super) enum Command {
    Publish {
        draft: Draft,
        except: Option<Arc<str>>,
        waiter: Waiter<Published>,
    },
    Recover(Asked<Position, Recovery>),
    Query(Asked<Query, Result<Page, Reason>>),
    Extent {
        channel: ChannelName,
        waiter: Waiter<Option<Extent>>,
    },
    Clear {
        channel: ChannelName,
        waiter: Waiter<()>,
    },
    Listen {
        channel: ChannelName,
        waiter: Waiter<()>,
    },
    /// Looks whether a channel is heard still.
    Look(ChannelName),
    Emit {
        channel: ChannelName,
        said: Bytes,
        ticket: Ticket,
    },
    Cast {
        said: Bytes,
        ticket: Ticket,
    },
    Tell {
        node: NodeId,
        said: Bytes,
        ticket: Ticket,
    },
    /// Nothing comes behind it.
    Close,
}

impl Command {
    /// What the store is asked about, if it is.
    pub(super) fn channel(&self) -> Option<&ChannelName> {
        match self {
            Self::Publish { draft, .. } => Some(&draft.channel),
            Self::Recover(asked) => Some(&asked.question.channel),
            Self::Query(asked) => Some(&asked.question.channel),
            Self::Extent { channel, .. }
            | Self::Clear { channel, .. }
            | Self::Listen { channel, .. } => Some(channel),
            Self::Look(_)
            | Self::Emit { .. }
            | Self::Cast { .. }
            | Self::Tell { .. }
            | Self::Close => None,
        }
    }
}

/// Who waits for an answer, since when.
pub(super) struct Waiter<T> {
    answer: oneshot::Sender<Result<T, BrokerError>>,
    since: Instant,
    /// It waits no more when this is dropped.
    _ticket: Ticket,
}

/// A part of the load.
pub(super) struct Ticket {
    load: Arc<Load>,
    bytes: u64,
}

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Load {
    commands: AtomicUsize,
    bytes: AtomicU64,
}

/// Where commands are left.
#[derive(Clone)]
pub(super) struct Desk {
    commands: mpsc::UnboundedSender<Command>,
    load: Arc<Load>,
}

impl Desk {
    pub(super) fn new(commands: mpsc::UnboundedSender<Command>) -> Self {
        Self { commands, load: Arc::default() }
    }

    pub(super) fn load(&self) -> Arc<Load> {
        self.load.clone()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.commands.is_closed()
    }

    /// Leaves a command that is answered.
    pub(super) fn ask<T>(
        &self,
        bytes: usize,
        command: impl FnOnce(Waiter<T>) -> Command,
    ) -> Answer<T> {
        let Some(ticket) = self.ticket(bytes) else {
            return Answer::now(Err(BrokerError::Overloaded));
        };
        let (answer, receiver) = oneshot::channel();
        self.say(command(Waiter { answer, since: Instant::now(), _ticket: ticket }));
        Answer::Later(receiver)
    }

    /// Leaves a command that is not. After [`Command::Close`] it is dropped, and who waits is told.
    pub(super) fn say(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// A part of the load, if there is room for it.
    pub(super) fn ticket(&self, bytes: usize) -> Option<Ticket> {
        let bytes = bytes as u64;
        let before = self.load.commands.fetch_add(1, Ordering::Relaxed);
        let bytes_before = self.load.bytes.fetch_add(bytes, Ordering::Relaxed);
        let ticket = Ticket { load: self.load.clone(), bytes };
        (before < COMMANDS_MAX && bytes_before + bytes <= BYTES_MAX).then_some(ticket)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.load.commands.fetch_sub(1, Ordering::Relaxed);
        self.load.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Load {
    /// Commands that are not answered.
    pub(super) fn commands(&self) -> usize {
        self.commands.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl<T> Waiter<T> {
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    pub(super) fn answer(self, result: Result<T, BrokerError>) {
        // Who does not wait any more has been told nothing, or something else already.
        let _ = self.answer.send(result);
    }
}
