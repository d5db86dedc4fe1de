//! [`Server`]: the listening socket and the threads.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::sync::{mpsc, watch};

use crate::app::{Doors, HandlerThreads, Namespace, ServerBuilder};
use crate::config::Config;
use crate::log::Log;
use crate::node::{self, Node, Parts, StartError};
use crate::shard::{self, ShardInput};
use crate::socketio::engine::Mounts;
use crate::{accept, caretaker, chat, ticker};

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 4096;

/// How long a handler that blocks is waited for when the server has stopped.
const HANDLERS_GRACE: Duration = Duration::from_millis(500);

/// A server that listens; [`Server::run`] serves.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    prepared: Prepared,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Stops a server from elsewhere. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Handle {
    stop: watch::Sender<bool>,
}

impl Handle {
    pub(crate) fn new(stop: watch::Sender<bool>) -> Self {
        Self { stop }
    }

    /// Begins to stop: `/health/ready` says no, there are no new connections, lines are closed with
    /// 1012 and told when to come back, and after a moment [`Server::run`] returns. Those of the demos
    /// are closed with 1001; echo lines at that later moment, and those over HTTP/2 then end with
    /// their connection, without a close frame.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Server {
    /// Listens, and opens the store. Clients can connect from here on; they are served by
    /// [`Server::run`].
    ///
    /// On a loopback address only requests for a loopback host are answered, and only pages of a
    /// loopback origin may open lines, unless the configuration says otherwise.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn bind(config: Config) -> Result<Self, StartError> {
        Self::start(config, Doors::default(), HandlerThreads::Own(None))
    }

    /// A server with handlers of its own: see [`app`](crate::app).
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// As [`Server::bind`], with endpoints of Engine.IO.
    #[cfg(test)]
    pub(crate) fn bind_with(config: Config, mounts: Mounts) -> Result<Self, StartError> {
        Self::start_with(config, Doors::default(), HandlerThreads::Own(None), mounts)
    }

    pub(crate) fn start(
        config: Config,
        doors: Doors,
        handler_threads: HandlerThreads,
    ) -> Result<Self, StartError> {
        let (config, doors, mounts) = furnish(config, doors);
        Self::start_with(config, doors, handler_threads, mounts)
    }

    fn start_with(
        config: Config,
        doors: Doors,
        handler_threads: HandlerThreads,
        mounts: Mounts,
    ) -> Result<Self, StartError> {
        let failed = |error| StartError::Listen { address: config.listen, error };
        let listener = listen(config.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let prepared = Prepared::new(config, doors, handler_threads, mounts, address)?;
        Ok(Self { listener, address, prepared })
    }

    /// Where the server listens, with the port it was given.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The file with the key of the HTTP API, unless the server keeps nothing.
    pub fn api_key_file(&self) -> Option<&Path> {
        self.prepared.node.api_keys.path()
    }

    /// A namespace that has handlers, such as `/`: to send to its clients from outside of handlers.
    pub fn namespace(&self, name: &str) -> Option<Namespace> {
        Namespace::find(&self.prepared.node, name)
    }

    /// A handle to stop it.
    pub fn handle(&self) -> Handle {
        Handle::new(self.prepared.stop.clone())
    }

    /// Serves until [`Handle::stop`] is called.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be started.
    pub fn run(self) -> io::Result<()> {
        let Self { listener, address, prepared } = self;
        let (log, node) = (prepared.node.log.clone(), prepared.node.clone());
        log.started(address, prepared.node.tls.is_some(), env!("CARGO_PKG_VERSION"));
        let stop = prepared.stop.subscribe();
        let accept = accept::run(listener, prepared.connections(), log.clone(), stop);
        let (running, started) = prepared.start_threads(accept);
        let result = join(running, started);
        node.operator.end(HANDLERS_GRACE);
        log.stopped();
        result
    }
}

