//! [`Places`]: which message stands where, as anybody learned it.

use std::collections::HashMap;

use super::{ChannelPlace, Found, Known, Rule, finding};
use crate::history::{Event, Place, Record};

/// Who learned it, and when.
#[derive(Clone, Copy)]
struct Witness<'a> {
    at: u64,
    who: &'a str,
}

/// Which message stands where.
pub(super) struct Places<'a> {
    /// All that was learned, in the order of time.
    learned: Vec<(ChannelPlace<'a>, &'a str, Witness<'a>)>,
    /// What stands at a place, as it was learned last.
    values: HashMap<ChannelPlace<'a>, &'a str>,
}

impl<'a> Places<'a> {
    pub(super) fn of(records: &'a [Record]) -> Self {
        let mut channels = HashMap::new();
        let mut places = Self { learned: Vec::new(), values: HashMap::new() };
        for Record { at, event } in records {
            match event {
                Event::Invoke { value, channel, .. } => {
                    channels.insert(value.as_str(), channel.as_str());
                }
                Event::Ok { value, place: Some(place), .. } => {
                    let channel = channels.get(value.as_str()).copied().unwrap_or_default();
                    places.learn((channel, *place), value, Witness { at: *at, who: value });
                }
                Event::Seen { reader, channel, value, place: Some(place) } => {
                    places.learn((channel, *place), value, Witness { at: *at, who: reader });
                }
                Event::Stored { channel, entries, .. } => {
                    for entry in entries {
                        let witness = Witness { at: *at, who: "store" };
                        places.learn((channel, entry.place), &entry.value, witness);
                    }
                }
                _ => {}
            }
        }
        places
    }

    /// Keeps what is new. What was known before tells nothing more, whoever says it.
    fn learn(&mut self, place: ChannelPlace<'a>, value: &'a str, witness: Witness<'a>) {
        let is_new = self.values.insert(place, value) != Some(value);
        if is_new {
            self.learned.push((place, value, witness));
        }
    }

    /// Whether anybody learned of a message at this place.
    pub(super) fn has(&self, channel: &str, place: Place) -> bool {
        self.values.contains_key(&(channel, place))
    }

    /// One position is one message, and one message has one position, unless the store forgot it and
    /// it was published again.
    pub(super) fn judge(&self, known: &Known<'_>, found: &mut Found<'_>) {
        let mut first: HashMap<ChannelPlace<'_>, &str> = HashMap::new();
        let mut stands: HashMap<(&str, &str), Place> = HashMap::new();
        let mut offsets: HashMap<(&str, u64, u64), u64> = HashMap::new();
        for &((channel, place), value, Witness { at, who }) in &self.learned {
            let at_place = *first.entry((channel, place)).or_insert(value);
            if at_place != value {
                let text = format!("{place} is {at_place} and {value}");
                found(finding(Rule::Function, at, who, channel, text));
                continue;
            }
            let may_differ = known.faults.forgot_before(at);
            let of_value = stands.entry((channel, value)).or_insert(place);
            if *of_value != place {
                if !may_differ {
                    let text = format!("{value} stands at {of_value} and at {place}");
                    found(finding(Rule::Key, at, who, channel, text));
                }
                *of_value = place;
            }
            let tag = offsets.entry((channel, place.epoch, place.offset)).or_insert(place.tag);
            if *tag != place.tag {
                if !may_differ {
                    let text =
                        format!("offset {} has tags {tag:x} and {:x}", place.offset, place.tag);
                    found(finding(Rule::Kept, at, who, channel, text));
                }
                *tag = place.tag;
            }
        }
    }
}
