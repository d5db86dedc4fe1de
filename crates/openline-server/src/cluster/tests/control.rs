//! What ends lines, and what handlers say, over nodes.

use std::time::Duration;

use serde_json::json;

use super::wire::Wire;
use super::{Member, nodes, nodes_with, pass};
use crate::app::{Context, Handlers};
use crate::auth::Subject;
use crate::clock::Clock;
use crate::testkit::TestClient;

fn rooms() -> Handlers {
    Handlers::new()
        .on("join", async |cx: Context, room: String| cx.join(&room).await)
        .on("typing-like", async |cx: Context, room: String| {
            cx.namespace().to(&room).emit("typing", &1).await
        })
        .on("everybody", async |cx: Context, text: String| {
            cx.namespace().everybody().emit("said", &text).await
        })
        .on("without", async |cx: Context, (a, b, text): (String, String, String)| {
            cx.namespace().to(&a).except(&b).emit("said", &text).await
        })
        .on("whisper", async |cx: Context, (id, text): (String, String)| {
            cx.namespace().client(&id).emit("said", &text).await
        })
        .on("gather", async |cx: Context, (a, b): (String, String)| {
            cx.namespace().to(&a).join(&b).await
        })
        .on("dismiss", async |cx: Context, room: String| {
            cx.namespace().to(&room).disconnect("enough")
        })
}

async fn joined(node: &Member, rooms: &[&str]) -> TestClient {
    let mut client = node.server.client().await;
    for room in rooms {
        client.ask::<()>("join", room).await.unwrap();
    }
    client
}

