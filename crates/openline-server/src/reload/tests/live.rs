//! What changes while lines are open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::http::Request;
use serde_json::json;

use super::{BEGINNING, Running};
use crate::config::{Config, HttpUrl};
use crate::outbound::backend::Backend;
use crate::tokens::{Claims, Signer, mint};

const OPEN: &str = "auth.anonymous = true\n";

/// Open, and without rates.
const CALM: &str = "auth.anonymous = true\nrates.commands = \"off\"\nrates.publish = \"off\"\nrates.publish_user = \"off\"\n";

fn token(secret: &str) -> String {
    let signer = Signer::new("HS256", secret.as_bytes()).unwrap();
    let claims = Claims { user: Some("ann".into()), ..Claims::default() };
    mint(&signer, &claims).unwrap()
}

/// Publishes all the time; ends with how often, when `stop` is true. Nothing may fail.
async fn publish_until(running: &Running, stop: &AtomicBool) -> u64 {
    let mut writer = running.server.client().user("writer").await;
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        writer.publish("news", "number", &count).await.unwrap();
        count += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    count
}

/// Has tokens checked with a key in a file, and replaces that; returns what the configuration says of it.
async fn replace_the_key(running: &Running) -> String {
    running.write("token.key", "a-first-secret-of-at-least-32-bytes\n");
    let file = running.folder.join("token.key");
    let keys = format!(
        "auth.handshake = true\nauth.keys = [{{algorithm = \"HS256\", secret_file = \"{}\"}}]\n",
        file.display()
    );
    let origin = "http://127.0.0.1:8000";
    let (old, new) = (
        token("a-first-secret-of-at-least-32-bytes"),
        token("another-secret-of-at-least-32-bytes"),
    );
    assert_eq!(running.change(&format!("{CALM}{keys}")).await.0, 200);
    assert!(running.open(origin, Some(&old)).await.is_ok());
    assert_eq!(running.open(origin, Some(&new)).await.err(), Some("auth_failed"));
    running.write("token.key", "another-secret-of-at-least-32-bytes\n");
    let (status, body) = running.reload().await;
    assert_eq!(
        (status, &body["changed"], body["read"].as_array().unwrap().len()),
        (200, &json!([]), 1)
    );
    assert!(running.open(origin, Some(&new)).await.is_ok());
    assert_eq!(running.open(origin, Some(&old)).await.err(), Some("auth_failed"));
    keys
}

