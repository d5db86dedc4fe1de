//! The client moves from a line that the server drains to another, under a paused clock.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod script;

use std::time::Duration;

use openline_client::{AuthError, ChannelEvent, Client, Error, Position, State, Status};
use openline_ws::CloseCode;
use script::{Line, client};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

fn drain() -> Value {
    json!({"type": "drain", "closesIn": 5000, "retryAfter": 1200})
}

fn position(offset: u64) -> Position {
    Position { epoch: 1, offset, tag: offset }
}

fn message(offset: u64) -> Value {
    json!({"type": "message", "channel": "room", "data": offset, "timestamp": 1,
        "position": position(offset).to_string()})
}

fn published(request: &Value) -> Value {
    json!({"type": "published", "id": request["id"], "level": "os", "timestamp": 1})
}

/// Answers a subscription with what came meanwhile. Returns the request.
async fn join(line: &mut Line, messages: std::ops::Range<u64>) -> Value {
    let request = line.recv().await.unwrap();
    assert_eq!(request["type"], "subscribe");
    let position = position(messages.end - 1).to_string();
    let messages: Vec<Value> = messages.map(message).collect();
    let room = json!({"position": position, "recovered": true, "messages": messages});
    let data = json!({"room": room});
    line.send(
        json!({"type": "subscribed", "id": request["id"], "channels": ["room"], "data": data}),
    )
    .await;
    request
}

impl Line {
    /// The client shows this token, and it is taken.
    async fn authenticate(&mut self, token: &str) {
        let request = self.recv().await.unwrap();
        assert_eq!((&request["type"], &request["token"]), (&json!("auth"), &json!(token)));
        let taken = json!({"type": "auth_success", "id": request["id"], "clientId": "c"});
        self.send(taken).await;
    }

    async fn close(&mut self, code: u16) {
        let _ = self.0.close(CloseCode::from(code), "").await;
    }

    /// The code that the client closed it with.
    fn closed_with(&self) -> Option<u16> {
        self.0.closed().map(|closed| closed.reason.code.into())
    }
}

