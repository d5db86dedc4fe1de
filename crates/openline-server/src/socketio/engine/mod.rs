//! Engine.IO v4, the server's side: one connection for each client, by long polling or over
//! WebSocket, and from the one to the other without a message lost or overtaken.
//!
//! What stands on a connection is an [`Upper`], which a [`Mount`] makes for each client that comes to
//! its path: Socket.IO's sockets, or an endpoint for plain messages. It is told what the client says
//! and when it has gone; what it says goes through the connection's [`Outlet`], from any thread.
//!
//! The table of mounts is `mounts`, that of connections `connections`. A request for one of their
//! paths is read by `query` and refused in the protocol's words by `refusal`; `polling` and
//! `websocket` carry packets (`packet`, `payload`) between it and its `connection`. Pings are sent by
//! one list for each thread, `heartbeats`.
//!
//! - *Invariant:* what an upper layer is given comes one message after the other, in the order in
//!   which the client sent it, whatever carried it.
//! - *Invariant:* an idle connection has no timer and no buffer of its own, and over polling no task.

mod batch;
mod connection;
mod connections;
mod entry;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod heartbeats;
mod mounts;
mod outlet;
mod packet;
mod payload;
pub(crate) mod polling;
mod polls;
mod query;
mod refusal;
#[cfg(test)]
mod tests;
pub(crate) mod websocket;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ::http::Request;
use bytes::Bytes;
use bytestring::ByteString;
use openline_ws::Message as Frame;

use crate::node::Node;
use crate::shard::Shard;
use crate::transport::Visitor;

pub(crate) use batch::Batch;
pub(crate) use connections::Connections;
pub(crate) use heartbeats::{Heartbeats, watch};
pub(crate) use mounts::Mounts;
pub(crate) use outlet::{NotTaken, Outlet};
pub(crate) use refusal::forbidden;

/// A message, in either direction: the packet without its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    Text(ByteString),
    Binary(Bytes),
}

impl From<Frame> for Message {
    fn from(frame: Frame) -> Self {
        match frame {
            Frame::Text(text) => Self::Text(text),
            Frame::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

/// What stands on a connection.
pub(crate) trait Upper: Send {
    /// A message came. Nothing more is taken from the client until the future is ready; it is not
    /// dropped before, even when the client goes meanwhile. What takes long belongs into a task.
    fn receive<'a>(&'a mut self, message: Message)
    -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

    /// The connection has ended. Nothing is received any more, and it is dropped next.
    fn closed(&mut self, reason: Ended);
}

/// Makes what stands on the connections of a path.
pub(crate) trait Mount: Send + Sync {
    /// A client comes: it has been let in, and whose token came with its request is known. Messages
    /// that are sent from here on reach it behind the `open` packet. To turn it away, close the
    /// outlet.
    fn open(&self, arrival: Arrival) -> Box<dyn Upper>;
}

/// A client that comes.
pub(crate) struct Arrival {
    /// Its id, its address, its place among the lines (it is given back when this is dropped, so
    /// the upper layer keeps it), who it is.
    pub(crate) visitor: Visitor,
    /// The request that opens the connection: path, query and headers.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "only the mounts of tests read headers so far")
    )]
    pub(crate) request: Request<()>,
    pub(crate) outlet: Arc<Outlet>,
    /// The thread on which it came. Its pings come from there, wherever its socket is later on.
    pub(crate) shard: Arc<Shard>,
    pub(crate) node: Arc<Node>,
}

/// How the connections of a path are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// How long after an answer to a ping the next one is sent. Default: 25 s.
    pub(crate) ping_interval: Duration,
    /// How long after a ping a client that is not heard is taken for gone. Default: 20 s.
    pub(crate) ping_timeout: Duration,
    /// The largest message over WebSocket and the largest body of a POST, in bytes. Default:
    /// 1,000,000.
    pub(crate) payload_bytes_max: usize,
    /// How long an upgrade to WebSocket may take. Default: 10 s.
    pub(crate) upgrade_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            payload_bytes_max: 1_000_000,
            upgrade_timeout: Duration::from_secs(10),
        }
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The client closed it.
    TransportClose,
    /// What carried it failed, or the client used it against the rules.
    TransportError,
    /// A ping was not answered.
    PingTimeout,
    /// The client sent what is no packet.
    ParseError,
    /// This side closed it.
    ForcedClose,
    /// The server stops.
    ServerStop,
}

impl Ended {
    /// In Socket.IO's words.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
            Self::ServerStop => "server shutting down",
        }
    }
}
