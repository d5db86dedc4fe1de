//! Rooms that plain lines share with others.

use openline_server::app::{Context, EndpointOptions, Handlers};
use openline_server::{Config, Server};
use serde_json::{Value, json};

use super::support::talk::Talk;
use super::support::{RawLine, TestServer};
use super::{line, serve, serve_and};

fn rooms() -> Handlers {
    Handlers::new()
        .rooms("r")
        .on("join", async |cx, data: Value| cx.join(data["room"].as_str().unwrap()).await)
        .on("say", async |cx, data: Value| {
            cx.namespace().to("a").emit("said", &json!({ "text": data["text"] })).await
        })
        .on("type", async |cx, (): ()| cx.to("a").emit("typing", &json!({ "who": "me" })).await)
        .on("union", async |cx, (): ()| {
            cx.namespace().to("a").to("b").emit("presence", &json!({ "list": [1] })).await
        })
}

async fn member(line: &mut Talk) {
    line.ask(&json!({ "type": "join", "id": "j", "room": "a" })).await;
}

async fn next_of(line: &mut Talk, kind: &str) -> Value {
    loop {
        let came = line.next().await.unwrap();
        if came["type"] == kind {
            return came;
        }
    }
}

#[tokio::test]
async fn what_is_said_in_a_room_is_the_object_that_was_written() {
    let server = serve(&rooms());
    let (mut ann, mut ben) = (line(&server).await, line(&server).await);
    member(&mut ann).await;
    member(&mut ben).await;
    ann.send(&json!({ "type": "say", "text": "hi" })).await;
    for line in [&mut ann, &mut ben] {
        assert_eq!(next_of(line, "said").await, json!({ "type": "said", "text": "hi" }));
    }
}

#[tokio::test]
async fn joining_says_nothing_but_its_answer() {
    let server = serve_and(&EndpointOptions::new().without_presence(), &rooms(), |builder| builder);
    let mut line = line(&server).await;
    line.send(&json!({ "type": "join", "id": 1, "room": "a" })).await;
    assert_eq!(line.next().await.unwrap(), json!({ "type": "join", "id": 1 }));
    line.send(&json!({ "type": "say", "text": "hi" })).await;
    assert_eq!(line.next().await.unwrap(), json!({ "type": "said", "text": "hi" }));
}

#[tokio::test]
async fn plain_lines_and_subscribers_hear_each_other() {
    let server = serve(&rooms());
    let mut page = line(&server).await;
    member(&mut page).await;
    let mut client = Talk::greeted(&server.url("/ws")).await.0;
    client.ask(&json!({ "type": "subscribe", "id": 1, "channel": "r:a" })).await;
    page.send(&json!({ "type": "say", "text": "hi" })).await;
    let heard = next_of(&mut client, "said").await;
    assert_eq!((&heard["channel"], &heard["data"]), (&json!("r:a"), &json!({ "text": "hi" })));
    next_of(&mut page, "said").await;
    for (data, heard) in [
        (json!({ "n": 1 }), json!({ "type": "e", "n": 1 })),
        (json!([1]), json!({ "type": "e", "data": [1] })),
    ] {
        let publish =
            json!({ "type": "publish", "id": 2, "channel": "r:a", "event": "e", "data": data });
        client.ask(&publish).await;
        assert_eq!(next_of(&mut page, "e").await, heard);
    }
    let publish = json!({ "type": "publish", "id": 3, "channel": "r:a", "data": { "n": 2 } });
    client.ask(&publish).await;
    assert_eq!(next_of(&mut page, "message").await, json!({ "type": "message", "n": 2 }));
}

#[tokio::test]
async fn who_comes_and_types_is_told_unless_that_is_not_wanted() {
    let loud = rooms();
    let server = serve_and(&EndpointOptions::new(), &loud, |builder| {
        builder.plain_with("/quiet", EndpointOptions::new().without_presence(), rooms())
    });
    let mut loud = line(&server).await;
    let mut quiet = Talk::open(&server.url("/quiet"), None).await;
    member(&mut quiet).await;
    member(&mut loud).await;
    let mut client = Talk::greeted(&server.url("/ws")).await.0;
    client.ask(&json!({ "type": "subscribe", "id": 1, "channel": "r:a" })).await;
    let told = next_of(&mut loud, "presence").await;
    assert_eq!(told["channel"], "r:a");
    assert!(told["data"]["joined"].is_array(), "{told}");
    client.ask(&json!({ "type": "typing", "id": 2, "channel": "r:a", "isTyping": true })).await;
    let told = next_of(&mut loud, "typing").await;
    assert_eq!((&told["channel"], &told["isTyping"]), (&json!("r:a"), &json!(true)));
    loud.send(&json!({ "type": "say", "text": "last" })).await;
    assert_eq!(quiet.next().await.unwrap(), json!({ "type": "said", "text": "last" }));
}

