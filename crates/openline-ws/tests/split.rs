//! A line in two: many senders, one reader, a bounded queue between.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use openline_ws::proto::Expired;
use openline_ws::{
    Acceptor, CloseReason, DeflateOptions, Error, Prepared, QueueOptions, QueueStats, Reader,
    Sender, SlowConsumer, TrySendError,
};
use support::frames::{self, BINARY, CLOSE, Frame, PING, PONG, RSV1, TEXT, masked, reason};
use support::wire::{Peer, Wire};
use support::{is_waiting, poll_once, server, server_with, settle};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

type Received = JoinHandle<Result<Vec<String>, Error>>;

async fn halves(options: QueueOptions) -> (Reader<Wire>, Sender, Peer) {
    let (ws, peer) = server().await;
    let (reader, sender) = ws.split_with(options);
    (reader, sender, peer)
}

/// A line whose reader waits in a task of its own.
async fn running(options: QueueOptions) -> (Received, Sender, Peer) {
    let (reader, sender, peer) = halves(options).await;
    let received = tokio::spawn(receive_all(reader));
    settle().await;
    (received, sender, peer)
}

async fn receive_all(mut reader: Reader<Wire>) -> Result<Vec<String>, Error> {
    let mut received = Vec::new();
    while let Some(message) = reader.recv().await? {
        received.push(message.as_text().unwrap().to_owned());
    }
    Ok(received)
}

fn queue(bytes_max: usize, slow_consumer: SlowConsumer) -> QueueOptions {
    QueueOptions { bytes_max, slow_consumer }
}

fn texts(frames: &[Frame]) -> Vec<&str> {
    let of_text = frames.iter().filter(|(first, _)| *first == TEXT);
    of_text.map(|(_, payload)| std::str::from_utf8(payload).unwrap()).collect()
}

fn dropped(count: u64) -> QueueStats {
    QueueStats { dropped: count, conflated: 0 }
}

// Writing.

#[tokio::test]
async fn what_is_queued_in_one_turn_leaves_in_one_write() {
    let (_received, sender, peer) = running(QueueOptions::default()).await;
    for turn in 1..=3 {
        for i in 0..100 {
            sender.try_send(format!("{i}")).unwrap();
        }
        assert_eq!(peer.take(), b"", "nothing leaves before the turn is over");
        settle().await;
        assert_eq!(peer.counts().1, turn);
        assert_eq!(peer.take_frames().len(), 100);
    }
}

