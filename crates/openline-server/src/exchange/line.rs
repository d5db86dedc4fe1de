//! [`Line`]: where a session's messages go.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use openline_engine::{Broadcast, Change, Delivery, Encoding};
use openline_protocol::{BUILT_IN_TYPES, ChannelName, Format, Id, Member, Position, Reply};
use openline_ws::{Message, Prepared, PreparedBatch, Sender, TrySendError};

use super::ending::Ending;
use super::mailbox::{Letter, Mailbox, NotTaken, Progress};
use crate::app::{Client, Payload};
use crate::auth::Identity;
use crate::metrics::Transport;
use crate::plain::{self, Form};
use crate::socketio::{Socket, engine};

/// WebSocket lines that read JSON.
pub(crate) const TEXT: Encoding = 0;
/// WebSocket lines that read MessagePack.
pub(crate) const BINARY: Encoding = 1;
/// Readers that are no WebSocket.
pub(crate) const MAILBOX: Encoding = 2;

/// Engine.IO connections without sockets. Those between are of [`Form`]s.
pub(crate) const ENGINE: Encoding = 15;

/// Where a session's messages go. Cloning is cheap.
#[derive(Debug, Clone)]
pub(crate) enum Line {
    WebSocket {
        sender: Sender,
        format: Format,
    },
    /// A WebSocket line of an endpoint with a vocabulary of its own.
    Plain {
        sender: Sender,
        form: Form,
    },
    Mailbox(Arc<Mailbox>),
    /// It gets events, and no answers in the words of protocol v1.
    Socket(Arc<Socket>),
    /// An Engine.IO connection without sockets, whose messages are as handlers send them.
    Engine(Arc<engine::Outlet>),
}

/// What a thread knows of a session.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) line: Line,
    pub(crate) identity: Option<Arc<Identity>>,
    /// Of the session; no other has it.
    pub(crate) number: u64,
    pub(crate) transport: Transport,
    pub(crate) address: IpAddr,
    /// When it began, in milliseconds since 1970.
    pub(crate) opened_ms: u64,
    /// The session as handlers know it, where there are some.
    pub(crate) app: Option<Arc<Client>>,
    /// Its transport is one that another process can go on with.
    pub(crate) can_move: bool,
}

/// A batch, in one of the encodings.
#[derive(Debug)]
pub(crate) enum Batch {
    /// With how many messages that is.
    Frames(PreparedBatch, usize),
    Letters(Vec<Letter>),
    /// For the sockets of a namespace.
    Packets(engine::Batch),
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Frames(_, count) => *count,
            Self::Letters(letters) => letters.len(),
            Self::Packets(packets) => packets.len(),
        }
    }
}

impl Line {
    pub(crate) fn encoding(&self) -> Encoding {
        match self {
            Self::WebSocket { format: Format::Json, .. } => TEXT,
            Self::WebSocket { format: Format::MessagePack, .. } => BINARY,
            Self::Plain { form, .. } => form.encoding(),
            Self::Mailbox(_) => MAILBOX,
            Self::Socket(socket) => socket.encoding(),
            Self::Engine(_) => ENGINE,
        }
    }

    /// Sends a message to this line alone. One that is gone or does not keep up is dealt with by its
    /// own policy.
    pub(crate) fn reply(&self, reply: &Reply<'_>) {
        match self {
            Self::WebSocket { sender, format } => {
                if let Err(TrySendError::Full) = sender.try_send(encoded(reply, *format)) {
                    // It asks and does not read the answers.
                    self.close_as_slow();
                }
            }
            Self::Plain { form, .. } => match form.reply(reply) {
                plain::Told::Message(message) => self.send_raw(message),
                plain::Told::Nothing => {}
                plain::Told::End => self.close_as_slow(),
            },
            Self::Mailbox(mailbox) => {
                let mut bytes = Vec::new();
                reply.encode(Format::Json, &mut bytes);
                let letter = Letter { text: text(bytes), progress: progress_of_reply(reply) };
                if mailbox.put(&[letter]) == Err(NotTaken::Full) {
                    mailbox.give_up();
                }
            }
            Self::Engine(_) => match Form::Raw.reply(reply) {
                plain::Told::Message(message) => self.send_raw(message),
                plain::Told::Nothing => {}
                plain::Told::End => self.close_as_slow(),
            },
            Self::Socket(_) => {}
        }
    }

    /// Sends broadcasts to this line alone.
    pub(crate) fn deliver(&self, broadcasts: &[&Broadcast]) -> Delivery {
        if let Self::Socket(socket) = self {
            return socket.deliver(broadcasts);
        }
        let batch = encode(self.encoding(), broadcasts);
        self.hand_over(&batch, false)
    }

