//! Packets of Socket.IO, protocol v5: text and attachments in, a [`Packet`] out, and back. Pure: no
//! sockets, no clock.
//!
//! A packet is one text message and as many binary ones as it has attachments. [`Decoder`] puts it
//! together, strictly: what the protocol does not know ends the connection.

mod arguments;
mod decoder;
mod encode;
mod malformed;
mod parse;
mod placeholder;

#[cfg(test)]
mod advisory_tests;
#[cfg(test)]
mod roundtrip_tests;

use bytestring::ByteString;

pub(crate) use arguments::Arguments;
pub(crate) use decoder::Decoder;
pub(crate) use encode::{Encoded, ack, connect, connect_error, disconnect, event};
pub(crate) use malformed::Malformed;

/// Attachments of a packet; as many as the reference implementation takes.
pub(crate) const ATTACHMENTS_MAX: usize = 10;
/// Bytes of a namespace's name, the `/` counted.
pub(crate) const NAMESPACE_BYTES_MAX: usize = 255;
/// The namespace that every client may name by leaving its name out.
pub(crate) const MAIN: &str = "/";

/// Events that a client's library keeps for itself. One that hears them takes the packet for broken
/// and ends its connection.
const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Whether no packet may carry this event.
pub(crate) fn is_reserved(event: &str) -> bool {
    RESERVED_EVENTS.contains(&event)
}

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    /// Begins with `/`.
    pub(crate) namespace: ByteString,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It wants to join the namespace. The text is one JSON object.
    Connect { auth: Option<ByteString> },
    /// It leaves the namespace.
    Disconnect,
    /// It wants an answer if there is an `id`.
    Event { name: ByteString, arguments: Arguments, id: Option<u64> },
    /// It answers.
    Ack { id: u64, arguments: Arguments },
}
