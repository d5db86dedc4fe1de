//! [`Journal`]: what was handed to the lines of one thread, for those that come back.
//!
//! A client that lost its connection names the number of the last thing that it has, and gets what it
//! missed: not by channel, but all of it in the one order in which it was handed over. What went to a
//! channel stands here once, however many got it; who was in the channel then is found by walking back
//! through the joins and leaves that stand between.
//!
//! The caller writes a thing down and hands it to the lines under one lock: then the order of the
//! numbers is the order on every line.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use openline_protocol::{ChannelName, Position};

use crate::hub::{Broadcast, Encoding, Post, SessionKey};

/// What an entry takes beside its payload, roughly.
const ENTRY_BYTES: usize = 160;

/// How much a journal keeps, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalLimits {
    /// Bytes of all entries.
    pub bytes_max: usize,
    /// How old an entry becomes, in milliseconds.
    pub age_max_ms: u64,
}

/// What was handed to the lines of one thread. `P` is what goes to one of them alone.
#[derive(Debug)]
pub struct Journal<P> {
    limits: JournalLimits,
    entries: VecDeque<Kept<P>>,
    bytes: usize,
    /// The number of the entry that was written last.
    last: u64,
}

#[derive(Debug)]
struct Kept<P> {
    at_ms: u64,
    bytes: usize,
    entry: Entry<P>,
}

#[derive(Debug)]
enum Entry<P> {
    Post { channel: ChannelName, post: Post },
    Mail { to: Receivers, broadcast: Broadcast },
    Direct { session: SessionKey, packet: P },
    Joined { session: SessionKey, channel: ChannelName, head: Option<Position> },
    Left { session: SessionKey, channel: ChannelName },
}

/// Whom something was for that went to no channel.
#[derive(Debug, Clone)]
pub enum Receivers {
    /// All that read this encoding, but for these clients.
    Everybody {
        /// Which.
        encoding: Encoding,
        /// But for these.
        except: Arc<[Arc<str>]>,
    },
    /// These.
    Chosen(Arc<[SessionKey]>),
}

/// Who comes back.
#[derive(Debug)]
pub struct Returning<'a> {
    /// Its session, which went on meanwhile.
    pub session: SessionKey,
    /// Its client id.
    pub client: &'a str,
    /// How it reads.
    pub encoding: Encoding,
    /// The channels that it subscribes to now.
    pub channels: Vec<ChannelName>,
}

/// Something that a session missed.
#[derive(Debug, Clone, Copy)]
pub enum Missed<'a, P> {
    /// What others got too.
    Broadcast(&'a Broadcast),
    /// What was for it alone.
    Direct(&'a P),
}

impl<P> Journal<P> {
    /// An empty one. Numbers begin behind 0.
    pub fn new(limits: JournalLimits) -> Self {
        Self { limits, entries: VecDeque::new(), bytes: 0, last: 0 }
    }

    /// The number of what was written last.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Bytes of all entries, roughly.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the subscribers of a channel are handed next. Returns the number of the first of them; the
    /// others follow.
    pub fn post(&mut self, now_ms: u64, channel: &ChannelName, posts: &[Post]) -> u64 {
        let first = self.last + 1;
        for post in posts {
            let entry = Entry::Post { channel: channel.clone(), post: post.clone() };
            self.write(now_ms, payload_bytes(&post.broadcast), entry);
        }
        first
    }

    /// What others are handed next, of all channels or none. Returns its number.
    pub fn mail(&mut self, now_ms: u64, to: Receivers, broadcast: &Broadcast) -> u64 {
        let receivers = match &to {
            Receivers::Everybody { except, .. } => size_of_val(&**except),
            Receivers::Chosen(sessions) => size_of_val(&**sessions),
        };
        let bytes = payload_bytes(broadcast) + receivers;
        self.write(now_ms, bytes, Entry::Mail { to, broadcast: broadcast.clone() })
    }

    /// What one session is handed next. Returns its number.
    pub fn direct(&mut self, now_ms: u64, session: SessionKey, packet: P, bytes: usize) -> u64 {
        self.write(now_ms, bytes, Entry::Direct { session, packet })
    }

    /// A session gets from here on what is posted to a channel, as far as it is behind `head`, up to
    /// which it has read the channel.
    pub fn joined(
        &mut self,
        now_ms: u64,
        session: SessionKey,
        channel: &ChannelName,
        head: Option<Position>,
    ) {
        self.write(now_ms, 0, Entry::Joined { session, channel: channel.clone(), head });
    }

    /// A session gets nothing more of a channel.
    pub fn left(&mut self, now_ms: u64, session: SessionKey, channel: &ChannelName) {
        self.write(now_ms, 0, Entry::Left { session, channel: channel.clone() });
    }

    fn write(&mut self, now_ms: u64, bytes: usize, entry: Entry<P>) -> u64 {
        let bytes = bytes.saturating_add(ENTRY_BYTES);
        self.entries.push_back(Kept { at_ms: now_ms, bytes, entry });
        self.bytes = self.bytes.saturating_add(bytes);
        self.last += 1;
        self.prune(now_ms);
        self.last
    }

    /// Forgets what is too old, and what there is no room for.
    pub fn prune(&mut self, now_ms: u64) {
        let oldest_ms = now_ms.saturating_sub(self.limits.age_max_ms);
        while let Some(first) = self.entries.front()
            && (first.at_ms < oldest_ms || self.bytes > self.limits.bytes_max)
        {
            self.bytes -= first.bytes;
            self.entries.pop_front();
        }
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
    }

    /// What a session was handed, or would have been, after the number `since`, each with its number,
    /// in order. None if that is not known any more, or the number has not been given.
    pub fn missed<'a>(
        &'a self,
        who: &Returning<'_>,
        since: u64,
    ) -> Option<Vec<(u64, Missed<'a, P>)>> {
        let forgotten = self.last - self.entries.len() as u64;
        let known = usize::try_from(since.checked_sub(forgotten)?).ok()?;
        if known > self.entries.len() {
            return None;
        }
        let later = self.entries.range(known..);
        let mut followed = Followed::now(&who.channels);
        for kept in later.clone().rev() {
            followed.go_back(who.session, &kept.entry);
        }
        let mut missed = Vec::new();
        for (kept, number) in later.zip(since + 1..) {
            match &kept.entry {
                Entry::Post { channel, post } if followed.gets(who, channel, post) => {
                    missed.push((number, Missed::Broadcast(&post.broadcast)));
                }
                Entry::Mail { to, broadcast } if who.is_among(to) => {
                    missed.push((number, Missed::Broadcast(broadcast)));
                }
                Entry::Direct { session, packet } if *session == who.session => {
                    missed.push((number, Missed::Direct(packet)));
                }
                entry => followed.go_on(who.session, entry),
            }
        }
        Some(missed)
    }
}

