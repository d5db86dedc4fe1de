//! How long to wait before trying again.

use std::time::Duration;

const BASE: Duration = Duration::from_millis(500);
const CAP: Duration = Duration::from_secs(30);

/// The pause before retry number `retry` (from 0), by full jitter: anything from nothing to a bound
/// that doubles, so that many servers do not return to a backend at once. `chance` is random,
/// 0 ≤ chance < 1. When the backend said how long to wait, it is no shorter than that, within the
/// cap.
pub(super) fn pause(retry: u32, chance: f64, asked: Option<Duration>) -> Duration {
    let doubled = BASE.saturating_mul(1_u32.checked_shl(retry).unwrap_or(u32::MAX));
    let jittered = doubled.min(CAP).mul_f64(chance.clamp(0.0, 1.0));
    jittered.max(asked.unwrap_or_default().min(CAP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        let bounds: Vec<f64> = (0..9).map(|retry| pause(retry, 1.0, None).as_secs_f64()).collect();
        assert_eq!(bounds, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
        assert_eq!(pause(u32::MAX, 1.0, None), CAP);
    }

    #[test]
    fn chance_picks_anything_below_the_bound() {
        assert_eq!(pause(3, 0.0, None), Duration::ZERO);
        assert_eq!(pause(3, 0.25, None), Duration::from_secs(1));
    }

    #[test]
    fn what_the_backend_asks_for_is_the_least_within_the_cap() {
        assert_eq!(pause(0, 0.5, Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(pause(0, 0.5, Some(Duration::from_secs(3600))), CAP);
        assert_eq!(pause(6, 1.0, Some(Duration::from_secs(7))), CAP);
    }
}
