//! Who the client is: the token of its request, of its `auth`, and of those that follow.

use std::sync::Arc;

use openline_engine::SessionKey;
use openline_protocol::{ChannelName, ErrorCode, Id, Reply, close};

use super::{Entrance, Expelled, Session, Whom};
use crate::auth::{AuthError, Identity, Token};
use crate::clock::Clock;
use crate::exchange::Ending;
use crate::node::Node;
use crate::reload::Settings;
use crate::shard::Shard;

impl Session {
    /// Whether it may ask for more than to be authenticated.
    pub(super) fn is_admitted(&self) -> bool {
        self.is_admitted_by(&self.node.settings())
    }

    pub(super) fn is_admitted_by(&self, settings: &Settings) -> bool {
        // Endpoints with a vocabulary of their own have asked before there was a line.
        self.identity.is_some() || settings.config.auth.anonymous || self.line.is_plain()
    }

    /// `auth`: the first token of the line, or the next.
    pub(super) async fn authenticate(&mut self, token: String, id: Option<&Id>) {
        let token = Token::new(token);
        let verifier = &self.node.settings().verifier;
        let now = Clock::wall_seconds();
        let verified = match &self.identity {
            Some(current) => verifier.renew(current, &token, now).await,
            None => verifier.verify(&token, now).await,
        };
        self.node.metrics.authenticated(verified.is_ok());
        match verified {
            Ok(identity) => self.accept_token(identity, id).await,
            Err(error) => self.refuse_token(&error, id),
        }
    }

    async fn accept_token(&mut self, identity: Identity, id: Option<&Id>) {
        let first = self.identity.is_none();
        if let Err(ending) = self.become_user(identity) {
            return self.line.end(ending);
        }
        self.reply(&Reply::AuthSuccess {
            id,
            client_id: &self.client,
            user: self.user().map(|user| &**user),
            expires_at: self.expires_at_ms(),
        });
        if first {
            let channels = self.subscribe_by_token().await;
            if !channels.is_empty() {
                self.reply(&Reply::Subscribed { id: None, channels: &channels });
            }
            // Where none was needed it has come before.
            if self.node.needs_token() {
                self.connect().await;
            }
        } else {
            self.drop_what_is_not_allowed();
        }
    }

    pub(crate) fn refuse_token(&self, error: &AuthError, id: Option<&Id>) {
        let code = ErrorCode::from_str_or_internal(error.code());
        let reason = error.message();
        if let Some(detail) = error.detail() {
            self.node.log.auth_refused(&self.client, &detail);
        }
        self.reply(&Reply::AuthFailed { id, reason: &reason, code });
        // What cannot be checked now may be right: the line stays, and the client asks again.
        if !error.is_retryable() {
            self.line.close(error.close_code(), &reason);
        }
    }

    /// Takes note of who it is.
    ///
    /// # Errors
    /// Why the line has to go: end it.
    pub(super) fn become_user(&mut self, identity: Identity) -> Result<(), Ending> {
        if let Some(user) = identity.user.as_ref().filter(|_| !self.is_alone) {
            let is_new =
                self.identity.as_ref().is_none_or(|before| before.user.as_ref() != Some(user));
            match self.node.user_lines.enter(user, self.number) {
                Entrance::Open => {}
                Entrance::Replaces(number) => {
                    let reason = "the user connected again";
                    let ending = Ending::new(close::DUPLICATE, reason);
                    self.node.expel(Expelled::new(Whom::Line(number), ending));
                }
                Entrance::Refused => {
                    return Err(Ending::new(close::DUPLICATE, "the user is connected already"));
                }
            }
            if let Some(slot) = &mut self.slot {
                slot.sign_in(user, rand::random()).map_err(|refusal| {
                    Ending::new(close::TRY_AGAIN_LATER, refusal.close_reason())
                        .retry_after(refusal.retry_after_ms)
                })?;
            }
            if let Some(cluster) = self.node.cluster()
                && is_new
                && self.node.user_lines.replaces()
            {
                cluster.replace(user);
            }
        }
        let now = Clock::wall_seconds();
        if self.node.revocations.covers_line(&identity, &self.client, now) {
            // Revoked while it was on its way here.
            return Err(Ending::new(close::INVALID_AUTH, "token revoked"));
        }
        let identity = Arc::new(identity);
        self.identity = Some(identity.clone());
        let mut hub = self.shard.hub();
        if let Some(seat) = hub.line_mut(self.key) {
            seat.identity = Some(identity.clone());
        }
        if let Some(app) = &self.app {
            app.set_identity(identity.clone());
        }
        hub.set_user(self.key, identity.user.clone());
        drop(hub);
        self.await_renewal();
        Ok(())
    }

    /// When the token ends, in milliseconds since 1970.
    pub(super) fn expires_at_ms(&self) -> Option<u64> {
        Some(self.identity.as_ref()?.expires_at?.saturating_mul(1000))
    }

    /// Closes the line unless it says in time who it is.
    pub(super) fn await_token(&mut self) {
        let deadline = self.node.settings().config.auth.deadline;
        let now = self.node.exchange.clock.now_ms();
        self.set_due(now.saturating_add(deadline.as_millis() as u64));
    }

    /// Closes the line when its token ends, unless another came. By the time that passes, not by the
    /// system's clock: one that is set wrong does not end all lines at once.
    fn await_renewal(&mut self) {
        let ends_at =
            self.identity.as_ref().and_then(|i| self.node.settings().verifier.line_ends_at(i));
        match ends_at {
            Some(ends_at) => {
                let left = ends_at.saturating_sub(Clock::wall_seconds());
                let now = self.node.exchange.clock.now_ms();
                self.set_due(now.saturating_add(left.saturating_mul(1000)));
            }
            None => self.clear_due(),
        }
    }

    fn set_due(&mut self, at_ms: u64) {
        self.clear_due();
        self.due_ms = Some(at_ms);
        self.shard.deadlines.set(at_ms, self.key);
    }

    fn clear_due(&mut self) {
        if let Some(before) = self.due_ms.take() {
            self.shard.deadlines.clear(before, self.key);
        }
    }

    /// A new token may allow less than the one before.
    fn drop_what_is_not_allowed(&self) {
        let subscribed: Vec<ChannelName> = {
            let hub = self.shard.hub();
            hub.subscriptions(self.key).cloned().collect()
        };
        for channel in subscribed {
            if let Err(fault) = self.may_stay(&channel) {
                self.end_subscription(&channel);
                let (channels, reason) = ([channel], Some(&*fault.message));
                self.reply(&Reply::Unsubscribed { id: None, channels: &channels, reason });
            }
        }
    }
}

/// The time is up that a session had to say who it is, or that its token was for.
pub(crate) fn deadline_passed(shard: &Shard, node: &Node, key: SessionKey) {
    let hub = shard.hub();
    let Some(seat) = hub.line(key) else { return };
    match &seat.identity {
        Some(_) => seat.line.close(close::SESSION_EXPIRED, "token expired"),
        None => {
            let deadline = node.settings().config.auth.deadline.as_secs();
            let reason = format!("no auth within {deadline} s");
            seat.line.close(close::NO_AUTHENTICATION, &reason);
        }
    }
}
