//! A node at each level, as clients meet it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ::http::header::{
    CONNECTION, HOST, RETRY_AFTER, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use ::http::{Request, Response, StatusCode};
use axum::body::Body;
use serde_json::json;

use super::Level;
use crate::app::{Doors, HandlerThreads, Handlers};
use crate::config::Config;
use crate::connection::Site;
use crate::http::answer;
use crate::server::{Prepared, furnish};
use crate::testkit::TestServer;

/// All ways to become a line, and whether each is a WebSocket.
const WAYS_IN: [(&str, bool); 9] = [
    ("/ws", true),
    ("/ws?resume=1", true),
    ("/echo", true),
    ("/chat", true),
    ("/upload", true),
    ("/socket.io/?EIO=4&transport=websocket", true),
    ("/socket.io/?EIO=4&transport=polling", false),
    ("/sse?channels=a", false),
    ("/poll?channels=a", false),
];

fn site() -> Site {
    let config = Config { ephemeral: true, ..Config::default() };
    let address = config.listen;
    let (config, doors, mounts) = furnish(config, Doors::default());
    let prepared = Prepared::new(config, doors, HandlerThreads::Own(None), mounts, address);
    let Prepared { node, inputs, .. } = prepared.unwrap();
    let shard = inputs[0].shard.clone();
    Site { peer: address.ip(), shard, node }
}

fn request(path: &str, is_upgrade: bool) -> Request<Body> {
    let request = Request::builder().uri(path).header(HOST, "localhost");
    let request = match is_upgrade {
        true => request
            .header(CONNECTION, "upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
            .header(SEC_WEBSOCKET_EXTENSIONS, "permessage-deflate"),
        false => request,
    };
    request.body(Body::empty()).unwrap()
}

async fn ask(site: &Site, path: &str, is_upgrade: bool) -> Response<Body> {
    answer(site.clone(), request(path, is_upgrade)).await
}

#[tokio::test]
async fn without_memory_no_way_in_is_open() {
    let site = site();
    let overload = &site.node.exchange.overload;
    for (path, is_upgrade) in WAYS_IN {
        overload.set(Level::Saving, 0, 0);
        let let_in = ask(&site, path, is_upgrade).await.status();
        assert!(let_in.is_informational() || let_in.is_success(), "{path} {let_in}");
        for level in [Level::Closed, Level::Shedding, Level::Silent] {
            overload.set(level, 0, 0);
            let refused = ask(&site, path, is_upgrade).await;
            assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE, "{path} {level:?}");
            let seconds = refused.headers()[RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap();
            assert!((5..=15).contains(&seconds), "{path} {seconds}");
        }
    }
    assert_eq!(ask(&site, "/health/live", false).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn new_lines_are_compressed_only_while_there_is_memory() {
    let site = site();
    let overload = &site.node.exchange.overload;
    for (level, is_compressed) in [(Level::Calm, true), (Level::Saving, false)] {
        overload.set(level, 0, 0);
        for path in ["/ws", "/echo", "/chat", "/socket.io/?EIO=4&transport=websocket"] {
            let opened = ask(&site, path, true).await;
            assert_eq!(opened.status(), StatusCode::SWITCHING_PROTOCOLS, "{path}");
            let agreed = opened.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS);
            assert_eq!(agreed, is_compressed, "{path} {level:?}");
        }
    }
}

#[tokio::test]
async fn ready_follows_publications_and_not_new_lines() {
    let site = site();
    for (level, status) in [
        (Level::Calm, StatusCode::OK),
        (Level::Shedding, StatusCode::OK),
        (Level::Silent, StatusCode::SERVICE_UNAVAILABLE),
        (Level::Calm, StatusCode::OK),
    ] {
        site.node.exchange.overload.set(level, 0, 0);
        let ready = ask(&site, "/health/ready", false).await;
        assert_eq!(ready.status(), status, "{level:?}");
        assert_eq!(ready.headers().contains_key(RETRY_AFTER), level == Level::Silent);
    }
}

#[tokio::test]
async fn lines_stay_when_publications_are_refused_and_publish_again_after_it() {
    let server = TestServer::new(Handlers::new());
    let overload = &server.node().exchange.overload;
    let mut ann = server.client().await;
    let mut ben = server.client().await;
    ben.subscribe("room").await.unwrap();
    ann.publish("room", "said", "before").await.unwrap();
    assert_eq!(ben.expect("said").await.data, "before");

    overload.set(Level::Silent, 96, 100);
    let publish =
        json!({ "type": "publish", "channel": "room", "event": "said", "data": 1, "key": "k" });
    let refused = ann.request(publish.clone()).await.unwrap_err();
    assert_eq!(refused.code(), "overloaded");
    assert!(refused.message().contains("memory"), "{}", refused.message());
    assert!(refused.retry_after().is_some_and(|ms| (1_000..5_000).contains(&ms)));
    ann.request(json!({ "type": "ping" })).await.unwrap();
    ben.subscribe("other").await.unwrap();

    overload.set(Level::Shedding, 94, 100);
    let published = ann.request(publish).await.unwrap();
    assert_eq!(published.get("duplicate"), None, "what was refused was not kept");
    assert_eq!(ben.expect("said").await.data, 1);
}
