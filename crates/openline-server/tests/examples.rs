//! The examples, run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/built_ins.rs"]
mod built_ins;
#[path = "../examples/handlers.rs"]
mod handlers;
#[path = "../examples/hooks.rs"]
mod hooks;
#[path = "../examples/middleware.rs"]
mod middleware;
#[path = "../examples/namespaces.rs"]
mod namespaces;
#[path = "../examples/plain.rs"]
mod plain;
#[path = "../examples/questions.rs"]
mod questions;
#[path = "../examples/raw.rs"]
mod raw;
#[path = "../examples/rooms.rs"]
mod rooms;
mod support;
#[path = "../examples/with_axum.rs"]
mod with_axum;

use std::net::SocketAddr;

use openline_server::Config;
use openline_server::testkit::TestServer;
use openline_ws::{Message, Transport, WebSocket};
use serde_json::{Value, json};
use support::talk::Talk;

#[tokio::test]
async fn handlers() {
    let server = TestServer::new(handlers::handlers());
    let (mut ann, mut guest) = (server.client().user("ann").await, server.client().await);
    let rolled: Value = guest.ask("roll", &json!({ "sides": 6 })).await.unwrap();
    assert_eq!(rolled, json!({ "value": 1 }));
    let refused = guest.ask::<Value>("roll", &json!({ "sides": 0 })).await.unwrap_err();
    assert_eq!(refused.code(), "no_sides");
    assert_eq!(guest.ask::<u32>("rolls", &()).await.unwrap(), 1);
    assert_eq!(ann.ask::<String>("whoami", &()).await.unwrap(), "ann");
    assert_eq!(guest.ask::<String>("whoami", &()).await.unwrap_err().code(), "unauthorized");
    ann.ask::<()>("rename", "Annie").await.unwrap();
    assert_eq!(ann.ask::<String>("nickname", &()).await.unwrap(), "Annie");
    assert_eq!(ann.ask::<i64>("parse", "-7").await.unwrap(), -7);
    assert_eq!(ann.ask::<i64>("parse", "seven").await.unwrap_err().code(), "internal");
    assert_eq!(ann.ask::<String>("order", "tea").await.unwrap(), "accepted");
    assert_eq!(ann.expect("ready").await.data, "tea");
    let unknown = ann.ask::<()>("rol", &()).await.unwrap_err();
    assert_eq!(unknown.message(), "there is no rol here; there are roll and rolls");
}

