//! Close codes and the payload of a close frame (RFC 6455 §5.5.1, §7.4).

use crate::error::{MessageSource, ProtocolError};
use crate::frame::CONTROL_PAYLOAD_MAX;

/// The longest reason that fits beside the code into a control frame.
pub const CLOSE_REASON_MAX: usize = CONTROL_PAYLOAD_MAX - 2;

/// A close code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down or the page goes away.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that this endpoint does not take.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the close frame had no code. Never sent.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: the connection ended without a close frame. Never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: a text that is not UTF-8, or a compressed message that does not inflate.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: a policy was violated.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: the message is too large.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the server did not agree to an extension that the client needs.
    pub const EXTENSION_REQUIRED: Self = Self(1010);
    /// 1011: the server met a condition it did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the server restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the server is overloaded; try later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);

    /// Whether the code may stand in a close frame.
    ///
    /// RFC 6455 §7.4.1 and the IANA registry: 1004, 1005, 1006 and 1015 are reserved, 1012 to 1014
    /// were registered later; §7.4.2: 3000 to 4999 belong to libraries and applications.
    pub fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl std::fmt::Display for CloseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a connection ended: what stood in a close frame, or 1005 or 1006 where none did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseReason {
    /// The code; [`CloseCode::NO_STATUS`] when the frame was empty.
    pub code: CloseCode,
    /// The text; at most [`CLOSE_REASON_MAX`] bytes.
    pub text: String,
}

impl CloseReason {
    /// A reason to send. A text that is too long for a control frame is cut at a character.
    pub fn new(code: impl Into<CloseCode>, text: impl Into<String>) -> Self {
        let mut text = text.into();
        text.truncate(text.floor_char_boundary(CLOSE_REASON_MAX));
        Self { code: code.into(), text }
    }

    /// Reads the payload of a close frame.
    ///
    /// # Errors
    /// A payload of one byte, a code that may not be sent, a text that is not UTF-8.
    pub fn parse(payload: &[u8]) -> Result<Self, ProtocolError> {
        let (code, text) = match payload {
            [] => return Ok(Self { code: CloseCode::NO_STATUS, text: String::new() }),
            // RFC 6455 §5.5.1: if there is a body, its first two bytes are the code.
            [_] => return Err(ProtocolError::ClosePayloadOfOneByte),
            [high, low, text @ ..] => (CloseCode(u16::from_be_bytes([*high, *low])), text),
        };
        if !code.may_be_sent() {
            return Err(ProtocolError::InvalidCloseCode(code));
        }
        // RFC 6455 §5.5.1: the rest is UTF-8.
        let text = std::str::from_utf8(text).map_err(|error| ProtocolError::InvalidUtf8 {
            position: error.valid_up_to() as u64,
            source: MessageSource::CloseReason,
        })?;
        Ok(Self { code, text: text.to_owned() })
    }

    /// Writes the payload of a close frame; nothing for [`CloseCode::NO_STATUS`]. The text is cut
    /// here as well, because the fields are public.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        if self.code != CloseCode::NO_STATUS {
            out.extend_from_slice(&self.code.0.to_be_bytes());
            let end = self.text.floor_char_boundary(CLOSE_REASON_MAX);
            out.extend_from_slice(&self.text.as_bytes()[..end]);
        }
    }
}

impl std::fmt::Display for CloseReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.code.fmt(f)?;
        if !self.text.is_empty() {
            write!(f, " {}", self.text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_all_65536_codes_exactly_the_registered_and_private_ones_are_accepted() {
        let accepted: Vec<u16> =
            (0..=u16::MAX).filter(|code| CloseReason::parse(&code.to_be_bytes()).is_ok()).collect();
        let expected: Vec<u16> = (1000..=1003).chain(1007..=1014).chain(3000..=4999).collect();
        assert_eq!(accepted, expected);
    }

    #[test]
    fn an_empty_payload_means_no_status() {
        assert_eq!(CloseReason::parse(b"").unwrap().code, CloseCode::NO_STATUS);
    }

    #[test]
    fn a_payload_of_one_byte_is_refused() {
        assert_eq!(CloseReason::parse(b"\x03"), Err(ProtocolError::ClosePayloadOfOneByte));
    }

    #[test]
    fn a_reason_that_is_not_utf8_is_refused_with_its_position() {
        let error = CloseReason::parse(b"\x03\xe8ok\xff").unwrap_err();
        assert_eq!(error.close_code(), CloseCode::INVALID_DATA);
        assert_eq!(error.to_string(), "invalid UTF-8 at byte 2 of the close reason");
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let reason = CloseReason::new(1000, "é".repeat(100));
        assert_eq!(reason.text.len(), 122);
    }
}
