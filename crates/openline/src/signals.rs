//! [`Signals`]: what asks the program to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;

/// SIGINT and SIGTERM.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// The first is told by [`Signals::next`]; a second one ends the program at once, even while it
    /// waits for somebody to take its output.
    pub(crate) fn new() -> io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        let again = std::sync::Arc::default();
        for kind in [SIGINT, SIGTERM] {
            let exit = Exit::Interrupted as i32;
            signal_hook::flag::register_conditional_shutdown(
                kind,
                exit,
                std::sync::Arc::clone(&again),
            )?;
            signal_hook::flag::register(kind, std::sync::Arc::clone(&again))?;
        }
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The first of them.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
