//! What holds of any body of a POST and of any address.

use bytes::Bytes;

use super::Message;
use super::packet::Packet;
use super::payload::{Letter, encode, parse};
use super::query::Query;

/// Packets are no longer than what they came in, and are written as they were read; an empty name of
/// a connection is none.
pub fn engine_io(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(query) = Query::read(Some(text))
    {
        assert!(query.sid.is_none_or(|sid| !sid.is_empty() && text.contains(sid)));
    }
    let Ok(packets) = parse(Bytes::copy_from_slice(data)) else { return };
    let messages: Vec<Message> = packets
        .into_iter()
        .filter_map(|packet| match packet {
            Packet::Message(message) => Some(message),
            _ => None,
        })
        .collect();
    let bytes = messages.iter().map(|message| match message {
        Message::Text(text) => text.len(),
        Message::Binary(data) => data.len(),
    });
    assert!(bytes.sum::<usize>() <= data.len());
    if messages.is_empty() {
        return;
    }
    let letters: Vec<Letter> = messages.iter().map(Letter::of).collect();
    let again = parse(encode(&letters)).expect("we write packets");
    assert_eq!(again, messages.into_iter().map(Packet::Message).collect::<Vec<_>>());
}
