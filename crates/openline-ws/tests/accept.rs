//! The server's side of opening a line, over TCP.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use openline_ws::{
    AcceptError, Acceptor, Config, DeflateOptions, Error, Limits, Message, Rejection, Timeouts,
    WebSocket,
};
use support::frames::{CLOSE, TEXT, masked};
use support::wire::{self, Wire};
use support::{REQUEST, is_waiting, server_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// A TCP connection: the server's end and the client's.
async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener.accept().await.unwrap().0, client)
}

/// What a client gets that sends `request` and then only reads, and what the server makes of it.
async fn answer_to(request: &[u8]) -> (String, AcceptError) {
    let (server, mut client) = connection().await;
    let asking = async {
        client.write_all(request).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        drop(client);
        answer
    };
    let (answer, accepted) = tokio::join!(asking, openline_ws::accept(server));
    (answer, accepted.map(drop).unwrap_err())
}

/// The lawful request with a part replaced.
fn request(from: &str, to: &str) -> String {
    assert!(REQUEST.contains(from), "{from}");
    format!("{}\r\n", REQUEST.replace(from, to))
}

fn body(code: &str, message: &str) -> String {
    format!(
        r#"{{"error":{{"code":"{code}","message":"{message}","docs":"docs/errors.md#{code}"}}}}"#
    )
}

