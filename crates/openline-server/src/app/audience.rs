//! [`Audience`]: whom something is for: rooms without others, everybody, all but one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use openline_engine::{Broadcast, Draft, Encoding, Event, Hub, Outlet as _, Receivers, SessionKey};
use openline_protocol::{BUILT_IN_TYPES, ChannelName, Data, ErrorCode, Publication};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::asked::NotAsked;
use super::client::Client;
use super::namespace::Namespace;
use super::payload::Payload;
use super::reply::Refusal;
use crate::cluster::{self, Addressed, Message, Name};
use crate::exchange::{Fanout, Seat, history};
use crate::node::Node;
use crate::shard::ShardMessage;

/// Whom something is for. Made by [`Context::to`](super::Context::to) and its like.
///
/// What is said to one room, nobody excepted but one client, is a publication of the room's channel: it
/// has its place in the channel's order, is kept if the channel keeps a history, and recovered by
/// those who were away. What is said to several rooms, to a room without another, or to everybody
/// reaches who is there now, once each.
///
/// An event that is called as a built-in type of protocol v1 is, such as `typing` or `presence`, is for
/// those who have a vocabulary of their own: it reaches who is there by way of a plain or raw endpoint
/// or of Socket.IO, is not kept, and clients of protocol v1 do not get it, who would take it for the
/// server's own.
#[derive(Debug, Clone)]
#[must_use = "it does nothing until something is sent to it"]
pub struct Audience {
    namespace: Namespace,
    rooms: Vec<String>,
    clients: Vec<Arc<str>>,
    except_rooms: Vec<String>,
    except_clients: Vec<Arc<str>>,
    is_volatile: bool,
}

impl Audience {
    pub(crate) fn new(namespace: Namespace) -> Self {
        Self {
            namespace,
            rooms: Vec::new(),
            clients: Vec::new(),
            except_rooms: Vec::new(),
            except_clients: Vec::new(),
            is_volatile: false,
        }
    }

    /// Those in this room too; the first room takes the place of everybody.
    pub fn to(mut self, room: &str) -> Self {
        self.rooms.push(room.to_owned());
        self
    }

    /// This client too, where it is in the namespace; the first client or room takes the place of
    /// everybody.
    pub fn to_client(mut self, id: &str) -> Self {
        self.clients.push(id.into());
        self
    }

    /// Without those in this room.
    pub fn except(mut self, room: &str) -> Self {
        self.except_rooms.push(room.to_owned());
        self
    }

    /// Without this client.
    pub fn except_client(mut self, id: &str) -> Self {
        self.except_clients.push(id.into());
        self
    }

    /// What is sent is not kept, and not waited for: a client for which something waits already may
    /// miss it.
    pub fn volatile(mut self) -> Self {
        self.is_volatile = true;
        self
    }

    /// Sends an event. Returns when it is as safe as the channel promises, where it is kept.
    ///
    /// # Errors
    /// When the data cannot be written, a room has no name, or the broker does not take it.
    pub async fn emit<T: Serialize + ?Sized>(&self, event: &str, data: &T) -> Result<(), Refusal> {
        self.emit_payload(event, Payload::new(data)?).await
    }

    /// As [`Audience::emit`], with what is written already.
    ///
    /// # Errors
    /// As [`Audience::emit`].
    pub async fn emit_payload(&self, event: &str, payload: Payload) -> Result<(), Refusal> {
        let data = payload.to_data();
        let is_one_room = self.clients.is_empty() && self.except_rooms.is_empty();
        match (&self.rooms[..], &self.except_clients[..]) {
            ([room], [] | [_]) if is_one_room && !self.is_volatile => {
                match BUILT_IN_TYPES.contains(&event) {
                    true => self.hand_on(room, event, data),
                    false => self.publish(room, event, data).await,
                }
            }
            _ => self.mail(event, data),
        }
    }

    /// To those in one room who have a vocabulary of their own, in the order of its channel.
    fn hand_on(&self, room: &str, event: &str, data: Data) -> Result<(), Refusal> {
        let exchange = &self.namespace.node().exchange;
        let channel = self.namespace.channel(room)?;
        exchange.settings().namespace(&channel).map_err(Refusal::of_fault)?;
        let event = Broadcast::Event(Arc::new(Event { event: event.into(), data }));
        exchange.broadcast(&channel, event, self.except_clients.first().cloned());
        Ok(())
    }

