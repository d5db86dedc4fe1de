//! [`Context`]: the client whose message a handler has, and what can be done with it.

use std::any::TypeId;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use openline_protocol::{ChannelName, Data, Publication, close};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::audience::Audience;
use super::client::Client;
use super::handlers::Goodbye;
use super::namespace::Namespace;
use super::payload::Payload;
use super::reply::Refusal;

/// The client whose message a handler has, and what can be done with it. Cloning is cheap; it may be
/// kept beyond the call, and does nothing once the client is gone.
#[derive(Debug, Clone)]
pub struct Context {
    client: Arc<Client>,
    event: ByteString,
}

impl Context {
    pub(crate) fn new(client: Arc<Client>, event: ByteString) -> Self {
        Self { client, event }
    }

    /// What the message is called; empty in hooks.
    pub fn event(&self) -> &str {
        &self.event
    }

    /// The client's id, which no other client has. Socket.IO calls it `socket.id`.
    pub fn id(&self) -> &str {
        self.client.id()
    }

    /// The user whose token the client showed.
    pub fn user(&self) -> Option<Arc<str>> {
        self.client.identity()?.user.clone()
    }

    /// What the token says about the user, as JSON.
    pub fn info(&self) -> Option<String> {
        self.client.identity()?.info.as_deref().map(str::to_owned)
    }

