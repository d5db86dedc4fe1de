//! Pings and deadlines, by a clock that the tests move.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use openline_ws::proto::Expired;
use openline_ws::{Acceptor, Error, Timeouts, WebSocket};
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, masked, reason};
use support::wire::{Peer, Wire};
use support::{is_waiting, poll_once, server, server_with};
use tokio::time::{Instant, sleep, timeout};

const PING_FRAME: (u8, Vec<u8>) = (PING, Vec::new());

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Deadlines far away are rounded up to a quarter of a second, and a pong's deadline begins when the
/// ping was due.
fn assert_seconds(began: Instant, count: u64) {
    let passed = began.elapsed();
    let range = seconds(count)..seconds(count) + Duration::from_millis(600);
    assert!(range.contains(&passed), "{passed:?} instead of {count} s");
}

/// Receives for so long, in which nothing is to come.
async fn receive_nothing_for(ws: &mut WebSocket<Wire>, time: Duration) {
    assert!(timeout(time, ws.recv()).await.is_err());
}

fn is_timeout<T>(result: Result<T, Error>, expected: Expired) -> bool {
    matches!(result, Err(Error::Timeout(expired)) if expired == expected)
}

#[tokio::test(start_paused = true)]
async fn a_ping_leaves_after_25_s_of_quiet() {
    let (mut ws, peer) = server().await;
    receive_nothing_for(&mut ws, Duration::from_millis(24_900)).await;
    assert_eq!(peer.take(), b"");
    receive_nothing_for(&mut ws, Duration::from_millis(600)).await;
    assert_eq!(peer.take_frames(), [PING_FRAME]);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_heard_of_is_not_pinged() {
    let (mut ws, peer) = server().await;
    for _ in 0..10 {
        sleep(seconds(0)).await;
        receive_nothing_for(&mut ws, seconds(20)).await;
        peer.push(&masked(TEXT, "here"));
        assert!(ws.recv().await.unwrap().is_some());
    }
    assert_eq!(peer.take(), b"");
}

#[tokio::test(start_paused = true)]
async fn a_pong_or_any_other_byte_keeps_the_line() {
    for answer in [masked(PONG, ""), masked(PONG, "other"), masked(TEXT & !FIN, ""), vec![0x8a]] {
        let (mut ws, peer) = server().await;
        receive_nothing_for(&mut ws, seconds(26)).await;
        assert_eq!(peer.take_frames(), [PING_FRAME]);
        peer.push(&answer);
        receive_nothing_for(&mut ws, seconds(20)).await;
        assert_eq!(peer.take(), b"");
    }
}

#[tokio::test(start_paused = true)]
async fn pings_go_on_for_as_long_as_they_are_answered() {
    let (mut ws, peer) = server().await;
    for _ in 0..100 {
        receive_nothing_for(&mut ws, seconds(26)).await;
        assert_eq!(peer.take_frames(), [PING_FRAME]);
        peer.push(&masked(PONG, ""));
        assert!(is_waiting(ws.recv()).await);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_pong_in_10_s_recv_fails_and_the_line_is_over() {
    let (mut ws, peer) = server().await;
    let began = Instant::now();
    assert!(is_timeout(ws.recv().await, Expired::Pong));
    assert_seconds(began, 35);
    assert_eq!(peer.take_frames(), [PING_FRAME]);
    assert_eq!(ws.closed().unwrap().reason.code.0, 1006);
    assert_eq!(ws.recv().await.unwrap(), None);
    assert!(matches!(ws.send("x").await, Err(Error::Closed)));
}

#[tokio::test(start_paused = true)]
async fn a_pong_that_came_while_the_handler_was_busy_counts() {
    let (mut ws, peer) = server().await;
    receive_nothing_for(&mut ws, seconds(26)).await;
    peer.push(&masked(PONG, ""));
    sleep(seconds(600)).await;
    assert!(is_waiting(ws.recv()).await);
    assert!(ws.closed().is_none());
}

#[tokio::test(start_paused = true)]
async fn settings_change_both_times_and_none_means_never() {
    let timeouts =
        Timeouts { ping_interval: Some(seconds(3)), pong: Some(seconds(2)), ..Timeouts::default() };
    let (mut ws, _peer) = server_with(&Acceptor::new().timeouts(timeouts), "").await;
    let began = Instant::now();
    assert!(is_timeout(ws.recv().await, Expired::Pong));
    assert_seconds(began, 5);

    let never = Timeouts { ping_interval: None, ..Timeouts::default() };
    let (mut ws, peer) = server_with(&Acceptor::new().timeouts(never), "").await;
    receive_nothing_for(&mut ws, seconds(100_000)).await;
    assert_eq!(peer.take(), b"");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_not_finished_in_60_s_ends_the_line_with_1008() {
    let (mut ws, peer) = server().await;
    peer.push(&masked(TEXT & !FIN, "a"));
    let began = Instant::now();
    let trickle = tokio::spawn({
        let peer = peer.clone();
        async move {
            loop {
                sleep(seconds(5)).await;
                peer.push(&masked(CONTINUATION & !FIN, "b"));
            }
        }
    });
    assert!(is_timeout(ws.recv().await, Expired::Message));
    assert_seconds(began, 60);
    let told = reason(1008, "a message was not finished in time");
    assert_eq!(peer.take_frames(), [(CLOSE, told)]);
    trickle.abort();
}

#[tokio::test(start_paused = true)]
async fn a_head_of_which_one_byte_came_is_a_message_that_is_not_finished() {
    let (mut ws, peer) = server().await;
    peer.push(&[TEXT]);
    let answering = answer_pings(&peer);
    assert!(is_timeout(ws.recv().await, Expired::Message));
    answering.abort();
}

/// Sends the bytes that a pong within a message cannot: nothing but another byte keeps the line.
fn answer_pings(peer: &Peer) -> tokio::task::JoinHandle<()> {
    let peer = peer.clone();
    let rest = masked(TEXT, vec![b'x'; 1000]);
    tokio::spawn(async move {
        for byte in &rest[1..] {
            sleep(seconds(20)).await;
            peer.push(&[*byte]);
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_read_as_a_stream_may_take_any_time() {
    let (mut ws, peer) = server().await;
    peer.push(&masked(BINARY & !FIN, "begin"));
    let trickle = tokio::spawn(async move {
        for _ in 0..50 {
            sleep(seconds(10)).await;
            peer.push(&masked(CONTINUATION & !FIN, "more"));
        }
        peer.push(&masked(CONTINUATION, "end"));
        peer
    });
    let mut long = ws.recv_long().await.unwrap().unwrap();
    let mut length = 0;
    while let Some(chunk) = long.chunk().await.unwrap() {
        length += chunk.len();
    }
    assert_eq!(length, 5 + 50 * 4 + 3);
    trickle.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_for_30_s_ends_the_line() {
    let timeouts = Timeouts { ping_interval: None, ..Timeouts::default() };
    let acceptor = Acceptor::new().timeouts(timeouts);
    let (mut ws, peer) = server_with(&acceptor, "").await;
    peer.set_room(10);
    let began = Instant::now();
    assert!(is_timeout(ws.send(vec![0; 100]).await, Expired::Write));
    assert_seconds(began, 30);
    assert_eq!(ws.recv().await.unwrap(), None);

    let (mut ws, peer) = server_with(&acceptor, "").await;
    peer.set_room(10);
    let began = Instant::now();
    assert!(poll_once(ws.send(vec![0; 100])).await.is_pending());
    assert!(is_timeout(ws.recv().await, Expired::Write), "while receiving as well");
    assert_seconds(began, 30);
}

/// A peer on a slow line takes a large message for minutes, and sends nothing meanwhile. That it
/// takes bytes shows that it lives: the ping that would ask it waits behind the message.
#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_a_large_message_slowly_is_not_taken_for_dead() {
    let (mut ws, peer) = server().await;
    peer.set_room(1000);
    let taking = tokio::spawn(async move {
        for _ in 0..100 {
            sleep(seconds(1)).await;
            peer.set_room(1000);
        }
        peer.lift_room();
        peer
    });
    ws.send(vec![0; 100_000]).await.unwrap();
    let peer = taking.await.unwrap();
    assert_eq!(
        peer.take_frames().first().map(|(first, data)| (*first, data.len())),
        Some((BINARY, 100_000))
    );
}

/// While `send` waits nothing is read, so what the peer sends meanwhile cannot show that it lives.
#[tokio::test(start_paused = true)]
async fn a_peer_that_talks_while_send_waits_is_not_taken_for_dead() {
    let timeouts = Timeouts { write: Some(seconds(300)), ..Timeouts::default() };
    let (mut ws, peer) = server_with(&Acceptor::new().timeouts(timeouts), "").await;
    peer.set_room(0);
    tokio::spawn(async move {
        for _ in 0..100 {
            sleep(seconds(1)).await;
            peer.push(&masked(TEXT, "I am here"));
        }
        peer.lift_room();
    });
    ws.send("waits for 100 s").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_taken_start_the_write_deadline_anew() {
    let timeouts = Timeouts { ping_interval: None, ..Timeouts::default() };
    let (mut ws, peer) = server_with(&Acceptor::new().timeouts(timeouts), "").await;
    peer.set_room(1);
    let began = Instant::now();
    tokio::spawn({
        let peer = peer.clone();
        async move {
            for _ in 0..5 {
                sleep(seconds(20)).await;
                peer.set_room(1);
            }
        }
    });
    assert!(is_timeout(ws.send(vec![0; 100]).await, Expired::Write));
    assert_seconds(began, 130);
}

#[tokio::test(start_paused = true)]
async fn pings_of_the_peer_are_answered_while_recv_waits_for_weeks() {
    let (mut ws, peer) = server().await;
    for i in 0..10_000u32 {
        receive_nothing_for(&mut ws, seconds(20)).await;
        peer.push(&masked(PING, i.to_be_bytes()));
        assert!(is_waiting(ws.recv()).await);
        assert_eq!(peer.take_frames(), [(PONG, i.to_be_bytes().to_vec())]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_dropped_before_its_time_disturbs_no_other() {
    let mut lines = Vec::new();
    for _ in 0..20 {
        let (mut ws, peer) = server().await;
        // A place among the timers that are due in the same quarter of a second.
        assert!(is_waiting(ws.recv()).await);
        lines.push((ws, peer));
    }
    for _ in 0..10 {
        lines.remove(lines.len() / 2);
    }
    let (mut late, _late_peer) = server().await;
    assert!(is_waiting(late.recv()).await);
    drop(late);
    let waits = lines.into_iter().map(|(mut ws, peer)| {
        tokio::spawn(async move {
            let began = Instant::now();
            assert!(is_timeout(ws.recv().await, Expired::Pong));
            assert_seconds(began, 35);
            assert_eq!(peer.take_frames(), [PING_FRAME]);
        })
    });
    for wait in waits.collect::<Vec<_>>() {
        wait.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn many_lines_of_a_thread_each_wake_at_their_time() {
    let mut tasks = Vec::new();
    for i in 1..=300u64 {
        let interval = Duration::from_millis(i * 37);
        let timeouts = Timeouts {
            ping_interval: Some(interval),
            pong: Some(Duration::from_millis(1)),
            ..Timeouts::default()
        };
        let (mut ws, peer) = server_with(&Acceptor::new().timeouts(timeouts), "").await;
        tasks.push(tokio::spawn(async move {
            let began = Instant::now();
            assert!(is_timeout(ws.recv().await, Expired::Pong));
            let late = began.elapsed() - interval;
            assert!(late < Duration::from_millis(270), "line {i} was {late:?} late");
            assert_eq!(peer.take_frames(), [PING_FRAME]);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_earlier_deadline_overtakes_a_later_one() {
    let (mut ws, peer) = server().await;
    assert!(is_waiting(ws.recv()).await);
    let began = Instant::now();
    // The ping was due in 25 s; the close deadline is in 5.
    peer.push(&[]);
    ws.close(1000, "").await.unwrap();
    assert_seconds(began, 5);
}

#[tokio::test(start_paused = true)]
async fn the_task_that_polled_last_is_the_one_that_wakes() {
    let (mut ws, _peer) = server().await;
    assert!(is_waiting(ws.recv()).await);
    let moved = tokio::spawn(async move { is_timeout(ws.recv().await, Expired::Pong) });
    assert!(moved.await.unwrap());
}

#[test]
fn two_runtimes_one_after_another_on_a_thread_each_keep_time() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let first = runtime();
    let (mut ws, peer) = first.block_on(async {
        let (mut ws, peer) = server().await;
        receive_nothing_for(&mut ws, seconds(1)).await;
        (ws, peer)
    });
    // While the first is still there, and after it is gone.
    let second = runtime();
    second.block_on(async {
        let (mut ws, _peer) = server().await;
        assert!(is_timeout(ws.recv().await, Expired::Pong));
    });
    drop(first);
    let third = runtime();
    third.block_on(async {
        assert!(is_timeout(ws.recv().await, Expired::Pong), "a line that changed runtimes");
    });
    assert_eq!(peer.take_frames(), [PING_FRAME]);
    third.block_on(async {
        let (mut ws, _peer) = server().await;
        assert!(is_timeout(ws.recv().await, Expired::Pong));
    });
}

#[test]
fn lines_of_a_runtime_with_many_threads_keep_time() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let timeouts = Timeouts {
            ping_interval: Some(Duration::from_millis(20)),
            pong: Some(Duration::from_millis(20)),
            ..Timeouts::default()
        };
        let acceptor = Acceptor::new().timeouts(timeouts);
        let mut tasks = Vec::new();
        for _ in 0..200 {
            let (mut ws, _peer) = server_with(&acceptor, "").await;
            tasks.push(tokio::spawn(async move { is_timeout(ws.recv().await, Expired::Pong) }));
        }
        for task in tasks {
            assert!(task.await.unwrap());
        }
    });
}
