//! The HTTP API through sockets: what it publishes reaches lines, and who may ask.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use openline_server::Config;
use openline_ws::{Transport, WebSocket};
use support::{Answer, TestServer, ask, soon};

const KEY: &str = "a-key-that-is-long-enough-to-be-one";

fn start() -> TestServer {
    let keys = ("api.keys".to_owned(), KEY.to_owned());
    TestServer::with_config(Config::read(None, [], [keys]).unwrap())
}

async fn post(server: &TestServer, path: &str, host: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {KEY}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    ask(server.address(), &request).await
}

/// The texts that come until one contains `part`.
async fn hear(line: &mut WebSocket<Transport>, part: &str) -> String {
    loop {
        let message = soon(line.recv()).await.unwrap().expect("the line is open");
        let text = message.as_text().unwrap();
        if text.contains(part) {
            return text.to_owned();
        }
    }
}

#[tokio::test]
async fn what_a_backend_publishes_reaches_lines() {
    let server = start();
    let mut line = server.line("/ws").await;
    hear(&mut line, "welcome").await;
    line.send(r#"{"type":"subscribe","channels":["news"]}"#).await.unwrap();
    hear(&mut line, r#""type":"subscribed""#).await;
    let body = r#"{"channel":"news","data":{"n":1},"event":"fell"}"#;
    let answer = post(&server, "/api/v1/publish", "localhost", body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let message = hear(&mut line, r#""type":"fell""#).await;
    assert!(message.contains(r#""data":{"n":1}"#), "{message}");

    let told = post(&server, "/api/v1/channels", "localhost", "{}").await;
    assert_eq!(told.body, r#"{"channels":[{"channel":"news","subscribers":1}]}"#);
}

#[tokio::test]
async fn lines_are_listed_from_all_threads() {
    let keys = ("api.keys".to_owned(), KEY.to_owned());
    let threads = ("threads".to_owned(), "3".to_owned());
    let server = TestServer::with_config(Config::read(None, [], [keys, threads]).unwrap());
    let mut ids = Vec::new();
    let mut lines = Vec::new();
    for _ in 0..7 {
        let mut line = server.line("/ws").await;
        let welcome: serde_json::Value =
            serde_json::from_str(&hear(&mut line, "welcome").await).unwrap();
        ids.push(welcome["clientId"].as_str().unwrap().to_owned());
        lines.push(line);
    }
    ids.sort_unstable();
    let mut after = String::new();
    let mut listed = Vec::new();
    loop {
        let body = match after.as_str() {
            "" => r#"{"limit":3}"#.to_owned(),
            after => format!(r#"{{"limit":3,"after":"{after}"}}"#),
        };
        let told = post(&server, "/api/v1/clients", "localhost", &body).await;
        let page: serde_json::Value = serde_json::from_str(&told.body).unwrap();
        for client in page["clients"].as_array().unwrap() {
            assert_eq!(
                (&client["transport"], &client["address"]),
                (&"websocket".into(), &"127.0.0.1".into())
            );
            listed.push(client["clientId"].as_str().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(listed, ids);

    let body = serde_json::json!({"client": ids[0]}).to_string();
    let told = post(&server, "/api/v1/client", "localhost", &body).await;
    let client: serde_json::Value = serde_json::from_str(&told.body).unwrap();
    let time = |name: &str| client[name].as_u64().unwrap();
    // Something came when it was opened, a moment before it was connected here.
    assert!(time("lastHeard") + 60_000 > time("connectedAt"), "{client}");
    assert_eq!(client["channels"], serde_json::json!([]));
}

#[tokio::test]
async fn a_page_of_this_server_reads_the_api_and_the_metrics_with_the_key() {
    let server = start();
    let origin = format!("http://{}", server.address());
    for path in ["/api/v1/info", "/metrics"] {
        let ask_with = async |key: &str| {
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\n\
                 Sec-Fetch-Site: same-origin\r\nAuthorization: Bearer {key}\r\n\
                 Connection: close\r\n\r\n",
                server.address()
            );
            ask(server.address(), &request).await
        };
        let answer = ask_with(KEY).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(ask_with("another").await.status, 401);
    }
}

#[tokio::test]
async fn a_disconnected_line_ends_with_the_code() {
    let server = start();
    let mut line = server.line("/ws").await;
    let welcome = soon(line.recv()).await.unwrap().unwrap();
    let welcome: serde_json::Value = serde_json::from_str(welcome.as_text().unwrap()).unwrap();
    let body = serde_json::json!({"client": welcome["clientId"], "reason": "enough"}).to_string();
    let answer = post(&server, "/api/v1/disconnect", "localhost", &body).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"lines":1}"#));
    while let Some(_earlier) = soon(line.recv()).await.unwrap() {}
    let closed = line.closed().unwrap();
    assert_eq!((closed.reason.code.0, &*closed.reason.text), (4005, "enough"));
}

#[tokio::test]
async fn another_machines_name_gets_health_and_nothing_else() {
    let server = start();
    let body = r#"{"channel":"news","data":1}"#;
    let answer = post(&server, "/api/v1/publish", "evil.test", body).await;
    assert_eq!(answer.status, 403);
    let request = "GET /health/ready HTTP/1.1\r\nHost: 10.1.2.3\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(server.address(), request).await.body, "ok\n");
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(server.address(), request).await.status, 401);
}
