//! [`BrokerServer`]: a Redis or NATS server of the run's own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::BrokerKind;
use super::folder;
use super::probe::{answers, free_address};
use super::program::Program;

const START_TIMEOUT: Duration = Duration::from_secs(20);
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// The server, its data, and a copy of it.
pub(super) struct BrokerServer {
    kind: BrokerKind,
    program: Program,
    address: SocketAddr,
    data: PathBuf,
    copy: PathBuf,
}

impl BrokerServer {
    /// Starts one with its data in a folder.
    pub(super) async fn start(kind: BrokerKind, folder: &Path) -> Result<Self, String> {
        let address = free_address(Ipv4Addr::LOCALHOST.into())?;
        let (data, copy) = (folder.join("broker"), folder.join("broker-copy"));
        fs::create_dir_all(&data).map_err(|error| format!("{}: {error}", data.display()))?;
        let command = command(kind, address.port(), &data);
        let program = Program::new(&command[0].clone(), command, folder.join("broker.log"));
        let mut this = Self { kind, program, address, data, copy };
        this.program.start()?;
        this.wait().await?;
        Ok(this)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a node that reaches it at this address is told.
    pub(super) fn url(&self, at: SocketAddr) -> String {
        match self.kind {
            BrokerKind::Nats => format!("nats://{at}"),
            BrokerKind::Redis | BrokerKind::Embedded => format!("redis://{at}"),
        }
    }

    /// Kills it.
    pub(super) async fn kill(&mut self) {
        self.program.kill().await;
    }

    /// Has it end in its own way.
    pub(super) async fn end(&mut self) -> Result<(), String> {
        self.program.end(END_TIMEOUT).await
    }

    /// Starts it where it does not run, and waits until it answers.
    pub(super) async fn restart(&mut self) -> Result<(), String> {
        if !self.program.runs() {
            self.program.start()?;
        }
        self.wait().await
    }

    pub(super) async fn pause(&self) -> Result<(), String> {
        self.program.pause().await
    }

    pub(super) async fn go_on(&self) -> Result<(), String> {
        self.program.go_on().await
    }

    /// Takes a copy of its data, of one moment.
    pub(super) async fn take_copy(&self) -> Result<(), String> {
        copy_of_a_moment(&self.program, &self.data, &self.copy).await
    }

    /// Kills it, and starts it with the copy that was taken last.
    pub(super) async fn roll_back(&mut self) -> Result<(), String> {
        self.kill().await;
        put_back(&self.data, &self.copy)?;
        self.restart().await
    }

    /// Has it close the connections on which others listen.
    pub(super) async fn kill_pubsub(&self) -> Result<(), String> {
        match answers(self.address, b"CLIENT KILL TYPE pubsub\r\n", ":").await {
            true => Ok(()),
            false => Err("redis does not do CLIENT KILL TYPE pubsub".to_owned()),
        }
    }

    async fn wait(&mut self) -> Result<(), String> {
        let (address, kind) = (self.address, self.kind);
        let ready = async || match kind {
            BrokerKind::Nats => answers(address, b"", "INFO").await,
            BrokerKind::Redis | BrokerKind::Embedded => {
                answers(address, b"PING\r\n", "+PONG").await
            }
        };
        self.program.wait_until(START_TIMEOUT, ready).await
    }
}

fn command(kind: BrokerKind, port: u16, data: &Path) -> Vec<String> {
    let (port, data) = (port.to_string(), data.to_string_lossy());
    let command: &[&str] = match kind {
        BrokerKind::Nats => &[
            "nats-server",
            "--addr",
            "127.0.0.1",
            "--port",
            &port,
            "--jetstream",
            "--store_dir",
            &data,
        ],
        BrokerKind::Redis | BrokerKind::Embedded => &[
            "redis-server",
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--dir",
            &data,
            "--save",
            "",
            "--appendonly",
            "yes",
            // What was acknowledged is there after a kill: only a copy put back may forget.
            "--appendfsync",
            "always",
            "--maxmemory-policy",
            "noeviction",
        ],
    };
    command.iter().map(|part| (*part).to_owned()).collect()
}

/// Copies what a program writes while it stands still.
pub(super) async fn copy_of_a_moment(
    program: &Program,
    data: &Path,
    copy: &Path,
) -> Result<(), String> {
    program.pause().await?;
    let copied = match copy.exists() {
        true => fs::remove_dir_all(copy).and_then(|()| folder::copy(data, copy)),
        false => folder::copy(data, copy),
    };
    program.go_on().await?;
    copied.map_err(|error| format!("{}: {error}", copy.display()))
}

/// Puts a copy in the place of the data; nobody writes it meanwhile.
pub(super) fn put_back(data: &Path, copy: &Path) -> Result<(), String> {
    let put = folder::empty(data).and_then(|()| folder::copy(copy, data));
    put.map_err(|error| format!("{}: {error}", data.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::faults::folder::Folder;

    async fn holds(redis: &BrokerServer, key: &str, length: usize) -> bool {
        let said = format!("STRLEN {key}\r\n");
        answers(redis.address, said.as_bytes(), &format!(":{length}\r\n")).await
    }

    async fn put(redis: &BrokerServer, key: &str, value: &str) {
        let said = format!("SET {key} {value}\r\n");
        assert!(answers(redis.address, said.as_bytes(), "+OK").await);
    }

    #[tokio::test]
    #[ignore = "needs redis-server"]
    async fn redis_keeps_through_a_kill_and_forgets_through_a_rollback() {
        let folder = Folder::new().unwrap();
        let mut redis = BrokerServer::start(BrokerKind::Redis, folder.path()).await.unwrap();
        put(&redis, "one", "x").await;
        redis.kill().await;
        assert!(!holds(&redis, "one", 1).await);
        redis.restart().await.unwrap();
        assert!(holds(&redis, "one", 1).await);
        redis.take_copy().await.unwrap();
        put(&redis, "one", "xx").await;
        put(&redis, "two", "x").await;
        redis.roll_back().await.unwrap();
        assert!(holds(&redis, "one", 1).await && holds(&redis, "two", 0).await);
        redis.end().await.unwrap();
        redis.restart().await.unwrap();
        assert!(holds(&redis, "one", 1).await);
    }

    #[tokio::test]
    #[ignore = "needs redis-server"]
    async fn redis_hangs_goes_on_and_closes_the_connections_of_listeners() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let folder = Folder::new().unwrap();
        let redis = BrokerServer::start(BrokerKind::Redis, folder.path()).await.unwrap();
        redis.pause().await.unwrap();
        assert!(!answers(redis.address, b"PING\r\n", "+PONG").await);
        redis.go_on().await.unwrap();
        let mut listener = tokio::net::TcpStream::connect(redis.address).await.unwrap();
        listener.write_all(b"SUBSCRIBE news\r\n").await.unwrap();
        let mut heard = [0; 256];
        assert!(listener.read(&mut heard).await.unwrap() > 0);
        redis.kill_pubsub().await.unwrap();
        assert!(matches!(listener.read(&mut heard).await, Ok(0) | Err(_)));
    }

    #[tokio::test]
    #[ignore = "needs nats-server"]
    async fn nats_is_killed_ended_rolled_back_and_comes_again() {
        let folder = Folder::new().unwrap();
        let mut nats = BrokerServer::start(BrokerKind::Nats, folder.path()).await.unwrap();
        let there = async |nats: &BrokerServer| answers(nats.address, b"", "INFO").await;
        nats.kill().await;
        assert!(!there(&nats).await);
        nats.restart().await.unwrap();
        nats.end().await.unwrap();
        assert!(!there(&nats).await);
        nats.restart().await.unwrap();
        nats.take_copy().await.unwrap();
        let newer = nats.data.join("newer");
        fs::write(&newer, "x").unwrap();
        nats.roll_back().await.unwrap();
        assert!(there(&nats).await && !newer.exists());
    }
}
