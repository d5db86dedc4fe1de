//! A server's own handlers, reached by protocol v1.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod axum;
mod layers;
mod lifecycle;
mod rooms;
#[path = "../support/mod.rs"]
mod support;

use openline_server::app::Handlers;
use openline_server::{Config, Server};
use support::TestServer;
use support::talk::Talk;

/// A server with these handlers in the default namespace.
fn serve(handlers: Handlers) -> TestServer {
    let mut config = Config::default();
    config.threads = std::num::NonZeroUsize::new(2);
    TestServer::with_handlers(config, Server::builder().handlers(handlers))
}

async fn line(server: &TestServer) -> Talk {
    Talk::greeted(&server.url("/ws")).await.0
}
