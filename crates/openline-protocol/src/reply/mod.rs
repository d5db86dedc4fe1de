//! What a server sends.

mod encode;

use std::sync::Arc;

use crate::writer::Message;
use crate::{ChannelName, Data, ErrorCode, Fault, Format, Id, Position, Publication, Reason};

/// A message from the server that is not a publication.
///
/// An `id` is that of the request it answers. Times are in milliseconds since 1970.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "spec/PROTOCOL.md says what the fields of each message mean")]
pub enum Reply<'a> {
    /// `welcome`: the first message on every line.
    Welcome {
        client_id: &'a str,
        /// What requests name that belong to this line; none where the line itself takes them.
        session: Option<&'a str>,
        authenticated: bool,
        user: Option<&'a str>,
        /// Subscriptions that the server made by itself.
        channels: &'a [SubscribedTo],
        ping_interval_ms: u64,
        retry_spread_ms: u64,
        expires_at: Option<u64>,
    },
    /// `auth_success`.
    AuthSuccess {
        id: Option<&'a Id>,
        client_id: &'a str,
        user: Option<&'a str>,
        expires_at: Option<u64>,
    },
    /// `auth_failed`; close code 4002 follows.
    AuthFailed { id: Option<&'a Id>, reason: &'a str, code: ErrorCode },
    /// `subscribed`, with what came of each channel.
    Subscribed { id: Option<&'a Id>, channels: &'a [SubscribedTo] },
    /// `unsubscribed`; `reason` says why where the client did not ask for it.
    Unsubscribed { id: Option<&'a Id>, channels: &'a [ChannelName], reason: Option<&'a str> },
    /// `published`.
    Published {
        id: Option<&'a Id>,
        position: Option<Position>,
        /// Whether the key was known, and this is the answer of the first time.
        duplicate: bool,
        /// How safely it is kept.
        level: &'a str,
        timestamp: u64,
    },
    /// `presence` as an answer: one page of the list.
    Presence {
        id: Option<&'a Id>,
        channel: &'a ChannelName,
        members: &'a [Member],
        /// All members, not only those on this page.
        count: u64,
        /// Where the next page begins.
        next: Option<&'a str>,
    },
    /// `presence` as a push: who came, changed and went.
    PresenceChange {
        channel: &'a ChannelName,
        joined: &'a [Member],
        updated: &'a [Member],
        left: &'a [Member],
        count: u64,
        /// Whether `joined` is everybody who is there, and not a change to what was sent before.
        complete: bool,
    },
    /// `history`.
    History {
        id: Option<&'a Id>,
        channel: &'a ChannelName,
        messages: &'a [Arc<Publication>],
        /// The channel's newest position.
        position: Option<Position>,
        /// Whether there are more messages in the direction that was asked for.
        more: bool,
    },
    /// `setPresence` as an answer.
    PresenceSet { id: Option<&'a Id> },
    /// `typing` as an answer.
    TypingSent { id: Option<&'a Id> },
    /// `typing` as a push.
    Typing { channel: &'a ChannelName, client_id: &'a str, user: Option<&'a str>, is_typing: bool },
    /// `pong`.
    Pong { id: Option<&'a Id>, timestamp: u64, retry_spread_ms: u64 },
    /// `close`: the line is about to end.
    Close {
        code: u16,
        reason: &'a str,
        /// When the client may come back, in milliseconds from now.
        retry_after_ms: Option<u64>,
    },
    /// `drain`: the server will close the line, and another may be opened before.
    Drain {
        /// When it will, in milliseconds from now.
        closes_in_ms: u64,
        /// When the client may come back if it waits for that, in milliseconds from the close.
        retry_after_ms: u64,
    },
    /// The answer of a handler to a type of its own.
    Answer { id: Option<&'a Id>, kind: &'a str, data: &'a Data },
    /// `unrecovered`: messages are missing on a live line.
    Unrecovered { channel: &'a ChannelName, reason: Reason, position: Option<Position> },
    /// `upload`: a transfer may begin, or go on.
    UploadOpen {
        id: Option<&'a Id>,
        upload: &'a str,
        /// How many bytes are stored.
        offset: u64,
        chunk_max: u64,
        window: u64,
        expires_at: u64,
    },
    /// `chunk`: all before the offset is stored.
    ChunkStored { id: Option<&'a Id>, upload: &'a str, offset: u64 },
    /// `complete`.
    UploadComplete { id: Option<&'a Id>, file: &'a StoredFile },
    /// `cancel`.
    UploadCancelled { id: Option<&'a Id>, upload: &'a str },
    /// `error`, with a code of the application's own.
    Refused {
        id: Option<&'a Id>,
        code: &'a str,
        message: &'a str,
        retry_after_ms: Option<u64>,
        /// What the application adds.
        data: Option<&'a Data>,
    },
    /// `error`.
    Error(&'a Fault),
}

impl Reply<'_> {
    /// Appends the message to `out`.
    pub fn encode(&self, format: Format, out: &mut Vec<u8>) {
        self.encode_to(format, out);
    }
}

/// A file that was sent in whole.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "spec/PROTOCOL.md says what the fields of `complete` mean")]
pub struct StoredFile {
    pub upload: Arc<str>,
    pub name: String,
    pub size: u64,
    pub content_type: String,
    /// In hexadecimal digits.
    pub sha256: String,
    pub url: String,
    pub expires_at: u64,
}

/// What came of a subscription to one channel.
#[derive(Debug, Clone)]
pub struct SubscribedTo {
    /// The channel that was asked for.
    pub channel: ChannelName,
    /// The subscription, or why there is none. The fault's id is not sent.
    pub outcome: Result<Joined, Fault>,
}

/// A subscription that was made.
#[derive(Debug, Clone)]
pub struct Joined {
    /// The position after `messages`: what comes now follows it. None where the channel keeps no
    /// history.
    pub position: Option<Position>,
    /// What came of the position that the client gave.
    pub recovery: Recovery,
    /// The messages that were missed or asked for, oldest first.
    pub messages: Vec<Arc<Publication>>,
    /// How many members the channel has, where it keeps presence.
    pub members: Option<u64>,
}

/// What came of the position that a client gave when it subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// It gave none.
    None,
    /// All that was published after it is there.
    Recovered,
    /// Something is missing.
    Unrecovered(Reason),
}

/// Somebody who is in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The line.
    pub client_id: Arc<str>,
    /// Who was authenticated on it.
    pub user: Option<Arc<str>>,
    /// What the token says about the user.
    pub info: Option<Data>,
    /// What the client says about itself.
    pub status: Option<Arc<str>>,
    /// More of that.
    pub data: Option<Data>,
}
