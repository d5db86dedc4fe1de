//! A server for one test, and lines to it that can be cut.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use openline_client::{Backoff, Client, ClientBuilder};
use openline_server::{Config, Handle, Server};
use tokio::io::{DuplexStream, copy_bidirectional, duplex};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// When a test gives up; nothing takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what is to come.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it comes in time")
}

/// A server on a free port that keeps nothing, stopped when dropped.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    handle: Handle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl TestServer {
    pub(crate) fn start() -> Self {
        Self::with_config(Config::default())
    }

    pub(crate) fn with_config(mut config: Config) -> Self {
        config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.ephemeral = true;
        config.threads = NonZeroUsize::new(1);
        let server = Server::bind(config).unwrap();
        let (address, handle) = (server.local_addr(), server.handle());
        Self { address, handle, thread: Some(thread::spawn(|| server.run())) }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// A client that comes back quickly, and the scissors for its lines.
    pub(crate) fn client(&self) -> (ClientBuilder, Scissors) {
        let (scissors, address) = (Scissors::default(), self.address);
        let own = scissors.clone();
        let builder = Client::builder(&self.url()).unwrap().over(move || own.clone().open(address));
        let soon = Duration::from_millis(20);
        (builder.backoff(Backoff::full_jitter(soon, soon)), scissors)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !thread::panicking() {
                ended.unwrap().unwrap();
            }
        }
    }
}

/// Cuts the line of one client, without a word to either end.
#[derive(Clone, Default)]
pub(crate) struct Scissors {
    line: Arc<Mutex<Option<AbortHandle>>>,
}

impl Scissors {
    async fn open(self, server: SocketAddr) -> io::Result<DuplexStream> {
        let mut socket = TcpStream::connect(server).await?;
        socket.set_nodelay(true)?;
        let (ours, mut theirs) = duplex(16 * 1024);
        let carrying = tokio::spawn(async move {
            let _ = copy_bidirectional(&mut socket, &mut theirs).await;
        });
        *self.line.lock().unwrap() = Some(carrying.abort_handle());
        Ok(ours)
    }

    /// Ends the line that there is.
    pub(crate) fn cut(&self) {
        if let Some(line) = self.line.lock().unwrap().take() {
            line.abort();
        }
    }
}
