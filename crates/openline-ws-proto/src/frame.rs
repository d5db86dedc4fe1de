//! The head of a frame (RFC 6455 §5.2): written whole, read from as many pieces as it comes in.

use crate::Role;
use crate::error::{ProtocolError, ReservedBitPlace};
use crate::mask::MaskKey;

/// The most that a control frame may carry (RFC 6455 §5.5).
pub const CONTROL_PAYLOAD_MAX: usize = 125;

/// The longest head: two bytes, a 64-bit length, a masking key.
pub const HEAD_BYTES_MAX: usize = 14;

/// What a frame is (RFC 6455 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further piece of a message.
    Continuation = 0x0,
    /// A text message, or its first piece.
    Text = 0x1,
    /// A binary message, or its first piece.
    Binary = 0x2,
    /// The end of the connection.
    Close = 0x8,
    /// Asks for a pong.
    Ping = 0x9,
    /// Answers a ping, or says without being asked that the line lives.
    Pong = 0xa,
}

impl Opcode {
    /// Close, ping and pong are control frames (RFC 6455 §5.5).
    pub fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }

    fn parse(bits: u8) -> Result<Self, ProtocolError> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return Err(ProtocolError::ReservedOpcode(bits)),
        })
    }
}

/// A frame's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// The last frame of its message.
    pub fin: bool,
    /// The message is compressed (RFC 7692 §6).
    pub compressed: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// The key, in frames from a client.
    pub mask: Option<MaskKey>,
    /// Bytes of payload that follow.
    pub payload_len: u64,
}

/// What a reader of frames needs to know to tell a lawful head from an unlawful one.
#[derive(Debug, Clone, Copy)]
pub struct FrameRules {
    /// The side that sent the frame.
    pub sender: Role,
    /// permessage-deflate is in force, so RSV1 has a meaning.
    pub deflate: bool,
}

impl FrameHead {
    /// Reads a head off the front of `bytes`; returns it with its length in bytes, or `None` when
    /// more bytes are needed.
    ///
    /// # Errors
    /// As soon as a byte is there that no lawful head has: nothing is waited for that cannot help.
    pub fn parse(bytes: &[u8], rules: FrameRules) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let fin = first & 0x80 != 0;
        let opcode = Opcode::parse(first & 0x0f)?;
        let compressed = reserved_bits(first, opcode, rules)?;
        if opcode.is_control() && !fin {
            return Err(ProtocolError::FragmentedControlFrame);
        }
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let masked = second & 0x80 != 0;
        match (rules.sender, masked) {
            (Role::Client, false) => return Err(ProtocolError::UnmaskedFrame),
            (Role::Server, true) => return Err(ProtocolError::MaskedFrame),
            _ => {}
        }
        let Some((payload_len, length_end)) = payload_length(bytes, second & 0x7f, opcode)? else {
            return Ok(None);
        };
        if !masked {
            return Ok(Some((
                Self { fin, compressed, opcode, mask: None, payload_len },
                length_end,
            )));
        }
        let Some(key) = bytes[length_end..].first_chunk::<4>() else { return Ok(None) };
        let head = Self { fin, compressed, opcode, mask: Some(*key), payload_len };
        Ok(Some((head, length_end + 4)))
    }

    /// Appends the head to `out`; the payload, masked if there is a key, is to follow.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut bytes = [0; HEAD_BYTES_MAX];
        bytes[0] = u8::from(self.fin) << 7 | u8::from(self.compressed) << 6 | self.opcode as u8;
        let mut len = match self.payload_len {
            length @ 0..=125 => {
                bytes[1] = length as u8;
                2
            }
            length @ 126..=0xffff => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
                4
            }
            length => {
                bytes[1] = 127;
                bytes[2..10].copy_from_slice(&length.to_be_bytes());
                10
            }
        };
        if let Some(key) = self.mask {
            bytes[1] |= 0x80;
            bytes[len..len + 4].copy_from_slice(&key);
            len += 4;
        }
        out.extend_from_slice(&bytes[..len]);
    }
}

/// A frame that is a whole message of up to 64 KiB, uncompressed, and lies whole at the front of the
/// input: nearly all frames are.
pub(crate) struct PlainFrame {
    pub(crate) text: bool,
    pub(crate) mask: Option<MaskKey>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl PlainFrame {
    /// Finds one, with as few steps as can be. `None` says nothing: [`FrameHead::parse`] then decides.
    #[inline]
    pub(crate) fn find(bytes: &[u8], sender: Role) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else { return None };
        let text = match first {
            0x81 => true,
            0x82 => false,
            _ => return None,
        };
        let masked = second & 0x80 != 0;
        if masked != (sender == Role::Client) {
            return None;
        }
        let (len, start) = match second & 0x7f {
            127 => return None,
            126 => match rest.first_chunk::<2>().map(|len| u16::from_be_bytes(*len)) {
                Some(len @ 126..) => (usize::from(len), 4),
                _ => return None,
            },
            len => (usize::from(len), 2),
        };
        let (mask, start) = match masked {
            false => (None, start),
            true => (Some(*bytes.get(start..)?.first_chunk::<4>()?), start + 4),
        };
        let end = start + len;
        (end <= bytes.len()).then_some(Self { text, mask, start, end })
    }
}

