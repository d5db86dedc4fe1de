use serde_json::{Value, json};

use super::Server;
use crate::auth::Identity;

fn user(name: &str) -> Identity {
    Identity { user: Some(name.into()), expires_at: Some(1_800_000_000), ..Identity::default() }
}

fn ids(page: &Value) -> Vec<&str> {
    let clients = page["clients"].as_array().unwrap().iter();
    clients.map(|client| client["clientId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn clients_are_listed_page_by_page() {
    let server = Server::new();
    let mut mailboxes = Vec::new();
    for client in ["c4", "c2", "c5", "c1", "c3"] {
        mailboxes.push(server.client(client, user("ann"), &["news"]));
    }
    let all = server.get("clients").await.ok();
    assert_eq!(ids(&all), ["c1", "c2", "c3", "c4", "c5"]);
    assert_eq!(all.get("next"), None);
    let page = server.get("clients?limit=2").await.ok();
    assert_eq!((ids(&page), &page["next"]), (vec!["c1", "c2"], &json!("c2")));
    let page = server.get("clients?limit=2&after=c2").await.ok();
    assert_eq!((ids(&page), &page["next"]), (vec!["c3", "c4"], &json!("c4")));
    let page = server.get("clients?limit=2&after=c4").await.ok();
    assert_eq!((ids(&page), page.get("next")), (vec!["c5"], None));
}

#[tokio::test]
async fn clients_are_found_by_their_user_and_their_channel() {
    let server = Server::new();
    let _a = server.client("c1", user("ann"), &["news", "room"]);
    let _b = server.client("c2", user("ben"), &["news"]);
    let _c = server.client("c3", user("ann"), &[]);
    let _d = server.client("c4", Identity::default(), &["room"]);
    for (query, expected) in [
        ("user=ann", vec!["c1", "c3"]),
        ("channel=news", vec!["c1", "c2"]),
        ("user=ann&channel=news", vec!["c1"]),
        ("user=ann&after=c1", vec!["c3"]),
        ("user=nobody", vec![]),
        ("channel=nothing", vec![]),
    ] {
        assert_eq!(ids(&server.get(&format!("clients?{query}")).await.ok()), expected, "{query}");
    }
    let told = server.get("clients?channel=a%20b").await;
    assert_eq!((told.status, &told.json()["error"]["code"]), (400, &json!("bad_channel")));
}

#[tokio::test]
async fn a_client_is_told_with_its_channels() {
    let server = Server::new();
    let mailbox = server.client("c1", user("ann"), &["news", "room"]);
    let listed = json!({
        "clientId": "c1", "user": "ann", "transport": "sse", "address": "192.0.2.1",
        "connectedAt": 1_700_000_000_000_u64, "subscriptions": 2, "queuedBytes": 0,
    });
    assert_eq!(server.get("clients").await.ok()["clients"][0], listed);
    let mut alone = listed;
    alone["authenticated"] = json!(true);
    alone["expiresAt"] = json!(1_800_000_000_000_u64);
    alone["channels"] = json!(["news", "room"]);
    assert_eq!(server.get("client?client=c1").await.ok(), alone);

    // It does not read.
    let letter =
        crate::exchange::Letter { text: "{}".into(), progress: crate::exchange::Progress::None };
    mailbox.put(&[letter]).unwrap();
    let told = server.post("client", r#"{"client":"c1"}"#).await.ok();
    assert_eq!(told["queuedBytes"], json!(mailbox.bytes()));
    assert!(mailbox.bytes() > 0);
    let told = server.get("client?client=c2").await;
    told.assert_refused(404, "not_found", "there is no client of this id here");
}