#[tokio::test]
async fn what_many_tasks_queue_in_one_turn_leaves_in_one_write_for_each_line() {
    let mut lines = Vec::new();
    for _ in 0..10 {
        lines.push(running(QueueOptions::default()).await);
    }
    let tasks: Vec<_> = (0..20)
        .map(|i| {
            let senders: Vec<Sender> = lines.iter().map(|line| line.1.clone()).collect();
            tokio::spawn(async move {
                for sender in senders {
                    sender.send(format!("from {i}")).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    settle().await;
    for (_, _, peer) in &lines {
        assert_eq!(peer.counts().1, 1);
        assert_eq!(peer.take_frames().len(), 20);
    }
}

#[tokio::test]
async fn a_sender_writes_by_itself_while_the_readers_task_is_busy() {
    let (mut reader, sender, peer) = halves(QueueOptions::default()).await;
    sender.try_send("before the first receive").unwrap();
    assert_eq!(peer.take_frames().len(), 1);
    peer.push(&masked(TEXT, "work"));
    reader.recv().await.unwrap();
    sender.try_send("while the message is handled").unwrap();
    assert_eq!(peer.take_frames().len(), 1);
}

/// A `select!` in the reader's task drops the receive, and then the task is busy with something
/// else.
#[tokio::test]
async fn a_sender_writes_by_itself_after_a_receive_was_dropped() {
    let (mut reader, sender, peer) = halves(QueueOptions::default()).await;
    assert!(poll_once(reader.recv()).await.is_pending());
    sender.try_send("one").unwrap();
    assert_eq!(texts(&peer.take_frames()), ["one"]);

    // And what was queued while it still waited.
    let mut receive = Box::pin(reader.recv());
    assert!(poll_once(receive.as_mut()).await.is_pending());
    sender.try_send("two").unwrap();
    assert_eq!(peer.take(), b"");
    drop(receive);
    assert_eq!(texts(&peer.take_frames()), ["two"]);
}

#[tokio::test]
async fn answers_to_a_burst_are_corked_in_the_readers_own_task() {
    let (mut reader, sender, peer) = halves(QueueOptions::default()).await;
    peer.push(&masked(TEXT, "m").repeat(32));
    let echo = async {
        while let Some(message) = reader.recv().await.unwrap() {
            sender.send(message).await.unwrap();
        }
    };
    assert!(is_waiting(echo).await);
    assert_eq!(peer.counts(), (1, 1));
    assert_eq!(peer.take_frames().len(), 32);
}

#[tokio::test]
async fn senders_in_other_threads_each_keep_their_order() {
    let (received, sender, peer) = running(QueueOptions::default()).await;
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for i in 0..500 {
                    sender.try_send(format!("{thread} {i}")).unwrap();
                }
            })
        })
        .collect();
    tokio::task::spawn_blocking(|| threads.into_iter().for_each(|thread| thread.join().unwrap()))
        .await
        .unwrap();
    sender.flush().await.unwrap();
    let frames = peer.take_frames();
    assert_eq!(frames.len(), 2000);
    for thread in 0..4 {
        let prefix = format!("{thread} ");
        let order: Vec<usize> = texts(&frames)
            .iter()
            .filter_map(|text| text.strip_prefix(&prefix))
            .map(|i| i.parse().unwrap())
            .collect();
        assert!(order.into_iter().eq(0..500));
    }
    peer.end();
    assert!(received.await.unwrap().unwrap().is_empty());
}

#[tokio::test]
async fn the_reader_receives_while_senders_send_and_answers_pings() {
    let (received, sender, peer) = running(QueueOptions::default()).await;
    peer.push(&[masked(TEXT, "in"), masked(PING, "p")].concat());
    sender.send("out").await.unwrap();
    settle().await;
    assert_eq!(peer.take_frames(), [(TEXT, b"out".to_vec()), (PONG, b"p".to_vec())]);
    peer.push(&masked(CLOSE, reason(1000, "")));
    assert_eq!(received.await.unwrap().unwrap(), ["in"]);
}

// Waiting.

#[tokio::test]
async fn send_waits_while_the_queue_is_full_and_goes_on_when_the_peer_reads() {
    let (_received, sender, peer) = running(queue(100_000, SlowConsumer::Refuse)).await;
    peer.set_room(0);
    let sending = tokio::spawn({
        let sender = sender.clone();
        async move {
            for i in 0..100u8 {
                sender.send(vec![i; 10_000]).await.unwrap();
            }
        }
    });
    settle().await;
    assert!(!sending.is_finished());
    assert!(sender.queued_bytes() <= 100_000, "{}", sender.queued_bytes());
    peer.lift_room();
    sending.await.unwrap();
    sender.flush().await.unwrap();
    let frames = peer.take_frames();
    assert!(frames.iter().map(|(_, payload)| payload[0]).eq(0..100));
    assert_eq!(sender.stats(), QueueStats::default());
}

/// The plainest use of the two halves: the reader's task answers through the sender. While it waits
/// for room nobody receives, so nobody else would write.
#[tokio::test]
async fn the_readers_own_task_may_wait_in_send() {
    let (mut reader, sender, peer) = halves(queue(1000, SlowConsumer::Refuse)).await;
    let echo = tokio::spawn(async move {
        while let Some(message) = reader.recv().await.unwrap() {
            sender.send(message).await.unwrap();
        }
    });
    peer.set_room(0);
    for i in 0..100 {
        peer.push(&masked(TEXT, format!("{i:0100}")));
        settle().await;
    }
    peer.lift_room();
    settle().await;
    peer.push(&masked(CLOSE, ""));
    echo.await.unwrap();
    let frames = peer.take_frames();
    let numbers = texts(&frames).into_iter().map(|text| text.parse::<usize>().unwrap());
    assert!(numbers.eq(0..100));
}

#[tokio::test]
async fn the_readers_own_task_may_wait_in_flush_in_the_middle_of_a_burst() {
    let (mut reader, sender, peer) = halves(QueueOptions::default()).await;
    peer.push(&masked(TEXT, "m").repeat(2));
    let message = reader.recv().await.unwrap().unwrap();
    sender.send(message).await.unwrap();
    assert_eq!(peer.take(), b"");
    sender.flush().await.unwrap();
    assert_eq!(peer.take_frames().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn deadlines_are_watched_while_the_readers_own_task_waits_in_send() {
    let (mut reader, sender, peer) = halves(queue(1000, SlowConsumer::Refuse)).await;
    peer.set_room(0);
    peer.push(&masked(TEXT, "m"));
    reader.recv().await.unwrap();
    sender.send(vec![0; 900]).await.unwrap();
    let error = sender.send(vec![0; 900]).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(Expired::Write)), "{error:?}");
    assert_eq!(reader.recv().await.unwrap(), None);
}

#[tokio::test]
async fn of_many_that_wait_none_is_forgotten_when_some_give_up() {
    let (_reader, sender, peer) = halves(queue(1000, SlowConsumer::Refuse)).await;
    peer.set_room(0);
    sender.send(vec![0; 900]).await.unwrap();
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let sender = sender.clone();
            tokio::spawn(async move { sender.send(vec![1; 900]).await.unwrap() })
        })
        .collect();
    settle().await;
    for task in waiting.iter().rev().step_by(2) {
        task.abort();
    }
    peer.lift_room();
    for (i, task) in waiting.into_iter().enumerate() {
        assert_eq!(task.await.is_ok(), i % 2 == 0);
    }
    sender.flush().await.unwrap();
    assert_eq!(peer.take_frames().len(), 6);
}

