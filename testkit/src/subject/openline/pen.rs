//! A publisher's line.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::super::{Doing, Message, Outcome, Pen};
use super::message;
use super::websocket::{Form, Socket};

const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct SocketPen {
    socket: Socket,
    requests: u64,
}

impl SocketPen {
    pub(super) async fn connect(address: SocketAddr) -> Result<Self, String> {
        Ok(Self { socket: Socket::connect(address, Form::Json).await?, requests: 0 })
    }

    async fn send(&mut self, message: &Message) -> Result<Outcome, String> {
        self.requests += 1;
        let id = self.requests;
        let request = json!({
            "type": "publish",
            "id": id,
            "channel": message.channel,
            "key": message.key,
            "data": message::payload(&message.value),
        });
        self.socket.say(&request).await?;
        loop {
            let answer = self.socket.hear().await?;
            if answer["id"] == id {
                return Ok(match answer["type"].as_str() {
                    Some("published") => message::published(&answer),
                    _ => message::refused(answer["code"].as_str().unwrap_or("no code")),
                });
            }
        }
    }
}

impl Pen for SocketPen {
    fn publish<'a>(&'a mut self, message: &'a Message) -> Doing<'a, Outcome> {
        Box::pin(async move {
            match timeout(TIMEOUT, self.send(message)).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(why)) => Outcome::Unknown { why, lost: true },
                Err(_) => Outcome::Unknown { why: "no answer".to_owned(), lost: true },
            }
        })
    }
}
