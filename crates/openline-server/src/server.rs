//! [`Server`]: the listening socket and the threads.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::app::{Doors, HandlerThreads, Namespace, ServerBuilder};
use crate::config::Config;
use crate::lifecycle::{Lifecycle, Terms};
use crate::log::Log;
use crate::node::{self, Node, Parts, StartError};
use crate::pulse::Pulse;
use crate::reload::{ConfigSource, ReloadError, Reloaded};
use crate::shard::{self, ShardInput};
use crate::socketio::engine::Mounts;
use crate::upgrade::Listening;
use crate::{accept, caretaker, chat, lifecycle, ticker, upgrade};

/// How long a handler that blocks is waited for when the server has stopped.
const HANDLERS_GRACE: Duration = Duration::from_millis(500);

/// A server that listens; [`Server::run`] serves.
pub struct Server {
    listening: Listening,
    prepared: Prepared,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.local_addr()).finish_non_exhaustive()
    }
}

/// Ends a server from elsewhere, and has it go by another configuration. Cloning is cheap.
#[derive(Clone)]
pub struct Handle {
    lifecycle: Lifecycle,
    node: Weak<Node>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("lifecycle", &self.lifecycle).finish_non_exhaustive()
    }
}

impl Handle {
    pub(crate) fn of(node: &Arc<Node>) -> Self {
        Self { lifecycle: node.lifecycle.clone(), node: Arc::downgrade(node) }
    }

    /// Begins to drain: `/health/ready` says no, and lines are closed a few at a time, by `[drain]`
    /// of the configuration. When none is left the server stops, as by [`Handle::stop`]. What has
    /// begun to drain or to stop is not changed by it.
    pub fn drain(&self) {
        self.lifecycle.drain();
    }

    /// Begins to stop: `/health/ready` says no, there are no new connections, lines are closed with
    /// 1012 and told when to come back, and after a moment [`Server::run`] returns. Those of the demos
    /// are closed with 1001; echo lines at that later moment, and those over HTTP/2 then end with
    /// their connection, without a close frame.
    pub fn stop(&self) {
        self.lifecycle.stop();
    }

    /// Waits until a drain is over, or [`Handle::stop`] was called. It is only a moment then until all
    /// has ended.
    pub async fn stopped(&self) {
        self.lifecycle.stopped().await;
    }

    /// From where [`Handle::reload`] and `POST /api/v1/reload` load the configuration.
    pub fn load_from(&self, source: ConfigSource) {
        if let Some(node) = self.node.upgrade() {
            node.reloads.load_from(source);
        }
    }

    /// Loads the configuration again, from where [`Handle::load_from`] said, and has it be in force,
    /// all of it at once; lines stay open. Where nothing was said the configuration stays what it is,
    /// and the files that it names, keys and certificates, are read again. Files are read on this
    /// thread.
    ///
    /// # Errors
    /// Why nothing has changed. The log says it too.
    pub fn reload(&self) -> Result<Reloaded, ReloadError> {
        self.node.upgrade().ok_or(ReloadError::Stopped)?.reload()
    }

    /// As [`Handle::reload`], with a configuration that is at hand: start from the one that the server
    /// was made with, and change what is to be another.
    ///
    /// # Errors
    /// As there.
    pub fn reload_with(&self, config: Config) -> Result<Reloaded, ReloadError> {
        self.node.upgrade().ok_or(ReloadError::Stopped)?.reload_with(config)
    }

    /// Waits until it begins to drain or to stop.
    pub async fn stopping(&self) {
        let _ = self.lifecycle.draining().await;
    }

    /// The process that has taken over, if one has: then this server drains because of it, and the
    /// service goes on. See [`Listening::take_over`].
    pub fn successor(&self) -> Option<u32> {
        self.lifecycle.successor()
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
        let listening = Listening::at(config.listen)?;
        Self::bind_on(config, listening)
    }

