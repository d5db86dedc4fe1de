//! [`Ending`]: why a line ends, and when its client is wanted back.

use openline_protocol::{Reply, close};

/// A server that stops is seldom back at once.
const RESTART_MS: u64 = 1_000;

/// After this, what was too much may have passed.
const LATER_MS: u64 = 30_000;

/// Why a line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) code: u16,
    pub(crate) reason: String,
    /// The client is not to come back earlier.
    pub(crate) retry_after_ms: Option<u64>,
}

impl Ending {
    /// With the time that is usual for the code, if there is one.
    pub(crate) fn new(code: u16, reason: impl Into<String>) -> Self {
        let retry_after_ms = match code {
            close::SERVICE_RESTART => Some(RESTART_MS),
            close::TRY_AGAIN_LATER | close::RATE_LIMITED | close::MAINTENANCE => Some(LATER_MS),
            _ => None,
        };
        Self { code, reason: reason.into(), retry_after_ms }
    }

    /// With a time of its own.
    pub(crate) fn retry_after(self, ms: u64) -> Self {
        Self { retry_after_ms: Some(ms), ..self }
    }

    /// What the client is told before.
    pub(crate) fn message(&self) -> Reply<'_> {
        let Self { code, reason, retry_after_ms } = self;
        Reply::Close { code: *code, reason, retry_after_ms: *retry_after_ms }
    }
}
