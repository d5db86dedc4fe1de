//! [`Clock`]: the time of day, which does not jump.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Milliseconds since 1970 as the system said when the server started, and what has passed since. A
/// system clock that is set while the server runs moves nothing: not the age of a publication, not
/// the order of two. Where a test pauses tokio's clock, this stands too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    started_at: Duration,
    /// How many milliseconds a test has let pass.
    #[cfg(test)]
    passed: Option<&'static std::sync::atomic::AtomicU64>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let started_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            started: Instant::now(),
            started_at,
            #[cfg(test)]
            passed: None,
        }
    }

    /// A clock that also goes on by what is added to `passed`.
    #[cfg(test)]
    pub(crate) fn start_with(passed: &'static std::sync::atomic::AtomicU64) -> Self {
        Self { passed: Some(passed), ..Self::start() }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        let now = self.started_at + self.started.elapsed();
        #[cfg(test)]
        let now = now
            + self.passed.map_or(Duration::ZERO, |passed| {
                Duration::from_millis(passed.load(std::sync::atomic::Ordering::SeqCst))
            });
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }

    /// How long the server has run.
    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Seconds since 1970 as the system says now: what a token's `exp` is compared with.
    pub(crate) fn wall_seconds() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }
}