#[tokio::test]
async fn a_dropped_send_has_queued_its_message_or_not_at_all() {
    let (_received, sender, peer) = running(queue(1000, SlowConsumer::Refuse)).await;
    peer.set_room(0);
    assert!(poll_once(sender.send(vec![1; 900])).await.is_ready());
    assert!(poll_once(sender.send(vec![2; 900])).await.is_pending());
    peer.lift_room();
    sender.flush().await.unwrap();
    assert_eq!(peer.take_frames(), [(BINARY, vec![1; 900])]);
}

#[tokio::test]
async fn flush_waits_until_all_is_written() {
    let (_received, sender, peer) = running(QueueOptions::default()).await;
    sender.flush().await.unwrap();
    peer.set_room(5);
    sender.try_send("longer than that").unwrap();
    assert!(is_waiting(sender.flush()).await);
    peer.lift_room();
    sender.flush().await.unwrap();
    assert_eq!(sender.queued_bytes(), 0);
    assert_eq!(peer.take_frames().len(), 1);
    sender.ping(b"alone").unwrap();
    sender.flush().await.unwrap();
    assert_eq!(peer.take_frames(), [(PING, b"alone".to_vec())]);
}

// Policies.

#[tokio::test]
async fn refuse_refuses_what_does_not_fit_and_takes_it_later() {
    let (_received, sender, peer) = running(QueueOptions::default()).await;
    peer.set_room(0);
    let mut taken = 0;
    while sender.try_send(vec![0; 10_000]).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, 104, "1 MiB by default");
    assert!(matches!(sender.try_send("x".repeat(10_000)), Err(TrySendError::Full)));
    peer.lift_room();
    sender.flush().await.unwrap();
    sender.try_send("later").unwrap();
    settle().await;
    assert_eq!(peer.take_frames().len(), 105);
    assert_eq!(sender.stats(), QueueStats::default());
}

#[tokio::test]
async fn a_message_larger_than_the_queue_passes_when_it_is_alone() {
    let (_received, sender, peer) = running(queue(1000, SlowConsumer::Refuse)).await;
    sender.try_send(vec![0; 5000]).unwrap();
    assert!(matches!(sender.try_send(vec![0; 5000]), Err(TrySendError::Full)));
    settle().await;
    assert_eq!(peer.take_frames().len(), 1);
}

