//! `/chat`: what a page that knows only JSON says and hears.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{Member, RawLine, TestServer, connector, soon};

/// Hears a chat message with this text next, among those of that type.
async fn assert_hears(member: &mut Member, text: &str) -> Value {
    let message = member.next_of("chat").await;
    assert_eq!(message["text"], text);
    message
}

fn chat(text: &str) -> Value {
    json!({ "type": "chat", "text": text })
}

fn names(list: &Value) -> Vec<&str> {
    let people = list.as_array().unwrap().iter();
    people.map(|person| person["username"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_line_is_greeted_with_welcome_history_and_user_list_in_that_order() {
    let server = TestServer::start();
    let mut ann = Member { ws: server.line("/chat").await, client_id: String::new() };
    let welcome = ann.next().await;
    assert_eq!(welcome["type"], "welcome");
    assert!(!welcome["clientId"].as_str().unwrap().is_empty());
    assert!(!welcome["message"].as_str().unwrap().is_empty());
    let history = ann.next().await;
    assert_eq!((&history["type"], &history["messages"]), (&json!("history"), &json!([])));
    let list = ann.next().await;
    assert_eq!((&list["type"], &list["count"]), (&json!("userList"), &json!(1)));
    assert_eq!(list["users"][0]["userId"], welcome["clientId"]);
}

#[tokio::test]
async fn two_members_talk_without_a_join() {
    let server = TestServer::start();
    let mut ann = Member::enter(&server, "/chat").await;
    let mut ben = Member::enter(&server, "/chat").await;
    ann.say(chat("hello")).await;
    let heard = assert_hears(&mut ben, "hello").await;
    assert_eq!(heard["from"], json!(ann.client_id));
    assert_eq!(heard["username"], heard["sender"]);
    assert!(heard["timestamp"].as_u64().unwrap() > 1_600_000_000_000);
    ben.say(chat("hello yourself")).await;
    assert_hears(&mut ann, "hello").await;
    assert_hears(&mut ann, "hello yourself").await;
}

#[tokio::test]
async fn parameters_stand_at_the_top_level_or_under_data() {
    let server = TestServer::start();
    let mut ann = Member::enter(&server, "/chat").await;
    for message in [
        json!({ "type": "chat", "text": "hi", "username": "Ann" }),
        json!({ "type": "chat", "data": { "text": "hi", "username": "Ann" } }),
    ] {
        ann.say(message).await;
        assert_eq!(assert_hears(&mut ann, "hi").await["username"], "Ann");
    }
}

#[tokio::test]
async fn a_sender_hears_itself_unless_it_asks_not_to() {
    let server = TestServer::start();
    let mut ann = Member::enter(&server, "/chat").await;
    let mut ben = Member::enter(&server, "/chat").await;
    ann.say(json!({ "type": "chat", "text": "for others", "echo": false })).await;
    ann.say(chat("for all")).await;
    assert_hears(&mut ann, "for all").await;
    assert_hears(&mut ben, "for others").await;
    assert_hears(&mut ben, "for all").await;
}

#[tokio::test]
async fn typing_is_told_to_the_others_only() {
    let server = TestServer::start();
    let mut ann = Member::named(&server, "/chat", "Ann").await;
    let mut ben = Member::enter(&server, "/chat").await;
    ann.say(json!({ "type": "typing", "isTyping": true })).await;
    ann.say(json!({ "type": "typing", "data": { "isTyping": false } })).await;
    ann.say(chat("done")).await;
    for is_typing in [true, false] {
        let heard = ben.next_of("typing").await;
        assert_eq!((&heard["user"], &heard["isTyping"]), (&json!("Ann"), &json!(is_typing)));
    }
    loop {
        let heard = ann.next().await;
        assert_ne!(heard["type"], "typing");
        if heard["type"] == "chat" {
            break;
        }
    }
}

#[tokio::test]
async fn a_status_reaches_everybody_as_a_presence_list() {
    let server = TestServer::start();
    let mut ann = Member::named(&server, "/chat", "Ann").await;
    let mut ben = Member::enter(&server, "/chat").await;
    ann.say(json!({ "type": "setPresence", "status": "away" })).await;
    for member in [&mut ann, &mut ben] {
        loop {
            let presence = member.next_of("presence").await;
            let list = presence["list"].as_array().unwrap();
            if list.iter().any(|person| person["status"] == "away") {
                let away = list.iter().find(|person| person["status"] == "away").unwrap();
                assert_eq!(away["username"], "Ann");
                break;
            }
        }
    }
}

#[tokio::test]
async fn who_comes_is_announced_and_listed() {
    let server = TestServer::start();
    let mut ann = Member::named(&server, "/chat", "Ann").await;
    let _ben = Member::named(&server, "/chat", "Ben").await;
    let system = ann.next_of("system").await;
    assert_eq!(system["text"], "User Ben joined the chat");
    assert_eq!(system["message"], system["text"]);
    loop {
        let list = ann.next_of("userList").await;
        if names(&list["users"]) == ["Ann", "Ben"] {
            assert_eq!(list["count"], 2);
            break;
        }
    }
}

#[tokio::test]
async fn who_leaves_is_announced_and_no_longer_listed() {
    let server = TestServer::start();
    let mut ann = Member::named(&server, "/chat", "Ann").await;
    let ben = Member::named(&server, "/chat", "Ben").await;
    assert_eq!(ann.next_of("system").await["text"], "User Ben joined the chat");
    ben.leave().await;
    let system = ann.next_of("system").await;
    assert_eq!(system["text"], "User Ben left the chat");
    assert_eq!(system["message"], system["text"]);
    loop {
        if names(&ann.next_of("userList").await["users"]) == ["Ann"] {
            break;
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_too() {
    let server = TestServer::start();
    let mut ann = Member::named(&server, "/chat", "Ann").await;
    drop(Member::named(&server, "/chat", "Ben").await);
    ann.next_of("system").await;
    assert_eq!(ann.next_of("system").await["text"], "User Ben left the chat");
}

#[tokio::test]
async fn joining_another_room_moves_there() {
    let server = TestServer::start();
    let mut there = Member::enter(&server, "/chat/den").await;
    there.say(chat("before")).await;
    assert_hears(&mut there, "before").await;
    let mut here = Member::enter(&server, "/chat").await;
    let mut ann = Member::named(&server, "/chat", "Ann").await;

    ann.say(json!({ "type": "join", "username": "Anna", "room": "den" })).await;
    loop {
        let history = ann.next_of("history").await;
        if let Some(message) = history["messages"].get(0) {
            assert_eq!(message["text"], "before");
            assert!(message["username"].is_string() && message["timestamp"].is_u64());
            break;
        }
    }
    assert_eq!(ann.next_of("userList").await["count"], 2);
    assert_eq!(here.next_of("system").await["text"], "User Ann joined the chat");
    assert_eq!(here.next_of("system").await["text"], "User Ann left the chat");
    assert_eq!(there.next_of("system").await["text"], "User Anna joined the chat");

    ann.say(chat("in the den")).await;
    assert_hears(&mut there, "in the den").await;
    here.say(chat("in the hall")).await;
    assert_hears(&mut here, "in the hall").await;
    ann.say(chat("again")).await;
    assert_hears(&mut ann, "in the den").await;
    assert_hears(&mut ann, "again").await;
}

#[tokio::test]
async fn the_path_names_the_room() {
    let server = TestServer::start();
    let mut by_path = Member::enter(&server, "/chat/42").await;
    let mut by_join = Member::enter(&server, "/chat").await;
    by_join.say(json!({ "type": "join", "room": "42" })).await;
    by_join.say(chat("hello 42")).await;
    assert_hears(&mut by_path, "hello 42").await;
    let info = by_path.user_info(&by_join.client_id).await;
    assert_eq!(info["room"], "42");
}

#[tokio::test]
async fn the_plain_path_is_the_room_general() {
    let server = TestServer::start();
    let mut plain = Member::enter(&server, "/chat").await;
    let mut named = Member::enter(&server, "/chat/general").await;
    named.say(chat("same room")).await;
    assert_hears(&mut plain, "same room").await;
}

#[tokio::test]
async fn history_is_given_to_a_request_with_its_id() {
    let server = TestServer::start();
    let mut ann = Member::named(&server, "/chat/42", "Ann").await;
    for text in ["one", "two", "three"] {
        ann.say(chat(text)).await;
        assert_hears(&mut ann, text).await;
    }
    let request = json!({ "type": "getHistory", "id": 7, "room": "42", "limit": 2 });
    let answer = ann.ask(request).await;
    let messages = answer["data"]["messages"].as_array().unwrap();
    let texts: Vec<_> = messages.iter().map(|message| &message["text"]).collect();
    assert_eq!(texts, ["two", "three"]);
    assert_eq!(messages[0]["username"], "Ann");
    let elsewhere = json!({ "type": "getHistory", "id": "x", "room": "nowhere" });
    assert_eq!(ann.ask(elsewhere).await["data"]["messages"], json!([]));
}

#[tokio::test]
async fn history_outlasts_its_members_and_is_bounded() {
    let server = TestServer::start();
    let mut ann = Member::enter(&server, "/chat").await;
    for number in 0..105 {
        ann.say(chat(&number.to_string())).await;
    }
    while ann.next_of("chat").await["text"] != "104" {}
    ann.leave().await;
    let mut ben = Member { ws: server.line("/chat").await, client_id: String::new() };
    let history = ben.next_of("history").await;
    let messages = history["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 100);
    assert_eq!((&messages[0]["text"], &messages[99]["text"]), (&json!("5"), &json!("104")));
}

#[tokio::test]
async fn long_texts_push_old_ones_out_of_the_history() {
    let server = TestServer::start();
    let mut ann = Member::enter(&server, "/chat").await;
    let text = "\u{1}".repeat(16 * 1024);
    for _ in 0..4 {
        ann.say(chat(&text)).await;
        assert_hears(&mut ann, &text).await;
    }
    let answer = ann.ask(json!({ "type": "getHistory", "id": 1 })).await;
    assert_eq!(answer["messages"].as_array().unwrap().len(), 2);
    assert!(answer.to_string().len() < 1 << 20, "clients take 1 MiB");
}

#[tokio::test]
async fn a_user_is_found_by_id_or_name() {
    let server = TestServer::start();
    let mut ann = Member::named(&server, "/chat", "Ann").await;
    let ben = Member::named(&server, "/chat", "Ben").await;
    for user in ["Ben", &ben.client_id] {
        let info = ann.user_info(user).await;
        assert_eq!(info["data"]["userId"], json!(ben.client_id));
        assert_eq!(info["data"]["username"], "Ben");
        assert_eq!(info["data"]["status"], "online");
    }
    let error = ann.user_info("Cid").await;
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("unknown_user")));
}

#[tokio::test]
async fn what_a_line_had_kept_is_told_to_it_and_to_no_other() {
    let server = TestServer::start();
    let mut ann = Member::named(&server, "/chat", "Ann").await;
    let mut ben = Member::enter(&server, "/chat").await;
    let saved = ann.ask(json!({ "type": "saveState", "id": 1, "data": { "x": [1] } })).await;
    assert_eq!(saved["saved"], true);
    assert_eq!(ann.user_info("Ann").await["state"], json!({ "x": [1] }));
    assert_eq!(ben.user_info("Ann").await.get("state"), None);
}

#[tokio::test]
async fn a_ping_is_answered_with_the_time() {
    let server = TestServer::start();
    let mut ann = Member::enter(&server, "/chat").await;
    ann.say(json!({ "type": "ping" })).await;
    assert!(ann.next_of("pong").await["timestamp"].is_u64());
    assert_eq!(ann.ask(json!({ "type": "ping", "id": "a" })).await["type"], "pong");
}

#[tokio::test]
async fn what_is_wrong_is_told_and_the_line_stays_open() {
    let server = TestServer::start();
    let mut ann = Member::enter(&server, "/chat").await;
    for (message, code, text) in [
        ("{", "invalid_json", "Invalid JSON"),
        ("[]", "invalid_json", "Invalid JSON"),
        (r#"{"type":"dance"}"#, "unknown_type", "Unknown message type"),
        (r#"{"type":"chat"}"#, "missing_field", "Missing field"),
        (r#"{"type":"chat","text":1}"#, "invalid_field", "Invalid field"),
    ] {
        ann.ws.send(message).await.unwrap();
        let error = ann.next_of("error").await;
        assert_eq!(error["code"], code, "{message}");
        for name in ["text", "message", "error"] {
            assert_eq!(error[name], text, "{message}");
        }
        assert!(!error["detail"].as_str().unwrap().is_empty());
    }
    let error = ann.ask(json!({ "type": "dance", "id": 5 })).await;
    assert_eq!(error["code"], "unknown_type");
    ann.say(chat("still here")).await;
    assert_hears(&mut ann, "still here").await;
}

#[tokio::test]
async fn a_binary_message_is_refused_and_the_line_stays_open() {
    let server = TestServer::start();
    let mut ann = Member::enter(&server, "/chat").await;
    ann.ws.send(&b"{\"type\":\"ping\"}"[..]).await.unwrap();
    assert_eq!(ann.next_of("error").await["code"], "unsupported_data");
    ann.say(json!({ "type": "ping" })).await;
    ann.next_of("pong").await;
}

#[tokio::test]
async fn of_the_subprotocols_the_best_known_one_is_taken() {
    let server = TestServer::start();
    for (offered, taken) in [
        (&["chat-v1", "chat-v2"][..], Some("chat-v2")),
        (&["v2", "chat-v1"], Some("chat-v1")),
        (&["v2", "chat"], Some("chat")),
        (&["v3", "v2"], Some("v2")),
        (&["v3"], None),
        (&[], None),
    ] {
        let headers = match offered {
            [] => String::new(),
            offered => format!("Sec-WebSocket-Protocol: {}\r\n", offered.join(", ")),
        };
        let line = server.raw_line("/chat", &headers).await;
        let chosen = line.head.lines().find_map(|line| line.split_once("rotocol: "));
        assert_eq!(chosen.map(|(_, protocol)| protocol), taken, "{offered:?}");
    }
    let ws = connector().protocol("chat-v1").connect(&server.url("/chat")).await.unwrap();
    assert_eq!(ws.protocol(), Some("chat-v1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_hears_the_same_order_though_many_speak_on_several_threads() {
    const SPEAKERS: usize = 4;
    const MESSAGES: usize = 200;
    let server = TestServer::with_threads(2);
    let mut members = Vec::new();
    for _ in 0..SPEAKERS + 2 {
        members.push(Member::enter(&server, "/chat").await);
    }
    let tasks = members.into_iter().enumerate().map(|(index, mut member)| {
        tokio::spawn(async move {
            let said = if index < SPEAKERS { MESSAGES } else { 0 };
            for number in 0..said {
                member.say(chat(&format!("{index} {number}"))).await;
            }
            let mut heard = Vec::new();
            while heard.len() < SPEAKERS * MESSAGES {
                let message = member.next_of("chat").await;
                heard.push(message["text"].as_str().unwrap().to_owned());
            }
            heard
        })
    });
    let mut accounts = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        accounts.push(task.await.unwrap());
    }
    for account in &accounts[1..] {
        assert!(account == &accounts[0], "two members heard different orders");
    }
    for index in 0..SPEAKERS {
        let begin = format!("{index} ");
        let own = accounts[0].iter().filter_map(|text| text.strip_prefix(&begin));
        assert!(own.eq((0..MESSAGES).map(|number| number.to_string()).collect::<Vec<_>>()));
    }
}

/// History and live messages join without a gap and without a double, whenever one enters.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_enters_while_others_talk_misses_nothing_and_hears_nothing_twice() {
    const MESSAGES: usize = 1500;
    let server = TestServer::with_threads(2);
    let mut speaker = Member::enter(&server, "/chat").await;
    let enter = async {
        let mut last = 0;
        while last < MESSAGES - 1 {
            let mut member = Member { ws: server.line("/chat").await, client_id: String::new() };
            let history = member.next_of("history").await;
            let mut heard: Vec<Value> = history["messages"].as_array().unwrap().clone();
            let until = heard.len() + 5;
            while heard.len() < until
                && heard.last().is_none_or(|message| {
                    message["text"].as_str() != Some(&(MESSAGES - 1).to_string())
                })
            {
                heard.push(member.next_of("chat").await);
            }
            let numbers = heard.iter().map(|message| message["text"].as_str().unwrap());
            let numbers: Vec<usize> = numbers.map(|text| text.parse().unwrap()).collect();
            assert!(numbers.is_sorted_by(|a, b| a + 1 == *b), "{numbers:?}");
            last = *numbers.last().unwrap();
        }
    };
    let speak = async {
        for number in 0..MESSAGES {
            speaker.say(chat(&number.to_string())).await;
            assert_hears(&mut speaker, &number.to_string()).await;
        }
    };
    soon(async { tokio::join!(enter, speak) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_does_not_read_is_closed_with_4006_and_delays_nobody() {
    let server = TestServer::start();
    let mut ann = Member::enter(&server, "/chat").await;
    let mut ben = Member::enter(&server, "/chat").await;
    let mut sleeper = RawLine::open_narrow(server.address(), "/chat").await;
    // More than the sockets' buffers and the queue hold.
    let text = "a".repeat(250_000);
    for _ in 0..60 {
        ann.say(chat(&text)).await;
        assert_hears(&mut ben, &text).await;
        assert_hears(&mut ann, &text).await;
    }
    assert_eq!(sleeper.closed().await, (4006, "slow consumer".to_owned()));
    drop(sleeper);
    loop {
        let system = ann.next_of("system").await;
        if system["text"].as_str().unwrap().ends_with("left the chat") {
            break;
        }
    }
}

#[tokio::test]
async fn who_asks_for_much_before_reading_gets_it_all() {
    let server = TestServer::start();
    let mut ann = Member::enter(&server, "/chat").await;
    for _ in 0..100 {
        ann.say(chat(&"a".repeat(500))).await;
    }
    // A hundred answers of a hundred kilobytes: more than the sockets take at once.
    for id in 0..100 {
        ann.say(json!({ "type": "getHistory", "id": id })).await;
        if id % 20 == 19 {
            while ann.next_of("getHistory").await["id"] != id {}
        }
    }
}
