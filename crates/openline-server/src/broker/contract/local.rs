//! What the brokers in this process promise beside the contract: bounds, and how they fail.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::task::{Context, Waker};

use super::places::Dir;
use super::*;
use crate::store::{Level, Options};

/// A tail that can be made to wait, and the writer with it.
#[derive(Default)]
struct Gate {
    recorder: Recorder,
    entered: AtomicBool,
    /// How many entries of `gate` may pass.
    passes: Mutex<usize>,
    opened: Condvar,
    /// How many entries came together, each time.
    together: Mutex<Vec<usize>>,
}

impl Tail for Gate {
    fn is_heard(&self, _: &ChannelName) -> bool {
        false
    }

    fn publish(&self, publication: Arc<Publication>, except: Option<Arc<str>>) {
        if publication.channel.as_str() == "gate" {
            self.entered.store(true, Ordering::SeqCst);
            let passes = self.passes.lock().unwrap();
            *self.opened.wait_while(passes, |passes| *passes == 0).unwrap() -= 1;
            self.entered.store(false, Ordering::SeqCst);
        }
        self.recorder.publish(publication, except);
    }

    fn publish_all(&self, entries: Vec<(Arc<Publication>, Option<Arc<str>>)>) {
        self.together.lock().unwrap().push(entries.len());
        for (publication, except) in entries {
            self.publish(publication, except);
        }
    }
}

/// A broker whose writer waits: what is published meanwhile stays uncommitted.
struct Gated {
    place: Embedded,
    broker: Arc<dyn Broker>,
    gate: Arc<Gate>,
}

impl Gated {
    fn new(adjust: impl FnOnce(&mut Options)) -> Self {
        let mut place = Embedded::new(Level::Os);
        adjust(&mut place.stored);
        let gate = Arc::new(Gate::default());
        let broker: Arc<dyn Broker> = Arc::from(place.open(gate.clone()));
        let gated = Self { place, broker, gate };
        gated.stop_writer();
        gated
    }

    /// Has the writer stand in the tail. What it stands there for is published where no runtime has
    /// its turn to end before the writer is woken.
    fn stop_writer(&self) {
        std::thread::scope(|scope| {
            scope.spawn(|| drop(self.broker.publish(draft("gate", "x"), None)));
        });
        self.wait_for_writer();
    }

    fn wait_for_writer(&self) {
        let until = Instant::now() + PATIENCE;
        while !self.gate.entered.load(Ordering::SeqCst) {
            assert!(Instant::now() < until);
            std::thread::yield_now();
        }
    }

    fn open(&self) {
        self.let_pass(1000);
    }

    fn let_pass(&self, count: usize) {
        *self.gate.passes.lock().unwrap() = count;
        self.gate.opened.notify_all();
    }

    async fn page(&self) -> Page {
        let answer = self.broker.query(&name("room"), &Query::default(), &LIMITS);
        soon(answer).await.unwrap().unwrap()
    }
}

impl Drop for Gated {
    fn drop(&mut self) {
        // Or the writer would wait on when a test has failed.
        self.open();
    }
}

#[tokio::test]
async fn what_is_not_committed_is_not_seen() {
    let gated = Gated::new(|_| {});
    let beginning = gated.page().await.head;
    let publish = || gated.broker.publish(with_key("room", "x", "key"), None);
    let (first, retry) = (publish(), publish());
    let after = gated.broker.publish(draft("room", "y"), None);
    let conflict = soon(gated.broker.publish(with_key("room", "z", "key"), None)).await;
    assert!(matches!(conflict, Err(BrokerError::Conflict { .. })), "{conflict:?}");
    // Its position was given, but nobody is told before it is safe.
    let Err(first) = first.try_now() else { panic!("acked before it was committed") };
    let Err(retry) = retry.try_now() else { panic!("a retry was acked before it was committed") };
    let page = gated.page().await;
    assert_eq!((page.publications.len(), page.head), (0, beginning));
    assert_eq!(gated.gate.recorder.len(), 0);
    gated.open();
    let first = soon(first).await.unwrap();
    assert_eq!(soon(retry).await.unwrap(), Published { duplicate: true, ..first.clone() });
    soon(after).await.unwrap();
    assert_eq!(texts(&gated.page().await.publications), ["x", "y"]);
    assert_eq!(texts(&gated.gate.recorder.wait_for("room", 2)), ["x", "y"]);
}

