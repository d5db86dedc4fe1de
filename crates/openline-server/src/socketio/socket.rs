//! [`Socket`]: a client in a namespace, whatever connection it has now, or has none.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use bytestring::ByteString;
use openline_engine::{Broadcast, Delivery, Encoding, Receivers, SessionKey};
use openline_protocol::{ChannelName, Data, Position, close};

use super::broadcast::{engine_messages, event_name, messages};
use super::engine::{Batch, Message, NotTaken, Outlet};
use super::packet::{self, Arguments, disconnect};
use super::returning::Returning;
use super::{FIRST_ENCODING, Journal};
use crate::app::{Answer, Client, Goodbye, Payload, Refusal, Set, unknown_event};
use crate::exchange::{Ending, Line};
use crate::node::Node;
use crate::session::Session;
use crate::shard::Shard;

/// Packets that wait until a client is in its namespace.
const HELD_MAX: usize = 1024;

/// A client in a namespace.
pub(crate) struct Socket {
    pub(super) node: Arc<Node>,
    pub(super) shard: Arc<Shard>,
    pub(super) set: Arc<Set>,
    encoding: Encoding,
    /// With which the client comes back; none where that cannot be.
    pub(super) pid: Option<Box<str>>,
    /// The number in the journal when it began.
    pub(super) began: u64,
    pub(super) returning: Arc<Returning>,
    key: OnceLock<SessionKey>,
    /// Weak, because the client's line is this socket. It is there for as long as the session is.
    client: OnceLock<Weak<Client>>,
    /// None once it has ended.
    session: Mutex<Option<Box<Session>>>,
    state: Mutex<State>,
}

/// Where a socket is.
pub(super) struct State {
    pub(super) carrier: Carrier,
    /// Which of its connections it has. One that it had before has no say any more.
    pub(super) generation: u64,
}

/// What carries a socket's packets.
pub(super) enum Carrier {
    /// Nothing yet: it is being let in. What it is sent waits.
    Beginning(Vec<Batch>),
    Open(Arc<Outlet>),
    /// Its connection was lost, and its client may come back.
    Away,
    /// With what ended it, where this side did.
    Ended(Option<Ending>),
}

impl Socket {
    pub(super) fn new(
        (node, shard): (&Arc<Node>, &Arc<Shard>),
        set: &Arc<Set>,
        returning: &Arc<Returning>,
    ) -> Arc<Self> {
        let namespaces = &node.operator.doors.namespaces;
        let index = namespaces.iter().position(|other| other.namespace == set.namespace);
        let index = index.expect("a socket's namespace is one of those that are served");
        let index = Encoding::try_from(index).expect("there are few namespaces");
        let pid = returning.is_enabled().then(Returning::new_pid);
        Arc::new(Self {
            node: node.clone(),
            shard: shard.clone(),
            set: set.clone(),
            encoding: FIRST_ENCODING + index,
            began: shard.journal().last(),
            pid,
            returning: returning.clone(),
            key: OnceLock::new(),
            client: OnceLock::new(),
            session: Mutex::default(),
            state: Mutex::new(State { carrier: Carrier::Beginning(Vec::new()), generation: 0 }),
        })
    }

    /// Learns which session it is.
    pub(super) fn know(&self, session: &Session) {
        let _ = self.key.set(session.key);
        if let Some(client) = session.app() {
            let _ = self.client.set(Arc::downgrade(client));
        }
    }

    /// Keeps its session. One that ended meanwhile does not.
    pub(super) fn keep(&self, session: Box<Session>) {
        *lock(&self.session) = Some(session);
        if matches!(self.state().carrier, Carrier::Ended(_)) {
            self.release();
        }
    }

    /// None once the session has ended and nothing is at work for it.
    pub(super) fn client(&self) -> Option<Arc<Client>> {
        self.client.get()?.upgrade()
    }

