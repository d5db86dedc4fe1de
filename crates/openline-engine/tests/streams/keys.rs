use super::*;

#[test]
fn a_retry_is_told_the_place_of_the_first_try() {
    let mut given = given(10);
    let (first, _) = given.publish("1", Some("k"), 5);
    let again = given.order("c", "1", Some("k"), 6);
    let Ordered::Duplicate { position, timestamp, pending } = again else { panic!("{again:?}") };
    assert_eq!((position, timestamp, pending), (Some(first), 5, false));
}

#[test]
fn a_retry_of_what_is_not_settled_waits_for_it() {
    let mut given = given(10);
    given.publish("0", None, 0);
    given.new_order("c", "1", Some("k"), 0);
    assert!(matches!(
        given.order("c", "1", Some("k"), 0),
        Ordered::Duplicate { pending: true, .. }
    ));
    given.stored("c", Some("k"), 0);
    assert!(matches!(
        given.order("c", "1", Some("k"), 0),
        Ordered::Duplicate { pending: false, .. }
    ));
}

#[test]
fn another_payload_under_the_same_key_is_a_conflict() {
    let mut given = given(10);
    given.publish("1", Some("k"), 0);
    assert!(matches!(given.order("c", "2", Some("k"), 7), Ordered::Conflict { age_ms: 7 }));
}

#[test]
fn keys_are_of_one_channel() {
    let mut given = given(10);
    given.publish("1", Some("k"), 0);
    given.new_order("other", "2", Some("k"), 0);
}

#[test]
fn a_key_is_forgotten_after_the_window() {
    let mut given = given(10);
    given.publish("1", Some("k"), 0);
    assert!(matches!(given.order("c", "1", Some("k"), WINDOW_MS - 1), Ordered::Duplicate { .. }));
    given.new_order("c", "1", Some("k"), WINDOW_MS);
}

#[test]
fn keys_are_known_where_no_history_is_kept() {
    let mut given = given(0);
    given.new_order("c", "1", Some("k"), 0);
    let again = given.order("c", "1", Some("k"), 0);
    assert!(matches!(again, Ordered::Duplicate { position: None, pending: false, .. }));
}

#[test]
fn the_key_of_what_was_taken_back_may_be_used_again() {
    let mut given = given(10);
    given.new_order("c", "1", Some("k"), 0);
    given.streams.settle(&name("c"), None, Some("k"), 0);
    given.new_order("c", "1", Some("k"), 0);
}

/// The store took longer than the window, and the key was used again meanwhile: the failure of the
/// first try once took the second one's key along.
#[test]
fn a_late_failure_leaves_a_later_use_of_the_key_alone() {
    let mut given = given(10);
    given.new_order("c", "1", Some("k"), 0);
    given.new_order("c", "1", Some("k"), WINDOW_MS);
    given.streams.settle(&name("c"), None, Some("k"), WINDOW_MS);
    assert!(matches!(given.order("c", "1", Some("k"), WINDOW_MS), Ordered::Duplicate { .. }));
}

#[test]
fn a_trimmed_record_stays_in_the_store_while_its_key_is_remembered() {
    let mut given = given(1);
    given.publish("1", Some("k"), 0);
    assert_eq!(given.publish("2", None, 10).1, [0; 0], "its key is remembered");
    assert_eq!(given.publish("3", None, 20).1, [2]);
    assert_eq!(given.publish("4", None, WINDOW_MS).1, [3, 1]);
}

#[test]
fn an_evicted_record_stays_in_the_store_while_its_key_is_remembered() {
    let mut given = given(10);
    given.publish("1", Some("k"), 0);
    given.publish("2", None, 0);
    assert_eq!(given.streams.evict(1), [0; 0]);
    assert_eq!(given.streams.entries(), 1);
    let swept = given.streams.sweep(u64::MAX, WINDOW_MS, |_| false);
    assert_eq!(swept.removed, [1], "once");
}

#[test]
fn an_entry_that_is_kept_longer_than_its_key_is_removed_once() {
    let mut given = given(1);
    given.publish("1", Some("k"), 0);
    assert_eq!(given.streams.sweep(u64::MAX, WINDOW_MS, |_| false).removed, [0; 0]);
    assert_eq!(given.publish("2", None, WINDOW_MS).1, [1]);
    assert_eq!(given.streams.sweep(u64::MAX, 2 * WINDOW_MS, |_| false).removed, [0; 0]);
}

#[test]
fn a_cleared_channel_leaves_no_record_for_its_keys() {
    let mut given = given(1);
    given.publish("1", Some("k"), 0);
    given.publish("2", None, 0);
    assert_eq!(given.streams.clear(&name("c")), [1, 2]);
}
