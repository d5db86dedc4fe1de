//! Several nodes in one process, in no time: the clock stands while anybody has something to do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bounds;
mod control;
mod presence;
mod questions;
mod wire;

use std::time::Duration;

use ::http::{Method, Request};
use axum::body::Body;
use http_body_util::BodyExt as _;
use openline_protocol::ChannelName;
use serde_json::Value;

use crate::app::Handlers;
use crate::broker::NodeId;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::node::start_on;
use crate::server::Server;
use crate::testkit::TestServer;
use wire::Wire;

const KEY: &str = "a-key-that-is-long-enough-to-be-one";

/// A node of a cluster.
struct Member {
    server: TestServer,
    wire: Wire,
}

impl Member {
    fn start(wire: &Wire) -> Self {
        Self::serving(wire, "", Handlers::new())
    }

    fn serving(wire: &Wire, toml: &str, handlers: Handlers) -> Self {
        let number = wire.nodes();
        let file = format!(
            "node.name = \"n{number}\"\nauth.anonymous = true\nhistory.level = \"memory\"\n\
             api.keys = [\"{KEY}\"]\n{toml}"
        );
        let config = Config::read(Some(("test.toml", &file)), [], []).unwrap();
        let builder = Server::builder().handlers(handlers);
        let server = TestServer::of_node(builder, config, |parts| {
            start_on(parts, |ground| Ok(wire.broker(ground)))
        });
        Self { server, wire: wire.clone() }
    }

    /// What the HTTP API answers.
    async fn api(&self, path: &str, body: Option<Value>) -> Value {
        let request = Request::builder().uri(format!("/api/v1/{path}")).header("x-api-key", KEY);
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.method(method).body(body).unwrap();
        let response = crate::api::answer(self.server.node(), request).await;
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn id(&self) -> NodeId {
        self.server.node().id
    }

    fn cluster(&self) -> &Cluster {
        self.server.node().cluster().unwrap()
    }

    /// Ends without a word.
    fn crash(self) {
        self.wire.cut(self.id());
    }

    /// The ids of a channel's members, and how many there are.
    fn members(&self, channel: &str) -> (Vec<String>, u64) {
        let page = self.server.node().exchange.members(&name(channel), None, Some(1000));
        (page.members.iter().map(|member| member.client_id.to_string()).collect(), page.count)
    }
}

fn name(channel: &str) -> ChannelName {
    ChannelName::new(channel).unwrap()
}

async fn pass(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

/// Nodes that know each other.
async fn nodes<const N: usize>(wire: &Wire) -> [Member; N] {
    nodes_with(wire, "", Handlers::new).await
}

async fn nodes_with<const N: usize>(
    wire: &Wire,
    toml: &str,
    handlers: impl Fn() -> Handlers,
) -> [Member; N] {
    let nodes = std::array::from_fn(|_| Member::serving(wire, toml, handlers()));
    pass(20).await;
    for node in &nodes {
        assert_eq!(node.cluster().peers().len(), N - 1);
    }
    nodes
}
