//! Tokens: where they may stand, how long they hold, and what ends with them.

use http::header::{AUTHORIZATION, COOKIE, HeaderName, ORIGIN};
use openline_ws::Message;
use serde_json::json;

use crate::servers::{authenticated, call, guarded, guarded_server, now_s, token, token_of};
use crate::support::talk::Talk;
use crate::support::{TestServer, ask, connector, handshake, soon};

#[tokio::test]
async fn before_auth_there_is_ping_and_nothing_else() {
    let server = guarded_server("");
    let (mut line, welcome) = Talk::greeted(&server.url("/ws")).await;
    assert_eq!(welcome["authenticated"], false);
    for request in [
        json!({ "type": "subscribe", "id": 1, "channel": "a" }),
        json!({ "type": "publish", "id": 1, "channel": "a" }),
        json!({ "type": "history", "id": 1, "channel": "a" }),
        json!({ "type": "presence", "id": 1, "channel": "a" }),
        json!({ "type": "setPresence", "id": 1, "status": "away" }),
        json!({ "type": "typing", "id": 1, "channel": "a" }),
        json!({ "type": "unsubscribe", "id": 1, "channel": "a" }),
        json!({ "type": "anything", "id": 1 }),
    ] {
        let answer = line.ask(&request).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("unauthorized")));
    }
    assert_eq!(line.ask(&json!({ "type": "ping", "id": 2 })).await["type"], "pong");
    let auth = json!({ "type": "auth", "id": 3, "token": token("ann", 60) });
    let answer = line.ask(&auth).await;
    assert_eq!((&answer["type"], &answer["user"]), (&json!("auth_success"), &json!("ann")));
    let subscribe = json!({ "type": "subscribe", "id": 4, "channel": "a" });
    assert_eq!(line.ask(&subscribe).await["type"], "subscribed");
}

#[tokio::test]
async fn a_line_ends_with_its_token_and_one_that_is_renewed_stays() {
    let server = guarded_server("");
    let mut ends = authenticated(&server, &token("ann", 2)).await;
    let mut stays = authenticated(&server, &token("ben", 2)).await;
    let auth = json!({ "type": "auth", "id": 1, "token": token("ben", 60) });
    let renewed = stays.ask(&auth).await;
    assert_eq!(renewed["type"], "auth_success");
    assert!(renewed["expiresAt"].as_u64().unwrap() > (now_s() + 30) * 1000);
    let end = ends.ended().await;
    assert_eq!((end.code, &*end.reason), (4000, "token expired"));
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(stays.ask(&json!({ "type": "ping", "id": 2 })).await["type"], "pong");
}

#[tokio::test]
async fn a_new_token_may_not_be_another_users_and_may_allow_less() {
    let server = guarded_server("");
    let mut line = authenticated(&server, &token("ann", 60)).await;
    let both = json!({ "type": "subscribe", "id": 1, "channels": ["feed:a", "feed:b"] });
    assert_eq!(line.ask(&both).await["type"], "subscribed");
    let less = token_of(&json!({
        "sub": "ann", "aud": "openline", "exp": now_s() + 60, "channels": { "feed:a": ["*"] },
    }));
    let answer = line.ask(&json!({ "type": "auth", "id": 2, "token": less })).await;
    assert_eq!(answer["type"], "auth_success");
    let left = loop {
        let came = line.next().await.unwrap();
        if came["type"] == "unsubscribed" {
            break came;
        }
    };
    assert_eq!((&left["channels"], left.get("id")), (&json!(["feed:b"]), None));
    assert!(left["reason"].is_string());
    line.send(&json!({ "type": "auth", "id": 3, "token": token("ben", 60) })).await;
    assert_eq!(line.ended().await.code, 4002);
}

#[tokio::test]
async fn what_is_revoked_ends_its_lines_on_all_threads_and_lets_none_back_in() {
    let mut config = guarded("");
    config.threads = std::num::NonZeroUsize::new(2);
    let server = TestServer::with_config(config);
    let named = |user: &str, id: &str| {
        token_of(&json!({ "sub": user, "aud": "openline", "exp": now_s() + 60, "jti": id }))
    };
    let mut anns = [
        authenticated(&server, &named("ann", "t1")).await,
        authenticated(&server, &named("ann", "t2")).await,
    ];
    let mut bens = [
        authenticated(&server, &named("ben", "t3")).await,
        authenticated(&server, &named("ben", "t4")).await,
    ];
    let answer = call(&server, "revoke", &json!({ "user": "ann" })).await;
    assert_eq!((answer.status, answer.body.contains("\"lines\":2")), (200, true), "{answer:?}");
    for ann in &mut anns {
        assert_eq!(ann.ended().await.code, 4002);
    }
    assert_eq!(call(&server, "revoke", &json!({ "token": "t3" })).await.status, 200);
    let [t3, t4] = &mut bens;
    assert_eq!(t3.ended().await.code, 4002);
    assert_eq!(t4.ask(&json!({ "type": "ping", "id": 1 })).await["type"], "pong");
    let (mut again, _) = Talk::greeted(&server.url("/ws")).await;
    let auth = json!({ "type": "auth", "id": 1, "token": named("ann", "t1") });
    let refused = again.ask(&auth).await;
    assert_eq!(
        (&refused["type"], &refused["code"]),
        (&json!("auth_failed"), &json!("auth_failed"))
    );
    assert_eq!(again.ended().await.code, 4002);
}

