//! The same frames into this crate and into tungstenite 0.30: the same messages, the same pongs,
//! the same acceptance.
//!
//! Known differences, each decided in [`allowed`] or by what is fed:
//! - Unfinished frames are not fed: this crate refuses a frame at its first bad byte, tungstenite
//!   when all of it is there.
//! - tungstenite takes lengths that are not in their shortest form (RFC 6455 §5.2 forbids them).
//! - tungstenite reports a close frame with an unlawful code as one with 1002; this crate reports
//!   an error. Both tell the peer 1002.
//! - tungstenite holds 1014 for unlawful; IANA has registered it since.
//! - tungstenite has no limit on fragments, so it is lifted here.

#![no_main]

use std::io::{Cursor, Read, Write};

use libfuzzer_sys::fuzz_target;
use openline_fuzz::{Outcome, Seen, Setup};
use openline_ws_proto::{
    CloseCode, CloseReason, FrameHead, FrameKind, FrameRules, Limits, Opcode, ProtocolError, Role,
};
use tungstenite::protocol::{Message, Role as TheirRole, WebSocket, WebSocketConfig};
use tungstenite::{Error, error::ProtocolError as TheirProtocolError};

/// The end that tungstenite came to.
#[derive(Debug, PartialEq)]
enum End {
    Input,
    Close,
    Error,
}

fuzz_target!(|data: &[u8]| {
    let [flags, input @ ..] = data else { return };
    let role = if flags & 1 == 0 { Role::Server } else { Role::Client };
    let input = &input[..whole_frames(input)];
    let limits = Limits { fragments_max: u32::MAX, ..Limits::default() };
    let ours = Setup { role, limits, deflate: None, streaming: false }.run([input]);
    let (theirs, sent, end) = theirs(role, input);
    if allowed(&ours, &theirs) {
        return;
    }
    assert_eq!(ours.seen, theirs, "{:?} {end:?}", ours.error);
    assert_eq!(ours.error.is_some(), end == End::Error, "{:?}", ours.error);
    assert_eq!(matches!(ours.seen.last(), Some(Seen::Close(_))), end == End::Close);
    assert_eq!(pongs(role, &ours.sent), pongs(role, &sent));
});

fn allowed(ours: &Outcome, theirs: &[Seen]) -> bool {
    let begin = theirs.get(..ours.seen.len().min(theirs.len())).unwrap_or_default();
    match (&ours.error, ours.seen.last(), theirs.last()) {
        (Some(ProtocolError::LengthNotMinimal(_)), ..) => {
            assert_eq!(ours.seen, begin);
            true
        }
        (Some(ProtocolError::InvalidCloseCode(_)), _, Some(Seen::Close(reason))) => {
            assert_eq!(reason.code, CloseCode::PROTOCOL_ERROR);
            assert_eq!(ours.seen, theirs[..theirs.len() - 1]);
            true
        }
        (None, Some(Seen::Close(our_reason)), Some(Seen::Close(reason)))
            if our_reason.code == CloseCode(1014) =>
        {
            assert_eq!(reason.code, CloseCode::PROTOCOL_ERROR);
            true
        }
        _ => false,
    }
}

/// The length of the frames at the front that are there from the first to the last byte.
fn whole_frames(input: &[u8]) -> usize {
    let mut at = 0;
    while let Some(len) = frame_len(&input[at..]) {
        at += len;
    }
    at
}

fn frame_len(bytes: &[u8]) -> Option<usize> {
    let second = *bytes.get(1)?;
    let (payload, mut head) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(*bytes[2..].first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*bytes[2..].first_chunk()?), 10),
        short => (u64::from(short), 2),
    };
    if second & 0x80 != 0 {
        head += 4;
    }
    let len = payload.checked_add(head).filter(|len| *len <= bytes.len() as u64)?;
    Some(len as usize)
}

/// A transport that has the input and then ends.
struct Transport {
    input: Cursor<Vec<u8>>,
    sent: Vec<u8>,
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.input.read(buffer)
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.sent.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn theirs(role: Role, input: &[u8]) -> (Vec<Seen>, Vec<u8>, End) {
    let limits = Limits::default();
    let config = WebSocketConfig::default()
        .max_frame_size(Some(limits.frame_bytes_max as usize))
        .max_message_size(Some(limits.message_bytes_max as usize));
    let role = match role {
        Role::Server => TheirRole::Server,
        Role::Client => TheirRole::Client,
    };
    let transport = Transport { input: Cursor::new(input.to_vec()), sent: Vec::new() };
    let mut socket = WebSocket::from_raw_socket(transport, role, Some(config));
    let mut seen = Vec::new();
    let end = loop {
        match socket.read() {
            Ok(Message::Text(text)) => {
                seen.push(Seen::Message(FrameKind::Text, text.as_bytes().to_vec()));
            }
            Ok(Message::Binary(data)) => {
                seen.push(Seen::Message(FrameKind::Binary, data.to_vec()));
            }
            Ok(Message::Ping(payload)) => seen.push(Seen::Ping(payload.to_vec())),
            Ok(Message::Pong(payload)) => seen.push(Seen::Pong(payload.to_vec())),
            Ok(Message::Close(frame)) => {
                let reason = frame.map_or(CloseReason::new(1005, ""), |frame| {
                    CloseReason::new(u16::from(frame.code), frame.reason.as_str())
                });
                seen.push(Seen::Close(reason));
                break End::Close;
            }
            Ok(Message::Frame(_)) => unreachable!("read() gives messages"),
            Err(Error::Protocol(TheirProtocolError::ResetWithoutClosingHandshake)) => {
                break End::Input;
            }
            Err(_) => break End::Error,
        }
    };
    (seen, std::mem::take(&mut socket.get_mut().sent), end)
}

/// The payloads of the pongs among what was sent, masking undone.
fn pongs(role: Role, mut sent: &[u8]) -> Vec<Vec<u8>> {
    let rules = FrameRules { sender: role, deflate: false };
    let mut pongs = Vec::new();
    while let Ok(Some((head, len))) = FrameHead::parse(sent, rules) {
        let (frame, rest) = sent.split_at(len + head.payload_len as usize);
        if head.opcode == Opcode::Pong {
            let mut payload = frame[len..].to_vec();
            if let Some(key) = head.mask {
                openline_ws_proto::mask(&mut payload, key, 0);
            }
            pongs.push(payload);
        }
        sent = rest;
    }
    pongs
}
