//! [`NatsServer`]: a nats-server of the test's own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::PATIENCE;

/// A nats-server with JetStream on a free port, with a directory that goes with the test.
pub(crate) struct NatsServer {
    port: u16,
    dir: PathBuf,
    more: Vec<String>,
    child: Option<Child>,
}

impl NatsServer {
    pub(crate) fn start() -> Self {
        Self::with(&["-js"])
    }

    /// With arguments of the program.
    pub(crate) fn with(more: &[&str]) -> Self {
        Self::new(more, None)
    }

    /// With JetStream and a configuration.
    pub(crate) fn configured(text: &str) -> Self {
        Self::new(&["-js"], Some(text))
    }

    fn new(more: &[&str], config: Option<&str>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("openline-nats-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir(&dir).unwrap();
        let mut more: Vec<_> = more.iter().map(|&argument| argument.to_owned()).collect();
        if let Some(config) = config {
            let file = dir.join("config");
            fs::write(&file, config).unwrap();
            more.extend(["-c".to_owned(), file.display().to_string()]);
        }
        let mut server = Self { port: free_port(), dir, more, child: None };
        server.run();
        server
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Starts it where it was, with what is in its directory.
    pub(crate) fn run(&mut self) {
        assert!(self.child.is_none());
        let log = fs::File::create(self.dir.join("log")).unwrap();
        let child = Command::new("nats-server")
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-sd"])
            .arg(self.dir.join("data"))
            .args(&self.more)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("nats-server is installed (Debian: nats-server)"));
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < until, "nats-server does not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// A signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Has it stand still, until [`NatsServer::go_on`].
    pub(crate) fn stop(&self) {
        self.signal("STOP");
        let pid = self.child.as_ref().unwrap().id();
        let threads = || fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let stands = |thread: fs::DirEntry| {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('T'))
        };
        let until = Instant::now() + PATIENCE;
        while !threads().all(|thread| stands(thread.unwrap())) {
            assert!(Instant::now() < until, "nats-server does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn go_on(&self) {
        self.signal("CONT");
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self) {
        self.child.take().unwrap().wait().unwrap();
    }

    /// What its directory holds now, as if its disk were copied. The server is to stand still.
    pub(crate) fn save(&self) {
        copy(&self.dir.join("data"), &self.dir.join("saved"));
    }

    /// Puts back what was saved. The server is to be killed.
    pub(crate) fn roll_back(&self) {
        assert!(self.child.is_none());
        fs::remove_dir_all(self.dir.join("data")).unwrap();
        copy(&self.dir.join("saved"), &self.dir.join("data"));
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.signal("CONT");
        }
        self.kill();
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
