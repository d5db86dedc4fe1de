//! [`Outlet`]: where a connection's messages go, whatever carries them; its state and its end.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytestring::ByteString;
use openline_engine::Delivery;
use openline_protocol::close;
use openline_ws::{Message as Frame, Sender, TrySendError};

use super::connection::Connection;
use super::mounts::Terms;
use super::packet::{self, Malformed, text_packet};
use super::payload::Letter;
use super::polls::Polling;
use super::{Batch, Ended, Message};
pub(crate) use crate::exchange::NotTaken;
use crate::metrics::Transport;
use crate::node::Node;
use crate::shard::Shard;
use crate::transport::SessionSecret;

/// How long a connection that this side ended waits for a poll, which is to take what is left.
const LINGER: Duration = Duration::from_secs(10);

/// Where a connection's messages go. It works from any thread.
pub(crate) struct Outlet {
    pub(super) sid: SessionSecret,
    pub(super) terms: Arc<Terms>,
    pub(super) node: Arc<Node>,
    pub(super) shard: Arc<Shard>,
    /// Who it is, for the log.
    client: Arc<str>,
    /// Of its entry in the thread's heartbeats.
    number: u64,
    state: Mutex<State>,
}

/// How a connection is.
pub(super) struct State {
    pub(super) carrier: Carrier,
    pub(super) ended: Option<Ended>,
    /// Whether somebody has taken it on to tell the upper layer of the end.
    is_finishing: bool,
    pulse: Pulse,
    /// When it is looked at again, in milliseconds by the node's clock.
    due_ms: u64,
}

/// What carries the packets.
pub(super) enum Carrier {
    /// Boxed: most connections leave it soon.
    Polling(Box<Polling>),
    WebSocket(Sender),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pulse {
    /// A ping is sent when it is due.
    Resting,
    /// One was sent; the connection ends when it is due.
    Asked,
}

impl Outlet {
    pub(super) fn new(
        terms: &Arc<Terms>,
        (node, shard): (&Arc<Node>, &Arc<Shard>),
        client: Arc<str>,
        carrier: Carrier,
    ) -> Self {
        let due_ms = node.exchange.clock.now_ms() + ms(terms.options.ping_interval);
        node.metrics.session_opened(carrier.transport());
        Self {
            sid: SessionSecret::random(node.id),
            terms: terms.clone(),
            node: node.clone(),
            shard: shard.clone(),
            client,
            number: node.next_number(),
            state: Mutex::new(State {
                carrier,
                ended: None,
                is_finishing: false,
                pulse: Pulse::Resting,
                due_ms,
            }),
        }
    }

    /// Sends messages, all of them or none.
    ///
    /// # Errors
    /// When the connection has ended, or more than `limits.queue` waits for the client: then either
    /// the messages can be done without, or the caller closes the connection.
    pub(crate) fn send(&self, messages: &[Message]) -> Result<(), NotTaken> {
        let mut state = self.state();
        let sender = match state.open()? {
            Carrier::Polling(polling) => {
                return polling.put(messages.iter().map(Letter::of).collect());
            }
            Carrier::WebSocket(sender) => sender,
        };
        let sent = match messages {
            [] => Ok(()),
            [Message::Text(text)] => sender.try_send(text_packet(text)),
            [Message::Binary(data)] => sender.try_send(Frame::Binary(data.clone())),
            several => sender.try_send_batch(Batch::new(several).frames()),
        };
        sent.map_err(not_taken)
    }

    /// Sends messages that others get too. A WebSocket that gets nothing more in this turn (`last`)
    /// is written here and now.
    pub(crate) fn send_batch(&self, batch: &Batch, last: bool) -> Delivery {
        let mut state = self.state();
        let taken = state.open().and_then(|carrier| match carrier {
            Carrier::Polling(polling) => {
                polling.put(batch.frames().messages().iter().map(Letter::of_frame).collect())
            }
            Carrier::WebSocket(sender) if last => {
                sender.try_write_batch(batch.frames()).map_err(not_taken)
            }
            Carrier::WebSocket(sender) => sender.try_send_batch(batch.frames()).map_err(not_taken),
        });
        match taken {
            Ok(()) => Delivery::Taken,
            Err(NotTaken::Closed) => Delivery::Closed,
            Err(NotTaken::Full) if self.terms.closes_when_full => {
                drop(state);
                self.close(close::SLOW_CONSUMER, "slow consumer");
                Delivery::Closed
            }
            Err(NotTaken::Full) => Delivery::Full,
        }
    }

