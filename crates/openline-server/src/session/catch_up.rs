//! Subscriptions that fell behind: they read what they missed from the history, and go live again.
//! What waits for a slow line is so the channel's history and not a queue of its own.

use std::sync::Arc;
use std::time::Duration;

use openline_engine::{Broadcast, Delivery, GoLive, Lagging, Recovery, SubscriptionKey};
use openline_protocol::{ChannelName, Position, Publication, Reason, Reply};
use tokio::time::sleep;

use crate::config::SlowConsumer;
use crate::exchange::{Line, PAGE};
use crate::node::Node;
use crate::shard::Shard;

/// Publications handed to the line at a time.
const PIECE: usize = 64;

/// How long it waits before it asks a broker again that did not answer: twice as long each time, up
/// to the second. All who ask the same are one question to the broker.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Brings a subscription up to date once its line has taken what waited for it.
pub(crate) async fn catch_up(lagging: Lagging, shard: Arc<Shard>, node: Arc<Node>) {
    let Lagging { subscription, channel, mut since, mut has } = lagging;
    let session = subscription.session();
    loop {
        let Some(line) = shard.hub().line(session).map(|seat| seat.line.clone()) else { return };
        if !line.drained().await {
            return;
        }
        let mut reached = since;
        if let Some(from) = since {
            let read = read_on(subscription, &channel, from, &shard, &node).await;
            let Some(recovered) = read else { return };
            node.metrics.recovered(recovered.missed.as_ref().map(Vec::len));
            reached = match recovered.missed {
                Ok(missed) => {
                    let mut missed = newest_only(missed, &node);
                    missed.0.retain(|p| p.position.is_some_and(|at| at.offset > has));
                    if missed.1 {
                        declare(&line, &channel, Reason::Limit, Some(recovered.head));
                    }
                    let reached = match hand_over(&line, &missed.0) {
                        Progress::Through => Some(recovered.head),
                        Progress::UpTo(position) => position.or(since),
                        Progress::Closed => return,
                    };
                    // It may have had more than `since` to begin with.
                    has = has.max(reached.map_or(0, |reached| reached.offset));
                    reached
                }
                Err(reason) => {
                    declare(&line, &channel, reason, Some(recovered.head));
                    has = recovered.head.offset;
                    Some(recovered.head)
                }
            };
            if reached != Some(recovered.head) {
                since = reached;
                continue;
            }
        } else {
            // Without positions nobody can tell what was missed.
            declare(&line, &channel, Reason::Limit, None);
        }
        let mut hub = shard.hub();
        match hub.go_live(subscription, reached) {
            GoLive::Behind => since = reached,
            GoLive::Live => return line.joined(&channel, reached),
            GoLive::Ended => return,
        }
    }
}

/// What a subscription missed. While the broker does not answer it is asked again, for as long as the
/// subscription is there: its line stays, and its client knows of nothing. None if it has ended.
async fn read_on(
    subscription: SubscriptionKey,
    channel: &ChannelName,
    since: Position,
    shard: &Shard,
    node: &Node,
) -> Option<Recovery> {
    let mut delay = RETRY_MIN;
    loop {
        let recovered = node.exchange.recover(channel, since, &PAGE).await;
        if !shard.hub().holds(subscription) {
            return None;
        }
        if let Ok(recovered) = recovered {
            return Some(recovered);
        }
        sleep(delay).await;
        delay = (delay * 2).min(RETRY_MAX);
    }
}

/// What of the missed publications is handed on, and whether that is not all of them.
fn newest_only(mut missed: Vec<Arc<Publication>>, node: &Node) -> (Vec<Arc<Publication>>, bool) {
    let conflates = node.settings().config.limits.slow_consumer == SlowConsumer::Conflate;
    let leaves_out = conflates && missed.len() > 1;
    if leaves_out {
        missed.drain(..missed.len() - 1);
    }
    (missed, leaves_out)
}

/// How far a line took what was handed to it.
pub(super) enum Progress {
    Through,
    /// None: nothing yet.
    UpTo(Option<Position>),
    Closed,
}

/// Hands publications to the line, as many as it takes.
pub(super) fn hand_over(line: &Line, missed: &[Arc<Publication>]) -> Progress {
    let mut reached = None;
    for piece in missed.chunks(PIECE) {
        let broadcasts: Vec<_> =
            piece.iter().map(|publication| Broadcast::Publication(publication.clone())).collect();
        match line.deliver(&broadcasts.iter().collect::<Vec<_>>()) {
            Delivery::Taken => reached = piece.last().and_then(|last| last.position),
            Delivery::Full => return Progress::UpTo(reached),
            Delivery::Closed => return Progress::Closed,
        }
    }
    Progress::Through
}

