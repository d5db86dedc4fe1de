//! [`Positions`]: what a reader knows about where it was.

use std::collections::BTreeMap;

use crate::history::From;
use crate::seed::Seed;
use crate::subject::Subject;

/// So many positions of a channel are saved.
const SAVED_MAX: usize = 50;
/// So many messages in a hundred have their position saved.
const SAVE_PERCENT: u64 = 10;

/// The positions of one reader, by channel.
pub(super) struct Positions {
    channels: BTreeMap<String, Known>,
    seed: Seed,
}

#[derive(Default)]
struct Known {
    own: Option<String>,
    saved: Vec<String>,
}

impl Positions {
    pub(super) fn new(seed: Seed) -> Self {
        Self { channels: BTreeMap::new(), seed }
    }

    /// The reader is here now.
    pub(super) fn set(&mut self, channel: &str, position: &str) {
        let known = self.channels.entry(channel.to_owned()).or_default();
        known.own = Some(position.to_owned());
        if self.seed.percent(SAVE_PERCENT) {
            if known.saved.len() == SAVED_MAX {
                let forgotten = self.seed.between(0, SAVED_MAX as u64) as usize;
                known.saved.swap_remove(forgotten);
            }
            known.saved.push(position.to_owned());
        }
    }

    pub(super) fn own(&self, channel: &str) -> Option<&str> {
        self.channels.get(channel)?.own.as_deref()
    }

    /// A position of this kind, or of a plainer one where there is none of it.
    pub(super) fn choose(
        &mut self,
        channel: &str,
        from: From,
        subject: &dyn Subject,
    ) -> (From, Option<String>) {
        let own = self.own(channel).map(str::to_owned);
        let found = match (from, &own) {
            (From::Now, _) => return (From::Now, None),
            (From::Own, _) | (_, None) => None,
            (From::Older, Some(_)) => self.saved(channel),
            (From::Forged, Some(own)) => subject.forged(own, &mut self.seed),
            (From::Foreign, Some(_)) => self.foreign(channel, subject),
        };
        match (found, own) {
            (Some(position), _) => (from, Some(position)),
            (None, Some(own)) => (From::Own, Some(own)),
            (None, None) => (From::Now, None),
        }
    }

    fn saved(&mut self, channel: &str) -> Option<String> {
        let saved = &self.channels.get(channel)?.saved;
        (!saved.is_empty()).then(|| self.seed.one(saved).clone())
    }

    /// The position of a message in another channel. That of a channel's beginning would not do:
    /// channels may begin alike.
    fn foreign(&self, channel: &str, subject: &dyn Subject) -> Option<String> {
        let others = self.channels.iter().filter(|(name, _)| *name != channel);
        let mut positions = others.filter_map(|(_, known)| known.own.as_ref());
        positions.find(|text| subject.place(text).is_some_and(|place| place.offset > 0)).cloned()
    }
}
