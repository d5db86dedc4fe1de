//! Pings, and clients that do not answer them.

use std::time::{Duration, Instant};

use super::client::{Line, Poller};
use super::{Ended, Options, TestServer, quick};
use crate::config::Config;

#[tokio::test]
async fn polls_bring_pings() {
    let mut server = TestServer::quick();
    let client = Poller::open(&server).await;
    for _ in 0..3 {
        assert_eq!(client.packets().await, ["2"]);
        client.say("3").await;
    }
    client.say("1").await;
    assert_eq!(server.ended().await, Ended::TransportClose);
}

#[tokio::test]
async fn websockets_bring_pings() {
    let server = TestServer::quick();
    let mut line = Line::open(&server).await;
    for _ in 0..3 {
        assert_eq!(line.next().await, "2");
        line.say("3").await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_poll_is_gone_in_time() {
    let mut server = TestServer::quick();
    let client = Poller::open(&server).await;
    let opened = Instant::now();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(client.poll().await.code(), 1);
    assert_eq!(server.ended().await, Ended::PingTimeout);
    assert!(opened.elapsed() >= Duration::from_millis(490));
}

#[tokio::test]
async fn a_poll_that_waits_is_told_that_it_took_too_long() {
    let mut server = TestServer::quick();
    let client = Poller::open(&server).await;
    assert_eq!(client.packets().await, ["2"]);
    assert_eq!(client.packets().await, ["1"]);
    assert_eq!(server.ended().await, Ended::PingTimeout);
}

#[tokio::test]
async fn a_websocket_that_does_not_answer_is_closed() {
    let mut server = TestServer::quick();
    let mut line = Line::open(&server).await;
    assert_eq!(line.closed().await, 1001);
    assert_eq!(server.ended().await, Ended::PingTimeout);
}

#[tokio::test]
async fn a_client_whose_message_is_worked_on_is_not_gone() {
    let server = TestServer::quick();
    let mut line = Line::open(&server).await;
    // For longer than a ping may take: its answer is not read before that.
    line.say("4slow").await;
    line.say("3").await;
    line.say("4hello").await;
    let mut came = line.next().await;
    while came == "2" {
        line.say("3").await;
        came = line.next().await;
    }
    assert_eq!(came, "4hello");
}

#[tokio::test]
async fn a_client_that_is_heard_is_not_gone() {
    let server = TestServer::quick();
    let mut line = Line::open(&server).await;
    for count in 0..15 {
        line.say(&format!("4{count}")).await;
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
    let mut echoed = 0;
    while echoed < 15 {
        echoed += usize::from(line.next().await != "2");
    }
}

#[tokio::test]
async fn each_path_has_its_own_pace() {
    let options = Options { ping_interval: Duration::from_millis(50), ..quick() };
    let server = TestServer::with(options, Config::default());
    let mut line = Line::open(&server).await;
    assert_eq!(line.next().await, "2");
    // Unasked answers move nothing.
    line.say("3").await;
    line.say("3").await;
    assert_eq!(line.next().await, "2");
}
