//! One order for all: of calls, of entries, of what is handed on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

const THREADS: usize = 4;
const EACH: usize = 200;

pub(super) async fn entries_stand_in_the_order_of_calls(trial: Trial) {
    // Two channels, so that their orders could get mixed up.
    let publish = |thread: usize| -> Vec<_> {
        let channels = ["room:a", "room:b"];
        let publish = |number| {
            let text = format!("{thread} {number}");
            (text.clone(), trial.broker.publish(draft(channels[number % 2], &text), None))
        };
        (0..EACH).map(publish).collect()
    };
    let called: Vec<Vec<_>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|t| scope.spawn(move || publish(t))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut acked = BTreeMap::new();
    for (text, answer) in called.into_iter().flatten() {
        acked.insert(text, soon(answer).await.unwrap().position.unwrap());
    }
    for channel in ["room:a", "room:b"] {
        let all = trial.all(channel).await.publications;
        assert_eq!(all.len(), THREADS * EACH / 2);
        assert_chained(&all);
        for publication in &all {
            assert_eq!(acked[&text(publication)], publication.position.unwrap());
        }
        for thread in 0..THREADS {
            let number = |publication: &Arc<Publication>| {
                let text = text(publication);
                let (by, number) = text.split_once(' ').unwrap();
                (by == thread.to_string()).then(|| number.parse::<usize>().unwrap())
            };
            assert!(all.iter().filter_map(number).is_sorted_by(|a, b| a < b));
        }
        let handed_on = trial.tail.wait_for(channel, all.len());
        assert_eq!(handed_on, all, "each once, in order");
    }
}

pub(super) async fn a_publication_has_its_effect_whether_or_not_the_answer_is_awaited(
    trial: Trial,
) {
    for number in 0..10 {
        drop(trial.broker.publish(draft("room", &number.to_string()), None));
    }
    trial.put("room", "10").await;
    assert_eq!(texts(&trial.all("room").await.publications), numbers(0..11));
}

pub(super) async fn what_is_acked_can_be_read_and_is_handed_on(trial: Trial) {
    for number in 0..50 {
        let before = trial.head("room").await;
        let position = trial.put("room", &number.to_string()).await;
        assert_eq!(trial.head("room").await, position);
        assert_eq!(trial.missed("room", before).await, Ok(vec![number.to_string()]));
        assert_eq!(trial.tail.wait_for("room", number + 1)[number].position, Some(position));
    }
}

pub(super) async fn each_entry_names_the_one_before_it(trial: Trial) {
    let beginning = trial.head("room").await;
    let acked = trial.put_numbers("room", 20).await;
    let all = trial.all("room").await;
    assert_eq!(positions(&all.publications), acked);
    assert_eq!(all.head, acked[19]);
    assert_eq!(all.publications[0].prev_tag, beginning.tag, "the first names the beginning");
    assert_chained(&all.publications);
    assert!(all.publications.is_sorted_by_key(|publication| publication.timestamp));
}

pub(super) async fn who_subscribes_before_it_reads_misses_nothing(trial: Trial) {
    let done = AtomicBool::new(false);
    let beginning = trial.head("room").await;
    let (trial, done) = (&trial, &done);
    let reads = std::thread::scope(|scope| {
        let publishers: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| (0..500).for_each(|_| drop(publish_one(trial)))))
            .collect();
        let reader = scope.spawn(move || {
            let mut reads = Vec::new();
            while reads.is_empty() || !done.load(Ordering::SeqCst) {
                // From here on the tail is listened to.
                let skipped = trial.tail.len();
                reads.push((skipped, read_all(trial, beginning)));
            }
            reads
        });
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        done.store(true, Ordering::SeqCst);
        reader.join().unwrap()
    });
    trial.put("room", "last").await;
    let whole = trial.tail.wait_for("room", 1001);
    assert_chained(&whole);
    for (skipped, read) in reads {
        let mut got: BTreeMap<u64, Position> = BTreeMap::new();
        got.extend(positions(&read).into_iter().map(|at| (at.offset, at)));
        got.extend(
            positions(&trial.tail.of("room", skipped)).into_iter().map(|at| (at.offset, at)),
        );
        assert_eq!(got.into_values().collect::<Vec<_>>(), positions(&whole));
    }
}

fn publish_one(trial: &Trial) -> Answer<Published> {
    // More than is kept by default in these tests is published.
    let history = History { size: 2000, ..HISTORY };
    trial.broker.publish(Draft { history, ..draft("room", "x") }, None)
}

fn read_all(trial: &Trial, beginning: Position) -> Vec<Arc<Publication>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { trial.recover("room", beginning).await.missed.unwrap() })
}

pub(super) async fn the_tail_is_told_who_is_left_out(trial: Trial) {
    for history in [HISTORY, NO_HISTORY] {
        for except in [None, Some(Arc::from("client"))] {
            let before = trial.tail.len();
            let answer =
                trial.broker.publish(Draft { history, ..draft("room", "x") }, except.clone());
            soon(answer).await.unwrap();
            trial.tail.wait_for("room", before + 1);
            assert_eq!(trial.tail.got.lock().unwrap()[before].1, except);
        }
    }
}

pub(super) async fn without_history_there_is_no_position_and_nothing_to_read(trial: Trial) {
    let beginning = trial.head("room").await;
    let published = trial.publish(Draft { history: NO_HISTORY, ..draft("room", "x") }).await;
    assert_eq!((published.position, published.duplicate), (None, false));
    let handed_on = trial.tail.wait_for("room", 1);
    assert_eq!((text(&handed_on[0]).as_str(), handed_on[0].position), ("x", None));
    assert!(trial.all("room").await.publications.is_empty());
    assert_eq!(trial.head("room").await, beginning);
}

pub(super) async fn what_is_not_kept_leaves_the_chain_whole(trial: Trial) {
    let first = trial.put("room", "0").await;
    trial.publish(Draft { history: NO_HISTORY, ..draft("room", "passes by") }).await;
    trial.put("room", "1").await;
    assert_eq!(trial.missed("room", first).await, Ok(numbers(1..2)));
    assert_chained(&trial.all("room").await.publications);
    let handed_on = trial.tail.wait_for("room", 3);
    assert_eq!(texts(&handed_on), ["0", "passes by", "1"]);
}
