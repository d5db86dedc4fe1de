//! How connections begin, and which do not.

use std::num::NonZeroU32;

use ::http::Request;
use openline_ws::Connector;
use serde_json::{Value, json};

use super::client::{Line, Poller, ask};
use super::{TestServer, quick, soon};
use crate::config::Config;

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";

/// What makes a request a handshake of RFC 6455.
const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn a_poll_without_id_opens_a_connection() {
    let server = TestServer::quick();
    for path in [POLLING, "/engine.io?transport=polling&EIO=4&t=abc"] {
        let answer = ask(server.address, "GET", path, "", b"").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let mut open: Value = serde_json::from_str(answer.body.strip_prefix('0').unwrap()).unwrap();
        let sid = open["sid"].take();
        assert_eq!(sid.as_str().unwrap().len(), 32);
        let expected = json!({
            "sid": null, "upgrades": ["websocket"],
            "pingInterval": 300, "pingTimeout": 200, "maxPayload": 1_000_000,
        });
        assert_eq!(open, expected);
    }
}

#[tokio::test]
async fn a_websocket_without_id_opens_a_connection() {
    let server = TestServer::quick();
    let mut line = Line::connect(server.address, "/engine.io/?EIO=4&transport=websocket").await;
    let open: Value = serde_json::from_str(line.next().await.strip_prefix('0').unwrap()).unwrap();
    assert_eq!(open["upgrades"], json!([]));
    assert_eq!((&open["pingInterval"], &open["maxPayload"]), (&json!(300), &json!(1_000_000)));
}

#[tokio::test]
async fn what_is_sent_at_once_comes_behind_the_open_packet() {
    let server = TestServer::start();
    let client = Poller::open_with(&server, "X-Greet: 1\r\n").await;
    assert_eq!(client.packets().await, ["4welcome"]);
    let address = server.address;
    let connector =
        Connector::new().no_proxy().header("x-greet".parse().unwrap(), "1".parse().unwrap());
    let url = format!("ws://{address}/engine.io/?EIO=4&transport=websocket");
    let mut line = Line(connector.connect(&url).await.unwrap());
    assert!(line.next().await.starts_with("0{"));
    assert_eq!(line.next().await, "4welcome");
}

#[tokio::test]
async fn requests_that_are_not_in_order_are_refused_in_the_protocols_words() {
    let server = TestServer::start();
    let sid = Poller::open(&server).await.sid;
    let known = format!("{POLLING}&sid={sid}");
    let twice = format!("{POLLING}&sid={sid}&sid={sid}");
    let other = format!("/engine.io/?EIO=4&transport=websocket&sid={sid}");
    for (method, path, code) in [
        ("GET", "/engine.io/", 0),
        ("GET", "/engine.io/?EIO=4", 0),
        ("GET", "/engine.io/?EIO=4&transport=abc", 0),
        ("GET", "/engine.io/?EIO=4&transport=__proto__", 0),
        ("GET", "/engine.io/?EIO=4&transport=polling&sid=test", 1),
        ("POST", "/engine.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAAAA", 1),
        ("POST", POLLING, 2),
        ("PUT", POLLING, 2),
        ("OPTIONS", POLLING, 2),
        ("GET", "/engine.io/?EIO=4&transport=websocket", 3),
        ("GET", &twice, 3),
        ("GET", &other, 3),
        ("PUT", &known, 3),
        ("DELETE", &known, 3),
        ("GET", "/engine.io/?transport=polling", 5),
        ("GET", "/engine.io/?EIO=abc&transport=polling", 5),
        ("GET", "/engine.io/?EIO=3&transport=polling", 5),
    ] {
        let answer = ask(server.address, method, path, "", b"").await;
        assert_eq!((answer.status, answer.code()), (400, code), "{method} {path}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    assert_eq!(ask(server.address, "GET", "/engine.io/x", "", b"").await.status, 404);
}

#[tokio::test]
async fn websockets_that_are_not_in_order_are_refused_too() {
    let server = TestServer::start();
    for (query, code) in [
        ("transport=websocket", 5),
        ("EIO=3&transport=websocket", 5),
        ("EIO=4", 0),
        ("EIO=4&transport=abc", 0),
        ("EIO=4&transport=polling", 3),
        ("EIO=4&transport=websocket&sid=test", 1),
    ] {
        let path = format!("/engine.io/?{query}");
        let answer = ask(server.address, "GET", &path, UPGRADE, b"").await;
        assert_eq!((answer.status, answer.code()), (400, code), "{query}");
    }
}

fn for_page() -> TestServer {
    let origins = ("http.allowed_origins".to_owned(), "https://page.example".to_owned());
    TestServer::with(quick(), Config::read(None, [], [origins]).unwrap())
}

#[tokio::test]
async fn pages_that_are_listed_may_ask_and_read() {
    let server = for_page();
    let origin = "Origin: https://page.example\r\n";
    let answer = ask(server.address, "GET", POLLING, origin, b"").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://page.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("vary"), Some("Origin"));
    // A refusal is to be read as well.
    let answer = ask(server.address, "GET", "/engine.io/?EIO=4", origin, b"").await;
    assert_eq!((answer.status, answer.code()), (400, 0));
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://page.example"));
    let preflight = format!(
        "{origin}Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-own\r\n"
    );
    let answer = ask(server.address, "OPTIONS", POLLING, &preflight, b"").await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, POST"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("x-own"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
}

#[tokio::test]
async fn other_pages_are_refused() {
    let server = for_page();
    let origin = "Origin: https://other.example\r\n";
    for method in ["GET", "POST"] {
        let answer = ask(server.address, method, POLLING, origin, b"").await;
        assert_eq!((answer.status, answer.code()), (403, 4));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let upgrade = format!("{origin}{UPGRADE}");
    let path = "/engine.io/?EIO=4&transport=websocket";
    let answer = ask(server.address, "GET", path, &upgrade, b"").await;
    assert_eq!((answer.status, answer.code()), (403, 4));
}

#[tokio::test]
async fn there_are_as_many_connections_as_there_may_be_lines() {
    let mut config = Config::default();
    config.limits.connections = NonZeroU32::new(2);
    let mut server = TestServer::with(quick(), config);
    let (first, _second) = (Poller::open(&server).await, Poller::open(&server).await);
    let answer = ask(server.address, "GET", POLLING, "", b"").await;
    assert_eq!((answer.status, answer.code()), (503, 4));
    assert!(answer.header("retry-after").is_some());
    first.say("1").await;
    server.ended().await;
    Poller::open(&server).await;
}

#[tokio::test]
async fn a_client_that_is_turned_away_is_told_first() {
    let server = TestServer::start();
    let client = Poller::open_with(&server, "X-Refuse: 1\r\n").await;
    assert_eq!(client.packets().await, ["4no"]);
    assert_eq!(client.packets().await, ["1"]);
    assert_eq!(client.poll().await.code(), 1);
}

#[tokio::test]
async fn connections_begin_over_http_2_too() {
    let server = TestServer::start();
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!("http://127.0.0.1{POLLING}")).body(()).unwrap();
    let mut client = client.ready().await.unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    let mut answer = soon(answer).await.unwrap();
    assert_eq!(answer.status(), 200);
    let body = soon(answer.body_mut().data()).await.unwrap().unwrap();
    assert!(body.starts_with(b"0{"));
}
