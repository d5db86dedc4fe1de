//! Namespaces, events, acks, rooms.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use openline_server::Server;
use openline_server::app::{Binary, Context, Handlers, Refusal};
use openline_ws::Message;
use serde_json::Value;

use super::{Client, Line, Running, chat, connect, joined, soon};

#[tokio::test]
async fn an_event_is_answered_by_what_its_handler_returns() {
    let handlers = Handlers::new()
        .on("double", async |_cx, n: u32| 2 * n)
        .on("sum", async |_cx, (a, b): (u32, u32)| a + b)
        .on("no", async |_cx, (): ()| Err::<(), _>(Refusal::forbidden("not today")));
    let server = Running::start(handlers);
    let mut client = Client::join(&server).await;
    for (said, answer) in [
        (r#"20["double",21]"#, "30[42]"),
        (r#"21["sum",1,2]"#, "31[3]"),
        (r#"22["double","x"]"#, r#"32[{"code":"bad_request""#),
        (r#"23["no"]"#, r#"33[{"code":"forbidden","error":"not today""#),
        (r#"24["unheard"]"#, r#"34[{"code":"unknown_type""#),
    ] {
        client.line.say(said).await;
        let heard = client.line.next().await;
        assert!(heard.starts_with(answer), "{said}: {heard}");
    }
}

#[tokio::test]
async fn what_a_client_carried_is_dropped_when_it_is_gone() {
    for recovery in ["0s", "2m"] {
        let own = Arc::new(());
        let carried = own.clone();
        let take = move |cx: Context, (): ()| {
            cx.insert(carried.clone());
            std::future::ready("taken")
        };
        let builder = Server::builder().handlers(Handlers::new().on("take", take));
        let server = Running::with(builder, &[("recovery", recovery)]);
        let mut client = Client::join(&server).await;
        client.line.say(r#"20["take"]"#).await;
        assert_eq!(client.line.next().await, r#"30["taken"]"#);
        assert_eq!(Arc::strong_count(&own), 3, "here, in the handler, with the client");
        client.line.say("1").await;
        let dropped = async {
            while Arc::strong_count(&own) > 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        soon(dropped).await;
    }
}

#[tokio::test]
async fn bytes_come_and_go_as_they_are() {
    let echo = async |cx: Context, bytes: Binary| {
        cx.emit("back", &bytes)?;
        cx.emit("within", &serde_json::json!({ "size": bytes.0.len() }))?;
        Ok::<_, Refusal>(bytes)
    };
    let server = Running::with(
        Server::builder().handlers(Handlers::new().on("echo", echo)),
        &[("recovery", "0s")],
    );
    let mut client = Client::join(&server).await;
    client.line.say(r#"51-7["echo",{"_placeholder":true,"num":0}]"#).await;
    client.line.attach(b"\x00\xff").await;
    let place = r#"{"_placeholder":true,"num":0}"#;
    assert_eq!(client.line.next().await, format!(r#"51-["back",{place}]"#));
    assert_eq!(client.line.next().await, r#"bb"\0\xff""#);
    assert_eq!(client.line.next().await, r#"2["within",{"size":2}]"#);
    assert_eq!(client.line.next().await, format!("61-7[{place}]"));
    assert_eq!(client.line.next().await, r#"bb"\0\xff""#);
}

#[tokio::test]
async fn a_client_may_be_in_several_namespaces_on_one_connection() {
    let who =
        |name: &'static str| Handlers::new().on("who", move |_cx, (): ()| std::future::ready(name));
    let builder = Server::builder().handlers(who("main")).namespace("/admin", who("admin"));
    let server = Running::with(builder, &[]);
    let mut line = Line::open(&server).await;
    line.say("0/admin,").await;
    let hello = line.next().await;
    let (admin, _) = joined(hello.strip_prefix("0/admin,").map(|_| &*hello).unwrap());
    line.say("0/nowhere,{}").await;
    assert_eq!(line.next().await, r#"4/nowhere,{"message":"Invalid namespace"}"#);
    line.say("0").await;
    let (main, _) = joined(&line.next().await);
    assert_ne!(admin, main);
    line.say(r#"2/admin,1["who"]"#).await;
    assert_eq!(line.next().await, r#"3/admin,1["admin"]"#);
    line.say("1/admin,").await;
    line.say(r#"21["who"]"#).await;
    assert_eq!(line.next().await, r#"31["main"]"#);
}

#[tokio::test]
async fn a_handler_may_keep_a_client_out() {
    let handlers = Handlers::new()
        .on_connect(async |_cx| Err::<(), _>(Refusal::new("closed", "come back tomorrow")));
    let server = Running::start(handlers);
    let mut line = Line::open(&server).await;
    line.say("0").await;
    let refused = r#"4{"message":"come back tomorrow","data":{"code":"closed"}}"#;
    assert_eq!(line.next().await, refused);
}

#[tokio::test]
async fn handlers_see_what_a_client_says_about_itself() {
    let handlers = Handlers::new()
        .on_connect(async |cx| match cx.auth::<Value>()?["token"].as_str() {
            Some("sesame") => Ok(()),
            _ => Err(Refusal::new("wrong_token", "no").with_data(&[1, 2])?),
        })
        .on("auth", async |cx, (): ()| cx.auth::<Value>());
    let server = Running::start(handlers);
    let mut line = Line::open(&server).await;
    line.say(r#"0{"token":"x"}"#).await;
    assert_eq!(line.next().await, r#"4{"message":"no","data":[1,2]}"#);
    line.say(r#"0{"pid":"p","offset":"1","token":"sesame"}"#).await;
    joined(&line.next().await);
    line.say(r#"21["auth"]"#).await;
    // What the client's library adds is not for the application.
    assert_eq!(line.next().await, r#"31[{"token":"sesame"}]"#);
}

#[tokio::test]
async fn what_is_said_before_a_client_is_in_comes_behind_the_hello() {
    let handlers = Handlers::new().on_connect(async |cx| cx.emit("news", &1));
    let server = Running::start(handlers);
    let mut client = Client::join(&server).await;
    assert_eq!(client.hears().await, r#"["news",1]"#);
}

#[tokio::test]
async fn rooms_are_channels_for_all() {
    let server = Running::start(chat());
    let mut one = Client::join(&server).await;
    let mut two = Client::join(&server).await;
    let mut other = connect(&server, "/ws").await;
    let mut next = async || match soon(other.recv()).await.unwrap() {
        Some(Message::Text(text)) => serde_json::from_str::<serde_json::Value>(&text).unwrap(),
        _ => panic!(),
    };
    assert_eq!(next().await["type"], "welcome");
    one.emit("join", r#""42""#).await;
    two.emit("join", r#""42""#).await;
    one.is_served().await;
    two.is_served().await;
    one.line.say(r#"2["say","42",{"a":1}]"#).await;
    assert_eq!(two.hears().await, r#"["said",{"a":1}]"#);
    two.line.say(r#"2["say","42","x"]"#).await;
    // Not what it said itself.
    assert_eq!(one.hears().await, r#"["said","x"]"#);
    one.line.say(r#"2["all",2]"#).await;
    assert_eq!(one.hears().await, r#"["said",2]"#);
    assert_eq!(two.hears().await, r#"["said",2]"#);
    one.line.say(r#"2["either","42","43",3]"#).await;
    assert_eq!(one.hears().await, r#"["said",3]"#);
    assert_eq!(two.hears().await, r#"["said",3]"#);
    assert_eq!(next().await["type"], "said");
}

#[tokio::test]
async fn what_others_publish_is_an_event_that_no_client_takes_for_broken() {
    let server = Running::start(chat());
    let mut client = Client::join(&server).await;
    client.emit("join", r#""42""#).await;
    client.is_served().await;
    let mut other = connect(&server, "/ws").await;
    for (event, heard) in [("news", "news"), ("disconnect", "message"), ("message", "message")] {
        let publish = serde_json::json!(
            {"type": "publish", "channel": "42", "event": event, "data": [1, "2"]}
        );
        other.send(publish.to_string()).await.unwrap();
        other.flush().await.unwrap();
        assert_eq!(client.hears().await, format!(r#"["{heard}",[1,"2"]]"#));
    }
}

#[tokio::test]
async fn the_server_asks_and_the_client_answers() {
    let handlers = Handlers::new().on("go", async |cx, (): ()| {
        let within = Duration::from_secs(30);
        cx.ask::<_, (String, u32)>("what", &"now?", within).await
    });
    let server = Running::start(handlers);
    let mut client = Client::join(&server).await;
    client.line.say(r#"25["go"]"#).await;
    assert_eq!(client.line.next().await, r#"21["what","now?"]"#);
    client.line.say(r#"31["a",2]"#).await;
    assert_eq!(client.line.next().await, r#"35[["a",2]]"#);
}

#[tokio::test]
async fn either_side_ends_it_and_says_why() {
    let (told, goodbyes) = mpsc::channel();
    let handlers = Handlers::new()
        .on("bye", async |cx, (): ()| cx.disconnect("enough"))
        .on_disconnect(move |_cx, goodbye| {
            drop(told.send(goodbye.reason));
            std::future::ready(())
        });
    let server = Running::start(handlers);
    let mut line = Line::open(&server).await;
    for (said, reason) in [("1", "client namespace disconnect"), (r#"2["bye"]"#, "enough")] {
        line.say("0").await;
        joined(&line.next().await);
        line.say(said).await;
        assert_eq!(goodbyes.recv_timeout(super::PATIENCE).unwrap(), reason);
    }
    assert_eq!(line.next().await, "1");
    // The connection is there for other namespaces, and for this one again.
    line.say("0").await;
    joined(&line.next().await);
}

#[tokio::test]
async fn what_is_no_packet_ends_the_connection() {
    let server = Running::start(chat());
    for packet in ["abc", "4", r#"2["connect"]"#, r#"2/no,["a"]"#, "0", r#"50-["a"]"#] {
        let mut client = Client::join(&server).await;
        client.line.say(packet).await;
        if packet.starts_with("2/no") {
            // What comes for a namespace that it has left may be late.
            client.is_served().await;
            continue;
        }
        assert_eq!(client.line.closed().await, 1007, "{packet}");
    }
    let mut line = Line::open(&server).await;
    line.say(r#"2["served"]"#).await;
    assert_eq!(line.closed().await, 1007);
}

#[tokio::test]
async fn a_client_that_asks_for_no_namespace_is_not_waited_for() {
    let quick = [("connect_timeout", "100ms")];
    let server = Running::with(Server::builder().handlers(chat()), &quick);
    let mut line = Line::open(&server).await;
    assert_eq!(line.closed().await, 1008);
    let mut client = Client::join(&server).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.is_served().await;
}