#[tokio::test]
async fn of_two_lines_of_a_user_the_policy_ends_one() {
    let server = guarded_server("duplicates = \"replace\"");
    let mut first = authenticated(&server, &token("ann", 60)).await;
    let mut second = authenticated(&server, &token("ann", 60)).await;
    assert_eq!(first.ended().await.code, 4001);
    assert_eq!(second.ask(&json!({ "type": "ping", "id": 1 })).await["type"], "pong");

    let server = guarded_server("duplicates = \"refuse\"");
    let mut first = authenticated(&server, &token("ann", 60)).await;
    let (mut second, _) = Talk::greeted(&server.url("/ws")).await;
    second.send(&json!({ "type": "auth", "id": 1, "token": token("ann", 60) })).await;
    assert_eq!(second.ended().await.code, 4001);
    assert_eq!(first.ask(&json!({ "type": "ping", "id": 1 })).await["type"], "pong");
}

#[tokio::test]
async fn a_handshake_that_needs_a_token_is_answered_401_and_403() {
    let server = guarded_server("handshake = true");
    let with = |token: &str| handshake("/ws", &format!("Authorization: Bearer {token}\r\n"));
    let none = ask(server.address(), &handshake("/ws", "")).await;
    assert_eq!((none.status, &*none.error().0), (401, "unauthorized"));
    assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    let bad = ask(server.address(), &with("not.a.token")).await;
    assert_eq!((bad.status, &*bad.error().0), (403, "auth_failed"));
    let late = token_of(&json!({ "sub": "ann", "aud": "openline", "exp": now_s() - 9 }));
    let late = ask(server.address(), &with(&late)).await;
    assert_eq!((late.status, &*late.error().0), (403, "token_expired"));
    let welcome = welcomed(&server, "/ws", &[(AUTHORIZATION, bearer(&token("ann", 60)))]).await;
    assert_eq!((&welcome[0]["authenticated"], &welcome[0]["user"]), (&json!(true), &json!("ann")));
}

#[tokio::test]
async fn without_that_a_bad_token_is_told_on_the_line_behind_the_welcome() {
    let server = guarded_server("");
    let headers = [(AUTHORIZATION, bearer("not.a.token"))];
    let messages = welcomed(&server, "/ws", &headers).await;
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(messages[0]["authenticated"], false);
    assert_eq!(messages[1]["type"], "auth_failed");
}

#[tokio::test]
async fn a_cookie_counts_for_pages_of_allowed_origins_alone() {
    let server =
        guarded_server("cookie = \"session\"\n[http]\nallowed_origins = [\"https://a.test\"]");
    let cookie = (COOKIE, format!("other=1; session={}", token("ann", 60)));
    let origin = |origin: &str| (ORIGIN, origin.to_owned());
    let user = |messages: Vec<serde_json::Value>| messages[0]["user"].clone();
    let allowed = [cookie.clone(), origin("https://a.test")];
    assert_eq!(user(welcomed(&server, "/ws", &allowed).await), "ann");
    assert!(
        user(welcomed(&server, "/ws", std::slice::from_ref(&cookie)).await).is_null(),
        "no page"
    );
    let headers = format!("Origin: https://b.test\r\nCookie: {}\r\n", cookie.1);
    let refused = ask(server.address(), &handshake("/ws", &headers)).await;
    assert_eq!((refused.status, &*refused.error().0), (403, "origin_not_allowed"));
}

#[tokio::test]
async fn a_token_in_the_query_counts_where_that_is_on() {
    for (more, known) in [("", false), ("query = true", true)] {
        let server = guarded_server(more);
        let path = format!("/ws?token={}", token("ann", 60));
        assert_eq!(welcomed(&server, &path, &[]).await[0]["authenticated"], known, "{more}");
    }
}

#[tokio::test]
async fn of_both_subprotocols_json_is_chosen_whichever_is_offered_first() {
    let server = TestServer::start();
    for offer in ["openline.v1.msgpack, openline.v1.json", "openline.v1.json, openline.v1.msgpack"]
    {
        let header = format!("Sec-WebSocket-Protocol: {offer}\r\n");
        let line = server.raw_line("/ws", &header).await;
        assert!(
            line.head.to_lowercase().contains("protocol: openline.v1.json\r\n"),
            "{}",
            line.head
        );
    }
    let line = server.raw_line("/ws", "Sec-WebSocket-Protocol: chat\r\n").await;
    assert!(!line.head.to_lowercase().contains("sec-websocket-protocol"), "{}", line.head);
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// What a line with these headers gets without asking: up to its end, or to the answer of a ping.
async fn welcomed(
    server: &TestServer,
    path: &str,
    headers: &[(HeaderName, String)],
) -> Vec<serde_json::Value> {
    let connector = headers.iter().fold(connector(), |connector, (name, value)| {
        connector.header(name.clone(), value.parse().unwrap())
    });
    let mut ws = soon(connector.connect(&server.url(path))).await.unwrap();
    // A line that has been closed takes no more.
    let _ = ws.send("{\"type\":\"ping\"}").await;
    let mut messages = Vec::new();
    while let Ok(Some(Message::Text(text))) = soon(ws.recv()).await {
        let message: serde_json::Value = serde_json::from_str(&text).unwrap();
        if message["type"] == "pong" {
            break;
        }
        messages.push(message);
    }
    assert_eq!(messages[0]["type"], "welcome", "{messages:?}");
    messages
}
