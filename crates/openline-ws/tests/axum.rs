//! The extractor for axum.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::response::IntoResponse;
use axum::routing::{any, get};
use axum::{Extension, Router};
use openline_ws::proto::handshake::client::ResponseError;
use openline_ws::{
    Acceptor, Config, ConnectError, Connector, Error, Limits, UpgradedSocket, WebSocketUpgrade,
};
use support::frames::{CLOSE, TEXT, masked, reason};
use support::http2::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn echo_line(mut ws: UpgradedSocket) {
    while let Ok(Some(message)) = ws.recv().await {
        ws.send(message).await.unwrap();
    }
}

async fn echo(upgrade: WebSocketUpgrade) -> impl IntoResponse {
    let chosen = upgrade.protocols().iter().find(|protocol| protocol.starts_with('v')).cloned();
    match chosen {
        Some(protocol) => upgrade.protocol(protocol).on_upgrade(echo_line),
        None => upgrade.on_upgrade(echo_line),
    }
}

async fn small(upgrade: WebSocketUpgrade) -> impl IntoResponse {
    let limits = Limits { message_bytes_max: 10, ..Limits::default() };
    let config = Config { limits, ..Config::default() };
    upgrade.config(Arc::new(config)).on_upgrade(echo_line)
}

async fn page() -> &'static str {
    "a page"
}

async fn serve() -> SocketAddr {
    let limits = Limits { message_bytes_max: 1000, ..Limits::default() };
    let app = Router::new()
        .route("/echo", any(echo))
        .route("/limited", any(echo).layer(Extension(Acceptor::new().limits(limits))))
        .route("/small", any(small))
        .route("/page", get(page));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn a_handler_chooses_a_subprotocol_and_serves_the_line() {
    let url = format!("ws://{}/echo", serve().await);
    let mut ws = Connector::new().protocol("x1").protocol("v1").connect(&url).await.unwrap();
    assert_eq!(ws.protocol(), Some("v1"));
    ws.send("hello").await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some("hello".into()));
    assert!(ws.close(1000, "").await.unwrap().clean);
}

/// How a message of 2,000 bytes ends.
async fn close_code_for_2000_bytes(path: &str) -> Option<u16> {
    let url = format!("ws://{}{path}", serve().await);
    let mut ws = Connector::new().connect(&url).await.unwrap();
    ws.send("x".repeat(2000)).await.unwrap();
    match ws.recv().await {
        Ok(Some(_)) => None,
        Ok(None) | Err(Error::Closed) => ws.closed().map(|closed| closed.reason.code.0),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn settings_come_from_an_acceptor_in_the_extensions_or_from_the_handler() {
    assert_eq!(close_code_for_2000_bytes("/echo").await, None);
    assert_eq!(close_code_for_2000_bytes("/limited").await, Some(1009));
    assert_eq!(close_code_for_2000_bytes("/small").await, Some(1009));
}

#[tokio::test]
async fn a_request_that_is_no_handshake_is_answered_before_the_handler_runs() {
    let cases = [
        ("Upgrade: websocket\r\n", "", "HTTP/1.1 426 ", "send Upgrade: websocket."),
        ("Version: 13", "Version: 8", "HTTP/1.1 426 ", "Unsupported WebSocket version 8"),
        ("ZQ==", "", "HTTP/1.1 400 ", "Sec-WebSocket-Key must"),
    ];
    let address = serve().await;
    for (from, to, status, message) in cases {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = support::REQUEST.replace(from, to).replace("/chat", "/echo");
        stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(status) && answer.contains(message), "{answer}");
        assert!(answer.contains("content-type: application/json\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn other_routes_answer_as_ever() {
    let url = format!("ws://{}/page", serve().await);
    let error = openline_ws::connect(&url).await.map(drop).unwrap_err();
    assert!(
        matches!(&error, ConnectError::Response(ResponseError::Status(status)) if *status == 200),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_same_route_serves_lines_over_http2() {
    let mut client = Client::connect(serve().await).await;
    let (_, mut line) = client.open("/echo", |_| ()).await.unwrap();
    line.send([masked(TEXT, "over h2"), masked(CLOSE, reason(1000, ""))].concat());
    let expected = [(TEXT, b"over h2".to_vec()), (CLOSE, reason(1000, ""))];
    assert_eq!(line.frames(2).await, expected);
    line.end().await.unwrap();
}
