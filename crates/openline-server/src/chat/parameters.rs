//! [`Parameters`]: what a message of a page says, and what is wrong with it.
//!
//! Parameters stand at the top level or under `data`; fields that are not known are ignored.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::app::Refusal;

/// The longest text, in bytes of JSON. What is said goes out with the text in it twice, and is to stay
/// below the 1 MiB that many clients take as one message.
pub(super) const TEXT_BYTES_MAX: usize = 256 * 1024;
/// The longest name of a room, in bytes.
const ROOM_BYTES_MAX: usize = 100;
/// The longest name of a person, in bytes.
const USERNAME_BYTES_MAX: usize = 64;
/// The longest status, in bytes.
const STATUS_BYTES_MAX: usize = 32;
/// The most that a client may have kept for it, as JSON.
const STATE_BYTES_MAX: usize = 64 * 1024;

/// The fields of a message.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Parameters(Map<String, Value>);

impl Parameters {
    fn find(&self, name: &str) -> Option<&Value> {
        let inner = self.0.get("data").and_then(Value::as_object);
        let found = |fields: &Map<String, Value>| fields.contains_key(name);
        let fields = inner.filter(|inner| found(inner) && !inner[name].is_null());
        fields.unwrap_or(&self.0).get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str, bytes_max: usize) -> Result<Option<String>, Refusal> {
        match self.find(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= bytes_max => Ok(Some(text.clone())),
            Some(Value::String(_)) => Err(invalid(name, &format!("has at most {bytes_max} bytes"))),
            Some(_) => Err(invalid(name, "is a string")),
        }
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.find(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(invalid(name, "is true or false")),
        }
    }

    /// What is said.
    pub(super) fn said(&self) -> Result<String, Refusal> {
        let text = required("text", self.text("text", TEXT_BYTES_MAX)?)?;
        check_text(text)
    }

    /// Whether the sender wants to hear itself.
    pub(super) fn echo(&self) -> Result<bool, Refusal> {
        Ok(self.flag("echo")?.unwrap_or(true))
    }

    pub(super) fn is_typing(&self) -> Result<bool, Refusal> {
        required("isTyping", self.flag("isTyping")?)
    }

    pub(super) fn status(&self) -> Result<String, Refusal> {
        required("status", self.text("status", STATUS_BYTES_MAX)?)
    }

    pub(super) fn user_id(&self) -> Result<String, Refusal> {
        required("userId", self.text("userId", USERNAME_BYTES_MAX)?)
    }

    pub(super) fn username(&self) -> Result<Option<String>, Refusal> {
        match self.text("username", USERNAME_BYTES_MAX)? {
            Some(name) if name.trim().is_empty() || name.chars().any(char::is_control) => {
                Err(invalid("username", "has visible characters and no others"))
            }
            name => Ok(name),
        }
    }

    pub(super) fn room(&self) -> Result<Option<String>, Refusal> {
        self.text("room", usize::MAX)?.map(check_room).transpose()
    }

    pub(super) fn limit(&self) -> Result<Option<usize>, Refusal> {
        match self.find("limit") {
            None => Ok(None),
            Some(limit) => match limit.as_u64().and_then(|limit| usize::try_from(limit).ok()) {
                Some(limit) => Ok(Some(limit)),
                None => Err(invalid("limit", "is a number from 0")),
            },
        }
    }

    /// What is to be kept.
    pub(super) fn state(&self) -> Result<Value, Refusal> {
        let data = required("data", self.0.get("data"))?;
        match data.to_string().len() <= STATE_BYTES_MAX {
            true => Ok(data.clone()),
            false => Err(invalid("data", &format!("has at most {STATE_BYTES_MAX} bytes as JSON"))),
        }
    }
}

/// Whether a room may have this name.
pub(super) fn check_room(name: String) -> Result<String, Refusal> {
    match !name.is_empty() && name.len() <= ROOM_BYTES_MAX && !name.contains(char::is_control) {
        true => Ok(name),
        false => Err(invalid("room", "has 1 to 100 bytes, control characters excepted")),
    }
}

/// Whether this may be said.
pub(super) fn check_text(text: String) -> Result<String, Refusal> {
    match json_len(&text) <= TEXT_BYTES_MAX {
        true => Ok(text),
        false => Err(invalid("text", &format!("has at most {TEXT_BYTES_MAX} bytes as JSON"))),
    }
}

/// The bytes that a text takes in JSON, its quotes left out (RFC 8259 §7).
pub(super) fn json_len(text: &str) -> usize {
    let len = |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(len).sum()
}

fn required<T>(name: &str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::new("missing_field", format!("\"{name}\" is missing.")))
}

fn invalid(name: &str, rule: &str) -> Refusal {
    Refusal::new("invalid_field", format!("\"{name}\" {rule}."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    fn parameters(value: Value) -> Parameters {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn they_stand_at_the_top_or_under_data() {
        for message in [
            json!({ "text": "hi", "username": "Ann" }),
            json!({ "data": { "text": "hi", "username": "Ann" } }),
            json!({ "text": "hi", "data": { "text": null, "username": "Ann" } }),
            json!({ "text": "no", "username": "Ann", "data": { "text": "hi" } }),
        ] {
            let message = parameters(message);
            assert_eq!(message.said().unwrap(), "hi");
            assert_eq!(message.username().unwrap().as_deref(), Some("Ann"));
        }
    }

    #[test]
    fn what_is_too_long_is_refused_by_its_length_as_json() {
        let chat = |text: String| parameters(json!({ "text": text })).said().is_ok();
        assert!(chat("a".repeat(TEXT_BYTES_MAX)));
        assert!(!chat("\u{1}".repeat(TEXT_BYTES_MAX / 6 + 1)));
        let state = |len| parameters(json!({ "data": "a".repeat(len) })).state().is_ok();
        assert!(state(STATE_BYTES_MAX - 2));
        assert!(!state(STATE_BYTES_MAX));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said = |refused: Refusal| (refused.code().to_owned(), refused.message().to_owned());
        let missing = parameters(json!({})).said().unwrap_err();
        assert_eq!(said(missing), ("missing_field".into(), "\"text\" is missing.".into()));
        let invalid = |refused: Refusal| {
            let (code, detail) = said(refused);
            assert_eq!(code, "invalid_field");
            detail
        };
        let detail = invalid(parameters(json!({ "text": 1 })).said().unwrap_err());
        assert_eq!(detail, "\"text\" is a string.");
        let detail = invalid(parameters(json!({ "isTyping": "yes" })).is_typing().unwrap_err());
        assert_eq!(detail, "\"isTyping\" is true or false.");
        let detail = invalid(parameters(json!({ "username": " " })).username().unwrap_err());
        assert_eq!(detail, "\"username\" has visible characters and no others.");
        for room in ["", "a\u{0}", &"a".repeat(ROOM_BYTES_MAX + 1)] {
            let detail = invalid(parameters(json!({ "room": room })).room().unwrap_err());
            assert_eq!(detail, "\"room\" has 1 to 100 bytes, control characters excepted.");
        }
        let detail = invalid(parameters(json!({ "limit": -1 })).limit().unwrap_err());
        assert_eq!(detail, "\"limit\" is a number from 0.");
    }

    #[test]
    fn the_length_in_json_is_known_without_writing_it() {
        let all: String = (0..0x300).filter_map(char::from_u32).chain(['\u{1f600}']).collect();
        assert_eq!(json_len(&all) + 2, json!(all).to_string().len());
    }
}
