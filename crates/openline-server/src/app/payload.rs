//! [`Payload`]: what an event carries; [`Binary`]: bytes inside it.

use std::cell::RefCell;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use bytestring::ByteString;
use openline_protocol::Data;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::reply::Refusal;

/// What an event, an answer or an acknowledgement carries: nothing, one value, or, from Socket.IO
/// clients, several arguments, which handlers read as a tuple.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// JSON, in which [`Binary`] stands as a placeholder with the number of its attachment; or bytes.
    data: Data,
    arity: Arity,
    attachments: Vec<Bytes>,
    /// The type of the answer that it is, where that is not the request's.
    answers_as: Option<ByteString>,
}

/// How many arguments the data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arity {
    None,
    One,
    /// The data is a JSON array of them.
    Many,
}

impl Payload {
    /// Nothing.
    pub fn none() -> Self {
        Self { data: Data::null(), arity: Arity::None, attachments: Vec::new(), answers_as: None }
    }

    /// One value that is serialised already.
    pub(crate) fn one(data: Data) -> Self {
        Self { data, arity: Arity::One, attachments: Vec::new(), answers_as: None }
    }

    /// What came from a client that sends arguments and attachments. The JSON has been checked, and
    /// each placeholder in it names one of the attachments.
    pub(crate) fn of_arguments(json: ByteString, arity: Arity, attachments: Vec<Bytes>) -> Self {
        Self { data: Data::Json(json), arity, attachments, answers_as: None }
    }

    /// Writes a value.
    ///
    /// # Errors
    /// When it cannot be written as JSON, such as a map whose keys are no strings.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, Refusal> {
        let _scope = Scope::enter(Vec::new());
        let text = serde_json::to_string(value)
            .map_err(|error| Refusal::internal(format!("an answer cannot be written: {error}")))?;
        let attachments = Scope::attachments();
        Ok(match (&*text, attachments.len()) {
            // Only what is nothing is written so: `()`, and an option that is none.
            ("null", _) => Self::none(),
            (r#"{"_placeholder":true,"num":0}"#, 1) => {
                Self::one(Data::Binary(attachments.into_iter().next().unwrap_or_default()))
            }
            _ => Self { attachments, ..Self::one(Data::Json(text.into())) },
        })
    }

    /// As several arguments, for Socket.IO clients; others get a list.
    ///
    /// # Errors
    /// When the value is not written as a list, as a tuple is.
    pub fn arguments<T: Serialize + ?Sized>(values: &T) -> Result<Self, Refusal> {
        let payload = Self::new(values)?;
        match &payload.data {
            Data::Json(text) if text.starts_with('[') => Ok(Self { arity: Arity::Many, ..payload }),
            _ => Err(Refusal::internal("several arguments are written as a tuple or a list")),
        }
    }

    /// As an answer it has this type, where it would have the request's otherwise. Nothing changes
    /// for Socket.IO, whose answers have none.
    #[must_use]
    pub fn answering_as(self, event: &str) -> Self {
        Self { answers_as: Some(event.into()), ..self }
    }

    /// Reads it as what a handler takes. Who takes `()` takes nothing, whatever there is: at plain
    /// endpoints there is always the message itself.
    ///
    /// # Errors
    /// `bad_request`, with what does not fit and where.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let wrong = |error: String| Refusal::bad_request(format!("`data` does not fit: {error}"));
        match &self.data {
            Data::Json(_) if is_unit::<T>() => {
                serde_json::from_str("null").map_err(|error| wrong(error.to_string()))
            }
            Data::Json(text) => {
                let _scope = Scope::enter(self.attachments.clone());
                serde_json::from_str(text).map_err(|error| wrong(error.to_string()))
            }
            Data::Binary(bytes) => {
                let _scope = Scope::enter(vec![bytes.clone()]);
                serde_json::from_str(r#"{"_placeholder":true,"num":0}"#)
                    .map_err(|_| wrong("bytes, where a value is expected".to_owned()))
            }
        }
    }

    pub(crate) fn data(&self) -> &Data {
        &self.data
    }

    /// The type of the answer that it is to a request of type `event`.
    pub(crate) fn answer_type<'a>(&'a self, event: &'a str) -> &'a str {
        self.answers_as.as_deref().unwrap_or(event)
    }

    pub(crate) fn arity(&self) -> Arity {
        self.arity
    }

    pub(crate) fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// As one value without attachments: bytes inside it become base64.
    pub(crate) fn to_data(&self) -> Data {
        match &self.data {
            Data::Json(text) if !self.attachments.is_empty() => {
                let mut value = serde_json::from_str(text).unwrap_or_default();
                self.fill_in(&mut value);
                Data::Json(value.to_string().into())
            }
            data => data.clone(),
        }
    }

    fn fill_in(&self, value: &mut serde_json::Value) {
        use serde_json::Value;
        match value {
            Value::Object(fields) if fields.get("_placeholder") == Some(&Value::Bool(true)) => {
                let number = fields.get("num").and_then(Value::as_u64);
                let number = number.and_then(|number| usize::try_from(number).ok());
                if let Some(bytes) = number.and_then(|number| self.attachments.get(number)) {
                    *value = Value::String(STANDARD.encode(bytes));
                }
            }
            Value::Object(fields) => fields.values_mut().for_each(|value| self.fill_in(value)),
            Value::Array(items) => items.iter_mut().for_each(|value| self.fill_in(value)),
            _ => {}
        }
    }
}

