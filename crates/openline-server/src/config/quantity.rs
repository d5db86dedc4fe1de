//! Amounts with a unit: durations, [`Size`], [`Rate`].

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use super::value::Text;

/// A year is for ever to a line, and far from what clocks cannot add.
const DURATION_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// In milliseconds.
const DURATION_UNITS: [(&str, u128); 5] =
    [("ms", 1), ("s", 1000), ("m", 60 * 1000), ("h", 3600 * 1000), ("d", 24 * 3600 * 1000)];

impl Text for Duration {
    fn kind() -> String {
        "DURATION".to_owned()
    }

    fn expected() -> String {
        "a duration with its unit (ms, s, m, h, d), as in \"30s\"".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let (_, milliseconds) = DURATION_UNITS.iter().find(|(name, _)| *name == unit)?;
        let milliseconds = u64::try_from(*milliseconds).ok()?;
        let duration = Self::from_millis(number.checked_mul(milliseconds)?);
        (duration <= DURATION_MAX).then_some(duration)
    }

    fn shown(&self) -> String {
        let ms = self.as_millis();
        let fits = DURATION_UNITS.iter().rev().find(|(_, of)| ms != 0 && ms.is_multiple_of(*of));
        match fits {
            Some((unit, of)) => format!("\"{}{unit}\"", ms / of),
            None => "\"0s\"".to_owned(),
        }
    }
}

/// An amount of memory or of disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// So many bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, of) =
            UNITS.iter().rev().find(|(_, of)| self.0.is_multiple_of(*of)).unwrap_or(&UNITS[0]);
        match self.0 {
            0 => f.write_str("0B"),
            bytes => write!(f, "{}{unit}", bytes / of),
        }
    }
}

const UNITS: [(&str, u64); 5] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

impl Text for Size {
    fn kind() -> String {
        "SIZE".to_owned()
    }

    fn expected() -> String {
        "a size with its unit (B, KiB, MiB, GiB, TiB), as in \"1MiB\"".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let (_, of) = UNITS.iter().find(|(name, _)| *name == unit)?;
        number.checked_mul(*of).map(Self)
    }

    fn shown(&self) -> String {
        format!("\"{self}\"")
    }
}

/// How often something may happen: a bucket that holds `burst` and is filled with `per_second`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So many in the long run.
    pub per_second: NonZeroU32,
    /// So many at once.
    pub burst: NonZeroU32,
}

impl Text for Rate {
    fn kind() -> String {
        "RATE".to_owned()
    }

    fn expected() -> String {
        "a rate, as in \"20/s burst 40\"".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let per_second: NonZeroU32 = digits(words.next()?.strip_suffix("/s")?)?.try_into().ok()?;
        let burst = match words.next() {
            None => per_second,
            Some("burst") => digits(words.next()?)?.try_into().ok()?,
            Some(_) => return None,
        };
        words.next().is_none().then_some(Self { per_second, burst })
    }

    fn shown(&self) -> String {
        match self.per_second == self.burst {
            true => format!("\"{}/s\"", self.per_second),
            false => format!("\"{}/s burst {}\"", self.per_second, self.burst),
        }
    }

    fn none() -> &'static str {
        "\"off\" for no limit"
    }

    fn is_none(text: &str) -> bool {
        text.is_empty() || text == "off"
    }
}

/// Splits `30s` in two. Only digits are a number: no sign, no point, no space.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit))
}

fn digits(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_unit_and_end_at_a_year() {
        let read = |text| <Duration as Text>::parse(text);
        assert_eq!(read("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(read("30s"), Some(Duration::from_secs(30)));
        assert_eq!(read("5m"), Some(Duration::from_secs(300)));
        assert_eq!(read("2h"), Some(Duration::from_secs(7200)));
        assert_eq!(read("365d"), Some(DURATION_MAX));
        for wrong in ["", "s", "30", "-1s", "1.5s", "1h30m", "30 s", "30S", "366d", "9e9d"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(read("99999999999999999999s"), None);
        assert_eq!(read("18446744073709551615d"), None);
    }

    #[test]
    fn sizes_have_a_unit_and_are_shown_in_the_largest_that_fits() {
        for (text, bytes) in
            [("0B", 0), ("1000B", 1000), ("64KiB", 65536), ("1MiB", 1 << 20), ("3GiB", 3 << 30)]
        {
            assert_eq!(Size::parse(text), Some(Size(bytes)));
            assert_eq!(Size(bytes).to_string(), text);
        }
        for wrong in ["", "1", "1MB", "1mib", "MiB", "-1B", "1.5MiB", "99999999TiB"] {
            assert_eq!(Size::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_rates_burst_is_its_count_unless_said() {
        let rate = |per_second, burst| {
            let (per_second, burst) = (NonZeroU32::new(per_second)?, NonZeroU32::new(burst)?);
            Some(Rate { per_second, burst })
        };
        assert_eq!(Rate::parse("20/s"), rate(20, 20));
        assert_eq!(Rate::parse("20/s burst 40"), rate(20, 40));
        assert_eq!(Rate::parse("40/s burst 1"), rate(40, 1));
        for wrong in
            ["", "20", "/s", "0/s", "20/m", "+2/s", "20/s burst", "20/s burst 0", "1/s burst 2 3"]
        {
            assert_eq!(Rate::parse(wrong), None, "{wrong}");
        }
    }
}
