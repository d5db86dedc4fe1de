//! What a vector sends, held against what the client says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Whether the client said what it was to say: all but the id, and a key where it makes its own.
pub(crate) fn check(came: &Value, wanted: &Value) -> Result<(), String> {
    let makes_key = matches!(wanted["type"].as_str(), Some("publish" | "upload"))
        && wanted.get("key").is_none()
        && wanted.get("upload").is_none()
        && wanted["volatile"] != true;
    let (mut said, wanted) = (plain(came), plain(wanted));
    if makes_key {
        let key = said.as_object_mut().unwrap().remove("key");
        let key = key.as_ref().and_then(Value::as_str).unwrap_or_default();
        if key.is_empty() || key.len() > 64 {
            return Err(format!("the client said {came}, without a key of its own"));
        }
    }
    if said == wanted { Ok(()) } else { Err(format!("the client said {came}")) }
}

/// The names of the channels that the message is about.
pub(crate) fn channels(message: &Value) -> Vec<String> {
    let name = |to: &Value| to.as_str().or(to["channel"].as_str()).unwrap().to_owned();
    match message["channels"].as_array() {
        Some(channels) => channels.iter().map(name).collect(),
        None => message["channel"].as_str().map(str::to_owned).into_iter().collect(),
    }
}

/// Whether it is a `subscribe` to more than one channel.
pub(crate) fn asks_for_several(message: &Value) -> bool {
    message["type"] == "subscribe" && channels(message).len() > 1
}

/// What `subscribe` says of each channel, in the order of their names.
pub(crate) fn subscribed_to(message: &Value) -> Vec<Value> {
    let one = [message.clone()];
    let all = message["channels"].as_array().map_or(&one[..], Vec::as_slice);
    let each = |to: &Value| match to {
        Value::String(name) => json!({"channel": name}),
        to => {
            let mut to = to.clone();
            for name in ["type", "id"] {
                to.as_object_mut().unwrap().remove(name);
            }
            to
        }
    };
    let mut channels: Vec<Value> = all.iter().map(each).collect();
    channels.sort_by_key(|to| to["channel"].as_str().unwrap().to_owned());
    channels
}

/// The bytes of a chunk.
pub(crate) fn bytes(chunk: &Value) -> Vec<u8> {
    let data = &chunk["data"];
    STANDARD.decode(data["$bytes"].as_str().or(data.as_str()).unwrap()).unwrap()
}

/// The message without an id, and in one form where there are several for the same.
fn plain(message: &Value) -> Value {
    let mut plain = message.clone();
    let fields = plain.as_object_mut().unwrap();
    fields.remove("id");
    match message["type"].as_str().unwrap() {
        "subscribe" => {
            return json!({"type": "subscribe", "channels": subscribed_to(message)});
        }
        "unsubscribe" => {
            return json!({"type": "unsubscribe", "channels": channels(message)});
        }
        "publish" => {
            fields.entry("data").or_insert(Value::Null);
        }
        // It always goes as bytes.
        "chunk" => {
            fields.remove("encoding");
            fields.insert("data".to_owned(), json!(bytes(message)));
        }
        "complete" => {
            if let Some(digits) = message["sha256"].as_str() {
                fields.insert("sha256".to_owned(), digits.to_lowercase().into());
            }
        }
        // Pages are as long as the server gives them.
        "presence" => {
            fields.remove("limit");
        }
        "typing" => {
            fields.entry("isTyping").or_insert(true.into());
        }
        _ => {}
    }
    plain
}
