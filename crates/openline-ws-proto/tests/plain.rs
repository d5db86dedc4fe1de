//! The short way of plain messages: it takes nothing but them, and comes to what the long one comes to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use openline_ws_proto::{Connection, PlainMessage, State, Timestamp};
use support::{
    BINARY, CLOSE, CONTINUATION, Frame, PING, TEXT, bytes, client, drain, frame, server,
};

const NOW: Timestamp = Timestamp(1);

/// What the short way makes of these, when they are all that came.
fn taken(connection: &mut Connection, frames: &[Frame]) -> Option<(Vec<u8>, bool, usize)> {
    let mut input = bytes(frames);
    let (message, consumed) = connection.handle_plain_input(&mut input, NOW)?.unwrap();
    Some(match message {
        PlainMessage::Text(text) => (text.as_bytes().to_vec(), true, consumed),
        PlainMessage::Binary(data) => (data.to_vec(), false, consumed),
    })
}

#[test]
fn a_message_in_one_frame_is_taken_and_the_rest_is_left() {
    for case in [server(), client()] {
        for len in [0, 5, 125, 126, 65_535] {
            let payload = vec![b'x'; len];
            for (opcode, is_text) in [(TEXT, true), (BINARY, false)] {
                let first = frame(opcode, &payload).to(case.role);
                let consumed = first.bytes().len();
                let frames = [first, frame(PING, "").to(case.role)];
                let expected = Some((payload.clone(), is_text, consumed));
                assert_eq!(taken(&mut case.connection(), &frames), expected);
            }
        }
    }
}

#[test]
fn all_else_is_left_to_the_long_way() {
    let limited = server().message_bytes_max(3).connection();
    for (mut connection, frames) in [
        (server().connection(), vec![]),
        (server().connection(), vec![frame(PING, "a")]),
        (server().connection(), vec![frame(CLOSE, b"\x03\xe8")]),
        (server().connection(), vec![frame(TEXT, "a").more()]),
        (server().connection(), vec![frame(CONTINUATION, "a")]),
        (server().connection(), vec![frame(TEXT, "a").rsv(4)]),
        (server().connection(), vec![frame(TEXT, "a").unmasked()]),
        (server().connection(), vec![frame(TEXT, vec![b'x'; 65_536])]),
        (server().streaming().connection(), vec![frame(TEXT, "a")]),
        (limited, vec![frame(TEXT, "four")]),
    ] {
        assert_eq!(taken(&mut connection, &frames), None, "{frames:?}");
        assert_eq!(connection.state(), State::Open);
        assert!(drain(&mut connection).is_empty(), "nothing was done");
    }
    let mut whole = frame(TEXT, "abc").bytes();
    for len in 0..whole.len() {
        let part = &mut whole[..len];
        assert!(server().connection().handle_plain_input(part, NOW).is_none(), "{len} bytes");
    }
}

#[test]
fn a_connection_that_listens_no_more_takes_nothing() {
    let mut connection = server().connection();
    let mut close = frame(CLOSE, b"\x03\xe8").bytes();
    connection.handle_input(&mut close, NOW).unwrap();
    assert_eq!(taken(&mut connection, &[frame(TEXT, "late")]), None);
}

#[test]
fn rfc6455_8_1_a_text_that_is_not_utf8_is_refused_on_the_short_way_too() {
    let bad = [frame(TEXT, b"ab\xff")];
    let (mut short, mut long) = (server().connection(), server().connection());
    let refused = short.handle_plain_input(&mut bytes(&bad), NOW).unwrap().unwrap_err();
    assert_eq!(refused, long.handle_input(&mut bytes(&bad), NOW).unwrap_err());
    assert_eq!(short.state(), long.state());
    assert_eq!(drain(&mut short), drain(&mut long), "the peer is told");
}

#[test]
fn what_comes_on_the_short_way_is_a_sign_of_life() {
    let mut connection = server().connection();
    let quiet = connection.poll_timeout();
    let later = Timestamp(NOW.0 + 1_000);
    connection.handle_plain_input(&mut frame(TEXT, "a").bytes(), later).unwrap().unwrap();
    assert!(connection.poll_timeout() > quiet, "the next ping is later");
}
