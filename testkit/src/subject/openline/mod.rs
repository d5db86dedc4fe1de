//! Openline as a [`Subject`]: its lines, streams and polls, read without its own client, and its SDKs.

mod http;
mod message;
mod pen;
mod poll;
mod rust;
mod sse;
mod tasks;
mod typescript;
mod websocket;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use openline_protocol::Position;
use serde_json::{Value, json};

use self::pen::SocketPen;
use self::typescript::NodeLine;
use self::websocket::SocketLine;
use super::{Doing, Line, Message, Outcome, Pen, Stored, Subject};
use crate::history::{Entry, Place};
use crate::seed::Seed;

/// What one answer gives back at most.
const RECOVERY_MAX: u64 = 1_000;
const PAGE: u64 = 1_000;
/// Pages of a history that are read; a channel of a run keeps fewer.
const PAGES_MAX: usize = 1_000;

/// Openline, at any number of nodes.
pub struct Openline {
    api_key: String,
    sdk: Option<PathBuf>,
}

impl Openline {
    /// With this key of the HTTP API; and with clients in TypeScript, if this is the folder where
    /// their SDK was built.
    pub fn new(api_key: &str, sdk: Option<&Path>) -> Self {
        Self { api_key: api_key.to_owned(), sdk: sdk.map(Path::to_owned) }
    }

    async fn api(&self, address: SocketAddr, path: &str, body: Value) -> Result<Value, Failed> {
        let path = format!("/api/v1/{path}");
        let (status, answer) = http::post(address, &path, Some(&self.api_key), &body)
            .await
            .map_err(|why| Failed::Unanswered(why.to_string()))?;
        if status.is_success() {
            return Ok(answer);
        }
        let code = answer["error"]["code"].as_str().unwrap_or(status.as_str());
        Err(Failed::Refused(code.to_owned()))
    }

    async fn read_history(&self, address: SocketAddr, channel: &str) -> Stored {
        let mut newest_first = Vec::new();
        let mut head = None;
        let mut request = json!({ "channel": channel, "limit": PAGE, "reverse": true });
        for _ in 0..PAGES_MAX {
            let page = self.api(address, "history", request.clone()).await;
            let page = page.map_err(|failed| format!("history of {channel}: {failed:?}"))?;
            if head.is_none() {
                head = page["position"].as_str().and_then(|position| self.place(position));
            }
            let messages = page["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
            for message in messages {
                newest_first
                    .push(entry(message).ok_or("a message of the history has no position")?);
            }
            match messages.last() {
                Some(last) if page["more"] == true => request["before"] = last["position"].clone(),
                _ => {
                    newest_first.reverse();
                    return Ok((head, newest_first));
                }
            }
        }
        Err(format!("{channel} keeps more than {PAGES_MAX} pages"))
    }
}

#[derive(Debug)]
enum Failed {
    Refused(String),
    Unanswered(String),
}

impl Subject for Openline {
    fn name(&self) -> &'static str {
        "openline"
    }

    fn clients(&self) -> Vec<String> {
        let mut clients = vec!["json", "rust", "messagepack", "sse", "poll"];
        clients.extend(self.sdk.as_ref().map(|_| "typescript"));
        clients.into_iter().map(str::to_owned).collect()
    }

    fn is_contiguous(&self) -> bool {
        true
    }

    fn recovery_max(&self) -> u64 {
        RECOVERY_MAX
    }

    fn place(&self, position: &str) -> Option<Place> {
        let Position { epoch, offset, tag } = position.parse().ok()?;
        Some(Place { epoch: epoch.into(), offset, tag })
    }

    fn forged(&self, position: &str, seed: &mut Seed) -> Option<String> {
        let mut position: Position = position.parse().ok()?;
        match seed.between(0, 3) {
            0 => position.tag ^= seed.number() | 1,
            1 => position.epoch ^= 1 + seed.between(0, 1 << 30) as u32,
            _ => {
                position.offset += seed.between(1, 1_000);
                position.tag = seed.number();
            }
        }
        Some(position.to_string())
    }

    fn connect<'a>(
        &'a self,
        client: &'a str,
        address: SocketAddr,
    ) -> Doing<'a, Result<Box<dyn Line>, String>> {
        Box::pin(async move {
            Ok(match client {
                "json" => Box::new(SocketLine::json(address).await?) as Box<dyn Line>,
                "messagepack" => Box::new(SocketLine::message_pack(address).await?),
                "sse" => Box::new(sse::line(address)),
                "poll" => Box::new(poll::line(address)),
                "rust" => Box::new(rust::line(address).await?),
                "typescript" => {
                    let sdk = self.sdk.as_deref().ok_or("the folder of the SDK was not named")?;
                    Box::new(NodeLine::start(sdk, address)?)
                }
                other => return Err(format!("there is no kind of client that is called {other}")),
            })
        })
    }

    fn connect_publisher(&self, address: SocketAddr) -> Doing<'_, Result<Box<dyn Pen>, String>> {
        Box::pin(async move { Ok(Box::new(SocketPen::connect(address).await?) as Box<dyn Pen>) })
    }

    fn publish<'a>(&'a self, address: SocketAddr, message: &'a Message) -> Doing<'a, Outcome> {
        Box::pin(async move {
            let body = json!({
                "channel": message.channel,
                "key": message.key,
                "data": message::payload(&message.value),
            });
            match self.api(address, "publish", body).await {
                Ok(answer) => message::published(&answer),
                Err(Failed::Refused(code)) => message::refused(&code),
                Err(Failed::Unanswered(why)) => Outcome::Unknown { why, lost: false },
            }
        })
    }

    fn stored<'a>(&'a self, address: SocketAddr, channel: &'a str) -> Doing<'a, Stored> {
        Box::pin(self.read_history(address, channel))
    }
}

fn entry(message: &Value) -> Option<Entry> {
    let position: Position = message["position"].as_str()?.parse().ok()?;
    let Position { epoch, offset, tag } = position;
    let place = Place { epoch: epoch.into(), offset, tag };
    Some(Entry { place, value: message::value(message)? })
}
