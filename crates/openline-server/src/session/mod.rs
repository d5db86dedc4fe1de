//! [`Session`]: one client, whatever carries it: who it is, what it may do, how fast, and what
//! becomes of what it asks for.

mod application;
mod authenticate;
mod baggage;
mod catch_up;
mod expel;
mod follow;
mod permission;
mod place;
mod plain;
mod presence;
mod publish;
mod read;
mod remote;
mod speed;
mod subscribe;
mod transfer;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use openline_engine::SessionKey;
use openline_protocol::{
    ChannelName, Command, Fault, Format, Id, Reply, Request, SubscribedTo, close, parse_request,
};
use openline_ws::Message;

use crate::app;
use crate::auth::{AuthError, Entrance, Identity};
use crate::exchange::{Line, Seat};
use crate::guard::{Bucket, Rate, Slot};
use crate::metrics::{Metrics, Transport};
use crate::node::Node;
use crate::shard::Shard;
use crate::uploads::Network;

pub(crate) use authenticate::deadline_passed;
pub(crate) use baggage::{Baggage, Moving};
pub(crate) use catch_up::catch_up;
pub(crate) use expel::{Expelled, Whom};
pub(crate) use follow::Opening;
pub(crate) use place::{Place, newest};
pub(crate) use read::no_such_position;
pub(crate) use remote::Answered;
use speed::Speed;
pub(crate) use speed::check_request_speed;
use transfer::Transfers;

/// Messages that cannot be read before the line is closed (1008): ten in ten seconds.
const UNREADABLE: Rate =
    Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(10).expect("10 is not 0") };

/// A client that is connected. Dropping it ends its subscriptions.
pub(crate) struct Session {
    pub(crate) node: Arc<Node>,
    pub(crate) shard: Arc<Shard>,
    pub(crate) key: SessionKey,
    pub(crate) client: Arc<str>,
    pub(crate) line: Line,
    transport: Transport,
    identity: Option<Arc<Identity>>,
    number: u64,
    /// When the session is looked at again: see [`deadline_passed`].
    due_ms: Option<u64>,
    network: Network,
    transfers: Option<Box<Transfers>>,
    speed: Option<Box<Speed>>,
    /// What was wrong with the token of its request. It is told behind the welcome, which is the
    /// first message on every line.
    refused: Option<Box<AuthError>>,
    unreadable: Bucket,
    /// Held by each publication that waits for its ack.
    in_flight: Option<Arc<()>>,
    /// Of one request: it is no line of its user's, and nobody is told of it.
    is_alone: bool,
    /// Also what carries no `id` is answered.
    answers_all: bool,
    slot: Option<Slot>,
    /// As handlers know it, where there are some.
    app: Option<Arc<app::Client>>,
    /// Another process goes on with it: its end is none.
    has_moved: bool,
}

/// How a session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    New,
    /// For one request.
    Alone,
    /// It goes on; it began then, in another process.
    Resumed {
        opened_ms: u64,
    },
}

/// What a transport knows of a client that comes.
pub(crate) struct Arrival {
    pub(crate) transport: Transport,
    pub(crate) line: Line,
    /// Whose token came with the request.
    pub(crate) identity: Result<Option<Identity>, AuthError>,
    /// Its place among the lines.
    pub(crate) slot: Option<Slot>,
    /// An id that it had before; without one it gets a new one.
    pub(crate) client: Option<Arc<str>>,
    /// Where it is, behind the proxies that are trusted.
    pub(crate) address: IpAddr,
    /// The handlers of its messages, where there are some.
    pub(crate) handlers: Option<Served>,
}

/// Handlers, and what the address of the request says to them.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) set: Arc<app::Set>,
    pub(crate) parameter: Box<str>,
}

impl Session {
    /// A client comes. It has been admitted; what came with its request is checked.
    pub(crate) fn open(node: &Arc<Node>, shard: &Arc<Shard>, arrival: Arrival) -> Self {
        Self::begin_session(node, shard, arrival, Beginning::New)
    }

