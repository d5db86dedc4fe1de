use super::*;

/// An entry as the store has it. Its tag is its sequence.
fn record(offset: u64, sequence: u64, prev_tag: u64) -> Arc<Publication> {
    Arc::new(Publication {
        channel: name("c"),
        event: None,
        data: Data::Json(ByteString::from(sequence.to_string())),
        position: Some(Position { epoch: EPOCH, offset, tag: sequence }),
        prev_tag,
        timestamp: 0,
        from: None,
    })
}

/// Restores records of (offset, sequence, tag of the one before it) in their order.
fn restored(records: &[(u64, u64, u64)], key: Option<&str>) -> (Given, Vec<u64>) {
    let mut given = given(10);
    given.streams.set_epoch(EPOCH + 1);
    let mut removed = Vec::new();
    for (offset, sequence, prev_tag) in records {
        let key = key.map(|key| ByteString::from(format!("{key}{sequence}")));
        let publication = record(*offset, *sequence, *prev_tag);
        removed.extend(given.streams.restore(publication, key, given.history, *sequence, 10));
        given.sequence = *sequence;
    }
    (given, removed)
}

#[test]
fn a_stream_goes_on_where_the_store_has_it() {
    let (mut given, removed) = restored(&[(4, 14, 13), (5, 15, 14)], None);
    assert_eq!(removed, [0; 0]);
    assert_eq!(given.head(10), Position { epoch: EPOCH, offset: 5, tag: 15 });
    let (next, _) = given.publish("next", None, 10);
    assert_eq!((next.epoch, next.offset), (EPOCH, 6));
    let since = Position { epoch: EPOCH, offset: 3, tag: 13 };
    assert_eq!(values(&given.recover(since, 10).missed.unwrap()), ["14", "15", "next"]);
}

#[test]
fn a_hole_in_the_store_ends_what_was_before_it() {
    let (mut given, removed) = restored(&[(4, 14, 13), (6, 16, 15), (7, 17, 16)], None);
    assert_eq!(removed, [14]);
    let at = |offset, tag| Position { epoch: EPOCH, offset, tag };
    assert_eq!(given.reason(at(4, 14), 10), Reason::Trimmed);
    assert_eq!(values(&given.recover(at(5, 15), 10).missed.unwrap()), ["16", "17"]);
    assert_eq!(given.reason(at(5, 55), 10), Reason::Fork);
}

#[test]
fn what_was_taken_back_and_is_in_the_store_is_dropped_for_what_took_its_place() {
    let (mut given, removed) = restored(&[(4, 14, 13), (5, 15, 14), (5, 16, 14)], Some("k"));
    assert_eq!(removed, [15]);
    let since = Position { epoch: EPOCH, offset: 3, tag: 13 };
    assert_eq!(values(&given.recover(since, 10).missed.unwrap()), ["14", "16"]);
    // Its publisher was told that it failed: a retry is the first.
    given.new_order("c", "15", Some("k15"), 10);
    assert!(matches!(given.order("c", "14", Some("k14"), 10), Ordered::Duplicate { .. }));
    assert!(matches!(given.order("c", "16", Some("k16"), 10), Ordered::Duplicate { .. }));
}

#[test]
fn an_expired_head_is_restored_as_the_head() {
    let mut given = given(10);
    let removed = given.streams.restore(record(5, 15, 14), None, given.history, 15, 50_000);
    assert_eq!((removed.len(), given.streams.entries()), (0, 0));
    given.sequence = 15;
    let head = Position { epoch: EPOCH, offset: 5, tag: 15 };
    assert!(given.recover(head, 50_000).missed.is_ok());
    assert_eq!(given.publish("next", None, 50_000).1, [15]);
}

#[test]
fn keys_are_known_after_a_restart_for_the_rest_of_their_window() {
    let (mut given, _) = restored(&[(4, 14, 13)], Some("k"));
    let again = given.order("c", "14", Some("k14"), WINDOW_MS - 1);
    assert!(matches!(again, Ordered::Duplicate { pending: false, .. }), "{again:?}");
    given.new_order("c", "14", Some("k14"), WINDOW_MS);
}

#[test]
fn a_record_that_is_there_for_its_key_alone_stays() {
    let (mut given, removed) = restored(&[(1, 11, 0), (5, 15, 14)], Some("k"));
    assert_eq!(removed, [0; 0]);
    assert!(matches!(given.order("c", "11", Some("k11"), 10), Ordered::Duplicate { .. }));
    assert_eq!(given.streams.sweep(u64::MAX, WINDOW_MS, |_| false).removed, [11]);
}

#[test]
fn a_record_without_a_position_is_removed() {
    let mut given = given(10);
    let publication = Publication { position: None, ..(*record(1, 1, 0)).clone() };
    let removed = given.streams.restore(Arc::new(publication), None, given.history, 9, 0);
    assert_eq!(removed, [9]);
    assert_eq!(given.streams.entries(), 0);
}
