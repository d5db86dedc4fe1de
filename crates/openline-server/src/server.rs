//! [`Server`]: the listening socket and the threads.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use socket2::{Domain, Socket, Type};
use tokio::sync::watch;

use crate::app::{Doors, HandlerThreads, Namespace, ServerBuilder};
use crate::config::Config;
use crate::log::Log;
use crate::node::{self, Node, Parts, StartError};
use crate::shard::{self, ShardInput};
use crate::socketio::engine::Mounts;
use crate::{accept, caretaker, chat, ticker};

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 4096;

/// A server that listens; [`Server::run`] serves.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    inputs: Vec<ShardInput>,
    node: Arc<Node>,
    stop: watch::Sender<bool>,
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
        Self::start_with(config, Doors::default(), None, mounts)
    }

    pub(crate) fn start(
        config: Config,
        mut doors: Doors,
        handler_threads: HandlerThreads,
    ) -> Result<Self, StartError> {
        let config = chat::with_namespace(config);
        if config.demo {
            chat::serve(&mut doors);
        }
        let mounts = crate::socketio::mounts(&config, &doors);
        Self::start_with(config, doors, handler_threads, mounts)
    }

    fn start_with(
        config: Config,
        doors: Doors,
        handler_threads: Option<NonZeroUsize>,
        mounts: Mounts,
    ) -> Result<Self, StartError> {
        let failed = |error| StartError::Listen { address: config.listen, error };
        let listener = listen(config.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
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
        Ok(Self { listener, address, inputs, node, stop })
    }

    /// Where the server listens, with the port it was given.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The file with the key of the HTTP API, unless the server keeps nothing.
    pub fn api_key_file(&self) -> Option<&Path> {
        self.node.api_keys.path()
    }

    /// A namespace that has handlers, such as `/`: to send to its clients from outside of handlers.
    pub fn namespace(&self, name: &str) -> Option<Namespace> {
        Namespace::find(&self.node, name)
    }

    /// A handle to stop it.
    pub fn handle(&self) -> Handle {
        Handle { stop: self.stop.clone() }
    }

    /// Serves until [`Handle::stop`] is called.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be started.
    pub fn run(self) -> io::Result<()> {
        let Self { listener, address, inputs, node, stop } = self;
        let connections = inputs.iter().map(|input| input.connections.clone()).collect();
        let log = node.log.clone();
        for doubt in node.exchange.config.warnings() {
            log.doubtful(&doubt);
        }
        log.started(address, node.tls.is_some(), env!("CARGO_PKG_VERSION"));
        let mut running = Vec::new();
        let start = || {
            for (index, input) in inputs.into_iter().enumerate() {
                let serve = shard::run(input, node.clone(), stop.subscribe());
                running.push(spawn(format!("openline-{index}"), serve)?);
            }
            let accept = accept::run(listener, connections, log.clone(), stop.subscribe());
            let keep = caretaker::run(node.clone(), stop.subscribe());
            let deadlines = node.operator.deadlines.clone();
            let stopped = stopped(stop.subscribe());
            let demo = demo(node, stop.subscribe());
            let accept = async move {
                let deadlines = deadlines.watch(stopped);
                let (accepted, (), (), ()) = tokio::join!(accept, keep, demo, deadlines);
                accepted
            };
            running.push(spawn("openline-accept".to_owned(), accept)?);
            Ok(())
        };
        let mut result = start();
        if result.is_err() {
            stop.send_replace(true);
        }
        for thread in running {
            let panicked = |_| Err(io::Error::other("a thread panicked"));
            result = result.and(thread.join().unwrap_or_else(panicked));
        }
        log.stopped();
        result
    }
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
