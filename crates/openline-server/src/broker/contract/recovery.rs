//! What readers get: what they missed, or why not; and pages.

use super::*;

/// Longer than any entry is kept here.
const LONG: Duration = Duration::from_secs(2 * 3600);

pub(super) async fn a_reader_gets_what_it_missed(trial: Trial) {
    let acked = trial.put_numbers("room", 10).await;
    for (index, since) in acked.iter().enumerate() {
        let recovery = trial.recover("room", *since).await;
        assert_eq!(recovery.head, acked[9]);
        let missed = recovery.missed.unwrap();
        assert_eq!(texts(&missed), numbers(index + 1..10));
        assert_chained(&missed);
    }
    assert_eq!(trial.missed("another", trial.head("another").await).await, Ok(Vec::new()));
}

pub(super) async fn a_reader_of_an_empty_channel_gets_all(trial: Trial) {
    let beginning = trial.head("room").await;
    assert_eq!(trial.missed("room", beginning).await, Ok(Vec::new()));
    trial.put_numbers("room", 3).await;
    assert_eq!(trial.missed("room", beginning).await, Ok(numbers(0..3)));
}

pub(super) async fn what_is_beyond_its_time_is_expired(trial: Trial) {
    let early = trial.put_numbers("room", 2).await;
    trial.place.let_pass(LONG);
    assert_eq!(trial.missed("room", early[1]).await, Ok(Vec::new()), "nothing was missed");
    assert_eq!(trial.missed("room", early[0]).await, Err(Reason::Expired));
    let late = trial.put("room", "late").await;
    assert_eq!(trial.missed("room", early[0]).await, Err(Reason::Expired));
    assert_eq!(trial.missed("room", early[1]).await, Ok(vec!["late".to_owned()]));
    let all = trial.all("room").await;
    assert_eq!((texts(&all.publications), all.head), (vec!["late".to_owned()], late));
}

pub(super) async fn what_is_beyond_the_size_is_trimmed(trial: Trial) {
    let mut acked = Vec::new();
    for number in numbers(0..6) {
        let draft = Draft { history: History { size: 3, ..HISTORY }, ..draft("room", &number) };
        acked.push(trial.publish(draft).await.position.unwrap());
    }
    assert_eq!(texts(&trial.all("room").await.publications), numbers(3..6));
    assert_eq!(trial.missed("room", acked[1]).await, Err(Reason::Trimmed));
    assert_eq!(trial.missed("room", acked[2]).await, Ok(numbers(3..6)));
}

pub(super) async fn a_position_of_another_incarnation_is_told_epoch(trial: Trial) {
    let acked = trial.put_numbers("room", 3).await;
    for channel in ["room", "never-used"] {
        let at = Position { epoch: acked[1].epoch.wrapping_add(1), ..acked[1] };
        let recovery = trial.recover(channel, at).await;
        assert_eq!(recovery.missed.unwrap_err(), Reason::Epoch);
        assert_eq!(recovery.head, trial.head(channel).await, "from where it goes on");
    }
}

pub(super) async fn a_position_of_another_history_is_told_fork(trial: Trial) {
    let beginning = trial.head("room").await;
    let acked = trial.put_numbers("room", 3).await;
    let other = |at: Position| Position { tag: at.tag ^ 1, ..at };
    let ahead = Position { offset: acked[2].offset + 5, ..acked[2] };
    for at in [other(beginning), other(acked[0]), other(acked[2]), ahead] {
        assert_eq!(trial.missed("room", at).await, Err(Reason::Fork), "{at:?}");
    }
}

pub(super) async fn more_than_one_answer_holds_is_told_limit(trial: Trial) {
    let acked = trial.put_numbers("room", 10).await;
    let few = PageLimits { publications_max: 5, ..LIMITS };
    // A number and its quotes.
    let small = PageLimits { bytes_max: 15, ..LIMITS };
    for limits in [few, small] {
        let recover = |since| soon(trial.broker.recover(&name("room"), since, &limits));
        assert_eq!(recover(acked[3]).await.unwrap().missed.unwrap_err(), Reason::Limit);
        let missed = recover(acked[4]).await.unwrap().missed.unwrap();
        assert_eq!(texts(&missed), numbers(5..10));
    }
}

pub(super) async fn history_is_read_in_pages(trial: Trial) {
    let beginning = trial.head("room").await;
    trial.put_numbers("room", 10).await;
    let page = async |query| trial.query("room", Query { limit: Some(4), ..query }).await.unwrap();
    let (mut since, mut sizes, mut read) = (beginning, Vec::new(), Vec::new());
    loop {
        let next = page(Query { since: Some(since), ..Query::default() }).await;
        sizes.push((next.publications.len(), next.more));
        since = next.publications.last().unwrap().position.unwrap();
        read.extend(texts(&next.publications));
        if !next.more {
            break;
        }
    }
    assert_eq!(sizes, [(4, true), (4, true), (2, false)]);
    assert_eq!(read, numbers(0..10));
    // The newest, then what is before them.
    let newest = page(Query::default()).await;
    assert_eq!((texts(&newest.publications), newest.more), (numbers(6..10), true));
    let before = newest.publications[0].position;
    let older = page(Query { before, ..Query::default() }).await;
    assert_eq!((texts(&older.publications), older.more), (numbers(2..6), true));
    let before = older.publications[0].position;
    let reverse = page(Query { before, reverse: true, ..Query::default() }).await;
    assert_eq!((texts(&reverse.publications), reverse.more), (vec!["1".into(), "0".into()], false));
}

