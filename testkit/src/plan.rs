//! What is to be done in a run. It follows from the seed alone.

use std::time::Duration;

use crate::history::{Channel, From};
use crate::seed::Seed;

/// Channels of a run.
const CHANNELS: usize = 20;
/// Every so manieth channel keeps few messages, so that readers come back too late.
const SHORT_EVERY: usize = 5;
const SHORT_HISTORY: u64 = 20;
const LONG_HISTORY: u64 = 100_000;
const PUBLISHERS: usize = 8;
/// How long a publisher waits between two messages, in milliseconds.
const PACE: (u64, u64) = (20, 120);
/// So many publishes in a hundred are repeated although they were answered.
const RETRY_PERCENT: u64 = 20;
/// So many in a hundred have their key used again for something else.
const CONFLICT_PERCENT: u64 = 2;
/// How much later a publish is repeated, in milliseconds.
const RETRY_DELAY: (u64, u64) = (0, 4_000);
const READERS: usize = 32;
/// How long a reader is left alone between two things that happen to it, in milliseconds.
const PEACE: (u64, u64) = (500, 5_000);
/// How long a reader is away, in milliseconds.
const AWAY: (u64, u64) = (0, 2_000);

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The channels, the busiest first.
    pub channels: Vec<Channel>,
    /// Those who publish.
    pub publishers: Vec<PublisherPlan>,
    /// Those who subscribe.
    pub readers: Vec<ReaderPlan>,
}

/// One who publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublisherPlan {
    /// Its name.
    pub name: String,
    /// Over what it publishes.
    pub way: Way,
    /// The node that it begins at.
    pub node: usize,
    /// What it does when, since the run's start.
    pub steps: Vec<(Duration, PublisherStep)>,
}

/// Over what something is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// The publisher's line.
    Line,
    /// A request of its own, as backends make it.
    Request,
}

/// What a publisher does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublisherStep {
    /// Publishes its message of this number.
    Publish {
        /// From 0.
        number: u32,
        /// The index of the channel.
        channel: usize,
    },
    /// Sends a message again that it published before, under the same key.
    Retry {
        /// Which.
        number: u32,
        /// Over what.
        way: Way,
        /// To which node, if it is a request.
        node: usize,
    },
    /// Publishes something else under a key that was used before.
    Conflict {
        /// Whose key.
        number: u32,
    },
    /// Loses its line, and comes back on a node.
    Move {
        /// Which.
        node: usize,
    },
}

/// One who subscribes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderPlan {
    /// Its name.
    pub name: String,
    /// The name of its kind of client, of those that were given.
    pub client: String,
    /// The node that it begins at.
    pub node: usize,
    /// The indices of its channels.
    pub channels: Vec<usize>,
    /// What it does when, since the run's start.
    pub steps: Vec<(Duration, ReaderStep)>,
    /// For what is left to chance on the way.
    pub seed: u64,
}

/// What a reader does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReaderStep {
    /// Loses its line, and comes back on a node.
    Move {
        /// Which.
        node: usize,
        /// How.
        cut: Cut,
        /// How long it cannot come back.
        away: Duration,
    },
    /// Leaves a channel and subscribes again.
    Resubscribe {
        /// The index of the channel.
        channel: usize,
        /// From where.
        from: From,
        /// How long it is away.
        away: Duration,
    },
}

/// How a line is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Both ends are told.
    Reset,
    /// The server is not told for a while.
    Ghost,
    /// Neither is told anything for a while, and nothing comes through.
    Silent,
}

impl Plan {
    /// What follows from this seed, for a run of this length with these kinds of clients, of which
    /// there has to be one.
    pub fn new(seed: u64, length: Duration, nodes: usize, clients: &[String]) -> Self {
        let seed = Seed::new(seed);
        let channels: Vec<Channel> = (0..CHANNELS).map(channel).collect();
        let weights = zipf(CHANNELS);
        let publishers = (0..PUBLISHERS)
            .map(|index| publisher(index, seed.part(&format!("p{index}")), length, nodes, &weights))
            .collect();
        let readers = (0..READERS)
            .map(|index| {
                let client = clients[index % clients.len()].clone();
                let part = seed.part(&format!("s{index}"));
                reader(index, client, part, length, nodes, &weights)
            })
            .collect();
        Self { channels, publishers, readers }
    }
}

fn channel(index: usize) -> Channel {
    if index % SHORT_EVERY == SHORT_EVERY - 1 {
        Channel { name: format!("short:{index:02}"), history_size: SHORT_HISTORY }
    } else {
        Channel { name: format!("long:{index:02}"), history_size: LONG_HISTORY }
    }
}

