//! Events posted to real servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::RETRY_AFTER;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Event, Kind, Options, Secret, Webhooks};
use crate::outbound::backend::{Backend, Seen, redirect, reply, until};

fn options(url: String) -> Options {
    Options {
        inform_url: Some(url),
        kinds: Kind::ALL[4..].to_vec(),
        secrets: vec![Secret::new("a secret of many bytes").unwrap()],
        vacated_delay: Duration::from_millis(50),
        ..Options::default()
    }
}

/// Webhooks with their sender, and what ends it.
struct Running {
    webhooks: Arc<Webhooks>,
    stop: oneshot::Sender<()>,
    sender: JoinHandle<()>,
}

impl Running {
    fn start(options: Options) -> Self {
        let webhooks = Arc::new(Webhooks::new(options).unwrap());
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let sender = tokio::spawn(webhooks.clone().run(shutdown));
        Self { webhooks, stop, sender }
    }

    fn gone(&self, clients: std::ops::Range<usize>) {
        for client in clients {
            self.webhooks.inform(Event::client_gone(client.to_string(), None, "1000"));
        }
    }

    async fn stop(self) -> Arc<Webhooks> {
        self.stop.send(()).unwrap();
        self.sender.await.unwrap();
        self.webhooks
    }
}

/// A field of each event in the posts.
fn fields(seen: &[Seen], name: &str) -> Vec<String> {
    let batches = seen.iter().map(Seen::json);
    batches
        .flat_map(|batch| batch["events"].as_array().unwrap().clone())
        .map(|event| event[name].as_str().unwrap().to_owned())
        .collect()
}