#[tokio::test]
async fn empty_messages_are_bounded_as_well() {
    let (_received, sender, peer) = running(queue(100_000, SlowConsumer::Refuse)).await;
    peer.set_room(0);
    let taken = (0..100_000).take_while(|_| sender.try_send("").is_ok()).count();
    assert!(taken < 50_000, "{taken}");
    peer.lift_room();
    sender.flush().await.unwrap();
    assert_eq!(peer.take_frames().len(), taken);
}

#[tokio::test(start_paused = true)]
async fn close_drops_what_waits_and_closes_with_the_reason() {
    let options = queue(1000, SlowConsumer::Close(CloseReason::new(4006, "slow consumer")));
    let (received, sender, peer) = running(options).await;
    sender.try_send("begun").unwrap();
    peer.set_room(3);
    settle().await;
    for _ in 0..3 {
        sender.try_send(vec![0; 300]).unwrap();
    }
    assert!(matches!(sender.try_send(vec![0; 300]), Err(TrySendError::Closed)));
    assert!(matches!(sender.try_send("x"), Err(TrySendError::Closed)));
    assert!(sender.stats().dropped > 0);
    peer.lift_room();
    settle().await;
    let frames = peer.take_frames();
    assert_eq!(frames.first(), Some(&(TEXT, b"begun".to_vec())));
    assert_eq!(frames.last(), Some(&(CLOSE, reason(4006, "slow consumer"))));
    assert!(frames.len() < 2 + 3, "none of what waited was dropped");
    peer.push(&masked(CLOSE, reason(4006, "")));
    assert!(received.await.unwrap().unwrap().is_empty());
    assert_eq!(sender.closed().await.reason.code.0, 4006);
}

