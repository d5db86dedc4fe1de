//! [`Hub`]: the sessions of one thread, what they subscribe to, and what this turn brings them.
//!
//! Publications of a turn of the thread's loop are gathered by channel, encoded once for all that
//! read the same encoding, and handed to each line once ([`Hub::drain_turn`]). A subscriber is a
//! number in the channel's list; it has no buffer of its own.

mod channel;
mod sessions;

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytestring::ByteString;
use openline_protocol::{ChannelName, Data, Member, Position, Publication};
use slab::Slab;

use crate::roster::Change;
use channel::Channel;
use sessions::{Sessions, Subscription};

pub use sessions::{SessionKey, SubscriptionKey};

/// Something that all subscribers of a channel get.
#[derive(Debug, Clone)]
pub enum Broadcast {
    /// A publication.
    Publication(Arc<Publication>),
    /// Who came, changed and went.
    Presence(Arc<PresenceChange>),
    /// Somebody types, or stopped.
    Typing(Arc<Typing>),
    /// An event of no channel.
    Event(Arc<Event>),
}

/// An event of no channel.
#[derive(Debug, Clone)]
pub struct Event {
    /// What it is called.
    pub event: ByteString,
    /// What it carries.
    pub data: Data,
}

/// A change among the members of a channel.
#[derive(Debug, Clone)]
pub struct PresenceChange {
    /// Where.
    pub channel: ChannelName,
    /// What.
    pub change: Change,
}

/// Somebody types, or stopped.
#[derive(Debug, Clone)]
pub struct Typing {
    /// Where.
    pub channel: ChannelName,
    /// Who.
    pub member: Member,
    /// Or stopped.
    pub is_typing: bool,
}

/// A broadcast on its way.
#[derive(Debug, Clone)]
pub struct Post {
    /// What.
    pub broadcast: Broadcast,
    /// A client that does not get it.
    pub except: Option<Arc<str>>,
}

/// How a line reads: lines of the same encoding share one encoded batch.
pub type Encoding = u8;

/// Where a turn's batches go.
pub trait Outlet<L> {
    /// What lines of one encoding share.
    type Batch;

    /// Encodes what of a channel's turn is for lines of this encoding, in order: all of it, or for a
    /// single line a part.
    fn encode(
        &mut self,
        encoding: Encoding,
        turn: &Turn<'_>,
        broadcasts: &[&Broadcast],
    ) -> Self::Batch;

    /// Hands a batch to a line. `last` says that it gets no other in this turn.
    fn deliver(&mut self, line: &L, batch: &Self::Batch, last: bool) -> Delivery;
}

/// What a turn brought a channel.
#[derive(Debug)]
pub struct Turn<'a> {
    /// Where.
    pub channel: &'a ChannelName,
    /// All of it.
    pub posts: &'a [Post],
    /// A place for the outlet, empty when the turn's handing over begins: the number of the first
    /// post, where posts have one.
    pub number: Cell<Option<u64>>,
}

/// What a line made of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It took it.
    Taken,
    /// Too much waits for it: it gets nothing of this channel until it has caught up.
    Full,
    /// It is closed or closing.
    Closed,
}

/// Why a subscription does not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSubscribed {
    /// The session subscribes to the channel already.
    Already,
    /// The session ended.
    Ended,
}

/// Whether a subscription went live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoLive {
    /// It gets what comes after the position.
    Live,
    /// More went by meanwhile, or the position is out of date: read on from it and try again.
    Behind,
    /// It ended meanwhile.
    Ended,
}

/// The sessions of one thread. `L` is what the thread knows of a line.
#[derive(Debug)]
pub struct Hub<L> {
    sessions: Sessions<L>,
    channels: Slab<Channel>,
    by_name: HashMap<ChannelName, u32>,
    /// Channels to which something was posted in this turn.
    dirty: Vec<u32>,
    /// Channels in which a reader may be ahead of what came by.
    led: BTreeSet<u32>,
    /// Sessions that fell behind, with the channel and the position that they have.
    lagging: Vec<Lagging>,
    /// Subscriptions so far.
    subscribed: u32,
}

/// A subscription that fell behind.
#[derive(Debug, Clone)]
pub struct Lagging {
    /// Which, and whose.
    pub subscription: SubscriptionKey,
    /// To what.
    pub channel: ChannelName,
    /// What it got last, or before; none where there are no positions.
    pub since: Option<Position>,
    /// It has what is up to this offset, which may be more than `since`: not to be sent again.
    pub has: u64,
}

impl<L> Default for Hub<L> {
    fn default() -> Self {
        Self {
            sessions: Sessions::default(),
            channels: Slab::new(),
            by_name: HashMap::new(),
            dirty: Vec::new(),
            led: BTreeSet::new(),
            lagging: Vec::new(),
            subscribed: 0,
        }
    }
}

