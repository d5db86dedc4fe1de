//! The measured window: after a warm-up, announced on standard output.

use std::time::{Duration, Instant};

/// Whoever runs the load samples the server's CPU at the two event lines.
pub(crate) struct Window {
    warmup: Duration,
    length: Duration,
    begun: Instant,
    opened: Option<Instant>,
}

pub(crate) enum Phase {
    /// Warming up, or measuring.
    Going,
    /// The window has just opened: forget what was counted so far.
    Opened,
    /// The window has closed after this long.
    Closed(Duration),
}

impl Window {
    pub(crate) fn new(warmup: Duration, length: Duration) -> Self {
        Self { warmup, length, begun: Instant::now(), opened: None }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.opened.is_some()
    }

    pub(crate) fn handle_time(&mut self, now: Instant) -> Phase {
        match self.opened {
            None if now - self.begun >= self.warmup => {
                self.opened = Some(now);
                println!("{{\"event\":\"start\"}}");
                Phase::Opened
            }
            Some(opened) if now - opened >= self.length => {
                println!("{{\"event\":\"end\"}}");
                Phase::Closed(now - opened)
            }
            _ => Phase::Going,
        }
    }
}
