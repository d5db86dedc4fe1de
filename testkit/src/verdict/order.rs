//! What was acknowledged before another publish began stands before it.

use std::collections::HashMap;

use super::publishes::Publish;
use super::{Found, Known, Rule, finding};

/// Offsets, when they were acknowledged, and what stands there.
type Line<'p, 'a> = Vec<(u64, u64, &'p Publish<'a>)>;

/// Compares publishes of one channel and epoch, as long as the store did not forget between them.
pub(super) fn judge(known: &Known<'_>, found: &mut Found<'_>) {
    let mut lines: HashMap<(&str, u64, usize), Line<'_, '_>> = HashMap::new();
    for publish in known.publishes.all() {
        let Some((acked, place)) = publish.stands() else { continue };
        if let Some(era) = known.faults.era(publish.invoked, acked) {
            let line = lines.entry((publish.channel, place.epoch, era)).or_default();
            line.push((place.offset, acked, publish));
        }
    }
    for ((channel, ..), mut line) in lines {
        line.sort_unstable_by_key(|(offset, ..)| std::cmp::Reverse(*offset));
        let mut earliest: Option<(u64, &Publish<'_>)> = None;
        for (_, acked, publish) in line {
            if let Some((before, behind)) = earliest.filter(|(before, _)| *before < publish.invoked)
            {
                let text = format!(
                    "{} stands before {}, but was sent {} us after its acknowledgement",
                    publish.value,
                    behind.value,
                    publish.invoked - before,
                );
                found(finding(Rule::RealTime, acked, publish.value, channel, text));
            }
            if earliest.is_none_or(|(before, _)| acked < before) {
                earliest = Some((acked, publish));
            }
        }
    }
}
