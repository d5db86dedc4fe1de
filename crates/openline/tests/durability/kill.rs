//! `kill -9` while clients publish, again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::home::{Entry, Home, Running};
use crate::line::Line;

/// Each publisher's channel. The last keeps few entries, so that the store has to forget as well.
const PUBLISHERS: [&str; 5] = ["a", "b", "a", "b", FEW];
const CHANNELS: [&str; 2] = ["a", "b"];
const FEW: &str = "few:c";
const KEPT_OF_FEW: usize = 30;

/// What a publisher sends in one round at most: all that a subscriber may miss is given at a time.
const SENT_MAX: usize = 300;
const IN_FLIGHT_MAX: usize = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acked_outlives_20_kills_at_its_position() {
    kill_while_publishing(20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long; `make check-all` runs it"]
async fn what_was_acked_outlives_100_kills_at_its_position() {
    kill_while_publishing(100).await;
}

/// What a publisher sent in a round, in its order.
struct Sent {
    channel: &'static str,
    /// Each with its position, if it was acked.
    keys: Vec<(String, Option<String>)>,
}

/// What is known of a channel: all its entries so far.
type Known = BTreeMap<&'static str, Vec<Entry>>;

async fn kill_while_publishing(rounds: usize) {
    let home = Home::new();
    let mut known: Known = CHANNELS.iter().map(|channel| (*channel, Vec::new())).collect();
    let mut few = 0;
    for round in 0..rounds {
        let server = home.start();
        let (sent, seen) = publish_until_killed(server, round, &known).await;
        let server = home.start();
        for channel in CHANNELS {
            check(&server, channel, &sent, &seen[channel], known.get_mut(channel).unwrap()).await;
        }
        few = check_few(&server, &sent, few).await;
        // This end is not gentle either.
        server.kill();
    }
    let server = home.start();
    for (channel, entries) in known {
        assert!(entries.len() > rounds * 5, "{} entries are no test", entries.len());
        assert_eq!(server.history(channel, None), entries, "all of all rounds");
    }
    assert!(!home.log().contains("store_set_aside"), "{}", home.log());
}

/// Runs publishers and subscribers, and kills the server amidst them.
async fn publish_until_killed(
    server: Running,
    round: usize,
    known: &Known,
) -> (Vec<Sent>, BTreeMap<&'static str, Vec<Entry>>) {
    let mut subscribers = Vec::new();
    for channel in CHANNELS {
        subscribers.push((channel, subscriber(&server, channel, &known[channel]).await));
    }
    let acks = Arc::new(AtomicUsize::new(0));
    let mut publishers = Vec::new();
    for number in 0..PUBLISHERS.len() {
        let line = server.line().await;
        publishers.push(tokio::spawn(publisher(line, round, number, acks.clone())));
    }
    let enough = 20 + round * 97 % 700;
    while acks.load(Ordering::SeqCst) < enough {
        tokio::task::yield_now().await;
    }
    server.kill();
    let mut sent = Vec::new();
    for publisher in publishers {
        sent.push(publisher.await.unwrap());
    }
    let mut seen = BTreeMap::new();
    for (channel, subscriber) in subscribers {
        seen.insert(channel, subscriber.await.unwrap());
    }
    (sent, seen)
}

/// Publishes with several in flight until the line ends.
async fn publisher(mut line: Line, round: usize, number: usize, acks: Arc<AtomicUsize>) -> Sent {
    let channel = PUBLISHERS[number];
    let mut sent = Sent { channel, keys: Vec::new() };
    let mut acked = 0;
    loop {
        while sent.keys.len() < SENT_MAX && sent.keys.len() - acked < IN_FLIGHT_MAX {
            let key = format!("{round}-{number}-{}", sent.keys.len());
            let message = publish(channel, &key, sent.keys.len());
            sent.keys.push((key, None));
            if !line.say(&message).await {
                break;
            }
        }
        let Some(answer) = line.next().await else { return sent };
        assert_eq!(
            (answer["type"].as_str(), answer["level"].as_str()),
            (Some("published"), Some("os"))
        );
        let id = usize::try_from(answer["id"].as_u64().unwrap()).unwrap();
        sent.keys[id].1 = Some(answer["position"].as_str().unwrap().to_owned());
        acked += 1;
        acks.fetch_add(1, Ordering::SeqCst);
    }
}

fn publish(channel: &str, key: &str, id: usize) -> Value {
    json!({ "type": "publish", "id": id, "channel": channel, "data": key, "key": key })
}

/// Goes on where the last one ended, and reads until the line ends.
async fn subscriber(
    server: &Running,
    channel: &'static str,
    known: &[Entry],
) -> JoinHandle<Vec<Entry>> {
    let mut line = server.line().await;
    let since = known.last().map(|entry| entry.position.as_str());
    let subscribed = line.subscribe(channel, since).await;
    assert_eq!((subscribed.recovered, subscribed.messages.len()), (since.map(|_| true), 0));
    tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(message) = line.next().await {
            if message["type"] == "message" {
                seen.extend(crate::home::read_entries(&json!([message])));
            }
        }
        seen
    })
}

