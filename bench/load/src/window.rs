//! The measured window: after a warm-up, announced on standard output.

use std::time::{Duration, Instant};

use crate::args::Args;

/// Whoever runs the load samples the server's CPU at the two event lines.
pub(crate) struct Window {
    warmup: Duration,
    length: Duration,
    /// When it was first looked at: by then all lines are there.
    begun: Option<Instant>,
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
    /// Takes `--warmup` and `--seconds`. The warm-up begins with the first [`Window::handle_time`].
    pub(crate) fn take(args: &mut Args) -> Result<Self, String> {
        let mut seconds = |name| args.required(name).map(Duration::from_secs_f64);
        let (warmup, length) = (seconds("warmup")?, seconds("seconds")?);
        Ok(Self { warmup, length, begun: None, opened: None })
    }

    pub(crate) fn is_open(&self) -> bool {
        self.opened.is_some()
    }

    pub(crate) fn handle_time(&mut self, now: Instant) -> Phase {
        let begun = *self.begun.get_or_insert(now);
        match self.opened {
            None if now - begun >= self.warmup => {
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