#[tokio::test]
async fn origins_rates_namespaces_and_keys_change_under_load() {
    let running = Running::start("load", CALM);
    let mut reader = running.subscriber("news").await;
    let stop = AtomicBool::new(false);
    let changes = async {
        // An origin.
        let asked = "https://b.example";
        assert_eq!(running.open(asked, None).await.err(), Some("origin_not_allowed"));
        let told = running.change(&format!("{CALM}http.allowed_origins = [\"{asked}\"]\n")).await;
        Running::assert_changed(&told, &["http.allowed_origins"]);
        assert!(running.open(asked, None).await.is_ok());
        // A namespace, and an option of one.
        let mut client = running.server.client().user("ben").await;
        let refused = client.publish("chat:1", "e", &1).await.unwrap_err();
        assert_eq!(refused.code(), "unknown_namespace");
        let told = running.change(&format!("{CALM}[namespace.chat]\n")).await;
        Running::assert_changed(&told, &["http.allowed_origins", "namespace.chat"]);
        client.publish("chat:1", "e", &1).await.unwrap();
        let told = running.change(&format!("{CALM}[namespace.chat]\npublish = \"nobody\"\n")).await;
        Running::assert_changed(&told, &["namespace.chat.publish"]);
        assert_eq!(client.publish("chat:1", "e", &1).await.unwrap_err().code(), "forbidden");
        let keys = replace_the_key(&running).await;
        // A rate, which the line that is open is held to as well.
        for _ in 0..20 {
            client.request(json!({"type": "ping"})).await.unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        let told = running
            .change(
                &format!("{CALM}{keys}")
                    .replace("commands = \"off\"", "commands = \"1/s burst 3\""),
            )
            .await;
        Running::assert_changed(&told, &["rates.commands"]);
        let mut refused = 0;
        for _ in 0..10 {
            refused += u64::from(client.request(json!({"type": "ping"})).await.is_err());
        }
        assert!(refused >= 5, "{refused} of 10 were refused");
    };
    let (published, ()) = tokio::join!(publish_until(&running, &stop), changes);
    assert!(published > 0);
    for number in 0..published {
        assert_eq!(reader.expect("number").await.data, json!(number), "nothing is missing");
    }
}

#[tokio::test]
async fn what_the_backend_is_told_goes_where_it_is_now() {
    let (first, second) = (Backend::always(200, "").await, Backend::always(200, "").await);
    let hook = |backend: &Backend| {
        format!(
            "{OPEN}webhook.url = \"{}\"\nwebhook.secrets = [\"sixteen-letters!!\"]\n\
             webhook.events = [\"client.connected\"]\n",
            backend.url("/hook")
        )
    };
    let running = Running::start("webhook", OPEN);
    let desk = running.node().webhook_desk.clone();
    let sender = tokio::spawn(desk.run(std::future::pending()));
    let _nobody = running.server.client().user("nobody").await;
    assert_eq!(running.change(&hook(&first)).await.0, 200);
    let _ann = running.server.client().user("ann").await;
    let seen = first.wait_for(1).await;
    assert_eq!(seen[0].json()["events"][0]["user"], "ann");
    Running::assert_changed(&running.change(&hook(&second)).await, &["webhook.url"]);
    let _ben = running.server.client().user("ben").await;
    let seen = second.wait_for(1).await;
    assert_eq!(seen[0].json()["events"][0]["user"], "ben");
    assert_eq!(first.seen().len(), 1);
    sender.abort();
}

#[tokio::test]
async fn an_event_that_a_backend_did_not_take_is_tried_at_the_next_one() {
    let (broken, whole) = (Backend::always(500, "").await, Backend::always(200, "").await);
    let hook = |backend: &Backend| {
        format!(
            "{OPEN}webhook.url = \"{}\"\nwebhook.secrets = [\"sixteen-letters!!\"]\n\
             webhook.events = [\"client.connected\"]\n",
            backend.url("/hook")
        )
    };
    let running = Running::start("retry", &hook(&broken));
    let desk = running.node().webhook_desk.clone();
    let sender = tokio::spawn(desk.run(std::future::pending()));
    let _ann = running.server.client().user("ann").await;
    broken.wait_for(1).await;
    assert_eq!(running.change(&hook(&whole)).await.0, 200);
    let seen = whole.wait_for(1).await;
    assert_eq!(seen[0].json()["events"][0]["user"], "ann");
    sender.abort();
}

#[tokio::test]
async fn a_line_whose_key_is_gone_stays_and_its_next_token_is_checked_by_the_new_keys() {
    let keys =
        |secret: &str| format!("auth.keys = [{{algorithm = \"HS256\", secret = \"{secret}\"}}]\n");
    let (first, second) =
        ("a-first-secret-of-at-least-32-bytes", "another-secret-of-at-least-32-bytes");
    let running = Running::start("gone-key", &format!("{OPEN}{}", keys(first)));
    let mut client = running.server.client().await;
    client.request(json!({"type": "auth", "token": token(first)})).await.unwrap();
    assert_eq!(running.change(&format!("{OPEN}{}", keys(second))).await.0, 200);
    client.subscribe("news").await.unwrap();
    client.request(json!({"type": "auth", "token": token(second)})).await.unwrap();
    assert!(client.request(json!({"type": "auth", "token": token(first)})).await.is_err());
}

#[tokio::test]
async fn what_is_counted_stays_counted() {
    let limit = |most: u32| format!("{OPEN}limits.connections_per_ip = {most}\n");
    let origin = "http://127.0.0.1:8000";
    let running = Running::start("counts", &limit(2));
    let first = running.open(origin, None).await.ok().unwrap();
    let second = running.open(origin, None).await.ok().unwrap();
    assert_eq!(running.open(origin, None).await.err(), Some("connection_limit"));
    Running::assert_changed(&running.change(&limit(3)).await, &["limits.connections_per_ip"]);
    let third = running.open(origin, None).await.ok().unwrap();
    assert_eq!(running.open(origin, None).await.err(), Some("connection_limit"));
    Running::assert_changed(&running.change(&limit(1)).await, &["limits.connections_per_ip"]);
    drop((first, second));
    assert_eq!(running.open(origin, None).await.err(), Some("connection_limit"), "one is there");
    drop(third);
    assert!(running.open(origin, None).await.is_ok());
}

#[tokio::test]
async fn history_can_be_switched_on_and_off_under_a_subscriber() {
    let kept = |size: u32| format!("{OPEN}[namespace.default]\nhistory_size = {size}\n");
    let running = Running::start("history", &kept(0));
    let mut reader = running.subscriber("news").await;
    let mut writer = running.server.client().user("writer").await;
    let mut number = 0;
    for size in [0, 100, 0, 10, 100] {
        assert_eq!(running.change(&kept(size)).await.0, 200);
        for _ in 0..3 {
            writer.publish("news", "number", &number).await.unwrap();
            assert_eq!(reader.expect("number").await.data, json!(number), "with {size}");
            number += 1;
        }
    }
}

#[tokio::test]
async fn without_a_file_the_files_that_are_named_are_read_again() {
    let running = Running::start("bare", OPEN);
    let file = running.folder.join("token.key");
    running.write("token.key", "a-first-secret-of-at-least-32-bytes");
    let keys = format!(
        "auth.handshake = true\nauth.keys = [{{algorithm = \"HS256\", secret_file = \"{}\"}}]\n",
        file.display()
    );
    let text = format!("ephemeral = true\n{BEGINNING}{OPEN}{keys}");
    let config = Config::read(Some(("openline.toml", &text)), [], []).unwrap();
    let changed = running.node().reload_with(config).unwrap().changed;
    assert_eq!(changed.len(), 2, "{changed:?}");
    *running.node().reloads.source() = None;
    running.write("token.key", "another-secret-of-at-least-32-bytes");
    let (status, body) = running.reload().await;
    assert_eq!((status, body.get("file"), &body["changed"]), (200, None, &json!([])), "{body}");
    let token = token("another-secret-of-at-least-32-bytes");
    assert!(running.open("http://127.0.0.1:8000", Some(&token)).await.is_ok());
}

/// What was made from a configuration is always seen with that configuration.
#[tokio::test]
async fn two_states_are_never_mixed() {
    const ROUNDS: usize = 400;
    let state = |name: &str| {
        let text = format!(
            "ephemeral = true\n{BEGINNING}{OPEN}http.allowed_origins = [\"https://{name}.example\"]\n\
             webhook.url = \"https://{name}.example/\"\nwebhook.secrets = [\"sixteen-letters!!\"]\n\
             webhook.decide = [\"publish\"]\nlimits.message = \"{}KiB\"\n[namespace.{name}]\n",
            name.len()
        );
        Config::read(Some(("openline.toml", &text)), [], []).unwrap()
    };
    let names = ["a", "bb", "ccc"];
    let running = Running::start("mixed", OPEN);
    let node = running.node();
    node.reload_with(state(names[0])).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let look = |node: Arc<crate::node::Node>, stop: Arc<AtomicBool>| {
        let mut looks = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            let settings = node.settings();
            let url = settings.config.webhook.url.as_ref().map(HttpUrl::as_str).unwrap();
            let origin = url.trim_end_matches('/');
            let name = origin.trim_start_matches("https://").trim_end_matches(".example");
            let request = Request::builder().header("origin", origin).body(()).unwrap();
            assert!(settings.guard.check_origin(&request).is_ok(), "{origin}");
            assert!(settings.config.namespace.named.contains_key(name), "{name}");
            let bytes = settings.line_settings.limits.message_bytes_max;
            assert_eq!(bytes, name.len() as u64 * 1024);
            looks += 1;
        }
        looks
    };
    let lookers: Vec<_> = (0..2)
        .map(|_| (node.clone(), stop.clone()))
        .map(|(node, stop)| std::thread::spawn(move || look(node, stop)))
        .collect();
    for round in 0..ROUNDS {
        node.reload_with(state(names[round % names.len()])).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    for looker in lookers {
        assert!(looker.join().unwrap() > 0);
    }
}
