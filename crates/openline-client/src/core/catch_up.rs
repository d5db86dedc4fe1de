//! A reader that does not keep up: what has no room is read from the history later.
//!
//! Messages that come while the inbox is full are dropped. When there is room, the history behind the
//! last one that was put in is read page by page. Behind the last page the channel is left and
//! subscribed to from there: only the server can join history and what comes live so that nothing is
//! lost and nothing comes twice.

use openline_protocol::{
    ChannelName, Command, Failure, HistoryPage, HistoryQuery, Position, Publication,
};

use super::channel::Progress;
use super::{Channel, Core, UnderWay};
use crate::event::GapReason;

/// Messages that are read from the history at a time, at most.
const PAGE_MAX: usize = 100;

/// How far a subscription that fell behind is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CatchUp {
    /// Its reader has to make room.
    Waits,
    /// A page was asked for.
    Asked,
    /// The last page came; it is being subscribed to anew.
    Rejoins,
}

impl Channel {
    pub(super) fn fall_behind(&mut self) {
        self.behind = Some(CatchUp::Waits);
        self.inbox.wait_for_room();
    }

    pub(super) fn handle_publication(&mut self, publication: Publication) {
        if self.behind.is_some() {
            return;
        }
        if self.inbox.room() > 0 {
            return self.publication(publication, false);
        }
        match (publication.position, self.position) {
            (Some(_), Some(_)) => self.fall_behind(),
            // What is not kept cannot be read again.
            _ => self.gap(GapReason::TooSlow, publication.position),
        }
    }

    /// The server left messages out.
    pub(super) fn handle_gap(&mut self, reason: GapReason, position: Option<Position>) {
        // The history says itself what it has not.
        if self.behind.is_none() {
            self.gap(reason, position);
        }
    }
}

impl Core {
    /// Asks for the next page if the subscription is behind and its reader has made room.
    pub(crate) fn catch_up(&mut self, name: &ChannelName) {
        let Some(channel) = self.channels.get_mut(name).filter(|_| self.is_ready) else { return };
        if channel.behind != Some(CatchUp::Waits)
            || channel.progress != Progress::Live
            || !channel.inbox.wait_for_room()
        {
            return;
        }
        channel.behind = Some(CatchUp::Asked);
        let query = HistoryQuery {
            channel: name.clone(),
            // At least half of the inbox is free.
            limit: Some(channel.inbox.room().clamp(1, PAGE_MAX) as u32),
            since: channel.position,
            before: None,
            since_time: None,
            reverse: false,
        };
        let request = self.ask(Command::History(query), UnderWay::CatchUp(name.clone()));
        if let Some(channel) = self.channels.get_mut(name) {
            channel.request = request;
        }
    }

    pub(super) fn caught_up(&mut self, name: &ChannelName, request: u64, page: HistoryPage) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        if channel.behind != Some(CatchUp::Asked) || channel.request != request {
            return;
        }
        for message in page.messages {
            channel.publication(message, true);
        }
        if page.more {
            channel.behind = Some(CatchUp::Waits);
            self.catch_up(name);
        } else {
            self.rejoin(name);
        }
    }

    /// The history did not give what is missing. Subscribing anew says why, or has it after all.
    pub(super) fn not_caught_up(&mut self, name: &ChannelName, request: u64, failure: &Failure) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        if channel.request != request {
            return;
        }
        if failure.code == "bad_position" || failure.is_retryable() {
            return self.rejoin(name);
        }
        channel.behind = None;
        channel.gap(GapReason::TooSlow, None);
    }

    fn rejoin(&mut self, name: &ChannelName) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        channel.behind = Some(CatchUp::Rejoins);
        self.line.given.insert(name.clone(), None);
        self.ask_for(vec![name.clone()]);
    }
}
