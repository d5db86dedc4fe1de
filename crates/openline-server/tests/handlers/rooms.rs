//! Rooms, audiences, and asking clients.

use std::time::Duration;

use openline_server::app::{Context, Handlers, Refusal};
use serde_json::{Value, json};

use super::support::TestServer;
use super::support::talk::Talk;
use super::{line, serve};

fn rooms() -> Handlers {
    Handlers::new()
        .on("join", async |cx, room: String| cx.join(&room).await)
        .on("leave", async |cx, room: String| cx.leave(&room))
        .on("rooms", async |cx, (): ()| cx.rooms())
        .on("others", async |cx, (room, text): (String, String)| {
            cx.to(&room).emit("said", &text).await
        })
        .on("all", async |cx, (room, text): (String, String)| {
            cx.namespace().to(&room).emit("said", &text).await
        })
        .on("union", async |cx, (a, b, text): (String, String, String)| {
            cx.namespace().to(&a).to(&b).emit("said", &text).await
        })
        .on("without", async |cx, (a, b, text): (String, String, String)| {
            cx.namespace().to(&a).except(&b).emit("said", &text).await
        })
        .on("everybody", async |cx, text: String| cx.broadcast().emit("said", &text).await)
}

async fn member(server: &TestServer, rooms: &[&str]) -> Talk {
    let mut line = line(server).await;
    for room in rooms {
        line.ask(&json!({ "type": "join", "id": "j", "data": room })).await;
    }
    line
}

/// The next thing that was said.
async fn said(line: &mut Talk) -> Value {
    loop {
        let came = line.next().await.unwrap();
        if came["type"] == "said" {
            return came["data"].clone();
        }
    }
}

#[tokio::test]
async fn joining_is_a_subscription_that_the_client_is_told_of() {
    let server = serve(rooms());
    let mut line = line(&server).await;
    line.send(&json!({ "type": "join", "id": 1, "data": "lobby" })).await;
    let told = line.next().await.unwrap();
    assert_eq!((&told["type"], &told["channels"]), (&json!("subscribed"), &json!(["lobby"])));
    assert!(told["data"]["lobby"]["position"].is_string(), "{told}");
    assert_eq!(line.next().await.unwrap()["id"], 1);
    // A second time is no error.
    assert_eq!(
        line.ask(&json!({ "type": "join", "id": 2, "data": "lobby" })).await["type"],
        "join"
    );
    assert_eq!(line.ask(&json!({ "type": "rooms", "id": 3 })).await["data"], json!(["lobby"]));
    line.send(&json!({ "type": "leave", "id": 4, "data": "lobby" })).await;
    assert_eq!(line.next().await.unwrap()["type"], "unsubscribed");
    assert_eq!(line.next().await.unwrap()["data"], true);
    assert_eq!(line.ask(&json!({ "type": "rooms", "id": 5 })).await["data"], json!([]));
}

#[tokio::test]
async fn a_room_is_a_channel_to_those_who_subscribe_to_it() {
    let server = serve(rooms());
    let (mut ann, mut ben) = (member(&server, &["lobby"]).await, line(&server).await);
    ben.ask(&json!({ "type": "subscribe", "id": 1, "channel": "lobby" })).await;
    ann.ask(&json!({ "type": "others", "id": 1, "data": ["lobby", "hi"] })).await;
    let came = loop {
        let came = ben.next().await.unwrap();
        if came["type"] == "said" {
            break came;
        }
    };
    assert_eq!((&came["channel"], &came["data"]), (&json!("lobby"), &json!("hi")));
    assert!(came["position"].is_string(), "it has its place in the history: {came}");
    ben.ask(
        &json!({ "type": "publish", "id": 2, "channel": "lobby", "event": "said", "data": "ho" }),
    )
    .await;
    assert_eq!(said(&mut ann).await, "ho", "and she did not hear herself before");
}

#[tokio::test]
async fn the_sender_is_in_its_namespace_and_not_among_the_others() {
    let server = serve(rooms());
    let mut ann = member(&server, &["lobby"]).await;
    ann.send(&json!({ "type": "others", "data": ["lobby", "not to me"] })).await;
    ann.send(&json!({ "type": "all", "data": ["lobby", "to me too"] })).await;
    assert_eq!(said(&mut ann).await, "to me too");
}

#[tokio::test]
async fn who_is_in_two_rooms_hears_it_once() {
    let server = serve(rooms());
    let mut both = member(&server, &["a", "b"]).await;
    let mut one = member(&server, &["b"]).await;
    let mut none = member(&server, &["c"]).await;
    let mut sender = line(&server).await;
    sender.ask(&json!({ "type": "union", "id": 1, "data": ["a", "b", "first"] })).await;
    sender.ask(&json!({ "type": "without", "id": 2, "data": ["b", "a", "second"] })).await;
    sender.ask(&json!({ "type": "everybody", "id": 3, "data": "third" })).await;
    assert_eq!(said(&mut both).await, "first");
    assert_eq!(said(&mut both).await, "third");
    assert_eq!(said(&mut one).await, "first");
    assert_eq!(said(&mut one).await, "second");
    assert_eq!(said(&mut one).await, "third");
    assert_eq!(said(&mut none).await, "third");
}

