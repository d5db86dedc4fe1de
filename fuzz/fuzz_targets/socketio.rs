//! Messages of a Socket.IO connection: no panic; what is a packet has its bounds and is written as it
//! was read; what is announced is waited for.

#![no_main]

use bytes::Bytes;
use bytestring::ByteString;
use libfuzzer_sys::fuzz_target;
use packet::{ATTACHMENTS_MAX, Decoder, Encoded, Kind, NAMESPACE_BYTES_MAX, Packet};

// The server's own code and nothing else of the server, which takes long to build.
#[path = "../../crates/openline-server/src/socketio/packet/mod.rs"]
#[allow(dead_code, unused_imports, reason = "a part of what the server uses")]
mod packet;

const BYTES_MAX: usize = 4096;

// Messages are parted by a byte that is in no text, and stands for "binary" before the next.
fuzz_target!(|data: &[u8]| {
    let mut decoder = Decoder::new(BYTES_MAX);
    let mut bytes = 0;
    for (index, message) in data.split(|byte| *byte == 0xff).enumerate() {
        let read = match std::str::from_utf8(message) {
            Ok(text) if index == 0 || !text.is_empty() && !text.starts_with('\0') => {
                bytes = text.len();
                decoder.handle_text(&text.into())
            }
            _ => {
                bytes += message.len();
                decoder.handle_binary(Bytes::copy_from_slice(message))
            }
        };
        match read {
            Ok(Some(packet)) => check(&packet, bytes),
            Ok(None) => assert!(bytes <= BYTES_MAX),
            Err(_) => return,
        }
    }
});

fn check(packet: &Packet, bytes: usize) {
    assert!(bytes <= BYTES_MAX);
    let namespace = &packet.namespace;
    assert!(namespace.starts_with('/') && namespace.len() <= NAMESPACE_BYTES_MAX);
    let again = match &packet.kind {
        Kind::Connect { auth } => {
            let is_object = |auth: &ByteString| {
                serde_json::from_str::<serde_json::Value>(auth).expect("checked").is_object()
            };
            return assert!(auth.as_ref().is_none_or(is_object));
        }
        Kind::Disconnect => return,
        Kind::Event { name, arguments, id } => {
            assert!(!packet::is_reserved(name));
            packet::event(namespace, name, arguments, *id, None)
        }
        Kind::Ack { id, arguments } => packet::ack(namespace, *id, arguments),
    };
    let (Kind::Event { arguments, .. } | Kind::Ack { arguments, .. }) = &packet.kind else {
        return;
    };
    let list = serde_json::from_str::<Vec<serde_json::Value>>(&arguments.to_list());
    assert_eq!(list.expect("checked").len(), arguments.len());
    assert!(arguments.attachments().len() <= ATTACHMENTS_MAX);
    assert_eq!(decode(again).as_ref(), Some(packet));
    let _ = arguments.clone().into_data();
}

fn decode(encoded: Encoded) -> Option<Packet> {
    // A name that was a number is text now.
    let mut decoder = Decoder::new(BYTES_MAX + 16);
    let mut packet = decoder.handle_text(&encoded.text).expect("we write packets");
    for bytes in encoded.attachments {
        assert_eq!(packet, None);
        packet = decoder.handle_binary(bytes).expect("it was announced");
    }
    packet
}
