//! Beside a router of axum's, and inside of one.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::routing::{get, post};
use axum::{Extension, Router};
use openline_server::app::{Handlers, Namespace};
use openline_server::{Config, Server};
use openline_ws::{Message, WebSocketUpgrade};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::support::talk::{End, Talk};
use super::support::{Answer, TestServer, ask, connector, handshake, read_head, soon};

fn rooms() -> Handlers {
    Handlers::new().on("join", async |cx, room: String| cx.join(&room).await)
}

/// A server whose user has a router of his own.
fn beside() -> TestServer {
    let routes = Router::new()
        .route("/", get(async || "their index"))
        .route("/from", get(async |ConnectInfo(from): ConnectInfo<SocketAddr>| from.to_string()))
        .route("/said/{room}", post(say))
        .route("/panic", get(async || -> &str { panic!("on purpose") }))
        .route(
            "/block",
            get(async || {
                std::thread::sleep(Duration::from_millis(500));
                "done"
            }),
        )
        .route("/shout", get(shout));
    let mut config = Config::default();
    config.threads = std::num::NonZeroUsize::new(1);
    TestServer::with_handlers(config, Server::builder().handlers(rooms()).routes(routes))
}

async fn say(
    Extension(namespace): Extension<Namespace>,
    axum::extract::Path(room): axum::extract::Path<String>,
    text: String,
) -> String {
    match namespace.to(&room).emit("said", &text).await {
        Ok(()) => "told".to_owned(),
        Err(refusal) => refusal.to_string(),
    }
}

/// A WebSocket endpoint of the user's.
async fn shout(upgrade: WebSocketUpgrade) -> axum::response::Response {
    upgrade.on_upgrade(|mut line| async move {
        while let Ok(Some(Message::Text(text))) = line.recv().await {
            line.send(text.to_uppercase()).await.unwrap();
        }
    })
}

async fn fetch(address: SocketAddr, method: &str, path: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}");
    ask(address, &format!("{head}\r\nConnection: close\r\n\r\n{body}")).await
}

#[tokio::test]
async fn what_openline_does_not_take_goes_to_the_users_router() {
    let server = beside();
    let at = server.address();
    assert_eq!(fetch(at, "GET", "/", "").await.body, "their index");
    assert_eq!(fetch(at, "GET", "/from", "").await.body, "127.0.0.1:0");
    assert_eq!(fetch(at, "GET", "/nothing", "").await.status, 404);
    assert_eq!(fetch(at, "POST", "/from", "").await.status, 405);
    // Openline's own are where they were.
    assert_eq!(fetch(at, "GET", "/health/live", "").await.status, 200);
    assert_eq!(fetch(at, "GET", "/api/v1/info", "").await.status, 401);
    assert_eq!(fetch(at, "GET", "/dashboard", "").await.status, 200);
    assert_eq!(fetch(at, "GET", "/ws", "").await.error().0, "upgrade_required");
}

#[tokio::test]
async fn the_users_router_sends_to_rooms() {
    let server = beside();
    let mut line = Talk::greeted(&server.url("/ws")).await.0;
    line.send(&json!({ "type": "join", "data": "lobby" })).await;
    assert_eq!(line.next().await.unwrap()["type"], "subscribed");
    assert_eq!(fetch(server.address(), "POST", "/said/lobby", "hello").await.body, "told");
    assert_eq!(line.next().await.unwrap()["data"], "hello");
}

#[tokio::test]
async fn a_route_that_panics_or_blocks_stops_no_line() {
    let server = beside();
    let at = server.address();
    assert_eq!(fetch(at, "GET", "/panic", "").await.status, 500);
    let blocked = tokio::spawn(async move { fetch(at, "GET", "/block", "").await.body });
    let mut line = Talk::greeted(&server.url("/ws")).await.0;
    assert_eq!(line.ask(&json!({ "type": "ping", "id": 1 })).await["type"], "pong");
    assert!(!blocked.is_finished());
    assert_eq!(blocked.await.unwrap(), "done");
}

#[tokio::test]
async fn the_user_has_websocket_endpoints_behind_the_guard_of_origins() {
    let server = beside();
    let mut line = connector().connect(&server.url("/shout")).await.unwrap();
    line.send("hello".to_owned()).await.unwrap();
    assert_eq!(soon(line.recv()).await.unwrap(), Some(Message::Text("HELLO".into())));
    let request = handshake("/shout", "Origin: https://evil.example\r\n");
    assert_eq!(ask(server.address(), &request).await.status, 403);
}

