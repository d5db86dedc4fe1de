//! What a connection reports to its owner.

use std::borrow::Cow;

use crate::close::CloseReason;
use crate::outbox::FrameKind;

/// Something that the peer did.
///
/// A message that arrived in one piece is borrowed from the input; one put together from pieces, or
/// inflated, is handed over whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A text message.
    Text(Cow<'a, str>),
    /// A binary message.
    Binary(Cow<'a, [u8]>),
    /// A piece of a message, while messages are received as streams
    /// ([`crate::Connection::set_streaming`]).
    Chunk(Chunk<'a>),
    /// A ping; the pong is queued already.
    Ping(Cow<'a, [u8]>),
    /// A pong.
    Pong(Cow<'a, [u8]>),
    /// The peer's close frame; the answer, if one was due, is queued already.
    Close(CloseReason),
}

/// A message that arrived in one uncompressed frame ([`crate::Connection::handle_plain_input`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainMessage<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// What the message is.
    pub kind: FrameKind,
    /// The bytes. Those of a text are UTF-8 as far as they go, but a chunk may end inside a
    /// character.
    pub data: Cow<'a, [u8]>,
    /// The message begins with this chunk.
    pub first: bool,
    /// The message ends with this chunk.
    pub last: bool,
}
