//! Coming back after a lost connection, also where the reference implementation loses what was missed.

use std::sync::mpsc;
use std::time::Duration;

use openline_server::Server;
use openline_server::app::{Context, Handlers, Refusal};

use super::{Client, Line, Running, chat};

/// A client in the rooms `a` and `b`.
async fn in_rooms(server: &Running) -> Client {
    let mut client = Client::join(server).await;
    client.emit("join", r#""a""#).await;
    client.emit("join", r#""b""#).await;
    client.is_served().await;
    client
}

/// Says things in rooms while the client is away.
async fn say(server: &Running, things: &[(&str, &str)]) {
    let mut other = Client::join(server).await;
    for (room, text) in things {
        other.line.say(&format!("2[\"say\",{room:?},{text:?}]")).await;
    }
    other.is_served().await;
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed_and_goes_on() {
    let server = Running::start(chat());
    let mut client = in_rooms(&server).await;
    client.emit("me", "0").await;
    assert_eq!(client.hears().await, r#"["you",0]"#);
    let sid = client.sid.clone();
    let Client { line, pid, offset, .. } = client;
    line.lose();
    say(&server, &[("a", "1"), ("b", "2"), ("c", "not its own"), ("a", "3")]).await;
    let mut other = Client::join(&server).await;
    other.emit("all", r#""4""#).await;
    other.line.say(r#"2["either","a","b","5"]"#).await;
    other.hears().await;
    other.is_served().await;
    let auth = serde_json::json!({ "pid": pid, "offset": offset }).to_string();
    let mut client = Client::join_with(&server, &auth).await;
    assert_eq!((&client.sid, &client.pid), (&sid, &pid));
    let mut heard = Vec::new();
    for _ in 0..5 {
        heard.push(client.hears().await);
    }
    let said = |text: &str| format!(r#"["said","{text}"]"#);
    // What was said in one room has an order.
    let place = |text: &str| heard.iter().position(|heard| *heard == said(text));
    assert!(place("1") < place("3"), "{heard:?}");
    heard.sort();
    assert_eq!(heard, ["1", "2", "3", "4", "5"].map(said));
    // It is in its rooms.
    say(&server, &[("b", "6")]).await;
    assert_eq!(client.hears().await, r#"["said","6"]"#);
    client.emit("me", "7").await;
    assert_eq!(client.hears().await, r#"["you",7]"#);
}

#[tokio::test]
async fn a_volatile_event_that_ends_in_text_does_not_spoil_the_offset() {
    // socket.io#5539: the client takes the last text of any event for its offset.
    let server = Running::start(chat());
    let mut client = in_rooms(&server).await;
    say(&server, &[("a", "heard")]).await;
    assert_eq!(client.hears().await, r#"["said","heard"]"#);
    client.emit("volatile", r#""alice""#).await;
    let packet = client.line.next().await;
    let last = packet.rsplit('"').nth(1).unwrap().to_owned();
    assert!(packet.starts_with(r#"2["typing","alice","#), "{packet}");
    client.offset = Some(last);
    let (sid, Client { line, pid, offset, .. }) = (client.sid.clone(), client);
    line.lose();
    say(&server, &[("a", "1"), ("a", "2")]).await;
    let auth = serde_json::json!({ "pid": pid, "offset": offset }).to_string();
    let mut client = Client::join_with(&server, &auth).await;
    assert_eq!(client.sid, sid);
    assert_eq!(client.hears().await, r#"["said","1"]"#);
    assert_eq!(client.hears().await, r#"["said","2"]"#);
}

#[tokio::test]
async fn a_socket_that_never_heard_anything_comes_back_too() {
    // socket.io#4888, #5282, #5538: no offset is known before the first event.
    let server = Running::start(chat());
    let client = in_rooms(&server).await;
    let (sid, Client { line, pid, .. }) = (client.sid.clone(), client);
    line.lose();
    say(&server, &[("a", "1")]).await;
    let auth = serde_json::json!({ "pid": pid }).to_string();
    let mut client = Client::join_with(&server, &auth).await;
    assert_eq!(client.sid, sid);
    assert_eq!(client.hears().await, r#"["said","1"]"#);
}

#[tokio::test]
async fn it_comes_back_as_often_as_it_is_lost() {
    // socket.io#4880: recovery works once.
    let server = Running::start(chat());
    let mut client = in_rooms(&server).await;
    let sid = client.sid.clone();
    for round in 0..5 {
        client = client.again(&server).await;
        assert_eq!(client.sid, sid, "round {round}");
        // Nothing comes twice.
        say(&server, &[("b", &round.to_string())]).await;
        assert_eq!(client.hears().await, format!(r#"["said","{round}"]"#));
    }
}

#[tokio::test]
async fn who_left_a_room_meanwhile_gets_what_came_before() {
    let server = Running::start(chat());
    let mut client = in_rooms(&server).await;
    client.emit("me", "0").await;
    client.hears().await;
    let before = client.offset.clone();
    say(&server, &[("a", "1")]).await;
    client.hears().await;
    client.emit("leave", r#""a""#).await;
    client.is_served().await;
    say(&server, &[("a", "not any more"), ("b", "2")]).await;
    client.hears().await;
    // As if none of it had reached it.
    client.offset = before;
    let mut client = client.again(&server).await;
    assert_eq!(client.hears().await, r#"["said","1"]"#);
    assert_eq!(client.hears().await, r#"["said","2"]"#);
}

#[tokio::test]
async fn a_connection_that_is_dead_but_not_known_to_be_is_taken_over() {
    let server = Running::start(chat());
    let mut client = in_rooms(&server).await;
    let auth = serde_json::json!({ "pid": client.pid }).to_string();
    let mut again = Client::join_with(&server, &auth).await;
    assert_eq!(again.sid, client.sid);
    assert_eq!(client.line.closed().await, 1001);
    say(&server, &[("a", "1")]).await;
    assert_eq!(again.hears().await, r#"["said","1"]"#);
}

#[tokio::test]
async fn what_cannot_be_recovered_begins_anew() {
    let server = Running::start(chat());
    for auth in
        [r#"{"pid":"unknown","offset":"1"}"#, r#"{"pid":1,"offset":2}"#, r#"{"offset":"1"}"#]
    {
        let client = Client::join_with(&server, auth).await;
        assert!(client.pid.is_some_and(|pid| pid != "unknown"), "{auth}");
    }
    for offset in ["x", "", "-1", "999999999", "18446744073709551616"] {
        let client = in_rooms(&server).await;
        let (sid, Client { line, pid, .. }) = (client.sid.clone(), client);
        line.lose();
        let auth = serde_json::json!({ "pid": pid, "offset": offset }).to_string();
        let mut client = Client::join_with(&server, &auth).await;
        assert_ne!((&client.sid, &client.pid), (&sid, &pid), "{offset}");
        // Not in the rooms that it had.
        say(&server, &[("a", "1")]).await;
        client.is_served().await;
    }
}

#[tokio::test]
async fn who_says_goodbye_is_gone() {
    let server = Running::start(chat());
    let mut client = in_rooms(&server).await;
    client.line.say("1").await;
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    let client = client.again(&server).await;
    assert_ne!((client.sid, client.pid), (sid, pid));
}

#[tokio::test]
async fn who_does_not_come_back_in_time_is_gone() {
    let (told, goodbyes) = mpsc::channel();
    let handlers = chat().on_disconnect(move |_cx, goodbye| {
        drop(told.send(goodbye.reason));
        std::future::ready(())
    });
    let server = Running::with(Server::builder().handlers(handlers), &[("recovery", "200ms")]);
    let client = in_rooms(&server).await;
    let (sid, Client { line, pid, .. }) = (client.sid.clone(), client);
    line.lose();
    let reason = goodbyes.recv_timeout(super::PATIENCE).unwrap();
    assert!(["transport close", "transport error"].contains(&&*reason), "{reason}");
    let auth = serde_json::json!({ "pid": pid }).to_string();
    let client = Client::join_with(&server, &auth).await;
    assert_ne!(client.sid, sid);
}

#[tokio::test]
async fn a_question_that_was_open_gets_no_answer() {
    let (told, answers) = mpsc::channel();
    let handlers = Handlers::new().on("go", move |cx: Context, (): ()| {
        let told = told.clone();
        async move {
            let answer = cx.ask::<_, u32>("what", &1, Duration::from_secs(30)).await;
            drop(told.send(answer.map_err(|refusal: Refusal| refusal.code().to_owned())));
        }
    });
    let server = Running::start(handlers);
    let mut client = Client::join(&server).await;
    client.line.say(r#"2["go"]"#).await;
    assert_eq!(client.line.next().await, r#"21["what",1]"#);
    let mut client = client.again(&server).await;
    let answer = answers.recv_timeout(super::PATIENCE).unwrap();
    assert_eq!(answer, Err("unavailable".to_owned()));
    // And nothing is asked again.
    client.line.say("31[1]").await;
}

#[tokio::test]
async fn without_recovery_events_are_what_handlers_said() {
    let server = Running::with(Server::builder().handlers(chat()), &[("recovery", "0s")]);
    let mut line = Line::open(&server).await;
    line.say("0").await;
    let hello = line.next().await;
    assert!(!hello.contains("pid"), "{hello}");
    line.say(r#"2["me","x"]"#).await;
    assert_eq!(line.next().await, r#"2["you","x"]"#);
}
