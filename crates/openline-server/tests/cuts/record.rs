//! What was published and what a subscriber saw of it, held to the promise.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use openline_protocol::{Position, Reason};
use serde_json::Value;

/// What is known of each channel, from acks and from what subscribers see.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    channels: Mutex<HashMap<String, Stream>>,
}

#[derive(Debug, Default)]
struct Stream {
    /// By offset.
    entries: BTreeMap<u64, (Position, String)>,
    offsets: HashMap<String, u64>,
    acked: HashMap<String, Position>,
}

impl Truth {
    /// What stands at a position stands there for everybody, and nowhere else.
    fn agree(&self, channel: &str, position: Position, value: &str) -> Result<(), String> {
        let mut channels = self.channels.lock().unwrap();
        let stream = channels.entry(channel.to_owned()).or_default();
        let entry = (position, value.to_owned());
        let known = stream.entries.entry(position.offset).or_insert_with(|| entry.clone());
        if *known != entry {
            return Err(format!("{channel}: {known:?} and {entry:?} have one offset"));
        }
        let offset = *stream.offsets.entry(value.to_owned()).or_insert(position.offset);
        match offset == position.offset {
            true => Ok(()),
            false => Err(format!("{channel}: {value} is at {offset} and {}", position.offset)),
        }
    }

    /// A publication was acked, for the first time or again.
    pub(crate) fn acked(&self, channel: &str, value: &str, ack: &Value) -> Result<(), String> {
        let position = position(ack)?;
        self.agree(channel, position, value)?;
        let mut channels = self.channels.lock().unwrap();
        let stream = channels.get_mut(channel).expect("it was just agreed on");
        let before = stream.acked.insert(value.to_owned(), position);
        match before.is_none_or(|before| before == position) {
            true => Ok(()),
            false => Err(format!("{channel}: {value} was acked at {before:?} and {position:?}")),
        }
    }

    /// At the end: all that stands in a channel was acked, and there is no hole.
    pub(crate) fn complete(&self) -> Result<u64, String> {
        let channels = self.channels.lock().unwrap();
        for (channel, stream) in &*channels {
            let offsets = stream.entries.keys().copied();
            if !offsets.eq(1..=stream.entries.len() as u64) {
                return Err(format!("{channel} has holes: {:?}", stream.entries.keys()));
            }
            let ghost = stream.offsets.keys().find(|value| !stream.acked.contains_key(*value));
            if let Some(ghost) = ghost {
                return Err(format!("{channel}: {ghost} was never acked"));
            }
        }
        Ok(channels.values().map(|stream| stream.entries.len() as u64).sum())
    }
}

/// What one subscriber saw of one channel.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// What it would subscribe with.
    pub(crate) at: Option<Position>,
    /// Whether it has a subscription now.
    live: bool,
    pub(crate) seen: u64,
    pub(crate) reasons: Vec<Reason>,
}

impl Reader {
    /// The line is lost, or it left the channel: nothing may come any more. Returns whether anything
    /// might before.
    pub(crate) fn leave(&mut self) -> bool {
        std::mem::take(&mut self.live)
    }

    /// Its part of `subscribed`.
    pub(crate) fn subscribed(
        &mut self,
        channel: &str,
        outcome: &Value,
        truth: &Truth,
    ) -> Result<(), String> {
        let head = position(outcome)?;
        self.live = true;
        let Some(before) = self.at else {
            self.at = Some(head);
            return Ok(());
        };
        let messages = outcome["messages"].as_array().map_or(&[][..], Vec::as_slice);
        match outcome["recovered"].as_bool() {
            Some(true) => {
                for message in messages {
                    self.see(channel, message, truth)?;
                }
                match self.at == Some(head) {
                    true => Ok(()),
                    false => Err(format!("{channel}: recovered to {:?}, not {head:?}", self.at)),
                }
            }
            Some(false) if messages.is_empty() => self.skip(channel, before, outcome),
            _ => Err(format!("{channel}: {outcome} says nothing of {before:?}")),
        }
    }

