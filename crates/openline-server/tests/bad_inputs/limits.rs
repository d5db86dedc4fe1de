//! Too many and too fast: what clients are told, and when a line ends for it.

use std::num::NonZeroU32;

use openline_server::Config;
use serde_json::{Value, json};

use crate::servers::{authenticated, guarded, token};
use crate::support::talk::Talk;
use crate::support::{Answer, TestServer, ask, handshake};

/// With these variables and without a file.
fn configured(variables: &[(&str, &str)]) -> Config {
    let variables =
        variables.iter().map(|(key, value)| (format!("OPENLINE_{key}"), (*value).to_owned()));
    Config::read(None, variables, []).unwrap()
}

async fn third_line(mut config: Config, limit: impl FnOnce(&mut Config)) -> Answer {
    limit(&mut config);
    let server = TestServer::with_config(config);
    let _first = Talk::greeted(&server.url("/ws")).await;
    let _second = Talk::greeted(&server.url("/ws")).await;
    ask(server.address(), &handshake("/ws", "")).await
}

#[tokio::test]
async fn one_line_too_many_is_told_when_to_come_again() {
    let two = NonZeroU32::new(2);
    let by_address = third_line(Config::default(), |c| c.limits.connections_per_ip = two).await;
    assert_eq!((by_address.status, &*by_address.error().0), (429, "connection_limit"));
    let by_node = third_line(Config::default(), |c| c.limits.connections = two).await;
    assert_eq!((by_node.status, &*by_node.error().0), (503, "connection_limit"));
    for answer in [by_address, by_node] {
        let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=10).contains(&after), "{answer:?}");
    }
}

#[tokio::test]
async fn a_line_that_ends_makes_room() {
    let config = configured(&[("LIMITS_CONNECTIONS_PER_IP", "1")]);
    let server = TestServer::with_config(config);
    let (mut first, _) = Talk::greeted(&server.url("/ws")).await;
    assert!(Talk::try_open(&server.url("/ws"), None).await.is_none());
    first.ws.close(1000, "").await.unwrap();
    while Talk::try_open(&server.url("/ws"), None).await.is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_user_with_too_many_lines_is_told_to_try_later() {
    let mut config = guarded("");
    config.limits.connections_per_user = NonZeroU32::new(1);
    let server = TestServer::with_config(config);
    let _first = authenticated(&server, &token("ann", 60)).await;
    let (mut second, _) = Talk::greeted(&server.url("/ws")).await;
    second.send(&json!({ "type": "auth", "id": 1, "token": token("ann", 60) })).await;
    let (last, end) = second.last_words().await;
    assert_eq!(end.code, 1013);
    let last = last.unwrap();
    assert_eq!((&last["type"], &last["code"]), (&json!("close"), &json!(1013)));
    assert_eq!(last["reason"], end.reason);
    let after = last["retryAfter"].as_u64().unwrap();
    assert!(end.reason.ends_with(&format!("; retry={after}")), "{last} {end:?}");
    authenticated(&server, &token("ben", 60)).await;
}

/// Asks until the line ends: how often it was served, how often refused, and the code, which it is
/// told before in a message.
async fn hammer(line: &mut Talk, request: &Value) -> (u32, u32, u16) {
    let (mut served, mut refused, mut told) = (0, 0, None);
    loop {
        // A line that is closed shows that when it is read.
        let _ = line.try_send(request).await;
        let answer = loop {
            match line.next().await {
                Err(end) => {
                    assert_eq!(told, Some((end.code.into(), 30_000)));
                    return (served, refused, end.code);
                }
                Ok(came) if came["type"] == "close" => {
                    told = came["code"].as_u64().zip(came["retryAfter"].as_u64());
                }
                Ok(came) if came.get("id").is_some() => break came,
                Ok(_) => {}
            }
        };
        if answer["type"] != "error" {
            served += 1;
            continue;
        }
        assert_eq!(answer["code"], "rate_limited", "{answer}");
        let after = answer["retryAfter"].as_u64().expect("it says when to try again");
        assert!((1..=1000).contains(&after), "{answer}");
        refused += 1;
    }
}

#[tokio::test]
async fn who_is_too_fast_is_told_when_to_try_again_and_in_the_end_cut_off() {
    let publish = json!({ "type": "publish", "id": 1, "channel": "a" });
    for (rate, request) in [
        ("RATES_COMMANDS", &json!({ "type": "ping", "id": 1 })),
        ("RATES_PUBLISH", &publish),
        ("RATES_PUBLISH_CHANNEL", &publish),
    ] {
        let server = TestServer::with_config(configured(&[(rate, "1/s burst 5")]));
        let (mut line, _) = Talk::greeted(&server.url("/ws")).await;
        let (served, refused, code) = hammer(&mut line, request).await;
        assert_eq!(code, 4003, "{rate}");
        assert!(served >= 5, "{rate}: {served}");
        assert!(refused >= 50, "{rate}: {refused}");
    }
}

#[tokio::test]
async fn each_channel_of_a_subscribe_counts() {
    let server = TestServer::with_config(configured(&[("RATES_SUBSCRIBE", "1/s burst 6")]));
    let (mut line, _) = Talk::greeted(&server.url("/ws")).await;
    let four = |id: u8| {
        let names: Vec<String> = (0..4).map(|n| format!("c{id}-{n}")).collect();
        json!({ "type": "subscribe", "id": id, "channels": names })
    };
    assert_eq!(line.ask(&four(1)).await["type"], "subscribed");
    let refused = line.ask(&four(2)).await;
    assert_eq!(refused["code"], "rate_limited");
    assert!((1..=2000).contains(&refused["retryAfter"].as_u64().unwrap()), "{refused}");
    let seven: Vec<String> = (0..7).map(|n| format!("c{n}")).collect();
    let never = line.ask(&json!({ "type": "subscribe", "id": 3, "channels": seven })).await;
    assert_eq!((&never["code"], never.get("retryAfter")), (&json!("rate_limited"), None));
}

#[tokio::test]
async fn a_user_is_held_to_its_rate_over_all_lines() {
    let server = TestServer::with_config({
        let mut config = guarded("[rates]\npublish_user = \"1/s burst 4\"");
        config.namespace.default.publish = openline_server::config::Publishers::Authenticated;
        config
    });
    let mut lines = [
        authenticated(&server, &token("ann", 60)).await,
        authenticated(&server, &token("ann", 60)).await,
    ];
    let publish = json!({ "type": "publish", "id": 1, "channel": "feed:a" });
    let mut codes = Vec::new();
    for _ in 0..5 {
        for line in &mut lines {
            codes.push(line.ask(&publish).await["code"].as_str().unwrap_or("ok").to_owned());
        }
    }
    assert_eq!(codes[..4], ["ok"; 4]);
    assert!(codes.contains(&"rate_limited".to_owned()), "{codes:?}");
    let mut other = authenticated(&server, &token("ben", 60)).await;
    assert_eq!(other.ask(&publish).await["type"], "published");
}
