use super::*;
use openline_engine::{GoLive, Lagging};

fn fell_behind(hub: &mut Hub<Line>) -> Vec<(Option<Position>, u64)> {
    hub.take_lagging().iter().map(|lagging| (lagging.since, lagging.has)).collect()
}

#[test]
fn a_full_line_resumes_without_loss_or_repeat() {
    let mut hub = Hub::default();
    live(&mut hub, "slow", "c", Some(at(0)));
    live(&mut hub, "quick", "c", Some(at(0)));
    post(&mut hub, "c", 1);
    drain(&mut hub);
    let mut full = Written { full: vec!["slow"], ..Written::default() };
    post(&mut hub, "c", 2);
    hub.drain_turn(&mut full);
    assert_eq!(full.got.keys().copied().collect::<Vec<_>>(), ["quick"]);
    let lagging = hub.take_lagging();
    let [Lagging { subscription, since, .. }] = lagging.as_slice() else { panic!("{lagging:?}") };
    assert_eq!(*since, Some(at(1)), "what did not go out is read again");
    post(&mut hub, "c", 3);
    assert_eq!(drain(&mut hub).deliveries, [("quick", true)], "told once, and nothing till then");
    assert_eq!(hub.take_lagging().len(), 0);
    // It reads 2 and 3; 4 comes meanwhile, and 5 in the turn in which it is back.
    post(&mut hub, "c", 4);
    drain(&mut hub);
    assert_eq!(hub.go_live(*subscription, Some(at(3))), GoLive::Behind);
    post(&mut hub, "c", 5);
    assert_eq!(hub.go_live(*subscription, Some(at(4))), GoLive::Live);
    assert_eq!(drain(&mut hub).got["slow"], ["5"]);
}

#[test]
fn what_a_line_has_already_is_told_when_it_falls_behind() {
    let mut hub = Hub::default();
    live(&mut hub, "old", "c", Some(at(1)));
    live(&mut hub, "ahead", "c", Some(at(3)));
    for offset in 2..=4 {
        post(&mut hub, "c", offset);
    }
    hub.drain_turn(&mut Written { full: vec!["ahead"], ..Written::default() });
    assert_eq!(fell_behind(&mut hub), [(Some(at(3)), 3)], "from what it has, not from the turn");
}

/// The store went back to 2 after a line had read 4, and the others had only heard of 1: what came by
/// joined, and the line got what followed on another 4.
#[test]
fn a_line_that_is_ahead_in_a_history_that_is_gone_reads_on_from_there() {
    let mut hub = Hub::default();
    live(&mut hub, "old", "c", Some(at(1)));
    live(&mut hub, "ahead", "c", Some(at(4)));
    post(&mut hub, "c", 2);
    let other = |offset: u64| Position { epoch: 1, offset, tag: offset * 10 + 1 };
    post_at(&mut hub, "c", other(3), at(2).tag);
    assert_eq!(drain(&mut hub).got, [("old", vec!["2".into(), "3".into()])].into());
    post_at(&mut hub, "c", other(4), other(3).tag);
    assert_eq!(fell_behind(&mut hub), [(Some(other(3)), 1), (Some(at(4)), 4)]);
}

#[test]
fn a_line_that_nothing_reaches_where_it_is_ahead_reads_on_after_two_reviews() {
    let mut hub = Hub::default();
    live(&mut hub, "old", "c", Some(at(1)));
    live(&mut hub, "reached", "c", Some(at(2)));
    live(&mut hub, "ahead", "c", Some(at(4)));
    hub.review();
    assert_eq!(fell_behind(&mut hub), []);
    post(&mut hub, "c", 2);
    drain(&mut hub);
    hub.review();
    assert_eq!(fell_behind(&mut hub), [(Some(at(4)), 4)]);
    hub.review();
    assert_eq!(fell_behind(&mut hub), []);
}

#[test]
fn a_line_that_has_read_what_another_history_has_in_the_turn_does_not_go_live() {
    let mut hub = Hub::default();
    live(&mut hub, "old", "c", Some(at(1)));
    let session = open(&mut hub, "new", 0);
    let subscription = hub.subscribe(session, &name("c")).unwrap();
    (2..=4).for_each(|offset| post(&mut hub, "c", offset));
    let other = Position { tag: 31, ..at(3) };
    assert_eq!(hub.go_live(subscription, Some(other)), GoLive::Behind);
    assert_eq!(fell_behind(&mut hub), [(Some(at(1)), 1)]);
}

#[test]
fn places_ahead_that_are_not_remembered_let_all_read_on() {
    let mut hub = Hub::default();
    live(&mut hub, "old", "c", Some(at(1)));
    (0..16).for_each(|number| _ = live(&mut hub, "ahead", "c", Some(at(2 + number))));
    assert_eq!(fell_behind(&mut hub), []);
    let session = open(&mut hub, "new", 0);
    let subscription = hub.subscribe(session, &name("c")).unwrap();
    assert_eq!(hub.go_live(subscription, Some(at(40))), GoLive::Behind);
    assert_eq!(fell_behind(&mut hub).len(), 17);
    assert_eq!(hub.go_live(subscription, Some(at(40))), GoLive::Live);
}

/// What had been gathered when the gap came was dropped, and not read again.
#[test]
fn a_gap_lets_all_read_on_from_before_the_turn() {
    let mut hub = Hub::default();
    live(&mut hub, "a", "c", Some(at(1)));
    live(&mut hub, "b", "c", Some(at(1)));
    post(&mut hub, "c", 2);
    post(&mut hub, "c", 4);
    assert_eq!(fell_behind(&mut hub), [(Some(at(1)), 1), (Some(at(1)), 1)]);
    post(&mut hub, "c", 5);
    assert_eq!(drain(&mut hub).deliveries, []);
}

