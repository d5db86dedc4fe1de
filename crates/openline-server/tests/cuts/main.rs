//! The promise of delivery while lines are cut: nothing is lost without a declared reason, nothing
//! comes twice, nothing out of order. And while none is cut, no reason is declared.
//!
//! Clients remember where they are in each channel and come back with that, through proxies of
//! their own that reset, stall and starve them. What each sees is held to the one order of each
//! channel, which is known from the acks of publishers that are cut as well.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod proxy;
mod publisher;
mod random;
mod record;
mod subscriber;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openline_server::Config;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout};

use proxy::Proxy;
use publisher::{Publisher, Sent};
use random::Random;
use record::Truth;
use subscriber::{Ends, Seen, Subscriber};
use support::TestServer;
use support::talk::{MESSAGEPACK, Talk};

const CHANNELS: u64 = 6;
const CHANNELS_OF_ONE: u64 = 3;
const PUBLISHERS: u64 = 3;

/// Far longer than any run takes.
const GIVE_UP: Duration = Duration::from_secs(600);

/// How long publishers go on where nothing is cut.
const QUIET_RUN: Duration = Duration::from_secs(3);

/// More than is ever published.
const ALL: u32 = 100_000;
/// So little that who is away for a moment misses some of it.
const LITTLE: u32 = 8;

#[derive(Debug, Clone, Copy)]
struct Plan {
    clients: u64,
    drops: u64,
    slow_consumer: &'static str,
    history: u32,
}

/// What became of all.
#[derive(Debug, Default)]
struct Outcome {
    published: u64,
    duplicates: u64,
    seen: u64,
    reasons: BTreeMap<&'static str, u64>,
    ended: BTreeMap<u16, u64>,
}