/// Openline inside of a user's server.
async fn serve(app: Router) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, serving)
}

fn ephemeral() -> Config {
    let mut config = Config::default();
    config.ephemeral = true;
    config.threads = std::num::NonZeroUsize::new(2);
    config
}

#[tokio::test]
async fn it_is_mounted_in_an_app_of_axums() {
    let mounted = Server::builder().handlers(rooms()).mount(ephemeral()).unwrap();
    let namespace = mounted.namespace("/").unwrap();
    let say = async |State(namespace): State<Namespace>, text: String| {
        namespace.to("lobby").emit("said", &text).await.unwrap();
        "told"
    };
    let app = Router::new()
        .route("/say", post(say))
        .fallback_service(mounted.router::<()>())
        .with_state(namespace);
    let (address, serving) = serve(app).await;

    // Clients are dealt out to both threads.
    let mut lines = Vec::new();
    for _ in 0..4 {
        let mut line = Talk::greeted(&format!("ws://{address}/ws")).await.0;
        line.send(&json!({ "type": "join", "data": "lobby" })).await;
        assert_eq!(line.next().await.unwrap()["type"], "subscribed");
        lines.push(line);
    }
    assert_eq!(fetch(address, "POST", "/say", "hello").await.body, "told");
    for line in &mut lines {
        let said = loop {
            let came = line.next().await.unwrap();
            if came["type"] == "said" {
                break came;
            }
        };
        assert_eq!(said["data"], "hello");
    }
    assert_eq!(fetch(address, "GET", "/health/ready", "").await.status, 200);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"GET /sse?channels=lobby HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request).await.unwrap();
    let head = read_head(&mut stream).await;
    assert!(head.contains("content-type: text/event-stream"), "{head}");

    mounted.handle().stop();
    for line in &mut lines {
        let end = loop {
            match line.next().await {
                Ok(_) => {}
                Err(end) => break end,
            }
        };
        assert_eq!(end, End { code: 1012, reason: "server stops".to_owned() });
    }
    assert_eq!(fetch(address, "GET", "/poll?channels=a", "").await.status, 503);
    soon(tokio::task::spawn_blocking(move || mounted.join())).await.unwrap().unwrap();
    serving.abort();
}

#[tokio::test]
async fn one_that_is_mounted_drains() {
    let mut config = ephemeral();
    config.drain.notice = Duration::from_millis(300);
    let mounted = Server::builder().handlers(rooms()).mount(config).unwrap();
    let (address, serving) = serve(Router::new().merge(mounted.router())).await;
    let mut line = Talk::greeted(&format!("ws://{address}/ws")).await.0;
    mounted.handle().drain();
    assert_eq!(fetch(address, "GET", "/health/ready", "").await.status, 503);
    assert_eq!(line.next().await.unwrap()["type"], "drain");
    assert_eq!(line.ask(&json!({ "type": "ping", "id": 1 })).await["type"], "pong");
    assert_eq!(line.ended().await.code, 1012);
    soon(mounted.handle().stopped()).await;
    soon(tokio::task::spawn_blocking(move || mounted.join())).await.unwrap().unwrap();
    serving.abort();
}

#[tokio::test]
async fn it_may_be_mounted_below_a_path() {
    let mounted = Server::builder().handlers(rooms()).mount(ephemeral()).unwrap();
    let (address, _serving) = serve(Router::new().nest("/live", mounted.router())).await;
    let mut line = Talk::greeted(&format!("ws://{address}/live/ws")).await.0;
    assert_eq!(line.ask(&json!({ "type": "ping", "id": 1 })).await["type"], "pong");
    assert_eq!(fetch(address, "GET", "/live/health/live", "").await.status, 200);
    assert_eq!(fetch(address, "GET", "/health/live", "").await.status, 404);
}

#[tokio::test]
async fn without_the_addresses_of_clients_it_says_what_is_missing() {
    let mounted = Server::builder().handlers(rooms()).mount(ephemeral()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, mounted.router()).into_future());
    let answer = fetch(address, "GET", "/health/live", "").await;
    assert_eq!(answer.status, 500);
    assert!(answer.error().1.contains("into_make_service_with_connect_info"), "{}", answer.body);
}