#[tokio::test]
async fn what_is_committed_together_is_handed_on_together_and_then_acked() {
    let gated = Gated::new(|_| {});
    let publish = |text: &str| gated.broker.publish(draft("room", text), None);
    let mut first = publish("1");
    let second = publish("2");
    let last = gated.broker.publish(draft("gate", "y"), None);
    gated.let_pass(1);
    assert_eq!(texts(&gated.gate.recorder.wait_for("room", 2)), ["1", "2"]);
    gated.wait_for_writer();
    // The tail has the first two and stands at the third: all are readable, none is acked.
    assert_eq!(*gated.gate.together.lock().unwrap(), [1, 3]);
    assert_eq!(texts(&gated.page().await.publications), ["1", "2"]);
    assert!(Pin::new(&mut first).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    gated.open();
    for answer in [first, second, last] {
        soon(answer).await.unwrap();
    }
}

#[tokio::test]
async fn more_than_the_queue_takes_is_refused_as_overload() {
    let gated = Gated::new(|stored| stored.queue_bytes_max = 4000);
    let publish = |number: usize| {
        let text = format!("{number} {}", "x".repeat(400));
        let key = number.to_string();
        gated.broker.publish(with_key("room", &text, &key), None)
    };
    let answers: Vec<_> = (0..20).map(publish).collect();
    gated.open();
    let mut taken = Vec::new();
    let mut refused = Vec::new();
    for (number, answer) in answers.into_iter().enumerate() {
        match soon(answer).await {
            Ok(published) => taken.push(published.position.unwrap()),
            Err(BrokerError::Overloaded) => refused.push(number),
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(!taken.is_empty() && !refused.is_empty());
    let all = gated.page().await.publications;
    assert_eq!(positions(&all), taken);
    assert_chained(&all);
    // What was refused was not published, so this is no retry.
    assert!(!soon(publish(refused[0])).await.unwrap().duplicate);
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_kept_and_nothing_else_and_heals() {
    let place = Embedded::new(Level::Os);
    let faults = place.stored.faults.clone();
    let trial = Trial::new(place);
    let first = trial.put("room", "0").await;
    // What the last look at the disk allowed is used up first.
    faults.set_free_bytes(Some(0));
    faults.set_quota(Some(0));
    for text in ["1", "2"] {
        let refused = soon(trial.broker.publish(with_key("room", text, text), None)).await;
        assert_eq!(refused, Err(BrokerError::StorageFull));
    }
    assert_eq!(trial.broker.health().ailment.as_deref(), Some("the disk is full"));
    trial.publish(Draft { history: NO_HISTORY, ..draft("room", "live") }).await;
    assert_eq!(texts(&trial.tail.wait_for("room", 2)), ["0", "live"]);
    assert_eq!(trial.missed("room", first).await, Ok(Vec::new()), "reading goes on");
    faults.set_free_bytes(None);
    faults.set_quota(None);
    let until = Instant::now() + PATIENCE;
    let mut draft = with_key("room", "1", "1");
    let published = loop {
        match soon(trial.broker.publish(draft.clone(), None)).await {
            Ok(published) => break published,
            Err(error) => assert_eq!(error, BrokerError::StorageFull),
        }
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(!published.duplicate, "what was refused was not published");
    assert_eq!(trial.broker.health().ailment, None);
    draft.key = None;
    trial.publish(draft).await;
    let trial = trial.reopen();
    let all = trial.all("room").await.publications;
    assert_eq!(texts(&all), ["0", "1", "1"]);
    assert_chained(&all);
}

#[tokio::test]
async fn what_was_refused_is_nowhere_after_a_kill() {
    // A large one is refused, the small one behind it would fit: it waits in the queue when the
    // first is refused, and names it as the one before.
    let mut faults = None;
    let gated = Gated::new(|stored| {
        stored.commit_records_max = 1;
        stored.probe_min = Duration::ZERO;
        stored.faults.set_free_bytes(Some(4000));
        faults = Some(stored.faults.clone());
    });
    let first = gated.broker.publish(draft("room", "first"), None);
    let large = gated.broker.publish(draft("room", &"x".repeat(10_000)), None);
    let behind = gated.broker.publish(draft("room", "behind"), None);
    gated.open();
    soon(first).await.unwrap();
    assert_eq!(soon(large).await, Err(BrokerError::StorageFull));
    assert_eq!(soon(behind).await, Err(BrokerError::StorageFull));
    // A process that is killed now leaves this.
    let killed: Dir = gated.place.dir.copy();
    faults.unwrap().set_free_bytes(None);
    let (broker, _) = gated.place.open_in(&killed, Arc::new(Recorder::default()));
    let page = soon(broker.query(&name("room"), &Query::default(), &LIMITS)).await;
    assert_eq!(texts(&page.unwrap().unwrap().publications), ["first"]);
}

#[tokio::test]
async fn a_store_that_fails_says_so_until_the_end() {
    let place = Embedded::new(Level::Fsync);
    let faults = place.stored.faults.clone();
    let trial = Trial::new(place);
    trial.put("room", "stored").await;
    faults.set_sync_fails(true);
    for _ in 0..2 {
        let answer = soon(trial.broker.publish(draft("room", "refused"), None)).await;
        assert!(matches!(answer, Err(BrokerError::StorageFailed(_))), "{answer:?}");
        faults.set_sync_fails(false);
    }
    assert!(trial.broker.health().ailment.is_some());
    trial.publish(Draft { history: NO_HISTORY, ..draft("room", "live") }).await;
    assert_eq!(texts(&trial.reopen().all("room").await.publications), ["stored"]);
}

#[tokio::test]
async fn clearing_again_and_again_leaves_one_note() {
    let place = Embedded::new(Level::Os);
    let (broker, _) = place.open_in(&place.dir, Arc::new(Recorder::default()));
    for _ in 0..50 {
        soon(broker.publish(draft("room", "x"), None)).await.unwrap();
        soon(broker.clear(&name("room"))).await.unwrap();
    }
    // The notes before the last are removed with what comes later.
    soon(broker.publish(draft("room", "last"), None)).await.unwrap();
    broker.sweep();
    drop(broker);
    let (_, opened) = place.open_in(&place.dir, Arc::new(Recorder::default()));
    assert_eq!(opened.records, 2, "the last entry, and the name of empty channels");
}

#[tokio::test]
async fn memory_has_a_bound_and_the_oldest_are_forgotten() {
    let trial = Trial::new(InMemory::with(20_000));
    let mut acked = Vec::new();
    for number in 0..100 {
        acked.push(trial.put("room", &format!("{number} {}", "x".repeat(500))).await);
        assert!(trial.broker.health().bytes <= 20_000);
    }
    let kept = trial.all("room").await.publications;
    assert!((20..40).contains(&kept.len()), "{}", kept.len());
    assert_eq!(positions(&kept), acked[100 - kept.len()..]);
    assert_eq!(trial.missed("room", acked[0]).await, Err(Reason::Trimmed));
}

#[tokio::test]
async fn history_gives_way_when_memory_is_short_and_grows_again_after_it() {
    let trial = Trial::new(InMemory::new());
    let mut acked = Vec::new();
    for number in 0..100 {
        acked.push(trial.put("room", &format!("{number} {}", "x".repeat(500))).await);
    }
    let held = trial.broker.history_bytes();
    assert_eq!(held, trial.broker.health().bytes);
    trial.broker.shrink_history(held);
    assert_eq!(trial.all("room").await.publications.len(), 100);
    trial.broker.shrink_history(held / 2);
    assert!((held / 3..=held / 2).contains(&trial.broker.history_bytes()));
    let kept = trial.all("room").await.publications;
    assert_eq!(positions(&kept), acked[100 - kept.len()..]);
    assert_eq!(trial.missed("room", acked[0]).await, Err(Reason::Trimmed));
    trial.put("room", "more").await;
    assert_eq!(trial.all("room").await.publications.len(), kept.len() + 1);
}

#[tokio::test]
async fn a_channel_that_fills_the_memory_leaves_room_for_the_others() {
    let trial = Trial::new(InMemory::with(100_000));
    for _ in 0..200 {
        trial.put("large", &"x".repeat(1000)).await;
    }
    for number in 0..100 {
        trial.put(&format!("room:{}", number % 10), "x").await;
        assert!(trial.broker.health().bytes <= 100_000);
    }
    for number in 0..10 {
        let kept = trial.all(&format!("room:{number}")).await.publications.len();
        assert_eq!(kept, 10, "room:{number}");
    }
    assert!(trial.all("large").await.publications.len() > 20, "it keeps the rest");
}

#[tokio::test]
async fn more_channels_than_are_allowed_are_refused_and_the_others_go_on() {
    let trial = Trial::new(InMemory::new());
    for number in 0..CHANNELS_MAX {
        trial.put(&format!("room:{number}"), "x").await;
    }
    let refused = soon(trial.broker.publish(draft("one-more", "x"), None)).await;
    assert_eq!(refused, Err(BrokerError::Channels { most: CHANNELS_MAX }));
    assert_eq!(trial.broker.health().channels, CHANNELS_MAX);
    trial.put("room:0", "y").await;
    assert!(trial.all("one-more").await.publications.is_empty());
}
