//! The WebSocket protocol as a state machine: bytes in, events out.
//!
//! It covers RFC 6455 (frames, handshake over HTTP/1.1), RFC 7692 (permessage-deflate) and the
//! handshake of RFC 8441 (over HTTP/2). There is no socket here, no clock and no entropy source:
//! time is a [`Timestamp`] that the caller passes in, and masking keys come from a function that
//! the caller names ([`Role::Client`] connections only). The crate builds for `wasm32`.
//!
//! # The run loop
//! 1. Read bytes and give them to [`Connection::handle_input`] until all are consumed; each call
//!    yields at most one [`Event`].
//! 2. Queue what there is to say: [`Connection::send`], [`Connection::close`] and their kin.
//! 3. Write what [`Connection::poll_transmit`] shows and report how much went out with
//!    [`Connection::handle_transmitted`].
//! 4. Wait until the transport is ready or [`Connection::poll_timeout`] is reached, and in the
//!    latter case call [`Connection::handle_timeout`].
//!
//! ```
//! use std::sync::Arc;
//! use openline_ws_proto::{Config, Connection, Event, FrameKind, Role, Timestamp};
//!
//! let mut server = Connection::new(Role::Server, Arc::new(Config::default()), None, Timestamp(0));
//! // "hi" in a masked text frame, as a client sends it.
//! let mut input = *b"\x81\x82\x01\x02\x03\x04ik";
//! let progress = server.handle_input(&mut input, Timestamp(1))?;
//! assert_eq!(progress.consumed, 8);
//! assert_eq!(progress.event, Some(Event::Text("hi".into())));
//!
//! server.send(FrameKind::Text, b"hello").expect("the line is open");
//! let out: Vec<u8> = server.poll_transmit().flatten().copied().collect();
//! assert_eq!(out, b"\x81\x05hello");
//! server.handle_transmitted(out.len(), Timestamp(1));
//! # Ok::<(), openline_ws_proto::ProtocolError>(())
//! ```
//!
//! # Cancel safety
//! Everything that was consumed is held in the [`Connection`]; nothing is lost when the caller
//! stops between any two calls and goes on later.
//!
//! # Limits
//! Every queue and buffer has one: see [`Limits`] for what comes in. What goes out is queued without
//! a bound of its own, because only the caller can wait: look at [`Connection::queued_bytes`].
//! Pongs are the exception, since the peer decides how many are due: they have their own bounded
//! lane.
//!
//! # Not here
//! Sockets, TLS, proxies, timers: `openline-ws`. Channels, users, JSON: above that.

mod buffer_pool;
mod close;
mod config;
mod connection;
mod deadlines;
mod deflate;
mod error;
mod event;
mod frame;
pub mod handshake;
mod mask;
mod outbox;
mod outbox_pool;
mod prepared;
mod receiver;
mod spare;
mod state;
mod utf8;

pub use close::{CLOSE_REASON_MAX, CloseCode, CloseReason};
pub use config::{Config, Limits, MaskSource, Role, Timeouts, Timestamp};
pub use connection::{Closed, Connection, Expired, Progress};
pub use deflate::{DeflateOptions, DeflateParams};
pub use error::{MessageSource, ProtocolError, ReservedBitPlace, SendError};
pub use event::{Chunk, Event, PlainMessage};
pub use frame::{CONTROL_PAYLOAD_MAX, FrameHead, FrameRules, HEAD_BYTES_MAX, Opcode};
pub use mask::{MaskKey, mask};
pub use outbox::{Compress, FrameKind};
pub use prepared::{Prepared, PreparedBatch};
pub use spare::free_spare_buffers;
pub use state::{State, TRANSITIONS, Trigger};
pub use utf8::{InvalidUtf8, Utf8Validator};
