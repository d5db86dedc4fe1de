//! [`RedisServer`]: a redis-server of one's own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::RedisBackend;
use crate::broker::NodeId;
use crate::config;

/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What it keeps on its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::broker) enum Keeping {
    Nothing,
    /// What it is told to [`RedisServer::save`].
    Snapshots,
    /// All that it acks, as far as a kill goes.
    Log,
}

/// A redis-server on a free port with a folder of its own, until it is dropped.
pub(in crate::broker) struct RedisServer {
    pub(in crate::broker) dir: PathBuf,
    pub(in crate::broker) port: u16,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl RedisServer {
    pub(in crate::broker) fn start(keeping: Keeping) -> Self {
        Self::with(keeping, &[])
    }

    pub(in crate::broker) fn with(keeping: Keeping, more: &[&str]) -> Self {
        Self::prepare(free_port(), keeping, more)
    }

    /// One that comes after it was looked for.
    pub(in crate::broker) fn at(port: u16) -> Self {
        Self::prepare(port, Keeping::Nothing, &[])
    }

    fn prepare(port: u16, keeping: Keeping, more: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("openline-redis-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir(&dir).unwrap();
        let appendonly = if keeping == Keeping::Log { "yes" } else { "no" };
        let save = if keeping == Keeping::Snapshots { "3600 1000000" } else { "" };
        let fixed = ["--bind", "127.0.0.1", "--appendonly", appendonly, "--save", save];
        let arguments = fixed.iter().chain(more).map(|&argument| argument.to_owned()).collect();
        let mut server = Self { dir, port, arguments, process: None };
        server.run();
        server
    }

    /// As after a kill, on the same port, with what is in its folder.
    pub(in crate::broker) fn restart(&mut self) {
        self.kill();
        self.run();
    }

    pub(in crate::broker) fn run(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string()]).args(&self.arguments);
        command.arg("--dir").arg(&self.dir).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().expect("redis-server is installed"));
        let until = Instant::now() + PATIENCE;
        while !self.try_ask(&["PING"]).is_ok_and(|pong| pong == "PONG") {
            assert!(Instant::now() < until, "it does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// As `kill -9`.
    pub(in crate::broker) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Neither runs nor is gone.
    pub(in crate::broker) fn stop(&self) {
        self.signal("STOP");
    }

    pub(in crate::broker) fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().unwrap().id().to_string();
        let status = Command::new("kill").args(["-s", signal, &process]).status().unwrap();
        assert!(status.success());
    }

    /// Keeps what there is now.
    pub(in crate::broker) fn save(&self) {
        assert_eq!(self.ask(&["SAVE"]), "OK");
    }

    pub(in crate::broker) fn ask(&self, words: &[&str]) -> String {
        self.try_ask(words).unwrap()
    }

    /// The first line of an answer, or what it is where it is no text.
    fn try_ask(&self, words: &[&str]) -> redis::RedisResult<String> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port))?;
        let mut connection = client.get_connection_with_timeout(PATIENCE)?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let value: redis::Value = command.query(&mut connection)?;
        Ok(match value {
            redis::Value::Okay => "OK".to_owned(),
            redis::Value::SimpleString(text) => text,
            redis::Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            redis::Value::Int(number) => number.to_string(),
            other => format!("{other:?}"),
        })
    }

    /// A node's way to it.
    pub(in crate::broker) fn backend(
        &self,
        url: &str,
        node: NodeId,
        window: Duration,
    ) -> RedisBackend {
        let text = format!("[broker]\nurl = \"{url}\"\ntimeout = \"30s\"");
        let config = config::Config::read(Some(("test.toml", &text)), [], []).unwrap();
        RedisBackend::new(&config.broker, node, window.as_millis().try_into().unwrap()).unwrap()
    }

    pub(in crate::broker) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

pub(in crate::broker) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
