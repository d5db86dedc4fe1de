//! Of one channel: what is handed on, dropped, read or lost.

use super::*;

#[test]
fn the_next_entry_is_handed_on() {
    let mut trial = Trial::listening();
    for text in ["a", "b", "c"] {
        trial.put(text);
    }
    assert_eq!(trial.take(), ["a", "b", "c"]);
    assert_eq!(trial.asks(), [""; 0]);
}

#[test]
fn who_does_not_get_an_entry_is_told_with_it() {
    let mut trial = Trial::listening();
    let publication = trial.publish("a");
    trial.feed.handle_arrived(publication, Some("client".into()));
    assert_eq!(trial.take(), ["a but client"]);
}

#[test]
fn an_entry_that_arrives_twice_is_handed_on_once() {
    let mut trial = Trial::listening();
    let publication = trial.publish("a");
    trial.arrive(&publication);
    trial.arrive(&publication);
    assert_eq!((trial.take(), trial.reads), (vec!["a".to_owned()], 0));
}

#[test]
fn what_was_on_its_way_when_the_head_was_read_is_dropped() {
    let mut trial = Trial::new();
    trial.feed.handle_up();
    trial.feed.want(&name("room"));
    // Subscribed, but not told so: this much is in the head that comes with the answer.
    let before: Vec<_> = ["a", "b", "c"].into_iter().map(|text| trial.publish(text)).collect();
    trial.arrive(&before[0]);
    trial.settle();
    before[1..].iter().for_each(|publication| trial.arrive(publication));
    trial.put("d");
    assert_eq!(trial.take(), ["whole", "ready room", "d"]);
    assert_eq!(trial.reads, 0);
}

#[test]
fn what_arrives_before_the_head_is_known_is_held() {
    let mut trial = Trial::new();
    trial.feed.handle_up();
    trial.feed.want(&name("room"));
    trial.look();
    // The head was read before this was published, and is told after.
    let head = trial.store.heads(&[name("room")]);
    trial.put("a");
    assert_eq!(trial.take(), ["whole"]);
    trial.feed.handle_subscribed(Ok(head));
    assert_eq!(trial.take(), ["ready room", "a"]);
}

#[test]
fn what_an_entry_shows_to_be_missing_is_read() {
    let mut trial = Trial::listening();
    trial.put("a");
    trial.publish("lost");
    trial.put("b");
    assert_eq!(trial.take(), ["a"], "order before speed");
    assert_eq!(trial.asks(), ["read room after 1"]);
    trial.settle();
    trial.put("c");
    assert_eq!(trial.take(), ["lost", "b", "c"]);
    assert_eq!(trial.reads, 1);
}

#[test]
fn what_arrives_while_it_is_read_is_handed_on_behind_it() {
    let mut trial = Trial::listening();
    trial.publish("lost");
    trial.put("a");
    let (b, c) = (trial.publish("b"), trial.publish("c"));
    trial.feed.handle_arrived(b, Some("client".into()));
    // The answer is of a time at which `b` and `c` were there, and `d` not.
    let FeedEffect::Read { number, channel, since } = trial.asked.remove(0) else { panic!() };
    let read = trial.store.recover(&channel, since);
    trial.feed.handle_arrived(c, None);
    let d = trial.publish("d");
    trial.feed.handle_arrived(d, Some("client".into()));
    trial.feed.handle_read(number, &channel, Ok(read));
    assert_eq!(trial.take(), ["lost", "a", "b but client", "c", "d but client"]);
    assert_eq!(trial.asks(), [""; 0]);
}

#[test]
fn what_is_missing_among_what_was_held_is_read_too() {
    let mut trial = Trial::listening();
    trial.publish("lost");
    trial.put("a");
    let FeedEffect::Read { number, channel, since } = trial.asked.remove(0) else { panic!() };
    let read = trial.store.recover(&channel, since);
    trial.put("b");
    trial.publish("lost too");
    trial.put("c");
    trial.put("d");
    trial.feed.handle_read(number, &channel, Ok(read));
    trial.settle();
    trial.put("e");
    assert_eq!(trial.take(), ["lost", "a", "b", "lost too", "c", "d", "e"]);
    assert_eq!(trial.reads, 2);
}

#[test]
fn what_is_not_kept_any_more_is_lost_and_it_goes_on_from_the_head() {
    let mut trial = Trial::listening();
    trial.store.size = 2;
    trial.put("a");
    (0..5).for_each(|_| drop(trial.publish("lost")));
    trial.put("b");
    trial.settle();
    trial.put("c");
    assert_eq!(trial.take(), ["a", "lost room", "c"]);
}

#[test]
fn an_entry_of_a_store_that_was_rolled_back_is_not_taken_for_the_next() {
    // Behind where it was, at the same place, and behind that: the fork shows at each.
    for behind in 1..=3 {
        let mut trial = Trial::listening();
        trial.put("a");
        let snapshot = trial.store.clone();
        (0..2).for_each(|number| trial.put(&number.to_string()));
        trial.store.roll_back(&snapshot);
        for _ in 1..behind {
            trial.publish("not heard");
        }
        trial.put("b");
        trial.settle();
        trial.put("c");
        assert_eq!(trial.take(), ["a", "0", "1", "lost room", "c"], "{behind}");
    }
}

