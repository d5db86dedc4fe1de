//! Where in a stream a channel's entries are.

use super::connection::{Failure, Stored, Which};
use super::messages::Messages;
use super::read::Reader;
use super::wire::Batch;

/// Messages on the way to an offset that are walked over one by one; beyond it they are jumped over.
pub(super) const STEPS: u64 = 4;

/// A message of a channel.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) sequence: u64,
    pub(super) batch: Batch,
}

impl Found {
    /// Whether it is of the same incarnation of its channel.
    pub(super) fn is_of(&self, head: &Self) -> bool {
        self.batch.head.epoch == head.batch.head.epoch
    }
}

impl Reader<'_> {
    /// The message with an entry, or the first one behind it.
    pub(super) async fn find(&self, head: &Found, offset: u64) -> Result<Option<Found>, Failure> {
        let mut nearest = head.clone();
        for _ in 0..STEPS {
            let before = nearest.batch.before;
            if nearest.batch.first_offset() <= offset || before == 0 {
                return Ok(Some(nearest));
            }
            match self.get(Which::At(before)).await? {
                Some(found) if found.is_of(head) => nearest = found,
                _ => return Ok(Some(nearest)),
            }
        }
        let is_before = |batch: &Batch| batch.head.offset < offset;
        self.jump(head, nearest, offset, is_before).await.map(Some)
    }

    /// The first message of which something was published at a time or later.
    pub(super) async fn first_at(&self, head: &Found, time: u64) -> Result<Option<Found>, Failure> {
        let is_before = |batch: &Batch| batch.newest_ms() < time;
        if is_before(&head.batch) {
            return Ok(None);
        }
        self.jump(head, head.clone(), 0, is_before).await.map(Some)
    }

    /// The first message that is not before what is looked for; `nearest` is not. The places of a
    /// channel's messages in the stream are not known, but they grow with their offsets: each step
    /// goes to where the offset would be if others published as evenly as this channel, or to the
    /// middle, in turns.
    async fn jump(
        &self,
        head: &Found,
        mut nearest: Found,
        offset: u64,
        is_before: impl Fn(&Batch) -> bool,
    ) -> Result<Found, Failure> {
        let is_before = |found: &Found| !found.is_of(head) || is_before(&found.batch);
        let Some(mut first) = self.get(Which::From(&self.subject, 1)).await? else {
            return Ok(nearest);
        };
        if !is_before(&first) {
            return Ok(first);
        }
        // What is looked for is `nearest`, or stands in `low..high`.
        let (mut low, mut high) = (first.sequence + 1, nearest.sequence);
        let mut by_middle = offset == 0;
        while low < high {
            let part = match by_middle {
                true => 0.5,
                false => {
                    let (from, to) = (first.batch.head.offset, nearest.batch.head.offset);
                    let part = offset.saturating_sub(from) as f64 / to.saturating_sub(from) as f64;
                    if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.5 }
                }
            };
            by_middle = offset == 0 || !by_middle;
            let guess = (low + ((high - low) as f64 * part) as u64).min(high - 1);
            match self.get(Which::From(&self.subject, guess)).await? {
                Some(found) if found.sequence < high && is_before(&found) => {
                    low = found.sequence + 1;
                    first = found;
                }
                found => {
                    nearest = found.filter(|found| found.sequence < high).unwrap_or(nearest);
                    high = guess;
                }
            }
        }
        Ok(nearest)
    }

    /// The channel's messages from a sequence on, sent one behind the other.
    pub(super) async fn messages(&self, from: u64) -> Result<Messages<'_>, Failure> {
        Messages::new(&self.shared.connection, &self.stream.name, &self.subject, from).await
    }

    pub(super) async fn next_of(
        &self,
        messages: &mut Messages<'_>,
    ) -> Result<Option<Found>, Failure> {
        match messages.next().await? {
            Some(stored) => self.found(stored),
            None => Ok(None),
        }
    }

    pub(super) async fn get(&self, which: Which<'_>) -> Result<Option<Found>, Failure> {
        let connection = &self.shared.connection;
        let stored = match connection.get(&self.stream.name, self.access, which).await {
            Err(Failure::NoStream) => {
                self.shared.streams.forget(&self.stream);
                return Err(Failure::Unavailable);
            }
            stored => stored?,
        };
        stored.map_or(Ok(None), |stored| self.found(stored))
    }

    fn found(&self, stored: Stored) -> Result<Option<Found>, Failure> {
        let Stored { subject, sequence, payload } = stored;
        // A server that forgot has given a sequence to something else.
        if subject != self.subject {
            return Ok(None);
        }
        match Batch::from_bytes(self.channel, &payload) {
            Some(batch) => Ok(Some(Found { sequence, batch })),
            None => Err(Failure::Refused(format!(
                "message {sequence} of stream {} was written by nothing that is known here",
                self.stream.name
            ))),
        }
    }
}
