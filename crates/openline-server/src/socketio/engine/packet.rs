//! [`Packet`]: what clients send, one by one. The text of a packet begins with its type.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytestring::ByteString;

use super::Message;
use super::Options;
use crate::transport::SessionSecret;

/// What this side says by itself.
pub(super) const CLOSE: &str = "1";
pub(super) const PING: &str = "2";
pub(super) const PROBE_ANSWER: &str = "3probe";
pub(super) const NOOP: &str = "6";

/// What begins a text that is binary data in base64.
pub(super) const BINARY: char = 'b';

/// The payload of the ping that tries a WebSocket out.
const PROBE: &str = "probe";

/// A packet of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet {
    Close,
    /// `2probe`. No other ping comes from a client.
    Probe,
    Pong,
    Message(Message),
    Upgrade,
    Noop,
}

/// What is no packet, or none that a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl Packet {
    /// How long what it says is.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Message(Message::Text(text)) => text.len(),
            Self::Message(Message::Binary(data)) => data.len(),
            Self::Close | Self::Probe | Self::Pong | Self::Upgrade | Self::Noop => 0,
        }
    }

    /// Reads the text of a packet. A message shares its memory.
    pub(super) fn parse(text: &ByteString) -> Result<Self, Malformed> {
        let kind = text.chars().next().ok_or(Malformed)?;
        let rest = &text[kind.len_utf8()..];
        match (kind, rest) {
            ('1', "") => Ok(Self::Close),
            ('2', PROBE) => Ok(Self::Probe),
            // Some clients answer with what the ping carried, and more may come to mean something.
            ('3', _) => Ok(Self::Pong),
            ('4', _) => Ok(Self::Message(Message::Text(text.slice_ref(rest)))),
            ('5', "") => Ok(Self::Upgrade),
            ('6', "") => Ok(Self::Noop),
            (BINARY, _) => {
                let data = STANDARD.decode(rest).map_err(|_| Malformed)?;
                Ok(Self::Message(Message::Binary(data.into())))
            }
            _ => Err(Malformed),
        }
    }
}

/// A message's text as a packet.
pub(super) fn text_packet(text: &str) -> String {
    let mut packet = String::with_capacity(text.len() + 1);
    packet.push('4');
    packet.push_str(text);
    packet
}

/// The packet that begins a connection.
pub(super) fn open_packet(sid: SessionSecret, upgrades: &str, options: &Options) -> String {
    let Options { ping_interval, ping_timeout, payload_bytes_max, .. } = options;
    format!(
        r#"0{{"sid":"{}","upgrades":[{upgrades}],"pingInterval":{},"pingTimeout":{},"maxPayload":{payload_bytes_max}}}"#,
        sid.text(),
        ping_interval.as_millis(),
        ping_timeout.as_millis(),
    )
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what was sent is no packet of Engine.IO v4 that a client sends")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::NodeId;

    fn text(text: &str) -> Result<Packet, Malformed> {
        Ok(Packet::Message(Message::Text(text.into())))
    }

    fn binary(data: &'static [u8]) -> Result<Packet, Malformed> {
        Ok(Packet::Message(Message::Binary(data.into())))
    }

    #[test]
    fn packets_are_read_by_their_first_character() {
        for (packet, expected) in [
            ("1", Ok(Packet::Close)),
            ("2probe", Ok(Packet::Probe)),
            ("3", Ok(Packet::Pong)),
            ("3x", Ok(Packet::Pong)),
            ("4", text("")),
            ("4hello", text("hello")),
            ("4\0\u{1f600}", text("\0\u{1f600}")),
            ("42[\"a\"]", text("2[\"a\"]")),
            ("5", Ok(Packet::Upgrade)),
            ("6", Ok(Packet::Noop)),
            ("b", binary(b"")),
            ("bAQIDBA==", binary(&[1, 2, 3, 4])),
        ] {
            assert_eq!(Packet::parse(&packet.into()), expected, "{packet:?}");
        }
    }

    #[test]
    fn what_no_client_sends_is_refused() {
        for packet in [
            "",
            "abc",
            "0",
            "0{}",
            "11",
            "2",
            "2prob",
            "2probe ",
            "5x",
            "66",
            "7",
            "9",
            "\0",
            " 4a",
            "é",
            "b=",
            "bA",
            "bAQ",
            "bAQ=",
            "bAQ===",
            "bAQIDBA",
            "bAR==",
            "b-_8=",
            "bAQ ==",
            "b\0",
            "b\u{1f600}",
            "bAQ==AQ==",
        ] {
            assert_eq!(Packet::parse(&packet.into()), Err(Malformed), "{packet:?}");
        }
    }

    #[test]
    fn a_connection_begins_with_what_its_client_has_to_know() {
        let sid = SessionSecret::random(NodeId(0));
        let packet = open_packet(sid, r#""websocket""#, &Options::default());
        let expected = concat!(
            r#"","upgrades":["websocket"],"#,
            r#""pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
        );
        assert_eq!(packet, format!(r#"0{{"sid":"{}{expected}"#, sid.text()));
    }
}
