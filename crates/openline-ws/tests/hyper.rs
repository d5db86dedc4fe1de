//! Upgrades of requests that hyper serves, over HTTP/1.1 and HTTP/2 (RFC 8441).

#![cfg(feature = "hyper")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::convert::Infallible;
use std::net::SocketAddr;

use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2 as hyper_http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use openline_ws::{Acceptor, Connector, DeflateOptions, Upgrade};
use support::frames::{BINARY, CLOSE, PING, PONG, TEXT, masked, reason};
use support::http2::Client;
use tokio::net::{TcpListener, TcpStream};

/// Echoes on lines, greets on pages.
async fn answer(mut request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    if !Upgrade::is_attempted(&request) {
        return Ok(Response::new("a page".to_owned()));
    }
    let mut upgrade = match Upgrade::new(&mut request, &Acceptor::new()) {
        Ok(upgrade) => upgrade,
        Err(rejection) => return Ok(rejection.response()),
    };
    if upgrade.protocols().iter().any(|protocol| protocol == "v1") {
        upgrade = upgrade.protocol("v1");
    }
    let (response, line) = upgrade.accept();
    tokio::spawn(async move {
        let mut ws = line.await.unwrap();
        while let Ok(Some(message)) = ws.recv().await {
            ws.send(message).await.unwrap();
        }
    });
    Ok(response.map(|()| String::new()))
}

async fn http1_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .with_upgrades();
            tokio::spawn(connection);
        }
    });
    address
}

async fn http2_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut builder = hyper_http2::Builder::new(TokioExecutor::new());
            builder.enable_connect_protocol();
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
    address
}

#[tokio::test]
async fn over_http1_a_line_echoes_with_subprotocol_and_compression() {
    let url = format!("ws://{}/", http1_server().await);
    let connector = Connector::new()
        .protocol("v1")
        .deflate(DeflateOptions { threshold: 0, ..DeflateOptions::client() });
    let mut ws = connector.connect(&url).await.unwrap();
    assert_eq!(ws.protocol(), Some("v1"));
    assert!(ws.deflate().is_some());
    for message in ["one".repeat(100), "two".repeat(100_000)] {
        ws.send(message.clone()).await.unwrap();
        assert!(ws.recv().await.unwrap() == Some(message.into()));
    }
    assert!(ws.close(1000, "").await.unwrap().clean);
}

#[tokio::test]
async fn over_http1_many_messages_are_in_flight() {
    let url = format!("ws://{}/", http1_server().await);
    let mut ws = Connector::new().connect(&url).await.unwrap();
    for i in 0..100 {
        ws.feed(format!("{i}")).await.unwrap();
    }
    ws.flush().await.unwrap();
    for i in 0..100 {
        assert_eq!(ws.recv().await.unwrap(), Some(format!("{i}").into()));
    }
}

#[tokio::test]
async fn over_http1_a_handshake_that_is_not_lawful_is_answered_with_what_was_wrong() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let cases = [
        ("Version: 13", "Version: 8", "HTTP/1.1 426 ", "Unsupported WebSocket version 8"),
        ("ZQ==", "", "HTTP/1.1 400 ", "Sec-WebSocket-Key must"),
    ];
    for (from, to, status, message) in cases {
        let mut stream = TcpStream::connect(http1_server().await).await.unwrap();
        let request = support::REQUEST.replace(from, to);
        stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(status) && answer.contains(message), "{answer}");
    }
}

#[tokio::test]
async fn other_requests_are_served_beside_lines() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = TcpStream::connect(http1_server().await).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("a page"), "{answer}");
}

#[tokio::test]
async fn over_http2_a_line_echoes_and_closes_cleanly() {
    let mut client = Client::connect(http2_server().await).await;
    assert!(client.is_extended_connect_enabled());
    let (response, mut line) = client
        .open("/echo", |request| {
            let protocols = HeaderValue::from_static("v2, v1");
            request.headers_mut().insert("sec-websocket-protocol", protocols);
        })
        .await
        .unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "v1");
    assert!(!response.headers().contains_key("sec-websocket-accept"));
    assert!(!response.headers().contains_key("upgrade"));
    line.send([masked(TEXT, "over h2"), masked(PING, "p")].concat());
    let expected = [(TEXT, b"over h2".to_vec()), (PONG, b"p".to_vec())];
    assert_eq!(line.frames(2).await, expected);
    line.send(masked(CLOSE, reason(1000, "")));
    assert_eq!(line.frames(1).await, [(CLOSE, reason(1000, ""))]);
    line.end().await.unwrap();
}

