//! [`Descriptors`]: how many connections there may be, so that some descriptors are left for the
//! rest of the server, and some for those who ask how it is.

use std::fs;

/// Descriptors that are not for connections: the store, the listener, what the runtimes wait with,
/// connections to brokers and backends. Fewer where there are few.
const OTHER_MAX: u64 = 128;

/// Connections beyond those that may be lines: for health, metrics and the API when there are as
/// many lines as may be. Fewer where there are few.
const RESERVED_MAX: u64 = 64;

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Descriptors {
    /// Lines that fit.
    pub(crate) lines: u32,
    /// Sockets that fit beside them.
    pub(crate) reserved: u32,
}

impl Descriptors {
    /// Of a process that may have so many files open.
    pub(crate) fn of(open_files_max: u64) -> Self {
        let other = (open_files_max / 4).min(OTHER_MAX);
        let reserved = (open_files_max / 8).min(RESERVED_MAX);
        let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX).max(1);
        let lines = number(open_files_max.saturating_sub(other).saturating_sub(reserved));
        Self { lines, reserved: number(reserved) }
    }
}

/// How many files this process may have open; without end where the system does not tell.
pub(crate) fn open_files_max() -> u64 {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    soft_limit(&limits).unwrap_or(u64::MAX)
}

fn soft_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_for_others_does_not_grow_beyond_a_bound() {
        for (open_files_max, lines, reserved) in [
            (0, 1, 1),
            (16, 10, 2),
            (128, 80, 16),
            (1_024, 832, 64),
            (20_000, 19_808, 64),
            (u64::MAX, u32::MAX, 64),
        ] {
            assert_eq!(
                Descriptors::of(open_files_max),
                Descriptors { lines, reserved },
                "{open_files_max}"
            );
        }
    }

    #[test]
    fn the_soft_limit_counts() {
        let limits = "Limit  Soft\nMax open files            1024      4096     files\n";
        assert_eq!(soft_limit(limits), Some(1_024));
        assert_eq!(soft_limit("Max open files   unlimited   unlimited   files"), None);
        assert_eq!(soft_limit(""), None);
    }
}
