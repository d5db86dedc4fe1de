//! Messages that match a pattern.

use openline_client::Position;
use serde_json::{Map, Value, json};

use crate::pattern::{Kept, now_ms};

/// What numbers stand for that may be any.
const NUMBER: u64 = 25_000;

/// Makes messages; no two texts and positions in them are the same.
#[derive(Default)]
pub(crate) struct Instances {
    made: u64,
}

impl Instances {
    /// A value that matches the pattern; none if the field is to be absent.
    pub(crate) fn of(&mut self, pattern: &Value, kept: &mut Kept) -> Option<Value> {
        let Value::Object(fields) = pattern else {
            return Some(match pattern {
                Value::Array(patterns) => self.all(patterns, kept),
                other => kept.fill(other),
            });
        };
        if fields.contains_key("$absent") {
            return None;
        }
        if fields.contains_key("$bytes") {
            return Some(pattern.clone());
        }
        if let Some(kind) = fields.get("$any") {
            let value = self.any(kind.as_str().unwrap(), fields);
            assert!(kept.matches(pattern, Some(&value)), "{value} is not {pattern}");
            return Some(value);
        }
        if let Some(pattern) = fields.get("$has") {
            return Some(self.all(std::slice::from_ref(pattern), kept));
        }
        if let Some(patterns) = fields.get("$set").and_then(Value::as_array) {
            return Some(self.all(patterns, kept));
        }
        if let Some(patterns) = fields.get("$or") {
            return self.of(&patterns[0], kept);
        }
        Some(self.object(fields, kept))
    }

    fn all(&mut self, patterns: &[Value], kept: &mut Kept) -> Value {
        patterns.iter().filter_map(|pattern| self.of(pattern, kept)).collect()
    }

    fn object(&mut self, fields: &Map<String, Value>, kept: &mut Kept) -> Value {
        let mut names: Vec<&String> = fields.keys().collect();
        names.sort();
        let mut object = Map::new();
        for name in names {
            if let Some(value) = self.of(&fields[name], kept) {
                let name = kept.fill(&json!(name)).as_str().unwrap().to_owned();
                object.insert(name, value);
            }
        }
        object.into()
    }

    fn any(&mut self, kind: &str, fields: &Map<String, Value>) -> Value {
        self.made += 1;
        let made = self.made;
        let contained = fields.get("contains").and_then(Value::as_str).unwrap_or("text");
        match kind {
            "text" => json!(format!("{contained} {made}")),
            "position" => json!(Position { epoch: 1, offset: made, tag: made }.to_string()),
            "number" => json!(NUMBER),
            "time" => json!(now_ms()),
            other => panic!("there is no placeholder for any {other}"),
        }
    }
}

/// Puts in what the protocol has in a message of this type and the pattern left open. `asked` is what
/// it answers, `room` the channel that it is about if it does not say.
pub(crate) fn complete(message: &mut Value, asked: Option<&Value>, room: Option<&str>) {
    let asked = asked.unwrap_or(&Value::Null);
    let kind = message["type"].as_str().unwrap().to_owned();
    match &*kind {
        "welcome" => {
            put(message, "authenticated", false);
            put(message, "pingInterval", NUMBER);
            put(message, "retrySpread", NUMBER);
            put(message, "channels", json!([]));
        }
        "auth_success" | "unsubscribed" | "setPresence" | "typing" | "error" => {}
        "auth_failed" => {
            for name in ["reason", "error", "message"] {
                put(message, name, "the token was not accepted");
            }
        }
        "pong" => put(message, "timestamp", now_ms()),
        "subscribed" => subscribed(message, asked),
        "published" => {
            put(message, "level", "memory");
            put(message, "timestamp", now_ms());
        }
        "history" => {
            put(message, "channel", asked["channel"].clone());
            put(&mut message["data"], "more", false);
            publications(&mut message["data"]);
        }
        "presence" => {
            put(message, "channel", asked["channel"].clone());
            if asked.is_null() {
                for name in ["joined", "updated", "left"] {
                    put(&mut message["data"], name, json!([]));
                }
                put(&mut message["data"], "complete", false);
                put(&mut message["data"], "count", 1);
            }
        }
        "upload" => {
            for name in ["chunkMax", "window"] {
                put(&mut message["data"], name, NUMBER);
            }
            put(&mut message["data"], "expiresAt", now_ms());
        }
        "complete" => {
            put(&mut message["data"], "name", "a");
            put(&mut message["data"], "contentType", "application/octet-stream");
            put(&mut message["data"], "url", "/uploads/file");
            put(&mut message["data"], "expiresAt", now_ms());
        }
        _ => {
            put(message, "channel", room);
            put(message, "timestamp", now_ms());
        }
    }
}

fn subscribed(message: &mut Value, asked: &Value) {
    let names: Vec<String> = crate::said::channels(asked);
    put(message, "channels", json!(names));
    put(message, "data", json!({}));
    for name in names {
        put(&mut message["data"], &name, json!({}));
        publications(&mut message["data"][&name]);
    }
}

fn publications(of: &mut Value) {
    for message in of["messages"].as_array_mut().into_iter().flatten() {
        put(message, "timestamp", now_ms());
    }
}

fn put(object: &mut Value, name: &str, value: impl Into<Value>) {
    object.as_object_mut().unwrap().entry(name).or_insert(value.into());
}