#[tokio::test]
async fn one_client_is_reached_by_its_id() {
    let handlers = rooms()
        .on("whisper", async |cx, (id, text): (String, String)| {
            cx.namespace().client(&id).emit("said", &text).await
        })
        .on("mixed", async |cx, (room, id, text): (String, String, String)| {
            cx.namespace().to(&room).to_client(&id).emit("said", &text).await
        });
    let server = serve(handlers);
    let (mut ann, welcome) = Talk::greeted(&server.url("/ws")).await;
    let ann_id = welcome["clientId"].clone();
    let mut ben = member(&server, &["r"]).await;
    let mut cid = line(&server).await;
    cid.ask(&json!({ "type": "whisper", "id": 1, "data": [ann_id, "psst"] })).await;
    cid.ask(&json!({ "type": "whisper", "id": 2, "data": ["nobody", "lost"] })).await;
    assert_eq!(said(&mut ann).await, "psst");
    ann.ask(&json!({ "type": "join", "id": 1, "data": "r" })).await;
    cid.ask(&json!({ "type": "mixed", "id": 3, "data": ["r", ann_id, "once"] })).await;
    cid.ask(&json!({ "type": "mixed", "id": 4, "data": ["r", ann_id, "again"] })).await;
    for expected in ["once", "again"] {
        assert_eq!(said(&mut ann).await, expected);
        assert_eq!(said(&mut ben).await, expected);
    }
}

#[tokio::test]
async fn a_room_may_be_called_what_a_channel_may_not() {
    let server = serve(rooms());
    let mut line = line(&server).await;
    for room in ["a b", "100%", "a%20b"] {
        line.ask(&json!({ "type": "join", "id": 1, "data": room })).await;
    }
    let mut rooms: Vec<String> =
        serde_json::from_value(line.ask(&json!({ "type": "rooms", "id": 2 })).await["data"].take())
            .unwrap();
    rooms.sort();
    assert_eq!(rooms, ["100%", "a b", "a%20b"]);
    let refused = line.ask(&json!({ "type": "join", "id": 3, "data": "" })).await;
    assert_eq!(refused["code"], "bad_channel");
}

#[tokio::test]
async fn what_was_said_before_comes_first() {
    let handlers = rooms().on("enter", async |cx, room: String| {
        let greeter = cx.clone();
        cx.join_and(&room, 10, move |messages| {
            let texts: Vec<String> =
                messages.iter().map(|message| format!("{:?}", message.data)).collect();
            greeter.emit("history", &texts.len()).ok();
        })
        .await
    });
    let server = serve(handlers);
    let mut ann = member(&server, &[]).await;
    for text in ["one", "two"] {
        ann.ask(&json!({ "type": "all", "id": 1, "data": ["lobby", text] })).await;
    }
    let mut ben = line(&server).await;
    ben.send(&json!({ "type": "enter", "data": "lobby" })).await;
    assert_eq!(ben.next().await.unwrap()["type"], "subscribed");
    let history = ben.next().await.unwrap();
    assert_eq!((&history["type"], &history["data"]), (&json!("history"), &json!(2)));
    ann.ask(&json!({ "type": "all", "id": 2, "data": ["lobby", "three"] })).await;
    assert_eq!(said(&mut ben).await, "three");
}

#[tokio::test]
async fn clients_are_asked_and_answer() {
    let handlers = rooms()
        .on("poll", async |cx, room: String| {
            let within = Duration::from_millis(300);
            let answers = cx.namespace().to(&room).ask::<_, u32>("vote", "?", within).await?;
            let (votes, silent): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
            let sum: u32 = votes.into_iter().flatten().sum();
            Ok::<_, Refusal>((sum, silent.len()))
        })
        .on("me", async |cx: Context, (): ()| {
            cx.ask::<_, String>("name", &json!({ "of": "you" }), Duration::from_secs(5)).await
        });
    let server = serve(handlers);
    let (mut ann, mut ben) = (member(&server, &["r"]).await, member(&server, &["r"]).await);
    let _silent = member(&server, &["r"]).await;
    let mut asker = line(&server).await;
    asker.send(&json!({ "type": "poll", "id": 1, "data": "r" })).await;
    for (voter, vote) in [(&mut ann, 3), (&mut ben, 4)] {
        let question = loop {
            let came = voter.next().await.unwrap();
            if came["type"] == "vote" {
                break came;
            }
        };
        let id = question["id"].as_str().unwrap();
        assert!(id.starts_with("s-"), "{question}");
        voter.send(&json!({ "type": "vote", "id": id, "data": vote })).await;
    }
    assert_eq!(asker.next().await.unwrap()["data"], json!([7, 1]));
    ann.send(&json!({ "type": "me", "id": 9 })).await;
    let question = loop {
        let came = ann.next().await.unwrap();
        if came["type"] == "name" {
            break came;
        }
    };
    ann.send(&json!({ "type": "name", "id": question["id"], "data": "Ann" })).await;
    let answer = ann.next().await.unwrap();
    assert_eq!((&answer["id"], &answer["data"]), (&json!(9), &json!("Ann")));
}
