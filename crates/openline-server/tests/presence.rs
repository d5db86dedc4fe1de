//! Who is in a channel, as its subscribers are told.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::TestServer;
use support::talk::Talk;

async fn member(server: &TestServer) -> (Talk, Value) {
    let (mut line, welcome) = Talk::greeted(&server.url("/ws")).await;
    line.ask(&json!({ "type": "subscribe", "id": 1, "channel": "room:1" })).await;
    (line, welcome["clientId"].clone())
}

async fn change(line: &mut Talk) -> Value {
    loop {
        let came = line.next().await.unwrap();
        if came["type"] == "presence" && came.get("id").is_none() {
            return came["data"].clone();
        }
    }
}

/// A client forgets all whom it knew when a change says that it is complete.
#[tokio::test]
async fn only_a_change_that_names_everybody_says_so() {
    let server = TestServer::start();
    let (mut ann, _) = member(&server).await;
    let (mut ben, ben_id) = member(&server).await;
    let mut told = change(&mut ann).await;
    // Both may have come within the time of one message; that one names both.
    if told["joined"].as_array().unwrap().len() == 2 {
        assert_eq!(told["complete"], true);
        let (_cid, _) = member(&server).await;
        told = change(&mut ann).await;
    }
    assert_eq!(told["joined"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["complete"], false, "{told}");

    ben.ask(&json!({ "type": "setPresence", "id": 2, "channel": "room:1", "status": "away" }))
        .await;
    let told = loop {
        let told = change(&mut ann).await;
        if told["updated"] != json!([]) {
            break told;
        }
    };
    assert_eq!(told["updated"][0]["clientId"], ben_id);
    assert_eq!(told["complete"], false, "{told}");
}
