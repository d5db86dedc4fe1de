//! A reader that polls: one poll after the other for each channel, each of which goes on from the
//! position of the last answer. A poll without an answer is simply sent again.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;

use super::super::Heard;
use super::tasks::{TaskLine, Told};
use super::{http, message};

/// The server answers after 25 seconds with nothing.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(200);

pub(super) fn line(address: SocketAddr) -> TaskLine {
    TaskLine::new(true, move |channel, position, tell| async move {
        let mut poll = Poll { address, channel, position, session: None, is_told: false };
        while poll.once(&tell).await.is_some() {}
    })
}

struct Poll {
    address: SocketAddr,
    channel: String,
    position: Option<String>,
    session: Option<String>,
    /// Whether the reader was told that there is a subscription.
    is_told: bool,
}

impl Poll {
    /// Polls once; none if there is nobody left to tell or the subscription was refused.
    async fn once(&mut self, tell: &Sender<Told>) -> Option<()> {
        let mut path = format!("/poll?channel={}", http::encoded(&self.channel));
        for (name, value) in [("position", &self.position), ("session", &self.session)] {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", http::encoded(value)));
            }
        }
        let Ok((status, answer)) = http::get(self.address, &path, PATIENCE).await else {
            sleep(PAUSE).await;
            return Some(());
        };
        if status.is_success() {
            return self.take(&answer, tell).await;
        }
        let code = answer["error"]["code"].as_str().unwrap_or_default().to_owned();
        if ["bad_position", "bad_request", "bad_channel", "forbidden"].contains(&code.as_str()) {
            let _ = tell.send(Ok(Heard::Refused { channel: self.channel.clone(), code })).await;
            return None;
        }
        self.session = None;
        sleep(PAUSE).await;
        Some(())
    }

    async fn take(&mut self, answer: &Value, tell: &Sender<Told>) -> Option<()> {
        let messages = answer["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_said = messages.iter().any(|message| message["type"] == "subscribed");
        if !self.is_told && !is_said {
            // A poll that brings a position goes on from it without a word.
            let channel = self.channel.clone();
            let (position, recovered, reason) = (None, None, None);
            tell.send(Ok(Heard::Subscribed { channel, position, recovered, reason })).await.ok()?;
        }
        self.is_told = true;
        for heard in messages.iter().flat_map(message::heard) {
            tell.send(Ok(heard)).await.ok()?;
        }
        let text = |field: &str| answer[field].as_str().map(str::to_owned);
        self.position = text("position").or(self.position.take());
        self.session = text("session");
        Some(())
    }
}
