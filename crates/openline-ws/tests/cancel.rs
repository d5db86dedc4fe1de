//! Futures that are dropped at every await point lose nothing.
//!
//! The transport stalls before each byte of reading and of writing, and each future is dropped
//! after a single poll.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use openline_ws::proto::{Connection, FrameKind, Role, Timestamp};
use openline_ws::{Acceptor, Config, DeflateOptions, DeflateParams, Error, Incoming, Message};
use support::frames::{
    self, BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, RSV1, TEXT, masked, plain,
};
use support::{client, server, server_with};

#[tokio::test]
async fn recv_dropped_at_every_poll_loses_no_message_and_answers_every_ping() {
    let (mut ws, peer) = server().await;
    peer.stall();
    peer.push(
        &[
            masked(TEXT, "héllo"),
            masked(PING, "1"),
            masked(TEXT & !FIN, "in "),
            masked(PING, "2"),
            masked(0, "three "),
            masked(CONTINUATION, "pieces"),
            masked(BINARY, [7; 300]),
            masked(TEXT, ""),
            masked(CLOSE, frames::reason(1000, "bye")),
        ]
        .concat(),
    );
    let mut messages = Vec::new();
    while let Some(message) = dropped_at_every_poll!(ws.recv()).unwrap() {
        messages.push(message);
    }
    let expected: [Message; 4] =
        ["héllo".into(), "in three pieces".into(), vec![7; 300].into(), "".into()];
    assert_eq!(messages, expected);
    assert!(ws.closed().unwrap().clean);
    let answers =
        [(PONG, b"1".to_vec()), (PONG, b"2".to_vec()), (CLOSE, frames::reason(1000, "bye"))];
    assert_eq!(peer.take_frames(), answers);
}

#[tokio::test]
async fn recv_any_dropped_at_every_poll_tells_of_every_ping_and_pong() {
    let (mut ws, peer) = server().await;
    peer.stall();
    peer.push(&[masked(PING, "a"), masked(TEXT, "m"), masked(PONG, "b")].concat());
    let mut incoming = Vec::new();
    while incoming.len() < 3 {
        incoming.push(dropped_at_every_poll!(ws.recv_any()).unwrap().unwrap());
    }
    let expected =
        [Incoming::Ping("a".into()), Incoming::Message("m".into()), Incoming::Pong("b".into())];
    assert_eq!(incoming, expected);
}

#[tokio::test]
async fn a_clients_recv_dropped_at_every_poll_loses_nothing() {
    let (mut ws, peer) = client();
    peer.stall();
    peer.push(&[plain(TEXT & !FIN, "a"), plain(PING, "p"), plain(CONTINUATION, "b")].concat());
    assert_eq!(dropped_at_every_poll!(ws.recv()).unwrap(), Some("ab".into()));
    dropped_at_every_poll!(ws.flush()).unwrap();
    assert_eq!(peer.take_frames(), [(PONG, b"p".to_vec())]);
}

/// What a compressing client sends, by the protocol's own machine.
fn compressed(messages: &[&str]) -> Vec<u8> {
    let config = Config {
        deflate: DeflateOptions { threshold: 0, ..DeflateOptions::client() },
        mask_source: Some(support::mask_key),
        ..Config::default()
    };
    let params = DeflateParams {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        ..DeflateParams::default()
    };
    let mut client =
        Connection::new(Role::Client, Arc::new(config), Some(params), Timestamp::default());
    for message in messages {
        client.send(FrameKind::Text, message.as_bytes()).unwrap();
    }
    client.poll_transmit().flatten().copied().collect()
}

#[tokio::test]
async fn compressed_messages_survive_drops_at_every_poll_both_ways() {
    let acceptor =
        Acceptor::new().deflate(DeflateOptions { threshold: 0, ..DeflateOptions::default() });
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let (mut ws, peer) = server_with(&acceptor, offer).await;
    assert!(ws.deflate().is_some());
    let sent = ["one one one one one", "two two two two", ""];
    let bytes = compressed(&sent);
    assert_eq!(bytes[0] & RSV1, RSV1);
    peer.stall();
    peer.push(&bytes);
    for expected in sent {
        let message = dropped_at_every_poll!(ws.recv()).unwrap().unwrap();
        assert_eq!(message.as_text(), Some(expected));
        let _ = support::poll_once(ws.send(message)).await;
    }
    dropped_at_every_poll!(ws.flush()).unwrap();
    let (frames, rest) = (peer.take_frames(), ws.queued_bytes());
    assert_eq!((frames.len(), rest), (3, 0));
    assert!(frames[..2].iter().all(|(first, _)| *first == TEXT | RSV1), "{frames:?}");
}

