//! Errors, split by whose fault they are.

use std::fmt;

use crate::close::{CloseCode, CloseReason};

/// The peer broke the protocol, or sent more than this endpoint takes.
///
/// Each has one close code ([`ProtocolError::close_code`]) and one sentence, which is also the
/// reason that the peer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// RFC 6455 §5.1: a client masks every frame.
    UnmaskedFrame,
    /// RFC 6455 §5.1: a server masks none.
    MaskedFrame,
    /// RFC 6455 §5.2: a reserved bit without an extension that gives it a meaning.
    ReservedBit {
        /// 1, 2 or 3.
        bit: u8,
        /// What the frame was when the bit would have had a meaning elsewhere.
        place: ReservedBitPlace,
    },
    /// RFC 6455 §5.2: opcodes 3–7 and B–F are reserved.
    ReservedOpcode(u8),
    /// RFC 6455 §5.2: a length stands in the shortest form that holds it.
    LengthNotMinimal(u64),
    /// RFC 6455 §5.2: the top bit of a 64-bit length is 0.
    LengthTopBit,
    /// RFC 6455 §5.5: a control frame carries 125 bytes at most.
    ControlFrameTooLong(u64),
    /// RFC 6455 §5.5: a control frame is not fragmented.
    FragmentedControlFrame,
    /// RFC 6455 §5.4: a continuation frame with nothing to continue.
    UnexpectedContinuation,
    /// RFC 6455 §5.4: a new message before the last one ended.
    ExpectedContinuation,
    /// RFC 6455 §5.5.1: a close frame's body is empty or begins with a two-byte code.
    ClosePayloadOfOneByte,
    /// RFC 6455 §7.4: a code that may not stand in a close frame.
    InvalidCloseCode(CloseCode),
    /// RFC 6455 §8.1: a text that is not UTF-8.
    InvalidUtf8 {
        /// Where the first bad sequence begins, counted from 0.
        position: u64,
        /// Which text it was.
        source: MessageSource,
    },
    /// RFC 7692 §7.2.2: a compressed message that does not inflate.
    InvalidDeflate,
    /// A frame longer than [`crate::Limits::frame_bytes_max`].
    FrameTooBig {
        /// The limit.
        limit: u64,
    },
    /// A message longer than [`crate::Limits::message_bytes_max`].
    MessageTooBig {
        /// The limit.
        limit: u64,
        /// Whether it passed the limit only when inflated.
        inflated: bool,
    },
    /// More fragments than [`crate::Limits::fragments_max`], empty ones counted.
    TooManyFragments {
        /// The limit.
        limit: u32,
    },
}

/// Where a reserved bit stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReservedBitPlace {
    /// No extension is in force that uses it.
    NoExtension,
    /// RFC 7692 §6.1: only the first frame of a message says that it is compressed.
    Continuation,
    /// RFC 7692 §6.1: control frames are not compressed.
    Control,
}

/// Which text was not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageSource {
    /// A text message.
    Message,
    /// The reason in a close frame.
    CloseReason,
}

impl ProtocolError {
    /// The code with which the connection is closed.
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::UnmaskedFrame
            | Self::MaskedFrame
            | Self::ReservedBit { .. }
            | Self::ReservedOpcode(_)
            | Self::LengthNotMinimal(_)
            | Self::LengthTopBit
            | Self::ControlFrameTooLong(_)
            | Self::FragmentedControlFrame
            | Self::UnexpectedContinuation
            | Self::ExpectedContinuation
            | Self::ClosePayloadOfOneByte
            | Self::InvalidCloseCode(_) => CloseCode::PROTOCOL_ERROR,
            Self::InvalidUtf8 { .. } | Self::InvalidDeflate => CloseCode::INVALID_DATA,
            Self::FrameTooBig { .. } | Self::MessageTooBig { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::TooManyFragments { .. } => CloseCode::POLICY_VIOLATION,
        }
    }

    /// Code and sentence as a close frame carries them.
    pub fn close_reason(&self) -> CloseReason {
        CloseReason::new(self.close_code(), self.to_string())
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnmaskedFrame => f.write_str("frame from client is not masked"),
            Self::MaskedFrame => f.write_str("frame from server is masked"),
            Self::ReservedBit { bit, place } => match place {
                ReservedBitPlace::NoExtension => {
                    write!(f, "RSV{bit} set but no extension negotiated")
                }
                ReservedBitPlace::Continuation => write!(f, "RSV{bit} set on a continuation frame"),
                ReservedBitPlace::Control => write!(f, "RSV{bit} set on a control frame"),
            },
            Self::ReservedOpcode(opcode) => write!(f, "reserved opcode {opcode:#x}"),
            Self::LengthNotMinimal(length) => {
                write!(f, "length {length} is not in its shortest form")
            }
            Self::LengthTopBit => f.write_str("top bit of a 64-bit length is set"),
            Self::ControlFrameTooLong(length) => write!(f, "control frame payload {length} > 125"),
            Self::FragmentedControlFrame => f.write_str("control frame is fragmented"),
            Self::UnexpectedContinuation => f.write_str("continuation without a started message"),
            Self::ExpectedContinuation => {
                f.write_str("new message before the last fragment of the one before")
            }
            Self::ClosePayloadOfOneByte => f.write_str("close frame payload of one byte"),
            Self::InvalidCloseCode(code) => write!(f, "close code {code} may not be sent"),
            Self::InvalidUtf8 { position, source: MessageSource::Message } => {
                write!(f, "invalid UTF-8 at byte {position}")
            }
            Self::InvalidUtf8 { position, source: MessageSource::CloseReason } => {
                write!(f, "invalid UTF-8 at byte {position} of the close reason")
            }
            Self::InvalidDeflate => f.write_str("compressed message does not inflate"),
            Self::FrameTooBig { limit } => write!(f, "frame exceeds {limit} bytes"),
            Self::MessageTooBig { limit, inflated: false } => {
                write!(f, "message exceeds {limit} bytes")
            }
            Self::MessageTooBig { limit, inflated: true } => {
                write!(f, "decompressed message exceeds {limit} bytes")
            }
            Self::TooManyFragments { limit } => {
                write!(f, "message has more than {limit} fragments")
            }
        }
    }
}

impl std::error::Error for ProtocolError {}

/// The caller asked for something that the connection cannot do now. The connection is unharmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closing or closed: nothing more can be sent.
    Closed,
    /// A fragmented message is being sent: finish it first (RFC 6455 §5.4).
    MessageUnfinished,
    /// A fragment was sent as a continuation, but no message is under way (RFC 6455 §5.4).
    NoMessageStarted,
    /// A ping or pong payload over 125 bytes (RFC 6455 §5.5).
    ControlFrameTooLong,
    /// A close code that may not be sent (RFC 6455 §7.4).
    InvalidCloseCode(CloseCode),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection is closed"),
            Self::MessageUnfinished => f.write_str("a fragmented message is not finished yet"),
            Self::NoMessageStarted => f.write_str("a continuation needs a message to continue"),
            Self::ControlFrameTooLong => f.write_str("a ping or pong carries at most 125 bytes"),
            Self::InvalidCloseCode(code) => write!(
                f,
                "close code {code} may not be sent; use 1000-1003, 1007-1014 or 3000-4999"
            ),
        }
    }
}

impl std::error::Error for SendError {}
