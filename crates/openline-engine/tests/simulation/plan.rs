//! What a history is made of: its size, and what may go wrong in it.

use openline_engine::{History, PageLimits};

use crate::promise::bug::LineBug;
use crate::promise::random::Random;

/// An error put in on purpose, to see that the checks find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Recovery looks at epoch and offset only.
    SkipChain,
    Line(LineBug),
    /// Tags tell nothing, so that a position is given out twice after a rollback.
    ReusePosition,
    /// Keys do not survive a restart.
    ForgetKeys,
    /// Publications are handed on and acked before the store has them.
    AckBeforeSettle,
}

/// What goes wrong in a history.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) crash: bool,
    /// A crash loses everything: the level is `memory`.
    pub(crate) memory: bool,
    /// After a crash the store may be an older copy.
    pub(crate) rollback: bool,
    pub(crate) store_fails: bool,
    pub(crate) time_jumps: bool,
    pub(crate) posts_get_lost: bool,
    /// Streams are swept, evicted and cleared.
    pub(crate) forget: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) faults: Faults,
    pub(crate) bug: Option<Bug>,
    pub(crate) shards: usize,
    pub(crate) clients: usize,
    pub(crate) steps: usize,
    /// By channel.
    pub(crate) histories: Vec<History>,
    pub(crate) limits: PageLimits,
    /// What a line takes before it is full.
    pub(crate) line_frames_max: usize,
}

impl Bug {
    pub(crate) fn of_line(self) -> Option<LineBug> {
        match self {
            Self::Line(bug) => Some(bug),
            _ => None,
        }
    }
}

impl Plan {
    pub(crate) fn new(random: &mut Random, bug: Option<Bug>) -> Self {
        let faults = if random.one_in(4) { Faults::default() } else { faults(random) };
        let quiet = !faults.any();
        let history = |random: &mut Random| match (quiet, random.below(8)) {
            (_, 0) => History { size: 0, ttl_ms: 1_000 },
            (true, _) => History { size: 10_000, ttl_ms: u64::MAX },
            (false, 1..4) => History { size: 1_000, ttl_ms: 1_000_000 },
            (false, _) => {
                let size = u32::try_from(random.below(20)).expect("it is small") + 1;
                History { size, ttl_ms: 1 + random.below(4_000) }
            }
        };
        let channels = 1 + random.index(3);
        let histories = (0..channels).map(|_| history(random)).collect();
        let publications_max = if quiet { 10_000 } else { 3 + random.index(60) };
        Self {
            faults,
            bug,
            shards: 1 + random.index(3),
            clients: 2 + random.index(5),
            steps: 200 + random.index(500),
            histories,
            limits: PageLimits { publications_max, bytes_max: 1 << 20 },
            line_frames_max: 1 + random.index(12),
        }
    }
}

impl Faults {
    pub(crate) fn any(&self) -> bool {
        let Self { crash, memory, rollback, store_fails, time_jumps, posts_get_lost, forget } =
            *self;
        crash || memory || rollback || store_fails || time_jumps || posts_get_lost || forget
    }
}

fn faults(random: &mut Random) -> Faults {
    let crash = random.one_in(2);
    let memory = crash && random.one_in(3);
    Faults {
        crash,
        memory,
        rollback: crash && !memory && random.one_in(2),
        store_fails: random.one_in(3),
        time_jumps: random.one_in(2),
        posts_get_lost: random.one_in(3),
        forget: random.one_in(3),
    }
}
