//! A server of this program, and the directory that it keeps between runs.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::line::Line;

/// Long enough for any machine; nothing waits this long unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Everything is allowed and nothing is slowed down; channels keep more than a test publishes, but
/// for those of `few`.
const CONFIG: &str = r#"
strict_namespaces = false
[auth]
anonymous = true
[namespace.default]
history_size = 1000000
history_read = "anyone"
publish = "anyone"
[namespace.few]
history_size = 30
[limits]
admission = "off"
[rates]
commands = "off"
subscribe = "off"
publish = "off"
publish_user = "off"
[drain]
delay = "0s"
duration = "1s"
notice = "100ms"
[log]
format = "json"
"#;

/// A directory that goes with the test.
pub(crate) struct Home(PathBuf);

/// A server that runs.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: String,
    data: PathBuf,
}

/// An entry as a reader gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) position: String,
    pub(crate) data: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("openline-durability-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("openline.toml"), CONFIG).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// What all runs have logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.0.join("log")).unwrap_or_default()
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openline"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--threads", "2"]);
        command.arg("--config").arg(self.0.join("openline.toml"));
        command.arg("--data-dir").arg(self.data());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(&[])
    }

    pub(crate) fn start_with(&self, arguments: &[&str]) -> Running {
        let log = fs::File::options().create(true).append(true).open(self.0.join("log")).unwrap();
        let mut child = self.command().args(arguments).stderr(log).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim_end().strip_prefix("listening on http://").map(str::to_owned);
        let address = address.unwrap_or_else(|| panic!("{first}{}", self.log()));
        Running { child, address, data: self.data() }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Running {
    /// As `kill -9`: the process gets no chance to do anything.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) async fn line(&self) -> Line {
        Line::open(&self.address).await
    }

    /// Calls the API; returns the status and the body.
    pub(crate) fn api(&self, operation: &str, body: &Value) -> (u16, Value) {
        let key = fs::read_to_string(self.data.join("api-key")).unwrap();
        let (address, body) = (&self.address, body.to_string());
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "POST /api/v1/{operation} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
            key.trim(),
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }

    /// Publishes and returns the position.
    pub(crate) fn publish(&self, channel: &str, data: &str) -> String {
        let (status, body) = self.api("publish", &json!({ "channel": channel, "data": data }));
        assert_eq!(status, 200, "{body}");
        body["position"].as_str().unwrap().to_owned()
    }

    /// What the channel keeps behind a position, or all of it, page by page.
    pub(crate) fn history(&self, channel: &str, since: Option<&str>) -> Vec<Entry> {
        let Some(since) = since else { return self.whole_history(channel) };
        let mut since = since.to_owned();
        let mut entries = Vec::new();
        loop {
            let (status, body) =
                self.api("history", &json!({ "channel": channel, "since": since }));
            assert_eq!(status, 200, "{body}");
            entries.extend(read_entries(&body["messages"]));
            if body["more"] == false {
                return entries;
            }
            since = entries.last().unwrap().position.clone();
        }
    }

    /// All pages, read from the newest back.
    fn whole_history(&self, channel: &str) -> Vec<Entry> {
        let mut reversed: Vec<Entry> = Vec::new();
        loop {
            let mut asked = json!({ "channel": channel, "reverse": true });
            if let Some(last) = reversed.last() {
                asked["before"] = json!(last.position);
            }
            let (status, body) = self.api("history", &asked);
            assert_eq!(status, 200, "{body}");
            reversed.extend(read_entries(&body["messages"]));
            if body["more"] == false {
                reversed.reverse();
                return reversed;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn read_entries(messages: &Value) -> Vec<Entry> {
    let entry = |message: &Value| Entry {
        position: message["position"].as_str().unwrap().to_owned(),
        data: message["data"].as_str().unwrap().to_owned(),
    };
    messages.as_array().unwrap().iter().map(entry).collect()
}

/// Waits for what is going to be true.
pub(crate) fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
