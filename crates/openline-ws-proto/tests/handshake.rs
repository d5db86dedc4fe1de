//! Heads that two readers could understand differently.

mod support;

use openline_ws_proto::handshake::server::Offer;
use openline_ws_proto::handshake::{HeadError, HeadReader};

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

#[test]
fn a_head_that_ends_with_bare_line_feeds_is_refused() {
    // It ended at the first empty line for the parser and at the second for the reader, and what
    // stood between was nobody's.
    let head = format!("{}GET /secret HTTP/1.1\r\n\r\n", REQUEST.replace("\r\n", "\n"));
    let mut reader = HeadReader::new();
    assert_eq!(reader.handle_input(head.as_bytes()), Ok(true));
    let error = reader.request().unwrap_err();
    assert_eq!(error, HeadError::Malformed("a line ends without CR".to_owned()));
}

#[test]
fn frames_in_the_same_packet_as_the_handshake_are_kept() {
    let frames = support::bytes(&[
        support::frame(support::TEXT, "early"),
        support::frame(support::TEXT, "bird"),
    ]);
    for cut in 0..frames.len() {
        let (same, later) = frames.split_at(cut);
        let mut reader = HeadReader::new();
        let packet = [REQUEST.as_bytes(), same].concat();
        assert_eq!(reader.handle_input(&packet), Ok(true));
        assert!(Offer::from_http1(&reader.request().unwrap()).is_ok());
        let input = [&reader.into_rest()[..], later].concat();
        let outcome = support::server().pieces(&[&input]);
        assert_eq!(outcome.seen().len(), 2);
    }
}

#[test]
fn a_content_length_that_is_not_ascii_is_still_a_content_length() {
    for value in [&b"5"[..], b"\xff", b"0, 5", b"0\xff"] {
        let mut head = REQUEST.trim_end().as_bytes().to_vec();
        head.extend_from_slice(b"\r\nContent-Length: ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n\r\n");
        let mut reader = HeadReader::new();
        assert_eq!(reader.handle_input(&head), Ok(true));
        let rejection = Offer::from_http1(&reader.request().unwrap()).unwrap_err();
        assert_eq!(rejection.message, "A WebSocket handshake has no body.", "{value:x?}");
    }
}

#[test]
fn a_list_with_bytes_that_are_not_ascii_is_refused_rather_than_read_without_them() {
    for name in [
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
    ] {
        let mut head = REQUEST.trim_end().as_bytes().to_vec();
        head.extend_from_slice(format!("\r\n{name}: caf").as_bytes());
        head.extend_from_slice(b"\xe9\r\n\r\n");
        let mut reader = HeadReader::new();
        assert_eq!(reader.handle_input(&head), Ok(true));
        let request = reader.request().unwrap();
        assert!(Offer::is_attempted(&request));
        let rejection = Offer::from_http1(&request).unwrap_err();
        assert_eq!(rejection.status, 400, "{name}");
        let name = name.to_lowercase();
        let sentence = format!("The {name} header has what is not visible ASCII.");
        assert_eq!(rejection.message, sentence);
    }
}
