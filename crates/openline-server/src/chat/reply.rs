//! What a chat client is told, written as JSON. Fields stand at the top level and again under
//! `data`, because pages read either.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::command::Refusal;

/// A message of type `kind` with these fields, of which there is at least one.
pub(super) fn message(kind: &str, id: Option<&Value>, fields: &Value) -> String {
    // Written once and put in twice: the fields of a history or a list are long.
    let fields = fields.to_string();
    let inner = &fields[1..fields.len() - 1];
    let id = id.map(|id| format!("\"id\":{id},")).unwrap_or_default();
    format!("{{\"type\":\"{kind}\",{id}{inner},\"data\":{fields}}}")
}

pub(super) fn error(refusal: &Refusal) -> String {
    let fields = json!({
        "code": refusal.code,
        "detail": refusal.detail,
        "text": refusal.text,
        "message": refusal.text,
        "error": refusal.text,
    });
    message("error", refusal.id.as_ref(), &fields)
}

pub(super) fn system(text: &str) -> String {
    message("system", None, &json!({ "text": text, "message": text }))
}

/// Milliseconds since 1970, as `Date.now()` has them.
pub(super) fn timestamp() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_at_the_top_and_under_data() {
        let text = message("pong", Some(&json!("a\"b")), &json!({ "timestamp": 1, "x": {} }));
        let message: Value = serde_json::from_str(&text).unwrap();
        let expected = json!({
            "type": "pong", "id": "a\"b", "timestamp": 1, "x": {},
            "data": { "timestamp": 1, "x": {} },
        });
        assert_eq!(message, expected);
    }

    #[test]
    fn the_length_in_json_is_known_without_writing_it() {
        let all: String = (0..0x300).filter_map(char::from_u32).chain(['\u{1f600}']).collect();
        assert_eq!(json_len(&all) + 2, json!(all).to_string().len());
    }
}
