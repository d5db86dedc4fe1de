//! What the tests stand on: a transport in memory that the test plays the other end of, and frames
//! written and read by hand, so that nothing here believes the code under test.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub(crate) mod frames;
#[cfg(feature = "hyper")]
pub(crate) mod http2;
pub(crate) mod wire;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use openline_ws::proto::handshake::Agreed;
use openline_ws::proto::{Connection, MaskKey, Role, Timestamp};
use openline_ws::{Acceptor, Config, Timeouts, WebSocket};
use wire::{Peer, Wire};

pub(crate) const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n";

/// A server's line in memory, and its client's end.
pub(crate) async fn server() -> (WebSocket<Wire>, Peer) {
    server_with(&Acceptor::new(), "").await
}

/// As [`server`], with headers added to the request.
pub(crate) async fn server_with(acceptor: &Acceptor, headers: &str) -> (WebSocket<Wire>, Peer) {
    let (wire, peer) = wire::pair();
    peer.push(format!("{REQUEST}{headers}\r\n").as_bytes());
    let ws = acceptor.accept(wire).await.unwrap().accept().await.unwrap();
    let response = String::from_utf8(peer.take()).unwrap();
    assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
    peer.reset_counts();
    (ws, peer)
}

/// A client's line in memory, and its server's end. It sends no pings of its own.
pub(crate) fn client() -> (WebSocket<Wire>, Peer) {
    let config = Config {
        mask_source: Some(mask_key),
        timeouts: Timeouts { ping_interval: None, ..Timeouts::default() },
        ..Config::default()
    };
    let connection = Connection::new(Role::Client, Arc::new(config), None, Timestamp(0));
    let (wire, peer) = wire::pair();
    (WebSocket::from_parts(wire, connection, Agreed::default(), Vec::new()), peer)
}

pub(crate) fn mask_key() -> MaskKey {
    frames::KEY
}

/// Polls the future once.
pub(crate) async fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Whether the future is still waiting after all that can happen without the passing of time.
pub(crate) async fn is_waiting<F: Future>(future: F) -> bool {
    let mut future = pin!(future);
    for _ in 0..20 {
        if poll_once(future.as_mut()).await.is_ready() {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

/// Lets the other tasks of a current-thread runtime run until they wait.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Awaits what `$make` makes, making it anew for each single poll.
#[macro_export]
macro_rules! dropped_at_every_poll {
    ($make:expr) => {
        loop {
            if let std::task::Poll::Ready(output) = $crate::support::poll_once($make).await {
                break output;
            }
            tokio::task::yield_now().await;
        }
    };
}
