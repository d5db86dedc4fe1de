//! Messages both ways over lines that are cut again and again: none is lost, none comes twice, and
//! they come in order.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openline_client::{ChannelEvent, Client, Overflow, Queue, Subscription};
use openline_server::Config;
use support::{Scissors, TestServer};

/// How many publishes of one client are under way at the same time.
const WINDOW: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_disordered_over_20_cuts() {
    run(20, 4_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: part of `make long`"]
async fn nothing_is_lost_doubled_or_disordered_over_1000_cuts_and_100000_messages_each_way() {
    run(1_000, 100_000).await;
}

/// Each of two clients publishes to the other, and both lose their lines.
async fn run(cuts: u32, messages: u64) {
    let mut config = Config::default();
    config.namespace.default.history_size = 1_000_000;
    let server = TestServer::with_config(config);
    let queue = Queue::bounded(1000).overflow(Overflow::Wait).ttl(Duration::from_secs(240));
    let (builder, first_scissors) = server.client();
    let first = builder.queue(queue.clone()).build().unwrap();
    let (builder, second_scissors) = server.client();
    let second = builder.queue(queue).build().unwrap();
    first.connect().await.unwrap();
    second.connect().await.unwrap();
    let to_first = first.channel("to-first").subscribe().await.unwrap();
    let to_second = second.channel("to-second").subscribe().await.unwrap();
    let progress = Arc::new(AtomicU64::new(0));
    let work = async {
        tokio::join!(
            read(to_first, messages, &progress),
            read(to_second, messages, &progress),
            write(&first, "to-second", messages),
            write(&second, "to-first", messages),
        )
    };
    let every = 2 * messages / u64::from(cuts);
    let ends = [(first_scissors, first.clone()), (second_scissors, second.clone())];
    let done = tokio::spawn(cut(cuts, every, progress.clone(), ends));
    let (first_gaps, second_gaps, (), ()) = work.await;
    let made = done.await.unwrap();
    assert_eq!((first_gaps, second_gaps), (0, 0));
    assert_eq!(made, cuts);
}

/// Reads the numbers from 0 on, each once and in order. Returns how many gaps were told.
async fn read(mut subscription: Subscription, messages: u64, progress: &AtomicU64) -> u32 {
    let (mut next, mut gaps) = (0, 0);
    while next < messages {
        match subscription.next().await {
            Some(ChannelEvent::Publication(publication)) => {
                assert_eq!(publication.json::<u64>().unwrap(), next);
                next += 1;
                progress.fetch_add(1, Ordering::Relaxed);
            }
            Some(ChannelEvent::Gap { .. }) => gaps += 1,
            Some(_) => {}
            None => panic!("the subscription is over at {next}"),
        }
    }
    gaps
}

/// Publishes the numbers, a few at a time.
async fn write(client: &Client, channel: &str, messages: u64) {
    let mut under_way = std::collections::VecDeque::new();
    for number in 0..messages {
        if under_way.len() == WINDOW {
            settle(under_way.pop_front().unwrap()).await;
        }
        // Spawned in order on one task's behalf would not be sent in order: the first poll sends.
        let mut publish = Box::pin(client.publish(channel, &number).into_future());
        let early =
            std::future::poll_fn(|cx| std::task::Poll::Ready(publish.as_mut().poll(cx))).await;
        match early {
            std::task::Poll::Ready(published) => drop(published.unwrap()),
            std::task::Poll::Pending => under_way.push_back(publish),
        }
    }
    for publish in under_way {
        settle(publish).await;
    }
}

async fn settle(publish: <openline_client::Publish as IntoFuture>::IntoFuture) {
    publish.await.unwrap();
}

/// Cuts one line after the other, evenly over all that is read.
async fn cut(cuts: u32, every: u64, read: Arc<AtomicU64>, ends: [(Scissors, Client); 2]) -> u32 {
    for number in 0..cuts {
        let (scissors, client) = &ends[number as usize % 2];
        while read.load(Ordering::Relaxed) < u64::from(number) * every {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut status = client.status();
        status.wait_for(|status| status.is_online()).await.unwrap();
        scissors.cut();
        status.wait_for(|status| !status.is_online()).await.unwrap();
    }
    cuts
}
