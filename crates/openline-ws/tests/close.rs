//! The ends of a line: by close frames, by the peer's going away, by errors and deadlines.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io;
use std::time::Duration;

use openline_ws::{CloseCode, CloseReason, Closed, Connector, Error, Message, WebSocket};
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, TEXT, masked, plain, reason};
use support::{client, is_waiting, server, settle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

fn clean(code: u16, text: &str) -> Closed {
    Closed { reason: CloseReason::new(code, text), clean: true }
}

fn abnormal() -> Closed {
    Closed { reason: CloseReason::new(CloseCode::ABNORMAL, ""), clean: false }
}

#[tokio::test]
async fn a_peers_close_frame_is_echoed_and_the_server_ends_the_transport() {
    for code in [1000, 1001, 3000, 4999] {
        let (mut ws, peer) = server().await;
        peer.push(&masked(CLOSE, reason(code, "why")));
        assert_eq!(ws.recv().await.unwrap(), None);
        assert_eq!(ws.closed(), Some(&clean(code, "why")));
        assert_eq!(peer.take_frames(), [(CLOSE, reason(code, "why"))]);
        assert!(peer.is_ended());
        assert_eq!(ws.recv().await.unwrap(), None, "it stays closed");
    }
}

#[tokio::test]
async fn an_empty_close_frame_is_answered_with_an_empty_one() {
    let (mut ws, peer) = server().await;
    peer.push(&masked(CLOSE, ""));
    assert_eq!(ws.recv().await.unwrap(), None);
    assert_eq!(ws.closed(), Some(&clean(1005, "")));
    assert_eq!(peer.take_frames(), [(CLOSE, Vec::new())]);
}

#[tokio::test]
async fn close_sends_code_and_reason_and_returns_the_peers() {
    let (mut ws, peer) = server().await;
    peer.push(&masked(CLOSE, reason(3001, "theirs")));
    assert_eq!(ws.close(4001, "ours").await.unwrap(), clean(3001, "theirs"));
    assert_eq!(peer.take_frames(), [(CLOSE, reason(4001, "ours"))]);
    assert!(peer.is_ended());
}

#[tokio::test]
async fn close_without_a_status_sends_an_empty_frame() {
    let (mut ws, peer) = server().await;
    peer.push(&masked(CLOSE, ""));
    ws.close(CloseCode::NO_STATUS, "dropped with it").await.unwrap();
    assert_eq!(peer.take_frames(), [(CLOSE, Vec::new())]);
}

#[tokio::test]
async fn close_on_a_closed_line_tells_how_it_closed_and_sends_nothing() {
    let (mut ws, peer) = server().await;
    peer.push(&masked(CLOSE, reason(1001, "")));
    assert_eq!(ws.recv().await.unwrap(), None);
    peer.take();
    assert_eq!(ws.close(1000, "").await.unwrap(), clean(1001, ""));
    assert_eq!(peer.take(), b"");
}

#[tokio::test]
async fn a_code_that_may_not_be_sent_is_misuse_and_the_line_goes_on() {
    let (mut ws, peer) = server().await;
    for code in [0, 999, 1004, 1006, 1015, 2999, 5000] {
        let error = ws.close(code, "").await.unwrap_err();
        assert!(matches!(error, Error::Misuse(_)), "{code}: {error:?}");
    }
    ws.send("still here").await.unwrap();
    assert_eq!(peer.take_frames(), [(TEXT, b"still here".to_vec())]);
}

#[tokio::test]
async fn a_reason_longer_than_a_control_frame_holds_is_cut_at_a_character() {
    let (mut ws, peer) = server().await;
    peer.push(&masked(CLOSE, ""));
    ws.close(1000, &"é".repeat(100)).await.unwrap();
    assert_eq!(peer.take_frames(), [(CLOSE, reason(1000, &"é".repeat(61)))]);
}

#[tokio::test]
async fn nothing_can_be_sent_on_a_line_that_is_closing() {
    let (mut ws, peer) = server().await;
    assert!(is_waiting(ws.close(1000, "")).await);
    assert!(matches!(ws.send("late").await, Err(Error::Closed)));
    assert!(matches!(ws.ping(b"").await, Err(Error::Closed)));
    assert!(matches!(ws.feed("late").await, Err(Error::Closed)));
    assert_eq!(peer.take_frames().len(), 1);
}

#[tokio::test]
async fn messages_that_wait_leave_before_the_close_frame() {
    let (mut ws, peer) = server().await;
    peer.set_room(0);
    ws.feed("one").await.unwrap();
    ws.feed("two").await.unwrap();
    assert!(is_waiting(ws.close(1000, "")).await);
    peer.lift_room();
    peer.push(&masked(CLOSE, reason(1000, "")));
    ws.close(1000, "").await.unwrap();
    let expected = [(TEXT, b"one".to_vec()), (TEXT, b"two".to_vec()), (CLOSE, reason(1000, ""))];
    assert_eq!(peer.take_frames(), expected);
}

#[tokio::test]
async fn messages_that_cross_our_close_frame_are_received_by_recv_and_dropped_by_close() {
    let (mut ws, peer) = server().await;
    peer.push(&[masked(TEXT, "crossed"), masked(CLOSE, reason(1000, ""))].concat());
    assert_eq!(ws.close(1000, "").await.unwrap(), clean(1000, ""));

    let (mut ws, peer) = server().await;
    assert!(is_waiting(ws.close(1000, "")).await);
    peer.push(&[masked(TEXT, "crossed"), masked(CLOSE, reason(1000, ""))].concat());
    assert_eq!(ws.recv().await.unwrap(), Some("crossed".into()));
    assert_eq!(ws.recv().await.unwrap(), None);
}

#[tokio::test]
async fn messages_before_the_peers_close_frame_are_received() {
    let (mut ws, peer) = server().await;
    peer.push(&[masked(TEXT, "1"), masked(TEXT, "2"), masked(CLOSE, "")].concat());
    let mut received = Vec::new();
    while let Some(message) = ws.recv().await.unwrap() {
        received.push(message);
    }
    assert_eq!(received, ["1".into(), Message::from("2")]);
}

#[tokio::test]
async fn a_peer_that_goes_away_is_an_end_with_1006_and_no_error() {
    let gone = [
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::BrokenPipe,
        io::ErrorKind::UnexpectedEof,
    ];
    for kind in gone {
        let (mut ws, peer) = server().await;
        peer.fail_reads(kind);
        assert_eq!(ws.recv().await.unwrap(), None);
        assert_eq!(ws.closed(), Some(&abnormal()), "{kind}");
        assert!(matches!(ws.send("x").await, Err(Error::Closed)));
    }
    let (mut ws, peer) = server().await;
    peer.end();
    assert_eq!(ws.recv().await.unwrap(), None);
    assert_eq!(ws.closed(), Some(&abnormal()));
}

#[tokio::test]
async fn another_failure_of_the_transport_is_told_once_and_then_the_line_is_over() {
    let (mut ws, peer) = server().await;
    peer.push(&masked(TEXT, "before"));
    peer.fail_reads(io::ErrorKind::PermissionDenied);
    assert_eq!(ws.recv().await.unwrap(), Some("before".into()));
    let error = ws.recv().await.unwrap_err();
    assert!(matches!(&error, Error::Io(e) if e.kind() == io::ErrorKind::PermissionDenied));
    assert_eq!(ws.recv().await.unwrap(), None);
    assert_eq!(ws.closed(), Some(&abnormal()));
}

#[tokio::test]
async fn the_transports_end_at_every_byte_of_a_frame_is_1006() {
    let frame = masked(BINARY, [1; 130]);
    for cut in 0..frame.len() {
        let (mut ws, peer) = server().await;
        peer.push(&frame[..cut]);
        peer.end();
        assert_eq!(ws.recv().await.unwrap(), None, "after {cut} bytes");
        assert_eq!(ws.closed(), Some(&abnormal()));
    }
}

#[tokio::test]
async fn the_transports_end_between_fragments_is_1006() {
    let (mut ws, peer) = server().await;
    peer.push(&masked(TEXT & !FIN, "begun"));
    peer.end();
    assert_eq!(ws.recv().await.unwrap(), None);
    assert_eq!(ws.closed(), Some(&abnormal()));
}

#[tokio::test]
async fn a_peer_that_takes_no_more_can_still_be_read_to_its_close_frame() {
    let (mut ws, peer) = server().await;
    peer.fail_writes(io::ErrorKind::BrokenPipe);
    peer.push(&[masked(TEXT, "last words"), masked(CLOSE, reason(1001, "off"))].concat());
    peer.end();
    assert!(matches!(ws.send("x").await, Ok(()) | Err(Error::Closed)));
    assert_eq!(ws.recv().await.unwrap(), Some("last words".into()));
    assert_eq!(ws.recv().await.unwrap(), None);
    assert_eq!(ws.closed(), Some(&clean(1001, "off")));
}

#[tokio::test]
async fn a_client_waits_for_the_server_to_end_the_transport() {
    let (mut ws, peer) = client();
    peer.push(&plain(CLOSE, reason(1000, "")));
    assert!(is_waiting(ws.recv()).await);
    assert!(!peer.is_ended());
    assert_eq!(peer.take_frames(), [(CLOSE, reason(1000, ""))]);
    peer.end();
    assert_eq!(ws.recv().await.unwrap(), None);
    assert_eq!(ws.closed(), Some(&clean(1000, "")));
}

#[tokio::test]
async fn a_server_that_ends_the_transport_first_is_1006_to_its_client() {
    let (mut ws, peer) = client();
    peer.push(&plain(TEXT, "bye"));
    peer.end();
    assert_eq!(ws.recv().await.unwrap(), Some("bye".into()));
    assert_eq!(ws.recv().await.unwrap(), None);
    assert_eq!(ws.closed(), Some(&abnormal()));
}

#[tokio::test(start_paused = true)]
async fn a_client_waits_no_longer_than_the_deadline_and_its_close_is_clean() {
    let (mut ws, peer) = client();
    let began = Instant::now();
    assert!(is_waiting(ws.close(1000, "")).await);
    peer.push(&plain(CLOSE, reason(1000, "")));
    assert_eq!(ws.close(1000, "").await.unwrap(), clean(1000, ""));
    assert_seconds(began, 5);
}

#[tokio::test(start_paused = true)]
async fn close_ends_after_5_s_with_a_peer_that_never_answers() {
    let (mut ws, _peer) = server().await;
    let began = Instant::now();
    assert_eq!(ws.close(1000, "").await.unwrap(), abnormal());
    assert_seconds(began, 5);
}

#[tokio::test(start_paused = true)]
async fn close_ends_after_5_s_with_a_peer_that_never_reads() {
    let (mut ws, peer) = server().await;
    peer.set_room(0);
    let began = Instant::now();
    assert_eq!(ws.close(1000, "").await.unwrap(), abnormal());
    assert_seconds(began, 5);
}

#[tokio::test(start_paused = true)]
async fn close_ends_after_5_s_with_a_peer_that_talks_on() {
    let (mut ws, peer) = server().await;
    let began = Instant::now();
    let talk = tokio::spawn(async move {
        loop {
            peer.push(&masked(TEXT, "and another thing"));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert_eq!(ws.close(1000, "").await.unwrap(), abnormal());
    assert_seconds(began, 5);
    talk.abort();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_broke_the_protocol_and_does_not_go_is_left_after_5_s() {
    let (mut ws, peer) = server().await;
    peer.push(&masked(0x8b, ""));
    let began = Instant::now();
    assert!(matches!(ws.recv().await, Err(Error::Protocol(_))));
    assert_seconds(began, 5);
    assert_eq!(peer.take_frames(), [(CLOSE, reason(1002, "reserved opcode 0xb"))]);
    assert!(peer.is_ended());
}

/// The deadline that begins with a close frame counts from when it is handled, however long before
/// that it was read.
#[tokio::test(start_paused = true)]
async fn a_slow_handler_does_not_shorten_the_peers_time_to_read_the_close_frame() {
    let (mut ws, peer) = server().await;
    peer.push(&[masked(TEXT, "takes long to handle"), masked(0x8b, "")].concat());
    assert!(ws.recv().await.unwrap().is_some());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let began = Instant::now();
    assert!(matches!(ws.recv().await, Err(Error::Protocol(_))));
    assert_seconds(began, 5);
}

fn assert_seconds(began: Instant, seconds: u64) {
    let passed = began.elapsed();
    let expected = Duration::from_secs(seconds);
    // Deadlines far away are rounded up to a quarter of a second.
    assert!((expected..expected + Duration::from_millis(300)).contains(&passed), "{passed:?}");
}

/// A server's line over TCP, and its client's end.
async fn over_tcp() -> (WebSocket<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    client.write_all(format!("{}\r\n", support::REQUEST).as_bytes()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let ws = openline_ws::accept(stream).await.unwrap().accept().await.unwrap();
    let mut head = [0; 4096];
    let count = client.read(&mut head).await.unwrap();
    assert!(head[..count].ends_with(b"\r\n\r\n"));
    (ws, client)
}

#[tokio::test]
async fn over_tcp_a_protocol_error_reaches_the_peer_as_a_close_frame_and_not_as_a_reset() {
    let (mut ws, mut client) = over_tcp().await;
    let serving = async {
        let error = ws.recv().await.unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{error:?}");
        drop(ws);
    };
    let playing = async {
        // Much more than the server looks at: were it left unread, its system would answer with a
        // reset and throw the close frame away.
        let mut bytes = masked(0x83, "");
        bytes.resize(1 << 20, 0xff);
        client.write_all(&bytes).await.unwrap();
        settle().await;
        let mut told = Vec::new();
        client.read_to_end(&mut told).await.unwrap();
        assert_eq!(support::frames::read(&told), [(CLOSE, reason(1002, "reserved opcode 0x3"))]);
        drop(client);
    };
    tokio::join!(serving, playing);
}

#[tokio::test]
async fn over_tcp_a_reset_by_the_peer_is_an_end_with_1006() {
    let (mut ws, client) = over_tcp().await;
    client.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(ws.recv().await.unwrap(), None);
    assert_eq!(ws.closed(), Some(&abnormal()));
}

#[tokio::test]
async fn over_tcp_both_sides_close_at_once_and_both_are_clean() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut ws = openline_ws::accept(stream).await.unwrap().accept().await.unwrap();
        ws.close(1001, "server").await.unwrap()
    });
    let mut ws = Connector::new().no_proxy().connect(&url).await.unwrap();
    assert_eq!(ws.close(1000, "client").await.unwrap(), clean(1001, "server"));
    let closed = server.await.unwrap();
    assert!(closed == clean(1000, "client") || closed == clean(1001, "server"), "{closed:?}");
}

#[tokio::test]
async fn a_close_in_the_middle_of_the_peers_message_is_completed() {
    let (mut ws, peer) = server().await;
    peer.push(&masked(TEXT & !FIN, "half"));
    assert!(is_waiting(ws.recv()).await);
    assert!(is_waiting(ws.close(1000, "")).await);
    peer.push(&[masked(CONTINUATION, "whole"), masked(CLOSE, reason(1000, ""))].concat());
    assert_eq!(ws.close(1000, "").await.unwrap(), clean(1000, ""));
    settle().await;
    assert!(peer.is_ended());
}
