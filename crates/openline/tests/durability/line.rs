//! A client's line, as JSON.

use openline_ws::{Connector, Transport, WebSocket};
use serde_json::{Value, json};

use crate::home::{Entry, PATIENCE, read_entries};

pub(crate) struct Line {
    ws: WebSocket<Transport>,
}

/// What came of a subscription.
pub(crate) struct Subscribed {
    /// Whether all that was missed is in `messages`; none if no position was given.
    pub(crate) recovered: Option<bool>,
    pub(crate) reason: Option<String>,
    pub(crate) position: String,
    pub(crate) messages: Vec<Entry>,
}

impl Line {
    /// Opens it and takes the welcome.
    pub(crate) async fn open(address: &str) -> Self {
        let ws = Connector::new().no_proxy().connect(&format!("ws://{address}/ws")).await.unwrap();
        let mut line = Self { ws };
        assert_eq!(line.next().await.unwrap()["type"], "welcome");
        line
    }

    /// Whether it could be sent, as far as this side knows.
    pub(crate) async fn say(&mut self, message: &Value) -> bool {
        self.ws.send(message.to_string()).await.is_ok() && self.ws.flush().await.is_ok()
    }

    /// The next message; none when the line has ended, however it did.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let next = tokio::time::timeout(PATIENCE, self.ws.recv()).await.expect("it comes in time");
        Some(serde_json::from_str(next.ok()??.as_text().unwrap()).unwrap())
    }

    /// The next message of a type.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await.expect("the line is open");
            if message["type"] == kind {
                return message;
            }
        }
    }

    pub(crate) async fn subscribe(&mut self, channel: &str, since: Option<&str>) -> Subscribed {
        let asked = json!({ "channel": channel, "position": since });
        self.say(&json!({ "type": "subscribe", "id": 1, "channels": [asked] })).await;
        let answer = self.next_of("subscribed").await;
        let subscribed = &answer["data"][channel];
        assert!(subscribed["position"].is_string(), "{answer}");
        let messages = &subscribed["messages"];
        Subscribed {
            recovered: subscribed["recovered"].as_bool(),
            reason: subscribed["reason"].as_str().map(str::to_owned),
            position: subscribed["position"].as_str().unwrap().to_owned(),
            messages: if messages.is_array() { read_entries(messages) } else { Vec::new() },
        }
    }

    /// The next publication.
    pub(crate) async fn publication(&mut self) -> Entry {
        let message = self.next_of("message").await;
        read_entries(&json!([message])).remove(0)
    }
}
