//! [`Place`]: where a session subscribes, and as whom. Subscriptions go through it whoever makes them:
//! the client, its token, or a handler.

use std::sync::Arc;

use openline_engine::{GoLive, Hub, Lagging, Page, PageLimits, Query, SessionKey};
use openline_protocol::{
    ChannelName, Data, ErrorCode, Fault, Joined, Member, Position, Publication, Recovery,
    SubscribedTo,
};

use super::subscribe::Read;
use crate::auth::Identity;
use crate::broker::BrokerError;
use crate::exchange::Seat;
use crate::node::Node;
use crate::reload::Settings;
use crate::shard::Shard;

/// Where a session subscribes, and as whom.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) node: Arc<Node>,
    pub(crate) shard: Arc<Shard>,
    pub(crate) key: SessionKey,
    pub(crate) client: Arc<str>,
    pub(crate) identity: Option<Arc<Identity>>,
}

/// The head, what came of the position, and the messages.
type Before = (Option<Position>, Recovery, Vec<Arc<Publication>>);

impl Place {
    /// Begins a subscription, and reads what was before it: after `since`, or the newest so many.
    pub(crate) async fn enter(
        &self,
        channel: &ChannelName,
        since: Option<Position>,
        newest: Option<u32>,
        room: &PageLimits,
        settings: &Settings,
    ) -> Result<Read, Fault> {
        let namespace = settings.namespace(channel)?;
        let most = settings.config.limits.subscriptions as usize;
        let subscription = {
            let mut hub = self.shard.hub();
            // Its token may have been taken back while somebody was asked whether it may.
            if hub.line(self.key).is_none_or(|seat| seat.line.is_ending()) {
                let message = "the line has ended meanwhile";
                return Err(Fault::new(ErrorCode::Unavailable, message));
            }
            if hub.is_subscribed(self.key, channel) {
                return Err(already_subscribed(channel));
            }
            if hub.subscription_count(self.key) >= most {
                let message = format!("{most} channels per connection; unsubscribe from one first");
                return Err(Fault::new(ErrorCode::ChannelLimit, message));
            }
            hub.subscribe(self.key, channel).map_err(|_| already_subscribed(channel))?
        };
        let member = namespace.presence.then(|| self.member());
        self.node.joined(channel, &self.shard, member);
        let listening = self.node.exchange.listen(channel).await;
        if listening.is_ok() && namespace.presence {
            self.node.exchange.meet(channel).await;
        }
        let read = match listening {
            Err(error) => Err(error),
            Ok(()) if namespace.history_size == 0 => Ok((None, Recovery::None, Vec::new())),
            Ok(()) => self.read_before(channel, since, newest, room).await,
        };
        let (head, recovery, messages) = read.map_err(|error| {
            self.leave(channel);
            error.fault()
        })?;
        Ok(Read { subscription, head, recovery, messages })
    }

    async fn read_before(
        &self,
        channel: &ChannelName,
        since: Option<Position>,
        newest: Option<u32>,
        room: &PageLimits,
    ) -> Result<Before, BrokerError> {
        let Some(since) = since else {
            let page = page(&self.node, channel, newest.unwrap_or(0), room).await?;
            return Ok((Some(page.head), Recovery::None, page.publications));
        };
        let recovered = self.node.exchange.recover(channel, since, room).await?;
        self.node.metrics.recovered(recovered.missed.as_ref().map(Vec::len));
        let (recovery, messages) = match recovered.missed {
            Ok(missed) => (Recovery::Recovered, missed),
            Err(reason) => (Recovery::Unrecovered(reason), Vec::new()),
        };
        Ok((Some(recovered.head), recovery, messages))
    }

    /// Has what was read go live. The caller tells the client before it awaits anything.
    pub(super) fn go_live(
        &self,
        outcomes: Vec<(ChannelName, Result<Read, Fault>)>,
    ) -> Vec<SubscribedTo> {
        let mut hub = self.shard.hub();
        let live = outcomes.into_iter().map(|(channel, read)| {
            let outcome = read.map(|read| {
                let Read { subscription, head, .. } = read;
                match hub.go_live(subscription, head) {
                    GoLive::Behind => {
                        let (channel, has) = (channel.clone(), head.map_or(0, |head| head.offset));
                        let lagging = Lagging { subscription, channel, since: head, has };
                        self.catch_up(lagging);
                    }
                    GoLive::Live => self.note_joined(&hub, &channel, head),
                    GoLive::Ended => {}
                }
                self.joined(&channel, read)
            });
            SubscribedTo { channel, outcome }
        });
        live.collect()
    }

    /// As [`Place::go_live`], with one subscription, of which the client is told by `tell` before
    /// anything more can reach it, on whatever thread this is.
    pub(crate) fn go_live_and(
        &self,
        channel: &ChannelName,
        read: Read,
        tell: impl FnOnce(&SubscribedTo),
    ) {
        let Read { subscription, head, .. } = read;
        let told =
            SubscribedTo { channel: channel.clone(), outcome: Ok(self.joined(channel, read)) };
        // Held meanwhile, so that no turn comes between.
        let mut hub = self.shard.hub();
        tell(&told);
        match hub.go_live(subscription, head) {
            GoLive::Behind => {
                let has = head.map_or(0, |head| head.offset);
                let channel = channel.clone();
                self.catch_up(Lagging { subscription, channel, since: head, has });
            }
            GoLive::Live => self.note_joined(&hub, channel, head),
            GoLive::Ended => {}
        }
    }

