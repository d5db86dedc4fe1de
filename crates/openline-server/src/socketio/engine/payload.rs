//! Bodies of polls and POSTs: packets with a separator between them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use bytestring::ByteString;
use openline_ws::proto::FrameKind;
use openline_ws::{Message as Frame, Prepared};

use super::Message;
use super::packet::{BINARY, Malformed, Packet, text_packet};

/// Packets that one POST may carry. The clients that there are put in all that waits, as long as it
/// is not larger than `maxPayload`, so a bound that is meant for people would cut off a client that
/// has much to say.
const PACKETS_MAX: usize = 10_000;

/// What stands between two packets: the record separator, which is in no JSON.
const SEPARATOR: char = '\x1e';

/// A packet that waits for a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Letter {
    /// A whole packet, which is UTF-8.
    Text(Bytes),
    Binary(Bytes),
}

impl Letter {
    pub(super) fn of(message: &Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(text_packet(text).into()),
            Message::Binary(data) => Self::Binary(data.clone()),
        }
    }

    pub(super) fn of_frame(frame: &Prepared) -> Self {
        match frame.kind() {
            FrameKind::Text => Self::Text(frame.payload().clone()),
            FrameKind::Binary => Self::Binary(frame.payload().clone()),
        }
    }

    pub(super) fn packet(packet: &'static str) -> Self {
        Self::Text(Bytes::from_static(packet.as_bytes()))
    }

    /// As a message of a WebSocket.
    pub(super) fn into_frame(self) -> Frame {
        match self {
            Self::Text(text) => {
                Frame::Text(ByteString::try_from(text).expect("packets are made of strings"))
            }
            Self::Binary(data) => Frame::Binary(data),
        }
    }

    /// What it takes in memory and on the wire, roughly. More than a WebSocket's queue counts for
    /// it, so what fits here fits there.
    pub(super) fn cost(&self) -> usize {
        const LETTER_BYTES: usize = 64;
        let (Self::Text(bytes) | Self::Binary(bytes)) = self;
        bytes.len() + LETTER_BYTES
    }
}

/// Reads the body of a POST: all of it is packets, or it is malformed.
pub(super) fn parse(body: Bytes) -> Result<Vec<Packet>, Malformed> {
    let body = ByteString::try_from(body).map_err(|_| Malformed)?;
    // Counted before anything is made of it.
    if body.split(SEPARATOR).nth(PACKETS_MAX).is_some() {
        return Err(Malformed);
    }
    body.split(SEPARATOR).map(|packet| Packet::parse(&body.slice_ref(packet))).collect()
}

/// Writes the body of the answer to a poll.
pub(super) fn encode(letters: &[Letter]) -> Bytes {
    if let [Letter::Text(text)] = letters {
        return text.clone();
    }
    let mut body = Vec::with_capacity(letters.iter().map(Letter::cost).sum());
    for (index, letter) in letters.iter().enumerate() {
        if index > 0 {
            body.push(SEPARATOR as u8);
        }
        match letter {
            Letter::Text(text) => body.extend_from_slice(text),
            Letter::Binary(data) => {
                body.push(BINARY as u8);
                body.extend_from_slice(STANDARD.encode(data).as_bytes());
            }
        }
    }
    body.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Packet {
        Packet::Message(Message::Text(text.into()))
    }

    fn binary(data: &'static [u8]) -> Packet {
        Packet::Message(Message::Binary(data.into()))
    }

    fn read(body: &[u8]) -> Result<Vec<Packet>, Malformed> {
        parse(Bytes::copy_from_slice(body))
    }

    #[test]
    fn packets_stand_behind_one_another() {
        assert_eq!(read(b"4hello"), Ok(vec![text("hello")]));
        assert_eq!(read(b"3"), Ok(vec![Packet::Pong]));
        let three = vec![text("a"), binary(&[1, 2, 3, 4]), Packet::Close];
        assert_eq!(read(b"4a\x1ebAQIDBA==\x1e1"), Ok(three));
        assert_eq!(read(b"4\x1eb\x1e4"), Ok(vec![text(""), binary(b""), text("")]));
        assert_eq!(read(b"4\x00"), Ok(vec![text("\0")]));
    }

    /// What crashed parsers, or made them work without end, has been: nothing at all, separators
    /// alone, data that is no base64, text that is no UTF-8, and packets without number.
    #[test]
    fn what_is_not_packets_throughout_is_malformed() {
        let separators = [0x1e; 100_000];
        let tiny = "4\x1e".repeat(100_000);
        for body in [
            &b""[..],
            b"\x1e",
            b"\x1e\x1e",
            b"4a\x1e",
            b"\x1e4a",
            b"4a\x1e\x1e4b",
            b"4a\x1eabc",
            b"4a\x1eb!",
            b"bAQ",
            b"\0",
            b"\xff",
            b"4\xff",
            b"4\xc3\x1e4\x28",
            b"4\xed\xa0\x80",
            b"2:4a",
            b"\x00\x01\x02\xff4a",
            &separators,
            tiny.as_bytes(),
        ] {
            assert_eq!(read(body), Err(Malformed), "{:?}", &body[..body.len().min(20)]);
        }
    }

    #[test]
    fn a_post_has_as_many_packets_as_it_may() {
        let packets = |count: usize| vec!["4a"; count].join("\x1e");
        assert_eq!(read(packets(PACKETS_MAX).as_bytes()).unwrap().len(), PACKETS_MAX);
        assert_eq!(read(packets(PACKETS_MAX + 1).as_bytes()), Err(Malformed));
    }

    #[test]
    fn an_answer_holds_letters_of_both_kinds_in_order() {
        let letters = [
            Letter::of(&Message::Text("a".into())),
            Letter::of(&Message::Binary(Bytes::from_static(&[1, 2, 3, 4]))),
            Letter::of(&Message::Binary(Bytes::new())),
            Letter::packet("2"),
        ];
        assert_eq!(&encode(&letters)[..], b"4a\x1ebAQIDBA==\x1eb\x1e2");
        assert_eq!(&encode(&letters[..1])[..], b"4a");
        assert_eq!(&encode(&letters[1..2])[..], b"bAQIDBA==");
        assert_eq!(&encode(&[])[..], b"");
    }

    fn message() -> impl Strategy<Value = Message> {
        // A text with the separator in it cannot be told from two packets: JSON has none.
        prop_oneof![
            "[^\u{1e}]{0,20}".prop_map(|text| Message::Text(text.into())),
            vec(any::<u8>(), 0..20).prop_map(|data| Message::Binary(data.into())),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(messages in vec(message(), 1..64)) {
            let letters: Vec<Letter> = messages.iter().map(Letter::of).collect();
            let packets: Vec<Packet> = messages.into_iter().map(Packet::Message).collect();
            prop_assert_eq!(parse(encode(&letters)), Ok(packets));
        }

        #[test]
        fn no_body_is_too_strange(body in vec(any::<u8>(), 0..200)) {
            let _ = parse(body.into());
        }
    }
}
