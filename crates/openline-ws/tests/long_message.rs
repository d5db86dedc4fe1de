//! Messages too large to hold, read and written piece by piece.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use openline_ws::proto::SendError;
use openline_ws::{Acceptor, Connector, Error, FrameKind, Limits, Message, Transport, WebSocket};
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, masked, reason};
use support::{is_waiting, server, server_with};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

const LONG: usize = 64 << 20;
const PIECE: usize = 256 << 10;
/// The most that one read brings.
const CHUNK_MAX: usize = 128 << 10;

/// A line over TCP: the server's end and the client's.
async fn line() -> (WebSocket<TcpStream>, WebSocket<Transport>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        openline_ws::accept(stream).await.unwrap().accept().await.unwrap()
    };
    let connector = Connector::new().no_proxy();
    let connecting = async { connector.connect(&url).await.unwrap() };
    tokio::join!(serving, connecting)
}

/// The byte at `position` of the long message.
fn byte(position: usize) -> u8 {
    (position ^ (position >> 8)) as u8
}

async fn send<S: AsyncRead + AsyncWrite + Unpin>(ws: &mut WebSocket<S>) {
    let mut writer = ws.send_long(FrameKind::Binary);
    for start in (0..LONG).step_by(PIECE) {
        let piece: Vec<u8> = (start..start + PIECE).map(byte).collect();
        writer.write(piece).await.unwrap();
    }
    writer.finish().await.unwrap();
    assert_eq!(ws.queued_bytes(), 0);
}

async fn receive<S: AsyncRead + AsyncWrite + Unpin>(ws: &mut WebSocket<S>) {
    let mut reader = ws.recv_long().await.unwrap().unwrap();
    assert_eq!(reader.kind(), FrameKind::Binary);
    let (mut position, mut largest) = (0, 0);
    while let Some(chunk) = reader.chunk().await.unwrap() {
        largest = largest.max(chunk.len());
        assert!(chunk.iter().enumerate().all(|(i, b)| *b == byte(position + i)));
        position += chunk.len();
    }
    assert_eq!(position, LONG);
    assert!(largest <= CHUNK_MAX, "a chunk of {largest} bytes");
}

#[tokio::test]
async fn sixty_four_mib_go_both_ways_in_bounded_pieces() {
    let (mut server, mut client) = line().await;
    tokio::join!(send(&mut client), receive(&mut server));
    tokio::join!(send(&mut server), receive(&mut client));
    // And then whole messages again.
    tokio::join!(async { client.send("short").await.unwrap() }, async {
        assert_eq!(server.recv().await.unwrap(), Some("short".into()));
    });
}

#[tokio::test]
async fn limits_on_messages_frames_and_fragments_do_not_apply() {
    let limits = Limits { message_bytes_max: 10, frame_bytes_max: 10, fragments_max: 2 };
    let (mut ws, peer) = server_with(&Acceptor::new().limits(limits), "").await;
    peer.push(&masked(BINARY & !FIN, [1; 100]));
    peer.push(&masked(CONTINUATION & !FIN, [2; 100]).repeat(9));
    peer.push(&masked(CONTINUATION, ""));
    let mut data = Vec::new();
    ws.recv_long().await.unwrap().unwrap().read_to_end(&mut data).await.unwrap();
    assert_eq!(data.len(), 1000);
    // They do apply to what is received whole.
    peer.push(&masked(BINARY, [1; 11]));
    peer.end();
    assert!(matches!(ws.recv().await, Err(Error::Protocol(_))));
}

/// A head that claims 2 GiB may come while `recv_long` waits, and its payload while `recv` does.
#[tokio::test]
async fn limits_apply_to_a_message_that_began_under_a_recv_long_that_was_dropped() {
    let limits = Limits { message_bytes_max: 1000, ..Limits::default() };
    let (mut ws, peer) = server_with(&Acceptor::new().limits(limits), "").await;
    peer.push(&[&[BINARY, 0xff][..], &(2u64 << 30).to_be_bytes(), &[0; 4]].concat());
    assert!(is_waiting(async { ws.recv_long().await.map(drop) }).await);
    peer.push(&[0; 100_000]);
    peer.end();
    let result = ws.recv().await;
    assert!(matches!(result, Err(Error::Protocol(_))), "{result:?}");
}

