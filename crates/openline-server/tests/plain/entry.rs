//! Who is let in, and what the address says.

use openline_server::app::{Context, EndpointOptions, Goodbye, Handlers, Refusal};
use openline_server::{Config, Server};
use serde_json::json;
use tokio::sync::mpsc;

use super::support::talk::{End, Talk};
use super::support::{self, TestServer, handshake, soon};
use super::{config, line, serve, serve_and};

fn room() -> Handlers {
    Handlers::new()
        .on_connect(async |cx: Context| match cx.parameter() {
            "closed" => Err(Refusal::forbidden("nobody comes in here")),
            room => cx.emit("room", &json!({ "name": room })),
        })
        .on("ping", async |_cx, (): ()| "pong")
}

fn with_flag(key: &str, value: &str) -> Config {
    Config::load(None, [], [(key.to_owned(), value.to_owned())]).unwrap()
}

#[tokio::test]
async fn a_parameter_is_decoded() {
    let server = serve(&room());
    for (path, name) in
        [("/app", ""), ("/app/42", "42"), ("/app/a%2Fb%20c", "a/b c"), ("/app/%C3%A9", "\u{e9}")]
    {
        let mut line = Talk::open(&server.url(path), None).await;
        assert_eq!(line.next().await.unwrap()["name"], name, "{path}");
    }
    for path in ["/app/", "/app/a/b", "/app/%ff", "/app/%00", "/other"] {
        let answer = support::ask(server.address(), &handshake(path, "")).await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn of_the_subprotocols_the_best_known_one_is_taken() {
    let options = EndpointOptions::new().protocols(["b", "a"]);
    let server = serve_and(&options, &room(), |builder| builder);
    for (offered, taken) in [("a, b", Some("b")), ("x, a", Some("a")), ("x", None)] {
        let header = format!("Sec-WebSocket-Protocol: {offered}\r\n");
        let line = server.raw_line("/app", &header).await;
        let chosen = line.head.lines().find_map(|line| line.split_once("rotocol: "));
        assert_eq!(chosen.map(|(_, protocol)| protocol), taken, "{offered}");
    }
}

#[tokio::test]
async fn who_is_refused_is_closed_with_1008() {
    let server = serve(&room());
    let mut line = Talk::open(&server.url("/app/closed"), None).await;
    let reason = "nobody comes in here".to_owned();
    assert_eq!(line.ended().await, End { code: 1008, reason });
}

#[tokio::test]
async fn where_a_token_is_needed_it_comes_with_the_request() {
    let mut config = config();
    config.auth.anonymous = false;
    let builder = Server::builder().plain("/app", room()).plain_with(
        "/open",
        EndpointOptions::new().open_to_all(),
        room(),
    );
    let server = TestServer::with_handlers(config, builder);
    let answer = support::ask(server.address(), &handshake("/app", "")).await;
    assert_eq!(answer.status, 401);
    let forged = handshake("/app", "Authorization: Bearer a.b.c\r\n");
    assert_eq!(support::ask(server.address(), &forged).await.status, 401);
    let mut line = Talk::open(&server.url("/open"), None).await;
    assert_eq!(line.next().await.unwrap()["type"], "room");
    assert_eq!(line.ask(&json!({ "type": "ping", "id": 1 })).await["data"], "pong");
}

#[tokio::test]
async fn a_page_of_another_origin_is_not_let_in() {
    let server = serve(&room());
    let request = handshake("/app", "Origin: https://example.com\r\n");
    assert_eq!(support::ask(server.address(), &request).await.status, 403);
    let request = handshake("/app", "").replace("Host: 127.0.0.1", "Host: example.com");
    assert_eq!(support::ask(server.address(), &request).await.status, 403);
}

#[tokio::test]
async fn lines_are_counted_with_all_others() {
    let mut config = config();
    config.limits.connections_per_ip = std::num::NonZeroU32::new(1);
    let server = TestServer::with_handlers(config, Server::builder().plain("/app", room()));
    let _first = Talk::greeted(&server.url("/ws")).await;
    let answer = support::ask(server.address(), &handshake("/app", "")).await;
    assert!(matches!(answer.status, 429 | 503), "{}", answer.status);
}

#[tokio::test]
async fn messages_count_against_the_rate() {
    let config = with_flag("rates.commands", "1/s burst 2");
    let server = TestServer::with_handlers(config, Server::builder().plain("/app", room()));
    let mut line = line(&server).await;
    line.next().await.unwrap();
    let mut codes = Vec::new();
    for id in 0..3 {
        codes.push(line.ask(&json!({ "type": "ping", "id": id })).await["code"].clone());
    }
    assert_eq!(codes[2], "rate_limited");
    assert_eq!((&codes[0], &codes[1]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn messages_have_the_length_that_all_have() {
    let config = with_flag("limits.message", "1KiB");
    let server = TestServer::with_handlers(config, Server::builder().plain("/app", room()));
    let mut line = line(&server).await;
    line.send(&json!({ "type": "ping", "more": "a".repeat(2000) })).await;
    assert_eq!(line.ended().await.code, 1009);
}

#[tokio::test]
async fn a_stopping_server_closes_with_1001_and_the_handlers_hear_of_it() {
    let (told, mut gone) = mpsc::unbounded_channel();
    let handlers = room().on_disconnect(move |_cx: Context, goodbye: Goodbye| {
        told.send(goodbye.code).ok();
        async {}
    });
    let server = serve(&handlers);
    let mut line = line(&server).await;
    line.next().await.unwrap();
    server.handle().stop();
    let (last, end) = line.last_words().await;
    assert_eq!((last, end), (None, End { code: 1001, reason: "server stops".to_owned() }));
    assert_eq!(soon(gone.recv()).await, Some(Some(1001)));
}

#[tokio::test]
async fn an_endpoint_of_the_servers_own_may_be_replaced() {
    let builder = Server::builder().plain("/chat", room()).raw("/echo", Handlers::new());
    let server = TestServer::with_handlers(config(), builder);
    let mut line = Talk::open(&server.url("/chat"), None).await;
    assert_eq!(line.next().await.unwrap(), json!({ "type": "room", "name": "" }));
    let mut line = Talk::open(&server.url("/chat/42"), None).await;
    assert_eq!(line.next().await.unwrap()["type"], "welcome");
    let mut line = server.line("/echo").await;
    line.send("x").await.unwrap();
    assert_eq!(soon(line.recv()).await.unwrap(), None);
}
