use super::*;
use openline_engine::GoLive;

#[test]
fn a_turn_is_encoded_once_for_each_encoding_and_delivered_once_to_each_line() {
    let mut hub = Hub::default();
    for (line, encoding) in [("a", 0), ("b", 1), ("c", 0), ("d", 1), ("e", 0)] {
        let session = open(&mut hub, line, encoding);
        let subscription = hub.subscribe(session, &name("c")).unwrap();
        hub.go_live(subscription, Some(at(0)));
    }
    post(&mut hub, "c", 1);
    drain(&mut hub);
    post(&mut hub, "c", 2);
    post(&mut hub, "c", 3);
    let written = drain(&mut hub);
    assert_eq!(written.encoded, [(0, 2), (1, 2)]);
    assert_eq!(written.deliveries, ["a", "b", "c", "d", "e"].map(|line| (line, true)));
    assert!(written.got.values().all(|got| *got == ["2", "3"]));
    assert_eq!(drain(&mut hub).deliveries, []);
}

#[test]
fn whoever_joins_in_mid_turn_gets_nothing_from_before() {
    let mut hub = Hub::default();
    live(&mut hub, "old", "c", Some(at(0)));
    post(&mut hub, "c", 1);
    types(&mut hub, "c", "old", None);
    live(&mut hub, "new", "c", Some(at(1)));
    types(&mut hub, "c", "new", None);
    post(&mut hub, "c", 2);
    let written = drain(&mut hub);
    assert_eq!(written.got["old"], ["1", "old types", "new types", "2"]);
    assert_eq!(written.got["new"], ["new types", "2"]);
    assert_eq!(written.encoded.len(), 2);
}

#[test]
fn what_was_read_and_is_on_its_way_is_skipped() {
    let mut hub = Hub::default();
    live(&mut hub, "first", "c", Some(at(3)));
    post(&mut hub, "c", 2);
    post(&mut hub, "c", 3);
    post(&mut hub, "c", 4);
    live(&mut hub, "ahead", "c", Some(at(6)));
    post(&mut hub, "c", 5);
    drain(&mut hub);
    post(&mut hub, "c", 6);
    post(&mut hub, "c", 7);
    let written = drain(&mut hub);
    assert_eq!(written.got["first"], ["6", "7"]);
    assert_eq!(written.got["ahead"], ["7"]);
    assert_eq!(hub.take_lagging().len(), 0);
}

#[test]
fn whoever_read_less_than_went_by_reads_on() {
    let mut hub = Hub::default();
    let session = open(&mut hub, "a", 0);
    let subscription = hub.subscribe(session, &name("c")).unwrap();
    post(&mut hub, "c", 5);
    drain(&mut hub);
    assert_eq!(hub.go_live(subscription, Some(at(4))), GoLive::Behind);
    assert_eq!(hub.go_live(subscription, Some(at(5))), GoLive::Live);
    post(&mut hub, "c", 6);
    assert_eq!(drain(&mut hub).got["a"], ["6"]);
}

#[test]
fn whoever_read_less_than_stands_before_the_turn_reads_on() {
    let mut hub = Hub::default();
    let session = open(&mut hub, "a", 0);
    let subscription = hub.subscribe(session, &name("c")).unwrap();
    post(&mut hub, "c", 6);
    assert_eq!(hub.go_live(subscription, Some(at(4))), GoLive::Behind);
    assert_eq!(hub.go_live(subscription, Some(at(5))), GoLive::Live);
    assert_eq!(drain(&mut hub).got["a"], ["6"]);
}

#[test]
fn nobody_gets_anything_before_it_is_live_or_after_it_left() {
    let mut hub = Hub::default();
    let session = open(&mut hub, "joining", 0);
    hub.subscribe(session, &name("c")).unwrap();
    let (session, _) = live(&mut hub, "leaving", "c", Some(at(0)));
    post(&mut hub, "c", 1);
    assert!(hub.unsubscribe(session, &name("c")));
    assert!(!hub.unsubscribe(session, &name("c")));
    assert_eq!(drain(&mut hub).deliveries, []);
}

#[test]
fn the_sender_is_left_out_and_nobody_else() {
    let mut hub = Hub::default();
    for line in ["a", "b", "c"] {
        live(&mut hub, line, "c", Some(at(0)));
    }
    types(&mut hub, "c", "b", Some("b"));
    post(&mut hub, "c", 1);
    types(&mut hub, "c", "nobody", Some("gone"));
    let written = drain(&mut hub);
    assert_eq!(written.got["a"], ["b types", "1", "nobody types"]);
    assert_eq!(written.got["b"], ["1", "nobody types"]);
    assert_eq!(written.got["a"], written.got["c"]);
    assert_eq!(written.encoded.len(), 2);
}

#[test]
fn a_line_for_which_nothing_is_left_gets_no_batch() {
    let mut hub = Hub::default();
    live(&mut hub, "a", "c", None);
    types(&mut hub, "c", "a", Some("a"));
    assert_eq!(drain(&mut hub).deliveries, []);
}

#[test]
fn only_a_batch_that_is_surely_the_last_is_called_so() {
    let mut hub = Hub::default();
    let session = open(&mut hub, "a", 0);
    for channel in ["x", "y"] {
        let subscription = hub.subscribe(session, &name(channel)).unwrap();
        hub.go_live(subscription, Some(at(0)));
    }
    post(&mut hub, "x", 1);
    post(&mut hub, "y", 1);
    assert_eq!(drain(&mut hub).deliveries, [("a", false), ("a", false)]);
    post(&mut hub, "y", 2);
    assert_eq!(drain(&mut hub).deliveries, [("a", true)]);
}

#[test]
fn channels_without_positions_are_passed_on_as_they_come() {
    let mut hub = Hub::default();
    live(&mut hub, "a", "c", None);
    types(&mut hub, "c", "x", None);
    assert_eq!(drain(&mut hub).got["a"], ["x types"]);
    assert_eq!(drain(&mut hub).got.len(), 0);
}

#[test]
fn a_post_to_a_channel_without_subscribers_goes_nowhere() {
    let mut hub: Hub<Line> = Hub::default();
    post(&mut hub, "c", 1);
    live(&mut hub, "a", "c", Some(at(1)));
    assert_eq!(drain(&mut hub).deliveries, []);
}
