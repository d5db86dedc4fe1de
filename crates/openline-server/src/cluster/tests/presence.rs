//! Who is on a channel, over nodes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use openline_protocol::Member as Person;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use super::wire::Wire;
use super::{Member, name, nodes, pass};

/// A client comes to a channel, without a line.
fn come(node: &Member, channel: &str, client: &str, status: Option<&str>) {
    let (user, info, data) = (None, None, None);
    let person =
        Person { client_id: client.into(), user, info, status: status.map(Arc::from), data };
    let exchange = &node.server.node().exchange;
    exchange.join(&name(channel), 0, Some(person));
}

fn go(node: &Member, channel: &str, client: &str) {
    node.server.node().exchange.leave(&name(channel), 0, client);
}

fn ids(clients: &[&str]) -> (Vec<String>, u64) {
    let mut ids: Vec<_> = clients.iter().map(ToString::to_string).collect();
    ids.sort();
    (ids, clients.len() as u64)
}

#[tokio::test(start_paused = true)]
async fn members_of_all_nodes_are_seen_everywhere() {
    let wire = Wire::default();
    let [a, b, c] = nodes(&wire).await;
    let mut ann = a.server.client().user("ann").await;
    ann.subscribe("room").await.unwrap();
    pass(1000).await;
    let mut ben = b.server.client().user("ben").await;
    let request = json!({"type": "subscribe", "channels": ["room"]});
    let subscribed = ben.request(request.clone()).await.unwrap();
    assert_eq!(subscribed["data"]["room"]["members"], 2, "{subscribed}");
    let told = ann.expect("presence").await;
    assert_eq!(told.message["data"]["joined"][0]["clientId"], ben.id(), "{told:?}");
    assert_eq!(told.message["data"]["count"], 2);
    assert_eq!(a.members("room"), ids(&[ann.id(), ben.id()]));

    let away = json!({"type": "setPresence", "channel": "room", "status": "away"});
    ben.request(away).await.unwrap();
    let told = ann.expect("presence").await;
    assert_eq!(told.message["data"]["updated"][0]["status"], "away", "{told:?}");
    let listed = ann.request(json!({"type": "presence", "channel": "room"})).await.unwrap();
    assert_eq!(listed["data"]["count"], 2, "{listed}");

    let mut eve = c.server.client().await;
    assert_eq!(eve.request(request).await.unwrap()["data"]["room"]["members"], 3);
    assert_eq!(c.members("room"), ids(&[ann.id(), ben.id(), eve.id()]));
    ann.expect("presence").await;

    let of_ben = ben.id().to_owned();
    drop(ben);
    let told = ann.expect("presence").await;
    assert_eq!(told.message["data"]["left"][0]["clientId"], *of_ben, "{told:?}");
    assert_eq!(a.members("room"), ids(&[ann.id(), eve.id()]));
    assert_eq!(c.members("room"), ids(&[ann.id(), eve.id()]));
}

