//! Draining a server: its clients are told, and closed a few at a time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use openline_server::app::{Handlers, ServerBuilder};
use openline_server::{Config, Server};
use serde_json::{Value, json};
use support::talk::{End, MESSAGEPACK, Talk};
use support::{Member, TestServer, ask, soon};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const REASON: &str = "server stops";

/// By these terms, in milliseconds.
fn config(delay: u64, duration: u64, notice: u64) -> Config {
    let mut config = Config::default();
    config.threads = std::num::NonZeroUsize::new(2);
    config.drain.delay = Duration::from_millis(delay);
    config.drain.duration = Duration::from_millis(duration);
    config.drain.notice = Duration::from_millis(notice);
    config
}

/// A handler that takes longer than a notice.
fn slow() -> ServerBuilder {
    let handlers = Handlers::new().on("slow", async |_, (): ()| {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        "done"
    });
    Server::builder().handlers(handlers)
}

fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n")
}

async fn wait_for(line: &mut Talk, kind: &str) -> Value {
    loop {
        let came = line.next().await.unwrap();
        if came["type"] == kind {
            return came;
        }
    }
}

fn end() -> End {
    End { code: 1012, reason: REASON.to_owned() }
}

#[tokio::test]
async fn a_line_is_told_serves_on_and_is_closed() {
    let mut server = TestServer::with_config(config(0, 0, 500));
    let mut lines = Vec::new();
    for subprotocol in [None, Some(MESSAGEPACK), None, Some(MESSAGEPACK)] {
        let mut line = Talk::open(&server.url("/ws"), subprotocol).await;
        assert_eq!(line.next().await.unwrap()["type"], "welcome");
        lines.push(line);
    }
    let begun = Instant::now();
    server.handle().drain();
    for line in &mut lines {
        let told = line.next().await.unwrap();
        assert_eq!((&told["type"], &told["closesIn"]), (&json!("drain"), &json!(500)));
        assert!(told["retryAfter"].as_u64().is_some(), "{told}");
        assert_eq!(line.ask(&json!({ "type": "ping", "id": 1 })).await["type"], "pong");
    }
    for line in &mut lines {
        let (last, ended) = line.last_words().await;
        let last = last.unwrap();
        assert_eq!((&last["type"], &last["code"]), (&json!("close"), &json!(1012)));
        // Alone, a node wants nobody back before it can be there again.
        let retry_after = last["retryAfter"].as_u64().unwrap();
        assert!((1_000..=2_000).contains(&retry_after), "{last}");
        assert_eq!(ended, end());
    }
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
    server.join().unwrap();
}