#[tokio::test]
async fn recv_skips_the_rest_of_a_message_that_was_not_read_to_its_end() {
    let (mut ws, peer) = server().await;
    for next in ["by recv", "by recv_long"] {
        peer.push(&masked(BINARY & !FIN, "one "));
        let mut reader = ws.recv_long().await.unwrap().unwrap();
        assert_eq!(reader.chunk().await.unwrap().unwrap(), "one ");
        drop(reader);
        peer.push(&masked(CONTINUATION & !FIN, "two "));
        peer.push(&[masked(CONTINUATION, "three"), masked(TEXT, next)].concat());
        if next == "by recv" {
            assert_eq!(ws.recv().await.unwrap(), Some(next.into()));
        } else {
            let mut text = String::new();
            let mut reader = ws.recv_long().await.unwrap().unwrap();
            reader.read_to_string(&mut text).await.unwrap();
            assert_eq!((reader.kind(), text.as_str()), (FrameKind::Text, next));
        }
    }
}

#[tokio::test]
async fn messages_in_memory_already_are_read_as_streams_too() {
    let (mut ws, peer) = server().await;
    peer.push(&[masked(TEXT, "whole"), masked(TEXT, "streamed"), masked(TEXT, "whole")].concat());
    assert_eq!(ws.recv().await.unwrap(), Some("whole".into()));
    let mut text = String::new();
    ws.recv_long().await.unwrap().unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "streamed");
    assert_eq!(ws.recv().await.unwrap(), Some("whole".into()));
}

