//! [`Hints`]: when clients that are sent away are wanted back.

use std::time::Duration;

use super::Drain;
use crate::node::Node;

/// A process that stops is seldom back at once.
const RESTART_MS: u64 = 1_000;

/// Those who come at once are spread over at least so long.
const SPREAD_MS_MIN: u64 = 1_000;

/// When clients of a node that drains are wanted back. Times are counted from when lines began to be
/// told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hints {
    /// There is somewhere else to go: another node, or a process that took over from this one.
    pub(super) elsewhere: bool,
    /// Over how long all clients are to spread, if all of them are cut off at once.
    pub(super) spread_ms: u64,
    /// Over how long they are.
    pub(super) duration: Duration,
    /// When the node will have ended.
    pub(super) ends_at: Duration,
}

impl Hints {
    pub(super) fn of(node: &Node, drain: &Drain) -> Self {
        let has_peers = node.cluster().is_some_and(|cluster| cluster.talk().nodes > 1);
        Self {
            elsewhere: has_peers || !drain.terms.listens,
            spread_ms: node.settings().guard.retry_spread_ms(),
            duration: drain.terms.duration,
            ends_at: drain.terms.duration + drain.terms.notice,
        }
    }

    /// How long after `at` a client is to come back, in milliseconds.
    ///
    /// Where there is somewhere to go, clients are spread by when they are closed already; what that
    /// lacks is in this. Where there is not, all wait for the same end, so all of the spread is.
    pub(super) fn retry_after_ms(&self, at: Duration, random: u64) -> u64 {
        let spread_ms = match self.elsewhere {
            true => self.spread_ms.saturating_sub(ms(self.duration)),
            false => self.spread_ms,
        };
        let base_ms = match self.elsewhere {
            true => 0,
            false => ms(self.ends_at.saturating_sub(at)) + RESTART_MS,
        };
        base_ms + random % spread_ms.max(SPREAD_MS_MIN)
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(elsewhere: bool, spread_ms: u64, duration: u64) -> Hints {
        let ends_at = Duration::from_secs(duration + 5);
        Hints { elsewhere, spread_ms, duration: Duration::from_secs(duration), ends_at }
    }

    /// The earliest and the latest that can be drawn.
    fn range(hints: Hints, at: u64) -> (u64, u64) {
        let at = Duration::from_secs(at);
        let drawn = (0..100_000).map(|random| hints.retry_after_ms(at, random));
        drawn.fold((u64::MAX, 0), |(min, max), ms| (min.min(ms), max.max(ms)))
    }

    #[test]
    fn beside_other_nodes_the_hint_adds_what_the_closing_does_not_spread() {
        assert_eq!(range(hints(true, 30_000, 60), 10), (0, 999));
        assert_eq!(range(hints(true, 30_000, 20), 0), (0, 9_999));
        assert_eq!(range(hints(true, 30_000, 0), 0), (0, 29_999));
    }

    #[test]
    fn a_node_alone_wants_nobody_back_before_its_end() {
        assert_eq!(range(hints(false, 5_000, 20), 0), (26_000, 30_999));
        assert_eq!(range(hints(false, 5_000, 20), 25), (1_000, 5_999));
        assert_eq!(range(hints(false, 5_000, 20), 40), (1_000, 5_999));
    }
}
