//! Phases, and drains of servers without sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::Server;
use crate::testkit::TestServer;

const TERMS: Terms = Terms {
    delay: Duration::ZERO,
    duration: Duration::from_secs(2),
    notice: Duration::from_secs(1),
    listens: true,
    refuses: true,
};

#[tokio::test]
async fn a_drain_that_has_begun_goes_on_as_it_does() {
    let lifecycle = Lifecycle::new(TERMS);
    assert!(lifecycle.is_serving());
    let draining = lifecycle.draining();
    lifecycle.drain();
    let begun = lifecycle.phase();
    lifecycle.drain_by(Terms { notice: Duration::ZERO, ..TERMS });
    assert_eq!(lifecycle.phase(), begun);
    assert_eq!(draining.await.map(|drain| drain.terms), Some(TERMS));
}

#[tokio::test]
async fn what_has_stopped_does_not_drain() {
    let lifecycle = Lifecycle::new(TERMS);
    let (draining, stopped) = (lifecycle.draining(), lifecycle.stopped());
    lifecycle.stop();
    lifecycle.drain();
    assert!(lifecycle.is_stopped());
    assert_eq!(draining.await, None);
    stopped.await;
}

/// A server without sockets that drains by these terms, in seconds.
fn server(duration: u64, notice: u64) -> TestServer {
    let mut config = Config::default();
    config.drain.duration = Duration::from_secs(duration);
    config.drain.notice = Duration::from_secs(notice);
    TestServer::of(Server::builder(), config).patience(Duration::from_secs(600))
}

#[tokio::test(start_paused = true)]
async fn each_line_is_closed_at_its_turn_and_the_server_stops_behind_the_last() {
    let server = server(20, 5);
    let mut waiting = Vec::new();
    for _ in 0..100 {
        let mut client = server.client().await;
        waiting.push(tokio::spawn(async move { (client.closed().await, Instant::now()) }));
    }
    let (begun, stopped) = (Instant::now(), server.node().lifecycle.stopped());
    server.drain();
    let mut seconds = [0_u32; 21];
    for each in waiting {
        let ((code, _), at) = each.await.unwrap();
        assert_eq!(code, 1012);
        seconds[usize::try_from((at - begun).as_secs()).unwrap()] += 1;
    }
    // Lines like these know no notice: they go when they would be told.
    assert_eq!(seconds.iter().sum::<u32>(), 100);
    assert!(seconds[..20].iter().all(|count| (4..=6).contains(count)), "{seconds:?}");
    stopped.await;
    assert!(begun.elapsed() <= Duration::from_secs(21), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn where_new_lines_are_let_in_they_have_their_turn_too() {
    let server = server(0, 0);
    let mut first = server.client().await;
    let terms = Terms { listens: false, refuses: false, ..TERMS };
    server.node().lifecycle.drain_by(terms);
    assert_eq!(first.closed().await.0, 1012);
    let mut late = server.client().await;
    assert_eq!(late.closed().await.0, 1012);
    server.node().lifecycle.stopped().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_over_no_time_at_all_is_a_stop() {
    let server = server(0, 0);
    let begun = Instant::now();
    server.drain();
    server.node().lifecycle.stopped().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn connections_are_accepted_until_the_end_unless_another_process_does() {
    for listens in [true, false] {
        let lifecycle = Lifecycle::new(TERMS);
        let closed = lifecycle.closed_to_connections();
        lifecycle.drain_by(Terms { listens, ..TERMS });
        let is_closed = tokio::time::timeout(Duration::from_secs(60), closed).await.is_ok();
        assert_eq!(is_closed, !listens);
        let closed = lifecycle.closed_to_connections();
        lifecycle.stop();
        closed.await;
    }
}