    /// To one room, through its channel.
    async fn publish(&self, room: &str, event: &str, data: Data) -> Result<(), Refusal> {
        let exchange = &self.namespace.node().exchange;
        let channel = self.namespace.channel(room)?;
        let settings = exchange.settings();
        let history = settings.namespace(&channel).map(history).map_err(Refusal::of_fault)?;
        drop(settings);
        let event = (event != "message").then(|| ByteString::from(event));
        let draft = Draft { channel, event, data, from: None, key: None, history };
        let published = exchange.publish(draft, self.except_clients.first().cloned()).await;
        self.namespace.node().metrics.published(published.as_ref().map(|p| p.duplicate));
        published.map(|_| ()).map_err(|error| Refusal::of_fault(error.fault()))
    }

    /// To whom it is for now, by way of the threads.
    fn mail(&self, event: &str, data: Data) -> Result<(), Refusal> {
        let node = self.namespace.node();
        let to = self.resolve()?;
        let timestamp = node.exchange.clock.now_ms();
        if let Some(cluster) = node.cluster() {
            let sent = cluster.cast(&Message::Mail {
                to: to.addressed(),
                event: event.to_owned(),
                data: cluster::Payload::from(&data),
                is_volatile: self.is_volatile,
                timestamp,
            });
            sent.map_err(|_| {
                let message =
                    "it is too long for the other nodes; send less than 1,000 KiB at a time";
                Refusal::new(ErrorCode::TooLarge.as_str(), message)
            })?;
        }
        Mailing::new(to, event, &data, self.is_volatile, timestamp).post(node);
        Ok(())
    }

    /// Asks everybody it is for, and waits for all answers at most this long. One for each client, in
    /// no order: its answer, or `timeout` or `unavailable`.
    ///
    /// # Errors
    /// When the data cannot be written, or a room has no name.
    pub async fn ask<T, R>(
        &self,
        event: &str,
        data: &T,
        within: Duration,
    ) -> Result<Vec<Result<R, Refusal>>, Refusal>
    where
        T: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        let payload = Payload::new(data)?;
        let mut asked = JoinSet::new();
        for client in self.clients()? {
            let (event, payload) = (event.to_owned(), payload.clone());
            asked.spawn_on(
                async move { ask(&client, &event, &payload, within).await },
                self.namespace.node().operator.runtime(),
            );
        }
        let mut answers = Vec::with_capacity(asked.len());
        while let Some(answer) = asked.join_next().await {
            let answer = answer.unwrap_or_else(|_| Err(Refusal::internal("a question was lost")));
            answers.push(answer.and_then(|payload| payload.read()));
        }
        Ok(answers)
    }

    /// The ids of those it is for now.
    ///
    /// # Errors
    /// When a room has no name.
    pub fn ids(&self) -> Result<Vec<Arc<str>>, Refusal> {
        Ok(self.clients()?.iter().map(|client| client.id().clone()).collect())
    }

    /// Puts all of them into a room.
    ///
    /// # Errors
    /// As [`Context::join`](super::Context::join).
    pub async fn join(&self, room: &str) -> Result<(), Refusal> {
        let channel = self.namespace.channel(room)?;
        self.move_elsewhere(&channel, true)?;
        for client in self.clients()? {
            super::rooms::join(&client, &channel, 0, |_| {}).await?;
        }
        Ok(())
    }

    fn move_elsewhere(&self, channel: &ChannelName, join: bool) -> Result<(), Refusal> {
        if let Some(cluster) = self.namespace.node().cluster() {
            let (to, room) = (self.resolve()?.addressed(), Name(channel.clone()));
            let _ = cluster.cast(&Message::Move { to, room, join });
        }
        Ok(())
    }

    /// Takes all of them out of a room.
    ///
    /// # Errors
    /// When a room has no name.
    pub fn leave(&self, room: &str) -> Result<(), Refusal> {
        let channel = self.namespace.channel(room)?;
        self.move_elsewhere(&channel, false)?;
        for client in self.clients()? {
            super::rooms::leave(&client, &channel);
        }
        Ok(())
    }

    /// Sends all of them away.
    ///
    /// # Errors
    /// When a room has no name.
    pub fn disconnect(&self, reason: &str) -> Result<(), Refusal> {
        if let Some(cluster) = self.namespace.node().cluster() {
            let (to, reason) = (self.resolve()?.addressed(), reason.to_owned());
            let _ = cluster.cast(&Message::Dismiss { to, reason });
        }
        for client in self.clients()? {
            super::Context::new(client, ByteString::new()).disconnect(reason);
        }
        Ok(())
    }

    fn clients(&self) -> Result<Vec<Arc<Client>>, Refusal> {
        Ok(self.resolve()?.clients(self.namespace.node()))
    }

    fn resolve(&self) -> Result<To, Refusal> {
        let channels = |rooms: &[String]| {
            rooms.iter().map(|room| self.namespace.channel(room)).collect::<Result<Vec<_>, _>>()
        };
        Ok(To {
            namespace: self.namespace.name().into(),
            rooms: match self.rooms.is_empty() && self.clients.is_empty() {
                true => None,
                false => Some(channels(&self.rooms)?),
            },
            clients: self.clients.clone(),
            except_rooms: channels(&self.except_rooms)?,
            except_clients: self.except_clients.clone(),
        })
    }
}