const QUICK: Plan = Plan { clients: 10, drops: 100, slow_consumer: "close", history: ALL };
const FULL: Plan = Plan { clients: 50, drops: 1000, ..QUICK };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_all_is_kept_100_cuts_lose_nothing_and_need_no_reason() {
    let outcome = run(QUICK).await;
    assert!(outcome.reasons.is_empty(), "{outcome:?}");
    run(Plan { slow_consumer: "gap", ..QUICK }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_little_is_kept_100_cuts_lose_what_is_declared_and_nothing_else() {
    let outcome = run(Plan { history: LITTLE, ..QUICK }).await;
    assert!(outcome.reasons.contains_key("trimmed"), "so little and nothing lost: {outcome:?}");
    run(Plan { history: LITTLE, slow_consumer: "gap", ..QUICK }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_cuts_no_reason_is_declared() {
    for slow_consumer in ["close", "gap"] {
        let outcome = run(Plan { drops: 0, slow_consumer, history: LITTLE, ..QUICK }).await;
        assert!(outcome.reasons.is_empty(), "{outcome:?}");
        assert!(outcome.ended.is_empty(), "{outcome:?}");
        assert_eq!(outcome.duplicates, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; make check-all"]
async fn fifty_clients_and_1000_cuts_with_slow_consumers_closed() {
    let outcome = run(FULL).await;
    assert!(outcome.reasons.is_empty(), "{outcome:?}");
    assert!(outcome.duplicates > 0, "no publication was retried: {outcome:?}");
    let outcome = run(Plan { history: LITTLE, ..FULL }).await;
    assert!(outcome.ended.contains_key(&4006), "no slow consumer: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; make check-all"]
async fn fifty_clients_and_1000_cuts_with_slow_consumers_kept() {
    let outcome = run(Plan { slow_consumer: "gap", ..FULL }).await;
    assert!(outcome.reasons.is_empty(), "{outcome:?}");
    run(Plan { slow_consumer: "gap", history: LITTLE, ..FULL }).await;
}

/// The seed comes from `OPENLINE_SEED`, or is a new one.
async fn run(plan: Plan) -> Outcome {
    let given = std::env::var("OPENLINE_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().expect("a seed is a number"));
    println!("OPENLINE_SEED={seed} {plan:?}");
    let outcome = timeout(GIVE_UP, Scene::set(plan, seed).await.play()).await;
    let outcome = outcome.unwrap_or_else(|_| Err("it does not end".to_owned()));
    let outcome = outcome.unwrap_or_else(|why| panic!("OPENLINE_SEED={seed} {plan:?}: {why}"));
    println!("{outcome:?}");
    outcome
}

/// A server, and all who use it.
struct Scene {
    server: TestServer,
    truth: Arc<Truth>,
    drops_left: Arc<AtomicU64>,
    ends: watch::Sender<Option<BTreeMap<String, u64>>>,
    stop: watch::Sender<bool>,
    subscribers: JoinSet<Result<Seen, String>>,
    publishers: JoinSet<Result<Sent, String>>,
}

impl Scene {
    async fn set(plan: Plan, seed: u64) -> Self {
        let mut scene = Self {
            server: TestServer::with_config(config(plan)),
            truth: Arc::default(),
            drops_left: Arc::new(AtomicU64::new(plan.drops)),
            ends: watch::Sender::new(None),
            stop: watch::Sender::new(false),
            subscribers: JoinSet::new(),
            publishers: JoinSet::new(),
        };
        for client in 0..plan.clients {
            let subscriber = scene.subscriber(plan, client, Random::new(seed, client)).await;
            scene.subscribers.spawn(subscriber.run());
        }
        for number in 0..PUBLISHERS {
            let random = Random::new(seed, plan.clients + number);
            let publisher = scene.publisher(plan, number, random).await;
            scene.publishers.spawn(publisher.run());
        }
        scene
    }

    async fn subscriber(&self, plan: Plan, client: u64, mut random: Random) -> Subscriber {
        let (proxy, url) = self.way(plan).await;
        let first = random.next();
        let mine = |n| channel((first + n) % CHANNELS);
        Subscriber {
            url,
            proxy,
            subprotocol: (client % 2 == 1).then_some(MESSAGEPACK),
            channels: (0..CHANNELS_OF_ONE).map(mine).collect(),
            random,
            drops: plan.drops / plan.clients,
            drops_left: self.drops_left.clone(),
            truth: self.truth.clone(),
            ends: self.ends(),
            seen: Seen::default(),
        }
    }

    async fn publisher(&self, plan: Plan, number: u64, random: Random) -> Publisher {
        let (proxy, url) = self.way(plan).await;
        Publisher {
            name: format!("p{number}"),
            url,
            proxy,
            channels: (0..CHANNELS).map(channel).collect(),
            random,
            truth: self.truth.clone(),
            stop: self.stop.subscribe(),
            sent: Sent::default(),
        }
    }

    /// The way to the server: through a proxy where lines are to be cut.
    async fn way(&self, plan: Plan) -> (Option<Proxy>, String) {
        if plan.drops == 0 {
            return (None, self.server.url("/ws"));
        }
        let proxy = Proxy::start(self.server.address()).await;
        let url = proxy.url();
        (Some(proxy), url)
    }

    fn ends(&self) -> Ends {
        self.ends.subscribe()
    }

    async fn play(mut self) -> Result<Outcome, String> {
        if self.drops_left.load(Ordering::Relaxed) == 0 {
            sleep(QUIET_RUN).await;
        }
        while self.drops_left.load(Ordering::Relaxed) > 0 {
            // Nobody ends before the ends are known, but for a reason to fail.
            if let Some(ended) = self.subscribers.try_join_next() {
                return Err(format!("{:?} before the end", ended.unwrap().map(|_| ())));
            }
            sleep(Duration::from_millis(20)).await;
        }
        self.stop.send_replace(true);
        let mut outcome = Outcome::default();
        while let Some(sent) = self.publishers.join_next().await {
            let sent = sent.unwrap()?;
            outcome.published += sent.published;
            outcome.duplicates += sent.duplicates;
        }
        let ends = self.publish_last().await?;
        let published = ends.values().sum::<u64>();
        self.ends.send_replace(Some(ends));
        while let Some(seen) = self.subscribers.join_next().await {
            outcome.add(&seen.unwrap()?);
        }
        let complete = self.truth.complete()?;
        match (complete, published) == (outcome.published + CHANNELS, complete) {
            true => Ok(outcome),
            false => Err(format!("{complete} entries, {published} offsets, {outcome:?}")),
        }
    }

    /// The last publication of each channel, and its offset.
    async fn publish_last(&self) -> Result<BTreeMap<String, u64>, String> {
        let (mut line, _) = Talk::greeted(&self.server.url("/ws")).await;
        let mut ends = BTreeMap::new();
        for channel in (0..CHANNELS).map(channel) {
            let value = format!("last of {channel}");
            let data = json!({ "value": value });
            let request = json!({ "type": "publish", "id": 1, "channel": channel, "data": data });
            let ack = line.ask(&request).await;
            self.truth.acked(&channel, &value, &ack)?;
            let position = ack["position"].as_str().unwrap_or_default();
            let position: openline_protocol::Position = position.parse().expect("it was agreed on");
            ends.insert(channel, position.offset);
        }
        Ok(ends)
    }
}

impl Outcome {
    fn add(&mut self, seen: &Seen) {
        for reader in seen.readers.values() {
            self.seen += reader.seen;
            for reason in reader.reasons.iter().map(|reason| reason.as_str()) {
                *self.reasons.entry(reason).or_default() += 1;
            }
        }
        for (code, count) in &seen.ended {
            *self.ended.entry(*code).or_default() += count;
        }
    }
}

fn channel(number: u64) -> String {
    format!("room:{number}")
}

fn config(plan: Plan) -> Config {
    let mut keys = vec![("LIMITS_SLOW_CONSUMER", plan.slow_consumer)];
    if plan.drops > 0 {
        keys.extend([("LIMITS_QUEUE", "16KiB"), ("LIMITS_MESSAGE", "8KiB")]);
    }
    let keys = keys.into_iter().map(|(key, value)| (format!("OPENLINE_{key}"), value.to_owned()));
    let mut config = Config::read(None, keys, []).unwrap();
    config.threads = NonZeroUsize::new(2);
    config.namespace.default.history_size = plan.history;
    // Who comes and goes with every cut is another test's matter.
    config.namespace.default.presence = false;
    config.namespace.default.presence_push = false;
    config
}
