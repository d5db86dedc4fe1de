//! Retries: the same key is the same publication.

use super::*;

pub(super) async fn a_retry_is_answered_as_the_first_try(trial: Trial) {
    let first = trial.publish(with_key("room", "a", "key")).await;
    assert!(!first.duplicate);
    trial.put("room", "b").await;
    let again = trial.publish(with_key("room", "a", "key")).await;
    assert_eq!(again, Published { duplicate: true, ..first });
    assert_eq!(texts(&trial.all("room").await.publications), ["a", "b"]);
    trial.put("room", "c").await;
    assert_eq!(texts(&trial.tail.wait_for("room", 3)), ["a", "b", "c"]);
}

pub(super) async fn retries_at_the_same_time_are_one_publication(trial: Trial) {
    for round in 0..20 {
        let key = format!("key {round}");
        // Two tries on this thread, before anything can be committed, and more on others.
        let retry = || trial.broker.publish(with_key("room", "same", &key), None);
        let answers: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| [retry(), retry()])).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let mut published = Vec::new();
        for answer in answers {
            published.push(soon(answer).await.unwrap());
        }
        assert_eq!(published.iter().filter(|published| !published.duplicate).count(), 1);
        assert!(published.iter().all(|other| other.position == published[0].position));
        assert_eq!(trial.all("room").await.publications.len(), round + 1);
    }
}

pub(super) async fn a_key_used_for_something_else_is_a_conflict(trial: Trial) {
    trial.publish(with_key("room", "a", "key")).await;
    trial.place.let_pass(Duration::from_secs(10));
    let mut other_event = with_key("room", "a", "key");
    other_event.event = Some("event".into());
    for draft in [with_key("room", "b", "key"), other_event] {
        let answer = soon(trial.broker.publish(draft, None)).await;
        let Err(BrokerError::Conflict { key, age_ms }) = answer else { panic!("{answer:?}") };
        assert_eq!(key, "key");
        assert!(age_ms >= 10_000, "{age_ms}");
    }
    assert_eq!(texts(&trial.all("room").await.publications), ["a"]);
}

pub(super) async fn a_key_is_forgotten_after_its_window(trial: Trial) {
    let first = trial.publish(with_key("room", "a", "key")).await;
    trial.place.let_pass(WINDOW / 2);
    // A retry does not make it last longer.
    assert!(trial.publish(with_key("room", "a", "key")).await.duplicate);
    trial.place.let_pass(WINDOW / 2);
    let second = trial.publish(with_key("room", "b", "key")).await;
    assert!(!second.duplicate && second.position != first.position);
    let again = trial.publish(with_key("room", "b", "key")).await;
    assert_eq!(again, Published { duplicate: true, ..second });
}

pub(super) async fn channels_have_keys_of_their_own(trial: Trial) {
    trial.publish(with_key("room", "a", "key")).await;
    assert!(!trial.publish(with_key("other", "b", "key")).await.duplicate);
}

pub(super) async fn a_retry_is_known_when_its_entry_is_trimmed(trial: Trial) {
    let history = History { size: 2, ..HISTORY };
    let keyed = || Draft { history, ..with_key("room", "a", "key") };
    let first = trial.publish(keyed()).await;
    for number in numbers(0..5) {
        trial.publish(Draft { history, ..draft("room", &number) }).await;
    }
    assert_eq!(trial.publish(keyed()).await, Published { duplicate: true, ..first });
    assert_eq!(texts(&trial.all("room").await.publications), numbers(3..5));
}

pub(super) async fn a_retry_without_history_is_known(trial: Trial) {
    let keyed = || Draft { history: NO_HISTORY, ..with_key("room", "a", "key") };
    let first = trial.publish(keyed()).await;
    assert_eq!(trial.publish(keyed()).await, Published { duplicate: true, ..first });
    trial.publish(Draft { history: NO_HISTORY, ..draft("room", "b") }).await;
    assert_eq!(texts(&trial.tail.wait_for("room", 2)), ["a", "b"]);
}