/// Asks one client.
pub(super) async fn ask(
    client: &Arc<Client>,
    event: &str,
    payload: &Payload,
    within: Duration,
) -> Result<Payload, Refusal> {
    let unavailable = |message: &str| Refusal::new(ErrorCode::Unavailable.as_str(), message);
    let (number, answer) = client.asked.begin().map_err(|error| match error {
        NotAsked::Gone => unavailable("the client is gone"),
        NotAsked::Full => unavailable("the client has not answered many questions before"),
    })?;
    if !client.line.takes_questions() {
        client.asked.forget(number);
        return Err(unavailable("the endpoint is raw, and has no way to answer"));
    }
    client.line.emit(event, payload, Some(number));
    match tokio::time::timeout(within, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(unavailable("the client is gone")),
        Err(_) => {
            client.asked.forget(number);
            let message = format!("no answer within {} ms", within.as_millis());
            Err(Refusal::new(ErrorCode::Timeout.as_str(), message))
        }
    }
}

/// Another node says something to an audience.
pub(crate) fn hear_mail(
    node: &Node,
    to: Addressed,
    event: &str,
    data: &Data,
    is_volatile: bool,
    timestamp: u64,
) {
    Mailing::new(To::of(to), event, data, is_volatile, timestamp).post(node);
}

/// Another node sends an audience away.
pub(crate) fn hear_dismiss(node: &Node, to: Addressed, reason: &str) {
    for client in To::of(to).clients(node) {
        super::Context::new(client, ByteString::new()).disconnect(reason);
    }
}

/// Another node puts an audience into a room, or takes it out of it.
pub(crate) fn hear_move(node: &Node, to: Addressed, room: ChannelName, join: bool) {
    let clients = To::of(to).clients(node);
    node.operator.runtime().spawn(async move {
        for client in clients {
            if join {
                // As on the node that asked, who cannot join does not.
                let _ = super::rooms::join(&client, &room, 0, |_| {}).await;
            } else {
                super::rooms::leave(&client, &room);
            }
        }
    });
}

/// Whom something is for, in the words of the engine.
#[derive(Debug)]
struct To {
    namespace: Box<str>,
    /// None is everybody.
    rooms: Option<Vec<ChannelName>>,
    clients: Vec<Arc<str>>,
    except_rooms: Vec<ChannelName>,
    except_clients: Vec<Arc<str>>,
}

impl To {
    /// In the words of nodes.
    fn addressed(&self) -> Addressed {
        let names = |channels: &[ChannelName]| channels.iter().cloned().map(Name).collect();
        Addressed {
            namespace: self.namespace.to_string(),
            rooms: self.rooms.as_deref().map(names),
            clients: self.clients.clone(),
            except_rooms: names(&self.except_rooms),
            except_clients: self.except_clients.clone(),
        }
    }

    fn of(addressed: Addressed) -> Self {
        let channels = |names: Vec<Name>| names.into_iter().map(|Name(channel)| channel).collect();
        Self {
            namespace: addressed.namespace.into(),
            rooms: addressed.rooms.map(channels),
            clients: addressed.clients,
            except_rooms: channels(addressed.except_rooms),
            except_clients: addressed.except_clients,
        }
    }

    /// Those of a node.
    fn clients(&self, node: &Node) -> Vec<Arc<Client>> {
        let mut clients = Vec::new();
        for shard in node.exchange.shards() {
            let hub = shard.hub();
            let keys = self.keys(&hub).into_iter().map(|(key, _)| key);
            clients.extend(keys.filter_map(|key| hub.line(key)?.app.clone()));
        }
        clients
    }