pub(super) async fn a_page_is_bound_by_bytes_and_never_empty(trial: Trial) {
    let beginning = trial.head("room").await;
    trial.put("room", &"x".repeat(100)).await;
    trial.put_numbers("room", 5).await;
    let limits = PageLimits { bytes_max: 8, ..LIMITS };
    let query = Query { since: Some(beginning), ..Query::default() };
    let first = soon(trial.broker.query(&name("room"), &query, &limits)).await.unwrap().unwrap();
    assert_eq!((first.publications.len(), first.more), (1, true));
    let since = first.publications[0].position;
    let query = Query { since, ..Query::default() };
    let next = soon(trial.broker.query(&name("room"), &query, &limits)).await.unwrap().unwrap();
    assert_eq!((texts(&next.publications), next.more), (numbers(0..2), true));
}

pub(super) async fn history_is_read_from_a_time_on(trial: Trial) {
    trial.put("room", "early").await;
    trial.place.let_pass(Duration::from_secs(60));
    let late = trial.publish(draft("room", "late")).await;
    trial.put("room", "last").await;
    let query = Query { since_time: Some(late.timestamp), ..Query::default() };
    assert_eq!(texts(&trial.query("room", query).await.unwrap().publications), ["late", "last"]);
}

pub(super) async fn history_of_a_position_that_is_not_there_is_refused(trial: Trial) {
    let acked = trial.put_numbers("room", 3).await;
    let foreign = Position { epoch: acked[1].epoch ^ 1, ..acked[1] };
    let forked = Position { tag: acked[1].tag ^ 1, ..acked[1] };
    for (at, reason) in [(foreign, Reason::Epoch), (forked, Reason::Fork)] {
        for query in [
            Query { since: Some(at), ..Query::default() },
            Query { before: Some(at), ..Query::default() },
        ] {
            assert_eq!(trial.query("room", query).await.unwrap_err(), reason);
        }
    }
}

pub(super) async fn a_channel_that_is_cleared_is_empty_and_goes_on(trial: Trial) {
    let acked = trial.put_numbers("room", 3).await;
    let other = trial.put_numbers("other", 2).await;
    soon(trial.broker.clear(&name("room"))).await.unwrap();
    soon(trial.broker.clear(&name("never-used"))).await.unwrap();
    assert!(trial.all("room").await.publications.is_empty());
    // Who missed something is told so. Who did not may be told that, or to begin anew.
    let reason = trial.missed("room", acked[0]).await.unwrap_err();
    assert!(matches!(reason, Reason::Trimmed | Reason::Epoch), "{reason:?}");
    let head = trial.head("room").await;
    trial.put_numbers("room", 3).await;
    assert_eq!(trial.missed("room", head).await, Ok(numbers(0..3)));
    assert!(trial.missed("room", acked[0]).await.is_err());
    assert_eq!(trial.missed("other", other[0]).await, Ok(numbers(1..2)), "others stay");
}

pub(super) async fn a_channel_that_was_idle_for_long_is_forgotten(trial: Trial) {
    let beginning = trial.head("room").await;
    let acked = trial.put_numbers("room", 3).await;
    trial.place.let_pass(LONG);
    trial.broker.sweep();
    assert_eq!(trial.missed("room", acked[2]).await, Ok(Vec::new()), "it is not idle for long");
    trial.place.let_pass(Duration::from_secs(48 * 3600));
    trial.broker.sweep();
    assert_eq!(trial.broker.health().channels, 0);
    // The place where it began must not look like the place where the next one begins.
    for at in [beginning, acked[0], acked[2]] {
        assert_eq!(trial.missed("room", at).await, Err(Reason::Epoch), "{at:?}");
    }
    let again = trial.put("room", "again").await;
    assert_ne!(again.epoch, acked[0].epoch);
    assert_eq!(trial.missed("room", beginning).await, Err(Reason::Epoch));
}

pub(super) async fn health_counts_what_is_kept(trial: Trial) {
    assert_eq!(trial.broker.health().ailment, None);
    trial.put_numbers("room", 3).await;
    trial.put_numbers("other", 2).await;
    let health = trial.broker.health();
    assert_eq!((health.ailment, health.channels, health.entries), (None, 2, 5));
    assert!(health.bytes > 0);
    trial.place.let_pass(LONG);
    trial.broker.sweep();
    let health = trial.broker.health();
    assert_eq!((health.entries, health.bytes), (0, 0));
}
