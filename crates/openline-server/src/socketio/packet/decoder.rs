//! [`Decoder`]: puts packets together from messages.

use bytes::Bytes;
use bytestring::ByteString;

use super::parse::parse;
use super::{Kind, Malformed, Packet};

/// Puts packets together from the messages of one connection. It keeps at most one packet that is not
/// whole, and at most as many bytes as it was made for.
///
/// After an error nothing that follows means anything: end the connection.
#[derive(Debug)]
pub(crate) struct Decoder {
    bytes_max: usize,
    partial: Option<Box<Partial>>,
}

/// A packet of which attachments are due.
#[derive(Debug)]
struct Partial {
    packet: Packet,
    due: usize,
    /// Of its text and of the attachments that came.
    bytes: usize,
}

impl Decoder {
    /// A packet and its attachments may have so many bytes together.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, partial: None }
    }

    /// A text message came. Returns the packet if that is all of it.
    ///
    /// # Errors
    /// It is no packet, or attachments were due.
    pub(crate) fn handle_text(&mut self, text: &ByteString) -> Result<Option<Packet>, Malformed> {
        if self.partial.is_some() {
            return Err(Malformed::TextWithin);
        }
        if text.len() > self.bytes_max {
            return Err(Malformed::TooLarge);
        }
        let (packet, due) = parse(text)?;
        if due == 0 {
            return Ok(Some(packet));
        }
        self.partial = Some(Box::new(Partial { packet, due, bytes: text.len() }));
        Ok(None)
    }

    /// A binary message came. Returns the packet that is whole with it.
    ///
    /// # Errors
    /// No attachment was due, or there are too many bytes.
    pub(crate) fn handle_binary(&mut self, bytes: Bytes) -> Result<Option<Packet>, Malformed> {
        let mut partial = self.partial.take().ok_or(Malformed::StrayBinary)?;
        partial.bytes = partial.bytes.saturating_add(bytes.len());
        if partial.bytes > self.bytes_max {
            return Err(Malformed::TooLarge);
        }
        if let Kind::Event { arguments, .. } | Kind::Ack { arguments, .. } =
            &mut partial.packet.kind
        {
            arguments.attach(bytes);
        }
        partial.due -= 1;
        if partial.due == 0 {
            return Ok(Some(partial.packet));
        }
        self.partial = Some(partial);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn decode(text: &'static str) -> Result<Option<Packet>, Malformed> {
        Decoder::new(1000).handle_text(&ByteString::from_static(text))
    }

    fn packet(text: &'static str) -> Packet {
        decode(text).unwrap().unwrap()
    }

    fn event_of(text: &'static str) -> (String, String, Option<u64>) {
        match packet(text).kind {
            Kind::Event { name, arguments, id } => {
                (name.to_string(), arguments.values().to_owned(), id)
            }
            other => panic!("{other:?}"),
        }
    }

    fn seen(name: &str, values: &str, id: Option<u64>) -> (String, String, Option<u64>) {
        (name.into(), values.into(), id)
    }

    #[test]
    fn a_client_connects_with_or_without_words_of_its_own() {
        for (text, namespace, auth) in [
            ("0", "/", None),
            ("0{}", "/", Some("{}")),
            ("0/,", "/", None),
            ("0/admin,", "/admin", None),
            ("0/admin", "/admin", None),
            (r#"0/admin,{"token":"a,b"}"#, "/admin", Some(r#"{"token":"a,b"}"#)),
            (r#"0{"token":"/x,"}"#, "/", Some(r#"{"token":"/x,"}"#)),
        ] {
            let auth = auth.map(ByteString::from_static);
            let packet = packet(text);
            assert_eq!(packet.namespace, namespace, "{text}");
            assert_eq!(packet.kind, Kind::Connect { auth }, "{text}");
        }
        assert_eq!(packet("1").kind, Kind::Disconnect);
        assert_eq!(packet("1/admin,").namespace, "/admin");
    }

    #[test]
    fn an_event_has_a_name_values_and_perhaps_an_id() {
        assert_eq!(event_of(r#"2["hi"]"#), seen("hi", "", None));
        assert_eq!(event_of(r#"20["hi",1]"#), seen("hi", "1", Some(0)));
        assert_eq!(event_of(r#"2/a,12["hi", [1] , {} ]"#), seen("hi", "[1] , {}", Some(12)));
        assert_eq!(event_of(r#"2["\u0068\"i",null]"#), seen("h\"i", "null", None));
        assert_eq!(event_of("2[7,true]"), seen("7", "true", None));
        let most = u64::MAX;
        assert_eq!(event_of(r#"218446744073709551615["a"]"#), seen("a", "", Some(most)));
    }

    #[test]
    fn an_ack_has_an_id_and_values() {
        for (text, id, values, count) in
            [("31[]", 1, "", 0), ("3/a,456[1,2]", 456, "1,2", 2), ("30[[]]", 0, "[]", 1)]
        {
            let Kind::Ack { id: found, arguments } = packet(text).kind else { panic!() };
            assert_eq!((found, arguments.values(), arguments.len()), (id, values, count), "{text}");
        }
    }

    #[test]
    fn what_the_protocol_does_not_know_is_refused() {
        for text in [
            "",
            "7",
            "4",
            "4{}",
            "4\"no\"",
            "a",
            "-1",
            "ü",
            "00",
            "01{}",
            "0[]",
            "0null",
            "0\"a\"",
            "0{",
            "0{}{}",
            "11",
            "1{}",
            "1[]",
            "1/a",
            "2",
            "2{}",
            "2[]",
            "2[null]",
            "2[{}]",
            "2[[\"a\"]]",
            "2[true]",
            "2[\"a\"",
            "2[\"a\",]",
            "2[\"a\"]x",
            "2abc[\"a\"]",
            "218446744073709551616[\"a\"]",
            "2-1[\"a\"]",
            "3[]",
            "31",
            "31{}",
            "31\"a\"",
            "2/a",
            "2 [\"a\"]x",
            "5[\"a\"]",
            "51[\"a\"]",
            "5-[\"a\"]",
            "61-[]",
            "6-1[]",
            "5x-[\"a\"]",
        ] {
            // Leaving a namespace needs no comma behind its name.
            if text == "1/a" {
                assert!(decode(text).is_ok());
                continue;
            }
            assert!(decode(text).is_err(), "{text}");
        }
        let long: ByteString = format!("0/{},", "a".repeat(300)).into();
        let refused = Decoder::new(1000).handle_text(&long);
        assert_eq!(refused, Err(Malformed::NamespaceTooLong));
    }

    #[test]
    fn a_packet_waits_for_its_attachments() {
        let mut decoder = Decoder::new(1000);
        let text =
            r#"52-/a,7["f",{"_placeholder":true,"num":1},{"b":{"_placeholder":true,"num":0}}]"#;
        for _ in 0..2 {
            assert_eq!(decoder.handle_text(&text.into()), Ok(None));
            assert_eq!(decoder.handle_binary(Bytes::from_static(b"one")), Ok(None));
            let packet = decoder.handle_binary(Bytes::from_static(b"two")).unwrap().unwrap();
            let Kind::Event { name, arguments, id: Some(7) } = packet.kind else { panic!() };
            assert_eq!((&*name, arguments.len()), ("f", 2));
            assert_eq!(arguments.attachments(), [&b"one"[..], b"two"]);
        }
        let ack = r#"61-3[{"_placeholder":true,"num":0}]"#;
        assert_eq!(decoder.handle_text(&ack.into()), Ok(None));
        let packet = decoder.handle_binary(Bytes::new()).unwrap().unwrap();
        let Kind::Ack { id: 3, arguments } = packet.kind else { panic!() };
        assert_eq!(arguments.attachments(), [&b""[..]]);
    }

    #[test]
    fn text_and_attachments_do_not_mix() {
        let mut decoder = Decoder::new(1000);
        let stray = decoder.handle_binary(Bytes::from_static(b"x"));
        assert_eq!(stray, Err(Malformed::StrayBinary));
        let announced = ByteString::from_static(r#"51-["a",{"_placeholder":true,"num":0}]"#);
        assert_eq!(decoder.handle_text(&announced), Ok(None));
        let text = decoder.handle_text(&ByteString::from_static("1"));
        assert_eq!(text, Err(Malformed::TextWithin));
    }

    #[test]
    fn a_packet_and_its_attachments_are_bounded_together() {
        let announced = ByteString::from_static(
            r#"52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
        );
        let bytes_max = announced.len() + 20;
        for (last, fits) in [(10, true), (11, false)] {
            let mut decoder = Decoder::new(bytes_max);
            decoder.handle_text(&announced).unwrap();
            decoder.handle_binary(vec![0; 10].into()).unwrap();
            let done = decoder.handle_binary(vec![0; last].into());
            assert_eq!(done.is_ok(), fits);
        }
        let short = Decoder::new(announced.len() - 1).handle_text(&announced);
        assert_eq!(short, Err(Malformed::TooLarge));
    }
}
