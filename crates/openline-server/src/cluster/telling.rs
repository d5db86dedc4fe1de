//! Telling other nodes who comes and goes here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use openline_engine::{Mark, Roster, TellLimits};
use openline_protocol::ChannelName;
use tokio::sync::Notify;

use super::Cluster;
use super::message::{Members, Message, News};
use super::wire::{At, Name, Person};
use crate::broker::NodeId;

/// How long news are gathered.
pub(super) const GATHER: Duration = Duration::from_millis(50);

/// What one message names.
const LIMITS: TellLimits = TellLimits { names_max: 500, bytes_max: 256 << 10 };

/// Entries of a digest in one message.
const DIGEST_MAX: usize = 2000;

/// Channels of which the others hear again how far their news are. Where more change within ten
/// seconds, the rest of them has only what is said once.
const RECENT_MAX: usize = 100_000;

/// Channels that each digest names although they have not changed.
const ROUND_AT_A_TIME: usize = 500;

/// In how many digests a change is told.
const DIGESTS: u8 = 2;

/// What is to be told.
#[derive(Debug, Default)]
pub(super) struct Telling {
    state: Mutex<State>,
    /// There is something.
    pub(super) news: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Channels with news, each once.
    dirty: Vec<ChannelName>,
    /// Channels that have nobody any more, with the life that has ended.
    vacated: Vec<(ChannelName, u64)>,
    /// What was told lately, and in how many digests it is still to be.
    recent: HashMap<ChannelName, (Told, u8)>,
    /// All channels, some of which each digest names as well, so that in the end nothing stays
    /// unnoticed, whatever was lost.
    round: Vec<ChannelName>,
}

#[derive(Debug, Clone, Copy)]
enum Told {
    Until(Mark),
    Vacated(u64),
}

impl Telling {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing under this lock panics")
    }
}

impl Cluster {
    /// A channel has news, and had none before.
    pub(crate) fn has_news(&self, channel: &ChannelName) {
        self.telling.state().dirty.push(channel.clone());
        self.telling.news.notify_one();
    }

    /// The last subscriber of a channel has gone, which ends its life here.
    pub(crate) fn vacated(&self, channel: &ChannelName, life: u64) {
        self.telling.state().vacated.push((channel.clone(), life));
        self.telling.news.notify_one();
    }

    /// Tells what is to be told.
    pub(super) fn tell_news(&self) {
        let (dirty, vacated) = {
            let mut state = self.telling.state();
            (std::mem::take(&mut state.dirty), std::mem::take(&mut state.vacated))
        };
        // A channel that has subscribers again is in a later life.
        for (channel, life) in vacated {
            let _ = self.emit(&channel, &Message::Vacated { life });
            self.remember(&channel, Told::Vacated(life));
        }
        for channel in dirty {
            let mut last = None;
            while let Some(news) = self.interest.take_news(&channel, &LIMITS) {
                last = Some(news.mark);
                let news = News {
                    at: At::from(news.mark),
                    count: news.count,
                    here: news.here.iter().map(Person::from).collect(),
                    left: news.left,
                    incomplete: news.incomplete,
                };
                let _ = self.emit(&channel, &Message::News(news));
            }
            if let Some(mark) = last {
                self.remember(&channel, Told::Until(mark));
            }
        }
    }

    fn remember(&self, channel: &ChannelName, told: Told) {
        let recent = &mut self.telling.state().recent;
        if recent.len() < RECENT_MAX || recent.contains_key(channel) {
            recent.insert(channel.clone(), (told, DIGESTS));
        }
    }

    /// Tells again how far the news are that were told lately: who lacks some asks.
    pub(super) fn tell_digest(&self) {
        let mut entries: Vec<(ChannelName, Told)> = Vec::new();
        self.telling.state().recent.retain(|channel, (told, digests)| {
            entries.push((channel.clone(), *told));
            *digests -= 1;
            *digests > 0
        });
        entries.extend(self.round());
        for part in entries.chunks(DIGEST_MAX) {
            let (mut heads, mut vacated) = (Vec::new(), Vec::new());
            for (channel, told) in part {
                let name = Name(channel.clone());
                match told {
                    Told::Until(mark) => heads.push((name, At::from(*mark))),
                    Told::Vacated(life) => vacated.push((name, *life)),
                }
            }
            let _ = self.cast(&Message::Digest { heads, vacated });
        }
    }

    /// The next of all channels.
    fn round(&self) -> Vec<(ChannelName, Told)> {
        let mut round = std::mem::take(&mut self.telling.state().round);
        if round.is_empty() {
            round = self.interest.rosters();
        }
        let next = round.split_off(round.len().saturating_sub(ROUND_AT_A_TIME));
        self.telling.state().round = round;
        let told = |channel: ChannelName| {
            let mark = self.interest.with_roster(&channel, Roster::mark).flatten()?;
            (mark.seq > 0).then_some((channel, Told::Until(mark)))
        };
        next.into_iter().filter_map(told).collect()
    }

    /// Answers who is here on these channels, where that is not known at that point already.
    pub(super) fn answer_members(&self, from: NodeId, ask: u64, channels: Vec<(Name, Option<At>)>) {
        let mut told = 0;
        for (Name(channel), known) in channels {
            let known = known.map(Mark::from);
            let (mark, is_nobody) = self
                .interest
                .with_roster(&channel, |roster| (roster.mark(), roster.own_len() == 0))
                .unwrap_or((None, true));
            if known != mark && !(known.is_none() && is_nobody) {
                self.tell_part(from, ask, &channel, None);
                told += 1;
            }
        }
        let _ = self.tell(from, &Message::Answered { ask, told });
    }

    /// Tells one node a part of the members that are here.
    pub(super) fn tell_part(
        &self,
        to: NodeId,
        ask: u64,
        channel: &ChannelName,
        after: Option<Arc<str>>,
    ) {
        let name = Name(channel.clone());
        let part = self.interest.with_roster(channel, |roster| roster.own_part(after, &LIMITS));
        let members = match part {
            None => Members::of_nobody(ask, name),
            Some(part) => Members {
                ask,
                channel: name,
                at: Some(At::from(part.mark)),
                count: part.count,
                after: part.after,
                members: part.members.iter().map(Person::from).collect(),
                until: part.until,
            },
        };
        let _ = self.tell(to, &Message::Members(members));
    }
}
