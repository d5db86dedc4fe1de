//! What is read from a message, and how what is sent looks.

use std::time::Duration;

use openline_server::app::{Ack, Context, EndpointOptions, Handlers, Payload, Refusal};
use openline_ws::Message;
use serde::Deserialize;
use serde_json::{Value, json};

use super::support::soon;
use super::support::talk::{End, Talk};
use super::{line, serve, serve_and};

#[derive(Deserialize)]
struct Add {
    a: i64,
    b: i64,
}

fn sums() -> Handlers {
    Handlers::new()
        .on("add", async |_cx, add: Add| json!({ "sum": add.a + add.b }))
        .on("number", async |_cx, (): ()| 7)
        .on("nothing", async |_cx, (): ()| ())
        .on("tell", async |cx, data: Value| cx.emit("told", &data))
        .on("say", async |cx, data: Value| cx.emit("said", &data["what"]))
        .on("no", async |_cx, (): ()| -> Result<(), Refusal> {
            Err(Refusal::new("closed", "come back tomorrow").retry_after_ms(5))
        })
}

/// The next message as it came.
async fn text(line: &mut Talk) -> String {
    soon(line.ws.recv()).await.unwrap().unwrap().as_text().unwrap().to_owned()
}

async fn put(line: &mut Talk, text: &str) {
    line.put(Message::from(text)).await.unwrap();
}

