//! Reading channels: what is fetched of one, so that the engine can decide.

use std::ops::ControlFlow;
use std::sync::Arc;

use openline_engine::{Excerpt, Extent, History, Page, PageLimits, Query, Recovery};
use openline_protocol::{ChannelName, Position, Publication, Reason};
use serde_json::json;

use super::Shared;
use super::connection::{Failure, Which};
use super::names;
use super::seek::{Found, STEPS};
use super::streams::Access;
use super::wire::Batch;

/// Entries that are counted at most.
const COUNTED_MAX: u64 = 10_000;

/// Entries that are fetched together on the way back.
const WINDOW: u64 = 256;

/// What an entry costs beside its data, about.
const ENTRY_BYTES: usize = 200;

/// Of a channel that nothing was published on yet, until a publication says how much is kept.
const LEAST: History = History { size: 1, ttl_ms: 0 };

/// One channel that is read.
pub(super) struct Reader<'a> {
    pub(super) shared: &'a Shared,
    pub(super) channel: &'a ChannelName,
    pub(super) stream: names::Stream,
    pub(super) subject: String,
    pub(super) access: Access,
}

/// What of a channel is kept.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// The first offset that its size lets it keep.
    first: u64,
    /// What was published before is beyond its time.
    since_ms: u64,
}

/// Collects entries until there are more than an answer holds.
struct Collected {
    entries: Vec<Arc<Publication>>,
    bytes: usize,
    entries_max: u64,
    bytes_max: usize,
}

impl<'a> Reader<'a> {
    pub(super) async fn new(shared: &'a Shared, channel: &'a ChannelName) -> Result<Self, Failure> {
        let stream = shared.names.stream(channel);
        let subject = shared.names.stored(channel);
        let access = shared.streams.ensure(&shared.connection, &stream, LEAST).await?;
        Ok(Self { shared, channel, stream, subject, access })
    }

    pub(super) async fn recover(
        &self,
        since: Position,
        limits: &PageLimits,
    ) -> Result<Recovery, Failure> {
        let head = self.head_or_begin().await?;
        let kept = self.kept(&head);
        let mut collected = Collected::new(limits.publications_max, limits.bytes_max);
        if kept.may_hold(&head, since) {
            let next = self.find(&head, since.offset + 1).await?;
            self.forward(&head, next, |publication| {
                let is_asked = offset(publication) > since.offset && kept.has(publication);
                if is_asked { collected.push(publication) } else { ControlFlow::Continue(()) }
            })
            .await?;
        }
        let entries = collected.entries;
        let next = entries.first().filter(|next| offset(next) == since.offset + 1).cloned();
        let gone = kept.gone(since);
        let excerpt = Excerpt { head: head.batch.head, gone, next, at_before: None, entries };
        Ok(excerpt.recover(since, limits))
    }

    pub(super) async fn query(
        &self,
        query: &Query,
        limits: &PageLimits,
    ) -> Result<Result<Page, Reason>, Failure> {
        let head = self.head_or_begin().await?;
        let kept = self.kept(&head);
        let next = match query.since {
            Some(since) if kept.may_hold(&head, since) => {
                self.entry(&head, since.offset + 1).await?.filter(|next| kept.has(next))
            }
            _ => None,
        };
        let at_before = match query.before {
            Some(before) if kept.may_hold(&head, before) => {
                self.entry(&head, before.offset).await?.filter(|entry| kept.has(entry))
            }
            _ => None,
        };
        let entries = self.asked(&head, &kept, query, limits).await?;
        let gone = query.since.map_or(Reason::Trimmed, |since| kept.gone(since));
        let excerpt = Excerpt { head: head.batch.head, gone, next, at_before, entries };
        Ok(excerpt.query(query, limits))
    }

