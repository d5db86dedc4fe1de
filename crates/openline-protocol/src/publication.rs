//! Messages of a channel.

use std::sync::Arc;

use bytestring::ByteString;

use crate::writer::{Message, Writer};
use crate::{ChannelName, Data, Format, Position};

/// What a message usually has beside its payload.
const ENVELOPE_BYTES: usize = 160;

/// A message as the subscribers of its channel get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Where it was published.
    pub channel: ChannelName,
    /// What becomes the `type` of the message; `message` if there is none.
    pub event: Option<ByteString>,
    /// The payload.
    pub data: Data,
    /// Where it stands in the channel's stream; none where the channel keeps no history.
    pub position: Option<Position>,
    /// The tag of the entry before it. It stays in the server.
    pub prev_tag: u64,
    /// When it was accepted, in milliseconds since 1970.
    pub timestamp: u64,
    /// Who published it, where the namespace says so.
    pub from: Option<Sender>,
}

/// Who published a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The line.
    pub client_id: Arc<str>,
    /// Who was authenticated on it.
    pub user: Option<Arc<str>>,
}

impl Publication {
    /// Appends the message to `out`.
    pub fn encode(&self, format: Format, out: &mut Vec<u8>) {
        out.reserve(self.data.len() + ENVELOPE_BYTES);
        self.encode_to(format, out);
    }
}

impl Message for Publication {
    fn write(&self, w: &mut impl Writer) {
        w.open_map();
        w.text_field("type", self.event.as_deref().unwrap_or("message"));
        w.text_field("channel", self.channel.as_str());
        w.data_field("data", &self.data);
        if let Some(position) = self.position {
            w.position_field("position", position);
        }
        w.unsigned_field("timestamp", self.timestamp);
        if let Some(from) = &self.from {
            w.key("from");
            w.open_map();
            w.text_field("clientId", &from.client_id);
            if let Some(user) = &from.user {
                w.text_field("user", user);
            }
            w.close_map();
        }
        w.close_map();
    }
}
