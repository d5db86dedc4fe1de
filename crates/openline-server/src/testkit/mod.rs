//! Testing handlers without sockets: a server inside the test, and clients that speak protocol v1 with
//! it in memory.
//!
//! ```
//! use openline_server::app::Handlers;
//! use openline_server::testkit::TestServer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // In a test this is `#[tokio::test] async fn …`.
//! let handlers = Handlers::new()
//!     .on("join", async |cx, room: String| cx.join(&room).await)
//!     .on("say", async |cx, text: String| cx.to("lobby").emit("said", &text).await);
//! let server = TestServer::new(handlers);
//!
//! let mut ann = server.client().user("ann").await;
//! let mut ben = server.client().user("ben").await;
//! ben.ask::<()>("join", "lobby").await.unwrap();
//! ann.ask::<()>("say", "hello").await.unwrap();
//! assert_eq!(ben.expect("said").await.data, "hello");
//! # }
//! ```
//!
//! Sessions, rooms, channels and handlers are those of a real server; only the transport is not.
//! There is no port, no file and no thread: all runs on the test's own runtime, and ends with it. So
//! a handler that blocks its thread blocks the test; elsewhere it does not block the server.
//!
//! Time is tokio's: under `#[tokio::test(start_paused = true)]` deadlines and delays take no time.
//! It needs tokio's feature `test-util`.
//!
//! Nothing waits for ever: what does not come within [`TestServer::patience`] fails the test, by a
//! panic that says what was waited for and what came instead.

mod arriving;
mod client;
mod event;
mod server;

pub use arriving::Arriving;
pub use client::{Asking, TestClient};
pub use event::Event;
pub use server::TestServer;
