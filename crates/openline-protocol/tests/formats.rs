//! MessagePack: means the same as JSON, and what it has beyond it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use bytes::Bytes;
use openline_protocol::{
    ChannelName, Command, Data, Format, Publication, Publish, Request, parse_request,
};
use proptest::prelude::*;
use rmpv::Value as Packed;
use serde_json::{Value, json};
use support::{any_json, packed, parse, to_json, to_packed, unpacked};

fn map(fields: &[(&str, Packed)]) -> Packed {
    Packed::Map(fields.iter().map(|(key, value)| (Packed::from(*key), value.clone())).collect())
}

fn parse_packed(value: &Packed) -> Request {
    parse_request(Format::MessagePack, &packed(value)).unwrap()
}

#[track_caller]
fn refused(bytes: &[u8]) -> String {
    parse_request(Format::MessagePack, &Bytes::copy_from_slice(bytes)).unwrap_err().to_string()
}

fn data_of(command: Command) -> Data {
    match command {
        Command::Publish(Publish { data, .. }) => data,
        Command::Other { data, .. } | Command::SetPresence { data, .. } => data.unwrap(),
        other => panic!("{other:?} has no payload"),
    }
}

#[test]
fn a_payload_of_bytes_stays_bytes() {
    let bytes = Packed::Binary(vec![1, 2, 255]);
    let kept = Data::Binary(Bytes::from_static(&[1, 2, 255]));
    let inner = map(&[("channel", "a".into()), ("data", bytes.clone())]);
    for message in [
        map(&[("type", "publish".into()), ("data", bytes.clone()), ("channel", "a".into())]),
        map(&[("type", "publish".into()), ("data", inner)]),
        map(&[("type", "roll".into()), ("data", bytes.clone())]),
        map(&[("data", bytes.clone()), ("type", "setPresence".into())]),
    ] {
        assert_eq!(data_of(parse_packed(&message).command), kept, "{message}");
    }
}

#[test]
fn a_payload_of_bytes_is_a_slice_of_the_message() {
    let message = map(&[
        ("type", "publish".into()),
        ("channel", "a".into()),
        ("data", Packed::Binary(vec![7; 300])),
    ]);
    let input = packed(&message);
    let Data::Binary(bytes) = data_of(parse_request(Format::MessagePack, &input).unwrap().command)
    else {
        panic!()
    };
    assert!(input.as_ptr_range().contains(&bytes.as_ptr()), "it was copied");
}

