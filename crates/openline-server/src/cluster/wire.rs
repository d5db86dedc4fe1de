//! How parts of messages are written that are not this crate's own.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use openline_engine::Mark;
use openline_protocol::{ChannelName, Data, Member};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::exchange::Ending;

/// Bytes, written in one piece; as a list they would be written one by one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Blob(pub(crate) Bytes);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(Bytes::copy_from_slice(bytes)))
            }
        }
        deserializer.deserialize_bytes(Whole)
    }
}

/// The name of a channel. One that no channel can have is not read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name(pub(crate) ChannelName);

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <&str>::deserialize(deserializer)?;
        ChannelName::new(name).map(Self).map_err(D::Error::custom)
    }
}

/// What something carries. That text is JSON was checked by the node where it came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Payload {
    Json(String),
    Binary(Blob),
}

impl From<&Data> for Payload {
    fn from(data: &Data) -> Self {
        match data {
            Data::Json(text) => Self::Json(text.to_string()),
            Data::Binary(bytes) => Self::Binary(Blob(bytes.clone())),
        }
    }
}

impl From<Payload> for Data {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Json(text) => Self::Json(ByteString::from(text)),
            Payload::Binary(Blob(bytes)) => Self::Binary(bytes),
        }
    }
}

/// A member of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    client: Arc<str>,
    user: Option<Arc<str>>,
    info: Option<Payload>,
    status: Option<Arc<str>>,
    data: Option<Payload>,
}

impl From<&Member> for Person {
    fn from(member: &Member) -> Self {
        Self {
            client: member.client_id.clone(),
            user: member.user.clone(),
            info: member.info.as_ref().map(Payload::from),
            status: member.status.clone(),
            data: member.data.as_ref().map(Payload::from),
        }
    }
}

impl From<Person> for Member {
    fn from(person: Person) -> Self {
        Self {
            client_id: person.client,
            user: person.user,
            info: person.info.map(Data::from),
            status: person.status,
            data: person.data.map(Data::from),
        }
    }
}

/// How far a node's news of a channel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct At {
    life: u64,
    seq: u64,
}

impl From<Mark> for At {
    fn from(mark: Mark) -> Self {
        Self { life: mark.life, seq: mark.seq }
    }
}

impl From<At> for Mark {
    fn from(at: At) -> Self {
        Self { life: at.life, seq: at.seq }
    }
}

/// Why lines end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Why {
    code: u16,
    reason: String,
    retry_after_ms: Option<u64>,
}

impl From<&Ending> for Why {
    fn from(ending: &Ending) -> Self {
        let Ending { code, reason, retry_after_ms } = ending.clone();
        Self { code, reason, retry_after_ms }
    }
}

impl From<Why> for Ending {
    fn from(why: Why) -> Self {
        let Why { code, reason, retry_after_ms } = why;
        Self { code, reason, retry_after_ms }
    }
}
