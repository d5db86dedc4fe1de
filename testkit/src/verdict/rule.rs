//! [`Rule`]: the parts of the promise.

use std::fmt;

/// A part of the promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// One position is one message.
    Function,
    /// A reader sees a channel in its one order.
    Order,
    /// No client instance sees a message twice.
    Duplicate,
    /// Nothing is missing without a word.
    Gap,
    /// What was refused, or never published, is not seen.
    Ghost,
    /// One key is one position.
    Key,
    /// What was acknowledged before another publish began stands before it.
    RealTime,
    /// What was seen is in the store.
    Durable,
    /// A subscription that recovered goes on where it was.
    Recovery,
    /// Readers are not told of gaps without a reason.
    Needless,
    /// Readers catch up when all is whole.
    CatchUp,
    /// What was acknowledged is in the store.
    Kept,
    /// Nothing ends that was not broken, and what was broken comes back.
    Alive,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Function,
        Self::Order,
        Self::Duplicate,
        Self::Gap,
        Self::Ghost,
        Self::Key,
        Self::RealTime,
        Self::Durable,
        Self::Recovery,
        Self::Needless,
        Self::CatchUp,
        Self::Kept,
        Self::Alive,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Order => "order",
            Self::Duplicate => "duplicate",
            Self::Gap => "gap",
            Self::Ghost => "ghost",
            Self::Key => "key",
            Self::RealTime => "real-time",
            Self::Durable => "durable",
            Self::Recovery => "recovery",
            Self::Needless => "needless",
            Self::CatchUp => "catch-up",
            Self::Kept => "kept",
            Self::Alive => "alive",
        }
    }

    /// What it says.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Function => "one position is one message",
            Self::Order => "a reader sees a channel in its one order",
            Self::Duplicate => "no client sees a message twice",
            Self::Gap => "nothing is missing without a word",
            Self::Ghost => "what was refused or never published is not seen",
            Self::Key => "one key is one position",
            Self::RealTime => "what was acknowledged before another publish began stands before it",
            Self::Durable => "what was seen is in the store at the end",
            Self::Recovery => "`recovered` means that the reader goes on where it was",
            Self::Needless => "readers are told of gaps only for a reason",
            Self::CatchUp => "readers catch up within 30 s when all is whole",
            Self::Kept => "what was acknowledged is in the store at the end",
            Self::Alive => "nothing ends by itself, and what was broken comes back",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
