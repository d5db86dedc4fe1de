//! `/echo`: messages come back as they went, and nothing else comes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use openline_ws::Message;
use support::{TestServer, connector, frame, soon};
use tokio::io::AsyncWriteExt;

const BINARY: u8 = 0x82;
const TEXT: u8 = 0x81;

#[tokio::test]
async fn text_and_binary_come_back_as_they_went() {
    let server = TestServer::start();
    let mut ws = server.line("/echo").await;
    for message in [
        Message::from(""),
        Message::from("hé\u{1f600}"),
        Message::from(&[0, 255, 1][..]),
        Message::from(Vec::new()),
    ] {
        ws.send(message.clone()).await.unwrap();
        assert_eq!(soon(ws.recv()).await.unwrap(), Some(message));
    }
}

#[tokio::test]
async fn a_message_of_16_mib_comes_back() {
    let server = TestServer::start();
    let mut ws = server.line("/echo").await;
    let data: Vec<u8> = (0..16 << 20).map(|index: u32| (index >> 8) as u8).collect();
    let message = Message::from(data);
    ws.send(message.clone()).await.unwrap();
    assert!(soon(ws.recv()).await.unwrap() == Some(message));
}

#[tokio::test]
async fn a_message_above_16_mib_is_refused_with_1009() {
    let server = TestServer::start();
    let mut line = server.raw_line("/echo", "").await;
    line.stream.write_all(&frame(BINARY, &[0; (16 << 20) + 1])[..14]).await.unwrap();
    let reason = "message exceeds 16777216 bytes";
    assert_eq!(line.closed().await, (1009, reason.to_owned()));
}

#[tokio::test]
async fn a_message_of_70_000_fragments_comes_back() {
    let server = TestServer::start();
    let mut line = server.raw_line("/echo", "").await;
    line.stream.write_all(&fragments(70_000)).await.unwrap();
    let echo = line.read().await.unwrap();
    assert_eq!((echo.start, echo.payload), (BINARY, vec![b'x'; 70_000]));
}

#[tokio::test]
async fn a_message_of_70_001_fragments_is_refused_with_1008() {
    let server = TestServer::start();
    let mut line = server.raw_line("/echo", "").await;
    line.stream.write_all(&fragments(70_001)).await.unwrap();
    assert_eq!(line.closed().await.0, 1008);
}

/// A binary message in fragments of one byte.
fn fragments(count: usize) -> Vec<u8> {
    let start = |index| match index {
        0 => 0x02,
        _ if index == count - 1 => 0x80,
        _ => 0x00,
    };
    (0..count).flat_map(|index| frame(start(index), b"x")).collect()
}

#[tokio::test]
async fn the_first_subprotocol_offered_is_taken() {
    let server = TestServer::start();
    let ws = connector().protocol("v9").protocol("chat").connect(&server.url("/echo")).await;
    assert_eq!(ws.unwrap().protocol(), Some("v9"));
    assert_eq!(server.line("/echo").await.protocol(), None);
}

#[tokio::test]
async fn the_query_is_ignored() {
    let server = TestServer::start();
    let mut ws = server.line("/echo?agent=x&case=1").await;
    ws.send("a").await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("a".into()));
}

#[tokio::test]
async fn even_a_short_message_is_compressed() {
    let server = TestServer::start();
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let mut line = server.raw_line("/echo", offer).await;
    assert!(line.head.to_lowercase().contains("sec-websocket-extensions: permessage-deflate"));
    line.send(TEXT, &[b'a'; 32]).await;
    let echo = line.read().await.unwrap();
    assert_eq!(echo.start, TEXT | 0x40, "RSV1 says that it is compressed");
    assert!(echo.payload.len() < 32);
}

#[tokio::test]
async fn nothing_comes_that_was_not_asked_for() {
    let server = TestServer::start();
    let mut line = server.raw_line("/echo", "").await;
    line.send(0x89, b"p").await;
    let first = line.read().await.unwrap();
    assert_eq!((first.start, first.payload), (0x8A, b"p".to_vec()), "the pong comes first");
}

#[tokio::test]
async fn bad_frames_are_answered_with_what_was_wrong() {
    let server = TestServer::start();
    let cases: [(&[u8], u16, &str); 7] = [
        (&[0x81, 1, b'a'], 1002, "frame from client is not masked"),
        (&[0xC1, 0x80, 0, 0, 0, 0], 1002, "RSV1 set but no extension negotiated"),
        (&[0x83, 0x80, 0, 0, 0, 0], 1002, "reserved opcode 0x3"),
        (&[0x89, 0xFE, 0, 126, 0, 0, 0, 0], 1002, "control frame payload 126 > 125"),
        (&[0x80, 0x80, 0, 0, 0, 0], 1002, "continuation without a started message"),
        (&[0x81, 0x83, 0, 0, 0, 0, b'a', b'b', 0xFF], 1007, "invalid UTF-8 at byte 2"),
        (&[0x88, 0x81, 0, 0, 0, 0, 3], 1002, "close frame payload of one byte"),
    ];
    for (bytes, code, reason) in cases {
        let mut line = server.raw_line("/echo", "").await;
        line.stream.write_all(bytes).await.unwrap();
        assert_eq!(line.closed().await, (code, reason.to_owned()), "{bytes:x?}");
    }
}
