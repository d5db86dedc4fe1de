//! Why the typed API cannot say what a vector sends.

use std::collections::{HashMap, HashSet};

use openline_client::{ChannelName, Position};
use serde_json::Value;

use crate::said::{asks_for_several, bytes, channels, subscribed_to};

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
    /// The files that were begun, by what the server calls them: how many bytes of each were sent.
    begun: bool,
    sent: HashMap<String, u64>,
    chunk_bytes: Option<usize>,
    /// Those that are complete or cancelled.
    ended: HashSet<String>,
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
            "upload" | "chunk" | "complete" | "cancel" => self.of_transfer(kind, message),
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

    fn of_transfer(&mut self, kind: &str, message: &Value) -> Option<&'static str> {
        let upload = message["upload"].as_str();
        if kind == "upload" {
            self.begun = true;
            let is_named = message.get("name").is_some() || upload.is_some();
            return (!is_named).then_some("`upload` has a name");
        }
        let Some(upload) = upload.filter(|upload| self.begun && !self.ended.contains(*upload))
        else {
            return Some("of a file that was not begun, or has ended, nothing is sent");
        };
        if kind == "chunk" {
            return self.of_chunk(upload, message);
        }
        self.ended.insert(upload.to_owned());
        let is_sum = message["sha256"].as_str().is_none_or(|digits| digits.len() == 64);
        (!is_sum).then_some("a sum of another form is refused by the client")
    }

    fn of_chunk(&mut self, upload: &str, message: &Value) -> Option<&'static str> {
        if message["encoding"] != "base64" {
            return Some("a chunk has bytes");
        }
        let (sent, len) = (self.sent.entry(upload.to_owned()).or_default(), bytes(message).len());
        if message["offset"].as_u64() != Some(*sent) {
            return Some("`upload` sends a file from its beginning to its end");
        }
        *sent += len as u64;
        let is_as_long = *self.chunk_bytes.get_or_insert(len) == len;
        (!is_as_long).then_some("`upload` makes all chunks as long as they may be")
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
