//! What clients may send, and how it is understood.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use bytes::Bytes;
use openline_protocol::{
    ChannelName, Command, Data, Format, HistoryQuery, Id, Position, Publish, SubscribeTo, limits,
    parse_request,
};
use support::{command, fault, parse};

const POSITION: &str = "AAAAAQAAAAAAAAACAQ";

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

fn position() -> Position {
    Position { epoch: 1, offset: 1, tag: 2 }
}

fn to(name: &str) -> SubscribeTo {
    SubscribeTo { channel: channel(name), position: None, token: None, history: None }
}

fn publish_to(name: &str, data: &'static str) -> Publish {
    Publish {
        channel: channel(name),
        event: None,
        data: Data::Json(data.into()),
        key: None,
        echo: true,
        volatile: false,
    }
}

#[test]
fn a_publish_has_all_its_fields() {
    let text = r#"{"type":"publish","id":"a","channel":"room:1","event":"chat","data":{"a":[1, 2]},
        "key":"k","echo":false,"volatile":true}"#;
    let expected = Publish {
        event: Some("chat".into()),
        key: Some("k".into()),
        echo: false,
        volatile: true,
        ..publish_to("room:1", r#"{"a":[1, 2]}"#)
    };
    assert_eq!(command(text), Command::Publish(expected));
}

