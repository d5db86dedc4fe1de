//! The Openline server: its lines, its endpoints and its pages.
//!
//! ```no_run
//! use openline_server::{Options, Server};
//!
//! let server = Server::bind(&Options::default())?;
//! println!("listening on http://{}", server.local_addr());
//! server.run()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Shape
//! One thread for each core, each with a single-threaded runtime and its own lines (`shard`), and
//! one that accepts and deals the connections out to them (`accept`). A connection begins in
//! `connection`, which reads the first request and either opens a line (`endpoint`) or hands the
//! connection to hyper (`http`). Chat rooms (`chat`) keep order and history in one place and
//! their members by thread.
//!
//! # Not here yet
//! Channels, authentication, SSE and long polling, storage.

mod accept;
mod chat;
mod connection;
mod echo;
mod endpoint;
mod guard;
mod http;
mod pages;
#[cfg(test)]
mod panic_tests;
mod server;
mod shard;

pub use server::{Handle, Options, Server, StartError, TlsFiles};
