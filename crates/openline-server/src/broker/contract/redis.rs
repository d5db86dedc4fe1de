//! Where brokers on Redis are opened: a redis-server for each test.

use std::sync::Arc;
use std::time::Duration;

use super::places::{Deaf, shared_options};
use super::{Place, WINDOW};
use crate::broker::redis::testing::{Keeping, RedisServer};
use crate::broker::{Broker, NodeId, SharedBroker, Tail};

/// A redis-server.
pub(super) struct Redis {
    server: RedisServer,
}

impl Redis {
    pub(super) fn new() -> Self {
        Self { server: RedisServer::start(Keeping::Snapshots) }
    }
}

impl Place for Redis {
    fn open(&self, tail: Arc<dyn Tail>) -> Box<dyn Broker> {
        let node = NodeId(rand::random());
        let backend = self.server.backend(node, WINDOW);
        Box::new(SharedBroker::new(backend, shared_options(node), tail, Arc::new(Deaf)))
    }

    fn let_pass(&self, time: Duration) {
        unreachable!("the time of a redis-server cannot be had to go on by {time:?}")
    }

    fn is_shared(&self) -> bool {
        true
    }
}
