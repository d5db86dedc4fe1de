//! [`Baggage`]: a session as data, for the process that goes on with it.
//!
//! One process packs a session at a moment at which nothing is under way, and ends it so that nobody
//! hears of it; the next makes one of it that is the same to its client and to everybody else.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use openline_engine::{GoLive, Lagging};
use openline_protocol::{ChannelName, Member, Position, Reply};
use openline_ws::proto::handshake::Agreed;
use openline_ws::proto::{DeflateParams, Role};
use openline_ws::{Config, Detached, WebSocket};
use serde::{Deserialize, Serialize};

use super::speed::Speed;
use super::{Arrival, Beginning, Session};
use crate::auth::Identity;
use crate::cluster::{Blob, Name, Person};
use crate::exchange::{Line, PAGE};
use crate::guard::{Bucket, Slot};
use crate::metrics::Transport;
use crate::node::Node;
use crate::shard::Shard;

/// A session and its line, but for the socket. Between two processes it is postcard: a change of it
/// needs another [`Baggage::VERSION`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Baggage {
    client: Arc<str>,
    address: IpAddr,
    /// In milliseconds since 1970.
    opened_ms: u64,
    identity: Option<Identity>,
    subscriptions: Vec<Held>,
    speed: Option<Speed>,
    unreadable: Bucket,
    protocol: Option<String>,
    deflate: Option<Deflate>,
    /// What came from the client and was not handled.
    rest: Blob,
}

/// A subscription: what the client got last of the channel, and what others see of it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    channel: Name,
    /// Epoch, offset and tag; none where nothing is kept.
    place: Option<(u32, u64, u64)>,
    member: Option<Person>,
}

/// The terms of compression. No window is kept on lines that move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Deflate {
    server_max_window_bits: u8,
    client_max_window_bits: u8,
}

/// A session on its way into this process.
#[derive(Debug)]
pub(crate) struct Moving {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) baggage: Baggage,
    pub(crate) slot: Slot,
}

impl Baggage {
    /// What both processes have to agree on.
    pub(crate) const VERSION: u32 = 1;

    /// With what the line leaves: its terms, and what it has not handled.
    pub(crate) fn with_line(self, agreed: Agreed, rest: Vec<u8>) -> Self {
        let deflate = agreed.deflate.map(|params| Deflate {
            server_max_window_bits: params.server_max_window_bits,
            client_max_window_bits: params.client_max_window_bits,
        });
        Self { protocol: agreed.protocol, deflate, rest: Blob(Bytes::from(rest)), ..self }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let bytes = postcard::to_allocvec(self);
        bytes.expect("it is made of plain values and a vector takes them all")
    }

    /// None for what no process of this version wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    /// No process goes on with it: those who want to know are told that the client is gone.
    pub(crate) fn abandon(&self, shard: &Shard, node: &Node) {
        for Held { channel: Name(channel), .. } in &self.subscriptions {
            node.left(channel, shard, &self.client);
        }
        let user = self.identity.as_ref().and_then(|identity| identity.user.as_deref());
        node.log.session_closed(&self.client, "closed");
        node.gone(&self.client, user, "closed");
    }

    pub(crate) fn client(&self) -> &Arc<str> {
        &self.client
    }

    /// Where the client is, behind the proxies that are trusted.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// The line on a socket of this process.
    pub(crate) fn line<S>(&self, io: S, config: Arc<Config>) -> WebSocket<S>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let deflate = self.deflate.map(|deflate| DeflateParams {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: deflate.server_max_window_bits,
            client_max_window_bits: deflate.client_max_window_bits,
        });
        let agreed = Agreed { protocol: self.protocol.clone(), deflate };
        let detached = Detached { io, agreed, rest: self.rest.0.to_vec() };
        detached.resume(Role::Server, config)
    }
}