    /// Has the line know what it gets from here on.
    fn note_joined(&self, hub: &Hub<Seat>, channel: &ChannelName, head: Option<Position>) {
        if let Some(seat) = hub.line(self.key) {
            seat.line.joined(channel, head);
        }
    }

    fn catch_up(&self, lagging: Lagging) {
        tokio::spawn(super::catch_up(lagging, self.shard.clone(), self.node.clone()));
    }

    fn joined(&self, channel: &ChannelName, read: Read) -> Joined {
        let Read { head, recovery, messages, .. } = read;
        let has_presence =
            self.node.settings().namespace(channel).is_ok_and(|namespace| namespace.presence);
        let members = has_presence.then(|| self.node.exchange.member_count(channel));
        Joined { position: head, recovery, messages, members }
    }

    /// Ends a subscription; returns whether there was one.
    pub(crate) fn leave(&self, channel: &ChannelName) -> bool {
        let mut hub = self.shard.hub();
        let ended = hub.unsubscribe(self.key, channel);
        if let Some(seat) = hub.line(self.key).filter(|_| ended) {
            seat.line.left(channel);
        }
        drop(hub);
        if ended {
            self.node.left(channel, &self.shard, &self.client);
        }
        ended
    }

    /// The client as others in a channel see it.
    pub(crate) fn member(&self) -> Member {
        let identity = self.identity.as_ref();
        let info = identity.and_then(|identity| identity.info.as_deref());
        Member {
            client_id: self.client.clone(),
            user: identity.and_then(|identity| identity.user.clone()),
            info: info.map(|info| Data::Json(info.into())),
            status: None,
            data: None,
        }
    }
}

/// What was published last, oldest first; nothing where nothing is kept.
pub(crate) async fn newest(
    node: &Node,
    channel: &ChannelName,
    newest: u32,
    room: &PageLimits,
) -> Result<Vec<Arc<Publication>>, Fault> {
    if node.settings().namespace(channel)?.history_size == 0 || newest == 0 {
        return Ok(Vec::new());
    }
    let page = page(node, channel, newest, room).await.map_err(|error| error.fault())?;
    Ok(page.publications)
}

async fn page(
    node: &Node,
    channel: &ChannelName,
    newest: u32,
    room: &PageLimits,
) -> Result<Page, BrokerError> {
    let query = Query { limit: Some(newest as usize), ..Query::default() };
    let page = node.exchange.query(channel, &query, room).await?;
    page.map_err(|_| BrokerError::Unavailable)
}

fn already_subscribed(channel: &ChannelName) -> Fault {
    let message = format!("this line subscribes to {channel} already");
    Fault::new(ErrorCode::AlreadySubscribed, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use ::http::Request;
    use axum::body::Body;
    use http_body_util::BodyExt as _;
    use openline_protocol::close;
    use serde_json::json;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::api;
    use crate::config::Config;
    use crate::exchange::PAGE;
    use crate::outbound::backend::{Backend, reply, until};
    use crate::server::Server;
    use crate::testkit::TestServer;

    const KEY: &str = "a-key-that-is-long-enough-to-be-one";

    fn server(toml: &str) -> TestServer {
        let toml = format!("[auth]\nanonymous = true\n[api]\nkeys = [\"{KEY}\"]\n{toml}");
        let config = Config::read(Some(("test.toml", &toml)), [], []).unwrap();
        TestServer::of(Server::builder(), config)
    }

    async fn post(server: &TestServer, path: &str, body: serde_json::Value) -> serde_json::Value {
        let request = Request::post(format!("/api/v1/{path}")).header("x-api-key", KEY);
        let request = request.body(Body::from(body.to_string())).unwrap();
        let answer = api::answer(server.node(), request).await;
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&body).unwrap()
    }

    #[tokio::test]
    async fn a_grant_that_comes_after_a_revocation_is_no_subscription() {
        let gate = Arc::new(Semaphore::new(0));
        let granted = gate.clone();
        let backend = Backend::start(move |_, _| {
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                reply(200, r#"{"allow":true}"#)
            }
        });
        let backend = backend.await;
        let url = backend.url("/");
        let server = server(&format!(
            "[namespace.default]\npresence = true\n[webhook]\nurl = \"{url}\"\n\
             secrets = [\"a-secret-of-many-bytes\"]\ndecide = [\"subscribe\"]\n"
        ));
        let mut ann = server.client().user("ann").await;
        ann.send_message(&json!({ "type": "subscribe", "id": 1, "channels": ["news"] })).await;
        backend.wait_for(1).await;
        let revoked = post(&server, "revoke", json!({ "user": "ann" })).await;
        assert_eq!(revoked["lines"], 1);
        let node = server.node();
        let shard = &node.exchange.shards()[0];
        until(|| shard.hub().lines().all(|(_, seat)| seat.line.is_ending())).await;
        // What the session does next, once it is granted.
        let client = Arc::from(ann.id());
        let key = shard.hub().client(&client).unwrap();
        let place = Place { node: node.clone(), shard: shard.clone(), key, client, identity: None };
        let news = ChannelName::new("news").unwrap();
        let entered = place.enter(&news, None, None, &PAGE, &node.settings()).await;
        assert_eq!(entered.err().map(|fault| fault.code), Some(ErrorCode::Unavailable));
        assert!(!shard.hub().is_subscribed(key, &news));
        assert_eq!(node.exchange.member_count(&news), 0, "others do not see it for a moment");

        granted.add_permits(1);
        assert_eq!(ann.closed().await.0, close::INVALID_AUTH);
        until(|| shard.hub().is_empty()).await;
    }
}