#[tokio::test]
async fn over_http2_many_lines_share_a_connection() {
    let mut client = Client::connect(http2_server().await).await;
    let mut lines = Vec::new();
    for _ in 0..10 {
        lines.push(client.open("/echo", |_| ()).await.unwrap().1);
    }
    for (i, line) in lines.iter_mut().enumerate() {
        line.send((0..20).flat_map(|j| masked(TEXT, format!("{i} {j}"))).collect());
    }
    for (i, line) in lines.iter_mut().enumerate() {
        let expected: Vec<_> = (0..20).map(|j| (TEXT, format!("{i} {j}").into_bytes())).collect();
        assert_eq!(line.frames(20).await, expected);
    }
}

#[tokio::test]
async fn over_http2_a_message_larger_than_the_window_passes() {
    let mut client = Client::connect(http2_server().await).await;
    let (_, mut line) = client.open("/echo", |_| ()).await.unwrap();
    let large = vec![7; 500_000];
    line.send(masked(BINARY, &large));
    assert!(line.frames(1).await == [(BINARY, large)]);
}

#[tokio::test]
async fn over_http2_a_protocol_error_is_told_in_a_close_frame() {
    let mut client = Client::connect(http2_server().await).await;
    let (_, mut line) = client.open("/echo", |_| ()).await.unwrap();
    line.send(masked(0x83, ""));
    assert_eq!(line.frames(1).await, [(CLOSE, reason(1002, "reserved opcode 0x3"))]);
    line.end().await.unwrap();
}

#[tokio::test]
async fn over_http2_a_handshake_that_is_not_lawful_is_answered_with_what_was_wrong() {
    let mut client = Client::connect(http2_server().await).await;
    let refused = client
        .open("/echo", |request| {
            let version = HeaderValue::from_static("8");
            request.headers_mut().insert("sec-websocket-version", version);
        })
        .await
        .map(drop);
    let (status, body) = refused.unwrap_err();
    assert_eq!(status, StatusCode::UPGRADE_REQUIRED);
    assert!(body.contains("Unsupported WebSocket version 8; supported: 13."), "{body}");

    let refused = client
        .open("/echo", |request| {
            request.extensions_mut().insert(h2::ext::Protocol::from_static("connect-udp"));
        })
        .await
        .map(drop);
    assert_eq!(refused.unwrap_err().0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn over_http2_other_requests_are_served_beside_lines() {
    let mut client = Client::connect(http2_server().await).await;
    let page = client
        .open("/page", |request| {
            *request.method_mut() = Method::GET;
            request.extensions_mut().remove::<h2::ext::Protocol>();
        })
        .await;
    assert_eq!(page.unwrap().0.status(), StatusCode::OK);
}

#[tokio::test]
async fn over_http2_a_client_that_resets_the_stream_or_goes_is_an_end_with_1006() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let upgrade = service_fn(move |mut request: Request<Incoming>| {
            let upgrade = Upgrade::new(&mut request, &Acceptor::new()).unwrap();
            let (response, line) = upgrade.accept();
            let ended = ended.clone();
            tokio::spawn(async move {
                let mut ws = line.await.unwrap();
                let result = ws.recv().await;
                ended.send((result, ws.closed().cloned())).unwrap();
            });
            async move { Ok::<_, Infallible>(response.map(|()| String::new())) }
        });
        while let Ok((stream, _)) = listener.accept().await {
            let mut builder = hyper_http2::Builder::new(TokioExecutor::new());
            builder.enable_connect_protocol();
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), upgrade.clone()));
        }
    });
    let mut client = Client::connect(address).await;
    for reset in [true, false] {
        let (_, mut line) = client.open("/", |_| ()).await.unwrap();
        line.send(masked(TEXT, "never ends")[..5].to_vec());
        match reset {
            true => line.send.send_reset(h2::Reason::CANCEL),
            false => line.send.send_data(Default::default(), true).unwrap(),
        }
        let (result, closed) = ends.recv().await.unwrap();
        assert!(matches!(result, Ok(None)), "reset {reset}: {result:?}");
        assert_eq!(closed.unwrap().reason.code.0, 1006);
    }
}
