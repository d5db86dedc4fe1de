//! Of all channels: subscriptions, links that come and go, and a node that stood still.

use super::*;

/// A trial that listens to channels of these names.
fn listening_to(names: &[&str]) -> Trial {
    let mut trial = Trial::new();
    trial.feed.handle_up();
    names.iter().for_each(|channel| trial.feed.want(&name(channel)));
    trial.settle();
    trial.take();
    trial
}

#[test]
fn what_is_wanted_before_there_is_a_link_is_subscribed_to_with_it() {
    let mut trial = Trial::new();
    trial.feed.want(&name("b"));
    trial.feed.want(&name("a"));
    assert_eq!(trial.asks(), [""; 0]);
    assert!(!trial.feed.is_ready(&name("a")));
    trial.feed.handle_up();
    assert_eq!(trial.asks(), ["subscribe a b"]);
    trial.settle();
    assert_eq!(trial.take(), ["ready a", "ready b", "whole"]);
    assert!(trial.feed.is_ready(&name("a")));
}

#[test]
fn what_waits_for_an_answer_goes_together() {
    let mut trial = Trial::new();
    trial.feed.handle_up();
    let names = ["c", "d", "a", "b"];
    names.iter().for_each(|channel| trial.feed.want(&name(channel)));
    assert_eq!(trial.asks(), ["subscribe c"]);
    trial.answer();
    assert_eq!(trial.asks(), ["subscribe a b d"]);
}

#[test]
fn a_question_names_so_many_channels_at_most() {
    let mut trial = Trial::new();
    (0..25).for_each(|number| trial.feed.want(&name(&format!("{number:02}"))));
    trial.feed.handle_up();
    let mut sizes = Vec::new();
    while let Some(FeedEffect::Subscribe(channels)) = {
        trial.look();
        trial.asked.first()
    } {
        sizes.push(channels.len());
        trial.answer();
    }
    assert_eq!(sizes, [10, 10, 5]);
    trial.take();
    trial.tick(LIMITS.probe_interval_ms);
    let mut located = Vec::new();
    while let Some(FeedEffect::Locate(channels)) = {
        trial.look();
        trial.asked.first()
    } {
        located.extend(channels.iter().map(|channel| channel.as_str().to_owned()));
        assert_eq!(trial.asked.len(), 1, "one question at a time");
        trial.answer();
    }
    assert_eq!(located, (0..25).map(|number| format!("{number:02}")).collect::<Vec<_>>());
}

#[test]
fn nothing_is_handed_on_of_what_is_not_wanted_any_more() {
    let mut trial = listening_to(&["room"]);
    trial.feed.unwant(&name("room"));
    assert_eq!(trial.asks(), ["unsubscribe room"]);
    trial.put("a");
    trial.settle();
    assert_eq!(trial.take(), [""; 0]);
    assert!(trial.feed.is_empty());
}

#[test]
fn what_is_wanted_again_is_subscribed_to_behind_the_unsubscribing() {
    let mut trial = listening_to(&["room"]);
    trial.feed.unwant(&name("room"));
    trial.look();
    trial.feed.want(&name("room"));
    assert_eq!(trial.asks(), ["unsubscribe room"]);
    trial.answer();
    assert_eq!(trial.asks(), ["subscribe room"]);
    trial.publish("before");
    trial.settle();
    trial.put("a");
    assert_eq!(trial.take(), ["ready room", "a"], "it begins anew");
}

#[test]
fn what_is_left_while_it_is_subscribed_to_is_unsubscribed_from() {
    let mut trial = Trial::new();
    trial.feed.handle_up();
    trial.feed.want(&name("room"));
    trial.look();
    trial.feed.unwant(&name("room"));
    assert_eq!(trial.asks(), ["subscribe room"]);
    trial.answer();
    assert_eq!(trial.asks(), ["unsubscribe room"]);
    // And the same with one that comes back.
    trial.feed.want(&name("room"));
    trial.feed.unwant(&name("room"));
    trial.feed.want(&name("room"));
    trial.answer();
    trial.settle();
    assert_eq!(trial.take(), ["whole", "ready room"]);
    assert!(trial.feed.is_ready(&name("room")));
}

#[test]
fn a_read_of_what_was_left_meanwhile_counts_nothing() {
    let mut trial = listening_to(&["room"]);
    trial.publish("lost");
    trial.put("a");
    let read = trial.asked.remove(0);
    trial.feed.unwant(&name("room"));
    trial.feed.want(&name("room"));
    trial.settle();
    trial.answer_with(read);
    trial.put("b");
    assert_eq!(trial.take(), ["ready room", "b"]);
}

#[test]
fn what_was_refused_is_asked_for_again_with_the_next_tick() {
    let mut trial = Trial::new();
    trial.feed.handle_up();
    trial.feed.want(&name("room"));
    trial.look();
    trial.refuse();
    assert_eq!(trial.asks(), [""; 0], "not at once");
    trial.tick(100);
    assert_eq!(trial.asks(), ["subscribe room"]);
    trial.settle();
    assert_eq!(trial.take(), ["whole", "ready room"]);
    trial.tick(LIMITS.probe_interval_ms);
    trial.refuse();
    assert_eq!(trial.asks(), [""; 0], "not at once");
    trial.tick(100);
    assert_eq!(trial.asks(), ["locate room"]);
}

