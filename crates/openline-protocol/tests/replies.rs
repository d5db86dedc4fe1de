//! What servers send, as clients read it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use openline_protocol::{
    ChannelName, Data, ErrorCode, Fault, Format, Id, Joined, Member, Position, Publication, Reason,
    Recovery, Reply, Sender, SubscribedTo,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{any_json, to_json, unpacked};

const POSITION: &str = "AAAAAQAAAAAAAAACAQ";

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

fn position() -> Option<Position> {
    Some(Position { epoch: 1, offset: 1, tag: 2 })
}

fn publication() -> Publication {
    Publication {
        channel: channel("a"),
        event: None,
        data: Data::Json(r#"{"x": 1}"#.into()),
        position: position(),
        prev_tag: 9,
        timestamp: 1_700_000_000_000,
        from: Some(Sender { client_id: "c1".into(), user: Some("ann".into()) }),
    }
}

fn member() -> Member {
    Member { client_id: "c1".into(), user: None, info: None, status: None, data: None }
}

/// What a client reads, which must be the same in both formats.
#[track_caller]
fn read(encode: impl Fn(Format, &mut Vec<u8>)) -> Value {
    let mut text = Vec::new();
    encode(Format::Json, &mut text);
    let value: Value = serde_json::from_slice(&text).unwrap();
    let mut bytes = Vec::new();
    encode(Format::MessagePack, &mut bytes);
    assert_eq!(to_json(&unpacked(&bytes)), value);
    value
}

#[track_caller]
fn reply(reply: &Reply<'_>) -> Value {
    read(|format, out| reply.encode(format, out))
}

#[test]
fn a_publication_keeps_its_payload_as_it_was_written() {
    let mut out = Vec::new();
    publication().encode(Format::Json, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"type":"message","channel":"a","data":{"x": 1},"position":"AAAAAQAAAAAAAAACAQ","timestamp":1700000000000,"from":{"clientId":"c1","user":"ann"}}"#
    );
}

#[test]
fn a_publication_leaves_out_what_it_has_not() {
    let publication =
        Publication { event: Some("chat".into()), position: None, from: None, ..publication() };
    assert_eq!(
        read(|format, out| publication.encode(format, out)),
        json!({"type": "chat", "channel": "a", "data": {"x": 1}, "timestamp": 1_700_000_000_000_u64})
    );
}

#[test]
fn bytes_are_base64_in_json_and_bytes_in_messagepack() {
    let publication = Publication {
        data: Data::Binary(Bytes::from_static(b"hi")),
        position: None,
        from: None,
        ..publication()
    };
    let mut text = Vec::new();
    publication.encode(Format::Json, &mut text);
    let read: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&read["data"], &read["encoding"]), (&json!("aGk="), &json!("base64")));
    let mut bytes = Vec::new();
    publication.encode(Format::MessagePack, &mut bytes);
    let read = unpacked(&bytes);
    assert_eq!(read["data"].as_slice(), Some(&b"hi"[..]));
    assert!(read["encoding"].is_nil());
}

#[test]
fn a_line_begins_with_a_welcome() {
    let welcome = Reply::Welcome {
        client_id: "c1",
        session: Some("s1"),
        authenticated: true,
        user: Some("ann"),
        channels: &[],
        ping_interval_ms: 25_000,
        retry_spread_ms: 1_000,
        expires_at: Some(5),
    };
    assert_eq!(
        reply(&welcome),
        json!({
            "type": "welcome", "protocol": 1, "clientId": "c1", "session": "s1",
            "authenticated": true, "user": "ann", "pingInterval": 25000, "retrySpread": 1000,
            "expiresAt": 5, "channels": [], "data": {},
        })
    );
}

#[test]
fn authentication_succeeds_or_says_why_not() {
    let id = Id::from(1);
    let success =
        Reply::AuthSuccess { id: Some(&id), client_id: "c1", user: None, expires_at: None };
    assert_eq!(reply(&success), json!({"type": "auth_success", "id": 1, "clientId": "c1"}));
    let failed = Reply::AuthFailed { id: None, reason: "no key", code: ErrorCode::TokenExpired };
    assert_eq!(
        reply(&failed),
        json!({
            "type": "auth_failed", "code": "token_expired", "reason": "no key",
            "error": "no key", "message": "no key",
        })
    );
}

