//! [`Excerpt`]: as much of a stream as one question needs, read from a store elsewhere.

use std::sync::Arc;

use openline_protocol::{Position, Publication, Reason};

use crate::judge;
use crate::stream::{Page, PageLimits, Query, Recovery};

/// What a store elsewhere says to one question. It answers as [`Stream`](crate::Stream) would that
/// has all of it.
#[derive(Debug, Clone)]
pub struct Excerpt {
    /// Where the stream is.
    pub head: Position,
    /// Why the entries before the first kept one are gone.
    pub gone: Reason,
    /// The entry behind the question's `since`, if it is kept.
    pub next: Option<Arc<Publication>>,
    /// The entry at the question's `before`, if it is kept.
    pub at_before: Option<Arc<Publication>>,
    /// What was asked for: from the oldest on if [`Query::is_forward`], or else from the newest back.
    /// It may end early, but not before it holds one more than the limits let through.
    pub entries: Vec<Arc<Publication>>,
}

impl Excerpt {
    /// What a reader at `since` missed; the entries are those behind it, from the oldest on.
    pub fn recover(self, since: Position, limits: &PageLimits) -> Recovery {
        let missed = self.check_since(since);
        let missed = missed.and_then(|()| judge::whole(self.entries.iter(), limits));
        Recovery { missed, head: self.head }
    }

    /// A part of what is kept.
    ///
    /// # Errors
    /// As [`Stream::query`](crate::Stream::query).
    pub fn query(self, query: &Query, limits: &PageLimits) -> Result<Page, Reason> {
        if let Some(since) = query.since {
            self.check_since(since)?;
        }
        if let Some(before) = query.before {
            let kept = self.at_before.as_ref().and_then(|entry| entry.position);
            judge::before(before, self.head, kept)?;
        }
        let mut publications = judge::page(self.entries.iter(), query, limits);
        let more = publications.len() < self.entries.len();
        if !query.is_forward() && !query.reverse {
            publications.reverse();
        }
        Ok(Page { publications, head: self.head, more })
    }

    fn check_since(&self, since: Position) -> Result<(), Reason> {
        let next = self.next.as_ref().map(|next| next.prev_tag);
        judge::since(since, self.head, next.ok_or(self.gone))
    }
}
