//! [`Server`]: the listening socket and the threads.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use openline_ws::tls::{self, rustls::ServerConfig};
use socket2::{Domain, Socket, Type};
use tokio::sync::watch;

use crate::accept;
use crate::chat::Rooms;
use crate::guard::Guard;
use crate::shard::{self, Shared};

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 4096;

/// How a server is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one. Default: 127.0.0.1:8000.
    ///
    /// On a loopback address only requests for a loopback host are answered, and only pages of a
    /// loopback origin may open lines. Elsewhere any host is, and pages of the same host may; there
    /// is no authentication yet.
    pub listen: SocketAddr,
    /// Threads that serve lines. Default: one for each core.
    pub threads: Option<NonZeroUsize>,
    /// Serve TLS, with HTTP/2 for clients that offer it. Default: no.
    pub tls: Option<TlsFiles>,
}

impl Default for Options {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8000)), threads: None, tls: None }
    }
}

/// A certificate chain and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The server's certificate first, then those that vouch for it.
    pub certificate: PathBuf,
    /// The key of the first certificate.
    pub key: PathBuf,
}

/// Why a server could not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// Certificate or key cannot be used; the error names the file.
    Tls(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, error } if error.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "cannot listen on {address}: another program uses port {}",
                    address.port()
                )
            }
            Self::Listen { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::Tls(error) => write!(f, "TLS: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A server that listens; [`Server::run`] serves.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    threads: NonZeroUsize,
    tls: Option<Arc<ServerConfig>>,
    stop: watch::Sender<bool>,
}

/// Stops a server from elsewhere. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Handle {
    stop: watch::Sender<bool>,
}

impl Handle {
    /// Begins to stop: no new connections, lines are closed with 1001, and after a moment
    /// [`Server::run`] returns. Chat lines are closed at once; echo lines at that later moment, and
    /// those over HTTP/2 then end with their connection, without a close frame.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Server {
    /// Listens. Clients can connect from here on; they are served by [`Server::run`].
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn bind(options: &Options) -> Result<Self, StartError> {
        let tls = match &options.tls {
            None => None,
            Some(files) => {
                let protocols = ["h2", "http/1.1"];
                let config = tls::server_config(&files.certificate, &files.key, &protocols);
                Some(config.map_err(StartError::Tls)?)
            }
        };
        let failed = |error| StartError::Listen { address: options.listen, error };
        let listener = listen(options.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let threads = options.threads.or_else(|| thread::available_parallelism().ok());
        Ok(Self {
            listener,
            address,
            threads: threads.unwrap_or(NonZeroUsize::MIN),
            tls,
            stop: watch::Sender::new(false),
        })
    }

    /// Where the server listens, with the port it was given.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
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
        let Self { listener, address, threads, tls, stop } = self;
        let posts = shard::posts(threads);
        let connections = posts.iter().map(|post| post.connections.clone()).collect();
        let shared = Arc::new(Shared {
            guard: Guard::new(address.ip()),
            rooms: Rooms::new(posts.iter().map(|post| post.shard.clone()).collect()),
            tls,
        });
        let mut running = Vec::new();
        let start = || {
            for (index, post) in posts.into_iter().enumerate() {
                let serve = shard::run(post, shared.clone(), stop.subscribe());
                running.push(spawn(format!("openline-{index}"), serve)?);
            }
            let accept = accept::run(listener, connections, stop.subscribe());
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
        result
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
