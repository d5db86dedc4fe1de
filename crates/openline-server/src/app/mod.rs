//! A server's own logic: typed handlers of its clients' messages, rooms, and what is sent to them.
//!
//! ```no_run
//! use openline_server::app::{Context, Handlers, Refusal};
//! use openline_server::{Config, Server};
//!
//! #[derive(serde::Deserialize, serde::Serialize)]
//! struct Chat {
//!     room: String,
//!     text: String,
//! }
//!
//! let handlers = Handlers::new()
//!     .on("join", async |cx, room: String| cx.join(&room).await)
//!     .on("chat", async |cx, chat: Chat| cx.namespace().to(&chat.room).emit("chat", &chat).await);
//!
//! Server::builder().handlers(handlers).bind(Config::default())?.run()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A *room* is a channel: who subscribes to it by protocol v1, reads it as a stream of events, or was
//! put into it by a handler hears the same.

mod asked;
mod audience;
mod builder;
mod call;
mod calls;
mod client;
mod context;
mod deadlines;
mod doors;
mod endpoint_options;
mod extract;
mod handlers;
pub mod kind;
mod layer;
mod namespace;
mod operator;
mod payload;
mod reply;
mod rooms;

pub use audience::Audience;
pub use builder::ServerBuilder;
pub use call::{Ack, Call};
pub use context::Context;
pub use endpoint_options::EndpointOptions;
pub use extract::{Extension, FromCall, FromMessage, State, User};
pub use handlers::{Goodbye, Handlers, Next};
pub use layer::Refused;
pub use namespace::Namespace;
pub use payload::{Binary, Payload};
pub use reply::{Answer, BuiltIn, IntoReply, Refusal};

pub(crate) use audience::{Mailing, hear_dismiss, hear_mail, hear_move};
pub(crate) use client::{Client, Handshake};
pub(crate) use doors::{Doors, Endpoint, Wire};
pub(crate) use handlers::{Set, unknown_event};
pub(crate) use operator::{HandlerThreads, Operator};
pub(crate) use payload::Arity;