#[tokio::test]
async fn rooms() {
    let server = TestServer::new(rooms::handlers());
    let (mut ann, mut ben) = (server.client().await, server.client().await);
    assert_eq!(ann.ask::<usize>("join", "lobby").await.unwrap(), 0);
    ann.ask::<()>("chat", &json!({ "room": "lobby", "text": "hi" })).await.unwrap();
    assert_eq!(ann.expect("chat").await.data["text"], "hi");
    assert!(ben.ask::<usize>("join", "lobby").await.unwrap() > 0, "the history has it");
    assert_eq!(ann.expect("joined").await.data, ben.id());
    ben.ask::<usize>("join", "b").await.unwrap();
    ann.ask::<()>("both", &("lobby", "b", "once")).await.unwrap();
    assert_eq!(ben.expect("note").await.data, "once");
    ann.ask::<()>("without", &("lobby", "b", "not for b")).await.unwrap();
    ben.expect_nothing().await;
    ben.ask::<()>("shout", "all").await.unwrap();
    assert_eq!(ann.expect("note").await.data, "all");
    ann.ask::<()>("cursor", &("lobby", 3, 4)).await.unwrap();
    assert_eq!(ben.expect("cursor").await.data, json!([3, 4]));
    assert_eq!(ann.ask::<Vec<String>>("rooms", &()).await.unwrap(), ["lobby"]);
    assert!(ann.ask::<bool>("leave", "lobby").await.unwrap());
    assert!(!ann.ask::<bool>("leave", "lobby").await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn questions() {
    let server = TestServer::new(questions::handlers());
    let mut ann = server.client().await;
    for (yes, outcome) in [(true, Ok("deleted")), (false, Err("not_confirmed"))] {
        let deleting = ann.begin("delete", "a.txt").await;
        let question = ann.expect("confirm").await;
        assert_eq!(question.data, "a.txt");
        ann.answer(&question, &yes).await;
        let said = ann.outcome::<String>(deleting).await;
        let said = said.as_deref().map_err(|refusal| refusal.code());
        assert_eq!(said, outcome);
    }
    let mut voters = [server.client().await, server.client().await, server.client().await];
    for voter in &mut voters {
        voter.ask::<()>("join", "r").await.unwrap();
    }
    let voting = ann.begin("vote", &("r", "tea?")).await;
    // The third is silent.
    for (voter, yes) in voters.iter_mut().zip([true, false]) {
        let question = voter.expect("vote").await;
        voter.answer(&question, &yes).await;
    }
    let votes: Value = ann.outcome(voting).await.unwrap();
    assert_eq!(votes, json!({ "yes": 1, "no": 1, "silent": 1 }));
}

#[tokio::test]
async fn middleware() {
    let server = TestServer::new(middleware::handlers());
    let (mut ann, mut guest) = (server.client().user("ann").await, server.client().await);
    assert_eq!(guest.ask::<u32>("secret", &()).await.unwrap_err().message(), "log in first");
    assert_eq!(guest.ask::<String>("login", &()).await.unwrap(), "nothing to do");
    assert_eq!(ann.ask::<u32>("secret", &()).await.unwrap(), 42);
    assert_eq!(ann.ask::<u64>("failures", &()).await.unwrap(), 1);
}

#[tokio::test]
async fn hooks() {
    let server = TestServer::new(hooks::handlers());
    let (mut ann, mut ben) = (server.client().await, server.client().await);
    assert_eq!(ann.expect("came").await.data, ben.id());
    let mut third = server.client().await;
    assert_eq!(third.closed().await, (1008, "the room is full".to_owned()));
    assert_eq!(ann.ask::<usize>("inside", &()).await.unwrap(), 2);
    let id = ben.id().to_owned();
    ben.send("quit", &()).await;
    assert_eq!(ben.closed().await, (4005, "as you wish".to_owned()));
    assert_eq!(ann.expect("went").await.data, json!([id, 4005, "as you wish"]));
    assert_eq!(ann.ask::<usize>("inside", &()).await.unwrap(), 1);
}

#[tokio::test]
async fn built_ins() {
    let server = TestServer::new(built_ins::handlers());
    let (mut ann, mut ben) = (server.client().await, server.client().await);
    for channel in ["announcements", "signed", "news"] {
        ben.subscribe(channel).await.unwrap();
    }
    let refused = ann.publish("announcements", "message", "me").await.unwrap_err();
    assert_eq!(refused.message(), "only the server announces");
    ann.publish("signed", "message", "hello").await.unwrap();
    assert_eq!(ben.expect("message").await.data, json!({ "by": ann.id(), "says": "hello" }));
    ann.publish("news", "headline", "hello").await.unwrap();
    assert_eq!(ben.expect("headline").await.data, "hello");
    let typing = json!({ "type": "typing", "channel": "news", "isTyping": true });
    assert_eq!(ann.request(typing).await.unwrap_err().code(), "forbidden");
    ben.expect_nothing().await;
}

#[tokio::test]
async fn namespaces() {
    let server = TestServer::of(namespaces::server(), Config::default());
    let (mut ann, mut ben) = (server.client().await, server.client().await);
    let mut admin = server.client().namespace("/admin").await;
    let mut other = server.client().namespace("/admin").await;
    for client in [&mut ann, &mut ben] {
        client.ask::<()>("join", "lobby").await.unwrap();
    }
    admin.ask::<()>("watch", &()).await.unwrap();
    ann.ask::<()>("chat", &("lobby", "hi")).await.unwrap();
    assert_eq!(ben.expect("chat").await.data, "hi");
    other.ask::<()>("alarm", "fire").await.unwrap();
    assert_eq!(admin.expect("alarm").await.data, "fire");
    assert_eq!(admin.ask::<usize>("clients", &()).await.unwrap(), 2);
    admin.ask::<()>("announce", "lunch").await.unwrap();
    assert_eq!(ann.expect("announcement").await.data, "lunch");
    other.expect_nothing().await;
    assert_eq!(ann.ask::<()>("alarm", "me too").await.unwrap_err().code(), "unknown_type");
}

async fn post(address: SocketAddr, path: &str, text: &str) -> String {
    let length = text.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}");
    support::ask(address, &format!("{head}\r\nConnection: close\r\n\r\n{text}")).await.body
}

#[tokio::test]
async fn with_axum() {
    let mut config = Config::default();
    config.ephemeral = true;
    let (app, mounted) = with_axum::inside(config).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let inside = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(axum::serve(listener, app).into_future());
    let beside = support::TestServer::with_handlers(Config::default(), with_axum::beside());
    for address in [inside, beside.address()] {
        let mut line = Talk::greeted(&format!("ws://{address}/ws")).await.0;
        line.send(&json!({ "type": "join", "data": "lobby" })).await;
        assert_eq!(line.next().await.unwrap()["type"], "subscribed");
        assert_eq!(post(address, "/rooms/lobby", "hello").await, "told\n");
        let said = line.next().await.unwrap();
        assert_eq!((&said["type"], &said["data"]), (&json!("said"), &json!("hello")));
    }
    drop(mounted);
    serving.abort();
}

#[tokio::test]
async fn plain() {
    let server = support::TestServer::with_handlers(Config::default(), plain::server());
    let mut ann = support::connector().connect(&server.url("/talk/42")).await.unwrap();
    let mut ben = support::connector().connect(&server.url("/talk/42")).await.unwrap();
    // Answered, so both are in the room.
    for line in [&mut ann, &mut ben] {
        let loud = said(line, json!({ "type": "shout", "id": 1, "text": "hi" })).await;
        assert_eq!(loud["id"], 1, "{loud}");
    }
    ann.send(json!({ "type": "chat", "text": "hello" }).to_string()).await.unwrap();
    let heard = heard(&mut ben).await;
    assert_eq!((&heard["type"], &heard["text"]), (&json!("chat"), &json!("hello")));
    assert!(heard["from"].is_string(), "{heard}");
}

type Line = WebSocket<Transport>;

async fn said(line: &mut Line, message: Value) -> Value {
    line.send(message.to_string()).await.unwrap();
    heard(line).await
}

async fn heard(line: &mut Line) -> Value {
    match support::soon(line.recv()).await.unwrap() {
        Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
        other => panic!("a text was expected, and this came: {other:?}"),
    }
}

#[tokio::test]
async fn raw() {
    let server = support::TestServer::with_handlers(Config::default(), raw::server());
    let mut line = support::connector().connect(&server.url("/raw")).await.unwrap();
    line.send("hello".to_owned()).await.unwrap();
    assert_eq!(support::soon(line.recv()).await.unwrap(), Some(Message::Text("HELLO".into())));
    line.send(vec![1, 2, 3]).await.unwrap();
    let reversed = Some(Message::Binary(vec![3, 2, 1].into()));
    assert_eq!(support::soon(line.recv()).await.unwrap(), reversed);
}
