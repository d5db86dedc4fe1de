//! What a server sends, as a client reads it.

mod decode;
mod object;

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use crate::{
    ChannelName, Data, ErrorCode, Format, Id, Member, Position, Publication, Recovery, StoredFile,
};

/// How deep a message may be nested. A payload of the deepest message that a client may send comes
/// back inside `subscribed`, which adds five levels of its own.
pub(crate) const DEPTH_MAX: usize = crate::limits::DEPTH_MAX + 8;

/// A message from the server. Times are in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "spec/PROTOCOL.md says what the fields of each message mean")]
pub enum Message {
    /// `welcome`: the first message on every line.
    Welcome(Welcome),
    /// `auth_success`.
    AuthSuccess {
        id: Option<Id>,
        client_id: ByteString,
        user: Option<ByteString>,
        expires_at: Option<u64>,
    },
    /// `auth_failed`. The code is there in text because servers may know more than this crate.
    AuthFailed { id: Option<Id>, code: ByteString, reason: ByteString },
    /// `subscribed`; without an id, the server subscribed the line by itself.
    Subscribed { id: Option<Id>, channels: Vec<Subscribed> },
    /// `unsubscribed`; without an id, the server ended the subscriptions.
    Unsubscribed { id: Option<Id>, channels: Vec<ChannelName>, reason: Option<ByteString> },
    /// `published`.
    Published { id: Option<Id>, published: Published },
    /// `presence` as an answer.
    Presence { id: Id, channel: ChannelName, page: PresencePage },
    /// `presence` as a push.
    PresenceChange { channel: ChannelName, change: PresenceChange },
    /// `history`.
    History { id: Option<Id>, channel: ChannelName, page: HistoryPage },
    /// `setPresence` as an answer.
    PresenceSet { id: Option<Id> },
    /// `typing` as an answer.
    TypingSent { id: Id },
    /// `typing` as a push.
    Typing {
        channel: ChannelName,
        client_id: ByteString,
        user: Option<ByteString>,
        is_typing: bool,
    },
    /// `pong`.
    Pong { id: Option<Id>, timestamp: u64, retry_spread_ms: Option<u64> },
    /// `close`: the line is about to end.
    Close { code: u16, reason: ByteString, retry_after_ms: Option<u64> },
    /// `drain`: the server will close the line in so long; a client that waits for that may come
    /// back so long after it.
    Drain { closes_in_ms: u64, retry_after_ms: Option<u64> },
    /// `unrecovered`: messages are missing on a live line.
    Unrecovered { channel: ChannelName, reason: ByteString, position: Option<Position> },
    /// `upload`: a transfer may begin, or go on.
    UploadOpen { id: Option<Id>, open: UploadOpen },
    /// `chunk`: all before the offset is stored.
    ChunkStored { id: Option<Id>, upload: ByteString, offset: u64 },
    /// `complete`.
    UploadComplete { id: Option<Id>, file: StoredFile },
    /// `cancel`.
    UploadCancelled { id: Option<Id>, upload: ByteString },
    /// `error`.
    Error { id: Option<Id>, failure: Failure },
    /// A message of a channel.
    Publication(Publication),
    /// A type of the application: an answer, a push, or with an id that begins with `s-` a request.
    Other { id: Option<Id>, kind: ByteString, data: Option<Data> },
}

impl Message {
    /// Reads a message of the server. Payloads are slices of `input` where they can be.
    ///
    /// # Errors
    /// When it is not a message of protocol v1; says why.
    pub fn decode(format: Format, input: &Bytes) -> Result<Self, DecodeError> {
        decode::decode(format, input)
    }

    /// The id of the request that it answers; of a server's request, its own.
    pub fn id(&self) -> Option<&Id> {
        match self {
            Self::Presence { id, .. } | Self::TypingSent { id } => Some(id),
            Self::AuthSuccess { id, .. }
            | Self::AuthFailed { id, .. }
            | Self::Subscribed { id, .. }
            | Self::Unsubscribed { id, .. }
            | Self::Published { id, .. }
            | Self::History { id, .. }
            | Self::PresenceSet { id }
            | Self::Pong { id, .. }
            | Self::UploadOpen { id, .. }
            | Self::ChunkStored { id, .. }
            | Self::UploadComplete { id, .. }
            | Self::UploadCancelled { id, .. }
            | Self::Error { id, .. }
            | Self::Other { id, .. } => id.as_ref(),
            Self::Welcome(_)
            | Self::PresenceChange { .. }
            | Self::Typing { .. }
            | Self::Close { .. }
            | Self::Drain { .. }
            | Self::Unrecovered { .. }
            | Self::Publication(_) => None,
        }
    }
}

