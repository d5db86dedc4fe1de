use super::*;

#[test]
fn a_reader_gets_all_that_it_missed_in_order() {
    let mut given = given(10);
    let (first, _) = given.publish("1", None, 0);
    given.publish("2", None, 0);
    let (last, _) = given.publish("3", None, 0);
    let recovery = given.recover(first, 0);
    assert_eq!(values(&recovery.missed.unwrap()), ["2", "3"]);
    assert_eq!(recovery.head, last);
    assert_eq!(values(&given.recover(beginning(), 0).missed.unwrap()), ["1", "2", "3"]);
}

#[test]
fn a_reader_at_the_head_has_missed_nothing() {
    let mut given = given(10);
    let (head, _) = given.publish("1", None, 0);
    assert_eq!(given.recover(head, 0).missed.unwrap().len(), 0);
}

#[test]
fn a_channel_without_publications_has_a_beginning_to_recover_from() {
    let mut given = given(10);
    assert_eq!(given.recover(beginning(), 0).missed.unwrap().len(), 0);
    assert_eq!(given.reason(Position { tag: 1, ..beginning() }, 0), Reason::Fork);
    assert_eq!(given.reason(Position { epoch: 8, ..beginning() }, 0), Reason::Epoch);
}

#[test]
fn what_is_older_than_the_channel_keeps_it_has_expired() {
    let mut given = given(10);
    let (first, _) = given.publish("1", None, 0);
    given.publish("2", None, 5);
    assert_eq!(given.recover(first, 10_004).missed.unwrap().len(), 1);
    assert_eq!(given.reason(first, 10_005), Reason::Expired);
}

#[test]
fn what_is_beyond_the_size_is_trimmed() {
    let mut given = given(2);
    let (first, _) = given.publish("1", None, 0);
    given.publish("2", None, 0);
    given.publish("3", None, 0);
    assert_eq!(given.recover(first, 0).missed.unwrap().len(), 2);
    given.publish("4", None, 0);
    assert_eq!(given.reason(first, 0), Reason::Trimmed);
}

#[test]
fn a_reader_that_is_ahead_read_what_this_store_lost() {
    let mut given = given(10);
    let (head, _) = given.publish("1", None, 0);
    assert_eq!(given.reason(Position { offset: 2, ..head }, 0), Reason::Fork);
    assert_eq!(given.reason(Position { offset: u64::MAX, ..head }, 0), Reason::Fork);
}

#[test]
fn another_tag_at_the_head_or_in_the_middle_is_a_fork() {
    let mut given = given(10);
    let (first, _) = given.publish("1", None, 0);
    let (middle, _) = given.publish("2", None, 0);
    let (head, _) = given.publish("3", None, 0);
    for at in [first, middle, head] {
        assert!(given.recover(at, 0).missed.is_ok());
        assert_eq!(given.reason(Position { tag: at.tag + 1, ..at }, 0), Reason::Fork);
    }
}

#[test]
fn more_than_one_answer_holds_is_not_given_in_part() {
    let mut given = given(10);
    given.publish("11", None, 0);
    given.publish("22", None, 0);
    let mut missed = |publications_max, bytes_max| {
        let limits = PageLimits { publications_max, bytes_max };
        let (recovery, _) = given.streams.recover(&name("c"), beginning(), &limits, 0);
        recovery.missed.map(|missed| missed.len())
    };
    assert_eq!(missed(2, 4), Ok(2));
    assert_eq!(missed(1, 4), Err(Reason::Limit));
    assert_eq!(missed(2, 3), Err(Reason::Limit));
}
