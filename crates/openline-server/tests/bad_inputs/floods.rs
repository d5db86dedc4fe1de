//! Much of something: each gets its answer, and the memory of the process stays within a bound.

use std::fs;
use std::num::NonZeroUsize;

use openline_server::Config;
use openline_ws::Message;
use serde_json::{Value, json};

use crate::support::talk::{MESSAGEPACK, Talk};
use crate::support::{RawLine, TestServer, frame, soon};

/// How much the process may grow by, the client's own buffers and other tests counted. What is kept
/// without a bound would be several times as much.
const GROWTH_BYTES_MAX: u64 = 96 << 20;

#[tokio::test]
async fn what_is_nested_100_000_deep_is_refused_without_harm() {
    let server = TestServer::start();
    let deep = "[".repeat(100_000);
    for text in [
        format!("{{\"type\":\"publish\",\"id\":1,\"channel\":\"a\",\"data\":{deep}"),
        format!("{{\"x\":{deep}{}}}", "]".repeat(100_000)),
        deep.clone(),
        "{\"a\":".repeat(100_000),
    ] {
        let (mut line, _) = Talk::greeted(&server.url("/ws")).await;
        line.put(Message::from(text)).await.unwrap();
        assert_refused(&mut line).await;
    }
    for byte in [0x91, 0x81] {
        let mut line = Talk::open(&server.url("/ws"), Some(MESSAGEPACK)).await;
        line.next().await.unwrap();
        line.put(Message::from(vec![byte; 100_000])).await.unwrap();
        assert_refused(&mut line).await;
    }
}

async fn assert_refused(line: &mut Talk) {
    let answer = line.next().await.unwrap();
    let code = answer["code"].as_str().unwrap();
    assert!(["bad_request", "invalid_json", "invalid_msgpack"].contains(&code), "{answer}");
    assert_eq!(line.ask(&json!({ "type": "ping", "id": 2 })).await["type"], "pong");
}

#[tokio::test]
async fn fields_that_stand_twice_or_are_too_many_are_refused() {
    let server = TestServer::start();
    let (mut line, _) = Talk::greeted(&server.url("/ws")).await;
    let many: String = (0..65).map(|n| format!(",\"f{n}\":1")).collect();
    for text in [
        "{\"type\":\"ping\",\"id\":1,\"id\":1}".to_owned(),
        "{\"type\":\"subscribe\",\"id\":1,\"channels\":[{\"channel\":\"a\",\"channel\":\"a\"}]}"
            .to_owned(),
        "{\"type\":\"subscribe\",\"id\":1,\"channels\":[\"a\",\"a\"]}".to_owned(),
        format!("{{\"type\":\"ping\"{many}}}"),
    ] {
        line.put(Message::from(text.as_str())).await.unwrap();
        assert_eq!(line.next().await.unwrap()["code"], "bad_request", "{text}");
    }
}

#[tokio::test]
async fn who_sends_what_cannot_be_read_again_and_again_is_cut_off() {
    let server = TestServer::start();
    let (mut line, _) = Talk::greeted(&server.url("/ws")).await;
    let mut answers = 0;
    let end = loop {
        let _ = line.put(Message::from("{")).await;
        match line.next().await {
            Ok(answer) => assert_eq!(answer["code"], "invalid_json"),
            Err(end) => break end,
        }
        answers += 1;
    };
    assert_eq!(end.code, 1008);
    assert!(answers >= 10, "{answers}");
}

#[tokio::test]
async fn ten_thousand_subscribes_get_128_subscriptions_and_as_many_answers() {
    let server = TestServer::start();
    let before = resident_bytes();
    let (mut line, _) = Talk::greeted(&server.url("/ws")).await;
    let (mut subscribed, mut refused) = (0, 0);
    for batch in 0..100 {
        for n in 0..100 {
            let channel = format!("c{}", batch * 100 + n);
            line.send(&json!({ "type": "subscribe", "id": n, "channel": channel })).await;
        }
        for _ in 0..100 {
            match answer(&mut line).await["code"].as_str() {
                None => subscribed += 1,
                Some("channel_limit") => refused += 1,
                Some(other) => panic!("{other}"),
            }
        }
    }
    assert_eq!((subscribed, refused), (128, 10_000 - 128));
    assert_bounded(before);
}

/// Without what comes on its own account.
async fn answer(line: &mut Talk) -> Value {
    loop {
        let came = line.next().await.unwrap();
        if came.get("id").is_some() {
            return came;
        }
    }
}

#[tokio::test]
async fn a_hundred_thousand_commands_are_answered_in_order() {
    const COMMANDS: u32 = 100_000;
    let mut config = Config::default();
    config.threads = NonZeroUsize::new(2);
    let server = TestServer::with_config(config);
    let before = resident_bytes();
    let line = Talk::greeted(&server.url("/ws")).await.0;
    let (mut reader, sender) = line.ws.split();
    let send = async {
        for id in 0..COMMANDS {
            let ping = json!({ "type": "ping", "id": id });
            soon(sender.send(ping.to_string())).await.unwrap();
        }
    };
    let read = async {
        for id in 0..COMMANDS {
            let message = soon(reader.recv()).await.unwrap().expect("the line is open");
            let pong: Value = serde_json::from_str(message.as_text().unwrap()).unwrap();
            assert_eq!((&pong["type"], &pong["id"]), (&json!("pong"), &json!(id)));
        }
    };
    tokio::join!(send, read);
    assert_bounded(before);
}

#[tokio::test]
async fn who_asks_and_does_not_read_is_cut_off_and_holds_no_more_than_its_queue() {
    let server = TestServer::start();
    let before = resident_bytes();
    let mut lines = Vec::new();
    for _ in 0..8 {
        lines.push(RawLine::open_narrow(server.address(), "/ws").await);
    }
    let history = json!({ "type": "history", "id": 1, "channel": "a" }).to_string();
    let (mut teller, _) = Talk::greeted(&server.url("/ws")).await;
    for _ in 0..50 {
        let data = "x".repeat(10_000);
        let publish = json!({ "type": "publish", "id": 1, "channel": "a", "data": data });
        assert_eq!(teller.ask(&publish).await["type"], "published");
    }
    // Each answer is half a mebibyte.
    let asked = frame(0x81, history.as_bytes()).repeat(200);
    for line in &mut lines {
        // What the server does not read any more is refused by the system.
        let writing = tokio::io::AsyncWriteExt::write_all(&mut line.stream, &asked);
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), writing).await;
    }
    assert_eq!(teller.ask(&json!({ "type": "ping", "id": 1 })).await["type"], "pong");
    assert_bounded(before);
    for line in &mut lines {
        while soon(line.read()).await.is_some() {}
    }
}

fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

fn assert_bounded(before: u64) {
    let growth = resident_bytes().saturating_sub(before);
    assert!(growth <= GROWTH_BYTES_MAX, "the process grew by {} MiB", growth >> 20);
}