#[tokio::test(start_paused = true)]
async fn abort_drops_what_waits_whatever_the_policy() {
    let (received, sender, peer) = running(queue(100_000, SlowConsumer::Refuse)).await;
    sender.try_send("begun").unwrap();
    peer.set_room(3);
    settle().await;
    while sender.try_send(vec![0; 30_000]).is_ok() {}
    let before = sender.queued_bytes();
    assert!(before > 60_000);
    assert!(matches!(sender.abort(1006, ""), Err(Error::Misuse(_))), "it may not be sent");
    sender.abort(4006, "slow consumer").unwrap();
    assert!(sender.queued_bytes() <= before / 2, "{}", sender.queued_bytes());
    assert!(matches!(sender.try_send("x"), Err(TrySendError::Closed)));
    peer.lift_room();
    settle().await;
    let frames = peer.take_frames();
    assert_eq!(frames.first(), Some(&(TEXT, b"begun".to_vec())));
    assert_eq!(frames.last(), Some(&(CLOSE, reason(4006, "slow consumer"))));
    peer.push(&masked(CLOSE, reason(4006, "")));
    assert!(received.await.unwrap().unwrap().is_empty());
    sender.abort(4006, "again").unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_several_counts_for_the_last_who_holds_it() {
    let options = || queue(100_000, SlowConsumer::Refuse);
    let (_ann, ann, ann_peer) = running(options()).await;
    let (_ben, ben, ben_peer) = running(options()).await;
    for peer in [&ann_peer, &ben_peer] {
        peer.set_room(0);
    }
    // Small ones are copied, larger ones are shared, and later ones wait as they came.
    for bytes in [100, 20_000, 20_000] {
        let message = Prepared::binary(vec![0; bytes]);
        ann.try_send_prepared(&message).unwrap();
        ben.try_send_prepared(&message).unwrap();
        settle().await;
    }
    assert!(ann.queued_bytes() > 40_000, "{}", ann.queued_bytes());
    assert!((100..1_000).contains(&ann.own_bytes()), "{}", ann.own_bytes());
    assert!(ann.is_open());
    ann.abort(4006, "slow consumer").unwrap();
    assert!(!ann.is_open());
    assert!(ben.own_bytes() > 20_000, "{}", ben.own_bytes());
}

#[tokio::test(start_paused = true)]
async fn close_ends_the_line_of_a_peer_that_never_reads_again() {
    let options = queue(1000, SlowConsumer::Close(CloseReason::new(4006, "slow consumer")));
    let (received, sender, peer) = running(options).await;
    peer.set_room(0);
    while sender.try_send(vec![0; 300]).is_ok() {}
    let closed = timeout(Duration::from_secs(6), sender.closed()).await.unwrap();
    assert_eq!((closed.reason.code.0, closed.clean), (1006, false));
    received.await.unwrap().unwrap();
    assert!(peer.is_dropped());
}

/// Queues `1` to `9`, with a hundred bytes each, into a queue that holds five of them.
async fn nine_into_five(slow_consumer: SlowConsumer) -> (Sender, Peer) {
    let (_received, sender, peer) = running(queue(600, slow_consumer)).await;
    peer.set_room(0);
    for i in 1..=9 {
        sender.try_send(format!("{i}{}", " ".repeat(99))).unwrap();
        settle().await;
    }
    (sender, peer)
}

async fn delivered(sender: &Sender, peer: &Peer) -> Vec<String> {
    peer.lift_room();
    sender.flush().await.unwrap();
    texts(&peer.take_frames()).into_iter().map(|text| text.trim().to_owned()).collect()
}

#[tokio::test]
async fn drop_newest_keeps_what_waits() {
    let (sender, peer) = nine_into_five(SlowConsumer::DropNewest).await;
    assert_eq!(sender.stats(), dropped(4));
    assert_eq!(delivered(&sender, &peer).await, ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn drop_oldest_keeps_the_newest_behind_what_is_encoded_already() {
    let (sender, peer) = nine_into_five(SlowConsumer::DropOldest).await;
    assert_eq!(sender.stats(), dropped(4));
    let delivered = delivered(&sender, &peer).await;
    assert_eq!(delivered.len(), 5);
    assert_eq!(delivered[3..], ["8", "9"], "{delivered:?}");
}

#[tokio::test]
async fn drop_oldest_keeps_the_newest_of_a_large_queue() {
    let (_received, sender, peer) = running(queue(1 << 20, SlowConsumer::DropOldest)).await;
    peer.set_room(0);
    for i in 0..1000 {
        sender.try_send(format!("{i:04000}")).unwrap();
    }
    let most_dropped = sender.stats().dropped;
    assert!((730..760).contains(&most_dropped), "{most_dropped}");
    let delivered = delivered(&sender, &peer).await;
    assert_eq!(delivered.len() as u64, 1000 - most_dropped);
    let newest = delivered[delivered.len() - 200..].iter().map(|t| t.parse::<usize>().unwrap());
    assert!(newest.eq(800..1000));
}

#[tokio::test]
async fn conflate_keeps_the_latest_of_each_key_in_its_place() {
    let (_received, sender, peer) = running(queue(600, SlowConsumer::Conflate)).await;
    peer.set_room(0);
    let price = |key: u64, i: usize| format!("{key}={i}{}", " ".repeat(97));
    // The queue fills with one message of each of five keys; the first of them are encoded.
    for key in 1..=5 {
        sender.try_send_keyed(key, price(key, 0)).unwrap();
        settle().await;
    }
    for i in 1..=9 {
        for key in [4, 5] {
            sender.try_send_keyed(key, price(key, i)).unwrap();
        }
    }
    assert_eq!(sender.stats(), QueueStats { dropped: 0, conflated: 18 });
    assert_eq!(delivered(&sender, &peer).await, ["1=0", "2=0", "3=0", "4=9", "5=9"]);
}

#[tokio::test]
async fn conflate_drops_the_oldest_for_a_message_without_a_key_that_waits() {
    let (sender, peer) = nine_into_five(SlowConsumer::Conflate).await;
    assert_eq!(sender.stats(), dropped(4));
    assert_eq!(delivered(&sender, &peer).await[3..], ["8", "9"]);
}

#[tokio::test]
async fn a_conflated_message_that_grew_stays_within_the_bound() {
    let (_received, sender, peer) = running(queue(600, SlowConsumer::Conflate)).await;
    peer.set_room(0);
    for key in 1..=5 {
        sender.try_send_keyed(key, "x".repeat(100)).unwrap();
    }
    for len in [150, 200, 250, 100_000] {
        sender.try_send_keyed(5, "y".repeat(len)).unwrap();
        assert!(sender.queued_bytes() <= 600, "{}", sender.queued_bytes());
    }
}

// Control frames.

#[tokio::test]
async fn pings_and_pongs_get_out_while_the_queue_is_full() {
    let (_received, sender, peer) = running(queue(100_000, SlowConsumer::Refuse)).await;
    peer.set_room(0);
    while sender.try_send(vec![0; 1000]).is_ok() {}
    settle().await;
    sender.ping(b"ours").unwrap();
    peer.push(&masked(PING, "theirs"));
    settle().await;
    // Together two thirds of what waits.
    for _ in 0..2 {
        peer.set_room(30_000);
        settle().await;
    }
    let bytes = peer.take();
    let (frames, _) = frames::read_whole(&bytes);
    assert!(frames.contains(&(PONG, b"theirs".to_vec())));
    assert!(frames.contains(&(PING, b"ours".to_vec())));
}

#[tokio::test]
async fn a_ping_with_a_long_payload_is_misuse() {
    let (_received, sender, _peer) = running(QueueOptions::default()).await;
    assert!(matches!(sender.ping(&[0; 126]), Err(Error::Misuse(_))));
    sender.try_send("the line is unharmed").unwrap();
}

// The end.

#[tokio::test]
async fn close_delivers_what_is_queued_first() {
    let (received, sender, peer) = running(queue(1 << 20, SlowConsumer::Refuse)).await;
    peer.set_room(0);
    for i in 0..100 {
        sender.try_send(format!("{i:05000}")).unwrap();
    }
    sender.close(1000, "done").unwrap();
    assert!(matches!(sender.try_send("late"), Err(TrySendError::Closed)));
    peer.lift_room();
    peer.push(&[masked(TEXT, "crossed"), masked(CLOSE, reason(1000, ""))].concat());
    assert_eq!(received.await.unwrap().unwrap(), ["crossed"]);
    let frames = peer.take_frames();
    assert_eq!(texts(&frames).len(), 100);
    assert_eq!(frames.last(), Some(&(CLOSE, reason(1000, "done"))));
    assert!(sender.closed().await.clean);
}

#[tokio::test]
async fn close_with_a_code_that_may_not_be_sent_is_misuse() {
    let (_received, sender, _peer) = running(QueueOptions::default()).await;
    assert!(matches!(sender.close(1006, ""), Err(Error::Misuse(_))));
    sender.try_send("the line is unharmed").unwrap();
}

#[tokio::test]
async fn closed_waits_for_the_end_and_tells_how_it_came() {
    let (received, sender, peer) = running(QueueOptions::default()).await;
    assert!(is_waiting(sender.closed()).await);
    let watching = tokio::spawn({
        let sender = sender.clone();
        async move { sender.closed().await }
    });
    settle().await;
    peer.push(&masked(CLOSE, reason(1001, "away")));
    let closed = watching.await.unwrap();
    assert_eq!((closed.reason, closed.clean), (CloseReason::new(1001, "away"), true));
    received.await.unwrap().unwrap();
    assert!(matches!(sender.send("late").await, Err(Error::Closed)));
    assert!(matches!(sender.try_send("late"), Err(TrySendError::Closed)));
}

#[tokio::test]
async fn a_reader_that_is_dropped_ends_the_line_and_lets_go_of_the_transport() {
    let (reader, sender, peer) = halves(QueueOptions::default()).await;
    let watching = tokio::spawn({
        let sender = sender.clone();
        async move { sender.closed().await }
    });
    settle().await;
    drop(reader);
    assert!(peer.is_dropped(), "though a sender is still there");
    assert_eq!(watching.await.unwrap().reason.code.0, 1006);
    assert!(matches!(sender.send("x").await, Err(Error::Closed)));
    assert!(matches!(sender.try_send("x"), Err(TrySendError::Closed)));
    assert!(matches!(sender.ping(b""), Err(Error::Closed)));
    assert!(matches!(sender.flush().await, Err(Error::Closed)));
    assert_eq!(sender.queued_bytes(), 0);
    sender.close(1000, "").unwrap();
}

#[tokio::test]
async fn a_reader_that_is_dropped_fails_those_who_wait() {
    let (reader, sender, peer) = halves(queue(100, SlowConsumer::Refuse)).await;
    peer.set_room(0);
    sender.try_send(vec![0; 50]).unwrap();
    let waiting = [
        tokio::spawn({
            let sender = sender.clone();
            async move { sender.send(vec![0; 90]).await }
        }),
        tokio::spawn({
            let sender = sender.clone();
            async move { sender.flush().await }
        }),
    ];
    settle().await;
    drop(reader);
    for task in waiting {
        assert!(matches!(task.await.unwrap(), Err(Error::Closed)));
    }
}

#[tokio::test]
async fn the_peers_end_fails_those_who_wait() {
    let (received, sender, peer) = running(queue(100, SlowConsumer::Refuse)).await;
    peer.set_room(0);
    sender.try_send(vec![0; 50]).unwrap();
    let waiting = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send(vec![0; 90]).await }
    });
    settle().await;
    peer.end();
    assert!(matches!(waiting.await.unwrap(), Err(Error::Closed)));
    received.await.unwrap().unwrap();
}

