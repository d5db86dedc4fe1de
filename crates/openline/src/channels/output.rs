//! [`Output`]: what is printed where.

use std::io::{self, IsTerminal as _, Write as _};

use super::json::Object;
use crate::cli::Channels;
use crate::connect::note;
use crate::exit::Failure;

/// What is printed where: results on standard output, as JSON or as text; everything else on standard
/// error, unless it is wanted as JSON too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    is_json: bool,
    has_bar: bool,
}

impl Output {
    pub(super) fn new(channels: &Channels) -> Self {
        let has_bar = channels.upload.is_some() && !channels.json && io::stderr().is_terminal();
        Self { is_json: channels.json, has_bar }
    }

    /// Prints a result, as the one or the other.
    pub(super) fn result(
        self,
        json: impl FnOnce() -> Object,
        text: impl FnOnce() -> String,
    ) -> io::Result<()> {
        self.line(&if self.is_json { json().finish() } else { text() })
    }

    /// Tells something that is no result: as JSON between the results, as text beside them.
    pub(super) fn tell(
        self,
        json: impl FnOnce() -> Object,
        text: impl FnOnce() -> Option<String>,
    ) -> io::Result<()> {
        if self.is_json {
            return self.line(&json().finish());
        }
        if let Some(text) = text() {
            self.clear_bar();
            note(&printable(&text));
        }
        Ok(())
    }

    /// Tells programs how it ended. People are told at the end of the program.
    pub(super) fn failed(self, code: &str, failure: &Failure) {
        self.clear_bar();
        if self.is_json {
            let object = Object::new("error").text("code", code).text("message", failure);
            // If nobody takes it, the exit code still says it.
            let _ = self.line(&object.raw("exit", failure.exit as u8).finish());
        }
    }

    /// Draws the bar again, where there is one.
    pub(super) fn bar(self, bar: impl FnOnce() -> String) {
        if self.has_bar {
            let _ = write!(io::stderr(), "\r{}\x1b[K", printable(&bar()));
        }
    }

    pub(super) fn clear_bar(self) {
        if self.has_bar {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    fn line(self, line: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()
    }
}

/// A text without characters that would steer the terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