#[tokio::test]
async fn bad_handshakes_get_their_exact_answers() {
    let cases = [
        (
            request("Upgrade: websocket\r\nConnection: Upgrade\r\n", ""),
            "426 Upgrade Required",
            body("upgrade_required", "This is a WebSocket endpoint; send Upgrade: websocket."),
        ),
        (
            request("Version: 13", "Version: 8"),
            "426 Upgrade Required",
            body("upgrade_required", "Unsupported WebSocket version 8; supported: 13."),
        ),
        (
            request("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBu"),
            "400 Bad Request",
            body("bad_handshake", "Sec-WebSocket-Key must decode to 16 bytes, got 12."),
        ),
        (
            request("GET ", "POST "),
            "400 Bad Request",
            body("bad_handshake", "A WebSocket handshake is a GET request, got POST."),
        ),
        (
            request("Host: a.test\r\n", ""),
            "400 Bad Request",
            body("bad_handshake", "There must be one Host header."),
        ),
        (
            request("Connection: Upgrade", "Connection: keep-alive"),
            "400 Bad Request",
            body("bad_handshake", "The Connection header must have the token Upgrade."),
        ),
        (
            request("Host", "Content-Length: 5\r\nHost"),
            "400 Bad Request",
            body("bad_handshake", "A WebSocket handshake has no body."),
        ),
        (
            format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(17 * 1024)),
            "431 Request Header Fields Too Large",
            body("headers_too_large", "Request head exceeds 16384 bytes."),
        ),
        (
            request("Host", &format!("{}Host", "X: 1\r\n".repeat(60))),
            "431 Request Header Fields Too Large",
            body("headers_too_large", "Request head has more than 64 headers."),
        ),
    ];
    for (request, status, body) in cases {
        let (answer, error) = answer_to(request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
        assert!(answer.contains(&format!("content-length: {}\r\n", body.len())), "{answer}");
        assert!(answer.contains("content-type: application/json\r\n"), "{answer}");
        assert!(matches!(error, AcceptError::Rejected(_) | AcceptError::Head(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_426_says_which_version_is_spoken_and_what_to_upgrade_to() {
    for request in [request("Version: 13", "Version: 8"), request("Upgrade: websocket\r\n", "")] {
        let (answer, _) = answer_to(request.as_bytes()).await;
        assert!(answer.contains("\r\nsec-websocket-version: 13\r\n"), "{answer}");
        assert!(answer.contains("\r\nupgrade: websocket\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn what_is_not_http_gets_a_400() {
    for bytes in [&b"\x16\x03\x01\x02\x00\r\n\r\n"[..], b"hello\r\n\r\n", b"GET /\r\n\r\n"] {
        let (answer, error) = answer_to(bytes).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(matches!(error, AcceptError::Head(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_refused_client_that_sends_on_still_reads_its_answer() {
    let head = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(60_000));
    let (answer, _) = answer_to(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_leaves_before_its_head_is_whole_is_an_error_of_the_transport() {
    let (server, mut client) = connection().await;
    client.write_all(&REQUEST.as_bytes()[..50]).await.unwrap();
    drop(client);
    let error = openline_ws::accept(server).await.map(drop).unwrap_err();
    assert!(matches!(error, AcceptError::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof));
}

#[tokio::test]
async fn a_head_may_come_byte_by_byte() {
    let (wire, peer) = wire::pair();
    peer.stall();
    peer.push(&[format!("{REQUEST}\r\n").as_bytes(), &masked(TEXT, "behind it")].concat());
    let mut ws = openline_ws::accept(wire).await.unwrap().accept().await.unwrap();
    assert!(peer.take().starts_with(b"HTTP/1.1 101 "));
    assert_eq!(ws.recv().await.unwrap(), Some("behind it".into()));
}

#[tokio::test(start_paused = true)]
async fn a_head_has_to_come_in_5_s_however_it_trickles() {
    let (wire, peer) = wire::pair();
    let trickle = tokio::spawn(async move {
        for byte in REQUEST.bytes() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            peer.push(&[byte]);
        }
    });
    let began = Instant::now();
    let error = openline_ws::accept(wire).await.map(drop).unwrap_err();
    assert!(matches!(error, AcceptError::Timeout));
    assert_eq!(began.elapsed().as_secs(), 5);
    trickle.abort();

    let (wire, _peer) = wire::pair();
    let began = Instant::now();
    let acceptor = Acceptor::new().head_timeout(Duration::from_secs(60));
    assert!(matches!(acceptor.accept(wire).await.map(drop), Err(AcceptError::Timeout)));
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn frames_that_came_with_the_request_are_received() {
    let (server, mut client) = connection().await;
    let frames = [masked(TEXT, "1"), masked(TEXT, "2"), masked(CLOSE, "")].concat();
    client.write_all(&[request("/chat", "/chat").as_bytes(), &frames].concat()).await.unwrap();
    let mut ws = openline_ws::accept(server).await.unwrap().accept().await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some("1".into()));
    assert_eq!(ws.recv().await.unwrap(), Some("2".into()));
    assert_eq!(ws.recv().await.unwrap(), None);
}

#[tokio::test]
async fn a_part_of_a_frame_that_came_with_the_request_is_received() {
    let frame = masked(TEXT, "cut in two");
    for cut in 1..frame.len() {
        let (wire, peer) = wire::pair();
        peer.push(&[request("/chat", "/chat").as_bytes(), &frame[..cut]].concat());
        let mut ws = openline_ws::accept(wire).await.unwrap().accept().await.unwrap();
        assert!(is_waiting(ws.recv()).await);
        peer.push(&frame[cut..]);
        assert_eq!(ws.recv().await.unwrap(), Some("cut in two".into()));
    }
}

#[tokio::test]
async fn the_request_is_seen_before_it_is_accepted_with_protocol_and_headers() {
    let (wire, peer) = wire::pair();
    peer.push(request("Host", "Sec-WebSocket-Protocol: v2, v1\r\nX-Who: me\r\nHost").as_bytes());
    let pending = openline_ws::accept(wire).await.unwrap();
    assert_eq!(pending.request().uri(), "/chat");
    assert_eq!(pending.request().headers()["x-who"], "me");
    assert_eq!(pending.protocols(), ["v2", "v1"]);
    assert_eq!(peer.take(), b"", "nothing is answered yet");
    let ws = pending
        .protocol("v1")
        .header(HeaderName::from_static("x-node"), HeaderValue::from_static("7"))
        .accept()
        .await
        .unwrap();
    assert_eq!(ws.protocol(), Some("v1"));
    let response = String::from_utf8(peer.take()).unwrap();
    for line in [
        "HTTP/1.1 101 Switching Protocols",
        "upgrade: websocket",
        "connection: Upgrade",
        "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "sec-websocket-protocol: v1",
        "x-node: 7",
    ] {
        assert_eq!(response.lines().filter(|l| *l == line).count(), 1, "{line} in {response}");
    }
}

#[tokio::test]
async fn headers_of_one_name_are_all_sent() {
    let (wire, peer) = wire::pair();
    peer.push(request("/chat", "/chat").as_bytes());
    let cookie = HeaderName::from_static("set-cookie");
    let pending = openline_ws::accept(wire).await.unwrap();
    pending
        .header(cookie.clone(), HeaderValue::from_static("a=1"))
        .header(cookie, HeaderValue::from_static("b=2"))
        .accept()
        .await
        .unwrap();
    let response = String::from_utf8(peer.take()).unwrap();
    assert!(response.contains("set-cookie: a=1\r\n"), "{response}");
    assert!(response.contains("set-cookie: b=2\r\n"), "{response}");
}

#[tokio::test]
#[should_panic(expected = "was not offered")]
async fn a_protocol_that_was_not_offered_cannot_be_chosen() {
    let (wire, peer) = wire::pair();
    peer.push(request("/chat", "/chat").as_bytes());
    let _ = openline_ws::accept(wire).await.unwrap().protocol("v9").accept().await;
}

#[tokio::test]
async fn a_request_can_be_rejected_with_a_status_and_a_sentence() {
    let (wire, peer) = wire::pair();
    peer.push(request("/chat", "/chat").as_bytes());
    peer.end();
    let pending = openline_ws::accept(wire).await.unwrap();
    pending.reject(StatusCode::FORBIDDEN, "Not \"you\".").await.unwrap();
    let answer = String::from_utf8(peer.take()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
    assert!(answer.ends_with(&body("rejected", r#"Not \"you\"."#)), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(peer.is_ended());
}

#[tokio::test]
async fn a_rejection_may_have_headers_of_its_own() {
    let (wire, peer) = wire::pair();
    peer.push(request("/chat", "/chat").as_bytes());
    peer.end();
    let rejection = Rejection::new(StatusCode::UNAUTHORIZED, "no_token", "Send a token.")
        .header(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    openline_ws::accept(wire).await.unwrap().reject_with(&rejection).await.unwrap();
    let answer = String::from_utf8(peer.take()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{answer}");
    assert!(answer.contains("www-authenticate: Bearer\r\n"), "{answer}");
    assert!(answer.ends_with(&body("no_token", "Send a token.")), "{answer}");
}

/// What the server makes of a message of 100 bytes.
async fn receive_100(mut ws: WebSocket<Wire>, peer: &wire::Peer) -> Result<Option<Message>, Error> {
    peer.push(&masked(TEXT, "x".repeat(100)));
    peer.end();
    ws.recv().await
}

#[tokio::test]
async fn settings_of_the_acceptor_hold_for_its_lines_and_one_line_may_differ() {
    let small = Limits { message_bytes_max: 99, ..Limits::default() };
    let acceptor = Acceptor::new().limits(small);
    let (ws, peer) = server_with(&acceptor, "").await;
    assert!(matches!(receive_100(ws, &peer).await, Err(Error::Protocol(_))));

    let (wire, peer) = wire::pair();
    peer.push(request("/chat", "/chat").as_bytes());
    let pending = acceptor.accept(wire).await.unwrap();
    let ws = pending.config(Arc::new(Config::default())).accept().await.unwrap();
    assert!(receive_100(ws, &peer).await.unwrap().is_some());

    let (ws, peer) = server_with(&Acceptor::new(), "").await;
    assert!(receive_100(ws, &peer).await.unwrap().is_some(), "other acceptors are as before");
}

#[tokio::test]
async fn compression_is_taken_where_it_is_offered_and_wanted() {
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let (ws, _) = server_with(&Acceptor::new(), offer).await;
    assert!(ws.deflate().is_some());
    let (ws, _) = server_with(&Acceptor::new().deflate(DeflateOptions::disabled()), offer).await;
    assert!(ws.deflate().is_none());
    let (ws, _) = server_with(&Acceptor::new(), "").await;
    assert!(ws.deflate().is_none());
}

#[tokio::test]
async fn an_arrival_tells_what_it_is() {
    let cases = [
        (request("/chat", "/chat"), true, false),
        (request("Version: 13", "Version: 8"), true, false),
        ("GET /page HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), false, false),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), false, true),
    ];
    for (head, is_websocket, is_http2) in cases {
        let (wire, peer) = wire::pair();
        peer.push(head.as_bytes());
        let arrival = Acceptor::new().read_request(wire).await.unwrap();
        assert_eq!((arrival.is_websocket(), arrival.is_http2()), (is_websocket, is_http2));
    }
}

#[tokio::test]
async fn an_arrivals_transport_is_read_again_from_its_first_byte() {
    for size in [1, 7, 4096] {
        let (wire, peer) = wire::pair();
        let bytes = b"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
        peer.push(bytes);
        let arrival = Acceptor::new().read_request(wire).await.unwrap();
        assert_eq!(arrival.request().uri(), "/api");
        let mut stream = arrival.into_stream();
        peer.push(b" and what came later");
        peer.end();
        let mut read = Vec::new();
        let mut buffer = vec![0; size];
        loop {
            let count = stream.read(&mut buffer).await.unwrap();
            if count == 0 {
                break;
            }
            read.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(read, [&bytes[..], b" and what came later"].concat());
        stream.write_all(b"answer").await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(peer.take(), b"answer");
        assert!(peer.is_ended());
    }
}

#[tokio::test]
async fn an_arrival_can_be_upgraded_or_rejected() {
    let acceptor = Acceptor::new().timeouts(Timeouts::default());
    let (wire, peer) = wire::pair();
    peer.push(request("/chat", "/chat").as_bytes());
    let arrival = acceptor.read_request(wire).await.unwrap();
    acceptor.upgrade(arrival).await.unwrap().accept().await.unwrap();
    assert!(peer.take().starts_with(b"HTTP/1.1 101 "));

    let (wire, peer) = wire::pair();
    peer.push(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.end();
    let arrival = acceptor.read_request(wire).await.unwrap();
    let rejection = Rejection::new(StatusCode::NOT_FOUND, "not_found", "Nothing is here.");
    arrival.reject(&rejection).await.unwrap();
    assert!(peer.take().starts_with(b"HTTP/1.1 404 "));
}

#[tokio::test]
async fn an_http2_preface_to_a_server_of_http1_is_refused() {
    let (wire, peer) = wire::pair();
    peer.push(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    peer.end();
    let error = openline_ws::accept(wire).await.map(drop).unwrap_err();
    assert!(matches!(error, AcceptError::Head(_)));
}