    /// The entries that a query asks for, in the order in which it takes them.
    async fn asked(
        &self,
        head: &Found,
        kept: &Kept,
        query: &Query,
        limits: &PageLimits,
    ) -> Result<Vec<Arc<Publication>>, Failure> {
        let limit = query.limit.unwrap_or(usize::MAX).min(limits.publications_max);
        let mut collected = Collected::new(limit, limits.bytes_max);
        let from = query.since.map_or(0, |since| since.offset + 1).max(kept.first);
        let end = query.before.map_or(u64::MAX, |before| before.offset);
        let time = query.since_time.unwrap_or(0).max(kept.since_ms);
        let take = |publication: &Arc<Publication>| {
            let at = offset(publication);
            let is_asked = at >= from && at < end && publication.timestamp >= time;
            match (is_asked, query.is_forward()) {
                (true, _) => collected.push(publication),
                (false, true) if at >= end => ControlFlow::Break(()),
                (false, false) if at < from || publication.timestamp < time => {
                    ControlFlow::Break(())
                }
                (false, _) => ControlFlow::Continue(()),
            }
        };
        let last = head.batch.head.offset;
        if query.is_forward() {
            let first = match query.since_time {
                Some(_) => self.first_at(head, time).await?,
                None if from > last => None,
                None => self.find(head, from).await?,
            };
            self.forward(head, first, take).await?;
        } else {
            self.backward(head, from, end.saturating_sub(1).min(last), take).await?;
        }
        Ok(collected.entries)
    }

    pub(super) async fn extent(&self) -> Result<Option<Extent>, Failure> {
        let Some(head) = self.head().await? else { return Ok(None) };
        let kept = self.kept(&head);
        let mut extent = Extent { entries: 0, bytes: 0, head: head.batch.head, newest_ms: None };
        self.backward(&head, kept.first, head.batch.head.offset, |publication| {
            if !kept.has(publication) || extent.entries as u64 >= COUNTED_MAX {
                return ControlFlow::Break(());
            }
            extent.entries += 1;
            extent.bytes += publication.data.len() + ENTRY_BYTES;
            extent.newest_ms = extent.newest_ms.or(Some(publication.timestamp));
            ControlFlow::Continue(())
        })
        .await?;
        Ok(Some(extent))
    }

    /// Where the channel is, if something was published that has a position.
    pub(super) async fn position(&self) -> Result<Option<Position>, Failure> {
        Ok(self.head().await?.map(|head| head.batch.head).filter(|head| head.offset > 0))
    }

    /// The last message and its sequence.
    pub(super) async fn last(&self) -> Result<Option<(u64, Batch)>, Failure> {
        Ok(self.head().await?.map(|head| (head.sequence, head.batch)))
    }

    /// The message at a sequence.
    pub(super) async fn at(&self, sequence: u64) -> Result<Option<Batch>, Failure> {
        Ok(self.get(Which::At(sequence)).await?.map(|found| found.batch))
    }

    /// Forgets what was published: the channel begins anew, and its readers are told so.
    pub(super) async fn clear(&self) -> Result<(), Failure> {
        let begun = loop {
            let Some(head) = self.head().await? else { return Ok(()) };
            match self.begin(head.sequence, head.batch.history).await {
                Err(Failure::WrongSequence) => {}
                begun => break begun?,
            }
        };
        let question = json!({ "filter": self.subject, "seq": begun.sequence });
        let what = format!("STREAM.PURGE.{}", self.stream.name);
        self.shared.connection.api(&what, question).await.map(drop)
    }

    async fn head(&self) -> Result<Option<Found>, Failure> {
        self.get(Which::Last(&self.subject)).await
    }

    /// A channel that is read has a beginning, or a reader could not tell later whether it missed
    /// what was published first.
    async fn head_or_begin(&self) -> Result<Found, Failure> {
        loop {
            if let Some(head) = self.head().await? {
                return Ok(head);
            }
            match self.begin(0, LEAST).await {
                // Somebody else was first.
                Err(Failure::WrongSequence) => {}
                begun => return begun,
            }
        }
    }

    /// Writes where the channel begins, behind the message at `before`.
    async fn begin(&self, before: u64, history: History) -> Result<Found, Failure> {
        let head = Position { epoch: rand::random(), offset: 0, tag: 0 };
        let batch = Batch { head, history, before, entries: Vec::new() };
        let (subject, payload) = (self.subject.clone(), batch.to_bytes());
        let ack = self.shared.connection.store(subject, payload, Some(before), None).await?;
        Ok(Found { sequence: ack.sequence, batch })
    }

