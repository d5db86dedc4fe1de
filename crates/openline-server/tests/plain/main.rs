//! Endpoints with a vocabulary of their own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod chat;
mod entry;
mod objects;
mod raw;
mod rooms;
#[path = "../support/mod.rs"]
mod support;

use openline_server::app::{EndpointOptions, Handlers, ServerBuilder};
use openline_server::{Config, Server};
use support::TestServer;
use support::talk::Talk;

fn config() -> Config {
    let mut config = Config::default();
    config.threads = std::num::NonZeroUsize::new(2);
    config
}

/// A server with these handlers at `/app` and `/app/{room}`, and what else is built.
fn serve_and(
    options: &EndpointOptions,
    handlers: &Handlers,
    build: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> TestServer {
    let mut builder = Server::builder();
    for path in ["/app", "/app/{room}"] {
        builder = builder.plain_with(path, options.clone(), handlers.clone());
    }
    TestServer::with_handlers(config(), build(builder))
}

fn serve(handlers: &Handlers) -> TestServer {
    serve_and(&EndpointOptions::new(), handlers, |builder| builder)
}

async fn line(server: &TestServer) -> Talk {
    Talk::open(&server.url("/app"), None).await
}