#[test]
fn each_channel_of_a_subscribe_has_its_own_outcome() {
    let joined =
        |recovery, messages| Joined { position: position(), recovery, messages, members: None };
    let recovered = joined(Recovery::Recovered, vec![Arc::new(publication())]);
    let lost = joined(Recovery::Unrecovered(Reason::Trimmed), Vec::new());
    let plain = Joined { members: Some(3), ..joined(Recovery::None, Vec::new()) };
    let refused = Fault::new(ErrorCode::Forbidden, "no").with_id(Some(Id::from(5)));
    let channels = [
        SubscribedTo { channel: channel("a"), outcome: Ok(recovered) },
        SubscribedTo { channel: channel("b"), outcome: Ok(lost) },
        SubscribedTo { channel: channel("c"), outcome: Ok(plain) },
        SubscribedTo { channel: channel("d"), outcome: Err(refused) },
    ];
    let id = Id::from("s");
    let message = read(|format, out| publication().encode(format, out));
    assert_eq!(
        reply(&Reply::Subscribed { id: Some(&id), channels: &channels }),
        json!({
            "type": "subscribed", "id": "s", "channels": ["a", "b", "c"],
            "data": {
                "a": {"position": POSITION, "recovered": true, "messages": [message]},
                "b": {"position": POSITION, "recovered": false, "reason": "trimmed", "messages": []},
                "c": {"position": POSITION, "members": 3},
                "d": {"code": "forbidden", "error": "no", "message": "no"},
            },
        })
    );
    let left = [channel("a")];
    let unsubscribed = Reply::Unsubscribed { id: None, channels: &left, reason: Some("kicked") };
    assert_eq!(
        reply(&unsubscribed),
        json!({"type": "unsubscribed", "channels": ["a"], "reason": "kicked"})
    );
}

#[test]
fn an_acknowledgement_names_its_level() {
    let published = |duplicate| Reply::Published {
        id: None,
        position: position(),
        duplicate,
        level: "fsync",
        timestamp: 5,
    };
    let expected =
        json!({"type": "published", "position": POSITION, "level": "fsync", "timestamp": 5});
    assert_eq!(reply(&published(false)), expected);
    assert_eq!(reply(&published(true))["duplicate"], json!(true));
}