#[test]
fn a_publish_needs_only_its_channel() {
    let command = command(r#"{"type":"publish","channel":"news"}"#);
    assert_eq!(command, Command::Publish(publish_to("news", "null")));
}

#[test]
fn a_payload_is_a_slice_of_the_message() {
    let input =
        Bytes::from_static(br#" {"data" : {"x":"\u00e9"} , "channel":"a", "type":"publish"}"#);
    let request = parse_request(Format::Json, &input).unwrap();
    let Command::Publish(Publish { data: Data::Json(text), .. }) = request.command else {
        panic!("{:?}", request.command)
    };
    assert_eq!(text, r#"{"x":"\u00e9"}"#);
    assert!(input.as_ptr_range().contains(&text.as_bytes().as_ptr()), "it was copied");
}

#[test]
fn the_parameters_of_a_publish_may_stand_under_data() {
    let nested = command(
        r#"{"type":"publish","data":{"channel":"a","event":"e","data":{"channel":"b"},"key":"k"}}"#,
    );
    let expected = Publish {
        event: Some("e".into()),
        key: Some("k".into()),
        ..publish_to("a", r#"{"channel":"b"}"#)
    };
    assert_eq!(nested, Command::Publish(expected));
    // With a channel at the top, `data` is the payload whatever it has.
    let payload = command(r#"{"type":"publish","channel":"a","data":{"channel":"b"}}"#);
    assert_eq!(payload, Command::Publish(publish_to("a", r#"{"channel":"b"}"#)));
}

#[test]
fn an_event_that_is_a_built_in_type_is_reserved() {
    let (code, message) = fault(r#"{"type":"publish","channel":"a","event":"presence"}"#);
    assert_eq!(code, "reserved_event");
    assert_eq!(message, "`event` must not be presence, which is a built-in type");
    let message = command(r#"{"type":"publish","channel":"a","event":"message"}"#);
    assert_eq!(message, Command::Publish(publish_to("a", "null")));
}

#[test]
fn bytes_can_be_published_as_base64() {
    let with = |data: &str| {
        format!(r#"{{"type":"publish","channel":"a","encoding":"base64","data":{data}}}"#)
    };
    for text in [r#""aGk=""#, r#""aGk""#] {
        let Command::Publish(publish) = command(&with(text)) else { panic!() };
        assert_eq!(publish.data, Data::Binary(Bytes::from_static(b"hi")));
    }
    for bad in [r#""a-_=""#, "5", "null"] {
        assert_eq!(fault(&with(bad)).1, "`data` is not base64, as `encoding` says");
    }
    let (_, message) = fault(r#"{"type":"publish","channel":"a","encoding":"hex","data":"00"}"#);
    assert_eq!(message, "`encoding` must be base64, or absent");
}

#[test]
fn channels_are_names_or_objects() {
    let text = format!(
        r#"{{"type":"subscribe","channels":["news",{{"channel":"room:1","position":"{POSITION}","token":"t","history":5}}]}}"#
    );
    let second = SubscribeTo {
        position: Some(position()),
        token: Some("t".to_owned()),
        history: Some(5),
        ..to("room:1")
    };
    assert_eq!(command(&text), Command::Subscribe { channels: vec![to("news"), second] });
}

#[test]
fn one_channel_needs_no_list() {
    let one = SubscribeTo { history: Some(2), ..to("a") };
    let subscribed = Command::Subscribe { channels: vec![one] };
    assert_eq!(command(r#"{"type":"subscribe","channel":"a","history":2}"#), subscribed);
    assert_eq!(command(r#"{"type":"subscribe","data":{"channel":"a","history":2}}"#), subscribed);
    let left = Command::Unsubscribe { channels: vec![channel("a")] };
    assert_eq!(command(r#"{"type":"unsubscribe","channel":"a"}"#), left);
    assert_eq!(command(r#"{"type":"unsubscribe","data":{"channels":["a"]}}"#), left);
}

#[test]
fn a_list_of_channels_has_its_rules() {
    let said = |channels: &str| fault(&format!(r#"{{"type":"subscribe","channels":{channels}}}"#));
    assert_eq!(said("[]").1, "`channels` must not be empty");
    assert_eq!(said("\"a\"").1, "`channels` must be a list");
    assert_eq!(said("[1]").1, "`channels` must hold names, or objects with `channel`");
    assert_eq!(said(r#"["a","b","a"]"#).1, "`channels` has a twice");
    assert_eq!(
        said(r#"[{"chanel":"a"}]"#).1,
        "each of `channels` needs `channel`; `chanel` looks like it"
    );
    assert_eq!(
        said(r#"["a",{"channel":"b","position":"x"}]"#),
        ("bad_position", "`position` must be a position from a previous reply".to_owned())
    );
    assert_eq!(
        said(r#"["a b"]"#),
        ("bad_channel", "channel contains white space U+0020 at byte 1".to_owned())
    );
    let many = |n: usize| {
        format!("[{}]", (0..n).map(|i| format!("\"{i}\"")).collect::<Vec<_>>().join(","))
    };
    assert_eq!(said(&many(129)).1, "`channels` has more than 128 items");
    let Command::Subscribe { channels } =
        command(&format!(r#"{{"type":"subscribe","channels":{}}}"#, many(128)))
    else {
        panic!()
    };
    assert_eq!(channels.len(), limits::CHANNELS_MAX);
    let (_, message) = fault(r#"{"type":"subscribe","channel":"a","channels":["b"]}"#);
    assert_eq!(message, "subscribe takes `channels` or `channel`, not both");
    let (_, message) = fault(r#"{"type":"unsubscribe","channels":[{"channel":"a"}]}"#);
    assert_eq!(message, "`channels` must hold the names of channels");
}

#[test]
fn the_other_types_have_their_fields() {
    let auth = Command::Auth { token: "a\nb".to_owned() };
    assert_eq!(command(r#"{"type":"auth","token":"a\nb"}"#), auth);
    assert_eq!(command(r#"{"type":"auth","data":{"token":"a\nb"}}"#), auth);
    assert_eq!(
        command(r#"{"type":"presence","channel":"a","after":"x","limit":10}"#),
        Command::Presence { channel: channel("a"), after: Some("x".to_owned()), limit: Some(10) }
    );
    assert_eq!(
        command(&format!(
            r#"{{"type":"history","channel":"a","limit":9,"since":"{POSITION}","before":"{POSITION}","sinceTime":1,"reverse":true}}"#
        )),
        Command::History(HistoryQuery {
            channel: channel("a"),
            limit: Some(9),
            since: Some(position()),
            before: Some(position()),
            since_time: Some(1),
            reverse: true,
        })
    );
    assert_eq!(
        command(r#"{"type":"typing","channel":"a"}"#),
        Command::Typing { channel: channel("a"), is_typing: true }
    );
    assert_eq!(
        command(r#"{"type":"typing","data":{"channel":"a","isTyping":false}}"#),
        Command::Typing { channel: channel("a"), is_typing: false }
    );
    assert_eq!(command(r#"{"type":"ping"}"#), Command::Ping);
}

#[test]
fn what_a_client_says_about_itself_may_stand_under_data() {
    let away = |channel, data: Option<&'static str>| Command::SetPresence {
        channel,
        status: Some("away".to_owned()),
        data: data.map(|data| Data::Json(data.into())),
    };
    assert_eq!(command(r#"{"type":"setPresence","status":"away"}"#), away(None, None));
    assert_eq!(command(r#"{"type":"setPresence","data":{"status":"away"}}"#), away(None, None));
    assert_eq!(
        command(r#"{"type":"setPresence","channel":"a","status":"away","data":{"status":1}}"#),
        away(Some(channel("a")), Some(r#"{"status":1}"#))
    );
    assert_eq!(
        command(r#"{"type":"setPresence","data":{"mood":"good"}}"#),
        Command::SetPresence {
            channel: None,
            status: None,
            data: Some(Data::Json(r#"{"mood":"good"}"#.into()))
        }
    );
}

#[test]
fn a_type_of_the_application_keeps_its_data() {
    assert_eq!(
        command(r#"{"type":"roll","data":{"channel":"a"}}"#),
        Command::Other { kind: "roll".into(), data: Some(Data::Json(r#"{"channel":"a"}"#.into())) }
    );
    assert_eq!(command(r#"{"type":"roll"}"#), Command::Other { kind: "roll".into(), data: None });
    // Types that only a server sends are not special.
    assert!(matches!(command(r#"{"type":"welcome"}"#), Command::Other { .. }));
}

#[test]
fn an_id_is_a_number_or_a_text() {
    let id = |id: &str| parse(&format!(r#"{{"type":"ping","id":{id}}}"#)).map(|request| request.id);
    assert_eq!(id("7").unwrap(), Some(Id::from(7)));
    assert_eq!(id("-7.5").unwrap().unwrap().to_string(), "-7.5");
    assert_eq!(id("\"\\u0061\"").unwrap(), Some(Id::from("a")));
    assert_eq!(id("null").unwrap(), None);
    for bad in ["true", "{}", "[]", &format!("\"{}\"", "a".repeat(65))] {
        let fault = id(bad).unwrap_err();
        assert_eq!(fault.message, "`id` must be a number, or text of at most 64 bytes");
    }
}

#[test]
fn an_error_carries_the_id_wherever_it_stands() {
    for text in [
        r#"{"id":7,"type":"publish"}"#,
        r#"{"type":"publish","chanel":"a","id":7}"#,
        r#"{"id":7}"#,
        r#"{"type":5,"id":7}"#,
        r#"{"id":7,"a":1,"a":2}"#,
        r#"{"type":"subscribe","channels":["a b"],"id":7}"#,
    ] {
        assert_eq!(parse(text).unwrap_err().id, Some(Id::from(7)), "{text}");
    }
    assert_eq!(parse(r#"{"id":7,"type":}"#).unwrap_err().id, None);
}

#[test]
fn a_missing_field_names_what_looks_like_it() {
    assert_eq!(
        fault(r#"{"type":"publish","chanel":"a"}"#),
        ("bad_request", "publish needs `channel`; `chanel` looks like it".to_owned())
    );
    assert_eq!(fault(r#"{"type":"publish"}"#).1, "publish needs `channel`");
    assert_eq!(
        fault(r#"{"type":"auth","data":{"jwt":"x"}}"#).1,
        "auth needs `token`; `jwt` looks like it"
    );
    assert_eq!(fault(r#"{"tpye":"ping"}"#).1, "a message needs `type`; `tpye` looks like it");
    assert_eq!(fault(r#"{"event":"ping"}"#).1, "a message needs `type`; `event` looks like it");
    assert_eq!(
        fault(r#"{"type":"subscribe","chanels":[]}"#).1,
        "subscribe needs `channels`; `chanels` looks like it"
    );
    assert_eq!(fault(r#"{"type":"subscribe","channels":null}"#).1, "subscribe needs `channels`");
}

#[test]
fn a_field_of_the_wrong_type_is_named() {
    for (text, message) in [
        (r#"{"type":"publish","channel":5}"#, "`channel` must be text"),
        (r#"{"type":"publish","channel":"a","event":1}"#, "`event` must be text"),
        (r#"{"type":"publish","channel":"a","event":""}"#, "`event` must not be empty"),
        (r#"{"type":"publish","channel":"a","echo":1}"#, "`echo` must be true or false"),
        (r#"{"type":"publish","channel":"a","key":""}"#, "`key` must not be empty"),
        (
            r#"{"type":"history","channel":"a","limit":-1}"#,
            "`limit` must be a whole number from 0 to 4294967295",
        ),
        (
            r#"{"type":"history","channel":"a","limit":"1"}"#,
            "`limit` must be a whole number from 0 to 4294967295",
        ),
        (
            r#"{"type":"history","channel":"a","limit":4294967296}"#,
            "`limit` must be a whole number from 0 to 4294967295",
        ),
        (r#"{"type":"auth","token":{}}"#, "`token` must be text"),
        (r#"{"type":""}"#, "`type` must be text of 1 to 64 bytes"),
        (r#"{"type":null}"#, "a message needs `type`"),
        ("[]", "a message must be one object with a `type`"),
        ("\"ping\"", "a message must be one object with a `type`"),
    ] {
        assert_eq!(fault(text), ("bad_request", message.to_owned()), "{text}");
    }
}

#[test]
fn texts_that_are_too_long_are_refused() {
    let long = "a".repeat(65);
    for (name, text) in [
        ("event", format!(r#"{{"type":"publish","channel":"a","event":"{long}"}}"#)),
        ("key", format!(r#"{{"type":"publish","channel":"a","key":"{long}"}}"#)),
        ("status", format!(r#"{{"type":"setPresence","status":"{long}"}}"#)),
    ] {
        assert_eq!(fault(&text).1, format!("`{name}` has 65 bytes, 64 are allowed"));
    }
    let name = "a".repeat(256);
    let (code, message) = fault(&format!(r#"{{"type":"publish","channel":"{name}"}}"#));
    assert_eq!((code, &*message), ("bad_channel", "channel has 256 bytes, 255 are allowed"));
}

#[test]
fn unknown_fields_are_counted_and_ignored() {
    let unknown = |text: &str| parse(text).unwrap().unknown_fields;
    assert_eq!(unknown(r#"{"type":"publish","channel":"a","data":{"x":1},"id":1,"echo":null}"#), 0);
    assert_eq!(unknown(r#"{"type":"ping","a":1,"b":2,"channel":"c"}"#), 3);
    assert_eq!(unknown(r#"{"type":"auth","data":{"token":"t","a":1},"b":2}"#), 2);
    assert_eq!(unknown(r#"{"type":"auth","token":"t","data":5}"#), 1);
    assert_eq!(unknown(r#"{"type":"subscribe","channels":["a",{"channel":"b","x":1}],"y":1}"#), 2);
}

#[test]
fn a_field_may_not_stand_twice() {
    for text in [
        r#"{"type":"ping","type":"ping"}"#,
        r#"{"type":"ping","\u0074ype":"ping"}"#,
        r#"{"type":"ping","x":1,"x":1}"#,
        r#"{"type":"auth","data":{"token":"a","token":"b"}}"#,
        r#"{"type":"subscribe","channels":[{"channel":"a","channel":"b"}]}"#,
    ] {
        let (code, message) = fault(text);
        assert_eq!(code, "bad_request", "{text}");
        assert!(message.ends_with("stands twice"), "{message}");
    }
    let (_, message) = fault("{\"a\\u001b\":1,\"a\\u001b\":1}");
    assert_eq!(message, "`a\\u{1b}` stands twice");
    let long = "x".repeat(1000);
    assert!(fault(&format!("{{\"{long}\":1,\"{long}\":1}}")).1.len() < 100);
    // What a payload holds is not looked at.
    command(r#"{"type":"publish","channel":"a","data":{"x":1,"x":2}}"#);
}

#[test]
fn an_object_has_64_fields_at_most_a_payload_any_number() {
    let fields = |n: usize| (0..n).map(|i| format!(",\"f{i}\":{i}")).collect::<String>();
    assert!(parse(&format!(r#"{{"type":"ping"{}}}"#, fields(63))).is_ok());
    let (code, message) = fault(&format!(r#"{{"type":"ping"{}}}"#, fields(64)));
    assert_eq!((code, &*message), ("bad_request", "an object has more than 64 fields"));
    let data = format!(r#"{{"a":1{}}}"#, fields(1000));
    command(&format!(r#"{{"type":"publish","channel":"a","data":{data}}}"#));
    command(&format!(r#"{{"type":"setPresence","data":{data}}}"#));
    command(&format!(r#"{{"type":"roll","data":{data}}}"#));
}