/// A trait for this would need to know all other types too.
fn is_unit<T>() -> bool {
    std::any::type_name::<T>() == std::any::type_name::<()>()
}

/// Bytes in a message. Socket.IO clients send and get them as they are, however deep in the message;
/// MessagePack clients where they are the whole of it; others read base64.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Binary(pub Bytes);

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(number) = Scope::attach(self.0.clone()) else {
            return serializer.serialize_str(&STANDARD.encode(&self.0));
        };
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("_placeholder", &true)?;
        map.serialize_entry("num", &number)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BinaryVisitor)
    }
}

struct BinaryVisitor;

impl<'de> Visitor<'de> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes, or base64")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Binary, E> {
        let bytes = STANDARD.decode(text).map_err(|error| E::custom(format!("base64: {error}")))?;
        Ok(Binary(bytes.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Binary, A::Error> {
        let (mut is_placeholder, mut number) = (false, None);
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "_placeholder" => is_placeholder = map.next_value()?,
                "num" => number = Some(map.next_value::<usize>()?),
                _ => return Err(serde::de::Error::custom("an object, where bytes are expected")),
            }
        }
        let bytes = number.filter(|_| is_placeholder).and_then(Scope::attachment);
        bytes.map(Binary).ok_or_else(|| serde::de::Error::custom("bytes that did not come"))
    }
}

thread_local! {
    /// The attachments of the payload that this thread reads or writes.
    static ATTACHMENTS: RefCell<Option<Vec<Bytes>>> = const { RefCell::new(None) };
}

/// While it lives, [`Binary`] is an attachment.
struct Scope(Option<Vec<Bytes>>);

impl Scope {
    fn enter(attachments: Vec<Bytes>) -> Self {
        Self(ATTACHMENTS.replace(Some(attachments)))
    }

    fn attach(bytes: Bytes) -> Option<usize> {
        ATTACHMENTS.with_borrow_mut(|attachments| {
            let attachments = attachments.as_mut()?;
            attachments.push(bytes);
            Some(attachments.len() - 1)
        })
    }

    fn attachment(number: usize) -> Option<Bytes> {
        ATTACHMENTS.with_borrow(|attachments| attachments.as_ref()?.get(number).cloned())
    }

    fn attachments() -> Vec<Bytes> {
        ATTACHMENTS.with_borrow_mut(|attachments| attachments.take().unwrap_or_default())
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        ATTACHMENTS.replace(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct File {
        name: String,
        content: Binary,
    }

    fn file() -> File {
        File { name: "a".to_owned(), content: Binary(Bytes::from_static(b"\x00\xff")) }
    }

    #[test]
    fn bytes_inside_a_message_are_attachments() {
        let payload = Payload::new(&[file(), file()]).unwrap();
        assert_eq!(payload.attachments().len(), 2);
        assert_eq!(payload.read::<Vec<File>>().unwrap(), [file(), file()]);
    }

    #[test]
    fn where_there_are_no_attachments_bytes_are_base64() {
        let data = Payload::new(&file()).unwrap().to_data();
        assert_eq!(data, Data::Json(r#"{"content":"AP8=","name":"a"}"#.into()));
        assert_eq!(Payload::one(data).read::<File>().unwrap(), file());
    }

    #[test]
    fn a_message_that_is_bytes_is_nothing_else() {
        let bytes = Binary(Bytes::from_static(b"xy"));
        let payload = Payload::new(&bytes).unwrap();
        assert_eq!(payload.data(), &Data::Binary(Bytes::from_static(b"xy")));
        assert_eq!(payload.read::<Binary>().unwrap(), bytes);
        let refused = payload.read::<String>().unwrap_err();
        assert_eq!(refused.message(), "`data` does not fit: bytes, where a value is expected");
    }

    #[test]
    fn a_placeholder_that_names_nothing_is_refused() {
        let forged = Payload::one(Data::Json(r#"{"_placeholder":true,"num":3}"#.into()));
        let refused = forged.read::<Binary>().unwrap_err();
        assert!(refused.message().contains("bytes that did not come"), "{}", refused.message());
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let refused = Payload::one(Data::Json(r#"{"name":1}"#.into())).read::<File>().unwrap_err();
        let expected = "invalid type: integer `1`, expected a string at line 1 column 9";
        assert_eq!(refused.message(), format!("`data` does not fit: {expected}"));
    }

    #[test]
    fn several_arguments_are_a_tuple() {
        let payload = Payload::arguments(&("a", 1)).unwrap();
        assert_eq!(payload.arity(), Arity::Many);
        assert_eq!(payload.read::<(String, u8)>().unwrap(), ("a".to_owned(), 1));
        assert!(Payload::arguments("a").is_err());
        assert_eq!(Payload::new(&()).unwrap(), Payload::none());
    }
}