pub(super) fn declare(
    line: &Line,
    channel: &ChannelName,
    reason: Reason,
    position: Option<Position>,
) {
    line.reply(&Reply::Unrecovered { channel, reason, position });
}

#[cfg(test)]
mod tests {
    //! A broker that is away for a while, as clients see it.

    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::{Value, json};

    use super::*;
    use crate::app::Handlers;
    use crate::broker::testing::MemoryStore;
    use crate::broker::{NodeId, SharedBroker, SharedOptions};
    use crate::config::Config;
    use crate::node::start_on;
    use crate::server::Server;
    use crate::shard::ShardMessage;
    use crate::testkit::{TestClient, TestServer};

    /// A server whose broker is a store that can be cut off.
    struct Trial {
        server: TestServer,
        store: MemoryStore,
        node: NodeId,
    }

    impl Trial {
        fn new() -> Self {
            let builder = Server::builder().handlers(Handlers::new());
            let mut made = None;
            let server = TestServer::of_node(builder, Config::default(), |parts| {
                start_on(parts, |ground| {
                    let store = MemoryStore::new(ground.clock, 300_000);
                    made = Some((store.clone(), ground.id));
                    let timeout = Duration::from_millis(200);
                    let options = SharedOptions::new("memory://test".into(), timeout, timeout);
                    let backend = store.backend(ground.id);
                    Ok(Box::new(SharedBroker::new(backend, options, ground.tail, ground.ear)))
                })
            });
            let (store, node) = made.unwrap();
            Self { server, store, node }
        }

        fn channels(&self) -> usize {
            self.server.node().exchange.broker().health().channels
        }

        /// Waits until the broker's thread found that its store is away, or there again.
        async fn until_away(&self, away: bool) {
            let node = self.server.node();
            while node.exchange.broker().health().ailment.is_some() != away {
                sleep(Duration::from_millis(5)).await;
            }
        }

        /// All subscribers are to read on for themselves, as if the channel had been lost.
        fn lose(&self, channel: &str, head: Position) {
            let channel = ChannelName::new(channel).unwrap();
            for shard in self.server.node().exchange.shards() {
                shard.inbox.put([ShardMessage::Lost(channel.clone(), head)]);
            }
        }
    }

    async fn put(client: &mut TestClient, number: u32) -> Position {
        let request = json!({
            "type": "publish", "channel": "room", "event": "number", "data": number,
        });
        let answer: Value = client.request(request).await.unwrap();
        answer["position"].as_str().unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn a_line_stays_while_the_broker_is_away_and_misses_nothing() {
        let trial = Trial::new();
        let mut reader = trial.server.client().await;
        let mut writer = trial.server.client().await;
        reader.subscribe("room").await.unwrap();
        let first = put(&mut writer, 0).await;
        assert_eq!(reader.expect("number").await.read::<u32>(), 0);
        trial.store.cut(trial.node);
        trial.until_away(true).await;
        trial.lose("room", first);
        let refused = writer.request(json!({
            "type": "publish", "channel": "room", "event": "number", "data": 7,
        }));
        assert_eq!(refused.await.unwrap_err().code(), "broker_unavailable");
        // More than one try to read on fails meanwhile.
        sleep(Duration::from_millis(600)).await;
        reader.expect_nothing().await;
        trial.store.mend(trial.node);
        trial.until_away(false).await;
        for number in 1..4 {
            put(&mut writer, number).await;
        }
        for number in 1..4 {
            assert_eq!(reader.expect("number").await.read::<u32>(), number);
        }
    }

    #[tokio::test]
    async fn who_cannot_subscribe_leaves_nothing_behind() {
        let trial = Trial::new();
        let mut client = trial.server.client().await;
        trial.until_away(false).await;
        trial.store.cut(trial.node);
        trial.until_away(true).await;
        let refused = client.subscribe("room").await.unwrap_err();
        assert_eq!(refused.code(), "broker_unavailable");
        let room = ChannelName::new("room").unwrap();
        let exchange = &trial.server.node().exchange;
        assert_eq!(exchange.subscribers(&room), 0);
        assert_eq!(exchange.member_count(&room), 0);
        while trial.channels() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
        trial.store.mend(trial.node);
        trial.until_away(false).await;
        assert!(!trial.store.hears(trial.node, &room));
        client.subscribe("room").await.unwrap();
        put(&mut client, 0).await;
        assert_eq!(client.expect("number").await.read::<u32>(), 0);
    }
}