    pub(super) fn key(&self) -> Option<SessionKey> {
        self.key.get().copied()
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(super) fn namespace(&self) -> &str {
        &self.set.namespace
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Tells the client that it is in, and what it was sent meanwhile.
    ///
    /// # Errors
    /// Why it is not: it was sent away meanwhile.
    pub(super) fn begin(&self, outlet: &Arc<Outlet>, hello: Message) -> Result<u64, Ending> {
        let mut state = self.state();
        let held = match &mut state.carrier {
            Carrier::Beginning(held) => std::mem::take(held),
            Carrier::Ended(ending) => {
                let gone = || Ending::new(close::GOING_AWAY, "sent away");
                return Err(ending.clone().unwrap_or_else(gone));
            }
            Carrier::Open(_) | Carrier::Away => return Ok(state.generation),
        };
        // Where the connection has ended it will be told, and so will this.
        let _ = outlet.send(&[hello]);
        for batch in &held {
            outlet.send_batch(batch, false);
        }
        state.carrier = Carrier::Open(outlet.clone());
        Ok(state.generation)
    }

    /// Whether it is on this connection.
    pub(super) fn is_on(&self, generation: u64) -> bool {
        let state = self.state();
        state.generation == generation && matches!(state.carrier, Carrier::Open(_))
    }

    /// Hands it what others get too, and what the journal has.
    pub(crate) fn hand_over(&self, batch: &Batch, last: bool) -> Delivery {
        let mut state = self.state();
        match &mut state.carrier {
            Carrier::Beginning(held) if held.len() < HELD_MAX => {
                held.push(batch.clone());
                Delivery::Taken
            }
            Carrier::Beginning(_) | Carrier::Ended(_) => Delivery::Closed,
            Carrier::Open(outlet) => match outlet.send_batch(batch, last) {
                Delivery::Full => {
                    outlet.close(close::SLOW_CONSUMER, "slow consumer");
                    Delivery::Closed
                }
                delivery => delivery,
            },
            // What it misses is what the journal has.
            Carrier::Away => Delivery::Taken,
        }
    }

    fn say(&self, messages: &[Message]) {
        let mut state = self.state();
        match &mut state.carrier {
            Carrier::Beginning(held) if held.len() < HELD_MAX => held.push(Batch::new(messages)),
            Carrier::Open(outlet) => {
                if outlet.send(messages) == Err(NotTaken::Full) {
                    outlet.close(close::SLOW_CONSUMER, "slow consumer");
                }
            }
            Carrier::Beginning(_) | Carrier::Away | Carrier::Ended(_) => {}
        }
    }

    /// Bytes that wait for the client. For one that is away that is no end of them: what may be lost is.
    pub(crate) fn queued_bytes(&self) -> usize {
        match &self.state().carrier {
            Carrier::Open(outlet) if !outlet.is_writable() => outlet.queued_bytes().max(1),
            Carrier::Open(_) => 0,
            Carrier::Beginning(_) | Carrier::Away | Carrier::Ended(_) => usize::MAX,
        }
    }

    /// Whether it has ended, from whichever side.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state().carrier, Carrier::Ended(_))
    }

    /// Bytes that wait for the client and that nobody else holds.
    pub(crate) fn own_bytes(&self) -> usize {
        self.outlet().map_or(0, |outlet| outlet.own_bytes())
    }

    /// Sends it an event, or asks it something.
    pub(crate) fn emit(&self, event: &str, payload: &Payload, question: Option<u64>) {
        let (event, arguments) = (event_name(event), Arguments::from(payload));
        let encode = |offset: Option<&str>| {
            let encoded = packet::event(self.namespace(), event, &arguments, question, offset);
            engine_messages(encoded).collect::<Arc<[Message]>>()
        };
        match (self.key(), question) {
            // A question is not asked again: who asks has waited long enough by then.
            (Some(key), None) if self.pid.is_some() => {
                let mut journal = self.shard.journal();
                let offset = (journal.last() + 1).to_string();
                let messages = encode(Some(&offset));
                let bytes = messages.iter().map(bytes).sum();
                journal.direct(self.now_ms(), key, messages.clone(), bytes);
                self.say(&messages);
            }
            _ => self.say(&encode(None)),
        }
    }

    /// Whether one more event is taken; one that comes too fast is not.
    pub(super) fn take_event(&self, event: &ByteString) -> Result<(), Refusal> {
        let mut session = lock(&self.session);
        session.as_mut().map_or(Ok(()), |session| session.take_event(event))
    }

    /// Answers an event.
    pub(super) fn answer(&self, id: Option<u64>, answer: Result<Answer, Refusal>, event: &str) {
        let payload = match answer {
            Ok(Answer::Reply(payload)) => Ok(payload),
            Ok(Answer::BuiltIn) => Err(unknown_event(event)),
            Err(refusal) => Err(refusal),
        };
        let arguments = match &payload {
            Ok(payload) => Arguments::from(payload),
            Err(refusal) => {
                if let Some(client) = self.client() {
                    client.note(Err(refusal.clone()));
                }
                refused(refusal)
            }
        };
        if let Some(id) = id {
            let messages: Vec<_> =
                engine_messages(packet::ack(self.namespace(), id, &arguments)).collect();
            self.say(&messages);
        }
    }

    /// Hands it broadcasts that it has to catch up with.
    pub(crate) fn deliver(&self, broadcasts: &[&Broadcast]) -> Delivery {
        let Some(key) = self.key() else { return Delivery::Closed };
        let mut journal = self.pid.is_some().then(|| self.shard.journal());
        let to: Arc<[SessionKey]> = Arc::from([key]);
        let mut said = Vec::new();
        for broadcast in broadcasts {
            let to = Receivers::Chosen(to.clone());
            let number = journal.as_mut().map(|journal| journal.mail(self.now_ms(), to, broadcast));
            said.extend(messages(self.namespace(), broadcast, number));
        }
        self.hand_over(&Batch::new(&said), false)
    }

    /// It gets from here on what is posted to a channel. The hub is locked.
    pub(crate) fn joined(&self, channel: &ChannelName, head: Option<Position>) {
        self.note(|journal, key| journal.joined(self.now_ms(), key, channel, head));
    }

    /// It gets nothing more of a channel. The hub is locked.
    pub(crate) fn left(&self, channel: &ChannelName) {
        self.note(|journal, key| journal.left(self.now_ms(), key, channel));
    }

    fn note(&self, write: impl FnOnce(&mut Journal, SessionKey)) {
        if let Some(key) = self.key()
            && self.pid.is_some()
        {
            write(&mut self.shard.journal(), key);
        }
    }

    /// Ends it from this side, for good. Who calls this may hold the hub.
    pub(crate) fn close(self: &Arc<Self>, ending: &Ending) {
        let ended = Carrier::Ended(Some(ending.clone()));
        match std::mem::replace(&mut self.state().carrier, ended) {
            Carrier::Ended(_) => return,
            Carrier::Open(outlet) if is_final(ending.code) => {
                // One that has no room for this reads nothing: the connection ends with it.
                let bye = Message::Text(disconnect(self.namespace()));
                if outlet.send(&[bye]) == Err(NotTaken::Full) {
                    outlet.close(close::SLOW_CONSUMER, "slow consumer");
                }
            }
            // The client is to come back, which it does only if its connection is lost.
            Carrier::Open(outlet) => outlet.close(ending.code, &ending.reason),
            Carrier::Away => self.returning.not_away(),
            Carrier::Beginning(_) => {}
        }
        if let Some(client) = self.client() {
            let reason = ending.reason.clone();
            client.will_go(Goodbye { code: Some(ending.code), reason });
        }
        let socket = self.clone();
        self.node.operator.spawn(async move { socket.release() });
    }

    /// Ends it and whatever else the client has on the connection, from this side.
    pub(crate) fn close_connection(self: &Arc<Self>, ending: &Ending) {
        let Some(outlet) = self.outlet() else { return self.close(ending) };
        // Each is told that it was sent away, before the connection is closed. That is rare enough to
        // look for them among all.
        let mut together = Vec::new();
        for shard in self.node.exchange.shards() {
            let hub = shard.hub();
            together.extend(hub.lines().filter_map(|(_, seat)| match &seat.line {
                Line::Socket(socket) if socket.is_over(&outlet) => Some(socket.clone()),
                _ => None,
            }));
        }
        for socket in together {
            socket.close(ending);
        }
        outlet.close(ending.code, &ending.reason);
    }

    fn outlet(&self) -> Option<Arc<Outlet>> {
        match &self.state().carrier {
            Carrier::Open(outlet) => Some(outlet.clone()),
            _ => None,
        }
    }

    fn is_over(&self, outlet: &Arc<Outlet>) -> bool {
        self.outlet().is_some_and(|own| Arc::ptr_eq(&own, outlet))
    }

    /// Ends it: its client leaves the namespace, or is given up. The hub must not be locked by who
    /// calls this.
    pub(super) fn end(&self, reason: &str) {
        self.end_if(reason, |_| true);
    }

    /// As [`Socket::end`], if it is in such a state; returns what carried it then.
    pub(super) fn end_if(
        &self,
        reason: &str,
        is_so: impl FnOnce(&State) -> bool,
    ) -> Option<Carrier> {
        let before = {
            let mut state = self.state();
            if matches!(state.carrier, Carrier::Ended(_)) || !is_so(&state) {
                return None;
            }
            std::mem::replace(&mut state.carrier, Carrier::Ended(None))
        };
        if let Carrier::Away = before {
            self.returning.not_away();
        }
        if let Some(client) = self.client() {
            client.will_go(Goodbye { code: None, reason: reason.to_owned() });
        }
        self.release();
        Some(before)
    }

    /// Lets go of the session. The hub must not be locked by who calls this.
    fn release(&self) {
        if let Some(pid) = &self.pid {
            self.returning.forget(pid);
        }
        let session = lock(&self.session).take();
        drop(session);
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.node.exchange.clock.now_ms()
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("namespace", &self.namespace()).finish_non_exhaustive()
    }
}

/// Whether a client that is told this must not come back by itself.
fn is_final(code: u16) -> bool {
    let comes_back = matches!(
        code,
        close::GOING_AWAY
            | close::INTERNAL_ERROR
            | close::SERVICE_RESTART
            | close::TRY_AGAIN_LATER
            | close::SESSION_EXPIRED
            | close::RATE_LIMITED
            | close::MAINTENANCE
            | close::SLOW_CONSUMER
            | close::NO_AUTHENTICATION
    );
    !comes_back
}

/// What the client is told that waits for an answer.
pub(super) fn refused(refusal: &Refusal) -> Arguments {
    let mut fields = serde_json::json!({
        "code": refusal.code(),
        "error": refusal.message(),
        "message": refusal.message(),
    });
    if let Some(Data::Json(data)) = refusal.data() {
        fields["data"] = serde_json::from_str(data).unwrap_or_default();
    }
    if let Some(retry_after) = refusal.retry_after() {
        fields["retryAfter"] = retry_after.into();
    }
    Arguments::from(Data::Json(fields.to_string().into()))
}

fn bytes(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(data) => data.len(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing under this lock panics")
}
