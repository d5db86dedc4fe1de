//! What in a history breaks the delivery promise.
//!
//! [`judge`] is a pure function, and takes time in proportion to the history.

mod faults;
mod order;
mod places;
mod publishes;
mod reader;
mod rule;
mod signal;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::history::{Event, Place, Record, Run};

pub use rule::Rule;

use self::faults::Faults;
use self::places::Places;
use self::publishes::Publishes;
use self::stored::Stored;

/// So many findings are told in words; the rest is counted.
const FINDINGS_MAX: usize = 500;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What broke the promise, in the order of time.
    pub findings: Vec<Finding>,
    /// How often each rule was broken, also beyond those that are told.
    pub broken: BTreeMap<Rule, usize>,
    /// What the history holds.
    pub counts: Counts,
}

/// Something that breaks the promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which part of it.
    pub rule: Rule,
    /// When it was learned, in microseconds since the run began.
    pub at: u64,
    /// Who learned it.
    pub who: String,
    /// In which channel.
    pub channel: String,
    /// What happened.
    pub text: String,
    /// Where messages are missing, if that is it.
    pub part: Option<Part>,
}

/// Which part of what a reader should have seen is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first, behind where it subscribed.
    Prefix,
    /// Between messages that it saw.
    Middle,
    /// The last.
    Postfix,
}

/// What a history holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Publishes that were acknowledged.
    pub acknowledged: usize,
    /// Those of them that were sent more than once.
    pub retried: usize,
    /// Publishes that were refused.
    pub failed: usize,
    /// Publishes of which it is not known.
    pub unknown: usize,
    /// Messages that readers saw.
    pub seen: usize,
    /// Lines that were lost.
    pub lost: usize,
    /// Subscriptions that went on from a position.
    pub recovered: usize,
    /// How often readers were told that messages are missing, by reason.
    pub signals: BTreeMap<String, usize>,
    /// Faults.
    pub faults: usize,
    /// Faults that could not be made here, and why.
    pub not_run: BTreeMap<String, String>,
}

impl Verdict {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.broken.is_empty()
    }

    fn add(&mut self, finding: Finding) {
        *self.broken.entry(finding.rule).or_default() += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }
}

/// Judges a history.
///
/// # Errors
/// When it is not the history of a whole run.
pub fn judge(records: &[Record]) -> Result<Verdict, String> {
    let Some(Record { event: Event::Run(run), .. }) = records.first() else {
        return Err("a history begins with a record of the run".to_owned());
    };
    if !matches!(records.last(), Some(Record { event: Event::End, .. })) {
        return Err("the history has no end: the run was interrupted".to_owned());
    }
    let known = Known {
        run,
        faults: Faults::of(records),
        publishes: Publishes::of(records),
        places: Places::of(records),
        stored: Stored::of(records),
    };
    let mut verdict = Verdict { counts: counts(records, &known), ..Verdict::default() };
    let found = |finding| verdict.add(finding);
    let mut found: Box<dyn FnMut(Finding)> = Box::new(found);
    known.places.judge(&known, &mut found);
    known.publishes.judge(&known, &mut found);
    order::judge(&known, &mut found);
    stored::judge(records, &known, &mut found);
    reader::judge(records, &known, &mut found);
    for Record { at, event } in records {
        if let Event::Broke { what_broke } = event {
            found(finding(Rule::Alive, *at, "node", "", what_broke.clone()));
        }
    }
    drop(found);
    verdict.findings.sort_by_key(|finding| finding.at);
    Ok(verdict)
}

/// What is known of a run before its readers are looked at.
struct Known<'a> {
    run: &'a Run,
    faults: Faults,
    publishes: Publishes<'a>,
    places: Places<'a>,
    stored: Stored<'a>,
}

impl Known<'_> {
    fn history_size(&self, channel: &str) -> u64 {
        let found = self.run.channels.iter().find(|known| known.name == channel);
        found.map_or(0, |channel| channel.history_size)
    }
}

/// What is told of findings.
type Found<'a> = dyn FnMut(Finding) + 'a;

/// A place in one of the channels.
type ChannelPlace<'a> = (&'a str, Place);

fn finding(rule: Rule, at: u64, who: &str, channel: &str, text: String) -> Finding {
    Finding { rule, at, who: who.to_owned(), channel: channel.to_owned(), text, part: None }
}

fn counts(records: &[Record], known: &Known<'_>) -> Counts {
    let mut counts = Counts::default();
    known.publishes.count(&mut counts);
    for record in records {
        match &record.event {
            Event::Seen { .. } => counts.seen += 1,
            Event::Lost { .. } => counts.lost += 1,
            Event::FaultBegan { .. } => counts.faults += 1,
            Event::FaultNotRun { kind, why, .. } => {
                counts.not_run.insert(kind.clone(), why.clone());
            }
            Event::Subscribed { recovered: Some(true), .. } => counts.recovered += 1,
            Event::Subscribed { recovered: Some(false), reason, .. } => {
                let reason = reason.clone().unwrap_or_default();
                *counts.signals.entry(reason).or_default() += 1;
            }
            Event::Unrecovered { reason, .. } => {
                *counts.signals.entry(reason.clone()).or_default() += 1;
            }
            _ => {}
        }
    }
    counts
}
