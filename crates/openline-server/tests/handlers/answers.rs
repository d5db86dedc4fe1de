//! What a handler is given, and what becomes of what it answers.

use std::time::Duration;

use openline_server::app::{
    Ack, Answer, Binary, BuiltIn, Context, Extension, Handlers, Payload, Refusal, State, User,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{line, serve};

#[derive(Deserialize)]
struct Roll {
    sides: u32,
}

#[derive(Serialize)]
struct Rolled {
    value: u32,
}

async fn roll(_cx: Context, roll: Roll) -> Result<Rolled, Refusal> {
    match roll.sides {
        0 => Err(Refusal::new("no_sides", "a die has sides")),
        sides => Ok(Rolled { value: sides }),
    }
}

#[tokio::test]
async fn a_value_is_the_answer() {
    let server = serve(Handlers::new().on("roll", roll));
    let mut line = line(&server).await;
    let answer = line.ask(&json!({ "type": "roll", "id": 1, "data": { "sides": 6 } })).await;
    assert_eq!(answer, json!({ "type": "roll", "id": 1, "data": { "value": 6 } }));
}

#[tokio::test]
async fn a_refusal_is_an_error_with_its_own_code() {
    let server = serve(Handlers::new().on("roll", roll));
    let mut line = line(&server).await;
    let answer = line.ask(&json!({ "type": "roll", "id": "a", "data": { "sides": 0 } })).await;
    let said = "a die has sides";
    let expected =
        json!({ "type": "error", "id": "a", "code": "no_sides", "error": said, "message": said });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn data_that_does_not_fit_is_refused_with_what_does_not() {
    let server = serve(Handlers::new().on("roll", roll));
    let mut line = line(&server).await;
    for (data, said) in [
        (json!({}), "`data` does not fit: missing field `sides` at line 1 column 2"),
        (
            json!(null),
            "`data` does not fit: invalid type: null, expected struct Roll at line 1 column 4",
        ),
    ] {
        let answer = line.ask(&json!({ "type": "roll", "id": 1, "data": data })).await;
        assert_eq!(answer["code"], "bad_request");
        assert_eq!(answer["message"], said);
    }
}

#[tokio::test]
async fn an_error_of_a_library_is_not_shown_to_the_client() {
    let handlers = Handlers::new().on("parse", async |_cx, text: String| {
        let number: u32 = text.parse()?;
        Ok::<_, Refusal>(number)
    });
    let server = serve(handlers);
    let mut line = line(&server).await;
    let answer = line.ask(&json!({ "type": "parse", "id": 1, "data": "x" })).await;
    assert_eq!(answer["code"], "internal");
    assert_eq!(answer["message"], "the server's handler failed");
    let answer = line.ask(&json!({ "type": "parse", "id": 2, "data": "7" })).await;
    assert_eq!(answer["data"], 7);
}

#[tokio::test]
async fn an_unknown_type_is_said_to_be_one() {
    let server = serve(Handlers::new().on("roll", roll));
    let mut line = line(&server).await;
    let answer = line.ask(&json!({ "type": "rolls", "id": 1 })).await;
    assert_eq!(answer["code"], "unknown_type");
}

#[tokio::test]
async fn a_fallback_takes_what_no_other_handler_does() {
    let handlers = Handlers::new()
        .on("roll", roll)
        .fallback(async |cx, data: Value| json!([cx.event(), data]));
    let server = serve(handlers);
    let mut line = line(&server).await;
    let answer = line.ask(&json!({ "type": "other", "id": 1, "data": [2] })).await;
    assert_eq!(answer["data"], json!(["other", [2]]));
}

#[tokio::test]
async fn extractors_are_taken_beside_the_data() {
    struct Greeting(&'static str);
    let handlers =
        Handlers::new()
            .state(Greeting("hello"))
            .on_connect(async |cx| {
                cx.insert(5_u8);
            })
            .on(
                "greet",
                async |_cx,
                       (greeting, Extension(five), name): (
                    State<Greeting>,
                    Extension<u8>,
                    String,
                )| { format!("{} {name} {five}", greeting.0.0) },
            )
            .on("whoami", async |_cx, user: User| user.0.to_string());
    let server = serve(handlers);
    let mut line = line(&server).await;
    let answer = line.ask(&json!({ "type": "greet", "id": 1, "data": "Ann" })).await;
    assert_eq!(answer["data"], "hello Ann 5");
    let answer = line.ask(&json!({ "type": "whoami", "id": 2 })).await;
    assert_eq!(answer["code"], "unauthorized");
}

#[tokio::test]
async fn an_ack_answers_before_or_after_the_handler_returns() {
    let handlers = Handlers::new()
        .on("early", async |_cx, ack: Ack| {
            ack.send("early")?;
            Ok::<_, Refusal>("late")
        })
        .on("late", async |cx, ack: Ack| {
            cx.spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                ack.refuse(Refusal::forbidden("on second thoughts"));
            });
        })
        .on("dropped", async |_cx, _: Ack| {});
    let server = serve(handlers);
    let mut line = line(&server).await;
    assert_eq!(line.ask(&json!({ "type": "early", "id": 1 })).await["data"], "early");
    let late = line.ask(&json!({ "type": "late", "id": 2 })).await;
    assert_eq!(late["message"], "on second thoughts");
    assert_eq!(line.ask(&json!({ "type": "dropped", "id": 3 })).await["data"], json!(null));
}

#[tokio::test]
async fn without_an_id_nothing_is_answered_but_errors() {
    let server = serve(Handlers::new().on("roll", roll));
    let mut line = line(&server).await;
    line.send(&json!({ "type": "roll", "data": { "sides": 6 } })).await;
    line.send(&json!({ "type": "roll", "data": { "sides": 0 } })).await;
    assert_eq!(line.next().await.unwrap()["code"], "no_sides");
}

#[tokio::test]
async fn middleware_stands_before_all_handlers() {
    let handlers = Handlers::new()
        .wrap(|call, next| async move {
            if call.event() == "secret" {
                return Err(Refusal::forbidden("not for you"));
            }
            next.run(call).await
        })
        .wrap(|mut call, next| async move {
            call.set_payload(Payload::new(&7)?);
            next.run(call).await
        })
        .on("secret", async |_cx, (): ()| "told")
        .on("number", async |_cx, number: u32| number);
    let server = serve(handlers);
    let mut line = line(&server).await;
    assert_eq!(line.ask(&json!({ "type": "secret", "id": 1 })).await["code"], "forbidden");
    assert_eq!(line.ask(&json!({ "type": "number", "id": 2 })).await["data"], 7);
}

#[tokio::test]
async fn a_built_in_type_is_refused_replaced_or_let_through() {
    #[derive(Deserialize)]
    struct Publish {
        channel: String,
    }
    let handlers =
        Handlers::new().on("publish", async |_cx, publish: Publish| match &*publish.channel {
            "closed" => Err(Refusal::forbidden("nobody publishes here")),
            "own" => Ok(Answer::from(Payload::new("done otherwise")?)),
            _ => Ok(BuiltIn.into()),
        });
    let server = serve(handlers);
    let mut line = line(&server).await;
    let mut publish = async |channel: &str| {
        line.ask(&json!({ "type": "publish", "id": 1, "channel": channel, "data": 1 })).await
    };
    assert_eq!(publish("closed").await["message"], "nobody publishes here");
    let own = publish("own").await;
    assert_eq!((&own["type"], &own["data"]), (&json!("publish"), &json!("done otherwise")));
    assert_eq!(publish("news").await["type"], "published");
}

#[tokio::test]
async fn bytes_come_and_go_as_base64_where_there_is_only_json() {
    let handlers = Handlers::new().on("reverse", async |_cx, bytes: Binary| {
        Binary(bytes.0.iter().rev().copied().collect::<Vec<u8>>().into())
    });
    let server = serve(handlers);
    let mut line = line(&server).await;
    let answer = line.ask(&json!({ "type": "reverse", "id": 1, "data": "AAEC" })).await;
    assert_eq!((&answer["data"], &answer["encoding"]), (&json!("AgEA"), &json!("base64")));
}
