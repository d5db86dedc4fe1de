//! What a reader gets of a stream, wherever its entries are: the decisions, without the entries.

use std::sync::Arc;

use openline_protocol::{Position, Publication, Reason};

use crate::stream::{PageLimits, Query};

/// Whether a reader at `since` can go on. `next` is the `prev_tag` of the entry behind it, or why
/// there is none.
pub(crate) fn since(
    since: Position,
    head: Position,
    next: Result<u64, Reason>,
) -> Result<(), Reason> {
    if since.epoch != head.epoch {
        return Err(Reason::Epoch);
    }
    // A reader that is ahead read what this store lost.
    if since.offset > head.offset {
        return Err(Reason::Fork);
    }
    let follows_on = if since.offset == head.offset { head.tag } else { next? };
    // The chain: what comes next must follow on the very entry that the reader had.
    if follows_on == since.tag { Ok(()) } else { Err(Reason::Fork) }
}

/// Whether there is something before `before`; `kept` is the entry at its offset, if it is kept.
pub(crate) fn before(
    before: Position,
    head: Position,
    kept: Option<Position>,
) -> Result<(), Reason> {
    if before.epoch != head.epoch {
        return Err(Reason::Epoch);
    }
    if before.offset > head.offset {
        return Err(Reason::Fork);
    }
    let is_other = |at: Position| at.offset == before.offset && at.tag != before.tag;
    if kept.is_some_and(is_other) { Err(Reason::Fork) } else { Ok(()) }
}

/// What a reader missed, all of it or nothing: a reader that gets a part could not tell it from the
/// whole.
pub(crate) fn whole<'a>(
    missed: impl Iterator<Item = &'a Arc<Publication>> + Clone,
    limits: &PageLimits,
) -> Result<Vec<Arc<Publication>>, Reason> {
    let (mut publications, mut bytes) = (0, 0);
    for publication in missed.clone() {
        publications += 1;
        bytes += publication.data.len();
    }
    if publications > limits.publications_max || bytes > limits.bytes_max {
        return Err(Reason::Limit);
    }
    Ok(missed.cloned().collect())
}

/// As many as one page holds.
pub(crate) fn page<'a>(
    entries: impl Iterator<Item = &'a Arc<Publication>>,
    query: &Query,
    limits: &PageLimits,
) -> Vec<Arc<Publication>> {
    let limit = query.limit.unwrap_or(usize::MAX).min(limits.publications_max);
    let mut bytes = 0;
    // One that is too large by itself is a page, or nobody could read beyond it.
    let fits = |publication: &&Arc<Publication>| {
        let is_first = bytes == 0;
        bytes += publication.data.len();
        is_first || bytes <= limits.bytes_max
    };
    entries.take(limit).take_while(fits).cloned().collect()
}