#[test]
fn an_entry_that_the_store_lost_is_not_waited_for() {
    let mut trial = Trial::listening();
    trial.put("a");
    let snapshot = trial.store.clone();
    trial.publish("lost");
    let ahead = trial.publish("ahead");
    trial.store.roll_back(&snapshot);
    trial.arrive(&ahead);
    trial.settle();
    assert_eq!(trial.reads, 1, "reading again would find the same");
    trial.put("b");
    assert_eq!(trial.take(), ["a", "b"]);
}

#[test]
fn a_store_that_forgot_the_channel_is_found_by_its_next_entry() {
    let mut trial = Trial::listening();
    trial.put("a");
    trial.store.forget();
    trial.put("b");
    trial.settle();
    trial.put("c");
    assert_eq!(trial.take(), ["a", "lost room", "c"]);
}

#[test]
fn a_report_that_was_lost_and_is_followed_by_nothing_is_found_by_the_probe() {
    let mut trial = Trial::listening();
    trial.put("a");
    trial.publish("lost");
    trial.probe();
    trial.put("b");
    assert_eq!(trial.take(), ["a", "lost", "b"]);
}

#[test]
fn the_first_entry_of_a_channel_may_be_the_one_that_was_lost() {
    for by_probe in [false, true] {
        let mut trial = Trial::listening();
        trial.publish("lost");
        if by_probe {
            trial.probe();
        }
        trial.put("a");
        trial.settle();
        assert_eq!(trial.take(), ["lost", "a"]);
    }
}

#[test]
fn a_store_that_was_rolled_back_is_found_by_the_probe() {
    let mut trial = Trial::listening();
    let snapshot = trial.store.clone();
    trial.put("a");
    trial.store.roll_back(&snapshot);
    trial.probe();
    trial.put("b");
    assert_eq!(trial.take(), ["a", "lost room", "b"]);
}

#[test]
fn a_probe_that_finds_all_where_it_was_reads_nothing() {
    let mut trial = Trial::listening();
    trial.probe();
    trial.put("a");
    trial.probe();
    assert_eq!((trial.take(), trial.reads), (vec!["a".to_owned()], 0));
}

#[test]
fn what_a_probe_overtakes_is_waited_for() {
    let mut trial = Trial::listening();
    let a = trial.publish("a");
    trial.tick(LIMITS.probe_interval_ms);
    trial.settle();
    trial.arrive(&a);
    trial.tick(100);
    trial.put("b");
    assert_eq!((trial.take(), trial.reads), (vec!["a".to_owned(), "b".to_owned()], 0));
}

#[test]
fn what_comes_later_than_that_is_had_already() {
    let mut trial = Trial::listening();
    let a = trial.publish("a");
    trial.probe();
    assert_eq!(trial.take(), ["a"]);
    trial.arrive(&a);
    trial.put("b");
    assert_eq!((trial.take(), trial.reads), (vec!["b".to_owned()], 1));
}

#[test]
fn more_than_is_held_is_dropped_and_read_again() {
    let bytes = FeedLimits { held_bytes_max: 3000, ..LIMITS };
    for limits in [FeedLimits { held_max: 10, ..LIMITS }, bytes] {
        let mut trial = Trial::listening_with(limits);
        trial.publish("lost");
        trial.put("0");
        let FeedEffect::Read { number, channel, since } = trial.asked.remove(0) else { panic!() };
        let read = trial.store.recover(&channel, since);
        let numbers: Vec<_> = (1..50).map(|number| number.to_string()).collect();
        numbers.iter().for_each(|number| trial.put(number));
        trial.feed.handle_read(number, &channel, Ok(read));
        assert_eq!(trial.take(), ["lost", "0"]);
        trial.settle();
        trial.put("50");
        assert_eq!(trial.take(), [&numbers[..], &["50".to_owned()]].concat());
        assert_eq!(trial.reads, 2);
    }
}

#[test]
fn what_is_read_and_does_not_join_is_lost() {
    let mut trial = Trial::listening();
    trial.put("a");
    trial.publish("lost");
    trial.put("b");
    let FeedEffect::Read { number, channel, since } = trial.asked.remove(0) else { panic!() };
    let mut read = trial.store.recover(&channel, since);
    read.missed.as_mut().unwrap().remove(0);
    trial.feed.handle_read(number, &channel, Ok(read));
    assert_eq!(trial.take(), ["a", "lost room"]);
    trial.put("c");
    assert_eq!(trial.take(), ["c"]);
}

#[test]
fn what_could_not_be_read_is_read_with_the_next_tick() {
    let mut trial = Trial::listening();
    trial.publish("lost");
    trial.put("a");
    trial.refuse();
    assert_eq!(trial.asks(), [""; 0], "not at once");
    trial.put("b");
    trial.tick(100);
    assert_eq!(trial.asks(), ["read room after 0"]);
    trial.settle();
    assert_eq!(trial.take(), ["lost", "a", "b"]);
}

#[test]
fn what_has_no_position_is_passed_on_as_it_comes() {
    let mut trial = Trial::listening();
    trial.publish("lost");
    trial.put("a");
    trial.store.size = 0;
    trial.put("by");
    assert_eq!(trial.take(), ["by"], "also while the channel is read");
    trial.settle();
    trial.put("by again");
    assert_eq!(trial.take(), ["lost", "a", "by again"]);
}
