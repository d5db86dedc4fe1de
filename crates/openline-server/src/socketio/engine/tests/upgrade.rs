//! From polls to a WebSocket.

use std::time::Duration;

use super::client::{Line, Poller, much, read, send};
use super::{Ended, Options, TestServer};
use crate::config::Config;

#[tokio::test]
async fn a_client_changes_over() {
    let mut server = TestServer::start();
    let client = Poller::open(&server).await;
    let mut line = client.probed().await;
    assert_eq!(client.packets().await, ["6"]);
    line.say("5").await;
    line.say("4hello").await;
    assert_eq!(line.next().await, "4hello");
    line.say("1").await;
    assert_eq!(line.closed().await, 1000);
    assert_eq!(server.news.recv().await, Some((Ended::TransportClose, 1)));
}

#[tokio::test]
async fn the_poll_that_waits_is_let_go() {
    let server = TestServer::start();
    let client = Poller::open(&server).await;
    let mut waiting = client.begin_poll().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut line = client.probed().await;
    assert_eq!(read(&mut waiting).await.body, "6");
    line.say("5").await;
    line.say("4a").await;
    assert_eq!(line.next().await, "4a");
}

#[tokio::test]
async fn requests_are_refused_once_the_client_has_changed_over() {
    let server = TestServer::start();
    let client = Poller::open(&server).await;
    let mut line = client.probed().await;
    line.say("5").await;
    // It may be there before the packet.
    let answer = client.poll().await;
    assert_eq!((answer.status, answer.code()), (400, 3));
    assert_eq!(client.post(b"4a").await.code(), 3);
    line.say("4hello").await;
    assert_eq!(line.next().await, "4hello");
}

#[tokio::test]
async fn a_second_websocket_is_closed_and_does_no_harm() {
    let server = TestServer::start();
    let client = Poller::open(&server).await;
    let mut line = client.probed().await;
    let mut second = client.line().await;
    assert_eq!(second.closed().await, 1000);
    line.say("5").await;
    let mut third = client.line().await;
    assert_eq!(third.closed().await, 1000);
    line.say("4hello").await;
    assert_eq!(line.next().await, "4hello");
}

#[tokio::test]
async fn polls_go_on_when_a_websocket_fails() {
    let options = Options { upgrade_timeout: Duration::from_secs(1), ..Options::default() };
    let server = TestServer::with(options, Config::default());
    let client = Poller::open(&server).await;
    for first in ["2", "abc", "4a", "3", "5"] {
        let mut line = client.line().await;
        line.say(first).await;
        assert_eq!(line.closed().await, 1000, "{first}");
    }
    // Goes away before and after it was tried out; takes too long.
    drop(client.line().await);
    drop(client.probed().await);
    let mut line = loop {
        // The server learns of the end in its own time.
        let mut line = client.line().await;
        line.say("2probe").await;
        if let Ok(Some(answer)) = line.0.recv().await {
            assert_eq!(answer.as_text(), Some("3probe"));
            break line;
        }
    };
    assert_eq!(line.closed().await, 1000);
    client.say("4hello").await;
    assert_eq!(client.packets().await, ["4hello"]);
    let mut line = client.probed().await;
    line.say("5").await;
    line.say("4a").await;
    assert_eq!(line.next().await, "4a");
}

/// Messages go both ways all the while: each comes once, and in order.
#[tokio::test]
async fn nothing_is_lost_or_overtaken() {
    let server = TestServer::start();
    for round in 0..20 {
        let client = Poller::open(&server).await;
        let mut sent = 0;
        let mut body = |count: usize| {
            let numbers = (sent..sent + count).map(|number| format!("4{number}"));
            let body = numbers.collect::<Vec<_>>().join("\x1e");
            sent += count;
            body
        };
        client.say(&body(5)).await;
        let mut came = client.packets().await;
        let mut line = client.probed().await;
        // Polled once more or not, and with answers waiting or not, when it changes over.
        client.say(&body(round % 7 + 1)).await;
        if round % 2 == 0 {
            came.extend(client.packets().await);
        }
        if round % 3 == 0 {
            client.say(&body(9)).await;
        }
        line.say("5").await;
        for packet in body(10).split('\x1e') {
            line.say(packet).await;
        }
        while came.len() < sent {
            came.push(line.next().await);
        }
        let expected: Vec<String> = (0..sent).map(|number| format!("4{number}")).collect();
        assert_eq!(came, expected, "round {round}");
    }
}

/// Clients poll no more from the answer to their probe on, until they have changed over, for which
/// they wait for the answer to their POST.
#[tokio::test]
async fn a_post_that_waits_for_polls_does_not_keep_a_client_from_changing_over() {
    let server = TestServer::start();
    let client = Poller::open(&server).await;
    // With what comes of this, there is no room for all that comes of the next.
    client.say(&much()[..5].join("\x1e")).await;
    let mut line = client.probed().await;
    client.say(&much().join("\x1e")).await;
    // The next one waits for the first, and is let go by the change.
    let path = client.path();
    let mut second = send(client.address, "POST", &path, "", b"4last").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    line.say("5").await;
    for packet in much().into_iter().take(5).chain(much()) {
        assert!(line.next().await == packet, "each comes once, and in order");
    }
    assert_eq!(line.next().await, "4last");
    assert_eq!(read(&mut second).await.body, "ok");
}

#[tokio::test]
async fn an_end_takes_the_websocket_that_is_tried_out_along() {
    let mut server = TestServer::start();
    let client = Poller::open(&server).await;
    let mut line = client.probed().await;
    client.say("1").await;
    assert_eq!(line.closed().await, 1000);
    assert_eq!(server.ended().await, Ended::TransportClose);
    let refused = client.poll().await;
    assert_eq!(refused.code(), 1);
    drop(Line::open(&server).await);
}
