//! Subscriptions: made, made again on the next line, ended.

use std::sync::Arc;

use bytestring::ByteString;
use openline_protocol::limits::CHANNELS_MAX;
use openline_protocol::{
    ChannelName, Command, Failure, Id, Message, Position, Reason, Recovery, Subscribed,
    Subscription,
};
use tokio::sync::oneshot;

use super::catch_up::CatchUp;
use super::channel::Progress;
use super::{Channel, Core, Inbox, UnderWay, Wanted};
use crate::error::Error;
use crate::event::{ChannelEvent, GapReason};

/// After what time a subscription that could not be had is asked for again, and at most.
const RETRY_MS: u64 = 1_000;
const RETRY_MS_MAX: u64 = 30_000;

/// What `subscribe` gives its caller: the inbox, and where the first answer comes.
pub(crate) type Subscribing = (u64, Arc<Inbox>, oneshot::Receiver<Result<Option<Position>, Error>>);

impl Core {
    /// Wants a subscription. It stays wanted until [`Core::unsubscribe`].
    pub(crate) fn subscribe(&mut self, wanted: Wanted) -> Result<Subscribing, Error> {
        if let Some(stopped) = self.stopped() {
            return Err(stopped);
        }
        if self.channels.contains_key(&wanted.channel) {
            return Err(Error::AlreadySubscribed);
        }
        let (reply, answer) = oneshot::channel();
        let inbox = Arc::new(Inbox::new(wanted.buffer));
        let (serial, name) = (self.id(), wanted.channel.clone());
        self.channels.insert(name.clone(), Channel::new(serial, wanted, inbox.clone(), reply));
        if self.is_ready {
            self.ask_for(vec![name]);
        }
        Ok((serial, inbox, answer))
    }

    /// Gives a subscription up, unless it is a later one.
    pub(crate) fn unsubscribe(&mut self, name: &ChannelName, serial: u64) {
        if self.channels.get(name).is_none_or(|channel| channel.serial != serial) {
            return;
        }
        let channel = self.channels.remove(name);
        let was_asked = channel
            .is_some_and(|channel| matches!(channel.progress, Progress::Asked | Progress::Live));
        if was_asked {
            self.leave(vec![name.clone()]);
        }
    }

    /// A line is open: everything that is wanted is asked for.
    pub(super) fn subscribe_all(&mut self) {
        let wanted = |(name, channel): (&ChannelName, &Channel)| {
            (channel.progress == Progress::Wanted).then(|| name.clone())
        };
        let names: Vec<ChannelName> = self.channels.iter().filter_map(wanted).collect();
        for names in names.chunks(CHANNELS_MAX) {
            self.ask_for(names.to_vec());
        }
    }

    /// Asks once more for what could not be had.
    pub(super) fn subscribe_again(&mut self, now: u64) {
        let due = |(name, channel): (&ChannelName, &Channel)| {
            channel.retry_at().is_some_and(|at| at <= now).then(|| name.clone())
        };
        let names: Vec<ChannelName> = self.channels.iter().filter_map(due).collect();
        for name in names {
            self.ask_for(vec![name]);
        }
    }

    pub(super) fn ask_for(&mut self, names: Vec<ChannelName>) {
        // What the server subscribed by itself is given up first, and asked for from our position.
        let given: Vec<ChannelName> =
            names.iter().filter(|name| self.line.given.remove(*name).is_some()).cloned().collect();
        if !given.is_empty() {
            self.leave(given);
        }
        let mut channels = Vec::with_capacity(names.len());
        for name in &names {
            if let Some(channel) = self.channels.get_mut(name) {
                channel.progress = Progress::Asked;
                channels.push(channel.subscribe_to());
            }
        }
        if !channels.is_empty() {
            let what = UnderWay::Subscribe(names.clone());
            let request = self.ask(Command::Subscribe { channels }, what);
            for name in &names {
                if let Some(channel) = self.channels.get_mut(name) {
                    channel.request = request;
                }
            }
        }
    }

    /// Leaves channels on the line. The answer has an id, so that it is not taken for the server's wish.
    fn leave(&mut self, channels: Vec<ChannelName>) {
        if self.is_ready {
            let id = self.id();
            self.control(Some(Id::from(id)), Command::Unsubscribe { channels });
        }
    }

    /// The server said what came of each channel, in answer to this request or by itself.
    pub(super) fn handle_subscribed(
        &mut self,
        now: u64,
        request: Option<u64>,
        channels: Vec<Subscribed>,
    ) {
        for Subscribed { channel: name, outcome } in channels {
            let asked = request.is_some_and(|request| self.awaits(&name, request));
            match outcome {
                Ok(subscription) if asked => self.joined(&name, subscription),
                Ok(subscription) if request.is_none() => {
                    self.line.given.insert(name.clone(), subscription.position);
                    let wanted = self.channels.get(&name);
                    if wanted.is_some_and(|channel| channel.progress == Progress::Wanted)
                        && self.is_ready
                    {
                        self.ask_for(vec![name]);
                    }
                }
                Ok(_) => {}
                Err(failure) if asked => self.not_joined(now, &name, failure),
                Err(_) => {}
            }
        }
    }

