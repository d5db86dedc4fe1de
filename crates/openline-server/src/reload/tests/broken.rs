//! What is wrong changes nothing.

use serde_json::json;

use super::{BEGINNING, KEY, Running};
use crate::config::tests::broken::BROKEN;
use crate::config::{Change, Config};
use crate::reload::ReloadError;

const GOOD: &str = "http.allowed_origins = [\"https://a.example\"]\nauth.anonymous = true\n";

/// Line and column, as the text of an error begins with them behind the file.
fn place(said: &str) -> (u64, u64) {
    let mut parts = said.split(':').skip(1).map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap())
}

#[tokio::test]
async fn broken_files_change_nothing() {
    assert!(BROKEN.len() >= 30);
    let running = Running::start("broken", GOOD);
    let mut reader = running.subscriber("news").await;
    let mut writer = running.server.client().user("writer").await;
    for (number, (file, said)) in BROKEN.iter().enumerate() {
        running.write("openline.toml", file);
        let (status, body) = running.reload().await;
        let error = &body["error"];
        assert_eq!((status, &error["code"]), (422, &json!("config_invalid")), "{body}");
        let [first] = &error["errors"].as_array().unwrap()[..] else { panic!("{body}") };
        let (line, column) = place(said);
        assert_eq!((&first["line"], &first["column"]), (&json!(line), &json!(column)), "{body}");
        let text = first["message"].as_str().unwrap();
        assert!(text.ends_with(said), "{text} is not about {said}");
        assert!(first["file"].as_str().unwrap().ends_with("openline.toml"));
        // What was in force is in force, and the line that was open gets what is published.
        assert!(running.open("https://a.example", None).await.is_ok());
        let refused = running.open("https://b.example", None).await.err();
        assert_eq!(refused, Some("origin_not_allowed"));
        writer.publish("news", "number", &number).await.unwrap();
        assert_eq!(reader.expect("number").await.data, json!(number));
        assert!(running.node().reloads.has_failed());
    }
    let metrics = running.metrics().await;
    Running::assert_counted(&metrics, "openline_config_reload_failed 1");
    let refused = format!("openline_config_reloads_total{{result=\"refused\"}} {}", BROKEN.len());
    Running::assert_counted(&metrics, &refused);
    Running::assert_changed(&running.change(GOOD).await, &[]);
    let metrics = running.metrics().await;
    Running::assert_counted(&metrics, "openline_config_reload_failed 0");
    Running::assert_counted(&metrics, "openline_config_reloads_total{result=\"applied\"} 1");
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once() {
    let running = Running::start("all", GOOD);
    let (status, body) = running.change("lisen = 1\n[limits]\nqueue = \"1MB\"\n").await;
    assert_eq!((status, body["error"]["errors"].as_array().unwrap().len()), (422, 2), "{body}");
    // Of files that the configuration names, each.
    let missing = "webhook.url = \"https://b.example/\"\nwebhook.secrets = [\"sixteen-letters!!\"]\n\
                   webhook.events = [\"client.gone\"]\nwebhook.ca = \"/none/ca.pem\"\n\
                   auth.keys = [{algorithm = \"HS256\", secret_file = \"/none/token.key\"}]\n";
    let (status, body) = running.change(missing).await;
    let message = body["error"]["message"].as_str().unwrap();
    assert_eq!(status, 422, "{body}");
    assert!(message.contains("/none/ca.pem") && message.contains("/none/token.key"), "{message}");
    assert_eq!(body["error"]["errors"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_file_that_is_gone_or_contradicts_itself_changes_nothing() {
    let running = Running::start("gone", GOOD);
    let (status, body) = running.change("listen = \"0.0.0.0:8000\"\nauth.anonymous = true").await;
    assert_eq!(status, 422);
    assert!(body["error"]["message"].as_str().unwrap().contains("insecure-dev"), "{body}");
    std::fs::remove_file(running.folder.join("openline.toml")).unwrap();
    let (status, body) = running.reload().await;
    assert_eq!(status, 422);
    assert!(body["error"]["message"].as_str().unwrap().contains("cannot be opened"), "{body}");
    assert!(running.open("https://a.example", None).await.is_ok());
}

#[tokio::test]
async fn keys_that_need_a_restart_are_refused_by_name() {
    let running = Running::start("restart", GOOD);
    for (line, key) in [
        ("listen = \"127.0.0.1:8001\"", "listen"),
        ("threads = 3", "threads"),
        ("data_dir = \"elsewhere\"", "data_dir"),
        ("demo = true", "demo"),
        ("history.level = \"fsync\"", "history.level"),
        ("history.memory_max = \"1MiB\"", "history.memory_max"),
        ("node.name = \"another\"", "node.name"),
        ("broker.url = \"redis://127.0.0.1:1\"", "broker.url"),
        ("uploads.enabled = true", "uploads.enabled"),
        ("limits.channels = 7", "limits.channels"),
        ("socketio.recovery = \"1m\"", "socketio.recovery"),
    ] {
        // What could change goes no further than what could not.
        let more = format!("{line}\nhttp.allowed_origins = [\"https://b.example\"]\n");
        let (status, body) = running.change(&format!("{more}auth.anonymous = true\n")).await;
        assert_eq!((status, &body["error"]["code"]), (409, &json!("needs_restart")), "{body}");
        let [only] = &body["error"]["keys"].as_array().unwrap()[..] else { panic!("{body}") };
        assert_eq!(only["key"], key);
        assert!(running.open("https://a.example", None).await.is_ok());
    }
    assert!(running.node().reloads.has_failed());
}

#[test]
fn a_key_that_says_nothing_needs_a_restart() {
    let change = |path: &str| {
        let key = Config::keys().find(|key| key.path() == path);
        key.unwrap().change()
    };
    assert_eq!(change("listen"), Change::Restart);
    assert_eq!(change("http.allowed_origins"), Change::Live);
    assert_eq!(change("limits.queue"), Change::LiveForNew("new_lines"));
}

#[tokio::test]
async fn only_who_has_the_key_reloads() {
    let running = Running::start("key", GOOD);
    assert_eq!(running.reload_by("another-key-that-is-long-enough-too").await.0, 401);
    let (status, _) = running.change(&format!("{GOOD}limits.subscriptions = 7\n")).await;
    assert_eq!(status, 200);
    // The keys themselves are among what is exchanged.
    let text = format!("api.keys = [\"another-key-that-is-long-enough-too\"]\n{GOOD}");
    running.write("openline.toml", &text);
    assert_eq!(running.reload().await.0, 200);
    assert_eq!(running.reload().await.0, 401);
    assert_eq!(running.reload_by("another-key-that-is-long-enough-too").await.0, 200);
}

const CANARIES: [&str; 6] = ["canary1", "canary2", "canary3", "canary4", "canary5", "canary6"];

#[tokio::test]
async fn no_secret_is_said() {
    let running = Running::start("canary", GOOD);
    let secrets = "webhook.url = \"https://canary1:canary2@b.example/canary3?x=canary3\"\n\
                   webhook.events = [\"client.gone\"]\n\
                   webhook.secrets = [\"canary4-and-more-letters\"]\n\
                   auth.keys = [{algorithm = \"HS256\", secret = \"canary5-which-has-to-be-very-long-x\"}]\n";
    let text =
        format!("api.keys = [\"{KEY}\", \"canary6-which-is-long-enough-for-it\"]\n{secrets}");
    running.write("openline.toml", &text);
    let source = |text: &str| Config::read(Some(("openline.toml", text)), [], []).unwrap();
    let changed = source(BEGINNING).differences(&source(&text));
    assert!(changed.len() >= 4, "{changed:?}");
    let refused = ReloadError::NeedsRestart(changed.clone());
    let shown: Vec<String> = changed.iter().map(ToString::to_string).collect();
    let (_, answered) = running.reload().await;
    let (_, again) = running.change(GOOD).await;
    let said = format!("{shown:?} {changed:?} {refused} {refused:?} {answered} {again}");
    for canary in CANARIES {
        assert!(!said.contains(canary), "{canary} is in {said}");
    }
    assert!(said.contains("[redacted]") && said.contains("https://b.example/…"), "{said}");
}
