//! Subscribing: may it, what it missed, and from where it goes on.
//!
//! Interest first, then the history, then live: see the engine's front page. All channels of a
//! request go live together with the answer that tells of them, so that nothing overtakes it.

use std::sync::Arc;

use openline_engine::{PageLimits, SubscriptionKey};
use openline_protocol::{
    ChannelName, ErrorCode, Fault, Id, Member, Position, Publication, Recovery, Reply, SubscribeTo,
    SubscribedTo,
};

use super::Session;
use super::permission::{MaySubscribe, not_granted};
use crate::auth::{Action, Token};
use crate::clock::Clock;
use crate::exchange::PAGE;
use crate::reload::Settings;
use crate::webhook::QuestionKind;

/// What was read for a subscription that is to go live.
pub(crate) struct Read {
    pub(super) subscription: SubscriptionKey,
    pub(super) head: Option<Position>,
    pub(super) recovery: Recovery,
    pub(super) messages: Vec<Arc<Publication>>,
}

impl Session {
    /// `subscribe`. The answer names each channel with what came of it; where nothing came of any,
    /// the answer is an error.
    pub(super) async fn subscribe(
        &mut self,
        channels: Vec<SubscribeTo>,
        id: Option<&Id>,
        settings: &Settings,
    ) -> Result<(), Fault> {
        let mut outcomes = Vec::with_capacity(channels.len());
        // One answer tells of them all, so what they may bring is bounded together.
        let mut room = PAGE;
        for wanted in channels {
            let read = self.begin(&wanted, &room, settings).await;
            if let Ok(read) = &read {
                let bytes: usize = read.messages.iter().map(|message| message.data.len()).sum();
                room.publications_max = room.publications_max.saturating_sub(read.messages.len());
                room.bytes_max = room.bytes_max.saturating_sub(bytes);
            }
            outcomes.push((wanted.channel, read));
        }
        let channels = self.go_live(outcomes);
        match channels.first() {
            Some(SubscribedTo { outcome: Err(first), .. })
                if channels.iter().all(|channel| channel.outcome.is_err()) =>
            {
                Err(first.clone())
            }
            _ => {
                self.reply(&Reply::Subscribed { id, channels: &channels });
                Ok(())
            }
        }
    }

    /// Subscribes to the channels that the token names, without being asked.
    pub(super) async fn subscribe_by_token(&mut self) -> Vec<SubscribedTo> {
        let Some(identity) = self.identity.clone() else { return Vec::new() };
        let settings = &self.node.settings();
        let mut outcomes = Vec::new();
        for name in &identity.channels {
            let Ok(channel) = ChannelName::new(name) else { continue };
            let read = match settings.namespace(&channel) {
                Ok(_) => self.enter(&channel, None, None, &PAGE, settings).await,
                Err(fault) => Err(fault),
            };
            outcomes.push((channel, read));
        }
        self.go_live(outcomes)
    }

    /// Checks a subscription, and reads what was before it.
    pub(super) async fn begin(
        &mut self,
        wanted: &SubscribeTo,
        room: &PageLimits,
        settings: &Settings,
    ) -> Result<Read, Fault> {
        let channel = &wanted.channel;
        let asks = settings.asks_about(QuestionKind::Subscribe);
        match self.may_subscribe(channel, settings)? {
            MaySubscribe::Yes if !asks => {}
            MaySubscribe::Yes | MaySubscribe::AskBackend => {
                self.node.ask_about_subscribe(settings, &self.asking(), channel).await?;
            }
            MaySubscribe::WithToken => self.check_token(wanted, settings).await?,
        }
        self.enter(channel, wanted.position, wanted.history, room, settings).await
    }

    async fn check_token(&self, wanted: &SubscribeTo, settings: &Settings) -> Result<(), Fault> {
        let channel = wanted.channel.as_str();
        let Some(token) = &wanted.token else {
            return Err(not_granted(&wanted.channel, Action::Subscribe));
        };
        let (token, user) = (Token::new(token.clone()), self.user().map(|user| &**user));
        let verifier = &settings.verifier;
        let now = Clock::wall_seconds();
        let verified = verifier.verify_subscription(&token, channel, &self.client, user, now).await;
        verified.map(|_| ()).map_err(|error| {
            Fault::new(ErrorCode::from_str_or_internal(error.code()), error.message())
        })
    }

    pub(super) async fn enter(
        &self,
        channel: &ChannelName,
        since: Option<Position>,
        newest: Option<u32>,
        room: &PageLimits,
        settings: &Settings,
    ) -> Result<Read, Fault> {
        self.place().enter(channel, since, newest, room, settings).await
    }

    /// Has what was read go live. The caller tells the client before it awaits anything.
    fn go_live(&self, outcomes: Vec<(ChannelName, Result<Read, Fault>)>) -> Vec<SubscribedTo> {
        self.place().go_live(outcomes)
    }

    /// The client as others in a channel see it.
    pub(super) fn member(&self) -> Member {
        self.place().member()
    }
}