/// With what the demo adds, and Socket.IO.
pub(crate) fn furnish(config: Config, mut doors: Doors) -> (Config, Doors, Mounts) {
    let config = chat::with_namespace(config);
    if config.demo {
        chat::serve(&mut doors);
    }
    let mounts = crate::socketio::mounts(&config, &doors);
    (config, doors, mounts)
}

/// All that serves, before it does: wherever connections come from.
pub(crate) struct Prepared {
    pub(crate) node: Arc<Node>,
    pub(crate) inputs: Vec<ShardInput>,
    pub(crate) stop: watch::Sender<bool>,
}

/// Threads that run.
type Running = Vec<JoinHandle<io::Result<()>>>;

impl Prepared {
    pub(crate) fn new(
        config: Config,
        doors: Doors,
        handler_threads: HandlerThreads,
        mounts: Mounts,
        address: SocketAddr,
    ) -> Result<Self, StartError> {
        let threads = config.threads.or_else(|| thread::available_parallelism().ok());
        let inputs = shard::inputs(threads.unwrap_or(NonZeroUsize::MIN));
        let shards = inputs.iter().map(|input| input.shard.clone()).collect();
        let log = Log::new(config.log.level, config.log.format);
        let stop = watch::Sender::new(false);
        let config = Arc::new(config);
        let stopped = stop.subscribe();
        let parts =
            Parts { config, shards, address, log, mounts, stop: stopped, doors, handler_threads };
        let node = Arc::new(node::start(parts)?);
        for doubt in node.exchange.config.warnings() {
            node.log.doubtful(&doubt);
        }
        Ok(Self { node, inputs, stop })
    }

    /// Where shards take connections.
    pub(crate) fn connections(&self) -> Vec<mpsc::Sender<TcpStream>> {
        self.inputs.iter().map(|input| input.connections.clone()).collect()
    }

    /// Starts the threads of the shards, and one for the rest, which is also where `accept` runs.
    /// What has started is to be joined although something failed: it stops then.
    pub(crate) fn start_threads(
        self,
        accept: impl Future<Output = io::Result<()>> + Send + 'static,
    ) -> (Running, io::Result<()>) {
        let Self { node, inputs, stop } = self;
        let mut running = Vec::new();
        let start = || {
            for (index, input) in inputs.into_iter().enumerate() {
                let serve = shard::run(input, node.clone(), stop.subscribe());
                running.push(spawn(format!("openline-{index}"), serve)?);
            }
            let keep = caretaker::run(node.clone(), stop.subscribe());
            let deadlines = node.operator.deadlines.clone();
            let stopped = stopped(stop.subscribe());
            let demo = demo(node, stop.subscribe());
            // Whoever started the server need not keep a handle: without a sender it would be stopped.
            let kept = stop.clone();
            let accept = async move {
                let _kept = kept;
                let deadlines = deadlines.watch(stopped);
                let (accepted, (), (), ()) = tokio::join!(accept, keep, demo, deadlines);
                accepted
            };
            running.push(spawn("openline-accept".to_owned(), accept)?);
            Ok(())
        };
        let started = start();
        if started.is_err() {
            stop.send_replace(true);
        }
        (running, started)
    }
}

/// Waits for threads to end.
pub(crate) fn join(running: Running, mut result: io::Result<()>) -> io::Result<()> {
    for thread in running {
        let panicked = |_| Err(io::Error::other("a thread panicked"));
        result = result.and(thread.join().unwrap_or_else(panicked));
    }
    result
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What the demos do by themselves.
async fn demo(node: Arc<Node>, stop: watch::Receiver<bool>) {
    if node.has_demo() && node.exchange.config.demo_ticker {
        ticker::run(&node, stop).await;
    }
}

/// Runs a future on a thread and a runtime of its own.
fn spawn<F>(name: String, future: F) -> io::Result<JoinHandle<io::Result<()>>>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(name).spawn(move || runtime.block_on(future))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A server that restarts takes its port again while old connections linger. Two servers cannot
    // share it: that would need SO_REUSEPORT, which would also hide that the port is taken.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
