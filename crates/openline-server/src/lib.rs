//! The Openline server: its lines, its endpoints and its pages.
//!
//! ```no_run
//! use openline_server::{Config, Server};
//!
//! let server = Server::bind(Config::default())?;
//! println!("listening on http://{}", server.local_addr());
//! server.run()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Shape
//! One thread for each core, each with a single-threaded runtime and its own lines (`shard`), and
//! one that accepts and deals the connections out to them (`accept`). A connection begins in
//! `connection`, which reads the first request and either opens a line (`endpoint`) or hands the
//! connection to hyper (`http`).
//!
//! A client becomes a `session` however it came (`transport`): who it is (`auth`), what it may do and
//! how fast (`guard`). Channels are the `exchange`'s: the `broker` orders and keeps what is published
//! (`store`), and what comes out at its tail goes to each thread that has subscribers, once.
//! What all threads share is the `node`. A server's own logic, as its users write it, is [`app`]. The plain-JSON demos are in `chat` and `echo`.

mod accept;
mod api;
pub mod app;
mod auth;
mod broker;
mod caretaker;
mod chat;
mod clock;
mod cluster;
pub mod config;
mod connection;
mod echo;
mod endpoint;
mod exchange;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
#[cfg(doctest)]
mod guides;
mod health;
mod http;
mod lifecycle;
mod log;
mod metrics;
mod mounted;
mod node;
mod outbound;
mod overload;
mod pages;
#[cfg(test)]
mod panic_tests;
mod plain;
mod private_file;
mod pulse;
mod reload;
mod remote;
mod routes;
mod server;
mod session;
mod shard;
mod silence;
mod socketio;
mod store;
pub mod testkit;
mod ticker;
mod tls;
pub mod tokens;
mod transport;
mod upgrade;
mod uploads;
mod webhook;

pub use config::Config;
pub use mounted::Mounted;
pub use node::StartError;
pub use pulse::Pulse;
pub use reload::{ConfigSource, ReloadError, Reloaded};
pub use remote::{Outgoing, Receipt, Remote, RemoteError};
pub use server::{Handle, Server};
pub use upgrade::{Listening, TakeoverError};