#[tokio::test(start_paused = true)]
async fn members_of_a_node_that_stops_are_gone_within_a_second() {
    let wire = Wire::default();
    let [a, b] = nodes(&wire).await;
    let mut ann = a.server.client().await;
    ann.subscribe("room").await.unwrap();
    for client in ["x", "y"] {
        come(&b, "room", client, None);
    }
    assert_eq!(ann.expect("presence").await.message["data"]["count"], 3);
    b.server.stop();
    pass(200).await;
    assert_eq!(a.members("room"), ids(&[ann.id()]));
    assert_eq!(ann.expect("presence").await.message["data"]["count"], 1);
    assert_eq!(a.cluster().peers().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn members_of_a_node_that_crashes_are_gone_within_ten_seconds() {
    let wire = Wire::default();
    let [a, b, c] = nodes(&wire).await;
    for (node, client) in [(&a, "a"), (&b, "b"), (&c, "c")] {
        come(node, "room", client, None);
    }
    pass(100).await;
    assert_eq!(a.members("room"), ids(&["a", "b", "c"]));
    b.crash();
    pass(3000).await;
    assert_eq!(a.members("room").1, 3, "it may come back");
    pass(6500).await;
    for node in [&a, &c] {
        assert_eq!(node.members("room"), ids(&["a", "c"]));
    }
    pass(60_000).await;
    assert_eq!(a.members("room"), ids(&["a", "c"]));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_cut_off_is_forgotten_and_returns() {
    for away_ms in [500, 2000, 4000, 6000, 20_000, 60_000] {
        let wire = Wire::default();
        let [a, b, c] = nodes(&wire).await;
        for (node, client) in [(&a, "a"), (&b, "b"), (&c, "c")] {
            come(node, "room", client, None);
        }
        pass(200).await;
        wire.cut(b.id());
        pass(away_ms / 2).await;
        come(&a, "room", "a2", None);
        go(&c, "room", "c");
        come(&b, "room", "b2", None);
        go(&b, "room", "b");
        come(&b, "hall", "b3", None);
        come(&c, "hall", "c3", None);
        pass(away_ms / 2).await;
        if away_ms >= 20_000 {
            assert_eq!(a.members("room"), ids(&["a", "a2"]));
        }
        wire.mend(b.id());
        pass(6000).await;
        for node in [&a, &b] {
            assert_eq!(node.members("room"), ids(&["a", "a2", "b2"]), "{away_ms} ms");
        }
        for node in [&b, &c] {
            assert_eq!(node.members("hall"), ids(&["b3", "c3"]), "{away_ms} ms");
        }
        assert_eq!(c.members("room"), ids(&[]), "nobody listens there");
    }
}

#[tokio::test(start_paused = true)]
async fn any_message_may_be_lost() {
    let mut number = 0;
    loop {
        let wire = Wire::default();
        let (sent, has_lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let lost = has_lost.clone();
        wire.lose(move |_, _, _| {
            let is_lost = sent.fetch_add(1, Ordering::Relaxed) == number;
            lost.fetch_or(is_lost, Ordering::Relaxed);
            is_lost
        });
        let (a, b) = (Member::start(&wire), Member::start(&wire));
        pass(10).await;
        come(&a, "room", "a1", None);
        a.cluster().meet(&name("room")).await;
        come(&b, "room", "b1", None);
        b.cluster().meet(&name("room")).await;
        pass(100).await;
        come(&a, "room", "a2", None);
        pass(100).await;
        go(&b, "room", "b1");
        pass(100).await;
        come(&b, "room", "b2", None);
        go(&a, "room", "a1");
        let is_late = has_lost.load(Ordering::Relaxed);
        // The first of these must not be the reason why the rest is heard.
        pass(12_000).await;
        for node in [&a, &b] {
            assert_eq!(node.members("room"), ids(&["a2", "b2"]), "without message {number}");
        }
        if !is_late && number > 40 {
            break;
        }
        number += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn large_channels_come_in_parts() {
    let wire = Wire::default();
    let [a, b] = nodes(&wire).await;
    for number in 0..2600 {
        come(&a, "room", &format!("a{number:05}"), Some("here"));
    }
    pass(100).await;
    come(&b, "room", "b", None);
    b.cluster().meet(&name("room")).await;
    assert_eq!(b.members("room").1, 2601, "they are counted at once");
    pass(100).await;
    let mut seen = BTreeSet::new();
    let mut after = None;
    loop {
        let page = b.server.node().exchange.members(&name("room"), after.as_deref(), Some(1000));
        seen.extend(page.members.iter().map(|member| member.client_id.to_string()));
        assert!(page.members.iter().all(|m| m.status.is_some() == (&*m.client_id != "b")));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 2601);
    for number in 0..2600 {
        go(&a, "room", &format!("a{number:05}"));
    }
    pass(100).await;
    assert_eq!(b.members("room"), ids(&["b"]));
}

/// Clients come and go at random on three nodes whose messages get lost at random.
#[tokio::test(start_paused = true)]
async fn whatever_happens_all_nodes_agree_in_the_end() {
    for seed in 0..20 {
        let mut random = SmallRng::seed_from_u64(seed);
        let wire = Wire::default();
        let nodes: [Member; 3] = nodes(&wire).await;
        let mut here: [BTreeSet<(usize, u32)>; 3] = Default::default();
        let channels = ["x", "y", "z"];
        let mut losing = SmallRng::seed_from_u64(seed + 1000);
        wire.lose(move |_, _, _| losing.random_ratio(1, 10));
        for step in 0..200_u32 {
            let at = random.random_range(0..3);
            let channel = random.random_range(0..3);
            match random.random_range(0..10) {
                0..6 => {
                    come(&nodes[at], channels[channel], &format!("c{step}"), None);
                    nodes[at].cluster().meet(&name(channels[channel])).await;
                    here[at].insert((channel, step));
                }
                6..9 => {
                    let count = here[at].len();
                    if count > 0 {
                        let of = *here[at].iter().nth(random.random_range(0..count)).unwrap();
                        here[at].remove(&of);
                        go(&nodes[at], channels[of.0], &format!("c{}", of.1));
                    }
                }
                _ => {
                    let of = nodes[at].id();
                    wire.cut(of);
                    pass(random.random_range(0..8000)).await;
                    wire.mend(of);
                }
            }
            pass(random.random_range(0..100)).await;
        }
        wire.lose(|_, _, _| false);
        pass(15_000).await;
        for (channel, name) in channels.into_iter().enumerate() {
            let all = here.iter().flatten().filter(|(on, _)| *on == channel);
            let mut all: Vec<_> = all.map(|(_, client)| format!("c{client}")).collect();
            all.sort();
            for (node, own) in nodes.iter().zip(&here) {
                if own.iter().any(|(on, _)| *on == channel) {
                    let count = all.len() as u64;
                    assert_eq!(node.members(name), (all.clone(), count), "seed {seed} {name}");
                }
            }
        }
    }
}
