//! [`Arriving`]: a client of a test that is about to come.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use openline_ws::Message;
use serde::Serialize;
use tokio::sync::mpsc;

use super::client::TestClient;
use crate::auth::Identity;
use crate::exchange::{Line, Mailbox};
use crate::metrics::Transport;
use crate::node::Node;
use crate::session::{Arrival, Served, Session};
use crate::shard::Shard;

/// What of a client may wait for the server.
const MESSAGES_MAX: usize = 256;

/// A client that is about to come. It comes when this is awaited: `server.client().await`.
#[must_use = "it comes when it is awaited"]
pub struct Arriving {
    node: Arc<Node>,
    shard: Arc<Shard>,
    patience: Duration,
    identity: Option<Identity>,
    address: IpAddr,
    namespace: Option<String>,
}

/// What a client does.
pub(super) enum Act {
    Send(ByteString),
    Close(u16, String),
}

impl Arriving {
    pub(super) fn new(node: Arc<Node>, shard: Arc<Shard>, patience: Duration) -> Self {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self { node, shard, patience, identity: None, address, namespace: None }
    }

    /// As this user, as if it had shown a token.
    pub fn user(mut self, name: &str) -> Self {
        self.identity.get_or_insert_default().user = Some(name.into());
        self
    }

    /// With this about the user: the token's `info`.
    ///
    /// # Panics
    /// When it cannot be written as JSON.
    pub fn info<T: Serialize + ?Sized>(mut self, info: &T) -> Self {
        let info = serde_json::to_string(info).expect("the info can be written as JSON");
        self.identity.get_or_insert_default().info = Some(info);
        self
    }

    /// From this address; from 127.0.0.1 if nothing is said.
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = address;
        self
    }

    /// To the handlers of another namespace. Its events and rooms are those of the namespace; the
    /// client still speaks protocol v1.
    pub fn namespace(mut self, name: &str) -> Self {
        self.namespace = Some(name.to_owned());
        self
    }

    fn handlers(&self) -> Option<Served> {
        let doors = &self.node.operator.doors;
        let Some(name) = &self.namespace else { return doors.exchange() };
        let Some(set) = doors.namespace(name) else {
            panic!("the server has no handlers for the namespace {name}")
        };
        Some(Served { set: set.clone(), parameter: Box::default() })
    }

    async fn come(self) -> TestClient {
        let handlers = self.handlers();
        let Self { node, shard, patience, identity, address, .. } = self;
        let bytes_max = node.settings().config.limits.queue.bytes();
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let mailbox = Arc::new(Mailbox::closing_when_full(bytes_max));
        let arrival = Arrival {
            transport: Transport::WebSocket,
            line: Line::Mailbox(mailbox.clone()),
            identity: Ok(identity),
            slot: None,
            client: None,
            address,
            handlers,
        };
        let mut session = Box::new(Session::open(&node, &shard, arrival));
        let welcomed = tokio::time::timeout(patience, session.welcome()).await;
        assert!(welcomed.is_ok(), "on_connect has not returned within {patience:?}");
        let (acts, coming) = mpsc::channel(MESSAGES_MAX);
        tokio::spawn(serve(session, mailbox.clone(), coming));
        TestClient::new(node, mailbox, acts, patience).await
    }
}

/// Serves a line until one of its ends closes it.
async fn serve(mut session: Box<Session>, mailbox: Arc<Mailbox>, mut coming: mpsc::Receiver<Act>) {
    loop {
        let act = tokio::select! {
            biased;
            () = mailbox.ended() => break,
            act = coming.recv() => act,
        };
        match act {
            Some(Act::Send(text)) => {
                if let Some(rest) = session.receive(Message::Text(text)) {
                    rest.await;
                }
            }
            Some(Act::Close(code, reason)) => {
                session.will_go(Some(code), &reason);
                return;
            }
            None => return,
        }
    }
    if let Some(end) = mailbox.end() {
        session.will_go(Some(end.code), &end.reason);
    }
}

impl IntoFuture for Arriving {
    type Output = TestClient;
    type IntoFuture = Pin<Box<dyn Future<Output = TestClient> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.come())
    }
}

impl fmt::Debug for Arriving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arriving").field("address", &self.address).finish_non_exhaustive()
    }
}