    /// Ends the connection, behind what was sent. A WebSocket is closed with this code; over polling
    /// there is none. A client that does not keep up (4006) gets nothing more.
    pub(crate) fn close(&self, code: u16, reason: &str) {
        let ended = match code {
            close::SERVICE_RESTART => Ended::ServerStop,
            _ => Ended::ForcedClose,
        };
        self.end_with(ended, code, reason);
    }

    /// Bytes that wait for the client.
    pub(crate) fn queued_bytes(&self) -> usize {
        match &self.state().carrier {
            Carrier::Polling(polling) => polling.bytes(),
            Carrier::WebSocket(sender) => sender.queued_bytes(),
        }
    }

    /// Whether it has ended, from whichever side.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().ended.is_some()
    }

    /// Bytes that wait for a WebSocket's client and that nobody else holds.
    pub(crate) fn own_bytes(&self) -> usize {
        match &self.state().carrier {
            Carrier::Polling(_) => 0,
            Carrier::WebSocket(sender) => sender.own_bytes(),
        }
    }

    /// Whether a message that is sent now leaves at once: what may be lost is sent only then.
    pub(crate) fn is_writable(&self) -> bool {
        let state = self.state();
        state.ended.is_none()
            && match &state.carrier {
                Carrier::Polling(polling) => polling.is_waited_for(),
                Carrier::WebSocket(sender) => sender.queued_bytes() == 0,
            }
    }

    /// How the client is connected now.
    pub(crate) fn transport(&self) -> Transport {
        self.state().carrier.transport()
    }