#[test]
fn after_the_link_was_gone_only_what_differs_is_read() {
    let names: Vec<_> = (0..30).map(|number| format!("room:{number:02}")).collect();
    let mut trial = listening_to(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for channel in &names {
        let publication = trial.store.publish(channel, channel);
        trial.arrive(&publication);
    }
    trial.take();
    trial.feed.handle_down();
    assert!(!trial.feed.is_ready(&name("room:07")));
    trial.store.publish("room:07", "missed");
    trial.tick(LIMITS.probe_interval_ms);
    assert_eq!(trial.asks(), [""; 0], "there is nobody to ask");
    trial.feed.handle_up();
    trial.settle();
    let did: Vec<_> = trial.take().into_iter().filter(|did| !did.starts_with("ready")).collect();
    assert_eq!(did.iter().filter(|did| *did != "whole").collect::<Vec<_>>(), ["missed"]);
    assert_eq!((did.len(), trial.reads), (2, 1));
}

#[test]
fn what_cannot_be_had_after_the_link_was_gone_is_lost() {
    let mut trial = listening_to(&["room"]);
    trial.put("a");
    trial.feed.handle_down();
    trial.store.forget();
    trial.feed.handle_up();
    trial.settle();
    trial.put("b");
    assert_eq!(trial.take(), ["a", "ready room", "whole", "lost room", "b"]);
}

#[test]
fn an_answer_that_is_of_a_link_that_is_gone_counts_nothing() {
    let mut trial = Trial::new();
    trial.feed.handle_up();
    trial.feed.want(&name("room"));
    trial.look();
    let subscribe = trial.asked.remove(0);
    trial.feed.handle_down();
    trial.feed.handle_up();
    assert_eq!(trial.asks(), [""; 0], "one question at a time");
    trial.answer_with(subscribe);
    assert!(!trial.feed.is_ready(&name("room")), "that subscription is gone");
    assert_eq!(trial.asks(), ["subscribe room"]);
    trial.settle();
    assert!(trial.feed.is_ready(&name("room")));
    // Also when there is none yet that took its place.
    trial.feed.want(&name("other"));
    trial.look();
    trial.feed.handle_down();
    trial.answer();
    assert!(!trial.feed.is_ready(&name("other")));
    trial.feed.handle_up();
    trial.settle();
    // Of a probe the same: what it said may be of before something that was handed on since.
    trial.tick(LIMITS.probe_interval_ms);
    let locate = trial.asked.remove(0);
    trial.feed.handle_down();
    trial.feed.handle_up();
    trial.settle();
    trial.put("a");
    trial.answer_with(locate);
    assert_eq!(trial.asks(), [""; 0]);
}

#[test]
fn a_node_that_stood_still_compares_all_heads_before_it_goes_on() {
    let mut trial = listening_to(&["other", "room"]);
    trial.put("a");
    trial.publish("lost");
    trial.feed.handle_stall();
    assert_eq!(trial.asks(), ["locate other room"]);
    let b = trial.publish("b");
    let other = trial.store.publish("other", "x");
    trial.arrive(&other);
    trial.arrive(&b);
    assert_eq!(trial.take(), ["a"], "nothing before that");
    trial.settle();
    trial.put("c");
    assert_eq!(trial.take(), ["whole", "x", "lost", "b", "c"]);
}

#[test]
fn a_read_that_was_under_way_when_the_node_stood_still_is_made_again() {
    let mut trial = listening_to(&["room"]);
    trial.publish("lost");
    trial.put("a");
    let read = trial.asked.remove(0);
    trial.feed.handle_stall();
    trial.answer_with(read);
    assert_eq!(trial.take(), [""; 0]);
    trial.settle();
    assert_eq!(trial.take(), ["whole", "lost", "a"]);
}

#[test]
fn so_many_reads_are_made_at_once() {
    let mut trial = listening_to(&["a", "b", "c", "d"]);
    for channel in ["a", "b", "c", "d"] {
        trial.store.publish(channel, "lost");
        let publication = trial.store.publish(channel, channel);
        trial.arrive(&publication);
    }
    assert_eq!(trial.asks(), ["read a after 0", "read b after 0"]);
    trial.answer();
    assert_eq!(trial.asks(), ["read b after 0", "read c after 0"]);
    trial.settle();
    assert_eq!(trial.take(), ["lost", "a", "lost", "b", "lost", "c", "lost", "d"]);
}

#[test]
fn it_says_when_all_is_heard_again() {
    let mut trial = listening_to(&["a", "b"]);
    trial.feed.handle_up();
    trial.look();
    trial.refuse();
    assert_eq!(trial.take(), [""; 0]);
    trial.tick(100);
    trial.settle();
    assert_eq!(trial.take(), ["ready a", "ready b", "whole"]);
    trial.probe();
    assert_eq!(trial.take(), [""; 0], "once");
}
