//! [`Due`]: when a certificate is ordered.

use std::time::{Duration, SystemTime};

use crate::tls::certificate::Certificate;

/// The first wait after a failure; each is four times the one before. Authorities allow about five
/// failures an hour, and with this there are four in the first.
const RETRY: Duration = Duration::from_secs(60);
const RETRY_MAX: Duration = Duration::from_secs(6 * 3600);

/// When the next order is due, and how many have failed in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: SystemTime,
    failures: u32,
}

impl Due {
    /// At once where there is no certificate. `chance` is random, 0 ≤ chance < 1, here and below.
    pub(super) fn first(certificate: Option<&Certificate>, now: SystemTime, chance: f64) -> Self {
        let at = certificate.map_or(now, |certificate| renewal(certificate, chance));
        Self { at, failures: 0 }
    }

    pub(super) fn succeeded(&mut self, certificate: &Certificate, now: SystemTime, chance: f64) {
        // By a clock that is ahead each certificate is old. It is not ordered again and again.
        let soonest = now + certificate.lifetime() / 3;
        *self = Self { at: renewal(certificate, chance).max(soonest), failures: 0 };
    }

    /// Returns how long to wait.
    pub(super) fn failed(&mut self, now: SystemTime, chance: f64) -> Duration {
        let wait = RETRY.saturating_mul(4_u32.saturating_pow(self.failures)).min(RETRY_MAX);
        let wait = wait.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 4.0);
        *self = Self { at: now + wait, failures: self.failures.saturating_add(1) };
        wait
    }
}

/// When a third of its time is left, or up to a thirtieth earlier, so that not all are renewed at
/// once.
fn renewal(certificate: &Certificate, chance: f64) -> SystemTime {
    let lifetime = certificate.lifetime();
    let early = lifetime.mul_f64(chance.clamp(0.0, 1.0) / 30.0);
    certificate.not_before + (lifetime * 2 / 3).saturating_sub(early)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::tests::{Authority, DAY};

    fn certificate(from: SystemTime, to: SystemTime) -> Certificate {
        let authority = Authority::new();
        authority.issue_between("own", &["a.example"], from, to);
        let file = |end| authority.folder.join(format!("own.{end}"));
        Certificate::from_files(&file("pem"), &file("key")).expect("it was just made")
    }

    /// In days, from when it was issued.
    fn days(at: SystemTime, from: SystemTime) -> f64 {
        at.duration_since(from).expect("it is later").as_secs_f64() / DAY.as_secs_f64()
    }

    fn day() -> SystemTime {
        SystemTime::UNIX_EPOCH + DAY * 20_000
    }

    #[test]
    fn a_certificate_is_renewed_when_a_third_of_its_time_is_left() {
        let certificate = certificate(day(), day() + DAY * 90);
        let at = |chance| days(Due::first(Some(&certificate), day(), chance).at, day());
        assert_eq!((at(0.0), at(1.0)), (60.0, 57.0));
        assert_eq!(Due::first(None, day(), 0.5).at, day());
        let mut due = Due::first(None, day(), 0.0);
        due.succeeded(&certificate, day(), 0.0);
        assert_eq!(days(due.at, day()), 60.0);
    }

    #[test]
    fn a_clock_that_is_ahead_does_not_order_all_the_time() {
        let certificate = certificate(day(), day() + DAY * 90);
        let ahead = day() + DAY * 400;
        let mut due = Due::first(Some(&certificate), ahead, 0.0);
        assert!(due.at < ahead);
        due.succeeded(&certificate, ahead, 0.0);
        assert_eq!(days(due.at, ahead), 30.0);
    }

    #[test]
    fn failures_are_further_and_further_apart() {
        let mut due = Due::first(None, day(), 0.0);
        let waits: Vec<u64> = (0..7).map(|_| due.failed(day(), 0.0).as_secs() / 60).collect();
        assert_eq!(waits, [1, 4, 16, 64, 256, 360, 360]);
        assert_eq!(due.at, day() + RETRY_MAX);
        assert_eq!(due.failed(day(), 1.0), RETRY_MAX * 5 / 4);
        for _ in 0..100 {
            due.failed(day(), 0.5);
        }
        let mut fresh = due;
        fresh.succeeded(&certificate(day(), day() + DAY), day(), 0.0);
        assert_eq!(fresh.failed(day(), 0.0), RETRY);
    }
}