    /// What a Socket.IO client gave as `auth` when it came; an empty object for all others.
    ///
    /// # Errors
    /// `bad_request`, with what does not fit.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        match self.client.auth() {
            Some(auth) => auth.read(),
            None => Payload::one(Data::Json("{}".into())).read(),
        }
    }

    /// Where the client is, behind the proxies that are trusted.
    pub fn address(&self) -> IpAddr {
        self.client.handshake.address
    }

    /// How the client is connected: `websocket`, `sse`, `poll` or `socketio`.
    pub fn transport(&self) -> &'static str {
        self.client.handshake.transport.as_str()
    }

    /// What the path of the endpoint has in the place of its parameter: at `/chat/{room}`, the room.
    /// Empty where it has none.
    pub fn parameter(&self) -> &str {
        &self.client.handshake.parameter
    }

    /// Something that was given to [`Handlers::state`](super::Handlers::state).
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.client.set.state()
    }

    /// Has the connection carry a value; returns the one of this type that it carried before.
    pub fn insert<T: Clone + Send + Sync + 'static>(&self, value: T) -> Option<T> {
        let before = self.client.values().insert(TypeId::of::<T>(), Box::new(value));
        before.and_then(|before| before.downcast().ok()).map(|before| *before)
    }

    /// A value that the connection carries.
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.client.values().get(&TypeId::of::<T>())?.downcast_ref().cloned()
    }

    /// Sends the client an event. It is queued when this returns; a client that does not read is
    /// closed by its queue.
    ///
    /// # Errors
    /// When the data cannot be written.
    pub fn emit<T: Serialize + ?Sized>(&self, event: &str, data: &T) -> Result<(), Refusal> {
        self.emit_payload(event, &Payload::new(data)?);
        Ok(())
    }

    /// As [`Context::emit`], with what is written already, or with several arguments.
    pub fn emit_payload(&self, event: &str, payload: &Payload) {
        self.client.line.emit(event, payload, None);
    }

    /// As [`Context::emit`], unless something waits for the client already: then it is dropped.
    ///
    /// # Errors
    /// When the data cannot be written.
    pub fn emit_volatile<T: Serialize + ?Sized>(
        &self,
        event: &str,
        data: &T,
    ) -> Result<(), Refusal> {
        let payload = Payload::new(data)?;
        if self.client.line.queued_bytes() == 0 {
            self.emit_payload(event, &payload);
        }
        Ok(())
    }

    /// Sends the client a text message as it is, at raw endpoints.
    pub fn send_text(&self, text: impl Into<ByteString>) {
        self.client.line.send_raw(openline_ws::Message::Text(text.into()));
    }

    /// Sends the client a binary message as it is, at raw endpoints.
    pub fn send_binary(&self, bytes: impl Into<bytes::Bytes>) {
        self.client.line.send_raw(openline_ws::Message::Binary(bytes.into()));
    }

    /// Asks the client, and waits for its answer at most this long.
    ///
    /// # Errors
    /// `timeout`; `unavailable` when the client is gone or has too many questions open; `bad_request`
    /// when the answer does not fit.
    pub async fn ask<T, R>(&self, event: &str, data: &T, within: Duration) -> Result<R, Refusal>
    where
        T: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        let payload = Payload::new(data)?;
        super::audience::ask(&self.client, event, &payload, within).await?.read()
    }

    /// Puts the client into a room. A client of protocol v1 is told with `subscribed`, as of any
    /// subscription that the server made. Nothing happens if it is in the room.
    ///
    /// # Errors
    /// When the room's channel is of no configured namespace, the client is in too many, or the
    /// broker does not answer.
    pub async fn join(&self, room: &str) -> Result<(), Refusal> {
        self.join_and(room, 0, |_| {}).await
    }

    /// As [`Context::join`], with what was said in the room last, oldest first: `greet` is called with
    /// it before anything that is said later reaches the client. What `greet` emits comes before that.
    /// It is called although the client is in the room already.
    ///
    /// `newest` is how many are wanted; there are none where the room's channel keeps no history.
    ///
    /// # Errors
    /// As [`Context::join`].
    pub async fn join_and(
        &self,
        room: &str,
        newest: u32,
        greet: impl FnOnce(&[Arc<Publication>]) + Send,
    ) -> Result<(), Refusal> {
        let channel = self.namespace().channel(room)?;
        super::rooms::join(&self.client, &channel, newest, greet).await
    }

    /// Takes the client out of a room; returns whether it was in.
    pub fn leave(&self, room: &str) -> bool {
        let channel = self.namespace().channel(room);
        channel.is_ok_and(|channel| super::rooms::leave(&self.client, &channel))
    }

    /// The rooms that the client is in.
    pub fn rooms(&self) -> Vec<String> {
        let hub = self.client.shard().hub();
        let channels: Vec<ChannelName> = hub.subscriptions(self.client.key()).cloned().collect();
        drop(hub);
        let namespace = self.namespace();
        channels.iter().filter_map(|channel| namespace.room(channel)).collect()
    }

    /// Those in a room, this client excepted.
    pub fn to(&self, room: &str) -> Audience {
        self.broadcast().to(room)
    }

    /// Everybody in the client's namespace, this client excepted.
    pub fn broadcast(&self) -> Audience {
        self.namespace().everybody().except_client(self.client.id())
    }

    /// The client's namespace: everybody in it, and its rooms.
    pub fn namespace(&self) -> Namespace {
        Namespace::new(self.client.node().clone(), self.client.set.clone())
    }

    /// Sends the client away: with close code 4005, or, from Socket.IO, `io server disconnect`.
    pub fn disconnect(&self, reason: &str) {
        self.close(close::KICKED, reason);
    }

    /// As [`Context::disconnect`], with all that the client has on the same connection: a Socket.IO
    /// client is in several namespaces on one.
    pub fn disconnect_all(&self, reason: &str) {
        let code = close::KICKED;
        self.client.will_go(Goodbye { code: Some(code), reason: reason.to_owned() });
        self.client.line.close_connection(code, reason);
    }

    /// Closes the client's line with a code of RFC 6455 or of the application's own (4100 to 4999).
    pub fn close(&self, code: u16, reason: &str) {
        self.client.will_go(Goodbye { code: Some(code), reason: reason.to_owned() });
        self.client.line.close(code, reason);
    }

    /// Runs something that goes on when the client is gone.
    pub fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.client.node().operator.spawn(future);
    }
}
