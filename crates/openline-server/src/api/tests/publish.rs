use serde_json::{Value, json};

use super::Server;

async fn messages(server: &Server, channel: &str) -> Vec<Value> {
    let history = server.post("history", &json!({ "channel": channel }).to_string()).await.ok();
    history["messages"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_message_gets_a_place_and_is_in_the_history() {
    let server = Server::new();
    let told = server.post("publish", r#"{"channel":"news","data":{"n":1},"event":"hi"}"#).await;
    let published = told.ok();
    assert_eq!(published["duplicate"], false);
    assert_eq!(published["level"], "memory");
    let messages = messages(&server, "news").await;
    assert_eq!(messages.len(), 1);
    let message = &messages[0];
    assert_eq!((&message["type"], &message["data"]), (&json!("hi"), &json!({"n": 1})));
    assert_eq!(message["position"], published["position"]);
    assert_eq!(message["timestamp"], published["timestamp"]);
    assert_eq!(message.get("from"), None);
}

#[tokio::test]
async fn a_payload_passes_through_as_it_came() {
    let server = Server::new();
    for data in [r#"{"b": 1e30,  "a":"\u00fc ü"}"#, "12345678901234567890123", "null", "\"x\""] {
        server.post("publish", &format!(r#"{{"channel":"c","data":{data}}}"#)).await.ok();
        let told = server.get("history?channel=c&limit=1").await;
        assert!(told.text.contains(&format!(r#""data":{data},"#)), "{}", told.text);
    }
}

#[tokio::test]
async fn bytes_come_as_base64_and_say_so() {
    let server = Server::new();
    let body = r#"{"channel":"c","data":"AAH/","encoding":"base64"}"#;
    server.post("publish", body).await.ok();
    let message = &messages(&server, "c").await[0];
    assert_eq!((&message["data"], &message["encoding"]), (&json!("AAH/"), &json!("base64")));
    let body = r#"{"channel":"c","data":"?","encoding":"base64"}"#;
    let told = server.post("publish", body).await;
    told.assert_refused(400, "bad_request", "`data` is not base64, as `encoding` says");
}

#[tokio::test]
async fn a_retry_with_the_same_key_is_the_same_message() {
    let server = Server::new();
    let first = server.post("publish", r#"{"channel":"c","data":1,"key":"k"}"#).await.ok();
    // The header is a structured string, which some clients send without its quotes.
    for header in ["k", "\"k\""] {
        let headers = [("idempotency-key", header)];
        let told = server.post_with("publish", r#"{"channel":"c","data":1}"#, &headers).await;
        let again = told.ok();
        assert_eq!(again["duplicate"], true);
        assert_eq!(again["position"], first["position"]);
    }
    let told = server.post("publish", r#"{"channel":"c","data":2,"key":"k"}"#).await;
    let said = "key k was used 0 s ago with a different payload; use a new key";
    told.assert_refused(409, "idempotency_conflict", said);
    let headers = [("idempotency-key", "k")];
    let told = server.post_with("publish", r#"{"channel":"c","data":1,"key":"l"}"#, &headers).await;
    let said = "`key` and the header Idempotency-Key differ; send one of them";
    told.assert_refused(400, "bad_request", said);
    assert_eq!(messages(&server, "c").await.len(), 1);
}

#[tokio::test]
async fn what_is_not_kept_has_no_position() {
    let server =
        Server::with("[namespace.default]\nhistory_size = 5\n[namespace.now]\nhistory_size = 0");
    for body in [r#"{"channel":"c","data":1,"volatile":true}"#, r#"{"channel":"now:1","data":1}"#] {
        let published = server.post("publish", body).await.ok();
        assert_eq!((published.get("position"), &published["level"]), (None, &json!("memory")));
    }
    assert!(messages(&server, "c").await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_with_the_reason() {
    let server = Server::with("[limits]\nmessage = \"1KiB\"");
    let deep = format!(r#"{{"channel":"c","data":{}1{}}}"#, "[".repeat(32), "]".repeat(32));
    let long = format!(r#"{{"channel":"c","data":"{}"}}"#, "x".repeat(1023));
    for (body, status, code, message) in [
        (
            r#"{"channel":"a b","data":1}"#,
            400,
            "bad_channel",
            "channel contains white space U+0020 at byte 1",
        ),
        (r#"{"channel":"c"}"#, 400, "bad_request", "publish needs `data`"),
        (r#"{"data":1}"#, 400, "bad_request", "publish needs `channel`"),
        (r#"{"channel":null,"data":1}"#, 400, "bad_request", "publish needs `channel`"),
        (r#"{"channel":7,"data":1}"#, 400, "bad_request", "`channel` must be text"),
        (
            r#"{"channel":"c","data":1,"event":"welcome"}"#,
            400,
            "reserved_event",
            "`event` must not be welcome, which is a built-in type",
        ),
        (r#"{"channel":"c","data":1,"event":""}"#, 400, "bad_request", "`event` must not be empty"),
        (
            r#"{"channel":"c","data":1,"volatile":1}"#,
            400,
            "bad_request",
            "`volatile` must be true or false",
        ),
        (&deep, 400, "bad_request", "`data`: nested more than 31 deep"),
        (&long, 413, "too_large", "`data` has 1025 bytes, 1024 are allowed"),
    ] {
        server.post("publish", body).await.assert_refused(status, code, message);
    }
}

#[tokio::test]
async fn a_namespace_that_is_not_configured_is_named() {
    let server = Server::new();
    let told = server.post("publish", r#"{"channel":"x:1","data":1}"#).await;
    let said = "there is no namespace x; see [namespace.…] in the config";
    told.assert_refused(404, "unknown_namespace", said);
}

#[tokio::test]
async fn a_batch_is_ordered_and_each_of_it_has_a_result() {
    let server = Server::new();
    let body = r#"{"publications":[
        {"channel":"a","data":1},
        {"channel":"b","data":2},
        {"chanel":"a","data":3},
        {"channel":"a","data":4,"key":"k"},
        {"channel":"a","data":4,"key":"k"}
    ]}"#;
    let batch = server.post("batch", body).await.ok();
    let results = batch["results"].as_array().unwrap();
    assert_eq!(results.len(), 5);
    let said = "each of `publications` has no field `chanel`; did you mean `channel`?";
    assert_eq!(results[2]["error"]["message"], said);
    assert_eq!(results[2]["error"]["docs"], "docs/errors.md#bad_request");
    assert_eq!(results[2].get("timestamp"), None);
    assert_eq!(results[3]["position"], results[4]["position"]);
    assert_eq!(results[4]["duplicate"], true);
    let found: Vec<_> = messages(&server, "a").await.iter().map(|m| m["data"].clone()).collect();
    assert_eq!(found, [json!(1), json!(4)]);
}

#[tokio::test]
async fn a_batch_is_bounded() {
    let server = Server::new();
    let refuse = async |body: &str, message: &str| {
        server.post("batch", body).await.assert_refused(400, "bad_request", message);
    };
    refuse(r#"{"publications":[]}"#, "`publications` must not be empty").await;
    refuse(r#"{"publications":{}}"#, "`publications` must be a list").await;
    let many = json!({ "publications": vec![json!({"channel": "c", "data": 1}); 101] });
    refuse(&many.to_string(), "`publications` has 101 items, 100 are allowed").await;
    let one = r#"{"publications":[{"channel":"c","data":1}]}"#;
    let told = server.post_with("batch", one, &[("idempotency-key", "k")]).await;
    let said = "in a batch each publication has a `key` of its own, and no header has it";
    told.assert_refused(400, "bad_request", said);
    let told = server.post("batch", r#"{"publications":["x"]}"#).await.ok();
    let said = "each of `publications` takes a JSON object";
    assert_eq!(told["results"][0]["error"]["message"], said);
}

#[tokio::test]
async fn a_broadcast_reaches_each_channel_and_names_those_that_it_does_not() {
    let server = Server::new();
    let body = r#"{"channels":["a","b c","d"],"data":{"n":1},"event":"e","key":"k"}"#;
    let broadcast = server.post("broadcast", body).await.ok();
    let results = broadcast["results"].as_array().unwrap();
    let names: Vec<_> = results.iter().map(|result| &result["channel"]).collect();
    assert_eq!(names, ["a", "b c", "d"]);
    assert_eq!(results[1]["error"]["code"], "bad_channel");
    for channel in ["a", "d"] {
        let message = &messages(&server, channel).await[0];
        assert_eq!((&message["type"], &message["data"]), (&json!("e"), &json!({"n": 1})));
    }
    let told = server.post("broadcast", r#"{"channels":["a","a"],"data":1}"#).await;
    told.assert_refused(400, "bad_request", "`channels` has \"a\" twice");
    let told = server.post("broadcast", r#"{"channels":[1],"data":1}"#).await;
    told.assert_refused(400, "bad_request", "`channels` must hold names of channels");
}
