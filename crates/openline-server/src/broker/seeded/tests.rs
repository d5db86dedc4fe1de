#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use openline_engine::{Broadcast, Draft, History, PageLimits, Query, Recovery};
use openline_protocol::{ChannelName, Data, Position, Publication, Reason};

use super::broker::SeededBroker;
use super::{Bug, Seeded, State};
use crate::broker::{Broker, Ear, LocalBroker, LocalOptions, NodeId, Tail};
use crate::clock::Clock;

const LIMITS: PageLimits = PageLimits { publications_max: 1000, bytes_max: 1 << 20 };

/// What came by the tail.
#[derive(Default)]
struct Recorder(Mutex<Vec<Arc<Publication>>>);

impl Tail for Recorder {
    fn publish(&self, publication: Arc<Publication>, _: Option<Arc<str>>) {
        self.0.lock().unwrap().push(publication);
    }

    fn is_heard(&self, _: &ChannelName) -> bool {
        true
    }
}

struct Silent;

impl Ear for Silent {
    fn emitted(&self, _: NodeId, _: ChannelName, _: Bytes) {}
    fn told(&self, _: NodeId, _: Bytes) {}
    fn interrupted(&self) {}
}

fn channel() -> ChannelName {
    ChannelName::new("news").unwrap()
}

fn draft(text: &str, key: Option<&str>) -> Draft {
    Draft {
        channel: channel(),
        event: None,
        data: Data::Json(format!("\"{text}\"").into()),
        from: None,
        key: key.map(Into::into),
        history: History { size: 100, ttl_ms: 60_000 },
    }
}

fn local(tail: Arc<dyn Tail>) -> LocalBroker {
    let options = LocalOptions { bytes_max: 1 << 20, window_ms: 60_000, channels_max: 100 };
    LocalBroker::in_memory(options, Clock::start(), tail)
}

fn seeded(bug: Bug) -> (Box<dyn Broker>, Arc<Recorder>) {
    let (recorder, seeded) = (Arc::new(Recorder::default()), Seeded::new(Some(bug)));
    let broker = local(seeded.tail(recorder.clone()));
    (seeded.broker(Box::new(broker)), recorder)
}

async fn put(broker: &dyn Broker, text: &str) -> Position {
    broker.publish(draft(text, None), None).await.unwrap().position.unwrap()
}

async fn recover(broker: &dyn Broker, since: Position) -> Recovery {
    broker.recover(&channel(), since, &LIMITS).await.unwrap()
}

fn entry(offset: u64, tag: u64) -> Broadcast {
    Broadcast::Publication(Arc::new(Publication {
        channel: channel(),
        event: None,
        data: Data::Json("1".into()),
        position: Some(Position { epoch: 1, offset, tag }),
        prev_tag: 0,
        timestamp: 0,
        from: None,
    }))
}

fn offsets(broadcasts: &[&Broadcast]) -> Vec<u64> {
    let offset = |broadcast: &&Broadcast| match broadcast {
        Broadcast::Publication(publication) => publication.position.unwrap().offset,
        _ => panic!("only publications are in these turns"),
    };
    broadcasts.iter().map(offset).collect()
}

#[test]
fn a_bug_that_is_not_there_is_refused_with_a_list() {
    assert_eq!("drop".parse(), Ok(Bug::Drop));
    let refused = "dorp".parse::<Bug>().unwrap_err();
    assert!(refused.contains("drop, swap"), "{refused}");
}

#[test]
fn a_turn_loses_doubles_and_swaps_what_chance_says() {
    let turn = [entry(1, 7), entry(2, 2000), entry(3, 11)];
    let turn: Vec<_> = turn.iter().collect();
    assert_eq!(offsets(&Bug::Drop.hand_on(&turn)), [1, 3]);
    assert_eq!(offsets(&Bug::Twice.hand_on(&turn)), [1, 2, 2, 3]);
    assert_eq!(offsets(&Bug::Swap.hand_on(&turn)), [1, 3, 2]);
    assert_eq!(offsets(&Bug::IgnoreChain.hand_on(&turn)), [1, 2, 3]);
}

#[tokio::test]
async fn skip_merge_goes_live_behind_what_was_not_read() {
    let (broker, _) = seeded(Bug::SkipMerge);
    let since = put(&*broker, "0").await;
    // A machine that is busy may leave nothing between the two looks.
    for _ in 0..100 {
        let mut reading = broker.recover(&channel(), since, &LIMITS);
        let recovery = loop {
            put(&*broker, "more").await;
            let pause = tokio::time::sleep(super::broker::UNMERGED / 10);
            tokio::select! {
                recovery = &mut reading => break recovery.unwrap(),
                () = pause => {}
            }
        };
        let read = recovery.missed.unwrap().last().map(|last| last.position);
        if read != Some(Some(recovery.head)) {
            return;
        }
    }
    panic!("what was read always went up to the head");
}

#[tokio::test]
async fn reuse_offset_has_one_position_for_two_histories() {
    let (before, recorder) = seeded(Bug::ReuseOffset);
    let (first, second) = (put(&*before, "1").await, put(&*before, "2").await);
    assert_eq!(first.tag, second.tag);
    assert_eq!(recorder.0.lock().unwrap()[1].position, Some(second));
    assert_eq!(recover(&*before, first).await.missed.unwrap()[0].position, Some(second));
    let page = before.query(&channel(), &Query { since: Some(first), ..Query::default() }, &LIMITS);
    assert_eq!(page.await.unwrap().unwrap().head, second);
}

#[tokio::test]
async fn ignore_chain_recovers_from_a_position_of_another_history() {
    let (broker, _) = seeded(Bug::IgnoreChain);
    let first = put(&*broker, "1").await;
    put(&*broker, "2").await;
    let forged = Position { tag: first.tag ^ 1, ..first };
    assert_eq!(recover(&*broker, forged).await.missed.unwrap().len(), 1);
    let honest = local(Arc::new(Recorder::default()));
    let first = put(&honest, "1").await;
    let forged = Position { tag: first.tag ^ 1, ..first };
    assert_eq!(recover(&honest, forged).await.missed.unwrap_err(), Reason::Fork);
}

#[tokio::test]
async fn forget_keys_takes_a_retry_for_another_after_a_restart() {
    let broker: Arc<dyn Broker> = Arc::new(local(Arc::new(Recorder::default())));
    let run = || SeededBroker::new(broker.clone(), Bug::ForgetKeys, Arc::new(State::default()));
    let (before, after) = (run(), run());
    let publish = async |broker: &SeededBroker| {
        broker.publish(draft("1", Some("key")), None).await.unwrap().duplicate
    };
    assert!(!publish(&before).await);
    assert!(publish(&before).await);
    assert!(!publish(&after).await);
}

#[tokio::test]
async fn forget_resubscribe_makes_channels_deaf_that_were_heard_before() {
    let (recorder, seeded) =
        (Arc::new(Recorder::default()), Seeded::new(Some(Bug::ForgetResubscribe)));
    let broker = local(seeded.tail(recorder.clone()));
    let (broker, ear) = (seeded.broker(Box::new(broker)), seeded.ear(Arc::new(Silent)));
    broker.listen(&channel()).await.unwrap();
    put(&*broker, "1").await;
    assert_eq!(recorder.0.lock().unwrap().len(), 1);
    ear.interrupted();
    put(&*broker, "2").await;
    assert_eq!(recorder.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn without_a_bug_nothing_is_put_around() {
    let seeded = Seeded::new(None);
    let tail: Arc<dyn Tail> = Arc::new(Recorder::default());
    assert!(Arc::ptr_eq(&seeded.tail(tail.clone()), &tail));
}