#[tokio::test(start_paused = true)]
async fn disconnecting_ends_lines_on_all_nodes() {
    let wire = Wire::default();
    let [a, b, c] = nodes(&wire).await;
    let mut on_a = a.server.client().user("ann").await;
    let mut on_b = b.server.client().user("ann").await;
    let mut ben = b.server.client().user("ben").await;
    let told = c.api("disconnect", Some(json!({"user": "ann", "code": 4004}))).await;
    assert_eq!(told, json!({"lines": 2}));
    assert_eq!(on_a.closed().await.0, 4004);
    assert_eq!(on_b.closed().await.0, 4004);
    let id = ben.id().to_owned();
    assert_eq!(a.api("disconnect", Some(json!({"client": id}))).await, json!({"lines": 1}));
    assert_eq!(ben.closed().await, (4005, "kicked".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_answer_says_which_nodes_did_not_give_theirs() {
    let wire = Wire::default();
    let [a, b, c] = nodes(&wire).await;
    let mut ann = c.server.client().user("ann").await;
    wire.cut(b.id());
    let before = tokio::time::Instant::now();
    let told = a.api("disconnect", Some(json!({"user": "ann"}))).await;
    assert_eq!(told, json!({"lines": 1, "missing": ["n1"]}));
    assert!(before.elapsed() <= Duration::from_millis(1100));
    ann.closed().await;
    pass(10_000).await;
    let told = a.api("disconnect", Some(json!({"user": "ann"}))).await;
    assert_eq!(told, json!({"lines": 0}), "a node that is gone is not waited for");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_lost_once_is_answered_all_the_same() {
    let wire = Wire::default();
    let [a, b] = nodes(&wire).await;
    let _ann = b.server.client().user("ann").await;
    for lost in ["Question", "Answer"] {
        let mut is_first = true;
        wire.lose(move |_, _, message| {
            let is_it = format!("{message:?}").starts_with(lost);
            is_it && std::mem::take(&mut is_first)
        });
        let told = a.api("clients", None).await;
        assert_eq!(told["clients"].as_array().unwrap().len(), 1, "without the first {lost}");
        assert_eq!(told.get("missing"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_is_so_on_all_nodes_and_on_those_that_start_later() {
    let wire = Wire::default();
    let [a, b] = nodes(&wire).await;
    let now = Clock::wall_seconds();
    let is_revoked = |node: &Member, user: &str| {
        let revocations = &node.server.node().revocations;
        revocations.has(&Subject::User(user.into()), now, now + 10)
    };
    let mut ann = b.server.client().user("ann").await;
    let told = a.api("revoke", Some(json!({"user": "ann"}))).await;
    assert_eq!(told["lines"], 1);
    assert_eq!(ann.closed().await.0, 4002);
    assert!(is_revoked(&b, "ann"));

    for number in 0..5000 {
        let revocations = &a.server.node().revocations;
        revocations.revoke(Subject::Token(number.to_string().into()), now, now + 100).unwrap();
    }
    let c = Member::start(&wire);
    pass(1000).await;
    assert!(is_revoked(&c, "ann"));
    let revocations = &c.server.node().revocations;
    assert!(
        (0..5000_u32)
            .all(|n| { revocations.has(&Subject::Token(n.to_string().into()), now, now + 100) })
    );

    wire.cut(c.id());
    let mut cem = c.server.client().user("cem").await;
    a.api("revoke", Some(json!({"user": "cem"}))).await;
    assert!(!is_revoked(&c, "cem"));
    wire.mend(c.id());
    pass(1000).await;
    assert!(is_revoked(&c, "cem"));
    assert_eq!(cem.closed().await.0, 4002);
}

#[tokio::test(start_paused = true)]
async fn of_a_users_lines_on_several_nodes_the_newest_stays() {
    let wire = Wire::default();
    let nodes: [Member; 2] =
        nodes_with(&wire, "auth.duplicates = \"replace\"\n", Handlers::new).await;
    for (first, second) in [(0, 1), (1, 0)] {
        for apart_ms in [0, 500, 5000] {
            let line = |node: usize, number: u64| {
                let lines = &nodes[node].server.node().user_lines;
                lines.enter(&"ann".into(), number);
                nodes[node].cluster().replace(&"ann".into());
            };
            line(first, 1);
            pass(apart_ms).await;
            line(second, 2);
            pass(100).await;
            let stays = |node: usize, number: u64| {
                let lines = &nodes[node].server.node().user_lines;
                let has = lines.has("ann", number);
                lines.leave("ann", number);
                has
            };
            let (older, newer) = (stays(first, 1), stays(second, 2));
            assert!(older != newer, "one stays: {first}, {second}, {apart_ms} ms");
            assert!(newer || apart_ms < 1000, "{first}, {second}, {apart_ms} ms");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn typing_and_events_reach_subscribers_of_other_nodes() {
    let wire = Wire::default();
    let [a, b, c]: [Member; 3] = nodes_with(&wire, "", rooms).await;
    let mut ann = a.server.client().user("ann").await;
    ann.subscribe("room").await.unwrap();
    let mut ben = b.server.client().await;
    ben.subscribe("room").await.unwrap();
    let mut eve = c.server.client().await;
    eve.subscribe("hall").await.unwrap();
    pass(1000).await;
    let before = wire.said();
    ann.request(json!({"type": "typing", "channel": "room", "isTyping": true})).await.unwrap();
    let told = ben.expect("typing").await;
    assert_eq!(told.message["user"], "ann", "{told:?}");
    assert_eq!(wire.said() - before, 1, "those who do not listen do not hear of it");
    eve.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn what_handlers_say_reaches_clients_of_other_nodes() {
    let wire = Wire::default();
    let [a, b]: [Member; 2] = nodes_with(&wire, "", rooms).await;
    let mut ann = joined(&a, &["red"]).await;
    let mut ben = joined(&b, &["red"]).await;
    let mut eve = joined(&b, &["red", "blue"]).await;
    let said = async |client: &mut TestClient| client.expect("said").await.data;

    ann.ask::<()>("everybody", "hi").await.unwrap();
    for client in [&mut ann, &mut ben, &mut eve] {
        assert_eq!(said(client).await, "hi");
    }
    ann.ask::<()>("without", &("red", "blue", "psst")).await.unwrap();
    assert_eq!(said(&mut ben).await, "psst");
    let id = eve.id().to_owned();
    ann.ask::<()>("whisper", &(id, "you")).await.unwrap();
    assert_eq!(said(&mut eve).await, "you", "and not what was for others");

    ann.ask::<()>("gather", &("blue", "green")).await.unwrap();
    pass(1000).await;
    assert_eq!(b.members("green").0, [eve.id()]);
    ann.ask::<()>("dismiss", "green").await.unwrap();
    assert_eq!(eve.closed().await, (4005, "enough".to_owned()));
    pass(200).await;
    assert_eq!(a.members("red").1, 2);
}
