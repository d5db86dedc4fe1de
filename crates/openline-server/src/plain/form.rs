//! [`Form`]: how messages of an endpoint look; how they are written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytestring::ByteString;
use openline_engine::{Broadcast, Encoding};
use openline_protocol::{Data, Format, Reply};
use openline_ws::{Message, Prepared};

use super::object;
use crate::exchange::write;

/// The encodings of lines in these forms begin here; those before are of protocol v1, those from 16 of
/// Socket.IO.
const FIRST: Encoding = 4;

/// What is added to [`FIRST`] for each part of a style.
const REPEATS: Encoding = 1;
const IS_QUIET: Encoding = 2;
const RAW: Encoding = FIRST + 4;

/// How messages of an endpoint look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// JSON objects with a `type`.
    Plain(Style),
    /// As handlers send them.
    Raw,
}

/// How plain messages differ from endpoint to endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Style {
    /// Fields stand a second time under `data`.
    pub(crate) repeats: bool,
    /// What the server itself tells of who comes, goes and types is left out.
    pub(crate) is_quiet: bool,
}

/// What becomes of something that the server says by itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Message(Message),
    Nothing,
    /// There is no way to say that something is missing: the line has to end.
    End,
}

impl Form {
    /// What lines of this form share.
    pub(crate) fn encoding(self) -> Encoding {
        match self {
            Self::Plain(Style { repeats, is_quiet }) => {
                FIRST + Encoding::from(repeats) * REPEATS + Encoding::from(is_quiet) * IS_QUIET
            }
            Self::Raw => RAW,
        }
    }

    /// The form of this encoding, if it is one of them.
    pub(crate) fn of_encoding(encoding: Encoding) -> Option<Self> {
        match encoding {
            RAW => Some(Self::Raw),
            FIRST..RAW => {
                let bits = encoding - FIRST;
                let (repeats, is_quiet) = (bits & REPEATS != 0, bits & IS_QUIET != 0);
                Some(Self::Plain(Style { repeats, is_quiet }))
            }
            _ => None,
        }
    }

    /// Writes what the server says to one client.
    pub(crate) fn reply(self, reply: &Reply<'_>) -> Told {
        let Self::Plain(style) = self else {
            return match reply {
                Reply::Unrecovered { .. } => Told::End,
                _ => Told::Nothing,
            };
        };
        let text = match reply {
            Reply::Answer { id, kind, data: Data::Json(data) } => {
                let id = id.map(object::json);
                object::message(kind, id.as_deref(), data, style.repeats)
            }
            // Of protocol v1.
            Reply::Close { .. }
            | Reply::Drain { .. }
            | Reply::Subscribed { .. }
            | Reply::Unsubscribed { .. } => return Told::Nothing,
            reply => {
                let mut bytes = Vec::new();
                reply.encode(Format::Json, &mut bytes);
                object::again(json_text(bytes), style.repeats)
            }
        };
        Told::Message(Message::Text(text.into()))
    }

    /// Writes a broadcast, where it is for such lines.
    pub(crate) fn broadcast(self, broadcast: &Broadcast) -> Option<Prepared> {
        let Some((event, data)) = said(broadcast) else { return self.change(broadcast) };
        match (self, data) {
            (Self::Raw, data) => Some(prepared(as_it_is(data))),
            (Self::Plain(style), Data::Json(text)) => {
                Some(Prepared::text(object::message(event, None, text, style.repeats)))
            }
            (Self::Plain(_), Data::Binary(bytes)) => {
                Some(Prepared::text(object::binary(event, &STANDARD.encode(bytes))))
            }
        }
    }

    /// Who comes, goes and types.
    fn change(self, broadcast: &Broadcast) -> Option<Prepared> {
        let Self::Plain(style) = self else { return None };
        if style.is_quiet {
            return None;
        }
        let mut bytes = Vec::new();
        write(broadcast, Format::Json, &mut bytes);
        Some(Prepared::text(object::again(json_text(bytes), style.repeats)))
    }
}

/// What was said, and under what name; none where it is about who is there.
fn said(broadcast: &Broadcast) -> Option<(&str, &Data)> {
    match broadcast {
        Broadcast::Publication(publication) => {
            Some((publication.event.as_deref().unwrap_or("message"), &publication.data))
        }
        Broadcast::Event(event) => Some((&*event.event, &event.data)),
        Broadcast::Presence(_) | Broadcast::Typing(_) => None,
    }
}

