//! The testkit: handlers tested without sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use openline_server::Config;
use openline_server::Server;
use openline_server::app::{Context, Goodbye, Handlers, Refusal, User};
use openline_server::testkit::TestServer;
use serde_json::{Value, json};
use tokio::sync::mpsc;

fn chat() -> Handlers {
    Handlers::new()
        .on("join", async |cx, room: String| cx.join(&room).await)
        .on("say", async |cx, (room, text): (String, String)| {
            cx.to(&room).emit("said", &text).await
        })
        .on("whoami", async |cx: Context, user: User| (user.0, cx.info(), cx.address()))
        .on("double", async |_cx, number: u32| match number {
            0 => Err(Refusal::new("nothing", "nothing to double").retry_after_ms(5)),
            number => Ok(number * 2),
        })
        .on("leave", async |cx, (): ()| cx.disconnect("enough"))
}

#[tokio::test]
async fn a_client_asks_and_gets_the_answer_or_the_refusal() {
    let server = TestServer::new(chat());
    let mut ann = server.client().await;
    assert_eq!(ann.ask::<u32>("double", &4).await.unwrap(), 8);
    let refused = ann.ask::<u32>("double", &0).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), ("nothing", "nothing to double"));
    let refused = ann.ask::<u32>("double", "x").await.unwrap_err();
    assert_eq!(refused.code(), "bad_request");
    let refused = ann.ask::<Value>("no such", &()).await.unwrap_err();
    assert_eq!(refused.code(), "unknown_type");
}