    pub(super) fn hand_over(&self, batch: &Batch, last: bool) -> Delivery {
        match (self, batch) {
            // Nothing of it was for lines of this encoding.
            (_, Batch::Frames(_, 0)) => Delivery::Taken,
            (
                Self::WebSocket { sender, .. } | Self::Plain { sender, .. },
                Batch::Frames(frames, _),
            ) => {
                // A line that gets more in this turn is written once, by its own task.
                let taken = match last {
                    true => sender.try_write_batch(frames),
                    false => sender.try_send_batch(frames),
                };
                match taken {
                    Ok(()) => Delivery::Taken,
                    Err(TrySendError::Full) => Delivery::Full,
                    Err(TrySendError::Closed) => Delivery::Closed,
                }
            }
            (Self::Mailbox(mailbox), Batch::Letters(letters)) => match mailbox.put(letters) {
                Ok(()) => Delivery::Taken,
                Err(NotTaken::Full) => Delivery::Full,
                Err(NotTaken::Closed) => Delivery::Closed,
            },
            (Self::Socket(socket), Batch::Packets(packets)) => socket.hand_over(packets, last),
            (Self::Engine(outlet), Batch::Packets(packets)) => outlet.send_batch(packets, last),
            _ => Delivery::Closed,
        }
    }

    fn close_as_slow(&self) {
        self.close(openline_protocol::close::SLOW_CONSUMER, "slow consumer");
    }

    /// Tells the client that the line will be closed in so long, so that it can open another first.
    /// Returns whether it knows what that means.
    pub(crate) fn will_close(&self, in_: Duration, retry_after_ms: u64) -> bool {
        let Self::WebSocket { sender, format } = self else { return false };
        let closes_in_ms = u64::try_from(in_.as_millis()).unwrap_or(u64::MAX);
        if closes_in_ms > 0 {
            // Where it finds no room, the close has to do.
            let drain = Reply::Drain { closes_in_ms, retry_after_ms };
            let _ = sender.try_send(encoded(&drain, *format));
        }
        true
    }

    /// Ends the line because it does not keep up, without what waits for it.
    pub(crate) fn give_up(&self) {
        let (code, reason) = (openline_protocol::close::SLOW_CONSUMER, "slow consumer");
        match self {
            Self::WebSocket { sender, .. } | Self::Plain { sender, .. } => {
                let ended = sender.abort(code, reason);
                debug_assert!(ended.is_ok(), "a code that may not be sent: {code}");
            }
            Self::Mailbox(mailbox) => mailbox.give_up(),
            Self::Socket(_) | Self::Engine(_) => self.close(code, reason),
        }
    }

    /// Ends the line because the server stops: with 1001, which every client knows, unless it is one
    /// that knows more.
    pub(crate) fn server_stops(&self) {
        let code = match self {
            Self::Plain { .. } => openline_protocol::close::GOING_AWAY,
            _ => openline_protocol::close::SERVICE_RESTART,
        };
        self.close(code, "server stops");
    }

    pub(crate) fn close(&self, code: u16, reason: &str) {
        self.end(Ending::new(code, reason));
    }

    /// Closes all that shares the connection of this line.
    pub(crate) fn close_connection(&self, code: u16, reason: &str) {
        match self {
            Self::Socket(socket) => socket.close_connection(&Ending::new(code, reason)),
            _ => self.close(code, reason),
        }
    }

    /// Ends the line. A close frame has no room for the time to come back: a message before it has.
    pub(crate) fn end(&self, ending: Ending) {
        match self {
            Self::WebSocket { sender, format } => {
                if ending.retry_after_ms.is_some() {
                    // Where it finds no room, the code alone has to do.
                    let _ = sender.try_send(encoded(&ending.message(), *format));
                }
                let closing = sender.close(ending.code, &ending.reason);
                debug_assert!(closing.is_ok(), "a code that may not be sent: {}", ending.code);
            }
            // Its vocabulary has no word for it.
            Self::Plain { sender, .. } => {
                let closing = sender.close(ending.code, &ending.reason);
                debug_assert!(closing.is_ok(), "a code that may not be sent: {}", ending.code);
            }
            Self::Mailbox(mailbox) => mailbox.close(ending),
            Self::Socket(socket) => socket.close(&ending),
            Self::Engine(outlet) => outlet.close(ending.code, &ending.reason),
        }
    }

    /// Has its task look up, if it is a line of protocol v1 over WebSocket; returns whether it is.
    pub(crate) fn interrupt(&self) -> bool {
        let Self::WebSocket { sender, .. } = self else { return false };
        sender.interrupt();
        true
    }

