use super::*;
use openline_engine::{GoLive, NotSubscribed};

#[test]
fn a_key_beyond_its_session_names_nothing() {
    let mut hub = Hub::default();
    let (old, subscription) = live(&mut hub, "old", "c", Some(at(0)));
    let (line, channels) = hub.close(old).unwrap();
    assert_eq!((line, channels), ("old", vec![name("c")]));
    // The next one takes its place.
    let (new, _) = live(&mut hub, "new", "c", Some(at(0)));
    assert_ne!(old, new);
    assert!(hub.close(old).is_none());
    assert_eq!(hub.line(old), None);
    assert!(!hub.is_subscribed(old, &name("c")));
    assert!(!hub.unsubscribe(old, &name("c")));
    assert_eq!(hub.go_live(subscription, None), GoLive::Ended);
    assert_eq!(hub.subscribe(old, &name("c")), Err(NotSubscribed::Ended));
    assert_eq!(hub.subscription_count(old), 0);
    assert_eq!((hub.len(), hub.line(new)), (1, Some(&"new")));
}

/// Its reader, which was on its way, made the next subscription live and sent twice what it had.
#[test]
fn a_subscription_that_ended_does_not_go_live_as_the_next_one() {
    let mut hub = Hub::default();
    let session = open(&mut hub, "a", 0);
    let first = hub.subscribe(session, &name("c")).unwrap();
    hub.unsubscribe(session, &name("c"));
    let second = hub.subscribe(session, &name("c")).unwrap();
    assert_eq!((first.session(), second.session()), (session, session));
    assert_eq!(hub.go_live(first, Some(at(1))), GoLive::Ended);
    post(&mut hub, "c", 2);
    assert_eq!(drain(&mut hub).deliveries, []);
    assert_eq!(hub.go_live(second, Some(at(2))), GoLive::Live);
}

#[test]
fn a_session_subscribes_to_a_channel_once() {
    let mut hub = Hub::default();
    let (session, _) = live(&mut hub, "a", "c", None);
    assert_eq!(hub.subscribe(session, &name("c")), Err(NotSubscribed::Already));
    assert_eq!(hub.subscription_count(session), 1);
}

/// Every way of taking one of five subscribers out leaves the other four in their places.
#[test]
fn subscribers_keep_their_places_when_others_leave() {
    const LINES: [Line; 5] = ["a", "b", "c", "d", "e"];
    for leaving in 0..5 {
        for second in 0..5 {
            let mut hub = Hub::default();
            let sessions = LINES.map(|line| {
                let session = open(&mut hub, line, 0);
                for channel in ["x", "y"] {
                    let subscription = hub.subscribe(session, &name(channel)).unwrap();
                    hub.go_live(subscription, Some(at(0)));
                }
                session
            });
            hub.unsubscribe(sessions[leaving], &name("x"));
            hub.close(sessions[second]);
            for (index, session) in sessions.iter().enumerate() {
                let stays = index != second;
                assert_eq!(hub.is_subscribed(*session, &name("x")), stays && index != leaving);
                assert_eq!(hub.is_subscribed(*session, &name("y")), stays);
            }
            post(&mut hub, "x", 1);
            let written = drain(&mut hub);
            let stay = |index: &usize| *index != leaving && *index != second;
            let lines: Vec<_> = (0..5).filter(stay).map(|index| LINES[index]).collect();
            assert_eq!(written.got.keys().copied().collect::<Vec<_>>(), lines);
            for session in sessions {
                hub.close(session);
            }
            assert!(hub.is_empty());
            post(&mut hub, "x", 2);
            assert_eq!(drain(&mut hub).deliveries, []);
        }
    }
}

#[test]
fn a_channel_that_ends_in_mid_turn_does_not_reach_the_one_in_its_place() {
    let mut hub = Hub::default();
    let (session, _) = live(&mut hub, "a", "old", Some(at(0)));
    post(&mut hub, "old", 1);
    hub.close(session);
    live(&mut hub, "b", "new", Some(at(0)));
    assert_eq!(drain(&mut hub).deliveries, []);
    post(&mut hub, "new", 1);
    assert_eq!(drain(&mut hub).got["b"], ["1"]);
}

#[test]
fn sessions_are_found_by_client_and_by_user() {
    let mut hub = Hub::default();
    let (first, second) = (open(&mut hub, "a", 0), open(&mut hub, "b", 0));
    hub.set_user(first, Some("ann".into()));
    hub.set_user(second, Some("ann".into()));
    assert_eq!(hub.user("ann"), [first, second]);
    hub.set_user(first, Some("bob".into()));
    assert_eq!((hub.user("ann"), hub.user("bob")), (&[second][..], &[first][..]));
    hub.close(first);
    assert_eq!((hub.user("bob"), hub.client("a"), hub.client("b")), (&[][..], None, Some(second)));
}

#[test]
fn a_client_that_comes_back_is_found_at_its_new_line() {
    let mut hub = Hub::default();
    let old = hub.open("old", "client".into(), 0);
    let new = hub.open("new", "client".into(), 0);
    assert_eq!(hub.client("client"), Some(new));
    hub.close(old);
    assert_eq!(hub.client("client"), Some(new));
}

#[test]
fn the_places_of_a_session_are_what_it_got_last_where_all_are_live() {
    let mut hub = Hub::default();
    let (session, _) = live(&mut hub, "a", "c", Some(at(1)));
    let places = |hub: &Hub<Line>| hub.places(session);
    assert_eq!(places(&hub), Some(vec![(name("c"), Some(at(1)))]));
    post(&mut hub, "c", 2);
    assert_eq!(places(&hub), None, "what waits has not reached it");
    drain(&mut hub);
    let bare = hub.subscribe(session, &name("bare")).unwrap();
    assert_eq!(places(&hub), None, "it reads what it missed");
    hub.go_live(bare, None);
    let both = vec![(name("c"), Some(at(2))), (name("bare"), None)];
    assert_eq!(places(&hub), Some(both));
    // One that has read more than came by is where it has read to.
    let (ahead, _) = live(&mut hub, "b", "c", Some(at(5)));
    assert_eq!(hub.places(ahead), Some(vec![(name("c"), Some(at(5)))]));
    hub.lose_place(&name("c"), None);
    assert_eq!(places(&hub), None, "it fell behind");
    hub.close(session);
    assert_eq!(places(&hub), None);
}
