use std::sync::Arc;

use openline_protocol::ChannelName;
use serde_json::json;

use super::Server;
use crate::auth::Identity;
use crate::clock::Clock;
use crate::exchange::Mailbox;

fn identity(user: &str, token: &str) -> Identity {
    Identity {
        user: Some(user.into()),
        token_id: Some(token.into()),
        issued_at: Some(Clock::wall_seconds()),
        ..Identity::default()
    }
}

/// What a line ended with, after the shard has had its turn.
async fn end(mailbox: &Arc<Mailbox>) -> Option<(u16, String)> {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    mailbox.closed().map(|ending| (ending.code, ending.reason))
}

#[tokio::test]
async fn a_drain_begins_once_and_is_told_of_again() {
    let server = Server::with("[drain]\ndelay = \"10s\"\nduration = \"20s\"\nnotice = \"3s\"");
    let (before, first) = (Clock::wall_seconds() * 1000, server.post("drain", "").await.ok());
    assert!(!server.node.lifecycle.is_serving());
    assert_eq!(
        (&first["delay"], &first["duration"], &first["notice"]),
        (&json!(10_000), &json!(20_000), &json!(3_000))
    );
    let at = |told: &serde_json::Value, name: &str| told[name].as_u64().unwrap();
    let begins_at = at(&first, "beginsAt");
    assert!((before + 9_000..before + 60_000).contains(&begins_at), "{before} {first}");
    assert_eq!(at(&first, "closesUntil"), begins_at + 23_000);
    assert_eq!(at(&first, "endsAt"), begins_at + 33_000);
    let again = server.post("drain", "{}").await.ok();
    assert!(at(&again, "beginsAt").abs_diff(begins_at) < 1_000, "{first} {again}");
    server.node.lifecycle.stop();
    assert_eq!(server.post("drain", "").await.status, 503);
}