/// Checks RSV1–3; returns whether RSV1 says "compressed".
fn reserved_bits(first: u8, opcode: Opcode, rules: FrameRules) -> Result<bool, ProtocolError> {
    let refuse = |bit, place| Err(ProtocolError::ReservedBit { bit, place });
    if first & 0x30 != 0 {
        let bit = if first & 0x20 != 0 { 2 } else { 3 };
        return refuse(bit, ReservedBitPlace::NoExtension);
    }
    let rsv1 = first & 0x40 != 0;
    match opcode {
        _ if !rsv1 => Ok(false),
        _ if !rules.deflate => refuse(1, ReservedBitPlace::NoExtension),
        Opcode::Continuation => refuse(1, ReservedBitPlace::Continuation),
        Opcode::Text | Opcode::Binary => Ok(true),
        Opcode::Close | Opcode::Ping | Opcode::Pong => refuse(1, ReservedBitPlace::Control),
    }
}

/// Reads the length that begins in the second byte; returns it with the position behind it.
fn payload_length(
    bytes: &[u8],
    short: u8,
    opcode: Opcode,
) -> Result<Option<(u64, usize)>, ProtocolError> {
    // A control frame's short length already says that it is too long, but the exact figure makes
    // the better sentence, so it is waited for.
    let (length, end, shortest_from) = match short {
        126 => match bytes.get(2..).and_then(|rest| rest.first_chunk::<2>()) {
            Some(length) => (u64::from(u16::from_be_bytes(*length)), 4, 126),
            None => return Ok(None),
        },
        127 => match bytes.get(2..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(length) => (u64::from_be_bytes(*length), 10, 0x1_0000),
            None => return Ok(None),
        },
        length => (u64::from(length), 2, 0),
    };
    if length >> 63 != 0 {
        return Err(ProtocolError::LengthTopBit);
    }
    if opcode.is_control() && length > CONTROL_PAYLOAD_MAX as u64 {
        return Err(ProtocolError::ControlFrameTooLong(length));
    }
    if length < shortest_from {
        return Err(ProtocolError::LengthNotMinimal(length));
    }
    Ok(Some((length, end)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FROM_CLIENT: FrameRules = FrameRules { sender: Role::Client, deflate: true };

    fn opcodes() -> impl Strategy<Value = Opcode> {
        prop_oneof![
            Just(Opcode::Continuation),
            Just(Opcode::Text),
            Just(Opcode::Binary),
            Just(Opcode::Close),
            Just(Opcode::Ping),
            Just(Opcode::Pong)
        ]
    }

    proptest! {
        #[test]
        fn a_head_reads_back_as_written(opcode in opcodes(), fin: bool, length in 0u64..1 << 63, bits in 0u32..64, key: [u8; 4]) {
            let control = opcode.is_control();
            let head = FrameHead {
                fin: fin || control,
                compressed: matches!(opcode, Opcode::Text | Opcode::Binary),
                opcode,
                mask: Some(key),
                payload_len: if control { length % 126 } else { length >> bits },
            };
            let mut bytes = Vec::new();
            head.encode(&mut bytes);
            for cut in 0..bytes.len() {
                prop_assert_eq!(FrameHead::parse(&bytes[..cut], FROM_CLIENT), Ok(None));
            }
            let len = bytes.len();
            bytes.extend_from_slice(b"next frame");
            prop_assert_eq!(FrameHead::parse(&bytes, FROM_CLIENT), Ok(Some((head, len))));
        }

        #[test]
        fn a_plain_frame_is_what_the_full_parser_finds(mut bytes: Vec<u8>, first in 0x80u8..0x84, client: bool) {
            if let Some(byte) = bytes.first_mut() {
                *byte = first;
            }
            let sender = if client { Role::Client } else { Role::Server };
            if let Some(plain) = PlainFrame::find(&bytes, sender) {
                let rules = FrameRules { sender, deflate: false };
                let (head, len) = FrameHead::parse(&bytes, rules).unwrap().unwrap();
                prop_assert_eq!((len, len + head.payload_len as usize), (plain.start, plain.end));
                prop_assert_eq!(head.mask, plain.mask);
                let opcode = if plain.text { Opcode::Text } else { Opcode::Binary };
                prop_assert_eq!((head.fin, head.compressed, head.opcode), (true, false, opcode));
            }
        }

        #[test]
        fn any_bytes_are_a_head_or_an_error_or_too_few(bytes: Vec<u8>, client: bool, deflate: bool) {
            let sender = if client { Role::Client } else { Role::Server };
            let parsed = FrameHead::parse(&bytes, FrameRules { sender, deflate });
            prop_assert!(bytes.len() < HEAD_BYTES_MAX || parsed != Ok(None));
        }
    }
}
