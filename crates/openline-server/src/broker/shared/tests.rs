//! What shared brokers do beside the contract: bounds, and stores that hang or are away.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use bytes::Bytes;
use bytestring::ByteString;
use openline_engine::History;
use openline_protocol::{Data, Publication};

use super::testing::{Leak, Leaky, MemoryStore, Stalled};
use super::*;
use crate::broker::BrokerError;
use crate::broker::NodeId;
use crate::clock::Clock;

/// Long enough for any machine; nothing waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

const TIMEOUT: Duration = Duration::from_millis(400);

const LIMITS: PageLimits = PageLimits { publications_max: 1000, bytes_max: 1 << 20 };

/// A broker on a store that it has for itself.
struct Trial {
    store: MemoryStore,
    broker: SharedBroker,
    tail: Arc<Listeners>,
    node: NodeId,
    leak: Leak,
}

/// A tail that remembers, and can be made to wait.
#[derive(Default)]
struct Listeners {
    heard: Mutex<BTreeSet<ChannelName>>,
    batches: Mutex<Vec<Vec<String>>>,
    shut: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicUsize,
}

impl Tail for Listeners {
    fn publish(&self, _: Arc<Publication>, _: Option<Arc<str>>) {
        unreachable!("entries are handed on in batches")
    }

    fn publish_all(&self, entries: Vec<(Arc<Publication>, Option<Arc<str>>)>) {
        let texts = entries.iter().map(|(publication, _)| text(publication)).collect();
        self.batches.lock().unwrap().push(texts);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let shut = self.shut.lock().unwrap();
        drop(self.opened.wait_while(shut, |shut| *shut).unwrap());
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    fn lost(&self, channel: &ChannelName, _: Position) {
        self.batches.lock().unwrap().push(vec![format!("lost {channel}")]);
    }

    fn is_heard(&self, channel: &ChannelName) -> bool {
        self.heard.lock().unwrap().contains(channel)
    }
}

impl Listeners {
    fn set_heard(&self, channel: &str, heard: bool) {
        let mut set = self.heard.lock().unwrap();
        if heard {
            set.insert(name(channel))
        } else {
            set.remove(&name(channel))
        };
    }

    fn set_shut(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.opened.notify_all();
    }

    fn got(&self) -> Vec<String> {
        self.batches.lock().unwrap().concat()
    }
}

struct Deaf;

impl Ear for Deaf {
    fn emitted(&self, _: NodeId, _: ChannelName, _: Bytes) {}
    fn told(&self, _: NodeId, _: Bytes) {}
    fn interrupted(&self) {}
}

impl Trial {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(adjust: impl FnOnce(&mut SharedOptions)) -> Self {
        let node = NodeId(1);
        let store = MemoryStore::new(Clock::start(), 300_000);
        let (tail, leak) = (Arc::<Listeners>::default(), Leak::default());
        let hour = Duration::from_secs(3600);
        let mut options = SharedOptions::new("memory://test".to_owned(), TIMEOUT, hour);
        adjust(&mut options);
        let backend = Leaky::new(store.backend(node), leak.clone());
        let broker = SharedBroker::new(backend, options, tail.clone(), Arc::new(Deaf));
        let trial = Self { store, broker, tail, node, leak };
        wait_until("it is connected", || trial.broker.health().ailment.is_none());
        trial
    }

    async fn listen(&self, channel: &str) -> Result<(), BrokerError> {
        self.tail.set_heard(channel, true);
        self.broker.listen(&name(channel)).await
    }

    async fn put(&self, channel: &str, text: &str) -> Result<Position, BrokerError> {
        let published = self.broker.publish(draft(channel, text), None).await?;
        Ok(published.position.unwrap())
    }

    fn recover(&self, channel: &str, since: Position) -> Answer<Recovery> {
        self.broker.recover(&name(channel), since, &LIMITS)
    }

