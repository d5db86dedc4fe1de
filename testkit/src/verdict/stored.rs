//! [`Stored`]: what the store has at the end, against what was acknowledged and seen.

use std::collections::{HashMap, HashSet};

use super::{ChannelPlace, Found, Known, Rule, finding};
use crate::history::{Event, Place, Record};

/// What the store has.
pub(super) struct Stored<'a> {
    entries: HashSet<ChannelPlace<'a>>,
    channels: HashMap<&'a str, Kept>,
    /// The entry in front of an entry.
    before: HashMap<ChannelPlace<'a>, Place>,
}

struct Kept {
    head: Option<Place>,
    oldest: Option<Place>,
    count: u64,
}

impl<'a> Stored<'a> {
    pub(super) fn of(records: &'a [Record]) -> Self {
        let (entries, channels, before) = (HashSet::new(), HashMap::new(), HashMap::new());
        let mut stored = Self { entries, channels, before };
        for record in records {
            let Event::Stored { channel, head, entries } = &record.event else { continue };
            let oldest = entries.first().map(|entry| entry.place);
            let count = entries.len() as u64;
            stored.channels.insert(channel, Kept { head: *head, oldest, count });
            stored.entries.extend(entries.iter().map(|entry| (channel.as_str(), entry.place)));
            let pairs =
                entries.windows(2).map(|pair| ((channel.as_str(), pair[1].place), pair[0].place));
            stored.before.extend(pairs);
        }
        stored
    }

    /// Where a channel is at the end; none if that was not read.
    pub(super) fn head(&self, channel: &str) -> Option<Place> {
        self.channels.get(channel)?.head
    }

    /// The entry in front of this one, if the store has both.
    pub(super) fn before(&self, channel: &'a str, place: Place) -> Option<Place> {
        self.before.get(&(channel, place)).copied()
    }

    /// Whether an entry is there, or was kept as long as the channel keeps entries. True where the
    /// store was not read.
    fn has_kept(&self, channel: &str, place: Place, history_size: u64) -> bool {
        let Some(kept) = self.channels.get(channel) else { return true };
        let is_trimmed = kept.count >= history_size
            && kept
                .oldest
                .is_some_and(|oldest| oldest.epoch == place.epoch && place.offset < oldest.offset);
        is_trimmed || self.entries.contains(&(channel, place))
    }
}

/// Looks for what was acknowledged, and for what was seen, in the store.
pub(super) fn judge(records: &[Record], known: &Known<'_>, found: &mut Found<'_>) {
    let mut is_volatile = false;
    for publish in known.publishes.all() {
        let size = known.history_size(publish.channel);
        for ack in &publish.acks {
            is_volatile |= ack.level.is_none_or(|level| level == "memory");
            let Some(place) = ack.place.filter(|_| ack.level != Some("memory")) else { continue };
            let is_kept = known.stored.has_kept(publish.channel, place, size);
            // A repeated publish is answered from the store's memory of the first.
            if !is_kept && !known.faults.forgot_within(publish.invoked, ack.at) {
                let level = ack.level.unwrap_or("no level");
                let text = format!(
                    "{} was acknowledged at {place} ({level}), and the store does not have it",
                    publish.value
                );
                found(finding(Rule::Kept, ack.at, publish.value, publish.channel, text));
                break;
            }
        }
    }
    if !is_volatile {
        seen_is_durable(records, known, found);
    }
}

fn seen_is_durable(records: &[Record], known: &Known<'_>, found: &mut Found<'_>) {
    let mut told = HashSet::new();
    for Record { at, event } in records {
        let Event::Seen { reader, channel, value, place: Some(place) } = event else { continue };
        let size = known.history_size(channel);
        let is_kept = known.stored.has_kept(channel, *place, size);
        let since = known.publishes.get(value).map_or(*at, |publish| publish.invoked);
        if !is_kept && !known.faults.forgot_within(since, *at) && told.insert((channel, *place)) {
            let text = format!("{value} was seen at {place}, and the store does not have it");
            found(finding(Rule::Durable, *at, reader, channel, text));
        }
    }
}