#[tokio::test]
async fn senders_that_are_dropped_leave_the_reader_alone() {
    let (mut reader, sender, peer) = halves(QueueOptions::default()).await;
    drop(sender);
    peer.push(&masked(TEXT, "still"));
    assert_eq!(reader.recv().await.unwrap(), Some("still".into()));
    assert!(reader.closed().is_none());
    peer.push(&masked(CLOSE, ""));
    assert_eq!(reader.recv().await.unwrap(), None);
    assert!(reader.closed().unwrap().clean);
}

#[tokio::test(start_paused = true)]
async fn keepalive_goes_on_in_both_halves() {
    let (received, sender, peer) = running(QueueOptions::default()).await;
    sleep(Duration::from_secs(26)).await;
    assert_eq!(peer.take_frames(), [(PING, Vec::new())]);
    sleep(Duration::from_secs(11)).await;
    assert!(matches!(received.await.unwrap(), Err(Error::Timeout(Expired::Pong))));
    assert_eq!(sender.closed().await.reason.code.0, 1006);
}

// Prepared messages.

#[tokio::test]
async fn a_prepared_message_is_the_same_bytes_on_every_line_of_its_kind() {
    let acceptor = Acceptor::new().deflate(DeflateOptions { threshold: 0, ..Default::default() });
    let offers = [
        "",
        "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n",
    ];
    let message = Prepared::text("to all, ".repeat(100));
    for (i, offer) in offers.into_iter().enumerate() {
        let mut frames = Vec::new();
        for _ in 0..3 {
            let (ws, peer) = server_with(&acceptor, offer).await;
            let (_reader, sender) = ws.split();
            sender.try_send_prepared(&message).unwrap();
            sender.send_prepared(&message).await.unwrap();
            sender.flush().await.unwrap();
            let [first, second] = peer.take_frames().try_into().unwrap();
            assert_eq!(first, second);
            frames.push(first);
        }
        assert!(frames.windows(2).all(|pair| pair[0] == pair[1]));
        let (first, payload) = &frames[0];
        assert_eq!(*first, if i == 0 { TEXT } else { TEXT | RSV1 });
        assert_eq!(payload.len() == 800, i == 0);
    }
}

/// What is written of a prepared message is the message's own memory: encoded once, shared by all.
#[tokio::test]
async fn a_large_prepared_message_is_queued_on_many_lines_without_a_copy() {
    let message = Prepared::binary(vec![7; 1 << 20]);
    let mut lines = Vec::new();
    for _ in 0..200 {
        let (reader, sender, peer) = halves(queue(2 << 20, SlowConsumer::Refuse)).await;
        peer.set_room(0);
        sender.try_send_prepared(&message).unwrap();
        lines.push((reader, sender, peer));
    }
    let resident = resident_bytes();
    assert!(resident < 100 << 20, "{resident} bytes for 200 lines with 1 MiB each");
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok()).unwrap_or(0) * 1024
}