#[tokio::test]
async fn lines_end_by_client_by_user_and_by_token() {
    let server = Server::new();
    let a = server.client("c1", identity("ann", "t1"), &[]);
    let b = server.client("c2", identity("ann", "t2"), &[]);
    let c = server.client("c3", identity("ben", "t2"), &[]);
    let kicked = Some((4005, "kicked".to_owned()));
    let told = server.post("disconnect", r#"{"client":"c1"}"#).await.ok();
    assert_eq!(told, json!({"lines": 1}));
    assert_eq!((end(&a).await, end(&b).await), (kicked, None));

    let body = r#"{"token":"t2","code":4004,"reason":"back at noon"}"#;
    assert_eq!(server.post("disconnect", body).await.ok(), json!({"lines": 2}));
    let maintenance = Some((4004, "back at noon".to_owned()));
    assert_eq!((end(&b).await, end(&c).await), (maintenance.clone(), maintenance));

    let d = server.client("c4", identity("cem", "t3"), &[]);
    assert_eq!(server.post("disconnect", r#"{"user":"cem","code":1000}"#).await.ok()["lines"], 1);
    assert_eq!(end(&d).await, Some((1000, "kicked".to_owned())));
    assert_eq!(server.post("disconnect", r#"{"user":"nobody"}"#).await.ok()["lines"], 0);
}

#[tokio::test]
async fn a_line_can_be_told_when_to_come_back() {
    let server = Server::new();
    for (client, body, after) in [
        ("c1", r#"{"client":"c1","code":4004,"retryAfter":600000}"#, Some(600_000)),
        ("c2", r#"{"client":"c2","code":4004}"#, Some(30_000)),
        ("c3", r#"{"client":"c3","code":1012}"#, Some(1_000)),
        ("c4", r#"{"client":"c4"}"#, None),
    ] {
        let mailbox = server.client(client, identity("ann", client), &[]);
        server.post("disconnect", body).await.ok();
        end(&mailbox).await;
        assert_eq!(mailbox.closed().unwrap().retry_after_ms, after, "{body}");
    }
}

#[tokio::test]
async fn who_is_meant_must_be_said_once_and_the_code_be_one_that_fits() {
    let server = Server::new();
    for (body, message) in [
        ("{}", "one of `client`, `user` and `token` is needed"),
        (r#"{"client":"a","user":"b"}"#, "only one of `client`, `user` and `token` may be there"),
        (
            r#"{"client":"a","code":1006}"#,
            "`code` must be one of 1000, 1008, 1012, 1013, 4000, 4001, 4002, 4003, 4004, 4005",
        ),
        (
            r#"{"client":"a","retryAfter":1000}"#,
            "`retryAfter` needs a `code` that asks the client to come back later: 1012, 1013, 4003, 4004",
        ),
        (r#"{"user":""}"#, "`user` must not be empty"),
        (r#"{"userId":"a"}"#, "disconnect has no field `userId`; did you mean `user`?"),
    ] {
        server.post("disconnect", body).await.assert_refused(400, "bad_request", message);
    }
    let long = json!({"client": "a", "reason": "x".repeat(124)}).to_string();
    let told = server.post("disconnect", &long).await;
    told.assert_refused(400, "bad_request", "`reason` has 124 bytes, 123 are allowed");
}

#[tokio::test]
async fn what_is_revoked_ends_and_is_not_taken_again() {
    let server = Server::new();
    let revocations = server.node.revocations.clone();
    let now = Clock::wall_seconds();
    let a = server.client("c1", identity("ann", "t1"), &[]);
    let b = server.client("c2", identity("ben", "t2"), &[]);
    let told = server.post("revoke", r#"{"token":"t1"}"#).await.ok();
    assert_eq!(told["lines"], 1);
    let until = told["until"].as_u64().unwrap();
    let days = 24 * 3_600_000;
    assert!((29 * days..31 * days).contains(&(until - now * 1000)), "{until}");
    let revoked = Some((4002, "token revoked".to_owned()));
    assert_eq!((end(&a).await, end(&b).await), (revoked.clone(), None));
    assert!(revocations.covers_identity(&identity("ann", "t1"), now));
    assert!(!revocations.covers_identity(&identity("ann", "t3"), now));

    let until = (now + 60) * 1000 - 1;
    let body = json!({"user": "ben", "until": until}).to_string();
    assert_eq!(server.post("revoke", &body).await.ok()["until"], (now + 60) * 1000);
    assert_eq!(end(&b).await, revoked);
    assert!(revocations.covers_identity(&identity("ben", "t9"), now + 59));
    assert!(!revocations.covers_identity(&identity("ben", "t9"), now + 60));

    server.post("revoke", r#"{"client":"c7"}"#).await.ok();
    assert!(revocations.covers_client("c7", now));
}

#[tokio::test]
async fn what_is_published_after_a_revocation_reaches_none_of_its_lines() {
    let server = Server::new();
    let shard = server.node.exchange.shards()[0].clone();
    let news = ChannelName::new("news").unwrap();
    let [ann, ben] = ["ann", "ben"].map(|name| {
        let mailbox = server.client(name, identity(name, name), &[]);
        let mut hub = shard.hub();
        let key = hub.client(name).unwrap();
        let subscription = hub.subscribe(key, &news).unwrap();
        hub.go_live(subscription, None);
        server.node.exchange.join(&news, shard.index, None);
        mailbox
    });
    server.post("publish", r#"{"channel":"news","data":"before"}"#).await.ok();
    end(&ben).await;
    // Both reach the thread in one turn.
    server.post("revoke", r#"{"user":"ann"}"#).await.ok();
    server.post("publish", r#"{"channel":"news","data":"after"}"#).await.ok();
    let heard = |mailbox: &Mailbox| -> Vec<String> {
        let letters = mailbox.take(usize::MAX).into_iter();
        letters.map(|letter| letter.text.to_string()).collect()
    };
    end(&ben).await;
    let [to_ann, to_ben] = [heard(&ann), heard(&ben)];
    assert!(to_ben.len() == 2 && to_ben[1].contains("after"), "{to_ben:?}");
    assert_eq!(to_ann, to_ben[..1]);
    assert_eq!(end(&ann).await.unwrap().0, 4002);
}

#[tokio::test]
async fn a_revocation_in_the_past_is_refused() {
    let server = Server::new();
    let told = server.post("revoke", r#"{"user":"ann","until":1000}"#).await;
    let said = "`until` is past; it is a time in milliseconds since 1970";
    told.assert_refused(400, "bad_request", said);
}
