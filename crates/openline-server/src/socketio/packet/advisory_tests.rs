//! The inputs of the advisories that were published for parsers of Socket.IO, each refused or read
//! within its bounds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use bytestring::ByteString;

use super::{ATTACHMENTS_MAX, Arguments, Decoder, Kind, Malformed, Packet};

/// As the server's own bound is by default.
const BYTES_MAX: usize = 1 << 20;

fn decode(text: &str) -> Result<Option<Packet>, Malformed> {
    Decoder::new(BYTES_MAX).handle_text(&text.into())
}

/// An event with attachments whose one value is this.
fn with_value(attachments: usize, value: &str) -> Result<Option<Packet>, Malformed> {
    decode(&format!(r#"5{attachments}-["a",{value}]"#))
}

#[test]
fn a_huge_packet_is_refused_before_it_is_read_cve_2020_36049() {
    // The reference parser put the number of attachments together digit by digit, and long texts
    // character by character.
    let huge = format!("5{}", "1".repeat(10_000_000));
    assert_eq!(decode(&huge), Err(Malformed::TooLarge));
    let digits = format!("5{}-[\"a\"]", "1".repeat(BYTES_MAX - 10));
    assert_eq!(decode(&digits), Err(Malformed::Attachments));
    let id = format!("2{}[\"a\"]", "1".repeat(BYTES_MAX - 10));
    assert_eq!(decode(&id), Err(Malformed::Id));
    let namespace = format!("0/{}", "a".repeat(BYTES_MAX - 10));
    assert_eq!(decode(&namespace), Err(Malformed::NamespaceTooLong));
}

#[test]
fn the_number_of_an_attachment_is_a_number_of_one_cve_2022_2421() {
    for num in [
        "\"splice\"",
        "\"0\"",
        "\"__proto__\"",
        "\"length\"",
        "-1",
        "-0",
        "1",
        "10",
        "0.5",
        "0.0",
        "1e0",
        "1e400",
        "18446744073709551616",
        "null",
        "true",
        "[0]",
        "{}",
        "{\"num\":0}",
    ] {
        let value = format!(r#"{{"_placeholder":true,"num":{num}}}"#);
        assert!(with_value(1, &value).is_err(), "{num}");
    }
}

#[test]
fn a_placeholder_is_nothing_else_cve_2022_2421() {
    for value in [
        r#"{"_placeholder":true}"#,
        r#"{"num":0}"#,
        r#"{"_placeholder":false,"num":0}"#,
        r#"{"_placeholder":1,"num":0}"#,
        r#"{"_placeholder":"true","num":0}"#,
        r#"{"_placeholder":true,"num":0,"toString":0}"#,
        r#"{"_placeholder":true,"num":0,"num":"splice"}"#,
        r#"{"_placeholder":true,"num":"splice","num":0}"#,
        r#"{"_placeholder":true,"_placeholder":false,"num":0}"#,
        r#"{"_placeholder":false,"_placeholder":true,"num":0}"#,
        r#"{"_placeholder":true,"num":{"_placeholder":true,"num":0}}"#,
        r#""_placeholder""#,
    ] {
        assert!(with_value(1, value).is_err(), "{value}");
    }
    // As other libraries write it.
    for value in [
        r#"{ "num" : 0 , "_placeholder" : true }"#,
        r#"{"\u005fplaceholder":true,"n\u0075m":0}"#,
        r#"[[{"a":[1,{"_placeholder":true,"num":0}]}],{"_placeholder":false,"num":9}]"#,
    ] {
        assert_eq!(with_value(1, value), Ok(None), "{value}");
    }
}

#[test]
fn an_attachment_has_one_place_cve_2022_2421() {
    let place = r#"{"_placeholder":true,"num":0}"#;
    assert!(with_value(1, &format!("{place},{place}")).is_err());
    assert!(with_value(2, &format!("{place},{place}")).is_err());
    assert!(with_value(2, place).is_err());
}

#[test]
fn an_event_has_a_name_that_is_one_cve_2023_32695() {
    for packet in [
        r#"2[{"toString":"foo"}]"#,
        r#"2[{"toString":{"a":1}},"x"]"#,
        r#"5"#,
        r#"51-[{"toString":"foo"},{"_placeholder":true,"num":0}]"#,
        r#"51-[{"_placeholder":true,"num":0}]"#,
        r#"2[["a"]]"#,
        r#"2[null]"#,
        r#"2{"0":"a","length":1}"#,
        r#"2"a""#,
    ] {
        assert!(decode(packet).is_err(), "{packet}");
    }
    for name in
        ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
    {
        assert_eq!(decode(&format!("2[{name:?}]")), Err(Malformed::ReservedEvent));
        assert!(decode(&format!("51-[{name:?},{{\"_placeholder\":true,\"num\":0}}]")).is_err());
        // Also when it is written in another way.
        let escaped = format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]);
        assert_eq!(decode(&format!("2[\"{escaped}\"]")), Err(Malformed::ReservedEvent));
    }
    // Names that mean something to objects of other languages are names like any other here.
    for name in ["__proto__", "constructor", "toString", "hasOwnProperty", ""] {
        let packet = decode(&format!("2[{name:?}]")).unwrap().unwrap();
        assert!(matches!(packet.kind, Kind::Event { name: found, .. } if found == name));
    }
}

#[test]
fn attachments_are_few_cve_2026_33151_and_cve_2026_48804() {
    for count in ["11", "99", "100", "4294967297", "18446744073709551617", "1e1", "0x1", "010"] {
        assert_eq!(decode(&format!("5{count}-[\"a\"]")), Err(Malformed::Attachments), "{count}");
        assert_eq!(decode(&format!("6{count}-1[]")), Err(Malformed::Attachments), "{count}");
    }
    let places: Vec<String> =
        (0..ATTACHMENTS_MAX).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)).collect();
    assert_eq!(with_value(ATTACHMENTS_MAX, &places.join(",")), Ok(None));
    let too_many = Arguments::from_list(&"[]".into(), vec![Bytes::new(); ATTACHMENTS_MAX + 1]);
    assert_eq!(too_many, Err(Malformed::Attachments));
}