    /// Whether this request is the one whose answer a subscription waits for.
    fn awaits(&self, name: &ChannelName, request: u64) -> bool {
        self.channels.get(name).is_some_and(|channel| {
            channel.progress == Progress::Asked && channel.request == request
        })
    }

    fn joined(&mut self, name: &ChannelName, subscription: Subscription) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        let Subscription { position, recovery, messages, .. } = subscription;
        let rejoins = channel.behind.take() == Some(CatchUp::Rejoins);
        if recovery == Recovery::Unrecovered(Reason::Limit)
            && !rejoins
            && channel.position.is_some()
        {
            // It is all there, only more than comes at one time: it is read page by page.
            let begin = channel.position;
            channel.subscribed(begin);
            channel.fall_behind();
            self.restore_presence(name);
            return self.catch_up(name);
        }
        match recovery {
            Recovery::Recovered if !rejoins => {
                channel.inbox.recovered(messages.len() as u64);
            }
            Recovery::Unrecovered(reason) => channel.gap(GapReason::Server(reason), position),
            Recovery::None if channel.was_live && position.is_none() => {
                channel.gap(GapReason::NoHistory, None);
            }
            _ => {}
        }
        let begin = if messages.is_empty() { position } else { channel.wanted.since };
        // A history that was asked for is complete only from its first message on.
        let replayed = messages.len();
        let mut left = channel.inbox.room();
        for message in messages {
            if left == 0 && message.position.is_some() {
                channel.fall_behind();
                break;
            }
            left = left.saturating_sub(1);
            channel.publication(message, true);
        }
        if replayed == 0 {
            channel.position = position.or(channel.position);
        }
        channel.subscribed(begin);
        self.restore_presence(name);
        self.catch_up(name);
    }

    fn not_joined(&mut self, now: u64, name: &ChannelName, failure: Failure) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        if failure.code == "already_subscribed" && !channel.displaced {
            channel.displaced = true;
            self.line.given.insert(name.clone(), None);
            return self.ask_for(vec![name.clone()]);
        }
        if failure.is_retryable() && !channel.is_new() {
            let grown = RETRY_MS << channel.failures.min(5);
            channel.failures += 1;
            let delay = failure.retry_after_ms.unwrap_or(0).max(grown.min(RETRY_MS_MAX));
            channel.progress = Progress::Delayed { until: now.saturating_add(delay) };
            return;
        }
        if let Some(channel) = self.channels.remove(name) {
            channel.end(&Error::from(failure));
        }
    }

    /// None of the channels could be had. If there were several, one may have spoilt it for all.
    pub(super) fn not_subscribed(
        &mut self,
        now: u64,
        request: u64,
        names: Vec<ChannelName>,
        failure: Failure,
    ) {
        let was_alone = names.len() == 1;
        for name in names {
            match self.awaits(&name, request) {
                true if was_alone => self.not_joined(now, &name, failure.clone()),
                true => self.ask_for(vec![name]),
                false => {}
            }
        }
    }

    /// The server ended subscriptions.
    pub(super) fn handle_unsubscribed(
        &mut self,
        channels: Vec<ChannelName>,
        reason: Option<ByteString>,
    ) {
        for name in channels {
            self.line.given.remove(&name);
            let is_live = |channel: &Channel| channel.progress == Progress::Live;
            if self.channels.get(&name).is_some_and(is_live)
                && let Some(channel) = self.channels.remove(&name)
            {
                channel.inbox.end(reason.as_deref().unwrap_or("ended by the server").to_owned());
            }
        }
    }

    /// What comes in a channel.
    pub(super) fn handle_channel_message(&mut self, message: Message) {
        match message {
            Message::Publication(publication) => {
                let Some(channel) = self.channels.get_mut(&publication.channel) else { return };
                if channel.progress == Progress::Live {
                    channel.handle_publication(publication);
                }
            }
            Message::Unrecovered { channel, reason, position } => {
                let Some(channel) = self.channels.get_mut(&channel) else { return };
                let reason = reason.parse().unwrap_or(Reason::Storage);
                channel.handle_gap(GapReason::Server(reason), position);
            }
            Message::PresenceChange { channel, change } => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.inbox.push_news(ChannelEvent::Presence(change));
                }
            }
            Message::Typing { channel, client_id, user, is_typing } => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    let event = ChannelEvent::Typing { client_id, user, is_typing };
                    channel.inbox.push_news(event);
                }
            }
            _ => {}
        }
    }
}