    /// Bytes that wait for the client.
    pub(crate) fn queued_bytes(&self) -> usize {
        match self {
            Self::WebSocket { sender, .. } | Self::Plain { sender, .. } => sender.queued_bytes(),
            Self::Mailbox(mailbox) => mailbox.bytes(),
            Self::Socket(socket) => socket.queued_bytes(),
            Self::Engine(outlet) => outlet.queued_bytes(),
        }
    }

    /// Bytes that wait for the client and that nobody else holds: what its end frees of them. Little
    /// waits for polls of Engine.IO.
    pub(crate) fn own_bytes(&self) -> usize {
        match self {
            Self::WebSocket { sender, .. } | Self::Plain { sender, .. } => sender.own_bytes(),
            Self::Mailbox(mailbox) => mailbox.own_bytes(),
            Self::Socket(socket) => socket.own_bytes(),
            Self::Engine(outlet) => outlet.own_bytes(),
        }
    }

    /// Whether it was ended already, and what waits still is what cannot be taken back.
    pub(crate) fn is_ending(&self) -> bool {
        match self {
            Self::WebSocket { sender, .. } | Self::Plain { sender, .. } => !sender.is_open(),
            Self::Mailbox(mailbox) => mailbox.end().is_some(),
            Self::Socket(socket) => socket.has_ended(),
            Self::Engine(outlet) => outlet.has_ended(),
        }
    }

    /// Sends this line alone an event, or asks it something. One that is gone or does not keep up is
    /// dealt with by its own policy.
    pub(crate) fn emit(&self, event: &str, payload: &Payload, question: Option<u64>) {
        match self {
            Self::Socket(socket) => return socket.emit(event, payload, question),
            Self::Plain { form: Form::Raw, .. } | Self::Engine(_) => {
                return self.send_raw(plain::as_it_is(&payload.to_data()));
            }
            _ => {}
        }
        let id = question.map(|number| Id::from(&*format!("s-{number}")));
        self.reply(&Reply::Answer { id: id.as_ref(), kind: event, data: &payload.to_data() });
    }

    /// Sends a message as it is.
    pub(crate) fn send_raw(&self, message: Message) {
        match self {
            Self::WebSocket { sender, .. } | Self::Plain { sender, .. } => {
                if let Err(TrySendError::Full) = sender.try_send(message) {
                    self.close_as_slow();
                }
            }
            Self::Engine(outlet) => {
                if outlet.send(&[engine::Message::from(message)]) == Err(NotTaken::Full) {
                    self.close_as_slow();
                }
            }
            Self::Mailbox(_) | Self::Socket(_) => {
                debug_assert!(false, "raw endpoints have lines of their own");
            }
        }
    }

    /// Whether it is of an endpoint with a vocabulary of its own.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain { .. })
    }

    /// Whether the client has a way to answer questions.
    pub(crate) fn takes_questions(&self) -> bool {
        !matches!(self, Self::Plain { form: Form::Raw, .. } | Self::Engine(_))
    }

    /// Whether the client knows protocol v1, and so what `subscribed` means.
    pub(crate) fn speaks_protocol(&self) -> bool {
        matches!(self, Self::WebSocket { .. } | Self::Mailbox(_))
    }

    /// It gets from here on what is posted to a channel behind `head`. The hub is locked.
    pub(crate) fn joined(&self, channel: &ChannelName, head: Option<Position>) {
        if let Self::Socket(socket) = self {
            socket.joined(channel, head);
        }
    }

    /// It gets nothing more of a channel. The hub is locked.
    pub(crate) fn left(&self, channel: &ChannelName) {
        if let Self::Socket(socket) = self {
            socket.left(channel);
        }
    }

    /// For how long nothing has come from the client, where it would come here.
    pub(crate) fn quiet_for(&self) -> Option<Duration> {
        match self {
            Self::WebSocket { sender, .. } | Self::Plain { sender, .. } => Some(sender.quiet_for()),
            Self::Mailbox(_) | Self::Socket(_) | Self::Engine(_) => None,
        }
    }

    /// Waits until little waits for the line; false if it is closed.
    pub(crate) async fn drained(&self) -> bool {
        match self {
            Self::WebSocket { sender, .. } | Self::Plain { sender, .. } => {
                sender.flush().await.is_ok()
            }
            Self::Mailbox(mailbox) => mailbox.drained().await,
            // One that does not keep up is closed.
            Self::Socket(_) | Self::Engine(_) => true,
        }
    }
}

