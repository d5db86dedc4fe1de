//! The line as a `Stream` and a `Sink`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use openline_ws::{Error, Message};
use support::frames::{BINARY, CLOSE, TEXT, masked, reason};
use support::{is_waiting, server};

#[tokio::test]
async fn the_stream_yields_messages_and_ends_when_the_line_closes() {
    let (mut ws, peer) = server().await;
    peer.push(&[masked(TEXT, "a"), masked(BINARY, "b"), masked(CLOSE, "")].concat());
    let messages: Vec<Message> = (&mut ws).try_collect().await.unwrap();
    assert_eq!(messages, [Message::from("a"), Message::from(&b"b"[..])]);
    assert!(ws.next().await.is_none());
}

#[tokio::test]
async fn the_stream_ends_after_an_error() {
    let (mut ws, peer) = server().await;
    peer.push(&[masked(TEXT, "a"), masked(0x83, "")].concat());
    peer.end();
    assert!(ws.next().await.unwrap().is_ok());
    assert!(matches!(ws.next().await, Some(Err(Error::Protocol(_)))));
    assert!(ws.next().await.is_none());
}

#[tokio::test]
async fn feed_of_the_sink_queues_and_flush_writes() {
    let (mut ws, peer) = server().await;
    for i in 0..10 {
        SinkExt::feed(&mut ws, format!("{i}").into()).await.unwrap();
    }
    assert_eq!(peer.counts().1, 0);
    SinkExt::flush(&mut ws).await.unwrap();
    assert_eq!(peer.counts().1, 1);
    assert_eq!(peer.take_frames().len(), 10);
}

#[tokio::test]
async fn send_all_leaves_in_few_writes() {
    let (mut ws, peer) = server().await;
    let mut messages = stream::iter(0..1000).map(|i| Ok(Message::from(format!("{i:0100}"))));
    ws.send_all(&mut messages).await.unwrap();
    assert!(peer.counts().1 <= 2, "{}", peer.counts().1);
    assert_eq!(peer.take_frames().len(), 1000);
}

#[tokio::test]
async fn the_sink_is_not_ready_while_64_kib_wait() {
    let (mut ws, peer) = server().await;
    peer.set_room(0);
    SinkExt::feed(&mut ws, vec![0; 70_000].into()).await.unwrap();
    assert!(is_waiting(SinkExt::feed(&mut ws, "x".into())).await);
    peer.lift_room();
    SinkExt::send(&mut ws, "x".into()).await.unwrap();
    assert_eq!(peer.take_frames().len(), 2);
}

#[tokio::test]
async fn closing_the_sink_closes_the_line_with_1000() {
    let (mut ws, peer) = server().await;
    peer.push(&masked(CLOSE, reason(1000, "")));
    SinkExt::close(&mut ws).await.unwrap();
    assert_eq!(peer.take_frames(), [(CLOSE, reason(1000, ""))]);
    assert!(ws.closed().unwrap().clean);
    SinkExt::close(&mut ws).await.unwrap();
    assert!(matches!(SinkExt::send(&mut ws, "x".into()).await, Err(Error::Closed)));
}

#[tokio::test]
async fn forward_echoes_a_burst_with_two_writes_and_closes_at_the_end() {
    let (ws, peer) = server().await;
    let (sink, stream) = StreamExt::split(ws);
    let echo = tokio::spawn(stream.forward(sink));
    peer.push(&masked(TEXT, "m").repeat(32));
    support::settle().await;
    // The split sink of futures holds the last message until it is flushed.
    assert_eq!(peer.counts(), (1, 2));
    peer.push(&masked(CLOSE, reason(1000, "")));
    echo.await.unwrap().unwrap();
    let frames = peer.take_frames();
    assert_eq!(frames.len(), 33);
    assert_eq!(frames[32], (CLOSE, reason(1000, "")));
}