    fn begin_session(
        node: &Arc<Node>,
        shard: &Arc<Shard>,
        arrival: Arrival,
        beginning: Beginning,
    ) -> Self {
        let Arrival { transport, line, identity, slot, client, address, handlers } = arrival;
        let client = client.unwrap_or_else(new_client_id);
        let number = node.next_number();
        let is_alone = beginning == Beginning::Alone;
        let opened_ms = match beginning {
            Beginning::Resumed { opened_ms } => opened_ms,
            Beginning::New | Beginning::Alone => node.exchange.clock.now_ms(),
        };
        let seat = Seat {
            line: line.clone(),
            identity: None,
            number,
            transport,
            address,
            opened_ms,
            app: None,
            can_move: false,
        };
        let key = shard.hub().open(seat, client.clone(), line.encoding());
        if !is_alone {
            node.metrics.session_opened(transport);
        }
        let mut session = Self {
            node: node.clone(),
            shard: shard.clone(),
            key,
            client,
            line,
            transport,
            identity: None,
            number,
            due_ms: None,
            network: address.into(),
            transfers: None,
            speed: Speed::new(&node.settings().config.rates).map(Box::new),
            refused: None,
            unreadable: Bucket::default(),
            in_flight: None,
            is_alone,
            answers_all: false,
            slot,
            app: None,
            has_moved: false,
        };
        if let Some(served) = handlers {
            session.hand_to(served, address);
        }
        session.begin_as(identity);
        if beginning == Beginning::New {
            node.came(&session.client, session.user().map(|user| &**user));
        }
        session
    }

    /// Takes note of what the token of its request says.
    fn begin_as(&mut self, identity: Result<Option<Identity>, AuthError>) {
        match identity {
            Ok(Some(identity)) => {
                if let Err(ending) = self.become_user(identity) {
                    self.line.end(ending);
                }
                return;
            }
            Ok(None) => {}
            Err(error) => self.refused = Some(Box::new(error)),
        }
        if !self.is_admitted() {
            self.await_token();
        }
    }

    /// Says hello, with the subscriptions that the token asks for.
    pub(crate) async fn welcome(&mut self) {
        if self.line.is_plain() {
            // What is said first is up to the handlers.
            return self.connect().await;
        }
        let channels = match self.is_admitted() {
            true => self.subscribe_by_token().await,
            false => Vec::new(),
        };
        let ping_interval = openline_ws::Timeouts::default().ping_interval;
        self.greet(None, ping_interval.unwrap_or_default(), &channels);
        if let Some(error) = self.refused.take() {
            self.refuse_token(&error, None);
        }
        if self.is_admitted() {
            self.connect().await;
        }
    }

    fn greet(&self, session: Option<&str>, ping_interval: Duration, channels: &[SubscribedTo]) {
        self.reply(&Reply::Welcome {
            client_id: &self.client,
            session,
            authenticated: self.identity.is_some(),
            user: self.user().map(|user| &**user),
            channels,
            ping_interval_ms: ping_interval.as_millis() as u64,
            retry_spread_ms: self.node.settings().guard.retry_spread_ms(),
            expires_at: self.expires_at_ms(),
        });
    }

    /// What a WebSocket line brought; what is to be waited for is boxed, because an idle line's task
    /// is as large as its largest state.
    pub(crate) fn receive(
        &mut self,
        message: Message,
    ) -> Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> {
        if self.line.is_plain() {
            return Some(Box::pin(self.receive_plain(message)));
        }
        let (format, input) = match message {
            Message::Text(text) => (Format::Json, text.into_bytes()),
            Message::Binary(bytes) => (Format::MessagePack, bytes),
        };
        self.node.metrics.received(input.len());
        match parse_request(format, &input) {
            Ok(request) => Some(Box::pin(self.handle(request))),
            Err(fault) => {
                self.refuse_unreadable(fault);
                None
            }
        }
    }

    /// Tells the client that its message cannot be read; one that sends nothing else is closed.
    fn refuse_unreadable(&mut self, fault: Fault) {
        self.refuse(fault);
        self.count_unreadable();
    }

    fn count_unreadable(&mut self) {
        let now = self.node.exchange.clock.now_ms();
        if self.unreadable.take(&UNREADABLE, now).is_err() {
            self.line.close(close::POLICY_VIOLATION, "too many messages that cannot be read");
        }
    }