/// Holds what the store has of a channel against what publishers and a subscriber were told.
async fn check(
    server: &Running,
    channel: &'static str,
    sent: &[Sent],
    seen: &[Entry],
    known: &mut Vec<Entry>,
) {
    let before = known.last().map(|entry| entry.position.clone());
    let mut found = server.history(channel, before.as_deref());
    assert_eq!(seen, &found[..seen.len()], "what was delivered is there, and in this order");
    // A subscriber that comes back misses nothing.
    if let Some(last) = seen.last().map(|entry| &entry.position).or(before.as_ref()) {
        let subscribed = server.line().await.subscribe(channel, Some(last)).await;
        assert_eq!(subscribed.recovered, Some(true), "{:?}", subscribed.reason);
        assert_eq!(subscribed.messages, found[seen.len()..]);
    }
    let sent: Vec<_> = sent.iter().filter(|sent| sent.channel == channel).collect();
    let place: BTreeMap<&str, usize> =
        found.iter().enumerate().map(|(place, entry)| (entry.data.as_str(), place)).collect();
    assert_eq!(place.len(), found.len(), "nothing is there twice");
    for sent in &sent {
        for (key, acked) in &sent.keys {
            let stored = place.get(key.as_str()).map(|place| &found[*place].position);
            assert!(acked.is_none() || acked.as_ref() == stored, "{key}: {acked:?}, {stored:?}");
        }
        let places = sent.keys.iter().filter_map(|(key, _)| place.get(key.as_str()));
        assert!(places.is_sorted(), "a publisher's order is the channel's");
    }
    retry(server, channel, &sent, &mut found).await;
    let wanted: BTreeSet<&String> =
        sent.iter().flat_map(|sent| &sent.keys).map(|(key, _)| key).collect();
    assert_eq!(found.iter().map(|entry| &entry.data).collect::<BTreeSet<_>>(), wanted);
    assert_eq!(server.history(channel, before.as_deref()), found);
    known.append(&mut found);
}

/// Sends everything again, as clients do that do not know what became of it. Adds what was new.
async fn retry(server: &Running, channel: &str, sent: &[&Sent], found: &mut Vec<Entry>) {
    let mut line = server.line().await;
    for (key, _) in sent.iter().flat_map(|sent| &sent.keys) {
        line.say(&publish(channel, key, 0)).await;
        let answer = line.next().await.unwrap();
        assert_eq!(answer["type"], "published", "{answer}");
        let position = answer["position"].as_str().unwrap().to_owned();
        match found.iter().find(|entry| entry.data == *key) {
            Some(first) => {
                assert_eq!(
                    (answer["duplicate"].as_bool(), &first.position),
                    (Some(true), &position)
                );
            }
            None => {
                assert_ne!(answer["duplicate"], true, "{answer}");
                found.push(Entry { position, data: key.clone() });
            }
        }
    }
}

/// The newest entries are there, as many as the channel keeps, without a gap. Returns how many have
/// been published.
async fn check_few(server: &Running, sent: &[Sent], before: usize) -> usize {
    let sent = sent.iter().find(|sent| sent.channel == FEW).unwrap();
    let found = server.history(FEW, None);
    let stored: BTreeMap<&str, &str> =
        found.iter().map(|entry| (entry.data.as_str(), entry.position.as_str())).collect();
    let newest = sent.keys.iter().rposition(|(key, _)| stored.contains_key(key.as_str()));
    let count = newest.map_or(0, |newest| newest + 1);
    assert!(sent.keys[count..].iter().all(|(_, acked)| acked.is_none()), "what was acked is there");
    assert_eq!(found.len(), KEPT_OF_FEW.min(before + count));
    for (key, acked) in &sent.keys[count.saturating_sub(KEPT_OF_FEW)..count] {
        let position = *stored.get(key.as_str()).expect(key);
        assert!(acked.as_deref().is_none_or(|acked| acked == position), "{key}");
    }
    // Also those that are trimmed are known when they are sent again.
    let (known, fresh) = sent.keys.split_at(count);
    let mut line = server.line().await;
    for (is_known, (key, acked)) in
        known.iter().map(|key| (true, key)).chain(fresh.iter().map(|key| (false, key)))
    {
        line.say(&publish(FEW, key, 0)).await;
        let answer = line.next().await.unwrap();
        assert_eq!(answer["duplicate"] == true, is_known, "{key}: {answer}");
        if let Some(acked) = acked {
            assert_eq!(answer["position"], acked.as_str());
        }
    }
    before + sent.keys.len()
}
