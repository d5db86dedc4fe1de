//! [`Faults`]: what may be excused by what was broken.

use crate::history::{Event, Record};

/// When something was broken.
pub(super) struct Faults {
    first: Option<u64>,
    /// When the store may have forgotten something: from when to when.
    forgets: Vec<(u64, u64)>,
}

impl Faults {
    pub(super) fn of(records: &[Record]) -> Self {
        let mut faults = Self { first: None, forgets: Vec::new() };
        let mut open: Vec<(&str, &str, u64)> = Vec::new();
        for Record { at, event } in records {
            match event {
                Event::FaultBegan { kind, target, forgets } => {
                    faults.first.get_or_insert(*at);
                    if *forgets {
                        open.push((kind, target, *at));
                    }
                }
                Event::FaultEnded { kind, target } => {
                    let is_it = |(of, to, _): &(&str, &str, u64)| of == kind && to == target;
                    if let Some(index) = open.iter().position(is_it) {
                        let (_, _, began) = open.remove(index);
                        faults.forgets.push((began, *at));
                    }
                }
                _ => {}
            }
        }
        faults.forgets.extend(open.into_iter().map(|(_, _, began)| (began, u64::MAX)));
        faults.forgets.sort_unstable();
        faults
    }

    /// Whether anything had been broken by then.
    pub(super) fn any_before(&self, at: u64) -> bool {
        self.first.is_some_and(|first| first <= at)
    }

    /// Whether the store may have forgotten something by then.
    pub(super) fn forgot_before(&self, at: u64) -> bool {
        self.forgets.iter().any(|(began, _)| *began <= at)
    }

    /// Whether the store may have forgotten something within this time.
    pub(super) fn forgot_within(&self, from: u64, to: u64) -> bool {
        self.forgets.iter().any(|(began, ended)| *began <= to && *ended >= from)
    }

    /// In which of the times between such faults this time is; none if in one of them.
    pub(super) fn era(&self, from: u64, to: u64) -> Option<usize> {
        let before = self.forgets.iter().filter(|(_, ended)| *ended < from).count();
        (!self.forgot_within(from, to)).then_some(before)
    }
}
