//! Watching the memory.

use std::time::Duration;

use super::freed::Freed;
use super::memory::{Memory, Use};
use super::steps::{Level, Steps};
use crate::node::Node;
use crate::shard::ShardMessage;

/// How often the memory is looked at; it takes a tenth of a millisecond.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often when it may be full before the next look.
const LOOK_OFTEN: Duration = Duration::from_millis(100);

/// From here on, in thousandths, it may.
const NEARLY: u64 = 700;

/// How often something is given up while a level lasts.
const RELIEVE_EVERY_MS: u64 = 1_000;

/// New lines are refused for this long before history gives way.
const HISTORY_AFTER_MS: u64 = 2_000;

/// Each time history gives up this share of itself, …
const HISTORY_SHARE: usize = 10;

/// … unless it is less than this share of the memory: then it is not what fills it, …
const HISTORY_MIN_SHARE: u64 = 20;

/// … and only until new lines can be let in again, in thousandths.
const HISTORY_UNTIL: u64 = 790;

/// Watches the memory for as long as it is awaited.
pub(crate) async fn watch(node: &Node) {
    let mut watcher = Watcher {
        memory: Memory::find(),
        steps: Steps::new(),
        freed: Freed::default(),
        level: Level::Calm,
        relieved_ms: 0,
        closed_ms: None,
        history_bytes_max: None,
    };
    loop {
        let pause = watcher.look(node);
        tokio::time::sleep(pause).await;
    }
}

struct Watcher {
    memory: Memory,
    steps: Steps,
    freed: Freed,
    level: Level,
    relieved_ms: u64,
    /// Since when there are no new lines.
    closed_ms: Option<u64>,
    /// What history may take while memory is short.
    history_bytes_max: Option<usize>,
}

impl Watcher {
    /// Looks once; returns when to look again.
    fn look(&mut self, node: &Node) -> Duration {
        let configured = node.settings().config.overload.memory.bytes();
        let sample = self.memory.read((configured > 0).then_some(configured));
        let Some(sample) = sample else { return LOOK_EVERY };
        let Some(least) = sample.uses.iter().map(|found| found.max).min() else {
            return LOOK_EVERY;
        };
        let is_nearly_full = sample.uses.iter().any(|found| found.thousandths() >= NEARLY);
        let waiting = waiting(node, is_nearly_full);
        let held = (node.exchange.broker().history_bytes() + waiting) as u64;
        let free = self.freed.handle_sample(sample.process, held, least);
        let uses = sample.uses.into_iter().map(|found| found.without(free));
        let Some(fullest) = uses.max_by_key(Use::thousandths) else { return LOOK_EVERY };
        let now_ms = node.exchange.clock.now_ms();
        let level = self.steps.handle_fullness(fullest.thousandths(), now_ms);
        node.exchange.overload.set(level, fullest.used, fullest.max);
        if level != self.level {
            node.log.overload(level as u8, level.meaning(), fullest.used, fullest.max);
            // What the next level gives up it gives up at once.
            self.relieved_ms = 0;
            self.level = level;
        }
        self.relieve(node, &fullest, now_ms);
        if fullest.thousandths() < NEARLY { LOOK_EVERY } else { LOOK_OFTEN }
    }

    fn relieve(&mut self, node: &Node, fullest: &Use, now_ms: u64) {
        let broker = node.exchange.broker();
        if self.level.takes_lines() {
            self.closed_ms = None;
        }
        if self.level == Level::Calm {
            self.history_bytes_max = None;
            return;
        }
        let held = broker.history_bytes();
        let history_bytes_max = self.history_bytes_max.get_or_insert(held);
        if self.relieved_ms == 0 || now_ms >= self.relieved_ms + RELIEVE_EVERY_MS {
            self.relieved_ms = now_ms.max(1);
            for shard in node.exchange.shards() {
                shard.inbox.put([ShardMessage::Relieve(self.level)]);
            }
            let is_much = held as u64 >= fullest.max / HISTORY_MIN_SHARE;
            let is_late = !self.level.takes_lines()
                && now_ms >= *self.closed_ms.get_or_insert(now_ms) + HISTORY_AFTER_MS;
            if is_late && is_much && fullest.thousandths() >= HISTORY_UNTIL {
                *history_bytes_max = held - held / HISTORY_SHARE;
            }
        }
        broker.shrink_history(*history_bytes_max);
    }
}

/// What waits for all lines, as it was weighed last. It is weighed again where memory is short, which
/// takes a look at each line.
fn waiting(node: &Node, weighs: bool) -> usize {
    let shards = node.exchange.shards();
    if weighs {
        for shard in shards.iter().filter(|shard| shard.waiting.ask()) {
            shard.inbox.put([ShardMessage::Weigh]);
        }
    }
    shards.iter().map(|shard| shard.waiting.bytes()).sum()
}
