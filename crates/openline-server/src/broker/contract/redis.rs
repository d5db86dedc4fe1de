//! Where brokers on Redis are opened: a redis-server for each test.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::places::{Deaf, shared_options};
use super::shared::{Joining, Site};
use super::{Place, WINDOW};
use crate::broker::redis::testing::{Keeping, RedisServer};
use crate::broker::{Broker, NodeId, SharedBroker, Tail};

/// A redis-server.
pub(super) struct Redis {
    server: Mutex<RedisServer>,
    /// Nodes that have joined, each with a user of its own, so that one can be shut out.
    joined: Mutex<Vec<NodeId>>,
}

impl Redis {
    pub(super) fn new() -> Self {
        let server = Mutex::new(RedisServer::start(Keeping::Snapshots));
        Self { server, joined: Mutex::default() }
    }
}

impl Place for Redis {
    fn open(&self, tail: Arc<dyn Tail>) -> Box<dyn Broker> {
        let node = NodeId(rand::random());
        let server = self.server.lock().unwrap();
        let backend = server.backend(&server.url(), node, WINDOW);
        Box::new(SharedBroker::new(backend, shared_options(), tail, Arc::new(Deaf)))
    }

    fn let_pass(&self, time: Duration) {
        unreachable!("the time of a redis-server cannot be had to go on by {time:?}")
    }

    fn is_shared(&self) -> bool {
        true
    }
}

impl Site for Redis {
    fn join(&self, joining: Joining) -> SharedBroker {
        let node = joining.node;
        self.joined.lock().unwrap().push(node);
        self.mend(node);
        let server = self.server.lock().unwrap();
        let url = server.url().replace("redis://", &format!("redis://{}:x@", node));
        let backend = server.backend(&url, node, WINDOW);
        joining.on(backend)
    }

    fn cut(&self, node: NodeId) {
        let (server, user) = (self.server.lock().unwrap(), node.to_string());
        server.ask(&["ACL", "SETUSER", &user, "off"]);
        server.ask(&["CLIENT", "KILL", "USER", &user]);
    }

    fn mend(&self, node: NodeId) {
        let (server, user) = (self.server.lock().unwrap(), node.to_string());
        server.ask(&["ACL", "SETUSER", &user, "on", ">x", "~*", "&*", "+@all"]);
    }

    fn snapshot(&self) {
        self.server.lock().unwrap().save();
    }

    fn roll_back(&self) {
        self.server.lock().unwrap().restart();
        let joined = self.joined.lock().unwrap().clone();
        joined.into_iter().for_each(|node| self.mend(node));
    }
}