impl<L> Hub<L> {
    /// A session begins.
    pub fn open(&mut self, line: L, client: Arc<str>, encoding: Encoding) -> SessionKey {
        self.sessions.open(line, client, encoding)
    }

    /// A session ends. Returns its line and the channels that it subscribed to.
    pub fn close(&mut self, key: SessionKey) -> Option<(L, Vec<ChannelName>)> {
        let session = self.sessions.close(key)?;
        let channels = session.subscriptions.iter().map(|subscription| {
            let name = self.channels[subscription.channel as usize].name.clone();
            self.remove_member(*subscription);
            name
        });
        Some((session.line, channels.collect()))
    }

    /// Tells whose session it is.
    pub fn set_user(&mut self, key: SessionKey, user: Option<Arc<str>>) {
        self.sessions.set_user(key, user);
    }

    /// The line of a session.
    pub fn line(&self, key: SessionKey) -> Option<&L> {
        self.sessions.find(key).map(|session| &session.line)
    }

    /// As [`Hub::line`], to change it.
    pub fn line_mut(&mut self, key: SessionKey) -> Option<&mut L> {
        self.sessions.find_mut(key).map(|session| &mut session.line)
    }

    /// The session of a client.
    pub fn client(&self, client: &str) -> Option<SessionKey> {
        self.sessions.by_client(client)
    }

    /// The client of a session.
    pub fn client_of(&self, key: SessionKey) -> Option<&Arc<str>> {
        self.sessions.find(key).map(|session| &session.client)
    }

    /// The sessions of a user.
    pub fn user(&self, user: &str) -> &[SessionKey] {
        self.sessions.by_user(user)
    }

