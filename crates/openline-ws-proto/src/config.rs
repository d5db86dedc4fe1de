//! What a connection is told when it is made: its role, limits, deadlines, compression.

use std::time::Duration;

use crate::deflate::DeflateOptions;
use crate::mask::MaskKey;

/// Which side of the connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Opened the connection; masks what it sends.
    Client,
    /// Accepted the connection; masks nothing.
    Server,
}

impl Role {
    /// The other side.
    pub fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Milliseconds since a moment of the caller's choice, the same for all calls on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment `duration` later.
    pub(crate) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// Gives a masking key that the peer cannot predict (RFC 6455 §10.3): draw it from a
/// cryptographically secure generator.
pub type MaskSource = fn() -> MaskKey;

/// What one connection is made from; shared by all connections of a kind.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// What the peer may send.
    pub limits: Limits,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// Compression of messages, where the handshake agreed on it.
    pub deflate: DeflateOptions,
    /// Where masking keys come from. A client cannot do without; a server never asks.
    pub mask_source: Option<MaskSource>,
}

/// What the peer may send. Beyond it the connection is closed with the code named here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in one frame's payload (1009). Default: 1 MiB.
    pub frame_bytes_max: u64,
    /// Bytes in one message, all its fragments together, before and after inflating (1009). A message
    /// that is not whole in the input holds less than twice this in memory, and three times while
    /// its buffer moves to a larger place; one that inflates never more than twice. The codec comes
    /// on top, 80 KiB while it inflates. The tests hold it to that. Default: 1 MiB.
    pub message_bytes_max: u64,
    /// Fragments in one message, empty ones counted (1008). Default: 1,024.
    pub fragments_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { frame_bytes_max: 1 << 20, message_bytes_max: 1 << 20, fragments_max: 1024 }
    }
}

/// How long things may take. `None` means for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// A ping is sent after this long without a byte from the peer. It costs a frame of two bytes
    /// (six from a client) each time and notices a dead line. Default: 25 s.
    pub ping_interval: Option<Duration>,
    /// After a ping that `ping_interval` brought about, the connection ends when no byte comes for
    /// this long. A ping of the application's own ([`crate::Connection::ping`]) starts no deadline.
    /// Default: 10 s.
    pub pong: Option<Duration>,
    /// From the first byte of a message to its last, unless it is received as a stream. Default:
    /// 60 s.
    pub message: Option<Duration>,
    /// The peer takes none of the bytes that wait for it. It begins anew whenever some are taken, so
    /// it does not bound how long all of them may take. Default: 30 s.
    pub write: Option<Duration>,
    /// From queueing our close frame to the end of the transport, so what is queued before the frame
    /// has to leave within it too. Default: 5 s.
    pub close: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            ping_interval: Some(Duration::from_secs(25)),
            pong: Some(Duration::from_secs(10)),
            message: Some(Duration::from_secs(60)),
            write: Some(Duration::from_secs(30)),
            close: Some(Duration::from_secs(5)),
        }
    }
}
