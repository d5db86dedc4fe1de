//! [`Steps`]: from how full the memory is to how much is given up.

/// A level is left when the memory has been emptier than where it begins by this share, in
/// thousandths, …
const GAP: u64 = 50;

/// … for this long: what falls for a moment only rises again.
const HOLD_MS: u64 = 5_000;

/// Where each level above the lowest begins, in thousandths.
const BEGINS: [u64; 4] = [800, 850, 900, 950];

/// How much is given up. Each level does what those below it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    /// Nothing.
    Calm,
    /// New lines are not compressed, buffers that are kept for later are freed, and history does
    /// not grow.
    Saving,
    /// There are no new lines, and history gives way.
    Closed,
    /// Lines that do not keep up are ended.
    Shedding,
    /// There are no publications.
    Silent,
}

impl Level {
    const ALL: [Self; 5] = [Self::Calm, Self::Saving, Self::Closed, Self::Shedding, Self::Silent];

    pub(super) fn of_number(number: u8) -> Self {
        match number {
            0 => Self::Calm,
            1 => Self::Saving,
            2 => Self::Closed,
            3 => Self::Shedding,
            _ => Self::Silent,
        }
    }

    pub(crate) fn compresses(self) -> bool {
        self < Self::Saving
    }

    pub(crate) fn takes_lines(self) -> bool {
        self < Self::Closed
    }

    pub(crate) fn takes_publications(self) -> bool {
        self < Self::Silent
    }

    /// In a few words, for the log.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Calm => "all is served",
            Self::Saving => "new lines are not compressed, history does not grow",
            Self::Closed => "new lines are refused, history gives way",
            Self::Shedding => "lines that do not keep up are ended",
            Self::Silent => "publications are refused",
        }
    }
}

/// The level, as the memory fills and empties. It rises at once and falls late.
#[derive(Debug)]
pub(super) struct Steps {
    level: Level,
    /// Since when a lower one would do, and the highest of those that were needed since then.
    falling: Option<(u64, Level)>,
}

impl Steps {
    pub(super) fn new() -> Self {
        Self { level: Level::Calm, falling: None }
    }

    /// Takes how full the memory is, in thousandths; returns the level from here on.
    pub(super) fn handle_fullness(&mut self, thousandths: u64, now_ms: u64) -> Level {
        let reached = highest(thousandths);
        let kept = highest(thousandths.saturating_add(GAP)).min(self.level);
        if reached >= self.level {
            self.level = reached;
        }
        if kept >= self.level || reached >= self.level {
            self.falling = None;
            return self.level;
        }
        let (since, needed) = self.falling.get_or_insert((now_ms, kept));
        *needed = kept.max(*needed);
        if now_ms.saturating_sub(*since) >= HOLD_MS {
            self.level = *needed;
            self.falling = None;
        }
        self.level
    }
}

/// The highest level that begins at this or below.
fn highest(thousandths: u64) -> Level {
    let reached = BEGINS.iter().filter(|begins| thousandths >= **begins).count();
    Level::ALL[reached]
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::*;

    #[test]
    fn each_level_begins_where_it_is_documented() {
        for (thousandths, level) in [
            (0, Calm),
            (799, Calm),
            (800, Saving),
            (849, Saving),
            (850, Closed),
            (900, Shedding),
            (949, Shedding),
            (950, Silent),
            (1_000, Silent),
            (u64::MAX, Silent),
        ] {
            assert_eq!(Steps::new().handle_fullness(thousandths, 0), level, "{thousandths}");
        }
    }

    #[test]
    fn a_level_is_left_only_well_below_it_and_after_a_while() {
        let mut steps = Steps::new();
        assert_eq!(steps.handle_fullness(860, 0), Closed);
        for now_ms in (0..60_000).step_by(1_000) {
            assert_eq!(steps.handle_fullness(801, now_ms), Closed, "it is not far enough below");
        }
        assert_eq!(steps.handle_fullness(799, 60_000), Closed);
        assert_eq!(steps.handle_fullness(799, 64_999), Closed);
        assert_eq!(
            steps.handle_fullness(799, 65_000),
            Saving,
            "it begins at 800, and ends below 750"
        );
        assert_eq!(steps.handle_fullness(749, 66_000), Saving);
        assert_eq!(steps.handle_fullness(749, 71_000), Calm);
    }

    #[test]
    fn what_falls_for_a_moment_only_changes_nothing() {
        let mut steps = Steps::new();
        assert_eq!(steps.handle_fullness(950, 0), Silent);
        for now_ms in (0..60_000).step_by(4_000) {
            assert_eq!(steps.handle_fullness(100, now_ms), Silent);
            assert_eq!(steps.handle_fullness(920, now_ms + 1), Silent, "still within the gap");
        }
    }

    #[test]
    fn it_falls_as_far_as_the_fullest_moment_of_the_wait_allows() {
        let mut steps = Steps::new();
        assert_eq!(steps.handle_fullness(990, 0), Silent);
        assert_eq!(steps.handle_fullness(100, 1_000), Silent);
        assert_eq!(steps.handle_fullness(810, 3_000), Silent);
        assert_eq!(steps.handle_fullness(100, 6_000), Closed, "810 was within its gap");
        assert_eq!(steps.handle_fullness(100, 7_000), Closed);
        assert_eq!(steps.handle_fullness(100, 12_000), Calm);
    }

    #[test]
    fn it_rises_at_once_wherever_it_is() {
        let mut steps = Steps::new();
        assert_eq!(steps.handle_fullness(990, 0), Silent);
        assert_eq!(steps.handle_fullness(0, 1), Silent);
        assert_eq!(steps.handle_fullness(0, 6_000), Calm);
        assert_eq!(steps.handle_fullness(960, 6_001), Silent);
    }

    #[test]
    fn each_level_does_what_those_below_it_do() {
        let does =
            |level: Level| [!level.compresses(), !level.takes_lines(), !level.takes_publications()];
        for pair in Level::ALL.windows(2) {
            let (below, above) = (does(pair[0]), does(pair[1]));
            assert!(below.iter().zip(above).all(|(below, above)| !below || above), "{pair:?}");
        }
        assert_eq!((does(Calm), does(Silent)), ([false; 3], [true; 3]));
    }

    #[test]
    fn numbers_are_levels() {
        for level in Level::ALL {
            assert_eq!(Level::of_number(level as u8), level);
        }
        assert_eq!(Level::of_number(9), Silent);
    }
}