    fn kept(&self, head: &Found) -> Kept {
        let Batch { head, history, .. } = &head.batch;
        let first = (head.offset + 1).saturating_sub(u64::from(history.size)).max(1);
        // At the end of its time it is beyond it.
        let since_ms = (self.shared.clock.now_ms() + 1).saturating_sub(history.ttl_ms);
        Kept { first, since_ms }
    }

    /// The entry at an offset, if it is there.
    async fn entry(&self, head: &Found, at: u64) -> Result<Option<Arc<Publication>>, Failure> {
        let Some(found) = self.find(head, at).await? else { return Ok(None) };
        let mut entries = found.batch.entries.into_iter().map(|entry| entry.publication);
        Ok(entries.find(|publication| offset(publication) == at))
    }

    /// Goes over entries, from a message on to the head. It is all of them, or a failure.
    async fn forward(
        &self,
        head: &Found,
        mut next: Option<Found>,
        mut take: impl FnMut(&Arc<Publication>) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        // Few are asked for one by one; for more it is worth to have them sent.
        let mut sent = None;
        let mut walked = 0;
        while let Some(found) = next {
            let mut entries = found.batch.entries.iter();
            if entries.any(|entry| take(&entry.publication).is_break()) {
                return Ok(());
            }
            // What came meanwhile is behind the head that the answer names.
            if found.sequence >= head.sequence {
                return Ok(());
            }
            walked += 1;
            let behind = found.sequence + 1;
            next = match &mut sent {
                None if walked < STEPS => self.get(Which::From(&self.subject, behind)).await?,
                None => {
                    let messages = self.messages(behind).await?;
                    self.next_of(sent.insert(messages)).await?
                }
                Some(messages) => self.next_of(messages).await?,
            };
            if next.as_ref().is_none_or(|next| next.batch.before != found.sequence) {
                return Err(Failure::Unavailable);
            }
        }
        Ok(())
    }

    /// Goes over entries, from an offset back to another.
    async fn backward(
        &self,
        head: &Found,
        lowest: u64,
        mut to: u64,
        mut take: impl FnMut(&Arc<Publication>) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        while to >= lowest.max(1) {
            let from = to.saturating_sub(WINDOW - 1).max(lowest).max(1);
            let first = self.find(head, from).await?;
            let mut window = Vec::new();
            self.forward(head, first, |publication| {
                if offset(publication) > to {
                    return ControlFlow::Break(());
                }
                if offset(publication) >= from {
                    window.push(publication.clone());
                }
                ControlFlow::Continue(())
            })
            .await?;
            if window.iter().rev().any(|publication| take(publication).is_break()) {
                break;
            }
            // What is not there has nothing before it.
            if window.first().is_none_or(|first| offset(first) > from) {
                break;
            }
            to = from - 1;
        }
        Ok(())
    }
}

impl Kept {
    fn has(&self, publication: &Publication) -> bool {
        offset(publication) >= self.first && publication.timestamp >= self.since_ms
    }

    /// Whether it is worth to look for what is at a position, or behind it.
    fn may_hold(&self, head: &Found, at: Position) -> bool {
        let Position { epoch, offset, .. } = head.batch.head;
        at.epoch == epoch && at.offset <= offset && at.offset + 1 >= self.first && offset > 0
    }

    /// Why what came behind a position is gone, if it is.
    fn gone(&self, since: Position) -> Reason {
        // There would be room for it.
        if since.offset + 1 >= self.first { Reason::Expired } else { Reason::Trimmed }
    }
}

impl Collected {
    fn new(entries_max: usize, bytes_max: usize) -> Self {
        Self { entries: Vec::new(), bytes: 0, entries_max: entries_max as u64, bytes_max }
    }

    /// Ends with one more than the limits let through.
    fn push(&mut self, publication: &Arc<Publication>) -> ControlFlow<()> {
        self.entries.push(publication.clone());
        self.bytes += publication.data.len();
        let is_enough = self.entries.len() as u64 > self.entries_max
            || (self.bytes > self.bytes_max && self.entries.len() > 1);
        if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn offset(publication: &Publication) -> u64 {
    publication.position.map_or(0, |position| position.offset)
}
