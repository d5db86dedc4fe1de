#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod chance;
mod rules;

use super::{Rule, Verdict, judge};
use crate::history::{Channel, Entry, Event, From, Place, Record, Run};

const EPOCH: u64 = 7;

/// A history by hand. Each call is a record, a millisecond after the one before.
struct Script {
    records: Vec<Record>,
    stored: Vec<Entry>,
}

impl Script {
    fn new() -> Self {
        let channel = |name: &str, history_size| Channel { name: name.to_owned(), history_size };
        let run = Run {
            seed: 1,
            subject: "script".into(),
            broker: "embedded".into(),
            nodes: 1,
            seconds: 1,
            faults: "none".into(),
            clients: vec!["json".into()],
            contiguous: true,
            recovery_max: 1_000,
            channels: vec![channel("c", 1_000), channel("short", 3)],
        };
        let mut script = Self { records: Vec::new(), stored: Vec::new() };
        script.then(Event::Run(run));
        script
    }

    fn then(&mut self, event: Event) -> &mut Self {
        let at = self.records.len() as u64 * 1_000;
        self.records.push(Record { at, event });
        self
    }

    fn invoke(&mut self, value: &str, key: &str) -> &mut Self {
        self.then(Event::Invoke {
            process: "p".into(),
            value: value.into(),
            channel: "c".into(),
            key: key.into(),
            attempt: 0,
            way: "line".into(),
        })
    }

    fn ok(&mut self, value: &str, place: Place) -> &mut Self {
        let (attempt, duplicate, level) = (0, false, Some("os".to_owned()));
        self.then(Event::Ok { value: value.into(), attempt, place: Some(place), level, duplicate })
    }

    fn fail(&mut self, value: &str) -> &mut Self {
        self.then(Event::Fail { value: value.into(), attempt: 0, code: "rate_limited".into() })
    }

    /// Publishes this value at this offset, where the store has it.
    fn published(&mut self, value: &str, offset: u64) -> &mut Self {
        self.stored.push(Entry { place: at(offset), value: value.into() });
        self.invoke(value, value).ok(value, at(offset))
    }

    fn asked(&mut self, from: From, place: Option<Place>) -> &mut Self {
        self.then(Event::Asked { reader: "s".into(), channel: "c".into(), from, place })
    }

    fn subscribed(
        &mut self,
        place: Place,
        recovered: Option<bool>,
        reason: Option<&str>,
    ) -> &mut Self {
        let reason = reason.map(str::to_owned);
        let (reader, channel, place) = ("s".into(), "c".into(), Some(place));
        self.then(Event::Subscribed { reader, channel, place, recovered, reason })
    }

    /// A reader joins in front of the first message.
    fn joins(&mut self) -> &mut Self {
        self.asked(From::Now, None).subscribed(at(0), None, None)
    }

    fn seen(&mut self, value: &str, place: Place) -> &mut Self {
        let (reader, channel) = ("s".into(), "c".into());
        self.then(Event::Seen { reader, channel, value: value.into(), place: Some(place) })
    }

    fn unrecovered(&mut self, reason: &str, place: Place) -> &mut Self {
        let (reader, channel, place) = ("s".into(), "c".into(), Some(place));
        self.then(Event::Unrecovered { reader, channel, reason: reason.into(), place })
    }

    fn fault_begins(&mut self, forgets: bool) -> &mut Self {
        let (kind, target) = ("kill".into(), "node-1".into());
        self.then(Event::FaultBegan { kind, target, forgets })
    }

    fn fault_ends(&mut self) -> &mut Self {
        self.then(Event::FaultEnded { kind: "kill".into(), target: "node-1".into() })
    }

    /// The store has this, besides what was published.
    fn stores(&mut self, value: &str, place: Place) -> &mut Self {
        self.stored.push(Entry { place, value: value.into() });
        self
    }

    /// The store does not have this any more.
    fn forgets(&mut self, place: Place) -> &mut Self {
        self.stored.retain(|entry| entry.place != place);
        self
    }

    fn judged(&mut self) -> Verdict {
        self.stored.sort_by_key(|entry| entry.place.offset);
        let entries = self.stored.clone();
        let head = entries.last().map_or(at(0), |entry| entry.place);
        self.then(Event::Healed);
        self.then(Event::Stored { channel: "c".into(), head: Some(head), entries });
        self.then(Event::End);
        judge(&self.records).unwrap()
    }

    fn is_clean(&mut self) {
        let verdict = self.judged();
        assert!(verdict.is_clean(), "{:#?}", verdict.findings);
    }

    /// Exactly these rules are broken.
    fn breaks(&mut self, rules: &[Rule]) -> Verdict {
        let verdict = self.judged();
        let broken: Vec<Rule> = verdict.broken.keys().copied().collect();
        assert_eq!(broken, rules, "{:#?}", verdict.findings);
        verdict
    }
}

/// The place of the message with this offset.
fn at(offset: u64) -> Place {
    Place { epoch: EPOCH, offset, tag: if offset == 0 { 0 } else { 100 + offset } }
}

/// A place with the same offset, as another history has it.
fn other(offset: u64) -> Place {
    Place { tag: 900 + offset, ..at(offset) }
}
