//! SIGHUP: the configuration is loaded again while a line is open.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a busy machine; tests that pass never wait for it.
const PATIENCE: Duration = Duration::from_secs(60);

const KEY: &str = "canary-key-that-is-long-enough-to-be-one";

/// A server of its own, with a file and a folder.
struct Running {
    child: Child,
    address: String,
    folder: PathBuf,
    log: Arc<Mutex<String>>,
}

impl Running {
    fn start(name: &str, more: &str) -> Self {
        let folder = format!("openline-hup-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("openline.toml");
        fs::write(&file, with_beginning(&folder, more)).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_openline"))
            .args(["serve", "--limits-subscriptions", "7", "--config"])
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://").expect(&line).to_owned();
        let log = Arc::new(Mutex::new(String::new()));
        let (told, errors) = (log.clone(), BufReader::new(child.stderr.take().unwrap()));
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                told.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        Self { child, address, folder, log }
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Writes the file, sends the signal, and waits until the log says this so many times.
    fn reload(&self, text: &str, said: &str, times: usize) {
        fs::write(self.folder.join("openline.toml"), text).unwrap();
        self.signal("-HUP");
        let until = Instant::now() + PATIENCE;
        while self.log().matches(said).count() < times {
            assert!(Instant::now() < until, "{said} is not in {}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    fn request(&self, request: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.replace("HOST", &self.address).as_bytes()).unwrap();
        BufReader::new(stream)
    }

    /// What a page that opens a line is answered.
    fn page(&self, origin: &str) -> u16 {
        let mut answer = self.request(&format!(
            "GET /ws HTTP/1.1\r\nHost: HOST\r\nOrigin: {origin}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ));
        status(&mut answer)
    }

    fn publish(&self, data: &str) {
        let body = format!("{{\"channel\":\"news\",\"data\":\"{data}\"}}");
        let mut answer = self.request(&format!(
            "POST /api/v1/publish HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\
             X-API-Key: {KEY}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        assert_eq!(status(&mut answer), 200);
    }

    fn metrics(&self) -> String {
        let mut answer = self.request(&format!(
            "GET /metrics HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nX-API-Key: {KEY}\r\n\r\n"
        ));
        let mut text = String::new();
        answer.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn with_beginning(folder: &std::path::Path, more: &str) -> String {
    let data = folder.join("data");
    format!(
        "listen = \"127.0.0.1:0\"\nthreads = 1\ndata_dir = \"{}\"\nauth.anonymous = true\n\
         drain = {{delay = \"0s\", duration = \"0s\", notice = \"0s\"}}\napi.keys = [\"{KEY}\"]\n{more}",
        data.display()
    )
}

fn status(answer: &mut BufReader<TcpStream>) -> u16 {
    let mut line = String::new();
    answer.read_line(&mut line).unwrap();
    line.split(' ').nth(1).expect(&line).parse().unwrap()
}

#[track_caller]
fn read_until(stream: &mut BufReader<TcpStream>, text: &str) {
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert_ne!(stream.read_line(&mut line).unwrap(), 0, "the stream ended without {text}");
    }
}

#[test]
fn a_signal_loads_the_file_again_and_a_broken_one_changes_nothing() {
    let origins = |name: &str| format!("http.allowed_origins = [\"https://{name}.example\"]\n");
    let mut running = Running::start("signal", &origins("a"));
    let text = |more: &str| with_beginning(&running.folder, more);
    let mut reader = running.request(
        "GET /sse?channels=news HTTP/1.1\r\nHost: HOST\r\nAccept: text/event-stream\r\n\r\n",
    );
    read_until(&mut reader, "subscribed");
    assert_eq!((running.page("https://a.example"), running.page("https://b.example")), (101, 403));

    // What a flag says stays so; what changes is said without secrets.
    let changed = format!("{}limits.subscriptions = 9\n", origins("b"))
        + "webhook = {url = \"https://c.example/canary\", secrets = [\"canary-sixteen-letters\"], \
           events = [\"client.gone\"]}\n";
    running.reload(&text(&changed), "the configuration was loaded again", 1);
    assert_eq!((running.page("https://a.example"), running.page("https://b.example")), (403, 101));
    running.publish("first");
    read_until(&mut reader, "first");
    let log = running.log();
    assert!(log.contains("https://a.example") && log.contains("https://b.example"), "{log}");
    assert!(log.contains("webhook.secrets") && log.contains("[redacted]"), "{log}");
    assert!(!log.contains("canary") && !log.contains("limits.subscriptions"), "{log}");

    let broken = text(&format!("{}lisen = 1\n", origins("c")));
    running.reload(&broken, "the configuration stays what it was", 1);
    let log = running.log();
    assert!(
        log.contains("openline.toml:8:1: unknown key") && log.contains("did you mean"),
        "{log}"
    );
    assert_eq!((running.page("https://b.example"), running.page("https://c.example")), (101, 403));
    assert!(running.metrics().contains("\nopenline_config_reload_failed 1"));

    // A key that needs a restart.
    let restart = text(&changed).replace("threads = 1", "threads = 2");
    running.reload(&restart, "a restart is needed to change threads", 1);
    running.publish("second");
    read_until(&mut reader, "second");

    running.reload(&text(&changed), "the configuration was loaded again", 2);
    assert!(running.metrics().contains("\nopenline_config_reload_failed 0"));
    running.signal("-TERM");
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}
