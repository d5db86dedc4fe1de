//! [`Event`]: something that a client of a test got.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Something that a client got: an event, a publication, or a question.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// What it is called; publications without a name are called `message`.
    pub name: String,
    /// The channel, for what was said in one.
    pub channel: Option<String>,
    /// What it carries; `null` where it carries nothing. Bytes are base64.
    pub data: Value,
    /// All of it, as it stands in the protocol.
    pub message: Value,
}

impl Event {
    pub(super) fn new(mut message: Value) -> Self {
        let text = |name: &str| message[name].as_str().map(str::to_owned);
        let (name, channel) = (text("type").unwrap_or_default(), text("channel"));
        let data = match message.get_mut("data") {
            Some(data) => data.clone(),
            None => Value::Null,
        };
        Self { name, channel, data, message }
    }

    /// What it carries, as a type.
    ///
    /// # Panics
    /// When it does not fit.
    pub fn read<T: DeserializeOwned>(&self) -> T {
        match T::deserialize(&self.data) {
            Ok(data) => data,
            Err(error) => panic!("the data of {} does not fit: {error}: {}", self.name, self.data),
        }
    }

    /// Whether the server waits for an answer: see [`TestClient::answer`](super::TestClient::answer).
    pub fn is_question(&self) -> bool {
        self.question().is_some()
    }

    /// The id of the question that it is.
    pub(super) fn question(&self) -> Option<&str> {
        self.message["id"].as_str().filter(|id| id.starts_with("s-"))
    }
}