    /// All lines.
    pub fn lines(&self) -> impl Iterator<Item = (SessionKey, &L)> {
        self.sessions.iter()
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is no session.
    pub fn is_empty(&self) -> bool {
        self.sessions.len() == 0
    }

    /// The channels that a session subscribes to.
    pub fn subscriptions(&self, key: SessionKey) -> impl Iterator<Item = &ChannelName> {
        let session = self.sessions.find(key);
        let subscriptions = session.map_or(&[][..], |session| &session.subscriptions);
        subscriptions.iter().map(|subscription| &self.channels[subscription.channel as usize].name)
    }

    /// Where a session is in each channel that it subscribes to: what it got last; none where there are
    /// no positions. None at all unless each subscription is live and nothing of this turn waits for
    /// it: others are where only whoever reads for them knows.
    pub fn places(&self, key: SessionKey) -> Option<Vec<(ChannelName, Option<Position>)>> {
        let session = self.sessions.find(key)?;
        let place = |Subscription { channel, member }: &Subscription| {
            let channel = &self.channels[*channel as usize];
            Some((channel.name.clone(), channel.place(*member)?))
        };
        session.subscriptions.iter().map(place).collect()
    }

    /// How many channels a session subscribes to.
    pub fn subscription_count(&self, key: SessionKey) -> usize {
        self.sessions.find(key).map_or(0, |session| session.subscriptions.len())
    }

    /// Whether a session subscribes to a channel.
    pub fn is_subscribed(&self, key: SessionKey, channel: &ChannelName) -> bool {
        self.subscription(key, channel).is_some()
    }

    /// The sessions that are in a channel: those that get what is posted to it, and those that fell
    /// behind and are to get it. One that has yet to go live for the first time is not among them.
    pub fn members(&self, channel: &ChannelName) -> impl Iterator<Item = SessionKey> {
        let slot = self.by_name.get(channel);
        let members = slot.map_or(&[][..], |slot| &self.channels[*slot as usize].members);
        members.iter().filter(|member| member.is_in()).map(|member| member.session)
    }

    fn subscription(&self, key: SessionKey, channel: &ChannelName) -> Option<Subscription> {
        let slot = self.by_name.get(channel)?;
        self.sessions.find(key)?.subscription(*slot)
    }

    /// A subscription begins. It gets nothing yet: read what it missed, then [`Hub::go_live`].
    ///
    /// # Errors
    /// When there is one already, or the session ended.
    pub fn subscribe(
        &mut self,
        key: SessionKey,
        channel: &ChannelName,
    ) -> Result<SubscriptionKey, NotSubscribed> {
        if self.is_subscribed(key, channel) {
            return Err(NotSubscribed::Already);
        }
        let session = self.sessions.find_mut(key).ok_or(NotSubscribed::Ended)?;
        let slot = *self.by_name.entry(channel.clone()).or_insert_with(|| {
            let entry = self.channels.vacant_entry();
            let slot = u32::try_from(entry.key())
                .expect("four thousand million channels take more memory than there is");
            entry.insert(Channel::new(slot, channel.clone()));
            slot
        });
        self.subscribed = self.subscribed.wrapping_add(1);
        let number = self.subscribed;
        let member = self.channels[slot as usize].add(key, number, session.encoding);
        session.subscriptions.push(Subscription { channel: slot, member });
        Ok(SubscriptionKey { session: key, channel: slot, number })
    }

    /// Whether a subscription has not ended.
    pub fn holds(&self, subscription: SubscriptionKey) -> bool {
        let SubscriptionKey { session, channel, number } = subscription;
        let place = self.sessions.find(session).and_then(|session| session.subscription(channel));
        place.is_some_and(|Subscription { member, .. }| {
            self.channels[channel as usize].members[member as usize].number == number
        })
    }

    /// A subscription has read up to `head`, and gets from here on what comes after. What it read is
    /// to be handed to its line when the answer is known and before [`Hub::drain_turn`]: a
    /// subscription that ended is owed nothing.
    pub fn go_live(&mut self, subscription: SubscriptionKey, head: Option<Position>) -> GoLive {
        let SubscriptionKey { session, channel: slot, number } = subscription;
        let place = self.sessions.find(session).and_then(|session| session.subscription(slot));
        let Some(Subscription { member, .. }) = place else { return GoLive::Ended };
        let channel = &mut self.channels[slot as usize];
        if channel.members[member as usize].number != number {
            return GoLive::Ended;
        }
        let live = channel.go_live(member, head, &mut self.lagging);
        if channel.has_ahead() {
            self.led.insert(slot);
        }
        live
    }

    /// A subscription ends; returns whether there was one. What was posted in this turn does not
    /// reach it any more.
    pub fn unsubscribe(&mut self, key: SessionKey, channel: &ChannelName) -> bool {
        let Some(subscription) = self.subscription(key, channel) else { return false };
        if let Some(session) = self.sessions.find_mut(key) {
            session.subscriptions.retain(|other| other.channel != subscription.channel);
        }
        self.remove_member(subscription);
        true
    }

    fn remove_member(&mut self, Subscription { channel: slot, member }: Subscription) {
        let channel = &mut self.channels[slot as usize];
        channel.members.swap_remove(member as usize);
        if let Some(moved) = channel.members.get(member as usize)
            && let Some(session) = self.sessions.find_mut(moved.session)
            && let Some(place) = session.subscriptions.iter_mut().find(|s| s.channel == slot)
        {
            place.member = member;
        }
        if channel.members.is_empty() {
            self.by_name.remove(&channel.name);
            self.channels.remove(slot as usize);
            self.dirty.retain(|dirty| *dirty != slot);
        }
    }

    /// Gathers a broadcast for the subscribers on this thread.
    pub fn post(&mut self, channel: &ChannelName, post: Post) {
        let Some(slot) = self.by_name.get(channel).copied() else { return };
        if self.channels[slot as usize].post(post, &mut self.lagging) {
            self.dirty.push(slot);
        }
    }

    /// What the subscribers of a channel got last cannot be gone on from: each falls behind, to read on
    /// for itself. What is posted next follows on `place`, if that is known.
    pub fn lose_place(&mut self, channel: &ChannelName, place: Option<Position>) {
        if let Some(slot) = self.by_name.get(channel) {
            self.channels[*slot as usize].lose_place(place, &mut self.lagging);
        }
    }

    /// To be called now and then where what comes by may be late. Subscriptions that had read more
    /// when they went live, and that this has not reached since the last review, fall behind: either
    /// what they missed meanwhile is to be read, or the store does not have any more what they read.
    pub fn review(&mut self) {
        for slot in std::mem::take(&mut self.led) {
            let Some(channel) = self.channels.get_mut(slot as usize) else { continue };
            channel.review(&mut self.lagging);
            if channel.has_ahead() {
                self.led.insert(slot);
            }
        }
    }

    /// Hands what this turn brought to the lines.
    pub fn drain_turn<O: Outlet<L>>(&mut self, outlet: &mut O) {
        let dirty = std::mem::take(&mut self.dirty);
        // A line that reads two of them gets two batches; only if there is one is it surely the last.
        let last = dirty.len() == 1;
        for slot in &dirty {
            let channel = &mut self.channels[*slot as usize];
            channel.drain(&self.sessions, outlet, last, &mut self.lagging);
        }
        self.dirty = dirty;
        self.dirty.clear();
    }

    /// Subscriptions that fell behind since this was asked last. They get nothing until each has
    /// read what it missed and gone live again.
    pub fn take_lagging(&mut self) -> Vec<Lagging> {
        std::mem::take(&mut self.lagging)
    }
}
