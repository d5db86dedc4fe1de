//! [`TestServer`]: a server inside a test.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::arriving::Arriving;
use crate::app::{HandlerThreads, Handlers, Namespace, ServerBuilder};
use crate::config::Config;
use crate::lifecycle::{self, Lifecycle, Terms};
use crate::log::Log;
use crate::node::{self, Node, Parts, StartError};
use crate::server::Server;
use crate::shard::{self, Shard};
use crate::socketio::engine::Mounts;

/// How long a test waits for what has to come, if it does not say.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server inside a test, on the test's own runtime. Dropping it stops it.
pub struct TestServer {
    node: Arc<Node>,
    shard: Arc<Shard>,
    /// While it is there, more connections might come, which is what keeps the shard at work.
    _connections: mpsc::Sender<std::net::TcpStream>,
    patience: Duration,
}

impl TestServer {
    /// With these handlers in the default namespace, and everybody allowed to do everything.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(handlers: Handlers) -> Self {
        Self::of(Server::builder().handlers(handlers), Config::default())
    }

    /// As the builder says, by a configuration. It keeps nothing on disk and has one thread of lines,
    /// whatever the configuration says.
    ///
    /// # Panics
    /// Outside of a tokio runtime, and when the configuration cannot be used; the message says why.
    pub fn of(builder: ServerBuilder, config: Config) -> Self {
        Self::of_node(builder, config, node::start)
    }

    /// As [`TestServer::of`], with another way to make the node.
    pub(crate) fn of_node(
        builder: ServerBuilder,
        config: Config,
        start: impl FnOnce(Parts) -> Result<Node, StartError>,
    ) -> Self {
        let runtime = Handle::try_current().expect(
            "a test server runs on the test's runtime: write #[tokio::test] in place of #[test]",
        );
        let config = Config { ephemeral: true, ..config };
        let mut inputs = shard::inputs(NonZeroUsize::MIN);
        let input = inputs.pop().expect("there is one");
        let (shard, connections) = (input.shard.clone(), input.connections.clone());
        let lifecycle = Lifecycle::new(Terms::of(&config));
        let parts = Parts {
            address: config.listen,
            config: Arc::new(config),
            shards: [shard.clone()].into(),
            log: Log::quiet(),
            mounts: Mounts::default(),
            lifecycle,
            doors: builder.into_doors(),
            handler_threads: HandlerThreads::Shared(runtime.clone()),
        };
        let node = match start(parts) {
            Ok(node) => Arc::new(node),
            Err(error) => panic!("the test server cannot start: {error}"),
        };
        runtime.spawn(shard::run(input, node.clone()));
        let (deadlines, stopped) = (node.operator.deadlines.clone(), node.lifecycle.stopped());
        runtime.spawn(async move {
            deadlines.watch(stopped).await;
        });
        runtime.spawn(lifecycle::run(node.clone()));
        let (of_cluster, stopped) = (node.clone(), node.lifecycle.stopped());
        runtime.spawn(async move {
            if let Some(cluster) = of_cluster.cluster() {
                cluster.run(&of_cluster, stopped).await;
            }
        });
        Self { node, shard, _connections: connections, patience: PATIENCE }
    }

    /// How long is waited for what has to come before the test fails; 10 s if nothing is said.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// A client comes: `server.client().await`, with more about it said before.
    pub fn client(&self) -> Arriving {
        Arriving::new(self.node.clone(), self.shard.clone(), self.patience)
    }

    /// A namespace, to send from outside of handlers.
    ///
    /// # Panics
    /// When the server has no handlers for it.
    pub fn namespace(&self, name: &str) -> Namespace {
        let Some(namespace) = Namespace::find(&self.node, name) else {
            panic!("the server has no handlers for the namespace {name}")
        };
        namespace
    }

    #[cfg(test)]
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Begins to drain, as [`Handle::drain`](crate::Handle::drain) does, by `[drain]` of the configuration.
    pub fn drain(&self) {
        self.node.lifecycle.drain();
    }

    /// Begins to stop, as [`Handle::stop`](crate::Handle::stop) does: clients are closed with 1012.
    pub fn stop(&self) {
        self.node.lifecycle.stop();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer").field("patience", &self.patience).finish_non_exhaustive()
    }
}