    /// A publication came.
    pub(crate) fn see(
        &mut self,
        channel: &str,
        publication: &Value,
        truth: &Truth,
    ) -> Result<(), String> {
        let position = position(publication)?;
        let value = publication["data"]["value"].as_str().ok_or("a value that is none")?;
        let at = self.at.filter(|_| self.live);
        let at = at.ok_or_else(|| format!("{channel}: {publication} without a subscription"))?;
        if position.epoch != at.epoch || position.offset != at.offset + 1 {
            return Err(format!("{channel}: {} came after {}", position.offset, at.offset));
        }
        self.at = Some(position);
        self.seen += 1;
        truth.agree(channel, position, value)
    }

    /// `unrecovered` on a live line.
    pub(crate) fn unrecovered(&mut self, channel: &str, message: &Value) -> Result<(), String> {
        match self.at.filter(|_| self.live) {
            Some(at) => self.skip(channel, at, message),
            None => Err(format!("{channel}: {message} without a subscription")),
        }
    }

    /// Goes on from the position of a message that declares a gap.
    fn skip(&mut self, channel: &str, at: Position, declared: &Value) -> Result<(), String> {
        let reason = declared["reason"].as_str().unwrap_or_default();
        let reason = reason.parse().map_err(|_| format!("{channel}: {declared} has no reason"))?;
        let head = position(declared)?;
        if head.epoch != at.epoch || head.offset <= at.offset {
            return Err(format!("{channel}: {declared} goes from {at:?} to {head:?}"));
        }
        self.reasons.push(reason);
        self.at = Some(head);
        Ok(())
    }
}

fn position(message: &Value) -> Result<Position, String> {
    let text = message["position"].as_str();
    let position = text.and_then(|text| text.parse().ok());
    position.ok_or_else(|| format!("{message} has no position"))
}

/// That a broken promise is noticed.
mod tests {
    use serde_json::json;

    use super::*;

    fn at(offset: u64) -> Position {
        Position { epoch: 1, offset, tag: offset + 100 }
    }

    fn publication(offset: u64) -> Value {
        json!({ "position": at(offset).to_string(), "data": { "value": format!("v{offset}") } })
    }

    fn reader(offset: u64) -> Reader {
        Reader { at: Some(at(offset)), live: true, ..Reader::default() }
    }

    #[test]
    fn what_is_lost_or_comes_twice_or_out_of_order_is_noticed() {
        let truth = Truth::default();
        for (offset, is_right) in [(2, false), (3, false), (4, true), (5, false)] {
            let seen = reader(3).see("a", &publication(offset), &truth);
            assert_eq!(seen.is_ok(), is_right, "{offset} after 3");
        }
        let mut gone = reader(3);
        gone.leave();
        assert!(gone.see("a", &publication(4), &truth).is_err(), "after it left");
        let gap = json!({ "position": at(9).to_string(), "reason": "trimmed" });
        let mut told = reader(3);
        assert!(told.unrecovered("a", &gap).is_ok() && told.at == Some(at(9)));
        assert!(told.unrecovered("a", &gap).is_err(), "back to where it was");
        let empty = json!({ "position": at(9).to_string(), "recovered": true, "messages": [] });
        assert!(reader(9).subscribed("a", &empty, &truth).is_ok());
        assert!(reader(3).subscribed("a", &empty, &truth).is_err(), "a silent gap");
    }

    #[test]
    fn two_orders_two_places_holes_and_ghosts_are_noticed() {
        let truth = Truth::default();
        assert!(truth.agree("a", at(1), "x").is_ok() && truth.agree("a", at(1), "x").is_ok());
        assert!(truth.agree("a", at(1), "y").is_err(), "another value there");
        assert!(truth.agree("a", at(2), "x").is_err(), "published twice");
        let ack = |offset| json!({ "position": at(offset).to_string() });
        let truth = Truth::default();
        assert!(truth.acked("a", "x", &ack(1)).is_ok() && truth.complete() == Ok(1));
        assert!(truth.acked("a", "z", &ack(3)).is_ok() && truth.complete().is_err(), "a hole");
        assert!(truth.agree("a", at(2), "y").is_ok() && truth.complete().is_err(), "a ghost");
    }
}
