//! The demo's ticker, through sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use openline_server::Config;
use serde_json::json;
use support::TestServer;
use support::talk::Talk;

#[tokio::test]
async fn who_subscribes_gets_prices() {
    let server = TestServer::start();
    let (mut line, _) = Talk::greeted(&server.url("/ws")).await;
    line.ask(&json!({ "type": "subscribe", "id": 1, "channels": ["ticker"] })).await;
    let mut before = None;
    for _ in 0..2 {
        let tick = loop {
            let came = line.next().await.unwrap();
            if came["channel"] == "ticker" && came["type"] != "presence" {
                break came;
            }
        };
        assert_eq!(tick["type"], "tick");
        assert!(tick["position"].is_string(), "{tick}");
        let hundredths = |name: &str| (tick["data"][name].as_f64().unwrap() * 100.0).round() as i64;
        if let Some(before) = before {
            assert_eq!(hundredths("price") - hundredths("change"), before, "{tick}");
        }
        before = Some(hundredths("price"));
    }
}

#[tokio::test]
async fn there_is_none_where_it_is_not_wanted() {
    for key in ["demo", "demo_ticker"] {
        let off = (key.to_owned(), "false".to_owned());
        let server = TestServer::with_config(Config::read(None, [], [off]).unwrap());
        let (mut line, _) = Talk::greeted(&server.url("/ws")).await;
        line.ask(&json!({ "type": "subscribe", "id": 1, "channels": ["ticker"] })).await;
        // Longer than it takes where there is one.
        tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
        line.send(&json!({ "type": "ping", "id": 2 })).await;
        loop {
            let came = line.next().await.unwrap();
            assert_ne!(came["type"], "tick", "{key}");
            if came["id"] == 2 {
                break;
            }
        }
    }
}

#[tokio::test]
async fn the_only_listener_finds_what_it_missed_when_it_is_back() {
    let server = TestServer::start();
    let subscribe = |position: Option<&str>| json!({ "type": "subscribe", "id": 1, "channel": "ticker", "position": position });
    let (mut line, _) = Talk::greeted(&server.url("/ws")).await;
    line.ask(&subscribe(None)).await;
    let seen = loop {
        let came = line.next().await.unwrap();
        if came["type"] == "tick" {
            break came["position"].as_str().unwrap().to_owned();
        }
    };
    drop(line);
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    let (mut line, _) = Talk::greeted(&server.url("/ws")).await;
    let back = line.ask(&subscribe(Some(&seen))).await;
    assert_eq!(back["data"]["ticker"]["recovered"], true, "{back}");
    assert!(!back["data"]["ticker"]["messages"].as_array().unwrap().is_empty(), "{back}");
}