/// The first message on a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Welcome {
    /// The name of this line.
    pub client_id: ByteString,
    /// What requests name that belong to this line, where they come by POST.
    pub session: Option<ByteString>,
    /// Whether a token came with the handshake.
    pub authenticated: bool,
    /// Whom it names.
    pub user: Option<ByteString>,
    /// After what quiet the server sends a ping.
    pub ping_interval_ms: Option<u64>,
    /// Over what time clients that are lost are to come back.
    pub retry_spread_ms: Option<u64>,
    /// When the token runs out.
    pub expires_at: Option<u64>,
    /// Subscriptions that the server made by itself.
    pub channels: Vec<Subscribed>,
}

/// What came of a subscription to one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscribed {
    /// The channel that was asked for.
    pub channel: ChannelName,
    /// The subscription, or why there is none.
    pub outcome: Result<Subscription, Failure>,
}

/// A subscription that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// What comes now follows this.
    pub position: Option<Position>,
    /// What came of the position that was given.
    pub recovery: Recovery,
    /// What was missed or asked for, oldest first.
    pub messages: Vec<Publication>,
    /// How many members the channel has.
    pub members: Option<u64>,
}

/// A message was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// Where it stands, if the channel keeps history and it is not volatile.
    pub position: Option<Position>,
    /// How safely it is kept: `memory`, `os`, `fsync` or `broker`.
    pub level: ByteString,
    /// When it was accepted.
    pub timestamp: u64,
    /// Whether the key was known, and this is the answer of the first time.
    pub duplicate: bool,
}

/// A part of the list of members.
#[derive(Debug, Clone, PartialEq)]
pub struct PresencePage {
    /// Those of this page.
    pub members: Vec<Member>,
    /// All members, not only those of this page.
    pub count: u64,
    /// Where the next page begins, if there is one.
    pub next: Option<ByteString>,
}

/// Who came, changed and went.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PresenceChange {
    /// Who came.
    pub joined: Vec<Member>,
    /// Who changed.
    pub updated: Vec<Member>,
    /// Who went.
    pub left: Vec<Member>,
    /// How many there are now.
    pub count: u64,
    /// Whether `joined` is everybody who is there.
    pub complete: bool,
}

/// A part of a channel's history.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HistoryPage {
    /// In the order that was asked for.
    pub messages: Vec<Publication>,
    /// That of the channel's newest message.
    pub position: Option<Position>,
    /// Whether there are more in the same direction.
    pub more: bool,
}

/// A transfer may begin, or go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadOpen {
    /// What names it.
    pub upload: ByteString,
    /// How many bytes are stored: the next chunk begins there.
    pub offset: u64,
    /// Bytes that a chunk may have.
    pub chunk_max: u64,
    /// Bytes that may be sent and not acknowledged.
    pub window: u64,
    /// When it is forgotten, unless something of it comes before.
    pub expires_at: u64,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For programs. It is there in text because servers may know more than this crate.
    pub code: ByteString,
    /// For people.
    pub message: ByteString,
    /// When to try again, in milliseconds from now.
    pub retry_after_ms: Option<u64>,
    /// The transfer that it is about.
    pub upload: Option<ByteString>,
    /// How many bytes of it are stored.
    pub offset: Option<u64>,
    /// What the application says besides.
    pub data: Option<Data>,
}

impl Failure {
    /// Whether the same request may succeed later without being changed. A code that is not known is
    /// taken for one after which it does not.
    pub fn is_retryable(&self) -> bool {
        self.code.parse().is_ok_and(ErrorCode::retryable)
    }
}

/// What came is not a message of protocol v1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(pub(crate) String);

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a message of protocol v1: {}", self.0)
    }
}

impl std::error::Error for DecodeError {}