#[tokio::test]
async fn who_goes_when_it_is_told_is_not_waited_for() {
    let mut server = TestServer::with_config(config(0, 0, 60_000));
    let mut line = Talk::greeted(&server.url("/ws")).await.0;
    server.handle().drain();
    assert_eq!(wait_for(&mut line, "drain").await["closesIn"], 60_000);
    line.ws.close(openline_ws::CloseCode::NORMAL, "").await.unwrap();
    let begun = Instant::now();
    server.join().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_server_without_lines_ends_when_the_delay_is_over() {
    let mut server = TestServer::with_config(config(0, 60_000, 60_000));
    let begun = Instant::now();
    server.handle().drain();
    server.join().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_stop_cuts_a_drain_short() {
    let mut server = TestServer::with_config(config(60_000, 60_000, 60_000));
    let mut line = Talk::greeted(&server.url("/ws")).await.0;
    server.handle().drain();
    server.handle().stop();
    assert_eq!(line.ended().await.code, 1012);
    server.join().unwrap();
}

#[tokio::test]
async fn it_is_not_ready_at_once_and_refuses_new_lines_after_the_delay() {
    let server = TestServer::with_config(config(1_500, 60_000, 0));
    let at = server.address();
    assert_eq!(ask(at, &request("GET", "/health/ready")).await.status, 200);
    // The first turn is the only line's; with more of them some stay.
    let mut lines = Vec::new();
    for _ in 0..8 {
        lines.push(Talk::greeted(&server.url("/ws")).await.0);
    }
    server.handle().drain();
    let ready = ask(at, &request("GET", "/health/ready")).await;
    assert_eq!((ready.status, ready.error().0.as_str()), (503, "shutting_down"));
    assert_eq!(ask(at, &request("GET", "/health/live")).await.status, 200);
    let mut late = Talk::greeted(&server.url("/ws")).await.0;
    let published = json!({ "type": "publish", "id": 1, "channel": "a", "data": 1 });
    assert_eq!(late.ask(&published).await["type"], "published");

    tokio::time::sleep(Duration::from_millis(2_000)).await;
    for path in ["/ws", "/echo", "/chat"] {
        let refused = ask(at, &support::handshake(path, "")).await;
        assert_eq!((refused.status, refused.error().0.as_str()), (503, "shutting_down"), "{path}");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        // Nobody is wanted back before this node, which is alone, has ended.
        assert!((58..=62).contains(&wait), "{path}: {wait} s");
    }
    for path in ["/poll?channels=a", "/socket.io/?EIO=4&transport=polling"] {
        assert_eq!(ask(at, &request("GET", path)).await.status, 503, "{path}");
    }
    // Requests are answered until the end.
    let answer = ask(at, &request("GET", "/api/v1/info")).await;
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")));
    // Those whose turn has not come are served as before.
    let mut served = 0;
    for line in &mut lines {
        let ping = json!({ "type": "ping", "id": 1 });
        served += u32::from(line.try_send(&ping).await.is_ok() && line.next().await.is_ok());
    }
    assert!(served >= 6, "{served}");
}

#[tokio::test]
async fn a_handler_at_work_is_waited_for() {
    let mut server = TestServer::with_handlers(config(0, 0, 100), slow());
    let mut busy = Talk::greeted(&server.url("/ws")).await.0;
    let mut idle = Talk::greeted(&server.url("/ws")).await.0;
    busy.send(&json!({ "type": "slow", "id": 7 })).await;
    // It has begun when what was sent behind it is answered.
    assert_eq!(busy.ask(&json!({ "type": "ping", "id": 8 })).await["type"], "pong");
    let begun = Instant::now();
    server.handle().drain();
    assert_eq!(idle.ended().await, end());
    assert!(begun.elapsed() < Duration::from_millis(1_400), "{:?}", begun.elapsed());
    let answer = wait_for(&mut busy, "slow").await;
    assert_eq!((&answer["id"], &answer["data"]), (&json!(7), &json!("done")));
    assert_eq!(busy.ended().await, end());
    server.join().unwrap();
}

#[tokio::test]
async fn a_question_to_the_backend_is_waited_for() {
    let allow = post(async || {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        r#"{"allow":true}"#
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let backend = listener.local_addr().unwrap();
    let app = Router::new().route("/", allow);
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let url = format!("http://{backend}/");
    let flags = [
        ("webhook.url", url.as_str()),
        ("webhook.secrets", "a-secret-of-more-than-a-few-bytes"),
        ("webhook.decide", "publish"),
        ("webhook.allow_private", "127.0.0.0/8"),
        ("drain.notice", "100ms"),
    ];
    let flags = flags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let mut server = TestServer::with_config(Config::read(None, [], flags).unwrap());
    let mut line = Talk::greeted(&server.url("/ws")).await.0;
    line.send(&json!({ "type": "publish", "id": 7, "channel": "a", "data": 1 })).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.handle().drain();
    assert_eq!(wait_for(&mut line, "published").await["id"], 7);
    assert_eq!(line.ended().await, end());
    server.join().unwrap();
    serving.abort();
}

#[tokio::test]
async fn a_request_over_http_is_waited_for() {
    let routes = Router::new().route(
        "/slow",
        post(async || {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            "done"
        }),
    );
    let builder = Server::builder().routes(routes);
    let mut server = TestServer::with_handlers(config(0, 1, 0), builder);
    let at = server.address();
    let asking = tokio::spawn(async move { ask(at, &request("POST", "/slow")).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.handle().drain();
    let answer = soon(asking).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "done"));
    server.join().unwrap();
}

#[tokio::test]
async fn what_knows_no_notice_is_closed_at_its_turn() {
    let mut server = TestServer::with_config(config(0, 1, 60_000));
    let mut member = Member::enter(&server, "/chat").await;
    let mut events = TcpStream::connect(server.address()).await.unwrap();
    let head = request("GET", "/sse?channels=a");
    events.write_all(head.as_bytes()).await.unwrap();
    support::read_head(&mut events).await;
    let at = server.address();
    let first = ask(at, &request("GET", "/poll?channels=b")).await;
    let first: Value = serde_json::from_str(&first.body).unwrap();
    let (session, position) = (&first["session"], &first["position"]);
    let path = format!(
        "/poll?channels=b&session={}&position={}",
        session.as_str().unwrap(),
        position.as_str().unwrap()
    );
    let poll = tokio::spawn(async move { ask(at, &request("GET", &path)).await });
    let mut engine = server.line("/socket.io/?EIO=4&transport=websocket").await;
    engine.send("40").await.unwrap();
    for _ in 0..2 {
        soon(engine.recv()).await.unwrap().unwrap();
    }
    tokio::time::sleep(Duration::from_millis(300)).await;

    let begun = Instant::now();
    server.handle().drain();
    while let Some(_earlier) = soon(member.ws.recv()).await.unwrap() {}
    let closed = member.ws.closed().unwrap();
    assert_eq!((closed.reason.code.0, closed.reason.text.as_str()), (1012, REASON));
    while let Some(_earlier) = soon(engine.recv()).await.unwrap() {}
    assert_eq!(engine.closed().unwrap().reason.code.0, 1012);
    let mut text = String::new();
    soon(events.read_to_string(&mut text)).await.unwrap();
    assert!(text.contains("retry:") && text.contains(r#""type":"close","code":1012"#), "{text}");
    let answer: Value = serde_json::from_str(&soon(poll).await.unwrap().body).unwrap();
    let last = answer["messages"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["type"], &last["code"]), (&json!("close"), &json!(1012)));
    server.join().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

/// A quick form of the drain of thousands, which is in conformance.
#[tokio::test]
async fn lines_are_closed_evenly_over_the_threads() {
    let mut server = TestServer::with_config(config(0, 2_000, 0));
    let mut lines = Vec::new();
    for _ in 0..200 {
        lines.push(Talk::greeted(&server.url("/ws")).await.0);
    }
    let begun = Instant::now();
    server.handle().drain();
    let waiting = lines.into_iter().map(|mut line| {
        tokio::spawn(async move {
            assert_eq!(line.ended().await, end());
            begun.elapsed()
        })
    });
    let mut quarters = [0_u32; 4];
    for ended in waiting.collect::<Vec<_>>() {
        let at = soon(ended).await.unwrap();
        quarters[usize::try_from(at.as_millis() / 500).unwrap().min(3)] += 1;
    }
    // 50 each; a busy machine shifts some.
    assert!(quarters.iter().all(|count| (25..=90).contains(count)), "{quarters:?}");
    server.join().unwrap();
}