    /// What a client asks for.
    pub(crate) async fn handle(&mut self, request: Request) {
        let Request { id, command, unknown_fields } = request;
        self.node.metrics.command(&command, unknown_fields);
        self.node.log.command(&self.client, Metrics::kind(&command));
        // One state of the configuration for all that this message asks for.
        let settings = &self.node.settings();
        if let Err(fault) = self.check_speed(&command, settings) {
            return self.refuse_speed(fault.with_id(id));
        }
        if !self.is_admitted_by(settings)
            && !matches!(command, Command::Auth { .. } | Command::Ping)
        {
            return self.refuse(permission::not_authenticated().with_id(id));
        }
        let command = match self.handler_before(&command) {
            None => command,
            Some(app) => match Box::pin(self.ask_handler(app, command, id.as_ref())).await {
                Some(command) => command,
                None => return,
            },
        };
        let done = match command {
            // The rare ones are boxed, so that a publication needs a small place.
            Command::Auth { token } => {
                Box::pin(self.authenticate(token, id.as_ref())).await;
                Ok(())
            }
            Command::Subscribe { channels } => {
                Box::pin(self.subscribe(channels, id.as_ref(), settings)).await
            }
            Command::Unsubscribe { channels } => {
                self.unsubscribe(channels, id.as_ref());
                Ok(())
            }
            Command::Publish(publish) => self.publish(publish, id.as_ref(), settings).await,
            Command::Presence { channel, after, limit } => {
                let (after, id) = (after.as_deref(), id.as_ref());
                Box::pin(self.presence(&channel, after, limit, id, settings)).await
            }
            Command::History(query) => Box::pin(self.history(query, id.as_ref(), settings)).await,
            Command::SetPresence { channel, status, data } => {
                self.set_presence(channel.as_ref(), status, data, id.as_ref())
            }
            Command::Typing { channel, is_typing } => {
                self.typing(&channel, is_typing, id.as_ref(), settings)
            }
            command @ (Command::Upload(_)
            | Command::Chunk(_)
            | Command::Complete(_)
            | Command::Cancel { .. }) => Box::pin(self.transfer(command, id.as_ref())).await,
            Command::Ping => {
                let timestamp = self.node.exchange.clock.now_ms();
                let retry_spread_ms = self.node.settings().guard.retry_spread_ms();
                self.reply(&Reply::Pong { id: id.as_ref(), timestamp, retry_spread_ms });
                Ok(())
            }
            Command::Other { kind, data } => {
                Box::pin(self.ask_application(kind, data, id.as_ref())).await
            }
        };
        if let Err(fault) = done {
            self.refuse(fault.with_id(id));
        }
    }

    pub(crate) fn reply(&self, reply: &Reply<'_>) {
        self.line.reply(reply);
    }

    /// Tells the client that something was not done.
    pub(crate) fn refuse(&self, fault: Fault) {
        self.node.metrics.refused(fault.code);
        self.node.log.request_refused(&self.client, fault.code, &fault.message);
        match &self.app {
            Some(app) if self.line.is_plain() => {
                let id = fault.id.clone();
                app.refuse(&self.line, id.as_ref(), &app::Refusal::of_fault(fault));
            }
            _ => self.reply(&Reply::Error(&fault)),
        }
    }

    /// Ends a subscription by whoever asks for it: the client, or a token that is no more.
    fn unsubscribe(&mut self, channels: Vec<ChannelName>, id: Option<&Id>) {
        for channel in &channels {
            self.end_subscription(channel);
        }
        self.reply(&Reply::Unsubscribed { id, channels: &channels, reason: None });
    }

    fn end_subscription(&self, channel: &ChannelName) {
        self.place().leave(channel);
    }

    /// Where it subscribes.
    fn place(&self) -> Place {
        Place {
            node: self.node.clone(),
            shard: self.shard.clone(),
            key: self.key,
            client: self.client.clone(),
            identity: self.identity.clone(),
        }
    }

    fn user(&self) -> Option<&Arc<str>> {
        self.identity.as_ref()?.user.as_ref()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(due_ms) = self.due_ms {
            self.shard.deadlines.clear(due_ms, self.key);
        }
        let closed = self.shard.hub().close(self.key);
        if self.has_moved {
            return self.forget();
        }
        for channel in closed.into_iter().flat_map(|(_, channels)| channels) {
            self.node.left(&channel, &self.shard, &self.client);
        }
        if let Some(app) = &self.app {
            app.gone();
        }
        if self.is_alone {
            return;
        }
        if let Some(user) = self.user() {
            self.node.user_lines.leave(user, self.number);
        }
        self.node.metrics.session_closed(self.transport);
        self.node.log.session_closed(&self.client, "closed");
        self.node.gone(&self.client, self.user().map(|user| &**user), "closed");
    }
}

/// 128 random bits: nobody guesses another's.
pub(crate) fn new_client_id() -> Arc<str> {
    use base64::Engine as _;
    let bits: [u8; 16] = rand::random();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bits).into()
}
