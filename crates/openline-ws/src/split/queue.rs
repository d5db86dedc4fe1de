//! What may wait for a peer, and what happens beyond it.

use openline_ws_proto::CloseReason;

/// What [`Sender::try_send`] does when the peer reads more slowly than is sent to it.
///
/// [`Sender::try_send`]: crate::Sender::try_send
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SlowConsumer {
    /// Refuse the message ([`TrySendError::Full`]); the caller may wait with
    /// [`Sender::send`](crate::Sender::send).
    #[default]
    Refuse,
    /// Drop what is queued and close the line with this reason.
    Close(CloseReason),
    /// Drop the message.
    DropNewest,
    /// Drop the oldest messages that wait, to make room.
    DropOldest,
    /// A message takes the place of a waiting one with the same key
    /// ([`Sender::try_send_keyed`](crate::Sender::try_send_keyed)); one without a key, or with a key
    /// that does not wait, drops the oldest if there is no room.
    Conflate,
}

/// How much may wait for a peer, and what happens beyond it.
#[derive(Debug, Clone)]
pub struct QueueOptions {
    /// Bytes that may wait; a message counts with 16 more than its payload. Default: 1 MiB.
    pub bytes_max: usize,
    /// Beyond that. Default: refuse.
    pub slow_consumer: SlowConsumer,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self { bytes_max: 1 << 20, slow_consumer: SlowConsumer::default() }
    }
}

/// What the queue of a line did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Messages that were dropped.
    pub dropped: u64,
    /// Messages that another took the place of.
    pub conflated: u64,
}

/// Why a message was not taken.
#[derive(Debug)]
pub enum TrySendError {
    /// Too much waits for the peer.
    Full,
    /// The line is closed or closing.
    Closed,
}

impl std::fmt::Display for TrySendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "the line's queue is full",
            Self::Closed => "the connection is closed",
        })
    }
}

impl std::error::Error for TrySendError {}
