//! Where brokers on NATS are opened: a nats-server for each test.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::places::{Deaf, TestClock, shared_options};
use super::shared::{Joining, Site};
use super::{Place, WINDOW};
use crate::broker::nats::testing::{NatsServer, Proxy, settings};
use crate::broker::{Broker, NatsBackend, NodeId, SharedBroker, Tail};

/// A nats-server.
pub(super) struct Nats {
    server: Mutex<NatsServer>,
    clock: TestClock,
    /// The ways of nodes that have joined.
    ways: Mutex<HashMap<NodeId, Proxy>>,
}

impl Nats {
    pub(super) fn new() -> Self {
        let server = Mutex::new(NatsServer::start());
        Self { server, clock: TestClock::new(), ways: Mutex::default() }
    }

    fn backend(&self, url: &str, node: NodeId) -> NatsBackend {
        let window_ms = u64::try_from(WINDOW.as_millis()).unwrap();
        let timeout = shared_options().timeout;
        let settings = settings(url, |settings| settings.timeout = timeout);
        NatsBackend::new(&settings, node, window_ms, [], self.clock.start())
    }
}

impl Place for Nats {
    fn open(&self, tail: Arc<dyn Tail>) -> Box<dyn Broker> {
        let node = NodeId(rand::random());
        let backend = self.backend(&self.server.lock().unwrap().url(), node);
        Box::new(SharedBroker::new(backend, shared_options(), tail, Arc::new(Deaf)))
    }

    /// Times are those of the nodes.
    fn let_pass(&self, time: Duration) {
        self.clock.let_pass(time);
    }

    fn is_shared(&self) -> bool {
        true
    }
}

impl Site for Nats {
    fn join(&self, joining: Joining) -> SharedBroker {
        let node = joining.node;
        let way = Proxy::to(self.server.lock().unwrap().port());
        let backend = self.backend(&way.url(), node);
        self.ways.lock().unwrap().insert(node, way);
        joining.on(backend)
    }

    fn cut(&self, node: NodeId) {
        self.ways.lock().unwrap()[&node].cut();
    }

    fn mend(&self, node: NodeId) {
        self.ways.lock().unwrap()[&node].mend();
    }

    fn snapshot(&self) {
        let server = self.server.lock().unwrap();
        server.stop();
        server.save();
        server.go_on();
    }

    fn roll_back(&self) {
        let mut server = self.server.lock().unwrap();
        server.kill();
        server.roll_back();
        server.run();
    }
}
