use super::*;

#[test]
fn nothing_is_visible_before_it_is_settled() {
    let mut given = given(10);
    let publication = given.new_order("c", "1", None, 0);
    assert_eq!(given.head(0), beginning());
    assert_eq!(given.recover(beginning(), 0).missed.unwrap().len(), 0);
    given.stored("c", None, 0);
    assert_eq!(Some(given.head(0)), publication.position);
}

#[test]
fn each_entry_names_the_one_before_it() {
    let mut given = given(10);
    let first = given.new_order("c", "1", None, 0);
    let second = given.new_order("c", "2", None, 0);
    assert_eq!((first.prev_tag, second.prev_tag), (0, first.position.unwrap().tag));
    assert_eq!(second.position.unwrap().offset, 2);
}

#[test]
fn what_follows_on_one_that_was_not_stored_is_taken_back_with_it() {
    let mut given = given(10);
    let (first, _) = given.publish("1", None, 0);
    for value in ["2", "3", "4"] {
        given.new_order("c", value, None, 0);
    }
    let mut settle = |sequence| given.streams.settle(&name("c"), sequence, None, 0).unwrap();
    assert!(matches!(settle(None), (Settled::TakenBack(_), removed) if removed.is_empty()));
    // The store has them, and is to remove them.
    assert!(matches!(settle(Some(12)), (Settled::TakenBack(_), removed) if removed == [12]));
    assert_eq!(given.head(0), first);
    // One that comes in between takes the place of the first that was taken back.
    let next = given.new_order("c", "5", None, 0);
    assert_eq!((next.position.unwrap().offset, next.prev_tag), (2, first.tag));
    let settled = given.streams.settle(&name("c"), Some(13), None, 0).unwrap();
    assert!(matches!(settled, (Settled::TakenBack(_), removed) if removed == [13]));
    given.sequence = 13;
    given.stored("c", None, 0);
    assert_eq!(values(&given.recover(beginning(), 0).missed.unwrap()), ["1", "5"]);
}

#[test]
fn one_that_is_withdrawn_leaves_its_place_to_the_next() {
    let mut given = given(10);
    let first = given.new_order("c", "1", None, 0);
    given.new_order("c", "2", Some("k"), 0);
    given.streams.withdraw(&name("c"), Some("k"));
    let next = given.new_order("c", "2", Some("k"), 0);
    assert_eq!(next.position.unwrap().offset, 2);
    assert_eq!(next.prev_tag, first.position.unwrap().tag);
}

#[test]
fn a_channel_without_history_gives_no_positions() {
    let mut given = given(0);
    let publication = given.new_order("c", "1", None, 0);
    assert_eq!(publication.position, None);
    assert!(given.streams.settle(&name("c"), Some(1), None, 0).is_none());
    assert_eq!(given.head(0), beginning());
}

#[test]
fn the_head_outlives_its_entry_and_keeps_its_place_in_the_store() {
    let mut given = given(10);
    let (head, _) = given.publish("1", None, 0);
    let (recovery, removed) = given.streams.recover(&name("c"), head, &ALL, 50_000);
    assert_eq!((recovery.missed.unwrap().len(), recovery.head), (0, head));
    assert_eq!((removed.len(), given.streams.entries()), (0, 0));
    // The next entry follows on it, and takes its place in the store.
    let (next, removed) = given.publish("2", None, 50_000);
    assert_eq!((next.offset, removed), (2, vec![1]));
    assert_eq!(values(&given.recover(head, 50_000).missed.unwrap()), ["2"]);
}

#[test]
fn a_cleared_channel_goes_on_where_it_was() {
    let mut given = given(10);
    let (first, _) = given.publish("1", None, 0);
    let (head, _) = given.publish("2", Some("k"), 0);
    assert_eq!(given.streams.clear(&name("c")), [1, 2]);
    assert_eq!((given.streams.entries(), given.streams.bytes()), (0, 0));
    assert!(given.recover(head, 0).missed.is_ok());
    assert_eq!(given.reason(first, 0), Reason::Trimmed);
    let (next, removed) = given.publish("3", None, 0);
    assert_eq!((next.offset, removed.len()), (3, 0));
    assert_eq!(values(&given.recover(head, 0).missed.unwrap()), ["3"]);
}

#[test]
fn clearing_does_not_touch_what_is_not_settled() {
    let mut given = given(10);
    given.publish("1", None, 0);
    let pending = given.new_order("c", "2", None, 0);
    assert_eq!(given.streams.clear(&name("c")), [1]);
    given.stored("c", None, 0);
    assert_eq!(Some(given.head(0)), pending.position);
}
