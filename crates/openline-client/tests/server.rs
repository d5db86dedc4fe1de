//! The client against a server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use openline_client::{ChannelEvent, Client, Data, Error, Format, GapReason, State, Subscription};
use serde_json::{Value, json};
use support::{TestServer, soon};

/// The next publication, with nothing before it but what is let through.
async fn publication(subscription: &mut Subscription) -> Value {
    match soon(subscription.next()).await {
        Some(ChannelEvent::Publication(publication)) => publication.json().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The next event that is not about who is there.
async fn event(subscription: &mut Subscription) -> ChannelEvent {
    loop {
        match soon(subscription.next()).await {
            Some(ChannelEvent::Presence(_)) => {}
            Some(event) => return event,
            None => panic!("the subscription is over"),
        }
    }
}

#[tokio::test]
async fn what_is_published_comes_with_its_position_in_either_format() {
    let server = TestServer::start();
    for (format, name) in [(Format::Json, "a"), (Format::MessagePack, "b")] {
        let client = server.client().0.format(format).build().unwrap();
        soon(client.connect()).await.unwrap();
        let mut room = soon(client.channel(name).subscribe()).await.unwrap();
        let published = soon(client.publish(name, &json!({"n": 1})).event("chat").into_future());
        let published = published.await.unwrap();
        let ChannelEvent::Publication(received) = event(&mut room).await else { panic!() };
        assert_eq!(received.position, published.position);
        assert_eq!(received.event.as_deref(), Some("chat"));
        assert_eq!(received.json::<Value>().unwrap(), json!({"n": 1}));
        assert_eq!(room.position(), published.position);
        // Bytes come as bytes, whatever the format.
        let bytes = Data::Binary(b"\x00\xff".as_slice().into());
        soon(client.publish_data(name, bytes.clone()).into_future()).await.unwrap();
        let ChannelEvent::Publication(received) = event(&mut room).await else { panic!() };
        assert_eq!(received.data, bytes);
        assert!(matches!(received.json::<Value>(), Err(Error::Payload(_))));
    }
}

#[tokio::test]
async fn a_lost_line_comes_back_with_all_that_was_missed_and_nothing_twice() {
    let server = TestServer::start();
    let (builder, scissors) = server.client();
    let reader = builder.build().unwrap();
    let writer = server.client().0.build().unwrap();
    soon(reader.connect()).await.unwrap();
    soon(writer.connect()).await.unwrap();
    let mut room = reader.channel("room").subscribe().await.unwrap();
    writer.publish("room", &0).await.unwrap();
    assert!(matches!(event(&mut room).await, ChannelEvent::Publication(_)));
    let mut status = reader.status();
    scissors.cut();
    soon(status.wait_for(|status| !status.is_online())).await.unwrap();
    for n in 1..=3 {
        writer.publish("room", &n).await.unwrap();
    }
    assert_eq!(event(&mut room).await, ChannelEvent::Recovered { count: 3 });
    for n in 1..=3 {
        let ChannelEvent::Publication(message) = event(&mut room).await else { panic!() };
        assert_eq!((message.json::<u64>().unwrap(), message.replayed), (n, true));
    }
    writer.publish("room", &4).await.unwrap();
    let ChannelEvent::Publication(message) = event(&mut room).await else { panic!() };
    assert_eq!((message.json::<u64>().unwrap(), message.replayed), (4, false));
}

#[tokio::test]
async fn publishes_without_a_line_wait_for_one_and_keep_their_order() {
    let server = TestServer::start();
    let client = server.client().0.build().unwrap();
    let waiting: Vec<_> =
        (0..20).map(|n| tokio::spawn(client.publish("room", &n).into_future())).collect();
    tokio::task::yield_now().await;
    assert_eq!(client.queued().0, 20);
    soon(client.connect()).await.unwrap();
    for task in waiting {
        soon(task).await.unwrap().unwrap();
    }
    let room = client.channel("room").subscribe().await.unwrap();
    let history = client.history("room").limit(50).await.unwrap();
    let numbers: Vec<u64> = history.messages.iter().map(|m| m.json().unwrap()).collect();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    drop(room);
}

#[tokio::test]
async fn a_slow_reader_gets_everything_from_the_history_and_holds_up_nobody() {
    let server = TestServer::start();
    let client = server.client().0.build().unwrap();
    soon(client.connect()).await.unwrap();
    let mut slow = client.channel("slow").buffer(4).subscribe().await.unwrap();
    let mut fast = client.channel("fast").subscribe().await.unwrap();
    for n in 0..100 {
        client.publish("slow", &n).await.unwrap();
        client.publish("fast", &n).await.unwrap();
        let ChannelEvent::Publication(_) = event(&mut fast).await else { panic!() };
    }
    for n in 0..100 {
        let ChannelEvent::Publication(message) = event(&mut slow).await else { panic!("at {n}") };
        assert_eq!(message.json::<u64>().unwrap(), n);
    }
    client.publish("slow", &100).await.unwrap();
    let ChannelEvent::Publication(message) = event(&mut slow).await else { panic!() };
    assert_eq!(message.json::<u64>().unwrap(), 100);
}

#[tokio::test]
async fn what_is_gone_from_the_history_is_told_as_a_gap() {
    let server = TestServer::start();
    let client = server.client().0.build().unwrap();
    soon(client.connect()).await.unwrap();
    let other = TestServer::start();
    let elsewhere = other.client().0.build().unwrap();
    soon(elsewhere.connect()).await.unwrap();
    let position = elsewhere.publish("room", &1).await.unwrap().position.unwrap();
    client.publish("room", &1).await.unwrap();
    let mut room = client.channel("room").since(position).subscribe().await.unwrap();
    let gap = event(&mut room).await;
    let ChannelEvent::Gap { reason: GapReason::Server(_), position: Some(next) } = gap else {
        panic!("{gap:?}")
    };
    assert_eq!(room.position(), Some(next));
    client.publish("room", &2).await.unwrap();
    assert_eq!(publication(&mut room).await, json!(2));
}

#[tokio::test]
async fn presence_is_listed_told_and_set_again_after_a_cut() {
    let server = TestServer::start();
    let (builder, scissors) = server.client();
    let ann = builder.build().unwrap();
    let bob = server.client().0.build().unwrap();
    soon(ann.connect()).await.unwrap();
    soon(bob.connect()).await.unwrap();
    let _ann_room = ann.channel("room").subscribe().await.unwrap();
    let mut room = bob.channel("room").subscribe().await.unwrap();
    ann.set_presence().channel("room").status("away").data(&json!({"mood": "good"})).await.unwrap();
    let away = |members: &[openline_client::Member]| {
        members.iter().filter(|member| member.status.as_deref() == Some("away")).count()
    };
    assert_eq!(away(&bob.presence("room").await.unwrap()), 1);
    let before = ann.status().borrow().client_id.clone().unwrap();
    scissors.cut();
    // Told by the server's pushes: somebody with another name is as she was.
    let is_back = |member: &openline_client::Member| {
        *member.client_id != *before && member.status.as_deref() == Some("away")
    };
    soon(async {
        loop {
            if let Some(ChannelEvent::Presence(change)) = room.next().await
                && change.joined.iter().chain(&change.updated).any(is_back)
            {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_the_server_refuses_is_an_error_with_its_code() {
    let server = TestServer::start();
    let client = server.client().0.build().unwrap();
    soon(client.connect()).await.unwrap();
    let unknown = client.request("roll", &json!({"sides": 6})).await.unwrap_err();
    assert_eq!((unknown.code(), unknown.is_retryable()), ("unknown_type", false));
    let reserved = client.publish("room", &1).event("presence").await.unwrap_err();
    assert_eq!(reserved.code(), "reserved_event");
    let conflict = async |n: u64| client.publish("room", &n).key("k").await;
    conflict(1).await.unwrap();
    assert!(conflict(1).await.unwrap().duplicate);
    assert_eq!(conflict(2).await.unwrap_err().code(), "idempotency_conflict");
    assert_eq!(client.publish("a b", &1).await.unwrap_err().code(), "bad_channel");
    let room = client.channel("room").subscribe().await.unwrap();
    let twice = client.channel("room").subscribe().await.err().unwrap();
    assert_eq!(twice, Error::AlreadySubscribed);
    drop(room);
    let _again = client.channel("room").subscribe().await.unwrap();
    let large = "x".repeat(1 << 20);
    assert_eq!(client.publish("room", &large).await.unwrap_err().code(), "too_large");
}

#[tokio::test]
async fn a_token_that_is_not_accepted_stops_the_client() {
    let server = TestServer::start();
    let auth = |_| async { Ok(Some("no token of this server's".to_owned())) };
    let client = server.client().0.auth(auth).build().unwrap();
    let error = soon(client.connect()).await.unwrap_err();
    assert!(matches!(error, Error::Stopped { code: 4002, .. }), "{error:?}");
    let status = client.status().borrow().clone();
    assert_eq!((status.state, status.code), (State::Stopped, Some(4002)));
    let refused = soon(client.publish("room", &1).into_future()).await.unwrap_err();
    assert_eq!(refused.code(), "stopped");
}

#[tokio::test]
async fn closing_settles_all_that_waits_and_connecting_begins_anew() {
    let server = TestServer::start();
    let client = server.client().0.build().unwrap();
    soon(client.connect()).await.unwrap();
    let mut room = client.channel("room").subscribe().await.unwrap();
    client.close().await;
    let gone = soon(room.next()).await;
    assert!(matches!(gone, Some(ChannelEvent::Unsubscribed { .. })), "{gone:?}");
    assert_eq!(soon(room.next()).await, None);
    assert_eq!(client.publish("room", &1).await.unwrap_err().code(), "stopped");
    soon(client.connect()).await.unwrap();
    client.publish("room", &1).await.unwrap();
    drop(room);
    let _again = client.channel("room").subscribe().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_gone_is_tried_again_and_again() {
    let client = Client::builder("ws://127.0.0.1:1/ws")
        .unwrap()
        .backoff(
            openline_client::Backoff::full_jitter(Duration::ZERO, Duration::ZERO).attempts_max(3),
        )
        .build()
        .unwrap();
    let error = soon(client.connect()).await.unwrap_err();
    let Error::Stopped { reason, .. } = &error else { panic!("{error:?}") };
    assert_eq!(reason, "gave up after 3 attempts");
}
