//! [`Stage`]: the server under test, as processes that can be broken.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::{BrokerKind, Options, Planned};

/// How long a node may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(20);
const API_KEY: &str = "openline-check-openline-check-key";

/// The nodes of a run and what they stand on.
pub struct Stage {
    nodes: Vec<Child>,
    addresses: Vec<SocketAddr>,
}

impl Stage {
    /// Starts all of it, and returns when every node is ready.
    ///
    /// # Errors
    /// What could not be started.
    pub async fn start(options: Options) -> Result<Self, String> {
        if options.broker != BrokerKind::Embedded || options.nodes != 1 {
            return Err("there is one embedded node, so far".to_owned());
        }
        let address = free_address().await.map_err(|error| format!("no free port: {error}"))?;
        let config = options.folder.join("node-1.toml");
        let keys = format!("{}\n[api]\nkeys = [\"{API_KEY}\"]\n", options.config);
        let log = std::fs::write(&config, keys)
            .and_then(|()| std::fs::File::create(options.folder.join("node-1.log")))
            .map_err(|error| format!("{}: {error}", options.folder.display()))?;
        let node = Command::new(&options.bin)
            .args(["serve", "--threads", "1", "--listen", &address.to_string(), "--config"])
            .arg(&config)
            .arg("--data-dir")
            .arg(options.folder.join("node-1"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{}: {error}", options.bin.display()))?;
        wait_for(address).await?;
        Ok(Self { nodes: vec![node], addresses: vec![address] })
    }

    /// Where clients connect, one for each node; the same over restarts.
    pub fn nodes(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A key of the HTTP API of every node.
    pub fn api_key(&self) -> &str {
        API_KEY
    }

    /// Breaks something.
    ///
    /// # Errors
    /// Why it could not be broken.
    pub async fn begin(&mut self, fault: &Planned) -> Result<(), String> {
        match fault.kind {}
    }

    /// Undoes it.
    ///
    /// # Errors
    /// Why it could not be undone.
    pub async fn end(&mut self, fault: &Planned) -> Result<(), String> {
        match fault.kind {}
    }

    /// Undoes whatever is broken still, and returns when every node is ready.
    ///
    /// # Errors
    /// What does not come back.
    pub async fn heal(&mut self) -> Result<(), String> {
        for address in &self.addresses {
            wait_for(*address).await?;
        }
        Ok(())
    }

    /// Ends all of it.
    pub async fn stop(mut self) {
        for node in &mut self.nodes {
            // It may have ended by itself.
            let _ = node.kill().await;
        }
    }
}

async fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()
}

async fn wait_for(address: SocketAddr) -> Result<(), String> {
    let deadline = Instant::now() + START_TIMEOUT;
    while TcpStream::connect(address).await.is_err() {
        if Instant::now() > deadline {
            return Err(format!("nobody listens on {address} after {START_TIMEOUT:?}"));
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
