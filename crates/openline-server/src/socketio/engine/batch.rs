//! [`Batch`]: messages for many connections, encoded once.

use openline_ws::{Prepared, PreparedBatch};

use super::Message;
use super::packet::text_packet;

/// Messages that go to many connections in one turn. Cloning shares it: WebSocket frames are encoded
/// once, polls share the packets.
#[derive(Debug, Clone)]
pub(crate) struct Batch(PreparedBatch);

impl Batch {
    pub(crate) fn new(messages: &[Message]) -> Self {
        let prepared = messages.iter().map(|message| match message {
            Message::Text(text) => Prepared::text(text_packet(text)),
            Message::Binary(data) => Prepared::binary(data.clone()),
        });
        Self(PreparedBatch::new(prepared.collect()))
    }

    /// How many messages it is.
    pub(crate) fn len(&self) -> usize {
        self.0.messages().len()
    }

    pub(super) fn frames(&self) -> &PreparedBatch {
        &self.0
    }
}
