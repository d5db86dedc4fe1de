//! How connections end.

use std::time::Duration;

use super::client::{Line, Poller, read};
use super::{Ended, TestServer};

#[tokio::test]
async fn a_client_says_goodbye_by_post() {
    let mut server = TestServer::start();
    let client = Poller::open(&server).await;
    let mut waiting = client.begin_poll().await;
    client.say("1").await;
    assert_eq!(read(&mut waiting).await.body, "6");
    assert_eq!(server.ended().await, Ended::TransportClose);
    assert_eq!(client.poll().await.code(), 1);
    let alone = Poller::open(&server).await;
    alone.say("4a\x1e1\x1e4b").await;
    assert_eq!(server.news.recv().await, Some((Ended::TransportClose, 1)));
    assert_eq!(alone.poll().await.code(), 1);
}

#[tokio::test]
async fn a_poll_that_crosses_a_goodbye_is_answered() {
    let server = TestServer::start();
    for _ in 0..20 {
        let client = Poller::open(&server).await;
        let (polled, ()) = tokio::join!(client.poll(), client.say("1"));
        assert_eq!((polled.status, &*polled.body), (200, "6"));
    }
}

#[tokio::test]
async fn a_client_says_goodbye_by_websocket() {
    let mut server = TestServer::start();
    let mut line = Line::open(&server).await;
    line.say("1").await;
    assert_eq!(line.closed().await, 1000);
    assert_eq!(server.ended().await, Ended::TransportClose);
    let mut line = Line::open(&server).await;
    line.0.close(1000, "").await.unwrap();
    assert_eq!(server.ended().await, Ended::TransportClose);
    drop(Line::open(&server).await);
    assert!(matches!(server.ended().await, Ended::TransportClose | Ended::TransportError));
}

#[tokio::test]
async fn this_side_ends_a_connection_behind_what_it_said() {
    let mut server = TestServer::start();
    let client = Poller::open(&server).await;
    client.say("4a\x1e4kick\x1e4b").await;
    assert_eq!(server.news.recv().await, Some((Ended::ForcedClose, 2)));
    assert_eq!(client.packets().await, ["4a"]);
    assert_eq!(client.packets().await, ["1"]);
    assert_eq!(client.poll().await.code(), 1);
    let mut line = Line::open(&server).await;
    line.say("4a").await;
    line.say("4kick").await;
    assert_eq!(line.next().await, "4a");
    assert_eq!(line.closed().await, 4005);
    assert_eq!(server.ended().await, Ended::ForcedClose);
}

#[tokio::test]
async fn a_panic_ends_its_own_connection_alone() {
    let mut server = TestServer::start();
    let (client, other) = (Poller::open(&server).await, Poller::open(&server).await);
    assert_eq!(client.post(b"4panic").await.status, 400);
    assert_eq!(server.ended().await, Ended::TransportError);
    assert_eq!(client.poll().await.code(), 1);
    let mut line = Line::open(&server).await;
    line.say("4panic").await;
    assert_eq!(line.closed().await, 1011);
    assert_eq!(server.ended().await, Ended::TransportError);
    other.say("4a").await;
    assert_eq!(other.packets().await, ["4a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_says_so() {
    let mut server = TestServer::start();
    let client = Poller::open(&server).await;
    let mut waiting = client.begin_poll().await;
    let mut line = Line::open(&server).await;
    line.say("4a").await;
    assert_eq!(line.next().await, "4a");
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.handle.stop();
    assert_eq!(read(&mut waiting).await.body, "1");
    assert_eq!(line.closed().await, 1012);
    for _ in 0..2 {
        assert_eq!(server.ended().await, Ended::ServerStop);
    }
    tokio::task::block_in_place(|| server.stop());
}
