//! One subscription, as the client sees it.

use std::sync::Arc;

use openline_protocol::{ChannelName, Data, Position, Publication as Received, SubscribeTo};
use tokio::sync::oneshot;

use super::catch_up::CatchUp;
use super::inbox::Inbox;
use crate::error::Error;
use crate::event::{ChannelEvent, GapReason, Publication};

/// What a subscription is to be.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) channel: ChannelName,
    pub(crate) since: Option<Position>,
    pub(crate) history: Option<u32>,
    pub(crate) token: Option<String>,
    /// Events that may wait for the reader.
    pub(crate) buffer: usize,
}

/// How far the subscription is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is to be one, as soon as there is a line.
    Wanted,
    /// It was asked for.
    Asked,
    /// It could not be had just now, and is asked for again at this time.
    Delayed { until: u64 },
    /// Messages come.
    Live,
}

/// A subscription.
pub(crate) struct Channel {
    /// Tells it from a later one to the same channel.
    pub(crate) serial: u64,
    pub(super) wanted: Wanted,
    pub(super) progress: Progress,
    /// The number of the last request for it. Answers to others were for a subscription of before.
    pub(super) request: u64,
    /// How often in a row it could not be had.
    pub(super) failures: u32,
    /// Whether the server has been asked to give up a subscription of its own.
    pub(super) displaced: bool,
    /// The last message that was put into the inbox, or where the channel was.
    pub(super) position: Option<Position>,
    /// Whether there was a subscription before.
    pub(super) was_live: bool,
    /// Set while messages are left to the history because the reader does not keep up.
    pub(super) behind: Option<CatchUp>,
    pub(super) inbox: Arc<Inbox>,
    /// Who waits for the first answer.
    reply: Option<oneshot::Sender<Result<Option<Position>, Error>>>,
    pub(super) presence: Option<(Option<String>, Option<Data>)>,
    pub(super) typed_at: Option<u64>,
}

impl Channel {
    pub(crate) fn new(
        serial: u64,
        wanted: Wanted,
        inbox: Arc<Inbox>,
        reply: oneshot::Sender<Result<Option<Position>, Error>>,
    ) -> Self {
        Self {
            serial,
            position: wanted.since,
            wanted,
            progress: Progress::Wanted,
            request: 0,
            failures: 0,
            displaced: false,
            was_live: false,
            behind: None,
            inbox,
            reply: Some(reply),
            presence: None,
            typed_at: None,
        }
    }

    pub(super) fn subscribe_to(&self) -> SubscribeTo {
        SubscribeTo {
            channel: self.wanted.channel.clone(),
            position: self.position,
            token: self.wanted.token.clone(),
            history: self.wanted.history.filter(|_| self.position.is_none() && !self.was_live),
        }
    }

    pub(super) fn retry_at(&self) -> Option<u64> {
        match self.progress {
            Progress::Delayed { until } => Some(until),
            _ => None,
        }
    }

    /// The line is gone.
    pub(super) fn unready(&mut self) {
        self.progress = Progress::Wanted;
        self.displaced = false;
        // The next subscription begins behind what was put into the inbox.
        self.behind = None;
    }

    /// There is a subscription; a first reader begins to read at `position`.
    pub(super) fn subscribed(&mut self, position: Option<Position>) {
        self.progress = Progress::Live;
        self.failures = 0;
        self.displaced = false;
        self.was_live = true;
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(Ok(position));
        }
    }

    /// Whether somebody still waits for the first answer.
    pub(super) fn is_new(&self) -> bool {
        self.reply.is_some()
    }

    pub(super) fn publication(&mut self, received: Received, replayed: bool) {
        self.position = received.position.or(self.position);
        self.inbox.push(ChannelEvent::Publication(Publication::new(received, replayed)));
    }

    /// Messages are missing here.
    pub(super) fn gap(&mut self, reason: GapReason, position: Option<Position>) {
        self.position = position.or(self.position);
        self.inbox.gap(reason, position);
    }

    /// There is no subscription any more. What is in the inbox can still be taken.
    pub(super) fn end(mut self, error: &Error) {
        match self.reply.take() {
            Some(reply) => {
                let _ = reply.send(Err(error.clone()));
            }
            None => self.inbox.end(error.to_string()),
        }
    }
}
