//! [`Publishes`]: what was published, and what came of it.

use std::collections::HashMap;

use super::{Counts, Found, Known, Rule, finding};
use crate::history::{Event, Place, Record};

/// What was published, by value.
pub(super) struct Publishes<'a> {
    by_value: HashMap<&'a str, Publish<'a>>,
    /// Values in the order in which they were first sent.
    values: Vec<&'a str>,
}

/// One message, however often it was sent.
pub(super) struct Publish<'a> {
    pub(super) value: &'a str,
    pub(super) channel: &'a str,
    pub(super) key: &'a str,
    /// When it was sent first.
    pub(super) invoked: u64,
    pub(super) attempts: usize,
    pub(super) refused: usize,
    pub(super) acks: Vec<Ack<'a>>,
}

pub(super) struct Ack<'a> {
    pub(super) at: u64,
    pub(super) place: Option<Place>,
    pub(super) level: Option<&'a str>,
}

impl Publish<'_> {
    /// Whether each attempt was refused.
    pub(super) fn has_failed(&self) -> bool {
        self.refused == self.attempts
    }

    /// When it was acknowledged first, and where it stands.
    pub(super) fn stands(&self) -> Option<(u64, Place)> {
        let first = self.acks.first()?;
        Some((first.at, first.place?))
    }
}

impl<'a> Publishes<'a> {
    pub(super) fn of(records: &'a [Record]) -> Self {
        let mut publishes = Self { by_value: HashMap::new(), values: Vec::new() };
        for Record { at, event } in records {
            match event {
                Event::Invoke { value, channel, key, .. } => {
                    publishes.invoke(*at, value, channel, key)
                }
                Event::Ok { value, place, level, .. } => {
                    if let Some(publish) = publishes.by_value.get_mut(value.as_str()) {
                        let ack = Ack { at: *at, place: *place, level: level.as_deref() };
                        publish.acks.push(ack);
                    }
                }
                Event::Fail { value, .. } => {
                    if let Some(publish) = publishes.by_value.get_mut(value.as_str()) {
                        publish.refused += 1;
                    }
                }
                _ => {}
            }
        }
        publishes
    }

    fn invoke(&mut self, at: u64, value: &'a str, channel: &'a str, key: &'a str) {
        let publish = self.by_value.entry(value).or_insert_with(|| {
            self.values.push(value);
            let (attempts, refused, acks) = (0, 0, Vec::new());
            Publish { value, channel, key, invoked: at, attempts, refused, acks }
        });
        publish.attempts += 1;
    }

    pub(super) fn get(&self, value: &str) -> Option<&Publish<'a>> {
        self.by_value.get(value)
    }

    /// All of them, in the order in which they were first sent.
    pub(super) fn all(&self) -> impl Iterator<Item = &Publish<'a>> {
        self.values.iter().map(|value| &self.by_value[value])
    }

    pub(super) fn count(&self, counts: &mut Counts) {
        for publish in self.all() {
            counts.retried += usize::from(publish.attempts > 1);
            match () {
                () if !publish.acks.is_empty() => counts.acknowledged += 1,
                () if publish.has_failed() => counts.failed += 1,
                () => counts.unknown += 1,
            }
        }
    }

    /// One key is one position, unless the store forgot the key.
    pub(super) fn judge(&self, known: &Known<'_>, found: &mut Found<'_>) {
        let mut keys: HashMap<(&str, &str), (u64, &str, Option<Place>)> = HashMap::new();
        for publish in self.all() {
            for ack in &publish.acks {
                let place = (publish.channel, publish.key);
                let first =
                    *keys.entry(place).or_insert((publish.invoked, publish.value, ack.place));
                let (since, value, at) = first;
                let is_same = value == publish.value && at == ack.place;
                if !is_same && !known.faults.forgot_within(since, ack.at) {
                    let text = format!(
                        "key {} is {value} at {} and {} at {}",
                        publish.key,
                        shown(at),
                        publish.value,
                        shown(ack.place),
                    );
                    found(finding(Rule::Key, ack.at, publish.value, publish.channel, text));
                }
            }
        }
    }
}

fn shown(place: Option<Place>) -> String {
    place.map_or_else(|| "no position".to_owned(), |place| place.to_string())
}
