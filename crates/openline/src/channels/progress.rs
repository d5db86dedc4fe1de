//! [`Progress`]: how far a file is, in one line.

use std::fmt;
use std::time::Duration;

/// Cells of the bar.
const CELLS: u64 = 24;

/// Characters of the name that are shown.
const NAME_MAX: usize = 20;

/// How far a file is: name, bar, percent, bytes and speed, in less than 80 characters.
pub(super) struct Progress<'a> {
    pub(super) name: &'a str,
    pub(super) stored: u64,
    /// Of what is stored, what was before it began.
    pub(super) before: u64,
    pub(super) size: u64,
    /// Since it began.
    pub(super) took: Duration,
}

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A file that is empty, or has grown, is there as well.
        let (size, stored) = (self.size.max(1), self.stored.min(self.size));
        let part = |of: u64| (u128::from(stored) * u128::from(of) / u128::from(size)) as u64;
        let full = "#".repeat(part(CELLS) as usize);
        let name: String = self.name.chars().take(NAME_MAX).collect();
        let seconds = self.took.as_secs_f64().max(0.001);
        let speed = bytes((stored.saturating_sub(self.before) as f64 / seconds) as u64);
        let (done, all) = (bytes(stored), bytes(self.size));
        let width = CELLS as usize;
        write!(f, "{name} [{full:<width$}] {:>3} % {done} of {all}, {speed}/s", part(100))
    }
}

/// Bytes in a unit that leaves few digits.
fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1000.0, 0);
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(stored: u64, size: u64) -> String {
        let took = Duration::from_secs(2);
        Progress { name: "cat.jpg", stored, before: 0, size, took }.to_string()
    }

    #[test]
    fn a_bar_fills_with_the_bytes() {
        assert_eq!(
            shown(0, 3_000_000),
            "cat.jpg [                        ]   0 % 0 B of 3.0 MB, 0 B/s"
        );
        assert_eq!(
            shown(1_500_000, 3_000_000),
            "cat.jpg [############            ]  50 % 1.5 MB of 3.0 MB, 750.0 KB/s"
        );
        assert!(shown(3_000_000, 3_000_000).contains("[########################] 100 %"));
        assert!(shown(0, 0).contains("  0 %"));
    }

    #[test]
    fn what_was_stored_before_is_no_speed() {
        let took = Duration::from_secs(2);
        let bar = Progress { name: "f", stored: 3_000, before: 2_000, size: 4_000, took };
        assert!(bar.to_string().ends_with("75 % 3.0 KB of 4.0 KB, 500 B/s"), "{bar}");
    }

    #[test]
    fn bytes_have_few_digits() {
        for (number, text) in
            [(999, "999 B"), (1000, "1.0 KB"), (999_999, "1.0 MB"), (u64::MAX, "18446.7 PB")]
        {
            assert_eq!(bytes(number), text);
        }
    }
}
