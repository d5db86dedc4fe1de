//! What a subscription yields.

use bytestring::ByteString;
use openline_protocol::{
    ChannelName, Data, Position, PresenceChange, Publication as Received, Reason, Sender,
};
use serde::de::DeserializeOwned;

use crate::error::Error;

/// Something that happened in a channel.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ChannelEvent {
    /// A message.
    Publication(Publication),
    /// Messages are missing, in front of what comes next.
    Gap {
        /// Why they could not be had.
        reason: GapReason,
        /// Where the channel goes on from, if that is known.
        position: Option<Position>,
    },
    /// The line was lost and is back, and nothing is missing.
    Recovered {
        /// How many messages were published meanwhile. They come next.
        count: u64,
    },
    /// Who came, changed and went.
    Presence(PresenceChange),
    /// Somebody is writing, or has stopped.
    Typing {
        /// Whose line.
        client_id: ByteString,
        /// Who was authenticated on it.
        user: Option<ByteString>,
        /// Whether it began or ended. Without another within 6 s it has ended.
        is_typing: bool,
    },
    /// The subscription is over; this is the last event.
    Unsubscribed {
        /// Why.
        reason: String,
    },
}

/// Why messages are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapReason {
    /// The server said so; see [`Reason`].
    Server(Reason),
    /// The line was lost, and the channel keeps no history.
    NoHistory,
    /// They were not taken in time, and the channel keeps no history.
    TooSlow,
}

/// A message of a channel.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Publication {
    /// Where it was published.
    pub channel: ChannelName,
    /// Its event; none where it was published without one.
    pub event: Option<ByteString>,
    /// The payload.
    pub data: Data,
    /// Where it stands; none where the channel keeps no history.
    pub position: Option<Position>,
    /// When it was accepted, in milliseconds since 1970.
    pub timestamp: u64,
    /// Who published it, where the server tells.
    pub from: Option<Sender>,
    /// Whether it came from the history.
    pub replayed: bool,
}

impl Publication {
    pub(crate) fn new(received: Received, replayed: bool) -> Self {
        let Received { channel, event, data, position, timestamp, from, .. } = received;
        Self { channel, event, data, position, timestamp, from, replayed }
    }

    /// The payload as a type of the application's.
    ///
    /// # Errors
    /// [`Error::Payload`] when it is of another shape, or bytes.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        from_data(&self.data)
    }
}

pub(crate) fn from_data<T: DeserializeOwned>(data: &Data) -> Result<T, Error> {
    match data {
        Data::Json(text) => {
            serde_json::from_str(text).map_err(|error| Error::Payload(error.to_string()))
        }
        Data::Binary(bytes) => {
            Err(Error::Payload(format!("it is {} bytes, not JSON", bytes.len())))
        }
    }
}

pub(crate) fn to_data<T: serde::Serialize + ?Sized>(value: &T) -> Result<Data, Error> {
    let text = serde_json::to_string(value).map_err(|error| Error::Payload(error.to_string()))?;
    Ok(Data::Json(text.into()))
}