#[tokio::test]
async fn a_client_is_who_the_test_says() {
    let server = TestServer::new(chat());
    let mut nobody = server.client().await;
    assert_eq!(nobody.ask::<Value>("whoami", &()).await.unwrap_err().code(), "unauthorized");
    let address = "192.0.2.7".parse().unwrap();
    let mut ann = server.client().user("ann").info(&json!({ "age": 7 })).address(address).await;
    let said: Value = ann.ask("whoami", &()).await.unwrap();
    assert_eq!(said, json!(["ann", r#"{"age":7}"#, "192.0.2.7"]));
    assert_eq!(ann.welcome()["user"], "ann");
    assert_eq!(ann.welcome()["clientId"], ann.id());
}

#[tokio::test]
async fn what_is_said_in_a_room_is_heard_there_and_nowhere_else() {
    let server = TestServer::new(chat());
    let (mut ann, mut ben) = (server.client().await, server.client().await);
    let mut reader = server.client().await;
    for client in [&mut ann, &mut ben] {
        client.ask::<()>("join", "lobby").await.unwrap();
    }
    reader.subscribe("lobby").await.unwrap();
    ann.ask::<()>("say", &("lobby", "hello")).await.unwrap();
    assert_eq!(ben.expect("said").await.read::<String>(), "hello");
    let said = reader.next_event().await;
    assert_eq!((&*said.name, said.channel.as_deref()), ("said", Some("lobby")));
    ann.expect_nothing().await;
    server.namespace("/").to("lobby").emit("note", &1).await.unwrap();
    for client in [&mut ann, &mut ben, &mut reader] {
        assert_eq!(client.expect("note").await.data, 1);
    }
}

#[tokio::test]
async fn built_in_requests_are_answered_too() {
    let server = TestServer::new(chat());
    let (mut ann, mut ben) = (server.client().user("ann").await, server.client().await);
    ben.subscribe("news").await.unwrap();
    assert_eq!(ben.subscribe("news").await.unwrap_err().code(), "already_subscribed");
    assert_eq!(ben.subscribe("").await.unwrap_err().code(), "bad_channel");
    ann.publish("news", "headline", &json!({ "text": "hi" })).await.unwrap();
    assert_eq!(ben.expect("headline").await.data["text"], "hi");
    let reserved = ann.publish("news", "publish", &1).await.unwrap_err();
    assert_eq!(reserved.code(), "reserved_event");
    let history = json!({ "type": "history", "channel": "news", "limit": 1 });
    let history = ben.request(history).await.unwrap();
    assert_eq!(history["data"]["messages"][0]["data"]["text"], "hi");
    ann.subscribe("news").await.unwrap();
    // Of what the protocol says by itself, the test hears what it asks for.
    assert_eq!(ben.expect("presence").await.channel.as_deref(), Some("news"));
}

#[tokio::test]
async fn questions_are_answered_while_a_request_is_open() {
    let handlers = Handlers::new().on("sum", async |cx: Context, (): ()| {
        let within = Duration::from_secs(5);
        let one: u32 = cx.ask("number", "first", within).await?;
        let other: u32 = cx.ask("number", "second", within).await?;
        Ok::<_, Refusal>(one + other)
    });
    let server = TestServer::new(handlers);
    let mut ann = server.client().await;
    let sum = ann.begin("sum", &()).await;
    for (which, number) in [("first", 3), ("second", 4)] {
        let question = ann.expect("number").await;
        assert!(question.is_question());
        assert_eq!(question.data, which);
        ann.answer(&question, &number).await;
    }
    assert_eq!(ann.outcome::<u32>(sum).await.unwrap(), 7);
}

#[tokio::test]
async fn coming_and_going_are_seen_from_both_sides() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let handlers = chat()
        .on_connect(async |cx| match cx.user().as_deref() {
            Some("eve") => Err(Refusal::forbidden("not you")),
            _ => Ok(()),
        })
        .on_disconnect(move |_cx: Context, goodbye: Goodbye| {
            let told = told.clone();
            async move { drop(told.send((goodbye.code, goodbye.reason))) }
        });
    let server = TestServer::new(handlers);
    let mut eve = server.client().user("eve").await;
    assert_eq!(eve.closed().await, (1008, "not you".to_owned()));

    let mut ann = server.client().await;
    ann.send("leave", &()).await;
    assert_eq!(ann.closed().await, (4005, "enough".to_owned()));
    assert_eq!(heard.recv().await.unwrap(), (Some(4005), "enough".to_owned()));

    let ben = server.client().await;
    ben.close(4100, "bye").await;
    assert_eq!(heard.recv().await.unwrap(), (Some(4100), "bye".to_owned()));

    drop(server.client().await);
    assert_eq!(heard.recv().await.unwrap(), (None, "transport close".to_owned()));

    let mut last = server.client().await;
    server.stop();
    assert_eq!(last.closed().await.0, 1012);
}

#[tokio::test(start_paused = true)]
async fn deadlines_take_no_time_under_a_paused_clock() {
    let handlers = Handlers::new()
        .on("hang", async |_cx, (): ()| std::future::pending::<()>().await)
        .on("slow", async |_cx, (): ()| tokio::time::sleep(Duration::from_secs(29)).await);
    let server = TestServer::new(handlers).patience(Duration::from_secs(60));
    let mut ann = server.client().await;
    ann.ask::<()>("slow", &()).await.unwrap();
    assert_eq!(ann.ask::<()>("hang", &()).await.unwrap_err().code(), "timeout");
}

#[tokio::test]
async fn namespaces_and_configurations_are_those_of_the_server() {
    let admin = Handlers::new().on("join", async |cx, room: String| cx.join(&room).await);
    let builder = Server::builder().handlers(chat()).namespace("/admin", admin);
    let mut config = Config::default();
    config.limits.subscriptions = 1;
    let server = TestServer::of(builder, config);
    let mut root = server.client().namespace("/admin").await;
    root.ask::<()>("join", "ops").await.unwrap();
    assert_eq!(root.ask::<()>("join", "more").await.unwrap_err().code(), "channel_limit");
    let mut reader = server.client().await;
    reader.subscribe("admin:ops").await.unwrap();
    server.namespace("/admin").to("ops").emit("alarm", &true).await.unwrap();
    assert_eq!(reader.expect("alarm").await.data, true);
    assert_eq!(root.expect("alarm").await.data, true);
}

#[tokio::test]
#[should_panic(expected = "another event came: {\"channel\":\"lobby\",\"data\":\"hello\"")]
async fn another_event_than_expected_fails_the_test() {
    let server = TestServer::new(chat());
    let mut ann = server.client().await;
    ann.subscribe("lobby").await.unwrap();
    server.namespace("/").to("lobby").emit("said", "hello").await.unwrap();
    ann.expect("whispered").await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "expected an event within 10s; unread is []")]
async fn what_does_not_come_fails_the_test() {
    let server = TestServer::new(chat());
    server.client().await.next_event().await;
}

#[tokio::test]
#[should_panic(expected = "expected said; the line was closed with 4005: enough")]
async fn a_line_that_is_closed_fails_the_test() {
    let server = TestServer::new(chat());
    let mut ann = server.client().await;
    ann.send("leave", &()).await;
    ann.expect("said").await;
}

#[tokio::test]
#[should_panic(expected = "nothing was expected, and there is")]
async fn what_is_not_expected_fails_the_test() {
    let server = TestServer::new(chat());
    let mut ann = server.client().await;
    ann.subscribe("lobby").await.unwrap();
    server.namespace("/").to("lobby").emit("said", "hello").await.unwrap();
    ann.expect_nothing().await;
}

#[tokio::test]
#[should_panic(expected = "on_connect has not returned within 20ms")]
async fn an_on_connect_that_hangs_fails_the_test() {
    let handlers = Handlers::new().on_connect(async |_cx| std::future::pending::<()>().await);
    let server = TestServer::new(handlers).patience(Duration::from_millis(20));
    server.client().await;
}

#[test]
#[should_panic(expected = "write #[tokio::test] in place of #[test]")]
fn outside_of_a_runtime_it_says_what_is_missing() {
    TestServer::new(chat());
}
