//! [`Malformed`]: why a message is no packet.

use std::fmt;

use super::{ATTACHMENTS_MAX, NAMESPACE_BYTES_MAX};

/// Why a message is no packet. The peer broke the protocol; its connection ends, and the text is for
/// the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// The first character is none of the types that a client sends.
    Kind,
    /// What stands before `-` is not 1 to [`ATTACHMENTS_MAX`].
    Attachments,
    NamespaceTooLong,
    /// The id is larger than 64 bits, or there is one where none belongs, or none where one does.
    Id,
    /// The payload is not the JSON that belongs there.
    Json(String),
    Payload(&'static str),
    ReservedEvent,
    /// What was wrong with the places of the attachments.
    Placeholder(String),
    /// A text message came where attachments were due.
    TextWithin,
    /// A binary message came that no packet announced.
    StrayBinary,
    TooLarge,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind => f.write_str("expected a packet type that clients send: 0, 1, 2, 3, 5, 6"),
            Self::Attachments => {
                write!(f, "expected the number of attachments, 1 to {ATTACHMENTS_MAX}, and -")
            }
            Self::NamespaceTooLong => {
                write!(f, "a namespace has at most {NAMESPACE_BYTES_MAX} bytes")
            }
            Self::Id => f.write_str("expected an id of 64 bits with acks and perhaps with events"),
            Self::Json(fault) => write!(f, "the payload: {fault}"),
            Self::Payload(expected) => write!(f, "the payload: expected {expected}"),
            Self::ReservedEvent => f.write_str("the event's name is reserved"),
            Self::Placeholder(fault) => write!(f, "the places of attachments: {fault}"),
            Self::TextWithin => f.write_str("expected the packet's attachments, got text"),
            Self::StrayBinary => f.write_str("expected a packet, got an attachment of none"),
            Self::TooLarge => f.write_str("the packet and its attachments are too large together"),
        }
    }
}

impl std::error::Error for Malformed {}
