//! What a chat client is told, written as JSON. Fields stand at the top level and again under
//! `data`, because pages read either.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::command::Refusal;

/// A message of type `kind` with these fields.
pub(super) fn message(kind: &str, id: Option<&Value>, fields: Value) -> String {
    let mut message = match fields.clone() {
        Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    };
    message.insert("type".to_owned(), kind.into());
    if let Some(id) = id {
        message.insert("id".to_owned(), id.clone());
    }
    message.insert("data".to_owned(), fields);
    Value::Object(message).to_string()
}

pub(super) fn error(refusal: &Refusal) -> String {
    let fields = json!({
        "code": refusal.code,
        "detail": refusal.detail,
        "text": refusal.text,
        "message": refusal.text,
        "error": refusal.text,
    });
    message("error", refusal.id.as_ref(), fields)
}

pub(super) fn system(text: &str) -> String {
    message("system", None, json!({ "text": text, "message": text }))
}

/// Milliseconds since 1970, as `Date.now()` has them.
pub(super) fn timestamp() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
