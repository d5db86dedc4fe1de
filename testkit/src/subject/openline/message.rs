//! What Openline's messages say.

use serde_json::Value;

use super::super::{Heard, Outcome};

/// So many bytes stand behind some values, so that not all messages are short.
const PAD: usize = 3_000;

/// What is published for a value.
pub(super) fn payload(value: &str) -> String {
    let pad = if value.ends_with("77") { PAD } else { 0 };
    format!("{value}:{}", "x".repeat(pad))
}

/// The value of a publication, if it has one.
pub(super) fn value(message: &Value) -> Option<String> {
    let (value, pad) = message["data"].as_str()?.split_once(':')?;
    // A torn payload is no value that was published.
    let is_whole = payload(value).len() == value.len() + 1 + pad.len();
    Some(if is_whole { value.to_owned() } else { format!("{value} (damaged)") })
}

/// What an answer to `publish` means.
pub(super) fn published(answer: &Value) -> Outcome {
    Outcome::Published {
        position: text(answer, "position"),
        level: text(answer, "level"),
        duplicate: answer["duplicate"] == true,
    }
}

/// What an error in answer to `publish` means.
pub(super) fn refused(code: &str) -> Outcome {
    // The server itself does not know what became of it.
    const UNKNOWN: &[&str] = &["timeout", "broker_unavailable", "internal", "502", "504"];
    if UNKNOWN.contains(&code) {
        Outcome::Unknown { why: code.to_owned(), lost: false }
    } else {
        Outcome::Refused(code.to_owned())
    }
}

/// What a reader hears by a message. Subscriptions were asked for under their channel's name as `id`.
pub(super) fn heard(message: &Value) -> Vec<Heard> {
    let channels =
        || message["channels"].as_array().into_iter().flatten().filter_map(Value::as_str);
    match message["type"].as_str().unwrap_or_default() {
        "subscribed" => {
            message["data"].as_object().into_iter().flatten().flat_map(joined).collect()
        }
        "unsubscribed" => {
            channels().map(|channel| Heard::Left { channel: channel.to_owned() }).collect()
        }
        "unrecovered" => {
            let Some(channel) = text(message, "channel") else { return Vec::new() };
            let reason = text(message, "reason").unwrap_or_default();
            vec![Heard::Unrecovered { channel, reason, position: text(message, "position") }]
        }
        "error" => {
            let Some(channel) = text(message, "id") else { return Vec::new() };
            vec![Heard::Refused { channel, code: text(message, "code").unwrap_or_default() }]
        }
        _ => publication(message).into_iter().collect(),
    }
}

fn joined((channel, what): (&String, &Value)) -> Vec<Heard> {
    let channel = channel.clone();
    if let Some(code) = text(what, "code") {
        return vec![Heard::Refused { channel, code }];
    }
    let position = text(what, "position");
    let (recovered, reason) = (what["recovered"].as_bool(), text(what, "reason"));
    let messages = what["messages"].as_array().into_iter().flatten().filter_map(publication);
    let mut heard = vec![Heard::Subscribed { channel, position, recovered, reason }];
    heard.extend(messages);
    heard
}

fn publication(message: &Value) -> Option<Heard> {
    let channel = text(message, "channel").filter(|_| message["id"].is_null())?;
    Some(Heard::Message { channel, value: value(message)?, position: text(message, "position") })
}

fn text(object: &Value, field: &str) -> Option<String> {
    object[field].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_subscription_is_heard_with_what_was_missed() {
        let message = json!({"type":"subscribed","id":"a","channels":["a"],"data":{
            "a":{"position":"P","recovered":true,"messages":[
                {"type":"message","channel":"a","data":"p1-2:","position":"Q"}]},
            "b":{"code":"forbidden"}}});
        let subscribed = Heard::Subscribed {
            channel: "a".into(),
            position: Some("P".into()),
            recovered: Some(true),
            reason: None,
        };
        let value = "p1-2".to_owned();
        let missed = Heard::Message { channel: "a".into(), value, position: Some("Q".into()) };
        let refused = Heard::Refused { channel: "b".into(), code: "forbidden".into() };
        assert_eq!(heard(&message), [subscribed, missed, refused]);
    }

    #[test]
    fn a_payload_that_is_cut_short_is_seen() {
        let whole = payload("p1-77");
        assert_eq!(value(&json!({"data":whole})).as_deref(), Some("p1-77"));
        assert_eq!(value(&json!({"data":whole[..99]})).as_deref(), Some("p1-77 (damaged)"));
    }
}
