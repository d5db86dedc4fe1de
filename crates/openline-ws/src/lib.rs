//! A strict, fast WebSocket client and server on tokio.
//!
//! A server:
//!
//! ```no_run
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:9001").await?;
//! loop {
//!     let (stream, _) = listener.accept().await?;
//!     tokio::spawn(async move {
//!         let mut ws = openline_ws::accept(stream).await?.accept().await?;
//!         while let Some(message) = ws.recv().await? {
//!             ws.send(message).await?;
//!         }
//!         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//!     });
//! }
//! # }
//! ```
//!
//! A client:
//!
//! ```no_run
//! # async fn talk() -> Result<(), Box<dyn std::error::Error>> {
//! let mut ws = openline_ws::connect("ws://127.0.0.1:9001/").await?;
//! ws.send("hello").await?;
//! println!("{:?}", ws.recv().await?);
//! ws.close(1000, "").await?;
//! # Ok(()) }
//! ```
//!
//! # What is here
//! - [`connect`] and [`Connector`]: ws and wss, proxies, headers, subprotocols.
//! - [`accept`] and [`Acceptor`]: see the request, then accept or reject it.
//! - [`WebSocket`]: receive, send, close; a `Stream` and a `Sink`; messages too large to hold.
//! - [`WebSocket::split`]: a [`Reader`], and a [`Sender`] that many can hold, with a bounded queue
//!   and a policy for peers that do not keep up.
//! - [`Prepared`], [`PreparedBatch`]: messages encoded once for many lines.
//! - With the feature `hyper`: upgrades of requests that hyper serves, over HTTP/1.1 and HTTP/2
//!   (RFC 8441). With `axum`: the same as an extractor.
//!
//! # Not here
//! Reconnecting, channels, JSON. The protocol itself is in [`openline_ws_proto`], which knows no
//! sockets.

mod accept;
#[cfg(feature = "axum")]
mod axum;
mod clock;
mod connect;
mod error;
#[cfg(doctest)]
mod guides;
#[cfg(feature = "hyper")]
mod hyper;
mod line;
mod long_message;
mod message;
mod rest;
mod scratch;
mod spare;
mod split;
mod stream;
mod timer;
#[cfg(feature = "tls")]
pub mod tls;
mod websocket;

pub use openline_ws_proto as proto;
pub use openline_ws_proto::handshake::server::Rejection;
pub use openline_ws_proto::{
    CloseCode, CloseReason, Closed, Compress, Config, DeflateOptions, DeflateParams, FrameKind,
    Limits, Prepared, PreparedBatch, ProtocolError, Timeouts,
};

pub use accept::{AcceptError, Acceptor, Arrival, Pending, Rewound, accept};
#[cfg(feature = "axum")]
pub use axum::WebSocketUpgrade;
pub use connect::{ConnectError, Connector, Proxy, Transport, connect};
pub use error::Error;
#[cfg(feature = "hyper")]
pub use hyper::{Upgrade, UpgradedSocket};
pub use long_message::{MessageReader, MessageWriter};
pub use message::Message;
pub use spare::free_spare_buffers;
pub use split::{
    Detached, QueueOptions, QueueStats, Reader, Received, Sender, SlowConsumer, TrySendError,
};
pub use websocket::{Incoming, WebSocket};
