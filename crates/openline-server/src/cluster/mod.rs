//! [`Cluster`]: the nodes that share a broker, and what they tell each other.
//!
//! Nothing of this is stored anywhere: each node knows what is true of itself and tells the others,
//! who believe it for as long as they hear it. So nothing can outlive a crash by more than a lease.
//! What one node says may be lost with a connection; all that lasts is therefore compared and asked
//! for again, and all that is said once may come twice.

mod asking;
mod control;
mod forward;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod hearing;
mod inbox;
mod inquiry;
mod limits;
mod mail;
mod message;
mod question;
mod revoked;
mod telling;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use openline_engine::{Peer, Peers};
use openline_protocol::ChannelName;
use tokio::time::{Instant, MissedTickBehavior};

use crate::broker::{Ear, Link, NodeId};
use crate::clock::Clock;
use crate::exchange::Interest;
use crate::node::Node;
use asking::Asking;
use control::Learning;
use inbox::{Heard, Inbox};
use inquiry::Inquiries;
use limits::Limits;
use message::{Heartbeat, TooLong};
use telling::Telling;

pub(crate) use forward::{CarriedRequest, Forwards, Handed, HandedOver, NotAnswered};

pub(crate) use mail::Addressed;
pub(crate) use message::Message;
pub(crate) use question::{Answer, Question, Row};
pub(crate) use revoked::Revoked;
pub(crate) use wire::{Blob, Name, Payload, Person, Why};

/// Other nodes. Beyond it a node is not heard.
const NODES_MAX: usize = 1024;

/// How often a node says that it lives.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

/// How often nodes tell again what they told lately.
const DIGEST_EVERY: Duration = Duration::from_secs(5);

/// This node as one of several.
pub(crate) struct Cluster {
    me: NodeId,
    name: Box<str>,
    clock: Clock,
    interest: Arc<Interest>,
    /// Set once the broker is there, which is made with this as its ear.
    link: OnceLock<Arc<dyn Link>>,
    node: OnceLock<Weak<Node>>,
    inbox: Inbox,
    peers: Mutex<Peers<Heartbeat>>,
    telling: Telling,
    asking: Asking,
    limits: Limits,
    learning: Learning,
    inquiries: Inquiries,
    breaks: AtomicU64,
    counters: Counters,
}

/// Messages so far.
#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
    unknown: AtomicU64,
    unsaid: AtomicU64,
}

/// How much nodes have said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Talk {
    /// All of them, with this one.
    pub(crate) nodes: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// What this version does not understand.
    pub(crate) unknown: u64,
    /// What was too long to be said.
    pub(crate) unsaid: u64,
}

/// Another node, as it was heard last.
#[derive(Debug)]
pub(crate) struct Other {
    pub(crate) node: NodeId,
    pub(crate) about: Heartbeat,
    /// In milliseconds since 1970.
    pub(crate) heard_ms: u64,
}

impl Cluster {
    /// A node that hears others, and cannot say anything before [`Cluster::connect`].
    pub(crate) fn new(
        me: NodeId,
        name: Box<str>,
        clock: Clock,
        interest: Arc<Interest>,
    ) -> Arc<Self> {
        Arc::new(Self {
            me,
            name,
            clock,
            interest,
            link: OnceLock::new(),
            node: OnceLock::new(),
            inbox: Inbox::default(),
            peers: Mutex::new(Peers::new(NODES_MAX)),
            telling: Telling::default(),
            asking: Asking::default(),
            limits: Limits::default(),
            learning: Learning::default(),
            inquiries: Inquiries::default(),
            breaks: AtomicU64::new(0),
            counters: Counters::default(),
        })
    }

    /// By this way others are reached. Once, before there are subscribers.
    pub(crate) fn connect(&self, link: Arc<dyn Link>) {
        self.interest.share();
        // A second way would be no other.
        let _ = self.link.set(link);
    }

    /// Whether another node is there: heard of, and not gone.
    pub(crate) fn knows(&self, node: NodeId) -> bool {
        self.peers().contains(node.0)
    }

    /// How much was said so far.
    pub(crate) fn talk(&self) -> Talk {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Talk {
            nodes: self.peers().len() as u64 + 1,
            sent: count(&self.counters.sent),
            received: count(&self.counters.received),
            unknown: count(&self.counters.unknown),
            unsaid: count(&self.counters.unsaid),
        }
    }

    /// The other nodes.
    pub(crate) fn others(&self) -> Vec<Other> {
        let peers = self.peers();
        let other = |(node, peer): (u64, &Peer<Heartbeat>)| Other {
            node: NodeId(node),
            about: peer.about.clone(),
            heard_ms: peer.heard,
        };
        peers.iter().map(other).collect()
    }

    /// Says something to one other node. What is too long is not said, and counted.
    pub(crate) fn tell(&self, node: NodeId, message: &Message) -> Result<(), TooLong> {
        self.say(message, |link, said| link.tell(node, said))
    }

    /// Says something to all other nodes, as [`Cluster::tell`].
    pub(crate) fn cast(&self, message: &Message) -> Result<(), TooLong> {
        self.say(message, |link, said| link.cast(said))
    }

