//! What a history is made of: its size, and what may go wrong in it.

use openline_engine::{History, PageLimits};

use crate::promise::bug::LineBug;
use crate::promise::random::Random;

/// An error put in on purpose, to see that the checks find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    Line(LineBug),
    /// Publishers are told that an entry is kept before the store has said so.
    AckBeforeWrite,
    /// Tags tell nothing, so that a position is given out twice after a rollback.
    ReuseOffset,
    /// The store's keys do not survive its restart.
    ForgetKeys,
    /// After its connection broke a node does not hear of a channel any more.
    ForgetResubscribe,
    /// The store recovers from a position of another epoch as if it were of this one.
    IgnoreEpoch,
    /// The store hands entries on before they would survive a crash.
    DeliverBeforeSync,
}

impl Bug {
    pub(crate) fn of_line(self) -> Option<LineBug> {
        match self {
            Self::Line(bug) => Some(bug),
            _ => None,
        }
    }
}

/// How a store does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Like Redis: an entry is appended and handed on in one step.
    OneStep,
    /// Like JetStream: an entry is stored first and handed on later.
    StoredFirst,
}

/// What goes wrong in a history.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) node_crashes: bool,
    pub(crate) node_freezes: bool,
    pub(crate) link_cut: bool,
    /// What is published does not arrive, and all else does.
    pub(crate) link_deaf: bool,
    pub(crate) link_slow: bool,
    /// One message now and then does not arrive.
    pub(crate) drops: bool,
    pub(crate) store_restarts: bool,
    /// With an older state: a snapshot, or a replica that lagged.
    pub(crate) store_rolls_back: bool,
    pub(crate) store_loses_all: bool,
    pub(crate) store_hangs: bool,
    /// Channels are evicted as a whole.
    pub(crate) store_evicts: bool,
    /// Not a fault of its own: histories are short.
    pub(crate) short_histories: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) faults: Faults,
    pub(crate) bug: Option<Bug>,
    pub(crate) kind: Kind,
    pub(crate) nodes: usize,
    pub(crate) shards_per_node: usize,
    pub(crate) clients: usize,
    /// How long clients act and things go wrong, in milliseconds.
    pub(crate) busy_ms: u64,
    /// By channel.
    pub(crate) histories: Vec<History>,
    pub(crate) limits: PageLimits,
    /// What a line takes before it is full.
    pub(crate) line_frames_max: usize,
    /// After which a question to the store has failed.
    pub(crate) timeout_ms: u64,
    /// How often a node looks where its channels are.
    pub(crate) probe_ms: u64,
    /// A fault that stays when all others end.
    pub(crate) stays: Stays,
}

/// Which fault stays to the end; always on the first node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stays {
    None,
    Cut,
    Deaf,
}

impl Plan {
    pub(crate) fn new(random: &mut Random, bug: Option<Bug>) -> Self {
        let kind = if random.one_in(2) { Kind::OneStep } else { Kind::StoredFirst };
        let faults = if random.one_in(4) { Faults::default() } else { faults(random) };
        let nodes = 2 + random.index(2);
        let channels = 1 + random.index(3);
        let histories = (0..channels).map(|_| history(random, &faults)).collect();
        let limited = faults.short_histories;
        let publications_max = if limited { 3 + random.index(60) } else { 10_000 };
        let stays = match random.below(6) {
            0 if faults.link_cut => Stays::Cut,
            1..3 if faults.link_deaf => Stays::Deaf,
            _ => Stays::None,
        };
        Self {
            faults,
            bug,
            kind,
            nodes,
            shards_per_node: 1 + random.index(2),
            clients: nodes + random.index(4),
            busy_ms: 3_000 + random.below(15_000),
            histories,
            limits: PageLimits { publications_max, bytes_max: 1 << 20 },
            line_frames_max: 1 + random.index(12),
            timeout_ms: 500 + random.below(1_500),
            probe_ms: 1_000 + random.below(4_000),
            stays,
        }
    }
}

impl Faults {
    /// Whether a reader may be told of a gap.
    pub(crate) fn may_lose(&self) -> bool {
        self.store_rolls_back || self.store_loses_all || self.store_evicts || self.short_histories
    }
}

fn history(random: &mut Random, faults: &Faults) -> History {
    match random.below(8) {
        0 => History { size: 0, ttl_ms: 1_000 },
        1..6 if faults.short_histories => {
            let size = u32::try_from(random.below(20)).expect("it is small") + 1;
            History { size, ttl_ms: 1 + random.below(6_000) }
        }
        _ => History { size: 10_000, ttl_ms: u64::MAX },
    }
}

fn faults(random: &mut Random) -> Faults {
    Faults {
        node_crashes: random.one_in(3),
        node_freezes: random.one_in(4),
        link_cut: random.one_in(3),
        link_deaf: random.one_in(3),
        link_slow: random.one_in(4),
        drops: random.one_in(3),
        store_restarts: random.one_in(3),
        store_rolls_back: random.one_in(4),
        store_loses_all: random.one_in(6),
        store_hangs: random.one_in(4),
        store_evicts: random.one_in(6),
        short_histories: random.one_in(3),
    }
}
