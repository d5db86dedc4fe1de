//! yawc: UTF-8 checks and TCP_NODELAY switched on (both are off by default), SIMD on,
//! upgraded through hyper.
//!
//! The batched loop takes the buffers that yawc's own benchmark uses (128 KiB to
//! read, a 64 KiB write boundary); the plain loop keeps the defaults, 8 KiB, which
//! cost it much with 64 KiB messages and would cost it memory on idle lines if raised.

use std::convert::Infallible;

use futures_util::{FutureExt, SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use peer_shell::EchoLoop;
use tokio::net::TcpStream;
use yawc::{HttpStream, OpCode, Options, UpgradeFut, WebSocket};

fn main() {
    peer_shell::serve(serve_http);
}

async fn serve_http(stream: TcpStream, echo_loop: EchoLoop) {
    let accept = move |request| async move { Ok::<_, Infallible>(accept(request, echo_loop)) };
    // A connection that fails ends here; the load generator notices.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(accept))
        .with_upgrades()
        .await;
}

fn accept(request: Request<Incoming>, echo_loop: EchoLoop) -> Response<Empty<Bytes>> {
    let mut options = Options::default().with_utf8().with_no_delay();
    if echo_loop == EchoLoop::Batched {
        options =
            options.with_read_buffer_capacity(128 * 1024).with_backpressure_boundary(64 * 1024);
    }
    let Ok((response, line)) = WebSocket::upgrade_with_options(request, options) else {
        let mut refusal = Response::new(Empty::new());
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        return refusal;
    };
    tokio::spawn(tokio::task::unconstrained(echo(line, echo_loop)));
    response
}

async fn echo(line: UpgradeFut, echo_loop: EchoLoop) {
    let Ok(line) = line.await else {
        return;
    };
    match echo_loop {
        EchoLoop::Plain => echo_plain(line).await,
        EchoLoop::Batched => echo_batched(line).await,
    }
}

async fn echo_plain(mut line: WebSocket<HttpStream>) {
    while let Some(frame) = line.next().await {
        let is_data = matches!(frame.opcode(), OpCode::Text | OpCode::Binary);
        if is_data && line.send(frame).await.is_err() {
            return;
        }
    }
}

/// Not the shared loop: yawc's stream yields frames, not results.
async fn echo_batched(mut line: WebSocket<HttpStream>) {
    let mut arrived = line.next().await;
    while let Some(frame) = arrived {
        let is_data = matches!(frame.opcode(), OpCode::Text | OpCode::Binary);
        if is_data && line.feed(frame).await.is_err() {
            return;
        }
        arrived = match line.next().now_or_never() {
            Some(more) => more,
            None if line.flush().await.is_err() => return,
            None => line.next().await,
        };
    }
}