fn sizes(seen: &[Seen]) -> Vec<usize> {
    seen.iter().map(|seen| seen.json()["events"].as_array().unwrap().len()).collect()
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn events_come_in_order_in_batches_of_a_hundred() {
    let backend = Backend::always(204, "").await;
    let running = Running::start(options(backend.url("/")));
    running.gone(0..250);
    let seen = backend.wait_for(3).await;
    assert_eq!(sizes(&seen), [100, 100, 50]);
    assert_eq!(fields(&seen, "client"), numbers(0..250));
    assert_eq!(fields(&seen, "id").into_iter().collect::<HashSet<_>>().len(), 250);
    for seen in &seen {
        assert_eq!(seen.header("openline-event-id"), seen.json()["id"]);
        assert!(seen.header("openline-signature").starts_with("t="));
    }
    let webhooks = running.stop().await;
    let counters = webhooks.counters();
    assert_eq!((counters.delivered, counters.attempts, counters.queued), (250, 3, 0));
}

#[tokio::test]
async fn a_sender_with_nothing_to_do_wakes_for_an_event() {
    let backend = Backend::always(200, "").await;
    let running = Running::start(options(backend.url("/")));
    for turn in 0..3 {
        running.gone(turn..turn + 1);
        backend.wait_for(turn + 1).await;
        until(|| running.webhooks.counters().delivered > turn as u64).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn a_batch_that_failed_comes_again_before_the_next() {
    let backend = Backend::start(|number, _| async move {
        match number {
            0 => reply(503, ""),
            1 => {
                let mut response = reply(429, "");
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("0"));
                response
            }
            _ => reply(200, "ok"),
        }
    })
    .await;
    let running = Running::start(options(backend.url("/")));
    running.gone(0..100);
    backend.wait_for(1).await;
    running.gone(100..150);
    let seen = backend.wait_for(4).await;
    assert_eq!(seen[0].body, seen[1].body);
    assert_eq!(seen[0].body, seen[2].body);
    assert_eq!(seen[0].header("openline-event-id"), seen[2].header("openline-event-id"));
    assert_eq!(fields(&seen[2..], "client"), numbers(0..150));
    let webhooks = running.stop().await;
    let counters = webhooks.counters();
    assert_eq!((counters.delivered, counters.attempts, counters.retries), (150, 4, 2));
    assert_eq!(counters.dropped_failed, 0);
}

#[tokio::test]
async fn what_the_backend_refuses_is_not_sent_again() {
    for status in [400, 401, 404, 422] {
        let backend = Backend::start(move |number, _| async move {
            if number == 0 { reply(status, "") } else { reply(200, "") }
        })
        .await;
        let running = Running::start(options(backend.url("/")));
        running.gone(0..100);
        backend.wait_for(1).await;
        running.gone(100..200);
        let seen = backend.wait_for(2).await;
        assert_eq!(fields(&seen[1..], "client"), numbers(100..200), "{status}");
        let counters = running.stop().await.counters();
        assert_eq!((counters.dropped_failed, counters.delivered), (100, 100), "{status}");
        assert_eq!(counters.retries, 0, "{status}");
    }
}

#[tokio::test]
async fn a_redirect_is_neither_followed_nor_tried_again() {
    let aim = Backend::always(200, "").await;
    let to = aim.url("/");
    let backend = Backend::start(move |number, _| {
        let to = if number == 0 { "http://169.254.169.254/".to_owned() } else { to.clone() };
        async move { redirect(308, &to) }
    })
    .await;
    let running = Running::start(options(backend.url("/")));
    running.gone(0..200);
    backend.wait_for(2).await;
    let counters = running.stop().await.counters();
    assert_eq!((counters.dropped_failed, counters.attempts), (200, 2));
    assert!(aim.seen().is_empty());
}

#[tokio::test]
async fn a_batch_is_given_up_after_so_many_retries() {
    let backend = Backend::start(|number, _| async move {
        if number < 2 { reply(500, "") } else { reply(200, "") }
    })
    .await;
    let running = Running::start(Options { retries: 1, ..options(backend.url("/")) });
    running.gone(0..100);
    backend.wait_for(1).await;
    running.gone(100..101);
    let seen = backend.wait_for(3).await;
    assert_eq!(fields(&seen[2..], "client"), ["100"]);
    let counters = running.stop().await.counters();
    assert_eq!((counters.dropped_failed, counters.delivered), (100, 1));
}

#[tokio::test]
async fn a_long_answer_to_events_does_not_repeat_them() {
    let backend = Backend::start(|_, _| async { reply(200, vec![b'x'; 5000]) }).await;
    let running = Running::start(Options { response_bytes_max: 100, ..options(backend.url("/")) });
    running.gone(0..200);
    backend.wait_for(2).await;
    let counters = running.stop().await.counters();
    assert_eq!((counters.delivered, counters.retries), (200, 0));
}

#[tokio::test]
async fn a_queue_that_is_full_loses_its_oldest_while_the_backend_is_slow() {
    let (open, opened) = tokio::sync::watch::channel(false);
    let backend = Backend::start(move |_, _| {
        let mut opened = opened.clone();
        async move {
            opened.wait_for(|opened| *opened).await.unwrap();
            reply(200, "")
        }
    })
    .await;
    let running = Running::start(Options { queue_events_max: 150, ..options(backend.url("/")) });
    running.gone(0..100);
    backend.wait_for(1).await;
    running.gone(100..300);
    let counters = running.webhooks.counters();
    assert_eq!((counters.queued, counters.dropped_overflow, counters.sending), (150, 50, 100));
    open.send(true).unwrap();
    let seen = backend.wait_for(3).await;
    assert_eq!(fields(&seen[1..], "client"), numbers(150..300));
    assert_eq!(running.stop().await.counters().delivered, 250);
}

#[test]
fn informing_needs_no_runtime_and_never_waits() {
    let options = Options { queue_events_max: 10, ..options("http://127.0.0.1:9/".to_owned()) };
    let webhooks = Webhooks::new(options).unwrap();
    for _ in 0..100 {
        webhooks.inform(Event::channel_occupied("news"));
    }
    let counters = webhooks.counters();
    assert_eq!((counters.queued, counters.dropped_overflow), (10, 90));
}

#[tokio::test]
async fn a_channel_that_flickers_tells_nothing_and_one_that_stays_empty_does() {
    let backend = Backend::always(200, "").await;
    let vacated_delay = Duration::from_secs(1);
    let running = Running::start(Options { vacated_delay, ..options(backend.url("/")) });
    for event in [
        Event::channel_occupied("flickers"),
        Event::channel_occupied("empties"),
        Event::channel_vacated("flickers"),
        Event::channel_vacated("empties"),
        Event::channel_occupied("flickers"),
    ] {
        running.webhooks.inform(event);
    }
    let seen = backend.wait_for(2).await;
    let told: Vec<_> = fields(&seen, "type").into_iter().zip(fields(&seen, "channel")).collect();
    let told: Vec<_> = told.iter().map(|(kind, name)| (kind.as_str(), name.as_str())).collect();
    assert_eq!(
        told,
        [
            ("channel.occupied", "flickers"),
            ("channel.occupied", "empties"),
            ("channel.vacated", "empties")
        ]
    );
    running.stop().await;
}

#[tokio::test]
async fn stopping_sends_what_is_left() {
    let backend = Backend::always(200, "").await;
    let vacated_delay = Duration::from_secs(3600);
    let running = Running::start(Options { vacated_delay, ..options(backend.url("/")) });
    running.gone(0..1);
    running.webhooks.inform(Event::channel_vacated("news"));
    let counters = running.stop().await.counters();
    assert_eq!(fields(&backend.seen(), "type"), ["client.gone", "channel.vacated"]);
    assert_eq!((counters.delivered, counters.queued), (2, 0));
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_backend_that_is_away() {
    let drain_timeout = Duration::from_millis(50);
    let url = "http://127.0.0.1:1/".to_owned();
    let running = Running::start(Options { drain_timeout, retries: 100, ..options(url) });
    running.gone(0..150);
    let webhooks = running.webhooks.clone();
    until(|| webhooks.counters().attempts > 0).await;
    let counters = running.stop().await.counters();
    assert_eq!((counters.dropped_failed, counters.delivered), (150, 0));
    assert_eq!((counters.queued, counters.sending), (0, 0));
}

#[tokio::test]
async fn an_event_that_is_not_wanted_is_not_sent() {
    let backend = Backend::always(200, "").await;
    let kinds = vec!["client.connected".parse().unwrap()];
    let running = Running::start(Options { kinds, ..options(backend.url("/")) });
    running.gone(0..1);
    running.webhooks.inform(Event::channel_occupied("news"));
    running.webhooks.inform(Event::client_connected("c", Some("ann")));
    running.stop().await;
    let seen = backend.seen();
    assert_eq!(fields(&seen, "type"), ["client.connected"]);
    assert_eq!(fields(&seen, "user"), ["ann"]);
}
