use serde_json::json;

use super::Server;
use crate::auth::Identity;

async fn with_messages(count: usize) -> Server {
    let server =
        Server::with("[namespace.now]\nhistory_size = 0\npresence = false\npresence_push = false");
    for n in 1..=count {
        let body = json!({"channel": "c", "data": n}).to_string();
        server.post("publish", &body).await.ok();
    }
    server
}

fn ann() -> Identity {
    Identity { user: Some("ann".into()), ..Identity::default() }
}

#[tokio::test]
async fn history_is_read_page_by_page() {
    let server = with_messages(5).await;
    let told = server.get("history?channel=c&limit=2").await.ok();
    let data = |page: &serde_json::Value| -> Vec<u64> {
        let messages = page["messages"].as_array().unwrap().iter();
        messages.map(|message| message["data"].as_u64().unwrap()).collect()
    };
    assert_eq!(data(&told), [4, 5]);
    let all = server.get("history?channel=c").await.ok();
    assert_eq!((data(&all), &all["more"]), (vec![1, 2, 3, 4, 5], &json!(false)));
    assert_eq!(all["position"], all["messages"][4]["position"]);
    let since = all["messages"][1]["position"].as_str().unwrap();
    let page = server.get(&format!("history?channel=c&since={since}&limit=2")).await.ok();
    assert_eq!((data(&page), &page["more"]), (vec![3, 4], &json!(true)));
    let page = server.get(&format!("history?channel=c&before={since}")).await.ok();
    assert_eq!(data(&page), [1]);
    let page = server.get("history?channel=c&reverse=true&limit=3").await.ok();
    assert_eq!(data(&page), [5, 4, 3]);
    let time = all["messages"][0]["timestamp"].as_u64().unwrap() + 3_600_000;
    let page = server.get(&format!("history?channel=c&sinceTime={time}")).await.ok();
    assert!(data(&page).is_empty());
}

#[tokio::test]
async fn a_get_and_a_post_are_told_the_same() {
    let server = with_messages(3).await;
    let get = server.get("history?channel=c&limit=2&reverse=true").await;
    let post = server.post("history", r#"{"channel":"c","limit":2,"reverse":true}"#).await;
    assert_eq!(get.text, post.text);
    assert_eq!(get.headers["content-type"], "application/json");
    assert_eq!(get.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn what_a_channel_does_not_keep_cannot_be_read() {
    let server = with_messages(0).await;
    let told = server.get("history?channel=now:1").await;
    told.assert_refused(409, "no_history", "now:1 keeps no history");
    let told = server.post("history/clear", r#"{"channel":"now:1"}"#).await;
    told.assert_refused(409, "no_history", "now:1 keeps no history");
    let told = server.get("presence?channel=now:1").await;
    told.assert_refused(409, "no_presence", "now:1 keeps no presence");
    let told = server.get("history?channel=c&since=1").await;
    let said = "`since` must be a position from an answer or a publication";
    told.assert_refused(400, "bad_position", said);
    let told = server.get("history?channel=c&limit=-1").await;
    told.assert_refused(400, "bad_request", "`limit` must be a whole number from 0 to 4294967295");
}

#[tokio::test]
async fn a_cleared_history_is_empty_and_who_missed_something_is_told() {
    let server = with_messages(3).await;
    let before = server.get("history?channel=c").await.ok();
    assert_eq!(server.post("history/clear", r#"{"channel":"c"}"#).await.text, "{}");
    let after = server.get("history?channel=c").await.ok();
    assert_eq!(after["messages"], json!([]));
    assert_eq!(after["position"], before["position"]);
    let since = before["messages"][1]["position"].as_str().unwrap();
    let told = server.get(&format!("history?channel=c&since={since}")).await;
    told.assert_refused(400, "bad_position", "what follows this position cannot be had: trimmed");
}

#[tokio::test]
async fn members_are_listed_page_by_page() {
    let server = Server::new();
    let _a = server.client("c1", ann(), &["room"]);
    let _b = server.client("c2", Identity::default(), &["room"]);
    let page = server.get("presence?channel=room&limit=1").await.ok();
    assert_eq!(page["members"], json!([{"clientId": "c1", "user": "ann"}]));
    assert_eq!(page["count"], 2);
    let next = page["next"].as_str().unwrap();
    let page = server.get(&format!("presence?channel=room&after={next}")).await.ok();
    assert_eq!(page["members"], json!([{"clientId": "c2"}]));
    assert_eq!(page.get("next"), None);
}

#[tokio::test]
async fn channels_are_listed_with_their_subscribers() {
    let server = Server::new();
    let _a = server.client("c1", ann(), &["room:1", "room:2", "news"]);
    let _b = server.client("c2", ann(), &["room:1"]);
    let all = server.get("channels").await.ok();
    assert_eq!(
        all["channels"],
        json!([
            {"channel": "news", "subscribers": 1},
            {"channel": "room:1", "subscribers": 2},
            {"channel": "room:2", "subscribers": 1},
        ])
    );
    assert_eq!(all.get("next"), None);
    let page = server.get("channels?prefix=room%3A&limit=1").await.ok();
    assert_eq!(page["channels"], json!([{"channel": "room:1", "subscribers": 2}]));
    let after = page["next"].as_str().unwrap();
    let page = server.get(&format!("channels?prefix=room:&limit=1&after={after}")).await.ok();
    assert_eq!(page["channels"], json!([{"channel": "room:2", "subscribers": 1}]));
    assert_eq!(page.get("next"), None);
}

#[tokio::test]
async fn a_channel_is_told_with_what_it_keeps() {
    let server = with_messages(3).await;
    let _a = server.client("c1", ann(), &["c", "now:1"]);
    let told = server.get("channel?channel=c").await.ok();
    assert_eq!((&told["subscribers"], &told["members"]), (&json!(1), &json!(1)));
    let all = server.get("history?channel=c").await.ok();
    let kept = &told["history"];
    assert_eq!((&kept["messages"], &kept["position"]), (&json!(3), &all["position"]));
    assert_eq!(kept["newest"], all["messages"][2]["timestamp"]);
    assert!(kept["bytes"].as_u64().unwrap() > 3, "{kept}");

    let told = server.get("channel?channel=now:1").await.ok();
    assert_eq!(told, json!({"channel": "now:1", "subscribers": 1}));
    let told = server.get("channel?channel=unused").await.ok();
    assert_eq!((&told["subscribers"], &told["members"]), (&json!(0), &json!(0)));
    assert_eq!((&told["history"]["messages"], told["history"].get("newest")), (&json!(0), None));
}

#[tokio::test]
async fn the_server_says_what_it_is_and_how_it_is() {
    let server = with_messages(3).await;
    let _a = server.client("c1", ann(), &["news"]);
    let info = server.get("info").await.ok();
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&info["sessions"], &info["channels"]), (&json!(1), &json!(1)));
    assert_eq!((&info["subscriptions"], &info["retrySpread"]), (&json!(1), &json!(1000)));
    assert!(info["node"].as_str().unwrap().ends_with(":8000"), "{info}");
    assert_eq!((&info["level"], &info["history"]["messages"]), (&json!("memory"), &json!(3)));
    assert_eq!(info["limits"]["messageBytes"], 1 << 20);
    assert_eq!(info["limits"]["publications"], 100);
}