#[test]
fn bytes_within_a_payload_become_base64() {
    let inner = map(&[("data", Packed::Binary(b"hi".to_vec())), ("n", 1.into())]);
    for data in [inner.clone(), Packed::Array(vec![inner])] {
        let message = map(&[("type", "roll".into()), ("data", data.clone())]);
        let Data::Json(text) = data_of(parse_packed(&message).command) else { panic!("{data}") };
        assert_eq!(text.trim_matches(['[', ']']), r#"{"data":"aGk=","n":1}"#);
    }
}

#[test]
fn every_number_keeps_its_value() {
    let text = |number: Packed| {
        let message = map(&[("type", "roll".into()), ("data", number)]);
        match data_of(parse_packed(&message).command) {
            Data::Json(text) => text.to_string(),
            data => panic!("{data:?}"),
        }
    };
    for number in [0, 1, 127, 128, 255, 256, 65_535, 65_536, u32::MAX.into(), 1 << 32, u64::MAX] {
        assert_eq!(text(number.into()), number.to_string());
    }
    for number in [-1, -32, -33, -128, -129, -32_768, -32_769, i32::MIN.into(), i64::MIN] {
        assert_eq!(text(number.into()), number.to_string());
    }
    for (number, expected) in [(1.0, "1.0"), (0.1, "0.1"), (-0.0, "-0.0"), (1e300, "1e300")] {
        assert_eq!(text(Packed::F64(number)), expected);
    }
    assert_eq!(text(Packed::F32(0.1)), "0.1");
}

#[test]
fn what_json_cannot_carry_is_refused() {
    for (bytes, said) in [
        (&b"\xcb\x7f\xf8\0\0\0\0\0\0"[..], "the number at byte 0 is NaN, which JSON cannot carry"),
        (b"\xca\x7f\x80\0\0", "the number at byte 0 is inf, which JSON cannot carry"),
        (
            b"\xd4\x01\x00",
            "the value at byte 0 is of an extension type (0xd4), which JSON cannot carry",
        ),
        (b"\x81\x01\x01", "the key at byte 1 is not text"),
        (b"\x81\xc4\x01a\x01", "the key at byte 1 is not text"),
        (b"\xa1\xff", "byte 1 is not UTF-8"),
        (b"\xc1", "byte 0 is 0xc1, which begins no value"),
        (b"\x80\x00\x00", "2 bytes follow the message"),
        (b"", "1 bytes should follow at byte 0, there are 0"),
        (b"\x81\xa4type\xa9pi", "9 bytes should follow at byte 7, there are 2"),
        (b"\xdf\xff\xff\xff\xff", "1 bytes should follow at byte 5, there are 0"),
        (b"\xc6\xff\xff\xff\xff", "4294967295 bytes should follow at byte 5, there are 0"),
    ] {
        assert_eq!(refused(bytes), format!("invalid_msgpack: invalid MessagePack: {said}"));
    }
    assert_eq!(refused(b"\x90"), "bad_request: a message must be one object with a `type`");
}

#[test]
fn a_map_may_be_nested_32_deep() {
    let message = |levels: usize| {
        let mut data = Packed::from(1);
        for _ in 0..levels {
            data = Packed::Array(vec![data]);
        }
        packed(&map(&[("type", "roll".into()), ("data", data)]))
    };
    assert!(parse_request(Format::MessagePack, &message(31)).is_ok());
    assert_eq!(refused(&message(32)), "bad_request: nested more than 32 deep");
}

#[test]
fn json_that_was_not_checked_is_written_as_null() {
    for text in ["", "{", "1 2", "[1,]", "nul"] {
        let publication = Publication {
            channel: ChannelName::new("a").unwrap(),
            event: None,
            data: Data::Json(text.into()),
            position: None,
            prev_tag: 0,
            timestamp: 0,
            from: None,
        };
        let mut bytes = Vec::new();
        publication.encode(Format::MessagePack, &mut bytes);
        let written = to_json(&unpacked(&bytes));
        assert_eq!(written["data"], Value::Null, "{text}");
    }
}

proptest! {
    #[test]
    fn a_request_means_the_same_in_both_formats(request in any_request()) {
        let text = request.to_string();
        let bytes = packed(&to_packed(&request));
        let json = parse(&text);
        let messagepack = parse_request(Format::MessagePack, &bytes);
        // White space, escapes and the digits of doubles are a matter of writing.
        match (json, messagepack) {
            (Ok(json), Ok(messagepack)) => {
                prop_assert_eq!(plain(json), plain(messagepack));
            }
            (json, messagepack) => {
                let (json, messagepack) = (json.unwrap_err(), messagepack.unwrap_err());
                prop_assert_eq!(json, messagepack);
            }
        }
    }

    #[test]
    fn a_payload_is_written_as_messagepack_in_its_shortest_form(data in any_json()) {
        let publication = Publication {
            channel: ChannelName::new("a").unwrap(),
            event: Some("e".into()),
            data: Data::Json(serde_json::to_string_pretty(&data).unwrap().into()),
            position: None,
            prev_tag: 0,
            timestamp: 1,
            from: None,
        };
        let mut bytes = b"before".to_vec();
        publication.encode(Format::MessagePack, &mut bytes);
        let expected = map(&[
            ("type", "e".into()),
            ("channel", "a".into()),
            ("data", to_packed(&data)),
            ("timestamp", 1.into()),
        ]);
        prop_assert_eq!(&bytes[..6], b"before");
        prop_assert_eq!(unpacked(&bytes[6..]), expected.clone());
        prop_assert_eq!(&bytes[6..], &packed(&expected));
    }

    #[test]
    fn a_payload_survives_messagepack_and_back(data in any_json()) {
        let message = map(&[("type", "roll".into()), ("data", to_packed(&data))]);
        let Data::Json(text) = data_of(parse_packed(&message).command) else { panic!() };
        prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), data);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let bytes = Bytes::from(bytes);
        let _ = parse_request(Format::Json, &bytes);
        let _ = parse_request(Format::MessagePack, &bytes);
    }

    #[test]
    fn no_damage_to_a_request_makes_it_panic(
        request in any_request(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        end: prop::sample::Index,
    ) {
        for (format, bytes) in [
            (Format::Json, request.to_string().into_bytes()),
            (Format::MessagePack, packed(&to_packed(&request)).to_vec()),
        ] {
            let mut bytes = bytes;
            for (at, byte) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            let _ = parse_request(format, &Bytes::from(bytes.clone()));
            bytes.truncate(end.index(bytes.len()));
            let _ = parse_request(format, &Bytes::from(bytes));
        }
    }
}

