//! What a node takes from others that say too much, or nonsense.

use std::sync::Arc;

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

use super::wire::Wire;
use super::{Member, name, nodes, pass};
use crate::broker::NodeId;
use crate::cluster::message::{Heartbeat, Members, Message, News};
use crate::cluster::wire::{At, Name, Person};
use openline_engine::Mark;
use openline_protocol as protocol;

/// A node that is none.
const LIAR: NodeId = NodeId(7);

fn person(client: String) -> Person {
    let (user, info, status, data) = (None, None, None, None);
    Person::from(&protocol::Member { client_id: client.into(), user, info, status, data })
}

fn at(life: u64, seq: u64) -> At {
    At::from(Mark { life, seq })
}

fn say(wire: &Wire, to: &Member, on: Option<&str>, message: &Message) {
    let channel = on.map(name);
    wire.inject(LIAR, to.id(), channel.as_ref(), message.to_bytes().unwrap());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_understood_is_counted_and_nothing_else() {
    let wire = Wire::default();
    let [a, _b] = nodes(&wire).await;
    let good = Message::Heartbeat(Heartbeat::default()).to_bytes().unwrap();
    let mut other = good.to_vec();
    other[0] = 2;
    wire.inject(LIAR, a.id(), None, other.into());
    wire.inject(LIAR, a.id(), None, Bytes::new());
    wire.inject(LIAR, a.id(), None, good.slice(..good.len() - 1));
    wire.inject(LIAR, a.id(), None, vec![1; crate::cluster::message::MESSAGE_BYTES_MAX + 1].into());
    pass(10).await;
    assert_eq!(a.cluster().talk().unknown, 4);
    assert_eq!(a.cluster().talk().nodes, 2);
}

#[tokio::test(start_paused = true)]
async fn random_bytes_do_no_harm() {
    let wire = Wire::default();
    let [a, b] = nodes(&wire).await;
    let mut ann = a.server.client().await;
    ann.subscribe("room").await.unwrap();
    let mut random = SmallRng::seed_from_u64(1);
    for number in 0..20_000_u32 {
        let mut said = vec![0; random.random_range(2..60)];
        random.fill_bytes(&mut said);
        said[0] = 1;
        said[1] %= 32;
        let channel = (number % 2 == 0).then(|| name("room"));
        wire.inject(b.id(), a.id(), channel.as_ref(), said.into());
        if number % 100 == 0 {
            pass(1).await;
        }
    }
    pass(20_000).await;
    let mut ben = b.server.client().await;
    ben.subscribe("room").await.unwrap();
    pass(200).await;
    let mut ids = vec![ann.id().to_owned(), ben.id().to_owned()];
    ids.sort();
    assert_eq!(b.members("room"), (ids, 2));
    ann.request(serde_json::json!({"type": "ping"})).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_not_known_is_not_believed() {
    let wire = Wire::default();
    let [a, _b] = nodes(&wire).await;
    let mut ann = a.server.client().await;
    ann.subscribe("room").await.unwrap();
    let (here, left) = (vec![person("ghost".to_owned())], Vec::new());
    let news = News { at: at(1, 1), count: 1, here, left, incomplete: false };
    say(&wire, &a, Some("room"), &Message::News(news));
    pass(100).await;
    assert_eq!(a.members("room").1, 1);
}

#[tokio::test(start_paused = true)]
async fn a_million_members_are_counted_and_not_all_named() {
    let wire = Wire::default();
    let [a] = nodes(&wire).await;
    let mut ann = a.server.client().await;
    ann.subscribe("room").await.unwrap();
    let heartbeat = Message::Heartbeat(Heartbeat { name: "liar".into(), ..Heartbeat::default() });
    let mut number = 0;
    for seq in 1..=200 {
        say(&wire, &a, None, &heartbeat);
        let here = (0..5000).map(|_| {
            number += 1;
            person(format!("c{number}"))
        });
        let (here, left) = (here.collect(), Vec::new());
        let news = News { at: at(1, seq), count: number, here, left, incomplete: false };
        say(&wire, &a, Some("room"), &Message::News(news));
        pass(1).await;
    }
    assert_eq!(a.server.node().exchange.member_count(&name("room")), 1_000_001);
    let names = a.cluster().interest.with_roster(&name("room"), |roster| roster.remote_names());
    assert!(names.unwrap() <= 1 << 16, "{names:?}");
    pass(10_000).await;
    assert_eq!(a.members("room").1, 1, "it is not heard any more");
}

#[tokio::test(start_paused = true)]
async fn parts_that_lead_nowhere_end() {
    let wire = Wire::default();
    let [a] = nodes(&wire).await;
    let mut ann = a.server.client().await;
    ann.subscribe("room").await.unwrap();
    for _ in 0..50 {
        say(&wire, &a, None, &Message::Heartbeat(Heartbeat::default()));
        for (after, until) in [(None, Some("m")), (Some("m"), Some("m")), (Some("z"), Some("a"))] {
            let (after, until) = (after.map(Arc::from), until.map(Arc::from));
            let members = vec![person("x".to_owned())];
            let (at, channel) = (Some(at(1, 1)), Name(name("room")));
            let members = Members { ask: 0, channel, at, count: 1, after, members, until };
            say(&wire, &a, None, &Message::Members(members));
        }
        pass(100).await;
    }
    assert!(a.members("room").1 <= 2);
    assert!(a.cluster().talk().sent < 500, "{:?}", a.cluster().talk());
}

#[tokio::test(start_paused = true)]
async fn there_are_not_more_nodes_than_may_be() {
    let wire = Wire::default();
    let [a] = nodes(&wire).await;
    let heartbeat = Message::Heartbeat(Heartbeat::default()).to_bytes().unwrap();
    for node in 1..5000 {
        wire.inject(NodeId(node), a.id(), None, heartbeat.clone());
    }
    pass(100).await;
    assert_eq!(a.cluster().talk().nodes, 1025);
    pass(10_000).await;
    assert_eq!(a.cluster().talk().nodes, 1);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_keep_up_begins_anew() {
    let wire = Wire::default();
    let [a, b] = nodes(&wire).await;
    let mut ann = a.server.client().await;
    ann.subscribe("room").await.unwrap();
    let mut ben = b.server.client().await;
    ben.subscribe("room").await.unwrap();
    let long = Message::Dismiss {
        to: crate::cluster::Addressed {
            namespace: "x".repeat(900 << 10),
            rooms: None,
            clients: Vec::new(),
            except_rooms: Vec::new(),
            except_clients: Vec::new(),
        },
        reason: String::new(),
    };
    let long = long.to_bytes().unwrap();
    for _ in 0..200 {
        wire.inject(b.id(), a.id(), None, long.clone());
    }
    pass(3000).await;
    assert_eq!(a.members("room").1, 2);
    assert_eq!(a.cluster().talk().nodes, 2);
}
