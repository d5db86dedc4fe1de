//! How calls begin and end: order, lateness, panics, blocking, and clients that go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use openline_server::app::{Context, Goodbye, Handlers, Refusal};
use serde_json::json;
use tokio::sync::mpsc;

use super::support::soon;
use super::support::talk::End;
use super::{line, serve};

#[tokio::test]
async fn calls_of_a_client_begin_in_order_and_go_on_side_by_side() {
    let (told, mut began) = mpsc::unbounded_channel();
    let handlers = Handlers::new().on("work", move |_cx: Context, (n, ms): (u32, u64)| {
        let told = told.clone();
        async move {
            told.send(n).ok();
            tokio::time::sleep(Duration::from_millis(ms)).await;
            n
        }
    });
    let server = serve(handlers);
    let mut line = line(&server).await;
    for n in 0..50 {
        let ms = if n == 0 { 300 } else { 0 };
        line.send(&json!({ "type": "work", "id": n, "data": [n, ms] })).await;
    }
    for n in 0..50 {
        assert_eq!(soon(began.recv()).await, Some(n));
    }
    let mut answered = Vec::new();
    for _ in 0..50 {
        answered.push(line.next().await.unwrap()["id"].as_u64().unwrap());
    }
    // The slow one did not hold the others up.
    assert_eq!(answered.last(), Some(&0));
}

#[tokio::test]
async fn one_that_panics_is_told_and_the_others_go_on() {
    let handlers = Handlers::new()
        .on("panic", async |_cx, (): ()| -> u32 { panic!("on purpose") })
        .on("fine", async |_cx, (): ()| 1);
    let server = serve(handlers);
    let mut line = line(&server).await;
    assert_eq!(line.ask(&json!({ "type": "panic", "id": 1 })).await["code"], "internal");
    assert_eq!(line.ask(&json!({ "type": "fine", "id": 2 })).await["data"], 1);
}

#[tokio::test]
async fn one_that_is_late_is_told_and_dropped() {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let counted = dropped.clone();
    let handlers = Handlers::new().timeout(Duration::from_millis(50)).on(
        "late",
        move |_cx: Context, (): ()| {
            let guard = Dropped(counted.clone());
            async move {
                std::future::pending::<()>().await;
                drop(guard);
            }
        },
    );
    let server = serve(handlers);
    let mut line = line(&server).await;
    let answer = line.ask(&json!({ "type": "late", "id": 1 })).await;
    assert_eq!(
        (&answer["code"], &answer["message"]),
        (&json!("timeout"), &json!("no answer within 50 ms"))
    );
    soon(async {
        while dropped.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn one_that_blocks_its_thread_is_told_and_stops_nobody() {
    let handlers = Handlers::new()
        .timeout(Duration::from_millis(100))
        .on("block", async |_cx, (): ()| std::thread::sleep(Duration::from_secs(2)))
        .on("fine", async |_cx, (): ()| 1);
    let server = serve(handlers);
    let (mut blocked, mut other) = (line(&server).await, line(&server).await);
    blocked.send(&json!({ "type": "block", "id": 1 })).await;
    assert_eq!(other.ask(&json!({ "type": "fine", "id": 2 })).await["data"], 1);
    assert_eq!(blocked.next().await.unwrap()["code"], "timeout");
    // Its line serves on.
    assert_eq!(blocked.ask(&json!({ "type": "ping", "id": 3 })).await["type"], "pong");
}

#[tokio::test]
async fn what_a_client_left_behind_is_dropped_unless_it_was_spawned() {
    let (told, mut done) = mpsc::unbounded_channel();
    let handlers = Handlers::new().on("work", move |cx: Context, (): ()| {
        let (mine, spawned) = (told.clone(), told.clone());
        async move {
            cx.spawn(async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                spawned.send("spawned").ok();
            });
            tokio::time::sleep(Duration::from_millis(50)).await;
            mine.send("handler").ok();
        }
    });
    let server = serve(handlers);
    let mut line = line(&server).await;
    line.send(&json!({ "type": "work" })).await;
    assert_eq!(line.ask(&json!({ "type": "ping", "id": 1 })).await["type"], "pong");
    drop(line);
    assert_eq!(soon(done.recv()).await, Some("spawned"));
}

#[tokio::test]
async fn hooks_tell_of_coming_and_going() {
    let (told, mut events) = mpsc::unbounded_channel();
    let came = told.clone();
    let handlers = Handlers::new()
        .on_connect(move |cx: Context| {
            let came = came.clone();
            async move {
                came.send((cx.id().to_owned(), None)).ok();
            }
        })
        .on_disconnect(move |cx: Context, goodbye: Goodbye| {
            let told = told.clone();
            async move {
                told.send((cx.id().to_owned(), Some(goodbye))).ok();
            }
        })
        .on("leave", async |cx, (): ()| cx.disconnect("enough"));
    let server = serve(handlers);
    let mut line = line(&server).await;
    let (id, none) = soon(events.recv()).await.unwrap();
    assert_eq!(none, None);
    line.send(&json!({ "type": "leave" })).await;
    assert_eq!(line.next().await, Err(End { code: 4005, reason: "enough".to_owned() }));
    let goodbye = Goodbye { code: Some(4005), reason: "enough".to_owned() };
    assert_eq!(soon(events.recv()).await, Some((id, Some(goodbye))));
}

#[tokio::test]
async fn on_connect_turns_clients_away() {
    let (told, mut gone) = mpsc::unbounded_channel();
    let handlers = Handlers::new()
        .on_connect(async |_cx| Err::<(), _>(Refusal::forbidden("come back tomorrow")))
        .on_disconnect(move |_cx: Context, goodbye: Goodbye| {
            let told = told.clone();
            async move {
                told.send(goodbye).ok();
            }
        });
    let server = serve(handlers);
    let mut line = line(&server).await;
    let end = End { code: 1008, reason: "come back tomorrow".to_owned() };
    assert_eq!(line.next().await, Err(end));
    drop(server);
    assert!(gone.try_recv().is_err(), "it was never in");
}
