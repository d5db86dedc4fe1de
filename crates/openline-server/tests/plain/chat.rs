//! The demo's chat, where it meets others than its own pages.

use serde_json::json;

use super::support::talk::Talk;
use super::support::{Member, TestServer};

#[tokio::test]
async fn a_room_of_the_chat_is_a_channel() {
    let server = TestServer::start();
    let mut client = Talk::greeted(&server.url("/ws")).await.0;
    client.ask(&json!({ "type": "subscribe", "id": 1, "channel": "chat:den" })).await;
    let mut ann = Member::named(&server, "/chat/den", "Ann").await;
    ann.say(json!({ "type": "chat", "text": "hello" })).await;
    let heard = loop {
        let came = client.next().await.unwrap();
        if came["type"] == "chat" {
            break came;
        }
    };
    assert_eq!((&heard["channel"], &heard["data"]["text"]), (&json!("chat:den"), &json!("hello")));
    assert_eq!(heard["data"]["from"], json!(ann.client_id));

    let said = json!({ "text": "hello yourself", "from": "me" });
    let publish =
        json!({ "type": "publish", "id": 2, "channel": "chat:den", "event": "chat", "data": said });
    client.ask(&publish).await;
    assert_eq!(ann.next_of("chat").await["text"], "hello");
    assert_eq!(ann.next_of("chat").await["text"], "hello yourself");
    let history = ann.ask(json!({ "type": "getHistory", "id": 1 })).await;
    let names: Vec<_> =
        history["messages"].as_array().unwrap().iter().map(|said| &said["username"]).collect();
    assert_eq!(names, ["Ann", "me"]);
}

#[tokio::test]
async fn on_the_exchange_the_demo_answers_nothing() {
    let server = TestServer::start();
    let mut client = Talk::greeted(&server.url("/ws")).await.0;
    for kind in ["join-room", "chat", "join"] {
        let answer = client.ask(&json!({ "type": kind, "id": kind, "data": "den" })).await;
        assert_eq!(answer["code"], "unknown_type", "{kind}");
    }
}

#[tokio::test]
async fn where_namespaces_have_to_be_configured_the_chat_has_its_own() {
    let mut config = super::config();
    config.strict_namespaces = true;
    let server = TestServer::with_config(config);
    let mut ann = Member::enter(&server, "/chat").await;
    ann.say(json!({ "type": "chat", "text": "hello" })).await;
    assert_eq!(ann.next_of("chat").await["text"], "hello");
}