impl Session {
    /// Whether nothing is under way, so that another process could go on with it.
    pub(crate) fn is_quiet(&self) -> bool {
        let has_open = |transfers: &super::Transfers| !transfers.is_quiet(&self.node.uploads);
        matches!(self.line, Line::WebSocket { .. })
            && !self.is_alone
            && self.app.is_none()
            && self.refused.is_none()
            && !self.line.is_ending()
            && self.in_flight.as_ref().is_none_or(|held| Arc::strong_count(held) == 1)
            && !self.transfers.as_deref().is_some_and(has_open)
            && self.shard.hub().places(self.key).is_some()
    }

    /// The session as data, but for its line; None unless it is quiet.
    pub(crate) fn pack(&self) -> Option<Baggage> {
        if !self.is_quiet() {
            return None;
        }
        let hub = self.shard.hub();
        let seat = hub.line(self.key)?;
        let (address, opened_ms) = (seat.address, seat.opened_ms);
        let places = hub.places(self.key)?;
        drop(hub);
        let held = |(channel, place): (ChannelName, Option<Position>)| Held {
            place: place.map(|at| (at.epoch, at.offset, at.tag)),
            member: self.node.exchange.member(&channel, &self.client).map(|m| Person::from(&m)),
            channel: Name(channel),
        };
        Some(Baggage {
            client: self.client.clone(),
            address,
            opened_ms,
            identity: self.identity.as_deref().cloned(),
            subscriptions: places.into_iter().map(held).collect(),
            speed: self.speed.as_deref().cloned(),
            unreadable: self.unreadable,
            protocol: None,
            deflate: None,
            rest: Blob::default(),
        })
    }

    /// Ends it here because another process goes on with it. Nobody is told.
    pub(crate) fn depart(mut self) {
        self.has_moved = true;
    }

    /// What is left to do for one that has moved: what others see of it stays as it is.
    pub(super) fn forget(&self) {
        if let Some(user) = self.user() {
            self.node.user_lines.leave(user, self.number);
        }
        self.node.metrics.session_closed(self.transport);
    }

    /// Goes on with a session of another process. Nobody is told, unless there is something of which
    /// the client has to know: that it may not be where it was, or missed what cannot be had.
    pub(crate) async fn resume(
        node: &Arc<Node>,
        shard: &Arc<Shard>,
        line: Line,
        slot: Slot,
        baggage: Baggage,
    ) -> Self {
        let Baggage { client, address, opened_ms, identity, .. } = baggage;
        let arrival = Arrival {
            transport: Transport::WebSocket,
            line,
            identity: Ok(identity),
            slot: Some(slot),
            client: Some(client),
            address,
            handlers: None,
        };
        let beginning = Beginning::Resumed { opened_ms };
        let mut session = Self::begin_session(node, shard, arrival, beginning);
        session.speed = baggage.speed.map(Box::new);
        session.unreadable = baggage.unreadable;
        for Held { channel: Name(channel), place, member } in baggage.subscriptions {
            let place = place.map(|(epoch, offset, tag)| Position { epoch, offset, tag });
            session.go_on(channel, place, member.map(Member::from)).await;
        }
        session
    }

    /// Goes on with a subscription, from what the client got last.
    async fn go_on(&self, channel: ChannelName, place: Option<Position>, member: Option<Member>) {
        let settings = &self.node.settings();
        let namespace = match settings.namespace(&channel) {
            Ok(namespace) if self.is_admitted_by(settings) => namespace,
            // The configuration is another one.
            Ok(_) => return self.tell_end(channel, "not authenticated"),
            Err(fault) => return self.tell_end(channel, &fault.message),
        };
        let begun = self.shard.hub().subscribe(self.key, &channel);
        let Ok(subscription) = begun else { return };
        let exchange = &self.node.exchange;
        let member = namespace.presence.then(|| member.unwrap_or_else(|| self.member()));
        exchange.restore(&channel, self.shard.index, member);
        let since = place.filter(|_| namespace.history_size > 0);
        let has = since.map_or(0, |since| since.offset);
        let lagging = Lagging { subscription, channel: channel.clone(), since, has };
        let mut is_there = exchange.listen(&channel).await.is_ok();
        if let Some(since) = since.filter(|_| is_there) {
            let recovered = exchange.recover(&channel, since, &PAGE).await;
            is_there = recovered.is_ok_and(|r| r.head == since && r.missed.is_ok());
        }
        // Nothing was ordered since, as a rule. Where something was, it is read before it goes live.
        if !is_there || self.shard.hub().go_live(subscription, since) == GoLive::Behind {
            tokio::spawn(super::catch_up(lagging, self.shard.clone(), self.node.clone()));
        }
    }

