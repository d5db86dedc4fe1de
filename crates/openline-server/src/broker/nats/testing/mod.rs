//! What tests on NATS stand on: a server, a way to it that can be cut, settings.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod proxy;
mod server;

use std::time::Duration;

pub(crate) use proxy::Proxy;
pub(crate) use server::NatsServer;

use crate::config::{self, Config};

/// Long enough for any machine; nothing waits this long unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Of a node whose NATS is there.
pub(crate) fn settings(url: &str, adjust: impl FnOnce(&mut config::Broker)) -> config::Broker {
    let flags = [("broker.url".to_owned(), url.to_owned())];
    let mut settings = Config::read(None, [], flags).unwrap().broker;
    adjust(&mut settings);
    settings
}
