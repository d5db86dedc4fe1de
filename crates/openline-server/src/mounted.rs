//! [`Mounted`]: Openline inside of a server of axum's.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use ::http::{Request, Response, StatusCode};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use openline_ws::Rejection;
use tokio::sync::mpsc;

use crate::app::Namespace;
use crate::connection::Site;
use crate::http;
use crate::node::Node;
use crate::server::{self, Handle, Prepared};
use crate::shard::Shard;

/// Openline inside of a server of axum's: the server has the sockets, this has the channels. Made by
/// [`ServerBuilder::mount`](crate::app::ServerBuilder::mount). Dropping it stops it.
///
/// Its threads deliver; lines are read on the runtime of axum's server.
#[must_use = "it stops when it is dropped"]
pub struct Mounted {
    desk: Arc<Desk>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    /// While they are there, more connections might come, which is what keeps the shards at work.
    _connections: Vec<mpsc::Sender<TcpStream>>,
}

/// Deals clients out to the shards in turn.
struct Desk {
    node: Arc<Node>,
    shards: Vec<Arc<Shard>>,
    next: AtomicUsize,
}

impl Mounted {
    pub(crate) fn start(prepared: Prepared) -> io::Result<Self> {
        let shards = prepared.inputs.iter().map(|input| input.shard.clone()).collect();
        let connections = prepared.connections();
        let node = prepared.node.clone();
        let (threads, started) = prepared.start_threads(async { Ok(()) });
        let desk = Arc::new(Desk { node, shards, next: AtomicUsize::new(0) });
        let mounted = Self { desk, threads, _connections: connections };
        // What has started stops with it.
        started.map(|()| mounted)
    }

    /// All of Openline's paths: `/ws`, `/sse`, `/poll`, `/api/v1/…` and so on. It answers whatever
    /// comes to it, so it is for `merge`, `nest` or `fallback_service`.
    ///
    /// The server has to be made by `into_make_service_with_connect_info::<SocketAddr>()`: guards and
    /// logs need the address of the client.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        Router::new().fallback(answer).with_state(self.desk.clone())
    }

    /// A namespace that has handlers, such as `/`: to send to its clients from axum's handlers.
    pub fn namespace(&self, name: &str) -> Option<Namespace> {
        Namespace::find(&self.desk.node, name)
    }

    /// A handle to end it: lines are closed with 1012, and streams end. axum's graceful shutdown
    /// waits for streams, so end this first; where it is to drain, wait for [`Handle::stopped`] before
    /// [`Mounted::join`].
    pub fn handle(&self) -> Handle {
        Handle::of(&self.desk.node)
    }

    /// Stops, and waits until all lines have been told.
    ///
    /// # Errors
    /// When one of its threads failed.
    pub fn join(mut self) -> io::Result<()> {
        self.desk.node.lifecycle.stop();
        server::join(std::mem::take(&mut self.threads), Ok(()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.desk.node.lifecycle.stop();
    }
}

impl fmt::Debug for Mounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mounted").field("shards", &self.desk.shards.len()).finish_non_exhaustive()
    }
}

async fn answer(State(desk): State<Arc<Desk>>, request: Request<Body>) -> Response<Body> {
    let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied()
    else {
        let message = "the server does not know its clients' addresses: serve the router by \
                       `into_make_service_with_connect_info::<SocketAddr>()`";
        let wrong = Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message);
        return wrong.response().map(Body::from);
    };
    if desk.node.lifecycle.is_stopped() {
        let stopped =
            Rejection::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", "the server stops");
        return stopped.response().map(Body::from);
    }
    let turn = desk.next.fetch_add(1, Ordering::Relaxed);
    let shard = desk.shards[turn % desk.shards.len()].clone();
    http::answer(Site { peer: peer.ip(), shard, node: desk.node.clone() }, request).await
}