    fn tell_end(&self, channel: ChannelName, reason: &str) {
        let channels = [channel];
        self.reply(&Reply::Unsubscribed { id: None, channels: &channels, reason: Some(reason) });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use openline_protocol::Data;
    use serde_json::json;

    use super::*;
    use crate::auth::Grants;

    fn held(channel: &str, place: Option<(u32, u64, u64)>, data: Option<Data>) -> Held {
        let member = Member {
            client_id: "c-1".into(),
            user: Some("ann".into()),
            info: None,
            status: Some("away".into()),
            data,
        };
        let channel = Name(ChannelName::new(channel).unwrap());
        Held { channel, place, member: Some(Person::from(&member)) }
    }

    fn baggage() -> Baggage {
        let grants = Grants::read(&json!({ "news": ["subscribe"] }), Some("ann")).unwrap();
        let binary = Data::Binary(Bytes::from_static(&[0, 255]));
        let baggage = Baggage {
            client: "c-1".into(),
            address: "2001:db8::1".parse().unwrap(),
            opened_ms: 1_700_000_000_000,
            identity: Some(Identity {
                user: Some("ann".into()),
                info: Some(r#"{"name":"Ann"}"#.into()),
                expires_at: Some(2_000_000_000),
                token_id: Some("t-1".into()),
                issued_at: Some(1_600_000_000),
                grants: Some(Arc::new(grants)),
                channels: vec!["news".into()],
                uploads: Some(true),
            }),
            subscriptions: vec![
                held("news", Some((7, u64::MAX, 3)), None),
                held("bare", None, Some(binary)),
            ],
            speed: Some(Speed::default()),
            unreadable: Bucket::default(),
            protocol: None,
            deflate: None,
            rest: Blob::default(),
        };
        let deflate = DeflateParams {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            client_max_window_bits: 12,
            ..DeflateParams::default()
        };
        let protocol = Some("openline.v1.msgpack".to_owned());
        baggage.with_line(Agreed { protocol, deflate: Some(deflate) }, vec![0x81, 0x80])
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let packed = baggage();
        assert_eq!(Baggage::from_bytes(&packed.to_bytes()), Some(packed));
    }

    /// Who changes what is passed has to count the version up, or a process of another version reads
    /// something else than was written.
    #[test]
    fn the_version_stands_for_these_bytes() {
        let bytes = baggage().to_bytes();
        assert_eq!(
            (Baggage::VERSION, bytes.len(), crc32fast::hash(&bytes)),
            (1, 180, 3_033_121_612)
        );
    }

    #[test]
    fn what_is_cut_or_something_else_is_not_unpacked() {
        let bytes = baggage().to_bytes();
        for len in 0..bytes.len() {
            assert_eq!(Baggage::from_bytes(&bytes[..len]), None, "{len}");
        }
        assert_eq!(Baggage::from_bytes(b"{}"), None);
    }

    #[test]
    fn a_line_is_made_again_under_its_terms() {
        let (io, _peer) = tokio::io::duplex(64);
        let ws = baggage().line(io, Arc::new(Config::default()));
        assert_eq!(ws.protocol(), Some("openline.v1.msgpack"));
        let deflate = ws.deflate().unwrap();
        assert!(deflate.server_no_context_takeover && deflate.client_no_context_takeover);
        assert_eq!((deflate.server_max_window_bits, deflate.client_max_window_bits), (15, 12));
    }
}
