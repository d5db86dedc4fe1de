//! Whether there was a reason to tell a reader of a gap.

use super::{Found, Known, Rule, finding};
use crate::history::{From, Place};

/// What a reader was told.
pub(super) struct Signal<'a> {
    pub(super) at: u64,
    pub(super) reader: &'a str,
    pub(super) channel: &'a str,
    pub(super) reason: &'a str,
    /// What it had asked for.
    pub(super) from: From,
    /// Where it was.
    pub(super) was: Option<Place>,
    /// Where the channel is.
    pub(super) is: Option<Place>,
}

impl Signal<'_> {
    pub(super) fn judge(&self, known: &Known<'_>, found: &mut Found<'_>) {
        if self.was_asked_for() || self.is_excused(known) {
            return;
        }
        let place = |place: Option<Place>| place.map_or("?".to_owned(), |place| place.to_string());
        let text = format!(
            "was told `{}` at {} on the way to {}, without a reason",
            self.reason,
            place(self.was),
            place(self.is)
        );
        found(finding(Rule::Needless, self.at, self.reader, self.channel, text));
    }

    fn was_asked_for(&self) -> bool {
        matches!(self.from, From::Forged | From::Foreign)
    }

    fn is_excused(&self, known: &Known<'_>) -> bool {
        match self.reason {
            "epoch" | "fork" => known.faults.forgot_before(self.at),
            "trimmed" | "limit" if self.misses_much(known) => true,
            _ => known.faults.any_before(self.at),
        }
    }

    /// Whether more is missing than is kept, or given back at one time.
    fn misses_much(&self, known: &Known<'_>) -> bool {
        let most = known.history_size(self.channel).min(known.run.recovery_max);
        match (self.was, self.is) {
            (Some(was), Some(is)) if was.epoch == is.epoch => {
                is.offset.saturating_sub(was.offset) > most
            }
            _ => false,
        }
    }
}
