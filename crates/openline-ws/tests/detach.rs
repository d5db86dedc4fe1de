//! A line that goes on in other hands, and a peer that notices nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use openline_ws::proto::Role;
use openline_ws::{
    Acceptor, Config, DeflateOptions, Detached, Message, Reader, Received, Sender, TrySendError,
    WebSocket,
};
use support::frames::{PING, TEXT, masked};
use support::wire::{Peer, Wire};
use support::{is_waiting, poll_once, server, server_with, settle};

async fn halves() -> (Reader<Wire>, Sender, Peer) {
    let (ws, peer) = server().await;
    let (reader, sender) = ws.split();
    (reader, sender, peer)
}

/// The line in other hands.
fn resumed(detached: Detached<Wire>) -> WebSocket<Wire> {
    detached.resume(Role::Server, Arc::new(Config::default()))
}

fn text(text: &str) -> Message {
    Message::from(text)
}

#[tokio::test]
async fn a_line_that_is_detached_goes_on_elsewhere_and_its_peer_hears_nothing_of_it() {
    let headers = "Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
    let (wire, peer) = support::wire::pair();
    peer.push(format!("{}{headers}\r\n", support::REQUEST).as_bytes());
    let pending = Acceptor::new().accept(wire).await.unwrap();
    let ws = pending.protocol("x").accept().await.unwrap();
    peer.take();
    let deflate = ws.deflate();
    assert!(deflate.is_some());
    let (reader, sender) = ws.split();
    let detached = reader.detach().unwrap();
    assert_eq!(peer.take(), b"", "no close frame");
    assert!(!sender.is_open());
    assert!(matches!(sender.try_send("lost?"), Err(TrySendError::Closed)));
    assert!(!sender.closed().await.clean);
    let mut ws = resumed(detached);
    assert_eq!((ws.protocol(), ws.deflate()), (Some("x"), deflate));
    peer.push(&masked(TEXT, b"still here"));
    assert_eq!(ws.recv().await.unwrap(), Some(text("still here")));
    ws.send("so am I").await.unwrap();
    assert_eq!(peer.take_frames(), [(TEXT, b"so am I".to_vec())]);
}

#[tokio::test]
async fn what_was_read_and_not_handled_goes_along() {
    let (mut reader, sender, peer) = halves().await;
    let mut input = masked(TEXT, b"one");
    input.extend(masked(TEXT, b"two"));
    let third = masked(TEXT, b"three");
    input.extend(&third[..4]);
    peer.push(&input);
    assert_eq!(reader.recv().await.unwrap(), Some(text("one")));
    sender.interrupt();
    assert_eq!(reader.recv_or_interrupt().await.unwrap(), Received::Interrupted);
    let detached = reader.detach().unwrap();
    assert_eq!(detached.rest, input[masked(TEXT, b"one").len()..]);
    let mut ws = resumed(detached);
    assert_eq!(ws.recv().await.unwrap(), Some(text("two")));
    peer.push(&third[4..]);
    assert_eq!(ws.recv().await.unwrap(), Some(text("three")));
}

#[tokio::test]
async fn an_interrupted_reader_returns_once_and_loses_nothing() {
    let (mut reader, sender, peer) = halves().await;
    assert!(is_waiting(reader.recv_or_interrupt()).await);
    sender.interrupt();
    sender.interrupt();
    assert_eq!(reader.recv_or_interrupt().await.unwrap(), Received::Interrupted);
    assert!(is_waiting(reader.recv_or_interrupt()).await);
    peer.push(&masked(TEXT, b"hello"));
    assert_eq!(reader.recv_or_interrupt().await.unwrap(), Received::Message(text("hello")));
    // One that waits in a task of its own is woken.
    let waiting =
        tokio::spawn(async move { reader.recv_or_interrupt().await.map(|r| (r, reader)) });
    settle().await;
    sender.interrupt();
    let (received, mut reader) = waiting.await.unwrap().unwrap();
    assert_eq!(received, Received::Interrupted);
    sender.try_send("written though nobody receives").unwrap();
    assert_eq!(peer.take_frames().len(), 1);
    peer.end();
    assert_eq!(reader.recv_or_interrupt().await.unwrap(), Received::Closed);
}

#[tokio::test]
async fn who_only_receives_is_not_interrupted() {
    let (mut reader, sender, peer) = halves().await;
    sender.interrupt();
    assert!(is_waiting(reader.recv()).await);
    peer.push(&masked(TEXT, b"hello"));
    assert_eq!(reader.recv().await.unwrap(), Some(text("hello")));
}

#[tokio::test]
async fn a_frame_or_a_message_of_which_a_part_has_come_is_no_quiet_moment() {
    let (mut reader, _sender, peer) = halves().await;
    let frame = masked(TEXT, b"hello");
    for part in 1..frame.len() {
        peer.push(&frame[..part]);
        assert!(is_waiting(reader.recv()).await);
        assert!(!reader.is_quiet(), "{part} bytes");
        reader = reader.detach().unwrap_err();
        peer.push(&frame[part..]);
        assert_eq!(reader.recv().await.unwrap(), Some(text("hello")));
        assert!(reader.is_quiet());
    }
    // The first of two fragments.
    peer.push(&masked(0x01, b"hel"));
    assert!(is_waiting(reader.recv()).await);
    reader = reader.detach().unwrap_err();
    peer.push(&masked(0x80, b"lo"));
    assert_eq!(reader.recv().await.unwrap(), Some(text("hello")));
    assert!(reader.detach().is_ok());
}

#[tokio::test]
async fn what_waits_for_the_peer_is_written_first() {
    let (mut reader, sender, peer) = halves().await;
    peer.set_room(3);
    sender.try_send("waits").unwrap();
    assert!(poll_once(reader.recv()).await.is_pending());
    reader = reader.detach().unwrap_err();
    peer.lift_room();
    assert!(is_waiting(reader.recv()).await);
    assert!(reader.detach().is_ok());
    assert_eq!(peer.take_frames().len(), 1);
}

#[tokio::test]
async fn a_line_that_keeps_a_window_or_closes_or_is_over_is_not_detached() {
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let deflate = DeflateOptions { takeover: true, ..DeflateOptions::default() };
    let acceptor = Acceptor::new().deflate(deflate);
    let (ws, _peer) = server_with(&acceptor, offer).await;
    assert!(ws.split().0.detach().is_err(), "it may refer to what was sent");
    let deflate = DeflateOptions { peer_takeover: true, ..DeflateOptions::default() };
    let (ws, _peer) = server_with(&Acceptor::new().deflate(deflate), offer).await;
    assert!(ws.split().0.detach().is_err(), "its peer may");

    let (reader, sender, peer) = halves().await;
    sender.close(1000, "").unwrap();
    assert_eq!(peer.take_frames().len(), 1);
    assert!(reader.detach().is_err());

    let (mut reader, _sender, peer) = halves().await;
    peer.push(&masked(PING, b"?"));
    assert!(is_waiting(reader.recv()).await);
    assert!(reader.is_quiet(), "the pong is written");
    peer.end();
    assert_eq!(reader.recv().await.unwrap(), None);
    assert!(reader.detach().is_err());
}