/// It was taken for live, and the hole was never closed.
#[test]
fn whoever_read_less_than_a_gap_in_the_same_turn_reads_on() {
    let mut hub = Hub::default();
    live(&mut hub, "a", "c", Some(at(1)));
    post(&mut hub, "c", 2);
    post(&mut hub, "c", 4);
    let session = open(&mut hub, "late", 0);
    let subscription = hub.subscribe(session, &name("c")).unwrap();
    assert_eq!(hub.go_live(subscription, Some(at(2))), GoLive::Behind);
    assert_eq!(hub.go_live(subscription, Some(at(4))), GoLive::Live);
    post(&mut hub, "c", 5);
    assert_eq!(drain(&mut hub).got["late"], ["5"]);
}

#[test]
fn another_tag_than_the_last_one_is_a_gap() {
    let mut hub = Hub::default();
    live(&mut hub, "a", "c", Some(at(1)));
    post_at(&mut hub, "c", at(2), 11);
    assert_eq!(fell_behind(&mut hub), [(Some(at(1)), 1)]);
}

/// It was taken for one that everybody had, and skipped until the stream was further than before.
#[test]
fn an_offset_that_comes_again_is_a_gap() {
    let mut hub = Hub::default();
    live(&mut hub, "a", "c", Some(at(0)));
    for offset in 1..=5 {
        post(&mut hub, "c", offset);
    }
    drain(&mut hub);
    // The store went back to 2.
    post_at(&mut hub, "c", Position { tag: 33, ..at(3) }, 20);
    assert_eq!(fell_behind(&mut hub), [(Some(at(5)), 0)]);
}

#[test]
fn a_post_that_comes_twice_is_not_delivered_twice() {
    let mut hub = Hub::default();
    live(&mut hub, "a", "c", Some(at(0)));
    post(&mut hub, "c", 1);
    post(&mut hub, "c", 1);
    assert_eq!(drain(&mut hub).got["a"], ["1"]);
    assert_eq!(fell_behind(&mut hub), []);
}

#[test]
fn a_new_epoch_is_a_gap() {
    let mut hub = Hub::default();
    live(&mut hub, "a", "c", Some(at(5)));
    post_at(&mut hub, "c", Position { epoch: 2, ..at(1) }, 0);
    assert_eq!(fell_behind(&mut hub), [(Some(at(5)), 5)]);
}

/// A reader that was out of date took the channel back to the old epoch, and was not told of what
/// came until its offset was passed.
#[test]
fn a_position_of_another_epoch_is_read_again_and_so_are_those_of_the_others() {
    let mut hub = Hub::default();
    let (_, first) = live(&mut hub, "first", "c", Some(at(50)));
    let session = open(&mut hub, "second", 0);
    let second = hub.subscribe(session, &name("c")).unwrap();
    let renewed = Position { epoch: 2, ..at(1) };
    assert_eq!(hub.go_live(second, Some(renewed)), GoLive::Behind);
    assert_eq!(fell_behind(&mut hub), [(Some(at(50)), 50)]);
    assert_eq!(hub.go_live(second, Some(renewed)), GoLive::Live);
    assert_eq!(hub.go_live(first, Some(renewed)), GoLive::Live);
    post_at(&mut hub, "c", Position { epoch: 2, ..at(2) }, 10);
    let written = drain(&mut hub);
    assert_eq!((written.got["first"].len(), written.got["second"].len()), (1, 1));
}

#[test]
fn whoever_fell_behind_has_a_position_to_read_on_from() {
    let mut hub = Hub::default();
    let session = open(&mut hub, "a", 0);
    let subscription = hub.subscribe(session, &name("c")).unwrap();
    post(&mut hub, "c", 5);
    assert_eq!(hub.go_live(subscription, Some(at(4))), GoLive::Live);
    hub.drain_turn(&mut Written { full: vec!["a"], ..Written::default() });
    assert_eq!(fell_behind(&mut hub), [(Some(at(4)), 4)]);
}

#[test]
fn what_has_no_position_is_not_read_again() {
    let mut hub = Hub::default();
    let (_, subscription) = live(&mut hub, "a", "c", None);
    types(&mut hub, "c", "x", None);
    hub.drain_turn(&mut Written { full: vec!["a"], ..Written::default() });
    assert_eq!(fell_behind(&mut hub), [(None, 0)]);
    types(&mut hub, "c", "y", None);
    assert_eq!(drain(&mut hub).deliveries, []);
    hub.go_live(subscription, None);
    types(&mut hub, "c", "z", None);
    assert_eq!(drain(&mut hub).got["a"], ["z types"]);
}

#[test]
fn who_fell_behind_is_in_the_channel_and_who_is_not_there_yet_is_not() {
    let mut hub = Hub::default();
    let name = ChannelName::new("c").unwrap();
    live(&mut hub, "old", "c", Some(at(1)));
    let late = open(&mut hub, "late", 0);
    let subscription = hub.subscribe(late, &name).unwrap();
    assert_eq!(hub.members(&name).count(), 1, "it was told of nothing yet");
    post(&mut hub, "c", 2);
    drain(&mut hub);
    assert_eq!(hub.go_live(subscription, Some(at(1))), GoLive::Behind);
    hub.lose_place(&name, None);
    assert_eq!(fell_behind(&mut hub).len(), 1);
    assert_eq!(hub.members(&name).count(), 2);
    assert!(drain(&mut hub).deliveries.is_empty());
}
