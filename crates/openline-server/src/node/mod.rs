//! [`Node`]: what all threads of a server share.

mod ask;
mod broker;
mod events;
mod options;
mod renew;
mod start;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openline_protocol::Position;

use crate::app::Operator;
use crate::auth::{Revocations, Tickets, UserLines};
use crate::broker::NodeId;
use crate::cluster::{Cluster, Forwards};
use crate::endpoint::Served;
use crate::exchange::Exchange;
use crate::guard::Keyed;
use crate::lifecycle::Lifecycle;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::reload::{InForce, Reloads};
use crate::session::Expelled;
use crate::shard::ShardMessage;
use crate::socketio::engine;
use crate::tls::Tls;
use crate::transport::KeptSessions;
use crate::uploads::Uploads;
use crate::webhook;

pub(crate) use ask::{Asked, Asking};
#[cfg(test)]
pub(crate) use broker::Ground;
pub use start::StartError;
pub(crate) use start::{Parts, rehearse, start, verifier};
#[cfg(test)]
pub(crate) use start::{for_test, for_test_with, start_on};

/// What all threads share.
pub(crate) struct Node {
    /// Of this run; no other run of any node has it.
    pub(crate) id: NodeId,
    /// Of the machine, with the port.
    pub(crate) name: Box<str>,
    pub(crate) exchange: Arc<Exchange>,
    /// What was taken back.
    pub(crate) revocations: Arc<Revocations>,
    /// Where the key of the API is kept.
    pub(crate) api_key_file: Option<PathBuf>,
    pub(crate) tickets: Tickets,
    pub(crate) user_lines: UserLines,
    pub(crate) user_rates: Keyed,
    pub(crate) channel_rates: Keyed,
    /// Of requests that are sessions of their own, by user or address.
    pub(crate) request_rates: Keyed,
    /// Those that clients reach by requests.
    pub(crate) kept: KeptSessions,
    /// The way to sessions on other nodes; none where there can be no others.
    pub(crate) forwards: Option<Arc<Forwards>>,
    /// What the paths of Engine.IO lead to, and the connections there.
    pub(crate) mounts: engine::Mounts,
    pub(crate) engine: engine::Connections,
    pub(crate) asked: Asked,
    /// What waits for the backend, whether or not there is one.
    pub(crate) webhook_desk: Arc<webhook::Desk>,
    pub(crate) reloads: Reloads,
    pub(crate) uploads: Uploads,
    pub(crate) metrics: Metrics,
    pub(crate) log: Log,
    /// None where the server speaks plain HTTP.
    pub(crate) tls: Option<Tls>,
    /// The server's own handlers.
    pub(crate) operator: Operator,
    /// How far the server is.
    pub(crate) lifecycle: Lifecycle,
    numbers: AtomicU64,
}

impl Node {
    /// A number that no other session has.
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The settings in force: take them once for a request.
    pub(crate) fn settings(&self) -> InForce {
        self.exchange.settings()
    }

    /// This node as one of several, where it can be one.
    pub(crate) fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.exchange.cluster()
    }

    /// Whether clients have to show a token before they may do anything.
    pub(crate) fn needs_token(&self) -> bool {
        !self.settings().config.auth.anonymous
    }

    /// Which of the endpoints that may be off are on.
    pub(crate) fn served(&self) -> Served<'_> {
        let (doors, demo) = (&self.operator.doors, self.has_demo());
        Served { doors, demo, uploads: self.uploads.is_enabled() }
    }

    /// Whether the pages and endpoints to try the server are served.
    pub(crate) fn has_demo(&self) -> bool {
        self.settings().config.demo
    }

    /// What the ack of a publication means.
    pub(crate) fn level(&self, position: Option<Position>) -> &'static str {
        match position {
            Some(_) => self.exchange.broker().level(),
            // What is not kept is nowhere but on its way.
            None => "memory",
        }
    }

    /// Ends lines, on whatever thread they are.
    pub(crate) fn expel(&self, expelled: Expelled) {
        let expelled = Arc::new(expelled);
        for shard in self.exchange.shards() {
            shard.inbox.put([ShardMessage::Expel(expelled.clone())]);
        }
    }
}
