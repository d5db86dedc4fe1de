//! All that happened in a history, to be compared and to be read.

use std::fmt;

use openline_protocol::Position;

/// Steps that are shown of a history in which something was found.
const SHOWN: usize = 60;

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Store,
    Node(usize),
    Line(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    at: u64,
    who: Who,
    what: &'static str,
    /// Of what: a place in a channel, or a number.
    of: Of,
}

/// What a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Number(u64),
    Place { channel: usize, position: Option<Position> },
}

/// All that happened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace(Vec<Step>);

impl Trace {
    pub(crate) fn note(&mut self, at: u64, who: Who, what: &'static str, of: Of) {
        self.0.push(Step { at, who, what, of });
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.0.len().saturating_sub(SHOWN);
        for Step { at, who, what, of } in &self.0[last..] {
            let who = format!("{who:?}");
            writeln!(f, "{at:>9} ms  {who:<9} {what} {of}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Place { channel, position: None } => write!(f, "c{channel}"),
            Self::Place { channel, position: Some(Position { epoch, offset, tag }) } => {
                write!(f, "c{channel} at {offset} ({epoch:08x} {tag:016x})")
            }
        }
    }
}
