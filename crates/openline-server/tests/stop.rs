//! Stopping a server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::json;
use support::talk::{End, MESSAGEPACK, Talk};
use support::{Member, TestServer, soon};
use tokio::net::TcpStream;

async fn closed_with_1001(mut ws: openline_ws::WebSocket<openline_ws::Transport>) {
    while let Some(_earlier) = soon(ws.recv()).await.unwrap() {}
    let closed = ws.closed().unwrap();
    assert_eq!((closed.reason.code.0, closed.reason.text.as_str()), (1001, "server stops"));
}

#[tokio::test]
async fn chat_lines_are_closed_with_1001_and_run_returns() {
    let mut server = TestServer::with_threads(2);
    let mut members = Vec::new();
    for _ in 0..4 {
        members.push(Member::enter(&server, "/chat").await);
    }
    server.handle().stop();
    for member in members {
        closed_with_1001(member.ws).await;
    }
    server.join().unwrap();
}

#[tokio::test]
async fn echo_lines_are_closed_with_1001() {
    let mut server = TestServer::with_threads(2);
    let mut lines = Vec::new();
    for _ in 0..4 {
        let mut ws = server.line("/echo").await;
        ws.send("a").await.unwrap();
        assert_eq!(soon(ws.recv()).await.unwrap(), Some("a".into()));
        lines.push(ws);
    }
    server.handle().stop();
    for ws in lines {
        closed_with_1001(ws).await;
    }
    server.join().unwrap();
}

#[tokio::test]
async fn lines_are_told_when_to_come_back() {
    let mut server = TestServer::with_threads(2);
    let mut lines = Vec::new();
    for subprotocol in [None, Some(MESSAGEPACK), None, Some(MESSAGEPACK)] {
        let mut line = Talk::open(&server.url("/ws"), subprotocol).await;
        assert_eq!(line.next().await.unwrap()["type"], "welcome");
        lines.push(line);
    }
    server.handle().stop();
    for mut line in lines {
        let (last, end) = line.last_words().await;
        let told = json!({
            "type": "close", "code": 1012, "reason": "server stops", "retryAfter": 1000,
        });
        assert_eq!(last, Some(told));
        assert_eq!(end, End { code: 1012, reason: "server stops".to_owned() });
    }
    server.join().unwrap();
}

#[tokio::test]
async fn a_stopped_server_takes_no_connections() {
    let mut server = TestServer::start();
    server.handle().stop();
    server.join().unwrap();
    assert!(TcpStream::connect(server.address()).await.is_err());
}

#[test]
fn a_server_that_was_stopped_before_it_ran_returns() {
    let mut config = openline_server::Config::default();
    config.listen = ([127, 0, 0, 1], 0).into();
    config.ephemeral = true;
    let server = openline_server::Server::bind(config).unwrap();
    server.handle().stop();
    server.run().unwrap();
}