#[test]
fn presence_is_a_list_or_a_change() {
    let channel = channel("a");
    let ann = Member {
        user: Some("ann".into()),
        info: Some(Data::Json(r#"{"a":1}"#.into())),
        status: Some("away".into()),
        data: Some(Data::Json("[]".into())),
        ..member()
    };
    let ann_json =
        json!({"clientId": "c1", "user": "ann", "info": {"a": 1}, "status": "away", "data": []});
    let list = Reply::Presence {
        id: None,
        channel: &channel,
        members: &[ann, member()],
        count: 5,
        next: Some("c1"),
    };
    assert_eq!(
        reply(&list),
        json!({
            "type": "presence", "channel": "a",
            "data": {"members": [ann_json, {"clientId": "c1"}], "count": 5, "next": "c1"},
        })
    );
    let change = Reply::PresenceChange {
        channel: &channel,
        joined: &[member()],
        updated: &[],
        left: &[],
        count: 1,
        complete: false,
    };
    assert_eq!(
        reply(&change),
        json!({
            "type": "presence", "channel": "a",
            "data": {
                "joined": [{"clientId": "c1"}], "updated": [], "left": [], "count": 1,
                "complete": false,
            },
        })
    );
}

#[test]
fn history_says_where_the_channel_is_and_whether_there_is_more() {
    let history = Reply::History {
        id: Some(&Id::from(3)),
        channel: &channel("a"),
        messages: &[Arc::new(publication())],
        position: position(),
        more: true,
    };
    let message = read(|format, out| publication().encode(format, out));
    assert_eq!(
        reply(&history),
        json!({
            "type": "history", "id": 3, "channel": "a",
            "data": {"messages": [message], "position": POSITION, "more": true},
        })
    );
}

#[test]
fn the_small_ones_have_their_fields() {
    let (id, channel) = (Id::from(3), channel("a"));
    for (small, expected) in [
        (Reply::PresenceSet { id: Some(&id) }, json!({"type": "setPresence", "id": 3})),
        (Reply::TypingSent { id: Some(&id) }, json!({"type": "typing", "id": 3})),
        (
            Reply::Typing { channel: &channel, client_id: "c", user: None, is_typing: true },
            json!({"type": "typing", "channel": "a", "clientId": "c", "isTyping": true}),
        ),
        (
            Reply::Pong { id: Some(&id), timestamp: 9, retry_spread_ms: 4_200 },
            json!({"type": "pong", "id": 3, "timestamp": 9, "retrySpread": 4200}),
        ),
        (
            Reply::Close { code: 1013, reason: "busy", retry_after_ms: Some(2_500) },
            json!({"type": "close", "code": 1013, "reason": "busy", "retryAfter": 2500}),
        ),
        (
            Reply::Close { code: 4006, reason: "slow", retry_after_ms: None },
            json!({"type": "close", "code": 4006, "reason": "slow"}),
        ),
        (
            Reply::Drain { closes_in_ms: 5_000, retry_after_ms: 1_200 },
            json!({"type": "drain", "closesIn": 5000, "retryAfter": 1200}),
        ),
        (
            Reply::Answer { id: Some(&id), kind: "roll", data: &Data::Json("6".into()) },
            json!({"type": "roll", "id": 3, "data": 6}),
        ),
        (
            Reply::Unrecovered { channel: &channel, reason: Reason::Fork, position: position() },
            json!({"type": "unrecovered", "channel": "a", "reason": "fork", "position": POSITION}),
        ),
    ] {
        assert_eq!(reply(&small), expected);
    }
}

#[test]
fn an_error_has_its_sentence_under_both_names() {
    let fault = Fault::new(ErrorCode::RateLimited, "too fast").with_retry_after_ms(250);
    assert_eq!(
        reply(&Reply::Error(&fault.with_id(Some(Id::from(1))))),
        json!({
            "type": "error", "id": 1, "code": "rate_limited", "error": "too fast",
            "message": "too fast", "retryAfter": 250,
        })
    );
}

#[test]
fn long_lists_have_their_length_in_front() {
    let channel = channel("a");
    for n in [15, 16, 40, 65_535, 65_536] {
        let members = vec![member(); n];
        let list = Reply::Presence {
            id: None,
            channel: &channel,
            members: &members,
            count: 0,
            next: None,
        };
        assert_eq!(reply(&list)["data"]["members"].as_array().unwrap().len(), n);
    }
}

proptest! {
    #[test]
    fn a_publication_is_read_as_it_was_written(
        name in "\\PC{1,40}",
        event in prop::option::of(any::<String>()),
        data in any_json(),
        at in prop::option::of((any::<u32>(), any::<u64>(), any::<u64>())),
        timestamp: u64,
        from in prop::option::of((any::<String>(), prop::option::of(any::<String>()))),
    ) {
        let Ok(channel) = ChannelName::new(&name) else { return Ok(()) };
        let position = at.map(|(epoch, offset, tag)| Position { epoch, offset, tag });
        let mut expected = json!({
            "type": event.as_deref().unwrap_or("message"),
            "channel": name,
            "data": data,
            "timestamp": timestamp,
        });
        if let Some(position) = position {
            expected["position"] = json!(position.to_string());
        }
        if let Some((client_id, user)) = &from {
            expected["from"] = json!({"clientId": client_id});
            if let Some(user) = user {
                expected["from"]["user"] = json!(user);
            }
        }
        let from = from.map(|(client_id, user)| Sender {
            client_id: client_id.into(),
            user: user.map(Into::into),
        });
        let publication = Publication {
            channel,
            event: event.map(Into::into),
            data: Data::Json(data.to_string().into()),
            position,
            prev_tag: 0,
            timestamp,
            from,
        };
        prop_assert_eq!(read(|format, out| publication.encode(format, out)), expected);
    }
}
