//! A secret, and text that would end a line or move a cursor, in everything that a client can send:
//! neither gets into the log, the metrics or an error as it is.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;

use openline_server::Config;
use openline_ws::Message;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::servers::{API_KEY, SECRET, signed};
use crate::support::packed::pack;
use crate::support::talk::{MESSAGEPACK, Talk};
use crate::support::{TestServer, ask, handshake, soon};

/// Set for the process that serves: its log's format.
const FORMAT: &str = "OPENLINE_TEST_CANARY";

const CANARY: &str = "c4naryc4naryc4nary";
const EVIL: &str = "\r\n\u{1b}[31mEVIL\u{202e}\u{85}";

/// Another process, whose log can be read.
struct Server {
    child: Child,
    address: SocketAddr,
    log: thread::JoinHandle<String>,
}

impl Server {
    fn start(format: &str) -> Self {
        let this = std::any::type_name_of_val(&serves_until_killed);
        let name = this.split_once("::").unwrap().1;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture", "--test-threads=1"])
            .env(FORMAT, format)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| line.unwrap().strip_prefix("at ")?.parse().ok());
        let mut stderr = child.stderr.take().unwrap();
        let log = thread::spawn(move || {
            let mut log = Vec::new();
            stderr.read_to_end(&mut log).unwrap();
            String::from_utf8(log).expect("a log is UTF-8")
        });
        Self { child, address: address.expect("it says where it is"), log }
    }

    fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    fn log(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.log.join().unwrap()
    }
}

/// Not a test by itself: the process of [`Server`].
#[test]
fn serves_until_killed() {
    let Ok(format) = std::env::var(FORMAT) else { return };
    let text = format!(
        "[auth]\nanonymous = true\nquery = true\ncookie = \"session\"\n\
         keys = [{{algorithm = \"HS256\", secret = \"{SECRET}\", id = \"one\"}}]\n\
         [log]\nlevel = \"trace\"\nformat = \"{format}\"\n[api]\nkeys = [\"{API_KEY}\"]\n\
         [namespace.default]\npublish = \"anyone\"\n[rates]\ncommands = \"off\"\n"
    );
    let server = TestServer::with_config(Config::read(Some(("t", &text)), [], []).unwrap());
    println!("\nat {}", server.address());
    // Until the other process is gone, if it does not kill this one.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

#[tokio::test]
async fn neither_gets_into_the_log_the_metrics_or_an_error_as_it_is() {
    for format in ["text", "json"] {
        let server = Server::start(format);
        for request in requests() {
            assert_clean("an answer", &answer(server.address, &request).await);
        }
        for subprotocol in [None, Some(MESSAGEPACK)] {
            for message in messages() {
                said(&server, &message, subprotocol).await;
            }
        }
        for text in broken() {
            let (mut line, _) = Talk::greeted(&server.url()).await;
            line.put(text).await.unwrap();
            let answer = line.next().await.unwrap();
            assert_clean("an error", answer["error"].as_str().unwrap());
        }
        let metrics = format!(
            "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {API_KEY}\r\n\r\n"
        );
        let metrics = ask(server.address, &metrics).await;
        assert_eq!(metrics.status, 200);
        assert!(!metrics.body.contains(CANARY) && !metrics.body.contains("EVIL"));
        let log = server.log();
        assert!(log.contains("u{1b}[31mEVIL") || log.contains("u001b[31mEVIL"), "no kid: {log}");
        for line in log.lines().filter(|line| !line.is_empty()) {
            assert_clean("a line of the log", line);
            assert!(!line.starts_with("EVIL") && !line.starts_with("[31m"), "{line}");
        }
    }
}

/// Sends a message, and reads what is said about it.
async fn said(server: &Server, message: &Value, subprotocol: Option<&str>) {
    let mut line = Talk::open(&server.url(), subprotocol).await;
    assert_eq!(line.next().await.unwrap()["type"], "welcome");
    line.send(message).await;
    let _ = line.try_send(&json!({ "type": "ping", "id": "end" })).await;
    loop {
        match line.next().await {
            Err(end) => return assert_clean("a close reason", &end.reason),
            Ok(came) if came["id"] == "end" => return,
            Ok(came) => {
                for field in ["error", "message", "reason"] {
                    if let Some(text) = came[field].as_str() {
                        assert_clean(&format!("{field} about {message}"), text);
                    }
                }
            }
        }
    }
}

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    assert!(!text.contains(CANARY), "{what} has the secret: {text:?}");
    let is_bad = |c: char| (c.is_control() && c != '\r' && c != '\n') || c == '\u{202e}';
    assert!(!text.contains(is_bad), "{what} moves the cursor: {text:?}");
    assert!(!text.contains("\nEVIL") && !text.contains("\n\u{1b}"), "{what} breaks: {text:?}");
    if !what.starts_with("an answer") {
        assert!(!text.contains(['\r', '\n']), "{what} has several lines: {text:?}");
    }
}

/// The head and the body of an answer, or nothing where there is none.
async fn answer(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
    // What follows a 101 is frames.
    let end = if answer.starts_with(b"HTTP/1.1 101") { head } else { answer.len() };
    String::from_utf8(answer[..end].to_vec()).unwrap()
}

