//! What a stream or a poll begins with: its channels, each from where its reader was.
//!
//! Unlike the answer to `subscribe`, what was missed is not put into one message. It comes as the
//! publications it is, so that a page that only knows those gets all of them, and as many at a time
//! as the reader takes.

use std::sync::Arc;
use std::time::Duration;

use openline_engine::{GoLive, Lagging};
use openline_protocol::{
    ChannelName, ErrorCode, Fault, Joined, Reason, Recovery, Reply, SubscribeTo, SubscribedTo,
};

use super::Session;
use super::catch_up::{Progress, hand_over};
use super::subscribe::Read;
use crate::exchange::{CHANNELS_MAX, PAGE, Since};

/// How a reader is told of the beginning.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Opening<'a> {
    /// With `welcome`, which names its session, and `subscribed`. At least one channel has to be
    /// open to it, unless it asks for none.
    Greeting {
        session: &'a str,
        /// After how much quiet it hears something all the same.
        ping_interval: Duration,
        /// Whether it may have no channels, because it subscribes by messages.
        may_be_bare: bool,
    },
    /// Only of what it missed, because it was here before. All channels have to be open to it:
    /// otherwise it would be told of those that are not with each poll, at once, for ever.
    Continuing,
}

type Outcome = (ChannelName, Result<Read, Fault>);

impl Session {
    /// Subscribes to the channels that the token names and to those that were asked for.
    pub(crate) async fn follow(
        &mut self,
        asked: &[ChannelName],
        since: &Since,
        opening: Opening<'_>,
    ) -> Result<(), Fault> {
        let by_token = self.channels_of_token();
        let asked: Vec<&ChannelName> =
            asked.iter().filter(|channel| !by_token.contains(channel)).collect();
        let may_be_bare = matches!(opening, Opening::Greeting { may_be_bare: true, .. });
        match by_token.len() + asked.len() {
            0 if may_be_bare => {}
            count => check_count(count)?,
        }
        let settings = &self.node.settings();
        let mut outcomes = Vec::new();
        for channel in by_token {
            let read = match settings.namespace(&channel) {
                Ok(_) => {
                    self.enter(&channel, since.position(&channel), None, &PAGE, settings).await
                }
                Err(fault) => Err(fault),
            };
            outcomes.push((channel, read));
        }
        for channel in asked {
            let position = since.position(channel);
            let wanted =
                SubscribeTo { channel: channel.clone(), position, token: None, history: None };
            outcomes.push((wanted.channel.clone(), self.begin(&wanted, &PAGE, settings).await));
        }
        if *since == Since::Unknown {
            self.doubt(&mut outcomes);
        }
        let mut refused = outcomes.iter().filter_map(|(_, read)| read.as_ref().err());
        match (opening, refused.next()) {
            // Its reader is told why by how it ends.
            (_, Some(_)) if self.line.is_ending() => return Ok(()),
            (Opening::Continuing, Some(fault)) => return Err(fault.clone()),
            (Opening::Greeting { .. }, Some(fault))
                if outcomes.iter().all(|(_, read)| read.is_err()) =>
            {
                return Err(fault.clone());
            }
            _ => {}
        }
        self.tell_opening(opening, &outcomes, since);
        for (channel, read) in outcomes {
            if let Ok(read) = read {
                self.hand_over_and_go_live(channel, read, since);
            }
        }
        Ok(())
    }

    fn channels_of_token(&self) -> Vec<ChannelName> {
        let names = self.identity.iter().flat_map(|identity| &identity.channels);
        let mut channels: Vec<ChannelName> = Vec::new();
        for channel in names.filter_map(|name| ChannelName::new(name).ok()) {
            if !channels.contains(&channel) {
                channels.push(channel);
            }
        }
        channels
    }

    /// Nobody knows what the reader has: it may have missed anything.
    fn doubt(&self, outcomes: &mut [Outcome]) {
        let reads = outcomes.iter_mut().filter_map(|(_, read)| read.as_mut().ok());
        for read in reads.filter(|read| read.head.is_some()) {
            self.node.metrics.recovered(Err(&Reason::Epoch));
            read.recovery = Recovery::Unrecovered(Reason::Epoch);
        }
    }

    fn tell_opening(&self, opening: Opening<'_>, outcomes: &[Outcome], since: &Since) {
        match opening {
            Opening::Greeting { session, ping_interval, .. } => {
                self.greet(Some(session), ping_interval, &[]);
                if outcomes.is_empty() {
                    return;
                }
                let channels: Vec<_> =
                    outcomes.iter().map(|outcome| self.joined(outcome, since)).collect();
                self.reply(&Reply::Subscribed { id: None, channels: &channels });
            }
            Opening::Continuing => {
                // Of a channel that it did not have before, it needs a position to go on from.
                let is_new = |(channel, read): &&Outcome| {
                    let begins = read.as_ref().is_ok_and(|read| read.head.is_some());
                    begins && *since != Since::Unknown && since.position(channel).is_none()
                };
                let new: Vec<_> = outcomes.iter().filter(is_new).collect();
                if !new.is_empty() {
                    let channels: Vec<_> =
                        new.into_iter().map(|outcome| self.joined(outcome, since)).collect();
                    self.reply(&Reply::Subscribed { id: None, channels: &channels });
                }
                for (channel, read) in outcomes {
                    if let Ok(Read { head, recovery: Recovery::Unrecovered(reason), .. }) = read {
                        let (reason, position) = (*reason, *head);
                        self.reply(&Reply::Unrecovered { channel, reason, position });
                    }
                }
            }
        }
    }

    fn joined(&self, (channel, read): &Outcome, since: &Since) -> SubscribedTo {
        let outcome = read.as_ref().map_err(Clone::clone).map(|read| {
            let settings = self.node.settings();
            let has_presence = settings.namespace(channel).is_ok_and(|options| options.presence);
            Joined {
                // What follows comes after this.
                position: match read.messages.is_empty() {
                    true => read.head,
                    false => since.position(channel),
                },
                recovery: read.recovery,
                messages: Vec::new(),
                members: has_presence.then(|| self.node.exchange.member_count(channel)),
            }
        });
        SubscribedTo { channel: channel.clone(), outcome }
    }

    /// What the line does not take now, it gets when it has room: see [`catch_up`](super::catch_up).
    fn hand_over_and_go_live(&self, channel: ChannelName, read: Read, since: &Since) {
        let Read { subscription, head, messages, .. } = read;
        let since = match hand_over(&self.line, &messages) {
            Progress::Through => match self.shard.hub().go_live(subscription, head) {
                GoLive::Behind => head,
                GoLive::Live | GoLive::Ended => return,
            },
            Progress::UpTo(reached) => reached.or(since.position(&channel)),
            Progress::Closed => return,
        };
        let has = since.map_or(0, |since| since.offset);
        let lagging = Lagging { subscription, channel, since, has };
        let (shard, node) = (Arc::clone(&self.shard), Arc::clone(&self.node));
        tokio::spawn(super::catch_up(lagging, shard, node));
    }
}

fn check_count(channels: usize) -> Result<(), Fault> {
    let message = match channels {
        0 => "name the channels, such as ?channels=news,chat".to_owned(),
        1..=CHANNELS_MAX => return Ok(()),
        _ => format!("{channels} channels, and {CHANNELS_MAX} are allowed; use several streams"),
    };
    Err(Fault::new(ErrorCode::BadRequest, message))
}