/// A broadcast without an envelope, where it has something to say.
pub(crate) fn bare(broadcast: &Broadcast) -> Option<Message> {
    said(broadcast).map(|(_, data)| as_it_is(data))
}

/// A message without an envelope: a text as text, bytes as a binary message, anything else as JSON.
pub(crate) fn as_it_is(data: &Data) -> Message {
    match data {
        Data::Binary(bytes) => Message::Binary(bytes.clone()),
        Data::Json(json) => match serde_json::from_str::<String>(json) {
            Ok(text) => Message::Text(text.into()),
            Err(_) => Message::Text(json.clone()),
        },
    }
}

fn prepared(message: Message) -> Prepared {
    match message {
        Message::Text(text) => Prepared::text(text.to_string()),
        Message::Binary(bytes) => Prepared::binary(bytes),
    }
}

fn json_text(bytes: Vec<u8>) -> ByteString {
    ByteString::try_from(bytes).expect("the encoder writes JSON, which is UTF-8")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use openline_protocol::{ChannelName, Id, Reason};

    use super::*;

    const PLAIN: Form = Form::Plain(Style { repeats: false, is_quiet: false });
    const TWICE: Form = Form::Plain(Style { repeats: true, is_quiet: true });

    fn said(form: Form, reply: &Reply<'_>) -> String {
        match form.reply(reply) {
            Told::Message(message) => message.as_text().unwrap().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_form_is_found_again_by_its_encoding() {
        for repeats in [false, true] {
            for is_quiet in [false, true] {
                let form = Form::Plain(Style { repeats, is_quiet });
                assert_eq!(Form::of_encoding(form.encoding()), Some(form));
            }
        }
        assert_eq!(Form::of_encoding(Form::Raw.encoding()), Some(Form::Raw));
        for encoding in [0, 1, 2, FIRST - 1, RAW + 1, Encoding::MAX] {
            assert_eq!(Form::of_encoding(encoding), None, "{encoding}");
        }
    }

    #[test]
    fn a_gap_is_told_or_ends_the_line() {
        let channel = ChannelName::new("c").unwrap();
        let gap = Reply::Unrecovered { channel: &channel, reason: Reason::Limit, position: None };
        assert_eq!(said(PLAIN, &gap), r#"{"type":"unrecovered","channel":"c","reason":"limit"}"#);
        let twice = r#"{"type":"unrecovered","channel":"c","reason":"limit","data":{"channel":"c","reason":"limit"}}"#;
        assert_eq!(said(TWICE, &gap), twice);
        assert_eq!(Form::Raw.reply(&gap), Told::End);
    }

    #[test]
    fn a_refusal_has_its_code_and_sentence_and_the_id() {
        let id = Id::from(7);
        let refused = Reply::Refused {
            id: Some(&id),
            code: "c",
            message: "m",
            retry_after_ms: None,
            data: None,
        };
        let expected = r#"{"type":"error","id":7,"code":"c","error":"m","message":"m"}"#;
        assert_eq!(said(PLAIN, &refused), expected);
        let expected = r#"{"type":"error","id":7,"code":"c","error":"m","message":"m","data":{"code":"c","error":"m","message":"m"}}"#;
        assert_eq!(said(TWICE, &refused), expected);
    }

    #[test]
    fn what_belongs_to_protocol_v1_is_not_said() {
        let close = Reply::Close { code: 1012, reason: "x", retry_after_ms: Some(1) };
        for form in [PLAIN, TWICE, Form::Raw] {
            assert_eq!(form.reply(&close), Told::Nothing);
        }
    }

    #[test]
    fn a_raw_message_has_no_envelope() {
        let json = |text: &'static str| as_it_is(&Data::Json(ByteString::from_static(text)));
        assert_eq!(json(r#""a\nb""#), Message::Text("a\nb".into()));
        assert_eq!(json(r#"{"a":1}"#), Message::Text(r#"{"a":1}"#.into()));
        let bytes = bytes::Bytes::from_static(b"\x00");
        assert_eq!(as_it_is(&Data::Binary(bytes.clone())), Message::Binary(bytes));
    }
}