fn requests() -> Vec<String> {
    let token = format!("eyJhbGciOiJIUzI1NiJ9.{CANARY}.x");
    let escape = "\u{1b}[31mEVIL";
    vec![
        handshake(&format!("/ws?token={token}"), ""),
        handshake(&format!("/{CANARY}?token={token}"), "").replace(CANARY, "x"),
        handshake("/ws", &format!("Authorization: Bearer {token}\r\n")),
        handshake("/ws", &format!("Authorization: Bearer {token}{escape}\r\n")),
        handshake("/ws", &format!("Origin: http://127.0.0.1\r\nCookie: session={token}\r\n")),
        handshake("/ws", &format!("Origin: https://{escape}\r\n")),
        handshake("/ws", "").replace("Host: 127.0.0.1", &format!("Host: {escape}")),
        handshake("/ws", "").replace("Version: 13", &format!("Version: {escape}")),
        handshake("/ws", &format!("Sec-WebSocket-Protocol: {escape}\r\n")),
        handshake("/ws", &format!("Sec-WebSocket-Extensions: {escape}\r\n")),
        format!("GET /{escape} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        format!("{escape} / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        format!("GET /%0d%0a%1b[31mEVIL?token={token} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        format!("GET /api/v1/info HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {CANARY}\r\n\r\n"),
        format!("GET /api/v1/EVIL%1b?token={token} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        format!("GET /poll?channels=%1b[31m&token={token} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    ]
}

fn messages() -> Vec<Value> {
    let bad_token = format!("eyJhbGciOiJIUzI1NiJ9.{CANARY}.x");
    let kid = signed(&json!({ "alg": "HS256", "kid": EVIL }), &json!({}));
    let algorithm = signed(&json!({ "alg": format!("{EVIL}{CANARY}") }), &json!({}));
    let claims = |claims: Value| signed(&json!({ "alg": "HS256", "kid": "one" }), &claims);
    let auth = |token: String| json!({ "type": "auth", "id": 1, "token": token });
    let mut near = json!({ "type": "subscribe", "id": 1 });
    near[format!("channel{EVIL}")] = json!(CANARY);
    near["channe\u{1b}"] = json!(CANARY);
    let publish = |field: &str, value: Value| {
        let mut message = json!({ "type": "publish", "id": 1, "channel": "a" });
        message[field] = value;
        message
    };
    vec![
        auth(bad_token.clone()),
        auth(format!("{CANARY}{EVIL}")),
        auth(kid),
        auth(algorithm),
        auth(claims(json!({ "exp": format!("{EVIL}{CANARY}") }))),
        auth(claims(json!({ "exp": 9_999_999_999_u64, "aud": format!("{EVIL}{CANARY}") }))),
        auth(claims(json!({ "exp": 9_999_999_999_u64, "sub": EVIL }))),
        auth(claims(json!({ "exp": 9_999_999_999_u64, "channels": { EVIL: [CANARY] } }))),
        auth(claims(json!({ "exp": 9_999_999_999_u64, "subs": [EVIL, CANARY] }))),
        json!({ "type": format!("type{EVIL}"), "id": 1, "token": bad_token }),
        json!({ "type": format!("subscribe{EVIL}"), "id": 1 }),
        json!({ "type": "subscribe", "id": 1, "channel": format!("a{EVIL}") }),
        json!({ "type": "subscribe", "id": 1, "channel": "room:\u{202e}x", "token": bad_token }),
        json!({ "type": "subscribe", "id": 1, "channel": "a", "position": EVIL }),
        json!({ "type": "subscribe", "id": 1, "channel": "a", "token": bad_token }),
        near,
        publish("event", json!(EVIL)),
        publish("event", json!("typing")),
        publish("key", json!(EVIL)),
        json!({ "type": "publish", "id": 1, "channel": "a", "key": EVIL, "data": 2 }),
        publish("encoding", json!(EVIL)),
        publish("echo", json!(EVIL)),
        json!({ "type": "history", "id": 1, "channel": "a", "since": EVIL, "limit": EVIL }),
        json!({ "type": "presence", "id": 1, "channel": EVIL, "after": EVIL }),
        json!({ "type": "setPresence", "id": 1, "status": EVIL, "data": EVIL }),
        json!({ "type": "unsubscribe", "id": 1, "channels": [EVIL] }),
        json!({ "type": "typing", "id": 1, "channel": "a", "isTyping": EVIL }),
    ]
}

/// Not JSON, and not MessagePack.
fn broken() -> Vec<Message> {
    let mut packed = pack(&json!({ "type": EVIL, "token": CANARY }));
    packed.truncate(packed.len() - 3);
    vec![
        Message::from(format!("{{\"token\":\"{CANARY}\", \u{1b}[31mEVIL")),
        Message::from(format!("{CANARY}{EVIL}")),
        Message::from(format!("{{\"type\":\"ping\" \"{EVIL}\"}}")),
        Message::from("{\"x\\u001b\u{202e}\":1,\"x\\u001b\u{202e}\":1}"),
        Message::from(packed),
    ]
}
