//! Lines and pages over HTTP/2 without TLS (RFC 9113 §3.3, RFC 8441).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Method, Request, Response};
use openline_ws::proto::handshake::Agreed;
use openline_ws::proto::{Connection, Role, Timestamp};
use openline_ws::{Config, WebSocket};
use serde_json::Value;
use support::{TestServer, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;

async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (requests, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let requests = requests.ready().await.unwrap();
    // The server's settings come with its first frame.
    soon(async {
        while !requests.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    requests
}

fn extended_connect(address: SocketAddr, path: &str) -> Request<()> {
    Request::builder()
        .method(Method::CONNECT)
        .uri(format!("http://{address}{path}"))
        .extension(h2::ext::Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap()
}

async fn text(response: Response<h2::RecvStream>) -> String {
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Some(data) = soon(body.data()).await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        text.extend(data);
    }
    String::from_utf8(text).unwrap()
}

async fn ask(requests: &mut SendRequest<Bytes>, request: Request<()>) -> Response<h2::RecvStream> {
    let (response, _) = requests.send_request(request, true).unwrap();
    soon(response).await.unwrap()
}

/// A WebSocket client on a stream of the connection.
async fn line(
    requests: &mut SendRequest<Bytes>,
    address: SocketAddr,
    path: &str,
) -> WebSocket<DuplexStream> {
    let (response, mut sending) =
        requests.send_request(extended_connect(address, path), false).unwrap();
    let response = soon(response).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("sec-websocket-accept"));
    let mut receiving = response.into_body();
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (mut reader, mut writer) = tokio::io::split(theirs);
    tokio::spawn(async move {
        while let Some(Ok(data)) = receiving.data().await {
            receiving.flow_control().release_capacity(data.len()).unwrap();
            writer.write_all(&data).await.unwrap();
        }
        let _ = writer.shutdown().await;
    });
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = reader.read(&mut buffer).await {
            sending.send_data(Bytes::copy_from_slice(&buffer[..len]), false).unwrap();
        }
        let _ = sending.send_data(Bytes::new(), true);
    });
    let config = Config { mask_source: Some(|| [0; 4]), ..Config::default() };
    let connection = Connection::new(Role::Client, Arc::new(config), None, Timestamp(0));
    WebSocket::from_parts(ours, connection, Agreed::default(), Vec::new())
}

#[tokio::test]
async fn lines_share_a_connection_with_pages() {
    let server = TestServer::start();
    let mut requests = connect(server.address()).await;
    let mut echo = line(&mut requests, server.address(), "/echo").await;
    let mut chat = line(&mut requests, server.address(), "/chat/42").await;

    echo.send("over HTTP/2").await.unwrap();
    assert_eq!(soon(echo.recv()).await.unwrap(), Some("over HTTP/2".into()));

    let welcome = soon(chat.recv()).await.unwrap().unwrap();
    let welcome: Value = serde_json::from_str(welcome.as_text().unwrap()).unwrap();
    assert_eq!(welcome["type"], "welcome");

    let page = Request::get(format!("http://{}/", server.address())).body(()).unwrap();
    let response = ask(&mut requests, page).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    assert!(text(response).await.contains("<html"));

    assert!(soon(echo.close(1000, "")).await.unwrap().clean);
}

#[tokio::test]
async fn a_line_over_http2_talks_with_one_over_http1() {
    let server = TestServer::start();
    let mut requests = connect(server.address()).await;
    let mut far = line(&mut requests, server.address(), "/chat").await;
    let mut near = support::Member::enter(&server, "/chat").await;
    far.send(r#"{"type":"chat","text":"hello"}"#).await.unwrap();
    assert_eq!(near.next_of("chat").await["text"], "hello");
}

#[tokio::test]
async fn a_plain_get_of_a_line_is_refused() {
    let server = TestServer::start();
    let mut requests = connect(server.address()).await;
    let get = Request::get(format!("http://{}/echo", server.address())).body(()).unwrap();
    let response = ask(&mut requests, get).await;
    assert_eq!(response.status(), 400);
    assert!(text(response).await.contains("CONNECT request with :protocol websocket"));
}

#[tokio::test]
async fn the_same_guards_stand_as_over_http1() {
    let server = TestServer::start();
    let mut requests = connect(server.address()).await;
    let with = |name, value| {
        let mut request = extended_connect(server.address(), "/echo");
        request.headers_mut().insert(name, http::HeaderValue::from_static(value));
        request
    };
    let response = ask(&mut requests, with(http::header::ORIGIN, "https://evil.test")).await;
    assert_eq!(response.status(), 403);
    let response = ask(&mut requests, with(http::header::SEC_WEBSOCKET_VERSION, "8")).await;
    assert_eq!(response.status(), 426);
    assert_eq!(response.headers()["sec-websocket-version"], "13");
    let mut other_host = extended_connect(server.address(), "/echo");
    *other_host.uri_mut() = "http://evil.test/echo".parse().unwrap();
    assert_eq!(ask(&mut requests, other_host).await.status(), 403);
    let nowhere = ask(&mut requests, extended_connect(server.address(), "/x")).await;
    assert_eq!(nowhere.status(), 404);
}