#[tokio::test]
async fn an_empty_message_is_a_reader_without_chunks() {
    let (mut ws, peer) = server().await;
    peer.push(&masked(BINARY, ""));
    let mut reader = ws.recv_long().await.unwrap().unwrap();
    assert_eq!(reader.chunk().await.unwrap(), None);
    assert_eq!(reader.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn async_read_fills_small_buffers() {
    let (mut ws, peer) = server().await;
    peer.push(&[masked(BINARY & !FIN, [1; 10]), masked(CONTINUATION, [2; 10])].concat());
    let mut reader = ws.recv_long().await.unwrap().unwrap();
    let mut data = Vec::new();
    let mut small = [0; 3];
    loop {
        let count = reader.read(&mut small).await.unwrap();
        if count == 0 {
            break;
        }
        data.extend_from_slice(&small[..count]);
    }
    assert_eq!(data, [[1; 10], [2; 10]].concat());
}

#[tokio::test]
async fn chunks_of_a_text_may_end_inside_a_character_and_are_checked_all_the_same() {
    let (mut ws, peer) = server().await;
    let (first, second) = "h\u{e9}".as_bytes().split_at(2);
    peer.push(&[masked(TEXT & !FIN, first), masked(CONTINUATION, second)].concat());
    let mut reader = ws.recv_long().await.unwrap().unwrap();
    assert_eq!(reader.kind(), FrameKind::Text);
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.chunk().await.unwrap() {
        chunks.push(chunk);
    }
    assert_eq!(chunks, [first, second]);

    peer.push(&masked(TEXT & !FIN, first));
    let mut reader = ws.recv_long().await.unwrap().unwrap();
    reader.chunk().await.unwrap();
    peer.push(&masked(CONTINUATION, "no continuation byte"));
    peer.end();
    assert!(matches!(reader.chunk().await, Err(Error::Protocol(_))));
    let (first, payload) = peer.take_frames().pop().unwrap();
    assert_eq!((first, &payload[..2]), (CLOSE, &1007u16.to_be_bytes()[..]));
}

#[tokio::test]
async fn pings_between_fragments_are_answered_while_a_message_is_read() {
    let (mut ws, peer) = server().await;
    peer.push(&[masked(BINARY & !FIN, "a"), masked(PING, "p"), masked(CONTINUATION, "b")].concat());
    let mut data = Vec::new();
    ws.recv_long().await.unwrap().unwrap().read_to_end(&mut data).await.unwrap();
    assert_eq!(data, b"ab");
    assert!(is_waiting(ws.recv()).await);
    assert_eq!(peer.take_frames(), [(PONG, b"p".to_vec())]);
}

#[tokio::test]
async fn a_line_that_closes_in_the_middle_is_an_error_and_not_an_end() {
    for by_close_frame in [true, false] {
        let (mut ws, peer) = server().await;
        peer.push(&masked(BINARY & !FIN, "half"));
        let mut reader = ws.recv_long().await.unwrap().unwrap();
        assert_eq!(reader.chunk().await.unwrap().unwrap(), "half");
        match by_close_frame {
            true => peer.push(&masked(CLOSE, reason(1001, ""))),
            false => peer.end(),
        }
        assert!(matches!(reader.chunk().await, Err(Error::Closed)));
        let error = reader.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
        assert_eq!(ws.recv().await.unwrap(), None);
        assert_eq!(ws.closed().unwrap().clean, by_close_frame);
    }
}

#[tokio::test]
async fn a_line_that_closes_before_a_message_has_none() {
    let (mut ws, peer) = server().await;
    peer.push(&masked(CLOSE, ""));
    assert!(ws.recv_long().await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_written_leaves_as_fragments_of_one_message() {
    let (mut ws, peer) = server().await;
    let mut writer = ws.send_long(FrameKind::Text);
    writer.write("a").await.unwrap();
    writer.write("b").await.unwrap();
    writer.finish().await.unwrap();
    ws.send_long(FrameKind::Binary).finish().await.unwrap();
    let expected = [
        (TEXT & !FIN, b"a".to_vec()),
        (0, b"b".to_vec()),
        (CONTINUATION, Vec::new()),
        (BINARY, Vec::new()),
    ];
    assert_eq!(peer.take_frames(), expected);
}

#[tokio::test]
async fn until_a_message_is_finished_no_other_can_be_sent_but_pings_and_close_can() {
    let (mut ws, peer) = server().await;
    ws.send_long(FrameKind::Binary).write("begun").await.unwrap();
    let error = ws.send("another").await.unwrap_err();
    assert!(matches!(error, Error::Misuse(SendError::MessageUnfinished)), "{error:?}");
    let error = ws.send_long(FrameKind::Binary).write("another").await.unwrap_err();
    assert!(matches!(error, Error::Misuse(SendError::MessageUnfinished)), "{error:?}");
    ws.ping(b"p").await.unwrap();
    peer.push(&masked(CLOSE, ""));
    ws.close(1000, "").await.unwrap();
    let kinds: Vec<u8> = peer.take_frames().into_iter().map(|(first, _)| first).collect();
    assert_eq!(kinds, [BINARY & !FIN, PING, CLOSE]);
}

#[tokio::test]
async fn write_waits_for_a_peer_that_takes_nothing() {
    let (mut ws, peer) = server().await;
    peer.set_room(0);
    let mut writer = ws.send_long(FrameKind::Binary);
    assert!(is_waiting(writer.write(vec![1; 1000])).await);
    peer.lift_room();
    writer.write(vec![2; 1000]).await.unwrap();
    writer.finish().await.unwrap();
    let data: Vec<u8> = peer.take_frames().into_iter().flat_map(|(_, payload)| payload).collect();
    assert_eq!(data, [[1; 1000], [2; 1000]].concat());
}

#[tokio::test]
async fn a_compressed_message_is_streamed_as_it_inflates() {
    let (mut server, mut client) = line().await;
    assert!(server.deflate().is_some());
    let message = Message::from("compressible ".repeat(50_000));
    let sending = async { client.send(message.clone()).await.unwrap() };
    let receiving = async {
        let mut data = Vec::new();
        server.recv_long().await.unwrap().unwrap().read_to_end(&mut data).await.unwrap();
        assert!(data == message.as_bytes());
    };
    tokio::join!(sending, receiving);
}