#[tokio::test]
async fn a_dropped_send_has_queued_its_message_once() {
    let (mut ws, peer) = server().await;
    peer.stall();
    assert!(support::poll_once(ws.send("first")).await.is_pending());
    assert!(support::poll_once(ws.send("second")).await.is_pending());
    dropped_at_every_poll!(ws.flush()).unwrap();
    assert_eq!(peer.take_frames(), [(TEXT, b"first".to_vec()), (TEXT, b"second".to_vec())]);
}

#[tokio::test]
async fn what_a_dropped_send_left_behind_leaves_while_receiving() {
    let (mut ws, peer) = server().await;
    peer.set_room(3);
    assert!(support::poll_once(ws.send("waits")).await.is_pending());
    peer.lift_room();
    assert!(support::is_waiting(ws.recv()).await);
    assert_eq!(peer.take_frames(), [(TEXT, b"waits".to_vec())]);
}

#[tokio::test]
async fn a_send_that_was_never_polled_sends_nothing() {
    let (mut ws, peer) = server().await;
    drop(ws.send("never"));
    ws.flush().await.unwrap();
    assert_eq!(peer.take(), b"");
}

#[tokio::test]
async fn large_messages_and_pings_leave_whole_however_often_flush_is_dropped() {
    let (mut ws, peer) = server().await;
    peer.stall();
    let large = vec![9; 40_000];
    for _ in 0..2 {
        let _ = support::poll_once(ws.send(large.clone())).await;
        let _ = support::poll_once(ws.ping(b"p")).await;
    }
    dropped_at_every_poll!(ws.flush()).unwrap();
    let frames = peer.take_frames();
    let messages = frames.iter().filter(|(first, data)| *first == BINARY && *data == large).count();
    assert_eq!(messages, 2);
    assert!(frames.iter().any(|frame| *frame == (PING, b"p".to_vec())));
}

#[tokio::test]
async fn recv_long_and_its_chunks_dropped_at_every_poll_lose_nothing() {
    let (mut ws, peer) = server().await;
    peer.stall();
    peer.push(
        &[masked(BINARY & !FIN, "abc"), masked(PING, ""), masked(CONTINUATION, "def")].concat(),
    );
    peer.push(&masked(TEXT, "next"));
    while support::poll_once(async { ws.recv_long().await.map(|long| long.is_some()) })
        .await
        .is_pending()
    {
        tokio::task::yield_now().await;
    }
    // The first chunk went with the reader that was dropped; the rest is skipped by `recv`.
    assert_eq!(dropped_at_every_poll!(ws.recv()).unwrap(), Some("next".into()));

    peer.push(&[masked(BINARY & !FIN, "abc"), masked(CONTINUATION, "def")].concat());
    let mut long = ws.recv_long().await.unwrap().unwrap();
    let mut data = Vec::new();
    while let Some(chunk) = dropped_at_every_poll!(long.chunk()).unwrap() {
        data.extend_from_slice(&chunk);
    }
    assert_eq!(data, b"abcdef");
}

#[tokio::test]
async fn a_message_begun_under_a_dropped_recv_is_whole_for_recv_long_and_the_other_way_round() {
    let (mut ws, peer) = server().await;
    peer.push(&masked(TEXT & !FIN, "be"));
    assert!(support::is_waiting(ws.recv()).await);
    assert!(support::is_waiting(async { ws.recv_long().await.map(drop) }).await);
    peer.push(&masked(CONTINUATION, "gun"));
    assert_eq!(ws.recv().await.unwrap(), Some("begun".into()));
}

#[tokio::test]
async fn close_dropped_at_every_poll_completes_the_handshake_once() {
    let (mut ws, peer) = server().await;
    peer.stall();
    peer.push(&[masked(TEXT, "late"), masked(CLOSE, frames::reason(1001, ""))].concat());
    let closed = dropped_at_every_poll!(ws.close(1000, "done")).unwrap();
    assert_eq!((closed.reason.code.0, closed.clean), (1001, true));
    assert_eq!(peer.take_frames(), [(CLOSE, frames::reason(1000, "done"))]);
    assert!(matches!(ws.send("x").await, Err(Error::Closed)));
}

#[tokio::test]
async fn a_protocol_error_is_told_once_however_often_recv_is_dropped() {
    let (mut ws, peer) = server().await;
    peer.stall();
    peer.push(&[masked(TEXT, "fine"), masked(0x83, "")].concat());
    assert_eq!(dropped_at_every_poll!(ws.recv()).unwrap(), Some("fine".into()));
    let feed = async {
        support::settle().await;
        peer.end();
    };
    let (result, ()) = tokio::join!(async { dropped_at_every_poll!(ws.recv()) }, feed);
    assert!(matches!(result, Err(Error::Protocol(_))), "{result:?}");
    assert_eq!(peer.take_frames(), [(CLOSE, frames::reason(1002, "reserved opcode 0x3"))]);
    assert_eq!(ws.recv().await.unwrap(), None);
}
