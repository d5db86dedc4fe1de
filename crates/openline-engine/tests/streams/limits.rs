use super::*;

#[test]
fn the_oldest_entries_of_all_channels_make_room() {
    let mut given = given(10);
    for (value, channel) in [("1", "a"), ("2", "b"), ("3", "a"), ("4", "b")] {
        given.new_order(channel, value, None, 0);
        given.stored(channel, None, 0);
    }
    let entry = given.streams.bytes() / 4;
    assert_eq!(given.streams.evict(entry + 1), [1, 2]);
    assert_eq!((given.streams.entries(), given.streams.bytes()), (2, 2 * entry));
}

#[test]
fn eviction_takes_what_was_published_first_wherever_it_is() {
    let mut given = given(10);
    for (value, channel) in [("1", "a"), ("2", "b"), ("3", "b"), ("4", "a"), ("5", "a"), ("6", "b")]
    {
        given.new_order(channel, value, None, 0);
        given.stored(channel, None, 0);
    }
    assert_eq!(given.streams.evict(1), [1]);
    assert_eq!(given.streams.evict(1), [2]);
    assert_eq!(given.streams.evict(1), [3]);
    let since = beginning();
    let recovery = given.streams.recover(&name("a"), since, &ALL, 0).0;
    assert_eq!(recovery.missed.unwrap_err(), Reason::Trimmed);
}

#[test]
fn more_than_there_is_empties_all() {
    let mut given = given(10);
    let (head, _) = given.publish("1", None, 0);
    given.streams.evict(usize::MAX);
    assert_eq!((given.streams.entries(), given.streams.bytes()), (0, 0));
    assert!(given.recover(head, 0).missed.is_ok());
}

#[test]
fn a_sweep_expires_and_then_forgets_what_is_idle() {
    let mut given = given(10);
    given.publish("1", None, 0);
    let swept = given.streams.sweep(20_000, 10_000, |_| false);
    assert_eq!((swept.removed.len(), swept.forgotten), (0, false));
    assert_eq!((given.streams.entries(), given.streams.len()), (0, 1));
    assert!(!given.streams.sweep(20_000, 19_999, |_| false).forgotten);
    let swept = given.streams.sweep(20_000, 20_000, |_| false);
    assert_eq!((swept.removed, swept.forgotten), (vec![1], true));
    assert!(given.streams.is_empty());
}

#[test]
fn a_sweep_leaves_what_waits_for_the_store() {
    let mut given = given(10);
    given.new_order("c", "1", None, 0);
    given.streams.sweep(0, 100_000, |_| false);
    given.stored("c", None, 100_000);
    assert_eq!(given.head(100_000).offset, 1);
}

#[test]
fn a_reader_of_a_forgotten_stream_is_told_of_the_new_epoch() {
    let mut given = given(10);
    let (head, _) = given.publish("1", None, 0);
    assert!(given.streams.sweep(0, 10_000, |_| false).forgotten);
    given.streams.set_epoch(8);
    assert_eq!(given.reason(head, 10_000), Reason::Epoch);
    assert_eq!(given.reason(beginning(), 10_000), Reason::Epoch);
    assert_eq!(given.publish("2", None, 10_000).0.epoch, 8);
}

#[test]
fn what_a_sweep_removes_is_sorted() {
    let mut given = given(1);
    for channel in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        given.new_order(channel, "1", None, 0);
        given.stored(channel, None, 0);
    }
    let swept = given.streams.sweep(0, 10_000, |_| false);
    assert_eq!(swept.removed, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn the_names_are_those_of_channels_with_entries() {
    let mut given = given(10);
    given.publish("1", None, 0);
    given.new_order("pending", "1", None, 0);
    let names: Vec<_> = given.streams.names().map(ChannelName::as_str).collect();
    assert_eq!(names, ["c"]);
}

#[test]
fn clearing_again_and_again_leaves_nothing_behind() {
    let mut given = given(10);
    for _ in 0..10_000 {
        given.publish("1", None, 0);
        given.streams.clear(&name("c"));
    }
    assert_eq!((given.streams.entries(), given.streams.bytes()), (0, 0));
}
