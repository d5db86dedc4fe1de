//! Requests, each on a connection of its own.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST, HeaderName};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What an answer has at most.
const ANSWER_MAX: usize = 16 << 20;
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends JSON; gives the status and what was answered, null if that is no JSON.
pub(super) async fn post(
    address: SocketAddr,
    path: &str,
    api_key: Option<&str>,
    body: &Value,
) -> io::Result<(StatusCode, Value)> {
    let mut request = Request::post(path);
    if let Some(key) = api_key {
        request = request.header(AUTHORIZATION, format!("Bearer {key}"));
    }
    let request = request.body(Full::from(body.to_string())).map_err(io::Error::other)?;
    within(TIMEOUT, async { answer(open(address, request).await?).await }).await
}

/// Asks for JSON, for which the server may take this long.
pub(super) async fn get(
    address: SocketAddr,
    path: &str,
    patience: Duration,
) -> io::Result<(StatusCode, Value)> {
    let request = Request::get(path).body(Full::default()).map_err(io::Error::other)?;
    within(patience, async { answer(open(address, request).await?).await }).await
}

/// Asks for a stream of events, behind this id if there is one.
pub(super) async fn events(
    address: SocketAddr,
    path: &str,
    last: Option<&str>,
) -> io::Result<Response<Incoming>> {
    let mut request = Request::get(path).header(ACCEPT, "text/event-stream");
    if let Some(last) = last {
        request = request.header(HeaderName::from_static("last-event-id"), last);
    }
    let request = request.body(Full::default()).map_err(io::Error::other)?;
    within(TIMEOUT, open(address, request)).await
}

/// The status and the JSON of an answer.
pub(super) async fn answer(response: Response<Incoming>) -> io::Result<(StatusCode, Value)> {
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
    let body = body.map_err(io::Error::other)?.to_bytes();
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

/// A name in a query.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

async fn open(
    address: SocketAddr,
    mut request: Request<Full<Bytes>>,
) -> io::Result<Response<Incoming>> {
    let host = address.to_string().parse().map_err(io::Error::other)?;
    request.headers_mut().insert(HOST, host);
    let socket = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
        .await
        .map_err(io::Error::other)?;
    // It ends with the answer's body, or when that is dropped.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(io::Error::other)
}

async fn within<T>(patience: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(patience, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
