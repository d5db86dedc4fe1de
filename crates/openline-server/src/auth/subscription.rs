//! Subscription tokens: the backend's word that this client may have this channel.

use super::claims::{Claims, Registered, claim, text};
use super::{Action, Actions, AuthError};

/// What a subscription token allows on its one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubscriptionGrant {
    /// Claim `exp`; the subscription ends then, plus the leeway, unless it is renewed.
    pub(crate) expires_at: u64,
    /// Claim `actions`. Without it: subscribe, presence and history, but not publish.
    pub(crate) actions: Actions,
    /// Claim `info`, as JSON text: shown in this channel instead of the line's own.
    pub(crate) info: Option<String>,
}

/// Who wants to use the token, and for what.
pub(super) struct Wanted<'a> {
    pub(super) channel: &'a str,
    pub(super) client_id: &'a str,
    pub(super) user: Option<&'a str>,
}

impl SubscriptionGrant {
    pub(super) fn read(
        claims: &Claims,
        registered: &Registered,
        wanted: &Wanted<'_>,
    ) -> Result<Self, AuthError> {
        let channel = text("channel", claims.channel.as_ref())?
            .ok_or_else(|| claim("claim channel is missing; a subscription token needs it"))?;
        if channel != wanted.channel {
            return Err(claim("subscription token is for another channel"));
        }
        let client = text("client", claims.client.as_ref())?;
        if client.is_some_and(|client| client != wanted.client_id) {
            return Err(claim("subscription token is for another client"));
        }
        let user = registered.user.as_deref();
        if user.is_some() && user != wanted.user {
            return Err(claim("subscription token is for another user"));
        }
        let actions = match &claims.actions {
            None => {
                Actions::default().and(Action::Subscribe).and(Action::Presence).and(Action::History)
            }
            Some(actions) => Actions::read(actions)
                .map_err(|what| AuthError::Claim(format!("claim actions {what}")))?,
        };
        if !actions.allows(Action::Subscribe) {
            return Err(claim("claim actions must include \"subscribe\""));
        }
        Ok(Self { expires_at: registered.expires_at, actions, info: claims.info()? })
    }
}
