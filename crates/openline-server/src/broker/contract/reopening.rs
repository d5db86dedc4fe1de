//! What outlives a broker that keeps what it acked.

use super::*;

pub(super) async fn dropping_a_broker_writes_what_it_was_given(trial: Trial) {
    let publish = |number: String| trial.broker.publish(draft("room", &number), None);
    let answers: Vec<_> = numbers(0..500).into_iter().map(publish).collect();
    let trial = trial.reopen();
    for answer in answers {
        soon(answer).await.unwrap();
    }
    assert_eq!(texts(&trial.all("room").await.publications), numbers(0..500));
}

pub(super) async fn positions_and_order_outlive_it(trial: Trial) {
    let mut rooms = Vec::new();
    for room in ["a", "b", "c"] {
        let beginning = trial.head(room).await;
        rooms.push((room, beginning, trial.put_numbers(room, 20).await));
    }
    let before = trial.all("a").await.publications;
    let trial = trial.reopen();
    assert_eq!(trial.all("a").await.publications, before, "every field of every entry");
    assert_eq!(trial.tail.len(), 0, "what was handed on before is not handed on again");
    for (room, beginning, acked) in rooms {
        assert_eq!(positions(&trial.all(room).await.publications), acked);
        assert_eq!(trial.head(room).await, acked[19]);
        assert_eq!(trial.missed(room, beginning).await, Ok(numbers(0..20)));
        assert_eq!(trial.missed(room, acked[9]).await, Ok(numbers(10..20)));
        assert_eq!(trial.missed(room, acked[19]).await, Ok(Vec::new()));
        trial.put(room, "next").await;
        let all = trial.all(room).await.publications;
        assert_eq!(all.len(), 21);
        assert_chained(&all);
    }
}

pub(super) async fn keys_outlive_it(trial: Trial) {
    let first = trial.publish(with_key("room", "a", "key")).await;
    trial.put_numbers("room", 3).await;
    let trial = trial.reopen();
    let again = trial.publish(with_key("room", "a", "key")).await;
    assert_eq!(again, Published { duplicate: true, ..first });
    let other = soon(trial.broker.publish(with_key("room", "b", "key"), None)).await;
    assert!(matches!(other, Err(BrokerError::Conflict { .. })), "{other:?}");
    trial.place.let_pass(WINDOW);
    let trial = trial.reopen();
    assert!(!trial.publish(with_key("room", "a", "key")).await.duplicate);
    assert_eq!(trial.all("room").await.publications.len(), 5);
}

pub(super) async fn keys_of_trimmed_entries_outlive_it(trial: Trial) {
    // Beyond the size that a reopened broker keeps too.
    let first = trial.publish(with_key("room", "a", "key")).await;
    let count = HISTORY.size as usize + 10;
    let publish = |number: String| trial.broker.publish(draft("room", &number), None);
    for answer in numbers(0..count).into_iter().map(publish).collect::<Vec<_>>() {
        soon(answer).await.unwrap();
    }
    let trial = trial.reopen().reopen();
    let again = trial.publish(with_key("room", "a", "key")).await;
    assert_eq!(again, Published { duplicate: true, ..first });
    assert_eq!(texts(&trial.all("room").await.publications), numbers(10..count));
    assert_eq!(trial.missed("room", first.position.unwrap()).await, Err(Reason::Trimmed));
}

pub(super) async fn an_empty_channel_keeps_its_beginning(trial: Trial) {
    let beginning = trial.head("room").await;
    let trial = trial.reopen();
    assert_eq!(trial.head("room").await, beginning);
    trial.put_numbers("room", 3).await;
    let trial = trial.reopen();
    assert_eq!(trial.missed("room", beginning).await, Ok(numbers(0..3)));
}

pub(super) async fn a_channel_of_which_all_expired_keeps_its_head(trial: Trial) {
    let acked = trial.put_numbers("room", 3).await;
    trial.place.let_pass(Duration::from_secs(2 * 3600));
    trial.broker.sweep();
    // Also when the removals of the first broker are all that the second one finds.
    let trial = trial.reopen().reopen();
    assert!(trial.all("room").await.publications.is_empty());
    assert_eq!(trial.head("room").await, acked[2]);
    assert_eq!(trial.missed("room", acked[2]).await, Ok(Vec::new()));
    assert!(trial.missed("room", acked[0]).await.is_err());
    trial.put_numbers("room", 2).await;
    let trial = trial.reopen();
    assert_eq!(trial.missed("room", acked[2]).await, Ok(numbers(0..2)));
    assert!(trial.missed("room", acked[0]).await.is_err());
}

pub(super) async fn a_channel_that_was_cleared_begins_anew(trial: Trial) {
    let beginning = trial.head("room").await;
    let acked = trial.put_numbers("room", 3).await;
    soon(trial.broker.clear(&name("room"))).await.unwrap();
    let trial = trial.reopen();
    for at in [beginning, acked[0], acked[2]] {
        assert_eq!(trial.missed("room", at).await, Err(Reason::Epoch), "{at:?}");
    }
    trial.put("room", "again").await;
    let trial = trial.reopen();
    for at in [beginning, acked[0], acked[2]] {
        assert_eq!(trial.missed("room", at).await, Err(Reason::Epoch), "{at:?}");
    }
}

pub(super) async fn a_channel_that_was_forgotten_begins_anew(trial: Trial) {
    let beginning = trial.head("room").await;
    let acked = trial.put_numbers("room", 3).await;
    trial.place.let_pass(Duration::from_secs(48 * 3600));
    trial.broker.sweep();
    let renewed = trial.head("room").await;
    assert_ne!(renewed.epoch, acked[0].epoch);
    let trial = trial.reopen();
    assert_eq!(trial.head("room").await, renewed, "the new name is kept too");
    for at in [beginning, acked[0], acked[2]] {
        assert_eq!(trial.missed("room", at).await, Err(Reason::Epoch), "{at:?}");
    }
}