#[tokio::test]
async fn events_called_as_built_in_types_reach_those_with_their_own_vocabulary() {
    let server = serve_and(&EndpointOptions::new().without_presence(), &rooms(), |builder| builder);
    let (mut ann, mut ben) = (line(&server).await, line(&server).await);
    member(&mut ann).await;
    member(&mut ben).await;
    let mut client = Talk::greeted(&server.url("/ws")).await.0;
    client.ask(&json!({ "type": "subscribe", "id": 1, "channel": "r:a" })).await;
    ann.send(&json!({ "type": "type" })).await;
    ann.send(&json!({ "type": "union" })).await;
    ann.send(&json!({ "type": "say", "text": "last" })).await;
    assert_eq!(ben.next().await.unwrap(), json!({ "type": "typing", "who": "me" }));
    assert_eq!(ben.next().await.unwrap(), json!({ "type": "presence", "list": [1] }));
    assert_eq!(ben.next().await.unwrap()["type"], "said");
    assert_eq!(ann.next().await.unwrap()["type"], "presence", "she is no other");
    loop {
        let came = client.next().await.unwrap();
        assert!(came.get("who").is_none() && came["data"].get("list").is_none(), "{came}");
        if came["type"] == "said" {
            break;
        }
    }
}

/// A server whose handlers flood a room with so many messages of so many bytes, and whose lines hold
/// little.
fn flood(history: u32, messages: usize, bytes: usize) -> TestServer {
    let flags =
        [("limits.message", "4KiB"), ("limits.queue", "4KiB"), ("limits.slow_consumer", "gap")];
    let flags = flags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let mut config = Config::load(None, [], flags).unwrap();
    config.namespace.default.history_size = history;
    let handlers = rooms().on("flood", move |cx: Context, (): ()| async move {
        for n in 0..messages {
            let text = "a".repeat(bytes);
            cx.namespace().to("a").emit("said", &json!({ "n": n, "text": text })).await.unwrap();
        }
    });
    let options = EndpointOptions::new().without_presence();
    TestServer::with_handlers(config, Server::builder().plain_with("/app", options, handlers))
}

/// What a line hears that begins to read when all has been said, up to the last of it.
async fn heard_late(server: &TestServer) -> Vec<Value> {
    let mut sleeper = RawLine::open_narrow(server.address(), "/app").await;
    sleeper.send(0x81, br#"{"type":"join","id":1,"room":"a"}"#).await;
    let text =
        |frame: super::support::Frame| -> Value { serde_json::from_slice(&frame.payload).unwrap() };
    assert_eq!(text(sleeper.read().await.unwrap())["id"], 1);
    let mut speaker = line(server).await;
    speaker.ask(&json!({ "type": "flood", "id": 1 })).await;
    speaker.send(&json!({ "type": "say", "text": "last" })).await;
    let mut heard = Vec::new();
    loop {
        let came = text(sleeper.read().await.unwrap());
        let is_end = came["text"] == "last" || came["type"] == "unrecovered";
        heard.push(came);
        if is_end {
            return heard;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_slow_line_missed_comes_from_the_history() {
    // Together what one look into the history brings: a line that missed more is told.
    let server = flood(1000, 900, 900);
    let heard = heard_late(&server).await;
    let numbers: Vec<u64> = heard.iter().filter_map(|said| said["n"].as_u64()).collect();
    assert_eq!(numbers, (0..900).collect::<Vec<_>>());
    assert_eq!(heard.last().unwrap()["text"], "last");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_no_history_the_gap_is_an_event() {
    // More than all the buffers between the two.
    let server = flood(0, 1000, 20_000);
    let heard = heard_late(&server).await;
    let gap = json!({ "type": "unrecovered", "channel": "r:a", "reason": "limit" });
    assert_eq!(heard.last(), Some(&gap));
    assert!(heard.len() < 1000, "{}", heard.len());
}
