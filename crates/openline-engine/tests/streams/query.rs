use super::*;
use openline_engine::{Page, Query};

fn filled(count: u64) -> Given {
    let mut given = given(100);
    for number in 0..count {
        given.publish(&number.to_string(), None, number * 10);
    }
    given
}

fn ask(given: &mut Given, query: Query, limits: PageLimits) -> Result<Page, Reason> {
    given.streams.query(&name("c"), &query, &limits, 0).0
}

fn numbers(count: u64) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

#[test]
fn the_newest_are_given_unless_it_is_said_where_to_begin() {
    let mut given = filled(10);
    let query = Query { limit: Some(3), ..Query::default() };
    let page = ask(&mut given, query, ALL).unwrap();
    assert_eq!(values(&page.publications), ["7", "8", "9"]);
    assert!(page.more);
    let query = Query { limit: Some(2), since: Some(beginning()), ..Query::default() };
    assert_eq!(values(&ask(&mut given, query, ALL).unwrap().publications), ["0", "1"]);
    let query = Query { limit: Some(2), since_time: Some(35), ..Query::default() };
    assert_eq!(values(&ask(&mut given, query, ALL).unwrap().publications), ["4", "5"]);
    let query = Query { limit: Some(2), reverse: true, ..Query::default() };
    assert_eq!(values(&ask(&mut given, query, ALL).unwrap().publications), ["9", "8"]);
}

#[test]
fn pages_forward_join_without_hole_or_repeat() {
    let mut given = filled(10);
    let (mut since, mut seen) = (beginning(), Vec::new());
    loop {
        let query = Query { since: Some(since), limit: Some(3), ..Query::default() };
        let page = ask(&mut given, query, ALL).unwrap();
        seen.extend(values(&page.publications));
        let Some(last) = page.publications.last().filter(|_| page.more) else { break };
        since = last.position.unwrap();
    }
    assert_eq!(seen, numbers(10));
}

#[test]
fn pages_backward_join_without_hole_or_repeat() {
    for reverse in [false, true] {
        let mut given = filled(10);
        let (mut before, mut seen) = (None, Vec::new());
        loop {
            let query = Query { before, limit: Some(3), reverse, ..Query::default() };
            let mut page = ask(&mut given, query, ALL).unwrap();
            if !reverse {
                page.publications.reverse();
            }
            seen.extend(values(&page.publications));
            if !page.more {
                break;
            }
            before = page.publications.last().and_then(|last| last.position);
        }
        seen.reverse();
        assert_eq!(seen, numbers(10), "reverse: {reverse}");
    }
}

#[test]
fn the_bounds_may_be_given_together() {
    let mut given = filled(10);
    let all = ask(&mut given, Query::default(), ALL).unwrap().publications;
    let at = |index: usize| all[index].position;
    let query = Query { since: at(2), before: at(6), ..Query::default() };
    assert_eq!(values(&ask(&mut given, query, ALL).unwrap().publications), ["3", "4", "5"]);
    let query = Query { since: at(6), before: at(2), ..Query::default() };
    let page = ask(&mut given, query, ALL).unwrap();
    assert_eq!((page.publications.len(), page.more), (0, false));
}

#[test]
fn a_page_ends_at_the_limits() {
    let mut given = filled(10);
    let limits = PageLimits { publications_max: 4, bytes_max: 3 };
    let page = ask(&mut given, Query::default(), limits).unwrap();
    assert_eq!(values(&page.publications), ["7", "8", "9"]);
    let query = Query { limit: Some(0), ..Query::default() };
    let page = ask(&mut given, query, ALL).unwrap();
    assert_eq!((page.publications.len(), page.more), (0, true));
}

/// Pages were empty from there on, for ever.
#[test]
fn a_publication_that_is_larger_than_a_page_is_a_page() {
    let mut given = given(10);
    given.publish("\"long\"", None, 0);
    given.publish("2", None, 0);
    let limits = PageLimits { publications_max: 10, bytes_max: 3 };
    let query = Query { since: Some(beginning()), ..Query::default() };
    let page = ask(&mut given, query, limits).unwrap();
    assert_eq!((values(&page.publications), page.more), (vec!["\"long\"".to_owned()], true));
}

#[test]
fn a_position_of_another_history_is_refused() {
    let mut given = filled(10);
    let head = given.head(0);
    let mut refused = |position| {
        let since = Query { since: Some(position), ..Query::default() };
        let before = Query { before: Some(position), ..Query::default() };
        [since, before].map(|query| ask(&mut given, query, ALL).err())
    };
    assert_eq!(refused(Position { epoch: 8, ..head }), [Some(Reason::Epoch); 2]);
    assert_eq!(refused(Position { tag: 1, ..head }), [Some(Reason::Fork); 2]);
    assert_eq!(refused(Position { tag: 1, offset: 4, ..head }), [Some(Reason::Fork); 2]);
    assert_eq!(refused(Position { offset: 11, ..head }), [Some(Reason::Fork); 2]);
    assert_eq!(refused(head), [None; 2]);
}

#[test]
fn nothing_is_before_what_is_gone() {
    let mut given = filled(10);
    let first = Position { offset: 1, tag: 101, epoch: EPOCH };
    given.history.size = 3;
    given.publish("10", None, 0);
    let query = Query { before: Some(first), ..Query::default() };
    let page = ask(&mut given, query, ALL).unwrap();
    assert_eq!((page.publications.len(), page.more), (0, false));
    let query = Query { since: Some(first), ..Query::default() };
    assert_eq!(ask(&mut given, query, ALL).unwrap_err(), Reason::Trimmed);
}