    /// Those of a thread, each once, with the number of the room by which it is meant, or that behind
    /// the last where it is meant by its id.
    fn keys(&self, hub: &Hub<Seat>) -> Vec<(SessionKey, usize)> {
        let mut excepted: HashSet<SessionKey> =
            self.except_rooms.iter().flat_map(|room| hub.members(room)).collect();
        excepted.extend(self.except_clients.iter().filter_map(|client| hub.client(client)));
        let is_meant =
            |seat: &Seat| seat.app.as_ref().is_some_and(|app| app.set.namespace == self.namespace);
        match &self.rooms {
            None => {
                let keys = hub.lines().filter(|(_, seat)| is_meant(seat)).map(|(key, _)| (key, 0));
                keys.filter(|(key, _)| !excepted.contains(key)).collect()
            }
            Some(rooms) => {
                let mut keys = Vec::new();
                for (number, room) in rooms.iter().enumerate() {
                    let members = hub.members(room).filter(|key| excepted.insert(*key));
                    keys.extend(members.map(|key| (key, number)));
                }
                let clients = self.clients.iter().filter_map(|client| hub.client(client));
                let clients = clients.filter(|key| hub.line(*key).is_some_and(is_meant));
                let clients = clients.filter(|key| excepted.insert(*key));
                keys.extend(clients.map(|key| (key, rooms.len())));
                keys
            }
        }
    }
}

/// Something on its way to an audience.
#[derive(Debug)]
pub(crate) struct Mailing {
    to: To,
    /// One for each room and one for clients, or one for everybody.
    letters: Vec<Broadcast>,
    /// Nobody gets it later.
    is_volatile: bool,
}

impl Mailing {
    fn new(to: To, event: &str, data: &Data, is_volatile: bool, timestamp: u64) -> Self {
        let publication = |channel: &ChannelName| {
            let event = (event != "message").then(|| ByteString::from(event));
            let (channel, data) = (channel.clone(), data.clone());
            let (position, prev_tag, from) = (None, 0, None);
            Publication { channel, event, data, position, prev_tag, timestamp, from }
        };
        let of_no_channel = || {
            let (event, data) = (event.into(), data.clone());
            Broadcast::Event(Arc::new(Event { event, data }))
        };
        let letters = match &to.rooms {
            None => vec![of_no_channel()],
            Some(rooms) if BUILT_IN_TYPES.contains(&event) => {
                rooms.iter().map(|_| of_no_channel()).chain([of_no_channel()]).collect()
            }
            Some(rooms) => rooms
                .iter()
                .map(|room| Broadcast::Publication(Arc::new(publication(room))))
                .chain([of_no_channel()])
                .collect(),
        };
        Self { to, letters, is_volatile }
    }

    /// Hands it to all threads of this node.
    fn post(self, node: &Node) {
        let mailing = Arc::new(self);
        for shard in node.exchange.shards() {
            shard.inbox.put([ShardMessage::Mailing(mailing.clone())]);
        }
    }

    /// Hands it to those of a thread. Each encoding is written once.
    pub(crate) fn deliver(&self, hub: &Hub<Seat>, fanout: &mut Fanout<'_>) {
        let mut batches = std::collections::HashMap::new();
        let keys = self.to.keys(hub);
        for (key, number) in &keys {
            let Some(seat) = hub.line(*key) else { continue };
            let encoding = seat.line.encoding();
            let batch = batches.entry((*number, encoding)).or_insert_with(|| {
                let to = || self.receivers(hub, &keys, (*number, encoding));
                let to = (!self.is_volatile).then_some(to);
                fanout.encode_mail(encoding, &self.letters[*number], to)
            });
            // One that has no room misses it: what is said to an audience is not kept.
            fanout.deliver(seat, batch, false);
        }
    }

    /// Those of one encoding, as the journal knows them.
    fn receivers(
        &self,
        hub: &Hub<Seat>,
        keys: &[(SessionKey, usize)],
        (number, encoding): (usize, Encoding),
    ) -> Receivers {
        if self.to.rooms.is_none() && self.to.except_rooms.is_empty() {
            let except = self.to.except_clients.clone().into();
            return Receivers::Everybody { encoding, except };
        }
        let is_one =
            |key: &SessionKey| hub.line(*key).is_some_and(|seat| seat.line.encoding() == encoding);
        let of_room = keys.iter().filter(|(_, room)| *room == number).map(|(key, _)| *key);
        Receivers::Chosen(of_room.filter(is_one).collect())
    }
}
