//! The client against a server that is played by the test, over a line in memory and under a paused
//! clock: what takes minutes elsewhere takes none here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod script;

use std::time::Duration;

use openline_client::{ChannelEvent, Client, Error, Position, Queue, State};
use script::client;
use serde_json::{Value, json};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_one_of_openline_stops_the_client_with_a_sentence() {
    let (builder, mut script) = client();
    let client = builder.build().unwrap();
    let served = tokio::spawn(async move {
        let mut line = script.accept().await;
        line.send(json!({"type": "hello"})).await;
        while line.recv().await.is_some() {}
    });
    let error = client.connect().await.unwrap_err();
    let Error::Stopped { code: 1002, reason } = error else { panic!("{error:?}") };
    assert!(reason.contains("not an Openline server"), "{reason}");
    served.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_the_servers_answer_and_for_a_second_at_most() {
    for (answers_after, took) in [(Some(300), 300), (None, 1000)] {
        let (builder, mut script) = client();
        let client = builder.build().unwrap();
        let (mut line, connected) = tokio::join!(script.welcome(), client.connect());
        connected.unwrap();
        let serving = tokio::spawn(async move {
            match answers_after {
                Some(pause) => tokio::time::sleep(Duration::from_millis(pause)).await,
                None => std::future::pending().await,
            }
            while line.recv().await.is_some() {}
        });
        let begun = Instant::now();
        client.close().await;
        assert_eq!(begun.elapsed().as_millis(), took);
        serving.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_line_is_asked_given_up_and_replaced() {
    let (builder, mut script) = client();
    let client = builder.build().unwrap();
    let (first, connected) = tokio::join!(script.welcome(), client.connect());
    connected.unwrap();
    let mut first = first;
    // The server hears a ping, and says nothing for ever.
    let ping = first.recv().await.unwrap();
    assert_eq!(ping["type"], "ping");
    let mut status = client.status();
    assert_eq!(status.borrow().state, State::Probing);
    let given_up = status.wait_for(|status| status.state == State::Waiting).await.unwrap().clone();
    assert_eq!(given_up.reason.as_deref(), Some("nothing heard for 10000 ms"));
    let _second = script.welcome().await;
    status.wait_for(|status| status.state == State::Online).await.unwrap();
}

/// A subscription was dropped before its answer came, and another made to the same channel. The first
/// answer has less than the second, and what was between them never came.
#[tokio::test(start_paused = true)]
async fn the_answer_to_a_subscription_that_was_dropped_is_not_taken_for_the_next_ones() {
    let (builder, mut script) = client();
    let client = builder.build().unwrap();
    let (line, connected) = tokio::join!(script.welcome(), client.connect());
    connected.unwrap();
    let mut line = line;
    let position = |offset| Position { epoch: 1, offset, tag: offset };
    let subscribing = |client: Client| async move {
        client.channel("room").since(position(1)).subscribe().await.unwrap()
    };
    let first = tokio::spawn(subscribing(client.clone()));
    let first_request = line.recv().await.unwrap();
    first.abort();
    assert!(first.await.is_err(), "it was aborted");
    let second = tokio::spawn(subscribing(client.clone()));
    let left = line.recv().await.unwrap();
    let second_request = line.recv().await.unwrap();
    assert_eq!(
        (left["type"].as_str(), second_request["type"].as_str()),
        (Some("unsubscribe"), Some("subscribe"))
    );
    let message = |offset: u64| {
        json!({"type": "message", "channel": "room", "data": offset, "timestamp": 1,
            "position": position(offset).to_string()})
    };
    for (request, messages) in [(first_request, 2..3), (second_request, 2..5)] {
        let position = position(messages.end - 1).to_string();
        let messages: Vec<Value> = messages.map(message).collect();
        let room = json!({"position": position, "recovered": true, "messages": messages});
        let (id, channels) = (&request["id"], ["room"]);
        line.send(
            json!({"type": "subscribed", "id": id, "channels": channels, "data": {"room": room}}),
        )
        .await;
    }
    line.send(message(5)).await;
    let mut room = second.await.unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&5) {
        if let Some(ChannelEvent::Publication(publication)) = room.next().await {
            seen.push(publication.json::<u64>().unwrap());
        }
    }
    assert_eq!(seen, [2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn every_call_ends_where_the_server_says_nothing() {
    let (builder, mut script) = client();
    let queue = Queue::bounded(2).ttl(Duration::from_secs(30));
    let client = builder.queue(queue).build().unwrap();
    let (_line, connected) = tokio::join!(script.welcome(), client.connect());
    connected.unwrap();
    let (request, publish, third) = tokio::join!(
        client.request("roll", &6).timeout(Duration::from_secs(5)).into_future(),
        client.publish("room", &1).into_future(),
        client.publish("room", &2).into_future(),
    );
    assert_eq!(request.unwrap_err(), Error::Timeout);
    assert_eq!(publish.unwrap_err(), Error::Timeout);
    assert_eq!(third.unwrap_err(), Error::QueueFull);
    assert_eq!(client.channel("room").subscribe().await.err(), Some(Error::Timeout));
    assert_eq!(client.queued(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn without_a_line_messages_expire_and_volatile_ones_are_refused() {
    let (builder, _script) = client();
    let client = builder.build().unwrap();
    assert_eq!(client.publish("room", &1).await.unwrap_err(), Error::Expired);
    assert_eq!(client.publish("room", &1).volatile().await.unwrap_err(), Error::ConnectionLost);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_answered_goes_out_again_only_where_that_does_no_harm() {
    let (builder, mut script) = client();
    let client = builder.build().unwrap();
    let (mut first, connected) = tokio::join!(script.welcome(), client.connect());
    connected.unwrap();
    let once = tokio::spawn(client.request("roll", &1).into_future());
    let roll = first.recv().await.unwrap();
    assert_eq!((&roll["type"], &roll["data"]), (&json!("roll"), &json!(1)));
    let again = tokio::spawn(client.request("read", &2).idempotent().into_future());
    let read = first.recv().await.unwrap();
    let publish = tokio::spawn(client.publish("room", &3).into_future());
    let sent = first.recv().await.unwrap();
    drop(first);
    assert_eq!(once.await.unwrap().unwrap_err(), Error::ConnectionLost);
    let mut second = script.welcome().await;
    assert_eq!(second.recv().await.unwrap(), read);
    assert_eq!(second.recv().await.unwrap(), sent, "in order, and under the same key");
    second.send(json!({"type": "read", "id": read["id"], "data": "done"})).await;
    let level = json!({"type": "published", "id": sent["id"], "level": "memory", "timestamp": 1});
    second.send(level).await;
    assert!(again.await.unwrap().is_ok() && publish.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_servers_requests_are_answered_by_their_handlers() {
    let (builder, mut script) = client();
    let client = builder.build().unwrap();
    client.on("double", |number: u64| async move { number * 2 });
    let (mut line, connected) = tokio::join!(script.welcome(), client.connect());
    connected.unwrap();
    line.send(json!({"type": "double", "id": "s-1", "data": 21})).await;
    assert_eq!(line.recv().await, Some(json!({"type": "double", "id": "s-1", "data": 42})));
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_ends_the_line() {
    let (builder, mut script) = client();
    let client = builder.build().unwrap();
    let (mut line, connected) = tokio::join!(script.welcome(), client.connect());
    connected.unwrap();
    let other = client.clone();
    drop(client);
    drop(other);
    assert_eq!(line.recv().await, None);
    assert!(script.lines.recv().await.is_none(), "nothing opens another");
}

#[test]
fn what_cannot_be_the_address_of_a_server_is_refused_with_a_sentence() {
    for (url, what) in [
        ("http://a/ws", "use ws"),
        ("https://a/ws", "use wss"),
        ("a.example", "has to begin with ws:// or wss://"),
        ("ws://a/ws#x", "fragment"),
        ("ws:///ws", "is not a URL"),
    ] {
        let error = Client::builder(url).err().unwrap().to_string();
        assert!(error.contains(what), "{url}: {error}");
    }
    let ttl = Queue::bounded(1).ttl(Duration::from_secs(600));
    assert!(Client::builder("ws://a/ws").unwrap().queue(ttl).build().is_err());
}
