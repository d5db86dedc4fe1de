//! What a client sends.

mod command;
mod encode;
mod fields;
mod near_miss;
mod params;
mod parse;
mod transfer;

use bytestring::ByteString;

use crate::{ChannelName, Data, Id, Position};

pub use parse::parse_request;
pub use transfer::{Chunk, Complete, NewFile, Upload};

/// How messages are written on a line, which its subprotocol says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JSON in text messages: `openline.v1.json`, and lines without a subprotocol.
    Json,
    /// MessagePack in binary messages: `openline.v1.msgpack`.
    MessagePack,
}

/// A message from a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Chosen by the client. Without one, `publish`, `setPresence`, `typing` and types of the
    /// application have no reply but an error.
    pub id: Option<Id>,
    /// What it asks for.
    pub command: Command,
    /// How many fields it had that nothing knows.
    pub unknown_fields: u32,
}

impl Request {
    /// A message to be sent.
    pub fn new(id: Option<Id>, command: Command) -> Self {
        Self { id, command, unknown_fields: 0 }
    }
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// `auth`, also to renew the token of a live line.
    Auth {
        /// The token.
        token: String,
    },
    /// `subscribe`.
    Subscribe {
        /// At least one, and no channel twice.
        channels: Vec<SubscribeTo>,
    },
    /// `unsubscribe`.
    Unsubscribe {
        /// At least one.
        channels: Vec<ChannelName>,
    },
    /// `publish`.
    Publish(Publish),
    /// `presence`: a page of the list.
    Presence {
        /// Whose members.
        channel: ChannelName,
        /// Where the page begins: `next` of the page before.
        after: Option<String>,
        /// How many members at most.
        limit: Option<u32>,
    },
    /// `history`.
    History(HistoryQuery),
    /// `setPresence`.
    SetPresence {
        /// In which channel; in all of the line's without one.
        channel: Option<ChannelName>,
        /// At most 64 bytes.
        status: Option<String>,
        /// More about the client.
        data: Option<Data>,
    },
    /// `typing`.
    Typing {
        /// Where.
        channel: ChannelName,
        /// Whether it began or ended.
        is_typing: bool,
    },
    /// `upload`.
    Upload(Upload),
    /// `chunk`.
    Chunk(Chunk),
    /// `complete`.
    Complete(Complete),
    /// `cancel`.
    Cancel {
        /// The transfer.
        upload: ByteString,
    },
    /// `ping`.
    Ping,
    /// A type that is not built in: for a handler.
    Other {
        /// The type.
        kind: ByteString,
        /// Its payload.
        data: Option<Data>,
    },
}

/// One channel of a `subscribe`.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscribeTo {
    /// Which.
    pub channel: ChannelName,
    /// What the client saw last.
    pub position: Option<Position>,
    /// A token for this channel alone.
    pub token: Option<String>,
    /// How many of the newest messages to send where there is no position.
    pub history: Option<u32>,
}

/// A message for a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Publish {
    /// Where to.
    pub channel: ChannelName,
    /// What becomes the `type` of the publication. At most 64 bytes, not a built-in type.
    pub event: Option<ByteString>,
    /// The payload; `null` if there was none.
    pub data: Data,
    /// Under the same key a message is published once. At most 64 bytes.
    pub key: Option<ByteString>,
    /// Whether the sender's own subscription gets it too.
    pub echo: bool,
    /// Whether it is kept out of the channel's history.
    pub volatile: bool,
}

/// Which messages of a channel's history a client wants.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryQuery {
    /// Whose history.
    pub channel: ChannelName,
    /// How many messages at most.
    pub limit: Option<u32>,
    /// Only messages after this position.
    pub since: Option<Position>,
    /// Only messages before this position.
    pub before: Option<Position>,
    /// Only messages of this time or later, in milliseconds since 1970.
    pub since_time: Option<u64>,
    /// Newest first.
    pub reverse: bool,
}
