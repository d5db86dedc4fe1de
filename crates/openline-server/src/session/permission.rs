//! What a client may do.

use openline_protocol::{ChannelName, ErrorCode, Fault};

use super::Session;
use crate::auth::Action;
use crate::config::{Publishers, Readers, Subscribers};
use crate::reload::Settings;

/// Whether a subscription is allowed, or who is to say so.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MaySubscribe {
    Yes,
    /// With a token for the channel.
    WithToken,
    /// If the backend says so.
    AskBackend,
}

pub(super) fn not_authenticated() -> Fault {
    Fault::new(ErrorCode::Unauthorized, "authenticate first: send auth with a token")
}

impl Session {
    /// Whether it may subscribe. A token that lists channels allows those and no others; without a
    /// list the namespace decides.
    pub(super) fn may_subscribe(
        &self,
        channel: &ChannelName,
        settings: &Settings,
    ) -> Result<MaySubscribe, Fault> {
        let namespace = settings.namespace(channel)?;
        let granted = self.granted(channel, Action::Subscribe);
        match namespace.subscribe {
            Subscribers::Nobody => Err(nobody(channel, "subscribe to")),
            Subscribers::Backend => Ok(MaySubscribe::AskBackend),
            Subscribers::Token if granted == Some(true) => Ok(MaySubscribe::Yes),
            Subscribers::Token => Ok(MaySubscribe::WithToken),
            _ if granted == Some(false) => Ok(MaySubscribe::WithToken),
            Subscribers::Authenticated if self.identity.is_none() => Err(not_authenticated()),
            Subscribers::Anyone | Subscribers::Authenticated => Ok(MaySubscribe::Yes),
        }
    }

    /// Whether a subscription that was allowed once still is.
    pub(super) fn may_stay(&self, channel: &ChannelName) -> Result<(), Fault> {
        match self.granted(channel, Action::Subscribe) {
            Some(false) => Err(not_granted(channel, Action::Subscribe)),
            _ => Ok(()),
        }
    }

    pub(super) fn may_publish(
        &self,
        channel: &ChannelName,
        settings: &Settings,
    ) -> Result<(), Fault> {
        let namespace = settings.namespace(channel)?;
        match namespace.publish {
            Publishers::Nobody => Err(nobody(channel, "publish to")),
            Publishers::Backend => Err(Fault::new(
                ErrorCode::Forbidden,
                format!("only the backend publishes to {channel}, through the API"),
            )),
            _ if self.granted(channel, Action::Publish) == Some(false) => {
                Err(not_granted(channel, Action::Publish))
            }
            Publishers::Authenticated if self.identity.is_none() => Err(not_authenticated()),
            Publishers::Anyone | Publishers::Authenticated => Ok(()),
        }
    }

    /// Whether it may ask for the history or the members of a channel.
    pub(super) fn may_read(
        &self,
        channel: &ChannelName,
        action: Action,
        settings: &Settings,
    ) -> Result<(), Fault> {
        let namespace = settings.namespace(channel)?;
        let readers = match action {
            Action::Presence if !namespace.presence => {
                let message = format!("{channel} keeps no presence");
                return Err(Fault::new(ErrorCode::NoPresence, message));
            }
            Action::History if namespace.history_size == 0 => {
                let message = format!("{channel} keeps no history");
                return Err(Fault::new(ErrorCode::NoHistory, message));
            }
            Action::Presence => namespace.presence_read,
            _ => namespace.history_read,
        };
        match (readers, self.granted(channel, action)) {
            (Readers::Backend, _) => Err(nobody(channel, "read")),
            (_, Some(true)) | (Readers::Anyone, None) => Ok(()),
            (_, Some(false)) => Err(not_granted(channel, action)),
            (Readers::Subscribers, None) => match self.is_subscribed(channel) {
                true => Ok(()),
                false => Err(not_subscribed(channel)),
            },
        }
    }

    pub(super) fn is_subscribed(&self, channel: &ChannelName) -> bool {
        self.shard.hub().is_subscribed(self.key, channel)
    }

    /// What the token says; none if it lists no channels.
    fn granted(&self, channel: &ChannelName, action: Action) -> Option<bool> {
        let grants = self.identity.as_ref()?.grants.as_ref()?;
        Some(grants.allows(channel.as_str(), action))
    }
}

pub(super) fn not_subscribed(channel: &ChannelName) -> Fault {
    Fault::new(ErrorCode::NotSubscribed, format!("subscribe to {channel} first"))
}

pub(super) fn not_granted(channel: &ChannelName, action: Action) -> Fault {
    let message = format!("the token does not allow {} on {channel}", action.as_str());
    Fault::new(ErrorCode::Forbidden, message)
}

fn nobody(channel: &ChannelName, what: &str) -> Fault {
    Fault::new(ErrorCode::Forbidden, format!("clients may not {what} {channel}"))
}