#[tokio::test]
async fn nothing_is_said_that_no_handler_says() {
    let server = serve(&sums());
    let mut line = line(&server).await;
    line.send(&json!({ "type": "nothing" })).await;
    line.send(&json!({ "type": "add", "a": 1, "b": 1 })).await;
    line.send(&json!({ "type": "nothing", "id": 1 })).await;
    assert_eq!(text(&mut line).await, r#"{"type":"nothing","id":1}"#);
}

#[tokio::test]
async fn the_whole_object_is_the_data_and_an_id_comes_back() {
    let server = serve(&sums());
    let mut line = line(&server).await;
    for (id, shown) in [("7", "7"), (r#""x\"y""#, r#""x\"y""#), ("-1.5", "-1.5")] {
        put(&mut line, &format!(r#"{{"a":1,"id":{id},"b":2,"type":"add"}}"#)).await;
        assert_eq!(text(&mut line).await, format!(r#"{{"type":"add","id":{shown},"sum":3}}"#));
    }
    line.send(&json!({ "type": "number", "id": 1 })).await;
    assert_eq!(text(&mut line).await, r#"{"type":"number","id":1,"data":7}"#);
}

#[tokio::test]
async fn what_a_handler_sends_is_what_it_wrote() {
    let server = serve(&sums());
    let mut line = line(&server).await;
    put(&mut line, r#"{"type":"tell","id":3,"b":[1.0],"a":"x"}"#).await;
    assert_eq!(text(&mut line).await, r#"{"type":"told","a":"x","b":[1.0],"id":3}"#);
    assert_eq!(text(&mut line).await, r#"{"type":"tell","id":3}"#);
    for (what, sent) in [
        ("[1]", r#"{"type":"said","data":[1]}"#),
        (r#""x""#, r#"{"type":"said","data":"x"}"#),
        ("null", r#"{"type":"said"}"#),
        (r#"{"data":{"x":1}}"#, r#"{"type":"said","data":{"x":1}}"#),
        ("{}", r#"{"type":"said"}"#),
    ] {
        put(&mut line, &format!(r#"{{"type":"say","what":{what}}}"#)).await;
        assert_eq!(text(&mut line).await, sent);
    }
}

#[tokio::test]
async fn fields_stand_under_data_too_where_that_is_asked_for() {
    let server = serve_and(&EndpointOptions::new().repeat_under_data(), &sums(), |b| b);
    let mut line = line(&server).await;
    line.send(&json!({ "type": "add", "id": 1, "a": 1, "b": 2 })).await;
    assert_eq!(text(&mut line).await, r#"{"type":"add","id":1,"sum":3,"data":{"sum":3}}"#);
    line.send(&json!({ "type": "say", "what": { "data": 1 } })).await;
    assert_eq!(text(&mut line).await, r#"{"type":"said","data":1}"#);
    line.send(&json!({ "type": "no", "id": 2 })).await;
    let said = line.next().await.unwrap();
    assert_eq!((&said["code"], &said["data"]["code"]), (&json!("closed"), &json!("closed")));
    assert_eq!((&said["id"], said["data"].get("id")), (&json!(2), None));
}

#[tokio::test]
async fn what_is_wrong_is_an_error_and_the_line_stays_open() {
    let server = serve(&sums());
    let mut line = line(&server).await;
    for (message, code, id) in [
        ("{", "invalid_json", None),
        ("[1]", "invalid_json", None),
        (r#"{"id":1}"#, "missing_field", Some(json!(1))),
        (r#"{"type":"dance","id":"d"}"#, "unknown_type", Some(json!("d"))),
        (r#"{"type":"add","id":2,"a":1}"#, "bad_request", Some(json!(2))),
        (r#"{"type":"no","id":3}"#, "closed", Some(json!(3))),
        (r#"{"type":"no"}"#, "closed", None),
    ] {
        put(&mut line, message).await;
        let said = line.next().await.unwrap();
        assert_eq!((&said["type"], &said["code"]), (&json!("error"), &json!(code)), "{message}");
        assert_eq!(said.get("id"), id.as_ref(), "{message}");
        assert!(said["message"].is_string() && said["message"] == said["error"], "{said}");
    }
    line.put(Message::Binary(bytes::Bytes::from_static(b"{}"))).await.unwrap();
    assert_eq!(line.next().await.unwrap()["code"], "unsupported_data");
    assert_eq!(line.ask(&json!({ "type": "number", "id": 1 })).await["data"], 7);
}

#[tokio::test]
async fn one_that_sends_nothing_that_can_be_read_is_closed() {
    let server = serve(&sums());
    let mut line = line(&server).await;
    for _ in 0..11 {
        put(&mut line, "{").await;
    }
    let reason = "too many messages that cannot be read".to_owned();
    assert_eq!(line.ended().await, End { code: 1008, reason });
}

#[tokio::test]
async fn an_endpoint_may_have_its_own_words_for_errors() {
    let handlers = sums().write_errors(|refusal| json!({ "why": refusal.code() }));
    let server = serve(&handlers);
    let mut line = line(&server).await;
    put(&mut line, r#"{"type":"no","id":3}"#).await;
    assert_eq!(text(&mut line).await, r#"{"type":"error","id":3,"why":"closed"}"#);
    put(&mut line, "{").await;
    assert_eq!(text(&mut line).await, r#"{"type":"error","why":"invalid_json"}"#);
}

#[tokio::test]
async fn an_answer_may_have_another_type() {
    let handlers = Handlers::new().on("ping", async |_cx, ack: Ack| {
        assert!(ack.is_wanted());
        Ok::<_, Refusal>(Payload::new(&json!({ "at": 5 }))?.answering_as("pong"))
    });
    let server = serve(&handlers);
    let mut line = line(&server).await;
    line.send(&json!({ "type": "ping", "id": 1 })).await;
    assert_eq!(text(&mut line).await, r#"{"type":"pong","id":1,"at":5}"#);
}

#[tokio::test]
async fn a_client_is_asked_and_answers_with_the_id() {
    let handlers = Handlers::new().on("start", async |cx: Context, (): ()| {
        let within = Duration::from_secs(30);
        let answer: Add = cx.ask("numbers", &json!({ "how": "many" }), within).await?;
        Ok::<_, Refusal>(json!({ "sum": answer.a + answer.b }))
    });
    let server = serve(&handlers);
    let mut line = line(&server).await;
    line.send(&json!({ "type": "start", "id": 9 })).await;
    assert_eq!(text(&mut line).await, r#"{"type":"numbers","id":"s-1","how":"many"}"#);
    line.send(&json!({ "type": "numbers", "id": "s-1", "a": 3, "b": 4 })).await;
    assert_eq!(text(&mut line).await, r#"{"type":"start","id":9,"sum":7}"#);
    // What was never asked is a message like any other, and what came too late is none.
    line.send(&json!({ "type": "numbers", "id": "s-1", "a": 3, "b": 4 })).await;
    line.send(&json!({ "type": "numbers", "id": "s-2" })).await;
    assert_eq!(line.next().await.unwrap()["id"], "s-2");
}

#[tokio::test]
async fn messages_may_be_handled_one_after_the_other() {
    let handlers = Handlers::new().one_at_a_time().on("work", async |cx, work: Value| {
        tokio::time::sleep(Duration::from_millis(work["ms"].as_u64().unwrap())).await;
        cx.emit("done", &json!({ "n": work["n"] }))
    });
    let server = serve(&handlers);
    let mut line = line(&server).await;
    for (n, ms) in [60, 30, 0, 10, 0].into_iter().enumerate() {
        line.send(&json!({ "type": "work", "n": n, "ms": ms })).await;
    }
    for n in 0..5 {
        assert_eq!(line.next().await.unwrap()["n"], n);
    }
}