/// Weights of which the *n*-th is the first divided by *n*.
fn zipf(count: usize) -> Vec<u64> {
    (1..=count as u64).map(|rank| 10_000 / rank).collect()
}

fn publisher(
    index: usize,
    mut seed: Seed,
    length: Duration,
    nodes: usize,
    weights: &[u64],
) -> PublisherPlan {
    let way = if index % 4 == 3 { Way::Request } else { Way::Line };
    let node = index % nodes;
    let mut steps = Vec::new();
    let mut at = Duration::ZERO;
    let mut number = 0;
    while at < length {
        let channel = seed.weighted(weights);
        steps.push((at, PublisherStep::Publish { number, channel }));
        let later = at + milliseconds(&mut seed, RETRY_DELAY);
        if seed.percent(RETRY_PERCENT) {
            let way = *seed.one(&[Way::Line, Way::Request]);
            let node = seed.between(0, nodes as u64) as usize;
            steps.push((later, PublisherStep::Retry { number, way, node }));
        } else if seed.percent(CONFLICT_PERCENT) {
            steps.push((later, PublisherStep::Conflict { number }));
        }
        if seed.percent(1) {
            let node = seed.between(0, nodes as u64) as usize;
            steps.push((at, PublisherStep::Move { node }));
        }
        number += 1;
        at += milliseconds(&mut seed, PACE);
    }
    steps.retain(|(at, _)| *at < length);
    steps.sort_by_key(|(at, _)| *at);
    PublisherPlan { name: format!("p{index}"), way, node, steps }
}

fn reader(
    index: usize,
    client: String,
    mut seed: Seed,
    length: Duration,
    nodes: usize,
    weights: &[u64],
) -> ReaderPlan {
    let mut channels = Vec::new();
    let wanted = seed.between(2, 7) as usize;
    while channels.len() < wanted {
        let channel = seed.weighted(weights);
        if !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    let mut steps = Vec::new();
    let mut at = milliseconds(&mut seed, PEACE);
    while at < length {
        steps.push((at, reader_step(&mut seed, nodes, &channels)));
        at += milliseconds(&mut seed, PEACE);
    }
    let name = format!("s{index:02}");
    ReaderPlan { name, client, node: index % nodes, channels, steps, seed: seed.number() }
}

fn reader_step(seed: &mut Seed, nodes: usize, channels: &[usize]) -> ReaderStep {
    let away = milliseconds(seed, AWAY);
    if seed.percent(55) {
        let cut = [Cut::Reset, Cut::Ghost, Cut::Silent][seed.weighted(&[3, 2, 1])];
        let node = seed.between(0, nodes as u64) as usize;
        return ReaderStep::Move { node, cut, away };
    }
    let from = [From::Own, From::Older, From::Now, From::Forged, From::Foreign];
    let from = from[seed.weighted(&[4, 3, 1, 1, 1])];
    ReaderStep::Resubscribe { channel: *seed.one(channels), from, away }
}

fn milliseconds(seed: &mut Seed, (low, high): (u64, u64)) -> Duration {
    Duration::from_millis(seed.between(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        let clients = ["a".to_owned(), "b".to_owned()];
        Plan::new(seed, Duration::from_secs(60), 3, &clients)
    }

    #[test]
    fn a_plan_follows_from_its_seed() {
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
    }

    #[test]
    fn a_plan_has_what_it_says() {
        let plan = plan(3);
        let count = |wanted: fn(&PublisherStep) -> bool| {
            let steps = plan.publishers.iter().flat_map(|publisher| &publisher.steps);
            steps.filter(|(_, step)| wanted(step)).count()
        };
        let published = count(|step| matches!(step, PublisherStep::Publish { .. }));
        let retried = count(|step| matches!(step, PublisherStep::Retry { .. }));
        assert!((4_000..10_000).contains(&published), "{published}");
        let percent = retried * 100 / published;
        assert!((15..=20).contains(&percent), "{percent} % of {published} are retried");
        assert!(count(|step| matches!(step, PublisherStep::Conflict { .. })) > 20);
        assert!(plan.readers.iter().all(|reader| reader.channels.len() >= 2));
        let steps = || plan.readers.iter().flat_map(|reader| &reader.steps);
        for wanted in [From::Own, From::Older, From::Now, From::Forged, From::Foreign] {
            let is = |step: &ReaderStep| matches!(step, ReaderStep::Resubscribe { from, .. } if *from == wanted);
            assert!(steps().any(|(_, step)| is(step)), "{wanted:?}");
        }
        assert!(plan.channels.iter().any(|channel| channel.history_size == SHORT_HISTORY));
    }
}