#[test]
fn a_packet_of_no_attachments_does_not_wait_for_any_cve_2026_69185() {
    for count in ["0", "00", "-1", "-0", " 0", "", "+1", "1.0"] {
        let event = format!("5{count}-[\"a\"]");
        assert_eq!(decode(&event), Err(Malformed::Attachments), "{event}");
        assert!(decode(&format!("6{count}-1[]")).is_err(), "{count}");
    }
}

#[test]
fn a_packet_that_waits_holds_no_more_than_a_message_may_have() {
    let mut decoder = Decoder::new(BYTES_MAX);
    let announced = ByteString::from_static(
        r#"52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
    );
    decoder.handle_text(&announced).unwrap();
    decoder.handle_binary(vec![0; BYTES_MAX / 2].into()).unwrap();
    assert_eq!(decoder.handle_binary(vec![0; BYTES_MAX / 2].into()), Err(Malformed::TooLarge));
}

#[test]
fn a_broken_binary_packet_ends_the_decoding_socketioxide_357() {
    // A number of attachments without what follows it made that parser loop for ever.
    for packet in ["5", "51", "51-", "5-", "6", "61-", "61-1", "51-/", "51-/a", "51-/a,", "51-/a,1"]
    {
        assert!(decode(packet).is_err(), "{packet}");
    }
}

#[test]
fn nesting_is_bounded_ghsa_c6g7_r2mf_pf5g() {
    for deep in [40, 1_000, 500_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = deep.min(BYTES_MAX / (2 * (open.len() + close.len())));
            let nested = format!("{}1{}", open.repeat(deep), close.repeat(deep));
            assert!(decode(&format!("2[\"a\",{nested}]")).is_err());
            assert!(decode(&format!("0{{\"a\":{nested}}}")).is_err());
            assert!(decode(&format!("31[{nested}]")).is_err());
            let place = r#"{"_placeholder":true,"num":0}"#;
            assert!(decode(&format!("51-[\"a\",{place},{nested}]")).is_err());
            // Never closed.
            assert!(decode(&format!("2[\"a\",{}", open.repeat(deep))).is_err());
        }
    }
}