impl Returning<'_> {
    fn is_among(&self, receivers: &Receivers) -> bool {
        match receivers {
            Receivers::Everybody { encoding, except } => {
                *encoding == self.encoding && !except.iter().any(|client| **client == *self.client)
            }
            Receivers::Chosen(sessions) => sessions.contains(&self.session),
        }
    }
}

/// The channels that a session follows at a point in the journal, each with the position up to which
/// it had read the channel when it joined.
struct Followed<'a>(HashMap<&'a ChannelName, Option<Position>>);

impl<'a> Followed<'a> {
    fn now(channels: &'a [ChannelName]) -> Self {
        Self(channels.iter().map(|channel| (channel, None)).collect())
    }

    fn go_back<P>(&mut self, who: SessionKey, entry: &'a Entry<P>) {
        match entry {
            Entry::Joined { session, channel, .. } if *session == who => {
                self.0.remove(channel);
            }
            Entry::Left { session, channel } if *session == who => {
                self.0.insert(channel, None);
            }
            _ => {}
        }
    }

    fn go_on<P>(&mut self, who: SessionKey, entry: &'a Entry<P>) {
        match entry {
            Entry::Joined { session, channel, head } if *session == who => {
                self.0.insert(channel, *head);
            }
            Entry::Left { session, channel } if *session == who => {
                self.0.remove(channel);
            }
            _ => {}
        }
    }

    fn gets(&self, who: &Returning<'_>, channel: &ChannelName, post: &Post) -> bool {
        let is_for_it = post.except.as_deref() != Some(who.client);
        self.0.get(channel).is_some_and(|head| is_for_it && !was_read(&post.broadcast, *head))
    }
}

/// Whether a session had it when it joined the channel.
fn was_read(broadcast: &Broadcast, head: Option<Position>) -> bool {
    let Broadcast::Publication(publication) = broadcast else { return false };
    match (publication.position, head) {
        (Some(at), Some(head)) => at.epoch == head.epoch && at.offset <= head.offset,
        _ => false,
    }
}

fn payload_bytes(broadcast: &Broadcast) -> usize {
    match broadcast {
        Broadcast::Publication(publication) => publication.data.len(),
        Broadcast::Event(event) => event.data.len(),
        Broadcast::Presence(presence) => {
            let change = &presence.change;
            (change.joined.len() + change.updated.len() + change.left.len()) * ENTRY_BYTES
        }
        Broadcast::Typing(_) => 0,
    }
}