    /// Why it ended, once it has.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.state().ended
    }

    /// Ends the connection for a reason of its own. The first reason counts.
    pub(super) fn end(&self, reason: Ended) {
        match reason {
            Ended::TransportClose => self.end_with(reason, close::NORMAL, ""),
            Ended::TransportError => {
                self.end_with(reason, close::INTERNAL_ERROR, "transport error");
            }
            Ended::PingTimeout => self.end_with(reason, close::GOING_AWAY, "ping timeout"),
            Ended::ParseError => self.end_with(reason, close::INVALID_DATA, &Malformed.to_string()),
            Ended::ForcedClose => self.end_with(reason, close::NORMAL, "forced close"),
            Ended::ServerStop => self.end_with(reason, close::SERVICE_RESTART, "server stops"),
        }
    }

    fn end_with(&self, reason: Ended, code: u16, why: &str) {
        // Dropped last: what hangs on it must not be dropped under the lock.
        let _removed;
        let mut state = self.state();
        if state.ended.is_some() {
            return;
        }
        state.ended = Some(reason);
        let now_ms = self.now_ms();
        let lingers = match &mut state.carrier {
            Carrier::WebSocket(sender) => {
                // A line that is closed already keeps the code that it was closed with.
                let closing = sender.close(code, why);
                debug_assert!(closing.is_ok(), "a code that may not be sent: {code}");
                false
            }
            Carrier::Polling(polling) => {
                let is_to_be_told = matches!(reason, Ended::ForcedClose | Ended::ServerStop);
                let until_ms = now_ms + ms(LINGER);
                let lingers =
                    is_to_be_told && !polling.is_waited_for() && self.node.engine.linger();
                polling.end(code == close::SLOW_CONSUMER, lingers.then_some(until_ms));
                lingers
            }
        };
        _removed = (!lingers).then(|| self.node.engine.remove(self.sid));
        let before_ms = std::mem::take(&mut state.due_ms);
        self.shard.heartbeats.advance(before_ms, self.number);
    }

    /// Puts a connection where requests find it and where it is looked at.
    pub(super) fn enlist(connection: &Arc<Connection>) {
        let outlet = &connection.outlet;
        let state = outlet.state();
        // The upper layer may have ended it already.
        let lingers = matches!(&state.carrier, Carrier::Polling(polling) if polling.lingers());
        if state.ended.is_none() || lingers {
            outlet.node.engine.add(connection);
        }
        outlet.shard.heartbeats.set(state.due_ms, outlet.number, connection.clone());
    }

    /// The connection's entry in the heartbeats is due, and was taken out for that.
    pub(super) fn look(connection: &Arc<Connection>) {
        let outlet = &connection.outlet;
        let now_ms = outlet.now_ms();
        if outlet.is_overdue(now_ms, connection.is_busy()) {
            outlet.end(Ended::PingTimeout);
        }
        let mut state = outlet.state();
        if state.ended.is_some() {
            let begins = !std::mem::replace(&mut state.is_finishing, true);
            match state.lingers_until() {
                Some(until_ms) if now_ms < until_ms => {
                    state.due_ms = until_ms;
                    outlet.shard.heartbeats.set(until_ms, outlet.number, connection.clone());
                }
                Some(_) => outlet.forget(&mut state),
                None => {}
            }
            drop(state);
            if begins {
                tokio::spawn(connection.clone().finish());
            }
            return;
        }
        if now_ms >= state.due_ms && state.pulse == Pulse::Resting {
            state.carrier.ping();
            state.pulse = Pulse::Asked;
            // By when it was due rather than by now, or delays would add up.
            state.due_ms += ms(outlet.terms.options.ping_timeout);
        }
        outlet.shard.heartbeats.set(state.due_ms, outlet.number, connection.clone());
    }

    /// Whether a ping was not answered in time. A client that is heard is not gone, however long its
    /// answer is behind other things; nor is one whose message is being worked on, because nobody
    /// listens to it meanwhile.
    fn is_overdue(&self, now_ms: u64, is_busy: bool) -> bool {
        let mut state = self.state();
        if state.ended.is_some() || state.pulse == Pulse::Resting || now_ms < state.due_ms {
            return false;
        }
        let timeout_ms = ms(self.terms.options.ping_timeout);
        let heard_ms = match &state.carrier {
            Carrier::Polling(polling) => polling.heard_ms,
            Carrier::WebSocket(sender) => now_ms.saturating_sub(ms(sender.quiet_for())),
        };
        let heard_ms = if is_busy { now_ms } else { heard_ms };
        let is_overdue = heard_ms + timeout_ms <= now_ms;
        if !is_overdue {
            state.due_ms = heard_ms + timeout_ms;
        }
        is_overdue
    }

    /// Ends a connection that is overdue, if nobody has come to it yet.
    pub(super) fn end_if_overdue(&self, is_busy: bool) {
        if self.is_overdue(self.now_ms(), is_busy) {
            self.end(Ended::PingTimeout);
        }
    }

    /// The client answers a ping.
    pub(super) fn pong(&self) {
        let mut state = self.state();
        if state.ended.is_some() || state.pulse == Pulse::Resting {
            return;
        }
        state.pulse = Pulse::Resting;
        let due_ms = self.now_ms() + ms(self.terms.options.ping_interval);
        let before_ms = std::mem::replace(&mut state.due_ms, due_ms);
        self.shard.heartbeats.shift(before_ms, due_ms, self.number);
    }

    /// Takes the connection out of the heartbeats: who calls this tells the upper layer of the end.
    pub(super) fn withdraw(&self) {
        let _removed;
        let mut state = self.state();
        state.is_finishing = true;
        if state.lingers_until().is_none() {
            _removed = self.shard.heartbeats.remove(state.due_ms, self.number);
        }
    }

    /// Forgets a connection that lingers.
    pub(super) fn forget(&self, state: &mut State) {
        if let Carrier::Polling(polling) = &mut state.carrier
            && polling.leave()
        {
            self.node.engine.left();
            // Who calls this has a hold on the connection too, so nothing is dropped here.
            let _ = self.node.engine.remove(self.sid);
        }
    }

    pub(super) fn panicked(&self) {
        self.node.metrics.panicked();
        self.node.log.panicked(&self.client);
        self.end(Ended::TransportError);
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.node.exchange.clock.now_ms()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing under this lock panics")
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").field("client", &self.client).finish_non_exhaustive()
    }
}

impl State {
    /// What carries messages, as long as the connection is open.
    fn open(&mut self) -> Result<&mut Carrier, NotTaken> {
        match self.ended {
            None => Ok(&mut self.carrier),
            Some(_) => Err(NotTaken::Closed),
        }
    }

    fn lingers_until(&self) -> Option<u64> {
        match &self.carrier {
            Carrier::Polling(polling) => polling.lingers_until(),
            Carrier::WebSocket(_) => None,
        }
    }
}

impl Carrier {
    pub(super) fn transport(&self) -> Transport {
        match self {
            Self::Polling(_) => Transport::EnginePolling,
            Self::WebSocket(_) => Transport::EngineWebSocket,
        }
    }

    fn ping(&mut self) {
        match self {
            Self::Polling(polling) => polling.put_control(Letter::packet(packet::PING)),
            // One whose queue is full does not answer either, and ends.
            Self::WebSocket(sender) => {
                let _ = sender.try_send(Frame::Text(ByteString::from_static(packet::PING)));
            }
        }
    }
}

fn not_taken(error: TrySendError) -> NotTaken {
    match error {
        TrySendError::Full => NotTaken::Full,
        TrySendError::Closed => NotTaken::Closed,
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
