//! Why the typed API cannot say what a vector sends.

use std::collections::HashSet;

use openline_client::{ChannelName, Position};
use serde_json::Value;

use crate::said::{asks_for_several, channels, subscribed_to};

/// The first reason that there is.
pub(crate) fn reason(steps: &[Value]) -> Option<&'static str> {
    let mut said = Said::default();
    steps.iter().find_map(|step| {
        if step.get("sendText").is_some() || step.get("sendBytes").is_some() {
            return Some("it sends text or bytes as they are");
        }
        let line = step["line"].as_str().unwrap_or_default();
        step.get("send").and_then(|message| said.reason(line, message))
    })
}

/// What was said before.
#[derive(Default)]
struct Said {
    lines: HashSet<String>,
    subscriptions: HashSet<(String, String)>,
    upload: bool,
}

impl Said {
    fn reason(&mut self, line: &str, message: &Value) -> Option<&'static str> {
        let Some(kind) = message["type"].as_str() else {
            return Some("it sends what is not a message");
        };
        let is_first = self.lines.insert(line.to_owned());
        if let Some(reason) = of_names(kind, message) {
            return Some(reason);
        }
        match kind {
            "ping" | "history" | "presence" | "setPresence" | "typing" | "publish" => None,
            "auth" if is_first => None,
            "auth" => Some("a token is shown when the client connects, or when it runs out"),
            "subscribe" => self.of_subscribe(line, message, is_first),
            "unsubscribe" => self.of_unsubscribe(line, message),
            "upload" if message.get("name").is_none() => {
                Some("`upload` has a name, and goes on with a transfer by its key")
            }
            "upload" => {
                self.upload = true;
                None
            }
            "chunk" => Some("`upload` cuts the chunks, and sends them until all are stored"),
            "complete" if !self.upload => Some("`upload` says `complete` when all is stored"),
            "complete" if message.get("sha256").is_some() => Some("`upload` makes no sum"),
            "complete" => None,
            "cancel" => Some("an upload is not cancelled"),
            _ => Some("a request always has an id and data"),
        }
    }

    fn of_subscribe(
        &mut self,
        line: &str,
        message: &Value,
        is_first: bool,
    ) -> Option<&'static str> {
        if asks_for_several(message) && !is_first {
            return Some("several channels are asked for in one message after the welcome alone");
        }
        for channel in channels(message) {
            if !self.subscriptions.insert((line.to_owned(), channel)) {
                return Some("a second subscription to a channel is refused by the client");
            }
        }
        None
    }

    fn of_unsubscribe(&mut self, line: &str, message: &Value) -> Option<&'static str> {
        let [channel] = &channels(message)[..] else {
            return Some("a subscription is dropped by itself");
        };
        let was_there = self.subscriptions.remove(&(line.to_owned(), channel.clone()));
        (!was_there).then_some("there is no subscription to drop")
    }
}

/// Of the names of channels and the positions in it, and where they stand.
fn of_names(kind: &str, message: &Value) -> Option<&'static str> {
    let has_channels =
        matches!(kind, "subscribe" | "unsubscribe" | "publish" | "history" | "presence" | "typing");
    if !has_channels {
        return None;
    }
    let names = channels(message);
    if names.is_empty() {
        let is_under_data = message["data"].is_object();
        return Some(match is_under_data {
            true => "the parameters of a message are written at the top level",
            false => "what is about a channel names it",
        });
    }
    // A name in it stands for something short.
    if names.iter().any(|name| ChannelName::new(&name.replace("${run}", "r1")).is_err()) {
        return Some("the name of a channel is checked before anything is sent");
    }
    let subscribed = if kind == "subscribe" { subscribed_to(message) } else { Vec::new() };
    let positions = ["since", "before"].map(|name| &message[name]).into_iter();
    let positions = positions.chain(subscribed.iter().map(|to| &to["position"]));
    let mut written = positions.filter_map(Value::as_str).filter(|text| !text.contains("${"));
    written
        .any(|text| text.parse::<Position>().is_err())
        .then_some("a position that no server wrote cannot be made")
}
