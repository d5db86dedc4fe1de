//! Several nodes in one process, in no time: the clock stands while anybody has something to do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod presence;
mod wire;

use std::time::Duration;

use openline_protocol::ChannelName;

use crate::app::Handlers;
use crate::broker::NodeId;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::node::start_on;
use crate::server::Server;
use crate::testkit::TestServer;
use wire::Wire;

/// A node of a cluster.
struct Member {
    server: TestServer,
    wire: Wire,
}

impl Member {
    fn start(wire: &Wire) -> Self {
        Self::with(wire, "")
    }

    fn with(wire: &Wire, toml: &str) -> Self {
        Self::serving(wire, toml, Handlers::new())
    }

    fn serving(wire: &Wire, toml: &str, handlers: Handlers) -> Self {
        let file = format!("auth.anonymous = true\nhistory.level = \"memory\"\n{toml}");
        let config = Config::read(Some(("test.toml", &file)), [], []).unwrap();
        let builder = Server::builder().handlers(handlers);
        let server = TestServer::of_node(builder, config, |parts| {
            start_on(parts, |ground| Ok(wire.broker(ground)))
        });
        Self { server, wire: wire.clone() }
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
    let nodes = std::array::from_fn(|_| Member::start(wire));
    pass(20).await;
    for node in &nodes {
        assert_eq!(node.cluster().peers().len(), N - 1);
    }
    nodes
}
