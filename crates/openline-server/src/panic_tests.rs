//! A panic while a line is served ends that line with 1011 and nothing else.
//!
//! No message makes a handler panic, so here the transport does it for them, in the same place of the
//! same task.

use std::io;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use openline_ws::proto::handshake::Agreed;
use openline_ws::proto::{Connection, Role, Timestamp};
use openline_ws::{CloseCode, Config, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::app::Doors;
use crate::guard::Kind;
use crate::node::{self, Node};
use crate::plain::{Door, Guest, spawn};
use crate::shard::{self, Shard};
use crate::transport::Visitor;
use crate::{chat, echo};

/// A transport that panics once, at the first read after it was armed.
struct Trap {
    stream: DuplexStream,
    armed: Arc<AtomicBool>,
}

impl AsyncRead for Trap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(!self.armed.swap(false, Ordering::Relaxed), "on purpose");
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Trap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Both ends of a line, and what arms the server's.
fn line() -> (WebSocket<Trap>, WebSocket<DuplexStream>, Arc<AtomicBool>) {
    let (server, client) = tokio::io::duplex(64 * 1024);
    let armed = Arc::new(AtomicBool::new(false));
    let trap = Trap { stream: server, armed: armed.clone() };
    let config = Arc::new(Config { mask_source: Some(|| [0; 4]), ..Config::default() });
    let connection = |role| Connection::new(role, config.clone(), None, Timestamp(0));
    (
        WebSocket::from_parts(trap, connection(Role::Server), Agreed::default(), Vec::new()),
        WebSocket::from_parts(client, connection(Role::Client), Agreed::default(), Vec::new()),
        armed,
    )
}

/// The texts that come until one contains `part`.
async fn hear(ws: &mut WebSocket<DuplexStream>, part: &str) -> String {
    loop {
        let message = ws.recv().await.unwrap().expect("the line is open");
        let text = message.as_text().unwrap();
        if text.contains(part) {
            return text.to_owned();
        }
    }
}

async fn assert_closed_by_panic(mut ws: WebSocket<DuplexStream>) {
    while let Some(_earlier) = ws.recv().await.unwrap() {}
    let closed = ws.closed().unwrap();
    assert_eq!(closed.reason.code, CloseCode::INTERNAL_ERROR);
    assert!(closed.clean);
}

#[tokio::test]
async fn an_echo_lines_panic_closes_it_with_1011() {
    let (server, mut client, armed) = line();
    let serving = tokio::spawn(echo::serve(server));
    client.send("a").await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some("a".into()));
    armed.store(true, Ordering::Relaxed);
    client.send("b").await.unwrap();
    assert_closed_by_panic(client).await;
    assert!(serving.await.is_ok(), "the panic does not leave the line's handler");
}

/// A shard that serves on this thread, while the last of this is kept.
fn chat_shard() -> (Arc<Shard>, Arc<Node>, impl Sized) {
    let input = shard::inputs(NonZeroUsize::MIN).remove(0);
    // Once no more connections can come, a shard closes its lines.
    let (shard, connections) = (input.shard.clone(), input.connections.clone());
    let mut doors = Doors::default();
    chat::serve(&mut doors);
    let node = Arc::new(node::for_test_with([shard.clone()].into(), doors));
    tokio::spawn(shard::run(input, node.clone()));
    (shard, node, connections)
}

/// Somebody who comes to the chat.
fn guest(node: &Node) -> Guest {
    let (endpoint, parameter) = node.operator.doors.endpoint("/chat/r").unwrap();
    let address = [127, 0, 0, 1].into();
    let slot = node.settings().guard.admit(address, Kind::New, 0, 0).ok().unwrap();
    let client = crate::session::new_client_id();
    let visitor = Visitor { client, address, slot, identity: Ok(None) };
    Guest { visitor, door: Door { endpoint: endpoint.clone(), parameter } }
}

#[tokio::test]
async fn a_chat_lines_panic_closes_it_with_1011_and_the_others_talk_on() {
    let (shard, node, _stop) = chat_shard();
    let enter = |server| spawn(server, guest(&node), shard.clone(), node.clone());
    let (server, mut ann, armed) = line();
    let serving = enter(server);
    ann.send(r#"{"type":"join","username":"Ann"}"#).await.unwrap();
    hear(&mut ann, r#""username":"Ann""#).await;
    let (server, mut ben, _) = line();
    let _ben_is_served = enter(server);
    hear(&mut ben, r#""type":"userList""#).await;

    armed.store(true, Ordering::Relaxed);
    ann.send(r#"{"type":"ping"}"#).await.unwrap();
    assert_closed_by_panic(ann).await;
    assert!(serving.await.is_ok(), "the panic does not leave the line's handler");

    hear(&mut ben, "User Ann left the chat").await;
    ben.send(r#"{"type":"chat","text":"still here"}"#).await.unwrap();
    hear(&mut ben, "still here").await;
}