/// The request with its payload written in one way.
fn plain(mut request: Request) -> Request {
    if let Command::Publish(Publish { data, .. })
    | Command::Other { data: Some(data), .. }
    | Command::SetPresence { data: Some(data), .. } = &mut request.command
        && let Data::Json(text) = data
    {
        let value: Value = serde_json::from_str(text).unwrap();
        *text = value.to_string().into();
    }
    request
}

/// A message with a type, some of the fields that there are, and values that often are right.
fn any_request() -> impl Strategy<Value = Value> {
    let kinds = [
        "auth",
        "subscribe",
        "unsubscribe",
        "publish",
        "presence",
        "history",
        "setPresence",
        "typing",
        "ping",
        "roll",
    ];
    let value = |name: &'static str| match name {
        "channel" | "event" | "key" | "status" | "token" | "after" => {
            "[a-z:🙂\\\\\" ]{0,6}".prop_map(Value::from).boxed()
        }
        "channels" => prop::collection::vec("[a-z]{1,3}".prop_map(Value::from), 0..5)
            .prop_map(Value::from)
            .boxed(),
        "position" | "since" | "before" => Just(json!("AAAAAQAAAAAAAAACAQ")).boxed(),
        "limit" | "sinceTime" => any::<u32>().prop_map(Value::from).boxed(),
        "echo" | "volatile" | "reverse" | "isTyping" => any::<bool>().prop_map(Value::from).boxed(),
        "id" => {
            prop_oneof![any::<i64>().prop_map(Value::from), "[a-z]{0,70}".prop_map(Value::from)]
                .boxed()
        }
        _ => any_json().boxed(),
    };
    let names = [
        "channel",
        "channels",
        "event",
        "key",
        "status",
        "token",
        "after",
        "position",
        "since",
        "before",
        "limit",
        "sinceTime",
        "echo",
        "volatile",
        "reverse",
        "isTyping",
        "id",
        "data",
        "unknown",
    ];
    let field = move || {
        prop::sample::select(names.to_vec())
            .prop_flat_map(move |name| (Just(name), prop_oneof![9 => value(name), 1 => any_json()]))
    };
    let fields = move || prop::collection::vec(field(), 0..6);
    (prop::sample::select(kinds.to_vec()), fields(), fields(), any::<bool>()).prop_map(
        |(kind, top, inner, nested)| {
            let mut message = json!({ "type": kind });
            for (name, value) in top {
                message[name] = value;
            }
            if nested {
                message["data"] = inner.into_iter().map(|(name, v)| (name.to_owned(), v)).collect();
            }
            message
        },
    )
}
