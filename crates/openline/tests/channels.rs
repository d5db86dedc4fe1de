//! `openline connect` with the options for channels, against a server that is started here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with a data directory of its own, at an address that it keeps when it is started again.
struct Server {
    child: Child,
    address: String,
    folder: PathBuf,
}

impl Server {
    fn start(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("openline-channels-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let (child, address) = serve("127.0.0.1:0", &folder);
        Self { child, address, folder }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn start_again(&mut self) {
        self.child = serve(&self.address, &self.folder).0;
    }

    fn connect(&self, arguments: &[&str]) -> Command {
        let mut command = connect(&[&format!("ws://{}/ws", self.address)]);
        command.args(arguments);
        command
    }

    /// Publishes each line and returns the positions.
    fn publish(&self, channel: &str, lines: &str) -> Vec<String> {
        let run = ended(&mut self.connect(&["--publish", channel]), lines);
        assert_eq!(run.code, Some(0), "{run:?}");
        run.out.lines().map(str::to_owned).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn serve(listen: &str, folder: &Path) -> (Child, String) {
    let mut child = openline()
        .args(["serve", "--listen", listen, "--threads", "1", "--data-dir"])
        .arg(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening on http://").expect(&line).to_owned();
    (child, address)
}

fn openline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openline"));
    command.stdin(Stdio::null()).env_remove("OPENLINE_TOKEN").env("NO_PROXY", "*");
    command
}

fn connect(arguments: &[&str]) -> Command {
    let mut command = openline();
    command.arg("connect").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[derive(Debug)]
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn ended(command: &mut Command, input: &str) -> Run {
    let mut child = command.spawn().unwrap();
    // One that ends without reading its input is none to complain here.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Run::from(child.wait_with_output().unwrap())
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// A client that runs, and its output line by line.
struct Follower {
    child: Child,
    lines: Receiver<String>,
}

impl Follower {
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// The next object of this type, and all that came before it.
    fn until(&self, kind: &str) -> (Value, Vec<Value>) {
        let mut before = Vec::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no {kind} came, only {before:?}"));
            match json(&line) {
                object if object["type"] == kind => return (object, before),
                object => before.push(object),
            }
        }
    }

    /// Interrupts it, as Ctrl-C does.
    fn interrupt(mut self) -> Option<i32> {
        let kill = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_is_published_is_printed_by_who_subscribed() {
    let server = Server::start("subscribe");
    let early = server.publish("news", "0\n");
    let follower =
        Follower::start(server.connect(&["--subscribe", "news", "--json", "--history", "1"]));
    assert_eq!(follower.until("publication").0["replayed"], true);

    let run = ended(
        &mut server.connect(&["--publish", "news", "--event", "fell", "--json"]),
        "{\"n\": 1}\n\n\"two\"\n",
    );
    assert_eq!(run.code, Some(0), "{run:?}");
    let of_type = |kind: &str| -> Vec<Value> {
        run.out.lines().map(json).filter(|object| object["type"] == kind).collect()
    };
    let published = of_type("published");
    assert_eq!(published.len(), 2);
    for (data, published) in [serde_json::json!({"n": 1}), "two".into()].iter().zip(&published) {
        let (message, _) = follower.until("publication");
        assert_eq!((&message["data"], &message["event"]), (data, &Value::from("fell")));
        assert_eq!(message["channel"], "news");
        assert_eq!(message["position"], published["position"]);
        assert_eq!(message["timestamp"], published["timestamp"]);
        assert_eq!(message["replayed"], false);
    }
    assert_eq!(follower.interrupt(), Some(0));
    assert_eq!(early.len(), 1);
}

#[test]
fn history_is_printed_from_where_it_is_asked() {
    let server = Server::start("history");
    let input: String = (0..250).map(|n| format!("{n}\n")).collect();
    let positions = server.publish("news", &input);
    assert_eq!(positions.len(), 250);
    let kept = |arguments: &[&str]| {
        let run = ended(server.connect(&["--history-of", "news"]).args(arguments), "");
        assert_eq!(run.code, Some(0), "{run:?}");
        run.out.lines().map(|line| line.parse::<u32>().unwrap()).collect::<Vec<_>>()
    };
    let all = kept(&[]);
    let first = 250 - all.len() as u32;
    assert_eq!(all, (first..250).collect::<Vec<_>>());
    assert!(all.len() >= 100, "{}", all.len());
    assert_eq!(kept(&["--history", "3"]), [247, 248, 249]);
    assert_eq!(kept(&["--since", &positions[246]]), [247, 248, 249]);
    assert_eq!(kept(&["--since", &positions[240], "--history", "2"]), [241, 242]);
}

#[test]
fn presence_lists_who_is_there() {
    let server = Server::start("presence");
    let nobody = ended(&mut server.connect(&["--presence", "room:1"]), "");
    assert_eq!((nobody.code, nobody.out.as_str()), (Some(0), ""), "{nobody:?}");

    let follower = Follower::start(server.connect(&["--subscribe", "room:1", "--json"]));
    assert_eq!(follower.until("subscribed").0["channel"], "room:1");
    let list = ended(&mut server.connect(&["--presence", "room:1", "--json"]), "");
    let members: Vec<Value> =
        list.out.lines().map(json).filter(|object| object["type"] == "member").collect();
    assert_eq!(members.len(), 1, "{list:?}");
    assert_eq!(members[0]["channel"], "room:1");
    assert!(members[0]["clientId"].is_string(), "{list:?}");
}

#[test]
fn nothing_is_missing_after_the_server_was_killed() {
    let mut server = Server::start("killed");
    server.publish("news", "1\n");
    let follower =
        Follower::start(server.connect(&["--subscribe", "news", "--json", "--history", "1"]));
    assert_eq!(follower.until("publication").0["data"], 1);

    server.kill();
    let (lost, _) = loop {
        let (status, before) = follower.until("status");
        if status["state"] == "waiting" {
            break (status, before);
        }
    };
    assert_eq!(lost["code"], 1006, "{lost}");
    assert!(lost["delay"].is_u64(), "{lost}");

    server.start_again();
    server.publish("news", "2\n3\n");
    let mut got = Vec::new();
    let mut was_recovered = false;
    while got.len() < 3 {
        let line = follower.lines.recv_timeout(PATIENCE).unwrap();
        let object = json(&line);
        match object["type"].as_str().unwrap() {
            "publication" => got.push(object["data"].as_u64().unwrap()),
            "recovered" => was_recovered = true,
            "gap" => panic!("{object}"),
            _ => {}
        }
        if got == [2, 3] && was_recovered {
            break;
        }
    }
    assert_eq!((got.as_slice(), was_recovered), ([2, 3].as_slice(), true));
    assert_eq!(follower.interrupt(), Some(0));
}

#[test]
fn a_file_arrives_as_it_was() {
    let server = Server::start("upload");
    let file = server.folder.join("three megabytes.bin");
    fs::write(&file, noise(3_000_000)).unwrap();
    let own = Command::new("sha256sum").arg(&file).output().unwrap();
    let own = String::from_utf8(own.stdout).unwrap();
    let own = own.split(' ').next().unwrap();

    let path = file.to_str().unwrap();
    let run = ended(&mut server.connect(&["--upload", path, "--json"]), "");
    assert_eq!(run.code, Some(0), "{run:?}");
    let last = json(run.out.lines().rfind(|line| line.contains("\"uploaded\"")).unwrap());
    assert_eq!(last["name"], "three megabytes.bin");
    assert_eq!(last["size"], 3_000_000);
    assert_eq!(last["sha256"], own);
    let url = last["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("http://{}/", server.address)), "{url}");

    let run = ended(&mut server.connect(&["--upload", path]), "");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.out.contains(&format!("sha256  {own}\n")), "{run:?}");
    assert!(!run.err.contains('\r'), "a bar is for terminals: {run:?}");
}

/// Passes what comes on to a server, one connection after the other, and counts the bytes that clients send.
struct Relay {
    address: String,
    sent: Arc<AtomicUsize>,
}

impl Relay {
    /// Of the first connection it passes so many bytes, and then none in either direction.
    fn start(server: &str, first_max: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (server, sent) = (server.to_owned(), Arc::new(AtomicUsize::new(0)));
        let counted = sent.clone();
        std::thread::spawn(move || {
            let mut left = first_max;
            for client in listener.incoming() {
                let (mut client, mut server) =
                    (client.unwrap(), TcpStream::connect(&server).unwrap());
                let mut answers = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || io::copy(&mut answers.0, &mut answers.1));
                let mut bytes = [0; 16 * 1024];
                while let Ok(read @ 1..) = client.read(&mut bytes) {
                    if read <= left && server.write_all(&bytes[..read]).is_ok() {
                        left -= read;
                        counted.fetch_add(read, Ordering::SeqCst);
                    }
                }
                left = usize::MAX;
                let _ = server.shutdown(Shutdown::Both);
            }
        });
        Self { address, sent }
    }

    fn connect(&self, arguments: &[&str]) -> Command {
        let mut command = connect(&[&format!("ws://{}/ws", self.address)]);
        command.args(arguments);
        command
    }
}

#[test]
fn an_upload_that_was_ended_goes_on_where_it_stopped_when_it_is_run_again() {
    let server = Server::start("upload-again");
    let file = server.folder.join("file.bin");
    let bytes = noise(3_000_000);
    fs::write(&file, &bytes).unwrap();
    let relay = Relay::start(&server.address, 2_000_000);
    let arguments = ["--upload", file.to_str().unwrap(), "--json"];
    let mut first = relay.connect(&arguments).stdout(Stdio::null()).spawn().unwrap();
    wait_until(|| relay.sent.load(Ordering::SeqCst) > 1_900_000);
    first.kill().unwrap();
    first.wait().unwrap();

    let before = relay.sent.load(Ordering::SeqCst);
    let run = ended(&mut relay.connect(&arguments), "");
    assert_eq!(run.code, Some(0), "{run:?}");
    let last = json(run.out.lines().last().unwrap());
    assert_eq!(last["size"], 3_000_000);
    let sent = relay.sent.load(Ordering::SeqCst) - before;
    // What was under way, 256 KiB at most, may have been lost.
    assert!((1_000_000..1_500_000).contains(&sent), "{sent} bytes were sent again");

    // It is there already.
    let before = relay.sent.load(Ordering::SeqCst);
    let again = ended(&mut relay.connect(&arguments), "");
    assert_eq!(json(again.out.lines().last().unwrap())["url"], last["url"]);
    assert!(relay.sent.load(Ordering::SeqCst) - before < 10_000);

    // A file of the same name, length and time is another.
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, noise(3_000_001).split_off(1)).unwrap();
    fs::File::options().append(true).open(&file).unwrap().set_modified(time).unwrap();
    let changed = ended(&mut relay.connect(&arguments), "");
    assert_eq!(changed.code, Some(0), "{changed:?}");
    let changed = json(changed.out.lines().last().unwrap());
    assert_ne!(changed["sha256"], last["sha256"]);
}

#[test]
fn under_a_key_that_has_another_file_an_upload_is_an_error() {
    let server = Server::start("upload-key");
    let file = server.folder.join("file.txt");
    let arguments = ["--upload", file.to_str().unwrap(), "--upload-key", "k", "--json"];
    fs::write(&file, "one").unwrap();
    let run = ended(&mut server.connect(&arguments), "");
    assert_eq!(run.code, Some(0), "{run:?}");
    fs::write(&file, "two").unwrap();
    let run = ended(&mut server.connect(&arguments), "");
    assert_eq!(run.code, Some(74), "{run:?}");
    let last = json(run.out.lines().last().unwrap());
    assert_eq!((&last["type"], &last["code"]), (&"error".into(), &"checksum_mismatch".into()));
    let run = ended(&mut server.connect(&["--upload", file.to_str().unwrap()]), "");
    assert_eq!(run.code, Some(0), "{run:?}");
}

/// A script that goes on after Ctrl-C must not take the file for sent.
#[test]
fn an_upload_that_is_interrupted_does_not_end_well() {
    let server = Server::start("upload-interrupted");
    let file = server.folder.join("file.bin");
    fs::write(&file, noise(1_000_000)).unwrap();
    let relay = Relay::start(&server.address, 500_000);
    let mut command = relay.connect(&["--upload", file.to_str().unwrap()]);
    let child = command.spawn().unwrap();
    wait_until(|| relay.sent.load(Ordering::SeqCst) > 400_000);
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(130), "{run:?}");
    assert!(run.err.contains("run it again"), "{run:?}");
}

/// Bytes that do not become fewer by compression.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn wait_until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_wrong_is_said_and_has_its_exit_code() {
    let server = Server::start("wrong");
    let here = format!("ws://{}/ws", server.address);
    let echo = format!("ws://{}/echo", server.address);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("ws://{}/ws", nobody.local_addr().unwrap());
    drop(nobody);
    let cases: &[(&[&str], &str, i32, &str)] = &[
        (&[&here, "--subscribe", "a b"], "", 2, "--subscribe"),
        (&[&here, "--subscribe", "news", "--since", "x"], "", 2, "a position as a server gave it"),
        (&[&here, "--subscribe", "news", "--upload", "f"], "", 2, "cannot be used with"),
        (&[&here, "--subscribe", "news", "--binary"], "", 2, "cannot be used with"),
        (&[&here, "--json"], "", 2, "--subscribe"),
        (&[&here, "--subscribe", "news", "--history", "0"], "", 2, "1..=100000"),
        (&["http://localhost/ws", "--presence", "news"], "", 2, "use ws"),
        (&[&nowhere, "--presence", "news"], "", 69, "cannot connect to"),
        (&[&echo, "--presence", "news", "--timeout", "1"], "", 69, "does an Openline server run"),
        (&[&here, "--presence", "news", "--token", "no.token.atall"], "", 1, "(4002)"),
        (&[&here, "--presence", "news", "--upload-key", "k"], "", 2, "cannot be used with"),
        (&[&here, "--upload-key", "k"], "", 2, "--upload <FILE>"),
        (&[&here, "--upload", "f", "--upload-key", ""], "", 2, "1 to 64 bytes"),
        (&[&here, "--upload", "/nowhere/cat.jpg"], "", 78, "/nowhere/cat.jpg: "),
        (&[&here, "--publish", "news"], "1\nhello\n", 65, "line 2 of the input: "),
    ];
    for (arguments, input, code, what) in cases {
        let run = ended(&mut connect(arguments), input);
        assert_eq!(run.code, Some(*code), "{arguments:?}: {run:?}");
        assert!(run.err.contains(what), "{arguments:?}: {run:?}");
    }
    let wrong = ended(&mut connect(&[&here, "--publish", "news", "--json"]), "1\nhello\n");
    let last = json(wrong.out.lines().last().unwrap());
    assert_eq!((&last["type"], &last["code"]), (&"error".into(), &"bad_input".into()));
    assert_eq!(last["exit"], 65);
    assert_eq!(wrong.out.matches("\"published\"").count(), 1, "what came before is published");
}
