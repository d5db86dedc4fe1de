//! [`Incoming`]: what a plain client says.

use bytestring::ByteString;
use openline_protocol::{Data, ErrorCode, Id};

use super::object::Envelope;
use crate::app::Refusal;

/// The longest id, in bytes of JSON.
const ID_BYTES_MAX: usize = 128;

/// How deep a message may be nested; beyond it no handler could read it.
const DEPTH_MAX: usize = 128;

/// A message of a plain client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) event: ByteString,
    /// Comes back with the answer.
    pub(crate) id: Option<Id>,
    /// The whole object.
    pub(crate) data: Data,
}

/// Why a message means nothing, and whose answer that is.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) id: Option<Id>,
    /// For those who count.
    pub(crate) code: ErrorCode,
    pub(crate) refusal: Refusal,
}

impl Incoming {
    /// Reads a text message.
    pub(crate) fn read(text: ByteString) -> Result<Self, Unreadable> {
        let broken = |message: String| {
            let refusal = Refusal::new(ErrorCode::InvalidJson.as_str(), message);
            Unreadable { id: None, code: ErrorCode::InvalidJson, refusal }
        };
        let data = Data::from_json_text(text.clone(), DEPTH_MAX);
        let data = data.map_err(|fault| broken(fault.message))?;
        if !text.trim_ascii_start().starts_with('{') {
            return Err(broken("a message is one JSON object".to_owned()));
        }
        let envelope = serde_json::from_str(&text);
        let Envelope { kind, id } = envelope.map_err(|error| broken(error.to_string()))?;
        if id.as_ref().is_some_and(|id| id.len() > ID_BYTES_MAX) {
            let message = format!("`id` has at most {ID_BYTES_MAX} bytes as JSON");
            let refusal = Refusal::new("invalid_field", message);
            return Err(Unreadable::of_fields(None, refusal));
        }
        let id = id.and_then(|id| read_id(&id));
        match kind {
            Some(kind) => Ok(Self { event: kind.as_ref().into(), id, data }),
            None => {
                let message = "a message has a `type`, which is a string";
                Err(Unreadable::of_fields(id, Refusal::new("missing_field", message)))
            }
        }
    }

    /// Why a binary message means nothing.
    pub(crate) fn binary() -> Unreadable {
        let message = "a message is JSON in a text frame; this one is binary";
        Unreadable::of_fields(None, Refusal::new("unsupported_data", message))
    }
}

impl Unreadable {
    fn of_fields(id: Option<Id>, refusal: Refusal) -> Self {
        Self { id, code: ErrorCode::BadRequest, refusal }
    }
}

fn read_id(json: &str) -> Option<Id> {
    match serde_json::from_str(json).ok()? {
        serde_json::Value::Number(number) => Some(Id::Number(number)),
        serde_json::Value::String(text) => Some(Id::Text(text.into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// Its id, its code and its message.
    type Refused = (Option<Id>, String, String);

    fn read(text: &str) -> Result<(String, Option<Id>), Refused> {
        match Incoming::read(text.into()) {
            Ok(Incoming { event, id, data }) => {
                assert_eq!(data, Data::Json(text.trim().into()), "the whole of it is the data");
                Ok((event.to_string(), id))
            }
            Err(Unreadable { id, refusal, .. }) => {
                Err((id, refusal.code().to_owned(), refusal.message().to_owned()))
            }
        }
    }

    #[test]
    fn the_type_is_the_event() {
        assert_eq!(read(r#"{"type":"chat","text":"hi"}"#), Ok(("chat".to_owned(), None)));
        assert_eq!(
            read(" {\"a\":[{\"type\":1}],\"type\":\"\\u0061\"} "),
            Ok(("a".to_owned(), None))
        );
    }

    #[test]
    fn an_id_is_a_text_or_a_number() {
        let id = |json: &str| read(&format!(r#"{{"type":"a","id":{json}}}"#)).unwrap().1;
        assert_eq!(id("7"), Some(Id::from(7)));
        assert_eq!(id("-1").unwrap().to_string(), "-1");
        assert_eq!(id(r#""x""#), Some(Id::from("x")));
        for other in ["null", "true", "[1]", "{}"] {
            assert_eq!(id(other), None, "{other}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_what_is_wrong() {
        for (text, code, part) in [
            ("{", "invalid_json", ""),
            ("[1]", "invalid_json", "a message is one JSON object"),
            ("7", "invalid_json", "a message is one JSON object"),
            ("{} x", "invalid_json", ""),
            ("{}", "missing_field", "a message has a `type`, which is a string"),
            (r#"{"type":1}"#, "missing_field", "a message has a `type`, which is a string"),
        ] {
            let (id, found, message) = read(text).unwrap_err();
            assert_eq!((id, &*found), (None, code), "{text}");
            assert!(!message.is_empty() && message.contains(part), "{text}: {message}");
        }
        let (id, ..) = read(r#"{"id":4}"#).unwrap_err();
        assert_eq!(id, Some(Id::from(4)));
        let long = format!(r#"{{"type":"a","id":"{}"}}"#, "a".repeat(ID_BYTES_MAX - 1));
        let (_, code, message) = read(&long).unwrap_err();
        let said = "`id` has at most 128 bytes as JSON";
        assert_eq!((&*code, &*message), ("invalid_field", said));
    }
}
