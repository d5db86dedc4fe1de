//! What holds of any bytes that NATS gives.

use bytes::Bytes;
use openline_protocol::ChannelName;

use super::wire::{Batch, Heard};

/// What is read of a batch can be written, and is then read as the same.
pub(crate) fn heard(channel: &ChannelName, data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let Some(Heard::Stored(batch)) = Heard::from_bytes(channel, &bytes) else { return };
    let again = Batch::from_bytes(channel, &batch.to_bytes()).expect("we write batches");
    assert_eq!(
        (again.head, again.history, again.before),
        (batch.head, batch.history, batch.before)
    );
    assert_eq!(again.first_offset(), batch.first_offset());
    assert_eq!(again.entries.len(), batch.entries.len());
    for (before, after) in batch.entries.iter().zip(&again.entries) {
        assert_eq!(before.publication, after.publication);
    }
}