    async fn stall(&self) -> Stalled {
        self.store.stall().await
    }
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn name(channel: &str) -> ChannelName {
    ChannelName::new(channel).unwrap()
}

fn text(publication: &Publication) -> String {
    match &publication.data {
        Data::Json(text) => text.to_string(),
        Data::Binary(_) => unreachable!("only text is published"),
    }
}

fn draft(channel: &str, text: &str) -> Draft {
    Draft {
        channel: name(channel),
        event: None,
        data: Data::Json(ByteString::from(text)),
        from: None,
        key: None,
        history: History { size: 1000, ttl_ms: 3_600_000 },
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_said_so_in_time_and_heals() {
    let trial = Trial::new();
    trial.listen("room").await.unwrap();
    trial.put("room", "a").await.unwrap();
    trial.store.cut(trial.node);
    assert_eq!(trial.put("room", "refused").await, Err(BrokerError::Unavailable));
    let cut = Some("memory://test does not answer: cut".to_owned());
    wait_until("it says why", || trial.broker.health().ailment == cut);
    trial.store.mend(trial.node);
    wait_until("it heals", || trial.broker.health().ailment.is_none());
    trial.listen("room").await.unwrap();
    trial.put("room", "b").await.unwrap();
    wait_until("it goes on", || trial.tail.got() == ["a", "b"]);
}

#[tokio::test]
async fn a_store_that_hangs_is_not_waited_for_beyond_the_timeout() {
    let trial = Trial::new();
    let stalled = trial.stall().await;
    let position = Position { epoch: 1, offset: 1, tag: 1 };
    let begun = Instant::now();
    let (published, recovered) =
        tokio::join!(trial.put("room", "a"), trial.recover("room", position));
    assert_eq!(published, Err(BrokerError::Unavailable));
    assert_eq!(recovered.unwrap_err(), BrokerError::Unavailable);
    assert_eq!(trial.listen("room").await, Err(BrokerError::Unavailable));
    assert!(begun.elapsed() < PATIENCE / 2, "each waits for its own time");
    let hangs = Some("memory://test does not answer: it hangs".to_owned());
    wait_until("it says why", || trial.broker.health().ailment == hangs);
    trial.tail.set_heard("room", false);
    trial.broker.unlisten(&name("room"));
    drop(stalled);
    wait_until("it is found without being asked", || trial.broker.health().ailment.is_none());
    trial.put("room", "b").await.unwrap();
}

#[tokio::test]
async fn more_than_may_wait_is_refused_as_overload() {
    let trial = Trial::with(|options| options.timeout = PATIENCE);
    let stalled = trial.stall().await;
    let large = "x".repeat(1 << 20);
    let mut answers: Vec<_> =
        (0..100).map(|_| trial.broker.publish(draft("room", &large), None)).collect();
    drop(stalled);
    let mut refused = 0;
    for answer in answers.drain(..) {
        match answer.await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error, BrokerError::Overloaded);
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 100 - 64, "64 MiB wait");
    assert_eq!(trial.broker.health().queued_bytes, 0);
    trial.put("room", "b").await.unwrap();
}

#[tokio::test]
async fn a_thousand_that_ask_the_same_at_once_are_one_read_or_two() {
    let trial = Trial::with(|options| options.timeout = PATIENCE);
    let since = trial.put("room", "a").await.unwrap();
    trial.put("room", "b").await.unwrap();
    // However slowly they come: the first of each is under way until the last is there.
    let stalled = trial.stall().await;
    let asked: Vec<_> = (0..1000).map(|_| trial.recover("room", since)).collect();
    let query = |limit| Query { limit: Some(limit), ..Query::default() };
    let queries: Vec<_> = (0..1000)
        .map(|number| trial.broker.query(&name("room"), &query(number % 2 + 1), &LIMITS))
        .collect();
    drop(stalled);
    for answer in asked {
        let missed = answer.await.unwrap().missed.unwrap();
        assert_eq!(missed.iter().map(|missed| text(missed)).collect::<Vec<_>>(), ["b"]);
    }
    for (number, answer) in queries.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap().unwrap().publications.len(), number % 2 + 1);
    }
    assert!((1..=2).contains(&trial.store.recoveries()), "{}", trial.store.recoveries());
    assert!((2..=4).contains(&trial.store.queries()), "{}", trial.store.queries());
}

#[tokio::test]
async fn what_is_asked_while_a_read_is_under_way_is_read_after_it() {
    let trial = Trial::with(|options| options.timeout = PATIENCE);
    let since = trial.put("room", "a").await.unwrap();
    let stalled = trial.stall().await;
    // Each of the three is first in the queue of the store before the next is asked.
    let first = trial.recover("room", since);
    wait_until("it is asked", || trial.store.recoveries() == 1);
    let published = trial.broker.publish(draft("room", "b"), None);
    let second = trial.recover("room", since);
    drop(stalled);
    assert_eq!(first.await.unwrap().missed.unwrap().len(), 0);
    published.await.unwrap();
    assert_eq!(second.await.unwrap().missed.unwrap().len(), 1);
}

#[tokio::test]
async fn a_burst_is_handed_on_together() {
    let trial = Trial::new();
    trial.listen("room").await.unwrap();
    trial.tail.set_shut(true);
    trial.put("room", "first").await.unwrap();
    wait_until("the thread stands", || trial.tail.waiting.load(Ordering::SeqCst) == 1);
    let burst: Vec<_> = (0..16)
        .map(|number| trial.broker.publish(draft("room", &number.to_string()), None))
        .collect();
    trial.tail.set_shut(false);
    for answer in burst {
        answer.await.unwrap();
    }
    wait_until("all came", || trial.tail.got().len() == 17);
    let batches = trial.tail.batches.lock().unwrap().len();
    assert!((2..=4).contains(&batches), "{batches} batches");
}

#[tokio::test]
async fn a_thread_that_stood_still_compares_all_heads_before_it_goes_on() {
    let stall_max = Duration::from_millis(300);
    let trial = Trial::with(|options| options.stall_max = stall_max);
    trial.listen("room").await.unwrap();
    trial.listen("quiet").await.unwrap();
    let probes = trial.store.probes();
    trial.put("room", "a").await.unwrap();
    wait_until("it came", || trial.tail.got() == ["a"]);
    assert_eq!(trial.store.probes(), probes, "none is due");
    trial.leak.lose_next(1);
    trial.put("quiet", "lost").await.unwrap();
    wait_until("it is lost", || trial.leak.left() == 0);
    trial.tail.set_shut(true);
    trial.put("room", "b").await.unwrap();
    wait_until("the thread stands", || trial.tail.waiting.load(Ordering::SeqCst) == 1);
    std::thread::sleep(stall_max * 2);
    trial.tail.set_shut(false);
    wait_until("it is found", || trial.tail.got() == ["a", "b", "lost"]);
    assert_eq!(trial.store.probes(), probes + 1);
}

#[tokio::test]
async fn who_cannot_listen_leaves_nothing_behind() {
    let trial = Trial::new();
    trial.store.cut(trial.node);
    assert_eq!(trial.listen("room").await, Err(BrokerError::Unavailable));
    trial.tail.set_heard("room", false);
    trial.broker.unlisten(&name("room"));
    wait_until("it is forgotten", || trial.broker.health().channels == 0);
    trial.store.mend(trial.node);
    trial.listen("other").await.unwrap();
    assert!(!trial.store.hears(trial.node, &name("room")));
}

#[tokio::test]
async fn what_nobody_hears_any_more_is_unsubscribed_from() {
    let trial = Trial::new();
    trial.listen("room").await.unwrap();
    assert!(trial.store.hears(trial.node, &name("room")));
    assert!(trial.broker.listen(&name("room")).try_now().is_ok(), "it is heard already");
    trial.tail.set_heard("room", false);
    trial.broker.unlisten(&name("room"));
    wait_until("it is", || !trial.store.hears(trial.node, &name("room")));
    // A subscriber that asks, and is gone before it is looked at, subscribes to nothing.
    trial.broker.listen(&name("room")).await.unwrap();
    assert_eq!(trial.broker.health().channels, 0);
}

#[tokio::test]
async fn dropping_a_broker_does_what_it_was_given_within_the_timeout() {
    let trial = Trial::with(|options| options.timeout = Duration::from_secs(10));
    let stalled = trial.stall().await;
    let answers: Vec<_> = (0..100)
        .map(|number| trial.broker.publish(draft("room", &number.to_string()), None))
        .collect();
    let Trial { broker, .. } = trial;
    let dropping = std::thread::spawn(move || drop(broker));
    std::thread::sleep(Duration::from_millis(50));
    assert!(!dropping.is_finished(), "it waits for the store");
    drop(stalled);
    for answer in answers {
        answer.await.unwrap();
    }
    dropping.join().unwrap();

    let trial = Trial::new();
    let _stalled = trial.stall().await;
    let answer = trial.broker.publish(draft("room", "a"), None);
    drop(trial.broker);
    assert_eq!(answer.await, Err(BrokerError::Unavailable));
}