/// All states that there are from now on.
fn states(client: &Client) -> tokio::task::JoinHandle<Vec<State>> {
    let mut status: watch::Receiver<Status> = client.status();
    tokio::spawn(async move {
        let mut states = vec![status.borrow_and_update().state];
        while status.changed().await.is_ok() {
            states.push(status.borrow_and_update().state);
        }
        states.dedup();
        states
    })
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_drained_is_replaced_and_the_application_sees_one() {
    let (builder, mut script) = client();
    let client = builder.build().unwrap();
    let (mut first, connected) = tokio::join!(script.welcome(), client.connect());
    connected.unwrap();
    let subscribing = client.channel("room").since(position(0)).subscribe();
    let (joined, room) = tokio::join!(join(&mut first, 1..2), subscribing);
    let mut room = room.unwrap();
    assert_eq!(joined["channels"][0]["position"], position(0).to_string());
    let states = states(&client);

    first.send(drain()).await;
    first.send(message(2)).await;
    let mut second = script.welcome().await;
    let joined = second.recv().await.unwrap();
    assert_eq!(joined["channels"][0]["position"], position(2).to_string());
    first.send(message(3)).await;
    let data = json!({"room": {"position": position(3).to_string(), "recovered": true, "messages": [message(3)]}});
    second
        .send(json!({"type": "subscribed", "id": joined["id"], "channels": ["room"], "data": data}))
        .await;
    second.send(message(4)).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&4) {
        match room.next().await.unwrap() {
            ChannelEvent::Publication(publication) => seen.push(publication.json::<u64>().unwrap()),
            ChannelEvent::Gap { reason, .. } => panic!("{reason:?}"),
            _ => {}
        }
    }
    assert_eq!(seen, [1, 2, 3, 4]);
    assert_eq!(first.recv().await, None, "it is closed when nothing is awaited of it");
    assert_eq!(first.closed_with(), Some(1000));
    drop((client, room));
    assert_eq!(states.await.unwrap(), [State::Online, State::Stopped]);
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_is_answered_by_the_line_before_or_goes_out_again() {
    let (builder, mut script) = client();
    let client = builder.build().unwrap();
    let (mut first, connected) = tokio::join!(script.welcome(), client.connect());
    connected.unwrap();
    let roll = tokio::spawn(client.request("roll", &1).json::<u64>());
    let roll_sent = first.recv().await.unwrap();
    let never = tokio::spawn(client.request("never", &1).into_future());
    assert_eq!(first.recv().await.unwrap()["type"], "never");
    let publish = tokio::spawn(client.publish("room", &3).into_future());
    let publish_sent = first.recv().await.unwrap();
    first.send(drain()).await;
    let mut second = script.welcome().await;
    assert_eq!(second.recv().await.unwrap(), publish_sent, "under the same key");
    let refusal = json!({"type": "error", "id": publish_sent["id"], "code": "rate_limited",
        "error": "", "message": ""});
    first.send(refusal).await;
    first.send(json!({"type": "roll", "id": roll_sent["id"], "data": 6})).await;
    assert_eq!(roll.await.unwrap().unwrap(), 6);
    second.send(published(&publish_sent)).await;
    publish.await.unwrap().unwrap();
    assert_eq!(never.await.unwrap().unwrap_err(), Error::ConnectionLost);
    assert_eq!(first.recv().await, None);
    assert!(client.status().borrow().is_online());
}

#[tokio::test(start_paused = true)]
async fn where_no_other_line_is_to_be_had_the_client_stays_and_comes_back_when_it_was_told() {
    let (builder, mut script) = client();
    let tokens = std::sync::atomic::AtomicU32::new(0);
    let builder = builder.auth(move |_| {
        let number = tokens.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            match number {
                1 => Err(AuthError::fatal("logged out")),
                number => Ok(Some(number.to_string())),
            }
        }
    });
    let client = builder.build().unwrap();
    let serve = async {
        let mut line = script.welcome().await;
        line.authenticate("0").await;
        line
    };
    let (mut first, connected) = tokio::join!(serve, client.connect());
    connected.unwrap();
    first.send(drain()).await;
    sleep(Duration::from_secs(4)).await;
    assert!(client.status().borrow().is_online());
    first.close(1012).await;
    let mut status = client.status();
    let waiting = status.wait_for(|status| !status.is_online()).await.unwrap().clone();
    assert_eq!((waiting.state, waiting.code), (State::Waiting, Some(1012)));
    let delay = waiting.delay.unwrap();
    assert!(
        delay >= Duration::from_millis(1200) && delay < Duration::from_millis(2200),
        "{delay:?}"
    );
    script.welcome().await.authenticate("2").await;
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_a_stopping_server_did_not_take_waits_for_the_next_line() {
    let (builder, mut script) = client();
    let client = builder.build().unwrap();
    let (mut first, connected) = tokio::join!(script.welcome(), client.connect());
    connected.unwrap();
    let refusal = |request: &Value| {
        json!({"type": "error", "id": request["id"], "code": "shutting_down",
            "error": "the server stops", "message": "the server stops", "retryAfter": 8000})
    };
    let roll = tokio::spawn(client.request("roll", &1).into_future());
    let roll_sent = first.recv().await.unwrap();
    first.send(refusal(&roll_sent)).await;
    let error = roll.await.unwrap().unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("shutting_down", true));

    let one = tokio::spawn(client.publish("room", &1).into_future());
    let one_sent = first.recv().await.unwrap();
    first.send(refusal(&one_sent)).await;
    let two = tokio::spawn(client.publish("room", &2).into_future());
    let nothing = tokio::time::timeout(Duration::from_millis(7_900), first.recv()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    first.close(1012).await;
    let mut second = script.welcome().await;
    assert_eq!(second.recv().await.unwrap(), one_sent, "before all that is newer");
    let two_sent = second.recv().await.unwrap();
    for sent in [&one_sent, &two_sent] {
        second.send(published(sent)).await;
    }
    one.await.unwrap().unwrap();
    two.await.unwrap().unwrap();

    // The server goes on after all.
    let three = tokio::spawn(client.publish("room", &3).into_future());
    let three_sent = second.recv().await.unwrap();
    second.send(refusal(&three_sent)).await;
    assert_eq!(second.recv().await.unwrap(), three_sent);
    second.send(published(&three_sent)).await;
    three.await.unwrap().unwrap();
}
