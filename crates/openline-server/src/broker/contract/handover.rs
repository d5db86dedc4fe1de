//! A store that one process gives to the next, and has back if that one dies.

use super::*;
use crate::broker::{GiveError, LocalBroker};
use crate::store::Level;

/// A broker in a directory, and what opens another in the same.
struct Pair {
    place: Embedded,
    first: Box<dyn Broker>,
}

impl Pair {
    fn new() -> Self {
        let place = Embedded::new(Level::Os);
        let first = place.open(Arc::new(Recorder::default()));
        Self { place, first }
    }

    fn next(&self) -> LocalBroker {
        self.place.open_in(&self.place.dir, Arc::new(Recorder::default())).0
    }
}

async fn put(broker: &dyn Broker, text: &str) -> Position {
    soon(broker.publish(draft("room", text), None)).await.unwrap().position.unwrap()
}

async fn missed(broker: &dyn Broker, since: Position) -> Result<Vec<String>, BrokerError> {
    let recovery = soon(broker.recover(&name("room"), since, &LIMITS)).await?;
    Ok(recovery.missed.map(|missed| texts(&missed)).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_is_all_with_the_next_and_refused_here() {
    let pair = Pair::new();
    let first = put(&*pair.first, "0").await;
    let waiting: Vec<_> = numbers(1..200)
        .into_iter()
        .map(|number| pair.first.publish(draft("room", &number), None))
        .collect();
    tokio::task::block_in_place(|| pair.first.give()).unwrap();
    for answer in waiting {
        soon(answer).await.unwrap();
    }
    let refused = soon(pair.first.publish(draft("room", "late"), None)).await;
    assert_eq!(refused, Err(BrokerError::HandedOver));
    assert_eq!(soon(pair.first.clear(&name("room"))).await, Err(BrokerError::HandedOver));
    let next = pair.next();
    assert_eq!(missed(&next, first).await.unwrap(), numbers(1..200));
    assert_eq!(missed(&*pair.first, first).await.unwrap(), numbers(1..200), "from memory");
}

/// Who was with the next already knows more than what is known here. That is no gap.
#[tokio::test]
async fn a_reader_that_is_ahead_is_sent_away_and_not_told_of_a_gap() {
    let pair = Pair::new();
    put(&*pair.first, "0").await;
    pair.first.give().unwrap();
    let next = pair.next();
    let ahead = put(&next, "1").await;
    assert_eq!(missed(&*pair.first, ahead).await, Err(BrokerError::HandedOver));
    let query = Query { since: Some(ahead), ..Query::default() };
    let page = soon(pair.first.query(&name("room"), &query, &LIMITS)).await;
    assert_eq!(page.unwrap_err(), BrokerError::HandedOver);
}

#[tokio::test]
async fn what_is_had_back_goes_on_where_it_was() {
    let Pair { place, first } = Pair::new();
    let zero = put(&*first, "0").await;
    let keyed = |text: &str| first.publish(with_key("room", text, "key"), None);
    let one = soon(keyed("1")).await.unwrap();
    for _ in 0..2 {
        first.give().unwrap();
        let next = place.open_in(&place.dir, Arc::new(Recorder::default())).0;
        assert_eq!(first.take_back(), Err(GiveError::Locked));
        let refused = soon(first.publish(draft("room", "late"), None)).await;
        assert_eq!(refused, Err(BrokerError::HandedOver));
        drop(next);
        first.take_back().unwrap();
        first.take_back().unwrap();
        let again = soon(keyed("1")).await.unwrap();
        assert_eq!((again.position, again.duplicate), (one.position, true));
    }
    put(&*first, "2").await;
    assert_eq!(missed(&*first, zero).await.unwrap(), numbers(1..3));
    drop(first);
    let reopened = place.open_in(&place.dir, Arc::new(Recorder::default())).0;
    assert_eq!(missed(&reopened, zero).await.unwrap(), numbers(1..3));
    let all = soon(reopened.query(&name("room"), &Query::default(), &LIMITS)).await;
    assert_chained(&all.unwrap().unwrap().publications);
}

#[tokio::test]
async fn what_is_in_memory_alone_is_refused_while_it_is_given() {
    let broker = InMemory::new().open(Arc::new(Recorder::default()));
    put(&*broker, "0").await;
    broker.give().unwrap();
    let refused = soon(broker.publish(draft("room", "late"), None)).await;
    assert_eq!(refused, Err(BrokerError::HandedOver));
    broker.take_back().unwrap();
    put(&*broker, "1").await;
}

#[tokio::test]
async fn a_store_that_comes_back_damaged_is_not_written() {
    let Pair { place, first } = Pair::new();
    for number in numbers(0..50) {
        put(&*first, &number).await;
    }
    first.give().unwrap();
    place.dir.damage();
    let Err(GiveError::Other(why)) = first.take_back() else { panic!("it is damaged") };
    assert!(why.contains("damaged"), "{why}");
    let refused = soon(first.publish(draft("room", "late"), None)).await;
    assert_eq!(refused, Err(BrokerError::StorageFailed(why.clone())));
    assert_eq!(first.health().ailment, Some(why));
}