    /// Says something to the other nodes that listen to a channel, as [`Cluster::tell`].
    pub(crate) fn emit(&self, channel: &ChannelName, message: &Message) -> Result<(), TooLong> {
        self.say(message, |link, said| link.emit(channel, said))
    }

    fn say(&self, message: &Message, way: impl FnOnce(&dyn Link, Bytes)) -> Result<(), TooLong> {
        let Some(link) = self.link.get() else { return Ok(()) };
        let said = message.to_bytes().inspect_err(|TooLong| {
            self.counters.unsaid.fetch_add(1, Ordering::Relaxed);
        })?;
        self.counters.sent.fetch_add(1, Ordering::Relaxed);
        way(&**link, said);
        Ok(())
    }

    /// Works until `stop` is ready, and takes its leave then.
    pub(crate) async fn run(&self, node: &Arc<Node>, stop: impl Future<Output = ()>) {
        let _ = self.node.set(Arc::downgrade(node));
        tokio::pin!(stop);
        let mut beat = tokio::time::interval(HEARTBEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut digest = tokio::time::interval(DIGEST_EVERY);
        digest.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count = tokio::time::interval(limits::TELL_EVERY);
        count.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let counts = limits::counts(node);
        let mut tell_at = None;
        loop {
            let telling = tokio::time::sleep_until(tell_at.unwrap_or_else(Instant::now));
            tokio::select! {
                () = &mut stop => break,
                _ = beat.tick() => self.beat(node),
                () = self.inbox.wait() => self.hear_all(node),
                () = self.telling.news.notified(), if tell_at.is_none() => {
                    tell_at = Some(Instant::now() + telling::GATHER);
                }
                () = telling, if tell_at.is_some() => {
                    tell_at = None;
                    self.tell_news();
                }
                _ = digest.tick() => self.tell_digest(),
                _ = count.tick(), if counts => self.tell_counted(node),
            }
        }
        let _ = self.cast(&Message::Bye);
    }

    /// What is done each second.
    fn beat(&self, node: &Arc<Node>) {
        let now = self.clock.now_ms();
        let is_cut = node.exchange.broker().health().ailment.is_some();
        let ticked = self.peers().tick(now, is_cut);
        for gone in ticked.gone {
            self.peer_gone(node, NodeId(gone));
        }
        let _ = self.cast(&Message::Heartbeat(self.heartbeat(node)));
        self.ask_again();
        self.learn_again();
        if ticked.was_frozen {
            self.begin_anew(node);
        }
    }

    /// Tells one node of this one.
    fn say_hello(&self, to: NodeId) {
        if let Some(node) = self.node.get().and_then(Weak::upgrade) {
            let _ = self.tell(to, &Message::Heartbeat(self.heartbeat(&node)));
        }
    }

    pub(super) fn heartbeat(&self, node: &Node) -> Heartbeat {
        let (channels, rosters) = self.interest.channel_counts();
        let uptime = u64::try_from(self.clock.uptime().as_millis()).unwrap_or(u64::MAX);
        Heartbeat {
            name: self.name.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.clock.now_ms().saturating_sub(uptime),
            clients: node.exchange.shards().iter().map(|shard| shard.hub().len() as u64).sum(),
            channels,
            rosters,
            breaks: self.breaks.load(Ordering::Relaxed),
        }
    }

    /// Deals with what was heard, a part of it at a time so that the heart goes on beating.
    fn hear_all(&self, node: &Arc<Node>) {
        const AT_A_TIME: usize = 256;
        if self.inbox.take_interrupted() {
            if let Some(forwards) = &node.forwards {
                forwards.interrupted();
            }
            self.begin_anew(node);
        }
        for _ in 0..AT_A_TIME {
            match self.inbox.take() {
                None => break,
                Some(Heard::Told(from, message)) => self.hear_told(node, from, message),
                Some(Heard::Emitted(from, channel, message)) => {
                    self.hear_emitted(node, from, &channel, message);
                }
            }
        }
    }

    fn peers(&self) -> MutexGuard<'_, Peers<Heartbeat>> {
        self.peers.lock().expect("nothing under this lock panics")
    }

    fn understand(&self, said: &[u8]) -> Option<Message> {
        self.counters.received.fetch_add(1, Ordering::Relaxed);
        let message = Message::from_bytes(said);
        if message.is_none() {
            self.counters.unknown.fetch_add(1, Ordering::Relaxed);
        }
        message
    }
}

impl Ear for Cluster {
    fn emitted(&self, from: NodeId, channel: ChannelName, said: Bytes) {
        match self.understand(&said) {
            // At once, so that it stays among the publications where it was said.
            Some(Message::Broadcast { what, except }) => self.hear_audible(channel, what, except),
            Some(message) => self.inbox.put(Heard::Emitted(from, channel, message), said.len()),
            None => {}
        }
    }

    fn told(&self, from: NodeId, said: Bytes) {
        if let Some(message) = self.understand(&said) {
            self.inbox.put(Heard::Told(from, message), said.len());
        }
    }

    fn interrupted(&self) {
        self.inbox.interrupt();
    }
}