pub(super) fn encode(encoding: Encoding, broadcasts: &[&Broadcast]) -> Batch {
    if encoding == ENGINE {
        let messages: Vec<_> = broadcasts.iter().filter_map(|each| plain::bare(each)).collect();
        let messages: Vec<_> = messages.into_iter().map(engine::Message::from).collect();
        return Batch::Packets(engine::Batch::new(&messages));
    }
    if let Some(form) = Form::of_encoding(encoding) {
        let messages: Vec<_> = broadcasts.iter().filter_map(|each| form.broadcast(each)).collect();
        let count = messages.len();
        return Batch::Frames(PreparedBatch::new(messages), count);
    }
    // Who speaks protocol v1 would take it for the server's own.
    let is_known = |broadcast: &&&Broadcast| match broadcast {
        Broadcast::Event(event) => !BUILT_IN_TYPES.contains(&&*event.event),
        _ => true,
    };
    let broadcasts: Vec<&Broadcast> = broadcasts.iter().filter(is_known).copied().collect();
    let format = if encoding == BINARY { Format::MessagePack } else { Format::Json };
    let written = broadcasts.iter().map(|broadcast| {
        let mut bytes = Vec::new();
        write(broadcast, format, &mut bytes);
        bytes
    });
    match encoding {
        TEXT => {
            let utf8 = "the encoder writes JSON, which is UTF-8";
            let texts = written.map(|bytes| Prepared::text(String::from_utf8(bytes).expect(utf8)));
            Batch::Frames(PreparedBatch::new(texts.collect()), broadcasts.len())
        }
        BINARY => {
            let frames = PreparedBatch::new(written.map(Prepared::binary).collect());
            Batch::Frames(frames, broadcasts.len())
        }
        _ => {
            let letters = written.zip(&broadcasts).map(|(bytes, broadcast)| Letter {
                text: text(bytes),
                progress: progress_of_broadcast(broadcast),
            });
            Batch::Letters(letters.collect())
        }
    }
}

fn encoded(reply: &Reply<'_>, format: Format) -> Message {
    let mut bytes = Vec::new();
    reply.encode(format, &mut bytes);
    match format {
        Format::Json => Message::Text(text(bytes)),
        Format::MessagePack => Message::Binary(bytes.into()),
    }
}

/// Writes it as protocol v1 does.
pub(crate) fn write(broadcast: &Broadcast, format: Format, out: &mut Vec<u8>) {
    match broadcast {
        Broadcast::Publication(publication) => publication.encode(format, out),
        Broadcast::Presence(presence) => {
            let change = &presence.change;
            let reply = Reply::PresenceChange {
                channel: &presence.channel,
                joined: &change.joined,
                updated: &change.updated,
                left: &change.left,
                count: change.count,
                complete: names_everybody(change),
            };
            reply.encode(format, out);
        }
        Broadcast::Typing(typing) => {
            let Member { client_id, user, .. } = &typing.member;
            let reply = Reply::Typing {
                channel: &typing.channel,
                client_id,
                user: user.as_deref(),
                is_typing: typing.is_typing,
            };
            reply.encode(format, out);
        }
        Broadcast::Event(event) => {
            let reply = Reply::Answer { id: None, kind: &event.event, data: &event.data };
            reply.encode(format, out);
        }
    }
}

/// On the wire, `complete` means that `joined` is everybody: a client forgets all it knew before.
fn names_everybody(change: &Change) -> bool {
    let only_joined = change.updated.is_empty() && change.left.is_empty();
    only_joined && change.joined.len() as u64 == change.count
}

fn progress_of_broadcast(broadcast: &Broadcast) -> Progress {
    match broadcast {
        Broadcast::Publication(publication) => publication
            .position
            .map_or(Progress::None, |at| Progress::Until(publication.channel.clone(), at)),
        Broadcast::Presence(_) | Broadcast::Typing(_) | Broadcast::Event(_) => Progress::None,
    }
}

fn progress_of_reply(reply: &Reply<'_>) -> Progress {
    match reply {
        Reply::Subscribed { channels, .. } | Reply::Welcome { channels, .. } => {
            let begins = channels.iter().filter_map(|subscribed| {
                let position = subscribed.outcome.as_ref().ok()?.position?;
                Some((subscribed.channel.clone(), position))
            });
            Progress::From(begins.collect())
        }
        Reply::Unrecovered { channel, position: Some(position), .. } => {
            Progress::Until((*channel).clone(), *position)
        }
        Reply::Unsubscribed { channels, .. } => Progress::Left((*channels).into()),
        _ => Progress::None,
    }
}

fn text(bytes: Vec<u8>) -> ByteString {
    ByteString::try_from(bytes).expect("the encoder writes JSON, which is UTF-8")
}