    /// As [`Server::bind`], on a socket that listens already; `listen` of the configuration says
    /// nothing then. See [`Listening::configure`] for what may be unsafe at its address.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn bind_on(config: Config, listening: Listening) -> Result<Self, StartError> {
        Self::start(config, listening, Doors::default(), HandlerThreads::Own(None))
    }

    /// A server with handlers of its own: see [`app`](crate::app).
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// As [`Server::bind`], with endpoints of Engine.IO.
    #[cfg(test)]
    pub(crate) fn bind_with(config: Config, mounts: Mounts) -> Result<Self, StartError> {
        let listening = Listening::at(config.listen)?;
        let threads = HandlerThreads::Own(None);
        Self::start_with(config, listening, Doors::default(), threads, mounts)
    }

    pub(crate) fn start(
        config: Config,
        listening: Listening,
        doors: Doors,
        handler_threads: HandlerThreads,
    ) -> Result<Self, StartError> {
        let (config, doors, mounts) = furnish(config, doors);
        Self::start_with(config, listening, doors, handler_threads, mounts)
    }

    fn start_with(
        config: Config,
        mut listening: Listening,
        doors: Doors,
        handler_threads: HandlerThreads,
        mounts: Mounts,
    ) -> Result<Self, StartError> {
        if let Some(predecessor) = listening.predecessor() {
            node::rehearse(&config)?;
            predecessor.take_store(config.upgrade.lines && doors.exchange().is_none())?;
        }
        let address = listening.local_addr();
        let prepared = Prepared::new(config, doors, handler_threads, mounts, address)?;
        Ok(Self { listening, prepared })
    }

    /// Where the server listens, with the port it was given.
    pub fn local_addr(&self) -> SocketAddr {
        self.listening.local_addr()
    }

    /// The file with the key of the HTTP API, unless the server keeps nothing.
    pub fn api_key_file(&self) -> Option<&Path> {
        self.prepared.node.api_key_file.as_deref()
    }

    /// A namespace that has handlers, such as `/`: to send to its clients from outside of handlers.
    pub fn namespace(&self, name: &str) -> Option<Namespace> {
        Namespace::find(&self.prepared.node, name)
    }

    /// A handle to end it.
    pub fn handle(&self) -> Handle {
        Handle::of(&self.prepared.node)
    }

    /// Whether its threads take their turns, for whoever restarts a server that hangs.
    pub fn pulse(&self) -> Pulse {
        Pulse::new(self.prepared.node.exchange.shards().iter().cloned().collect())
    }

    /// Serves until [`Handle::stop`] is called, or a drain that [`Handle::drain`] began is over.
    ///
    /// A server on the socket of [`Listening::take_over`] takes over now.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be started; with a [`StartError`] inside when the process
    /// before did not wait, and goes on.
    pub fn run(self) -> io::Result<()> {
        let Self { listening, mut prepared } = self;
        let address = listening.local_addr();
        let (log, node) = (prepared.node.log.clone(), prepared.node.clone());
        let (listener, predecessor) = listening.into_parts();
        let (shared, succeeds) = (listener.try_clone()?, predecessor.is_some());
        if let Some(predecessor) = predecessor {
            let taken = predecessor.serve(&node);
            let lines = taken.map_err(|error| io::Error::other(StartError::from(error)))?;
            lines.deal(&mut prepared.inputs);
        }
        log.started(address, prepared.node.tls.is_some(), env!("CARGO_PKG_VERSION"));
        let closed = node.lifecycle.closed_to_connections();
        let accept = accept::run(listener, prepared.connections(), node.clone(), closed);
        let upgrades = upgrade::serve(node.clone(), shared, succeeds);
        let accept = async move { tokio::join!(accept, upgrades).0 };
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
        let lifecycle = Lifecycle::new(Terms::of(&config));
        let config = Arc::new(config);
        let parts =
            Parts { config, shards, address, log, mounts, lifecycle, doors, handler_threads };
        let node = Arc::new(node::start(parts)?);
        for doubt in node.settings().config.warnings() {
            node.log.doubtful(&doubt);
        }
        Ok(Self { node, inputs })
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
        let Self { node, inputs } = self;
        let lifecycle = node.lifecycle.clone();
        let mut running = Vec::new();
        let start = || {
            for (index, input) in inputs.into_iter().enumerate() {
                let serve = shard::run(input, node.clone());
                running.push(spawn(format!("openline-{index}"), serve)?);
            }
            let keep = caretaker::run(node.clone());
            let deadlines = node.operator.deadlines.clone();
            let stopped = node.lifecycle.stopped();
            let drain = lifecycle::run(node.clone());
            let demo = demo(node);
            let accept = async move {
                let deadlines = deadlines.watch(stopped);
                let (accepted, (), (), (), ()) = tokio::join!(accept, keep, demo, deadlines, drain);
                accepted
            };
            running.push(spawn("openline-accept".to_owned(), accept)?);
            Ok(())
        };
        let started = start();
        if started.is_err() {
            lifecycle.stop();
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

/// What the demos do by themselves.
async fn demo(node: Arc<Node>) {
    if node.has_demo() && node.settings().config.demo_ticker {
        ticker::run(&node).await;
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
