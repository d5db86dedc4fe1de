//! A drain while clients publish.

use serde_json::json;

use crate::home::Home;
use crate::line::Line;

const PUBLISHERS: usize = 6;

/// Publishes one after the other until the line ends; returns what was acked, and whether the client
/// was told before.
async fn publish(mut line: Line, number: usize) -> (Vec<String>, bool) {
    let (mut acked, mut was_told) = (Vec::new(), false);
    loop {
        let data = format!("{number}-{}", acked.len());
        line.say(&json!({ "type": "publish", "id": 1, "channel": "a", "data": data })).await;
        loop {
            let Some(came) = line.next().await else { return (acked, was_told) };
            match came["type"].as_str().unwrap() {
                "published" => break,
                kind => was_told |= kind == "drain",
            }
        }
        acked.push(data);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acked_until_the_last_moment_of_a_drain_is_kept() {
    let home = Home::new();
    let server = home.start();
    let mut publishers = Vec::new();
    for number in 0..PUBLISHERS {
        publishers.push(tokio::spawn(publish(server.line().await, number)));
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    tokio::task::spawn_blocking(move || server.stop()).await.unwrap();

    let server = home.start();
    let kept: std::collections::BTreeSet<String> =
        server.history("a", None).into_iter().map(|entry| entry.data).collect();
    for publisher in publishers {
        let (acked, was_told) = publisher.await.unwrap();
        assert!(was_told, "a client was closed and not told before");
        assert!(acked.len() > 10, "{} acks are no test", acked.len());
        let lost: Vec<_> = acked.iter().filter(|data| !kept.contains(*data)).collect();
        assert_eq!(lost, Vec::<&String>::new());
    }
    server.kill();
}
