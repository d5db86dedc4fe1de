//! [`Exchange`]: the channels of the node. What is published goes to the broker, and from its tail
//! to the threads that have subscribers.

mod cursor;
mod ending;
mod fanout;
mod line;
mod mailbox;
mod presence;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard};

use openline_engine::{
    Broadcast, Change, Directory, Draft, Effect, History, MemberPage, News, Page, PageLimits, Part,
    Post, Query, Recovery, Roster, TellLimits,
};
use openline_protocol::{ChannelName, Member, Position, Publication, Reason};

use crate::broker::{Answer, Broker, BrokerError, NodeId, Published, Tail};
use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::config::Namespace;
use crate::overload::Overload;
use crate::reload::{Current, InForce};
use crate::shard::{Shard, ShardMessage};

pub(crate) use cursor::{CHANNELS_MAX, Cursor, Since};
pub(crate) use ending::Ending;
pub(crate) use fanout::{Delivered, Fanout};
pub(crate) use line::{Line, Seat, write};
#[cfg(test)]
pub(crate) use mailbox::Progress;
pub(crate) use mailbox::{Letter, Mailbox, NotTaken};

const STRIPES: usize = 64;

/// What one answer to a reader may hold; a reader that missed more is told `limit`.
pub(crate) const PAGE: PageLimits = PageLimits { publications_max: 1000, bytes_max: 1 << 20 };

/// Members of other nodes that are known by name on the channels of a stripe. Beyond it they are
/// counted.
const REMOTE_NAMES_MAX: usize = 1 << 16;

/// Posts that may wait for a thread. Beyond it publications are refused as overload.
const POSTS_WAITING_MAX: usize = 65_536;

/// The channels of the node.
pub(crate) struct Exchange {
    broker: Box<dyn Broker>,
    interest: Arc<Interest>,
    /// Where the broker is one that several nodes share.
    cluster: Option<Arc<Cluster>>,
    pub(crate) current: Arc<Current>,
    pub(crate) clock: Clock,
    pub(crate) overload: Overload,
}

/// Which threads want to hear of which channel, and who is there.
pub(crate) struct Interest {
    stripes: Box<[Mutex<Directory>]>,
    hasher: RandomState,
    shards: Arc<[Arc<Shard>]>,
}

impl Interest {
    pub(crate) fn new(shards: Arc<[Arc<Shard>]>) -> Self {
        Self {
            stripes: std::iter::repeat_with(Mutex::default).take(STRIPES).collect(),
            hasher: RandomState::new(),
            shards,
        }
    }

    fn stripe(&self, channel: &ChannelName) -> MutexGuard<'_, Directory> {
        let index = self.hasher.hash_one(channel) as usize % STRIPES;
        self.stripes[index].lock().expect("nothing under this lock panics")
    }

    /// Makes it that of a node that is one of several. To be called before there are subscribers.
    pub(crate) fn share(&self) {
        for stripe in &self.stripes {
            *stripe.lock().expect("nothing under this lock panics") = Directory::shared();
        }
    }

    /// Nobody of another node is anywhere any more. Returns the channels with something to be told,
    /// and when.
    pub(crate) fn forget_node(&self, node: NodeId, now: u64) -> Vec<(ChannelName, u64)> {
        self.each(|directory| directory.forget_node(node.0, now)).flatten().collect()
    }

    /// Another node tells something about its members; `hear` takes note of it, with the room that
    /// there is for names.
    pub(crate) fn hear<T: Default>(
        &self,
        channel: &ChannelName,
        hear: impl FnOnce(&mut Roster, usize) -> T,
    ) -> T {
        let mut directory = self.stripe(channel);
        let room = REMOTE_NAMES_MAX.saturating_sub(directory.remote_names());
        directory.hear(channel, |roster| hear(roster, room))
    }

    /// Looks at the roster of a channel that has members here.
    pub(crate) fn with_roster<T>(
        &self,
        channel: &ChannelName,
        look: impl FnOnce(&Roster) -> T,
    ) -> Option<T> {
        self.stripe(channel).roster(channel).map(look)
    }

    /// The next news of a channel for other nodes.
    pub(crate) fn take_news(&self, channel: &ChannelName, limits: &TellLimits) -> Option<News> {
        self.stripe(channel).take_news(channel, limits)
    }

    /// Whether other nodes are still to be asked who is on the channel; says so once.
    pub(crate) fn is_to_ask(&self, channel: &ChannelName) -> bool {
        self.stripe(channel).is_to_ask(channel)
    }

    /// What changed on each channel that has members here and was not told yet, and who is there.
    fn settle(&self) -> Vec<(ChannelName, Option<Change>, Vec<Member>)> {
        self.each(Directory::settle).flatten().collect()
    }

    /// Channels that have members here.
    pub(crate) fn rosters(&self) -> Vec<ChannelName> {
        self.each(|directory| directory.rosters().cloned().collect::<Vec<_>>()).flatten().collect()
    }

    /// How many channels have subscribers here, and how many members.
    pub(crate) fn channel_counts(&self) -> (u64, u64) {
        let counts = self.each(|directory| (directory.len(), directory.roster_count()));
        counts.fold((0, 0), |(channels, rosters), (more, with_members)| {
            (channels + more as u64, rosters + with_members as u64)
        })
    }

    fn each<T>(&self, mut look: impl FnMut(&mut Directory) -> T) -> impl Iterator<Item = T> {
        self.stripes
            .iter()
            .map(move |stripe| look(&mut stripe.lock().expect("nothing under this lock panics")))
    }

    /// Whether more waits for a thread with subscribers than may.
    pub(crate) fn is_overloaded(&self, channel: &ChannelName) -> bool {
        let directory = self.stripe(channel);
        let mut shards = directory.shards(channel).iter().map(|(index, _)| *index);
        shards.any(|index| self.shards[usize::from(index)].inbox.waiting() > POSTS_WAITING_MAX)
    }

    /// Hands a broadcast to the threads that have subscribers.
    pub(crate) fn post(
        &self,
        channel: &ChannelName,
        broadcast: Broadcast,
        except: Option<Arc<str>>,
    ) {
        let directory = self.stripe(channel);
        for (index, _) in directory.shards(channel) {
            let post = Post { broadcast: broadcast.clone(), except: except.clone() };
            self.shards[usize::from(*index)]
                .inbox
                .put([ShardMessage::Broadcast { channel: channel.clone(), post }]);
        }
    }
}

impl Tail for Interest {
    fn publish_all(&self, entries: Vec<(Arc<Publication>, Option<Arc<str>>)>) {
        let mut messages: Vec<Vec<ShardMessage>> = self.shards.iter().map(|_| Vec::new()).collect();
        for (publication, except) in entries {
            let channel = publication.channel.clone();
            let broadcast = Broadcast::Publication(publication);
            for (index, _) in self.stripe(&channel).shards(&channel) {
                let post = Post { broadcast: broadcast.clone(), except: except.clone() };
                let channel = channel.clone();
                messages[usize::from(*index)].push(ShardMessage::Broadcast { channel, post });
            }
        }
        for (shard, messages) in self.shards.iter().zip(messages) {
            shard.inbox.put(messages);
        }
    }

    fn publish(&self, publication: Arc<Publication>, except: Option<Arc<str>>) {
        let channel = publication.channel.clone();
        self.post(&channel, Broadcast::Publication(publication), except);
    }

    fn lost(&self, channel: &ChannelName, head: Position) {
        for (index, _) in self.stripe(channel).shards(channel) {
            let channel = channel.clone();
            self.shards[usize::from(*index)].inbox.put([ShardMessage::Lost(channel, head)]);
        }
    }

    fn is_heard(&self, channel: &ChannelName) -> bool {
        !self.stripe(channel).shards(channel).is_empty()
    }
}

impl Exchange {
    pub(crate) fn new(
        broker: Box<dyn Broker>,
        interest: Arc<Interest>,
        cluster: Option<Arc<Cluster>>,
        current: Arc<Current>,
        clock: Clock,
    ) -> Self {
        Self { broker, interest, cluster, current, clock, overload: Overload::default() }
    }

    pub(crate) fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.cluster.as_ref()
    }

    pub(crate) fn broker(&self) -> &dyn Broker {
        &*self.broker
    }

    /// The settings in force: take them once for a request.
    pub(crate) fn settings(&self) -> InForce {
        self.current.load()
    }

    /// Publishes. The order of calls is the order of the channel.
    pub(crate) fn publish(&self, draft: Draft, except: Option<Arc<str>>) -> Answer<Published> {
        if !self.overload.level().takes_publications() {
            return Answer::now(Err(BrokerError::MemoryFull));
        }
        if self.interest.is_overloaded(&draft.channel) {
            return Answer::now(Err(BrokerError::Overloaded));
        }
        self.broker.publish(draft, except)
    }

    /// Hands on what is not kept, on all nodes.
    pub(crate) fn broadcast(
        &self,
        channel: &ChannelName,
        broadcast: Broadcast,
        except: Option<Arc<str>>,
    ) {
        if let Some(cluster) = &self.cluster {
            cluster.broadcast(channel, &broadcast, except.as_ref());
        }
        self.broadcast_here(channel, broadcast, except);
    }

    /// Hands on what is not kept, on this node alone.
    fn broadcast_here(
        &self,
        channel: &ChannelName,
        broadcast: Broadcast,
        except: Option<Arc<str>>,
    ) {
        if !self.interest.is_overloaded(channel) {
            self.interest.post(channel, broadcast, except);
        }
    }

    /// What a reader at `since` missed.
    pub(crate) fn recover(
        &self,
        channel: &ChannelName,
        since: Position,
        limits: &PageLimits,
    ) -> Answer<Recovery> {
        self.broker.recover(channel, since, limits)
    }

    /// A part of a channel's history.
    pub(crate) fn query(
        &self,
        channel: &ChannelName,
        query: &Query,
        limits: &PageLimits,
    ) -> Answer<Result<Page, Reason>> {
        self.broker.query(channel, query, limits)
    }

    /// Ready once what is published to a channel from now on reaches the threads that have
    /// subscribers. For each subscription, after [`Exchange::join`].
    pub(crate) fn listen(&self, channel: &ChannelName) -> Answer<()> {
        self.broker.listen(channel)
    }

    /// Waits until other nodes have told who is on a channel, but not for long. After
    /// [`Exchange::listen`] is ready.
    pub(crate) async fn meet(&self, channel: &ChannelName) {
        if let Some(cluster) = &self.cluster {
            cluster.meet(channel).await;
        }
    }

    /// A subscription begins on a thread. `member` is given where presence is kept.
    pub(crate) fn join(&self, channel: &ChannelName, shard: u16, member: Option<Member>) -> Effect {
        let now = self.clock.now_ms();
        let effect = self.interest.stripe(channel).join(channel, shard, member, now);
        self.tell_nodes(channel, &effect);
        effect
    }

    /// A subscription ends.
    pub(crate) fn leave(&self, channel: &ChannelName, shard: u16, client: &str) -> Effect {
        let now = self.clock.now_ms();
        let effect = self.interest.stripe(channel).leave(channel, shard, client, now);
        if effect.turned {
            self.broker.unlisten(channel);
        }
        self.tell_nodes(channel, &effect);
        effect
    }

    fn tell_nodes(&self, channel: &ChannelName, effect: &Effect) {
        let Some(cluster) = &self.cluster else { return };
        if let Some(life) = effect.vacated {
            cluster.vacated(channel, life);
        } else if effect.has_news {
            cluster.has_news(channel);
        }
    }

    /// A member changes. Returns when its subscribers are to be told.
    pub(crate) fn update_member(
        &self,
        channel: &ChannelName,
        client: &str,
        change: impl FnOnce(&mut Member),
    ) -> Option<u64> {
        let now = self.clock.now_ms();
        let effect = self.interest.stripe(channel).update(channel, client, change, now);
        self.tell_nodes(channel, &effect);
        effect.change_due
    }

    /// A part of a channel's members.
    pub(crate) fn members(
        &self,
        channel: &ChannelName,
        after: Option<&str>,
        limit: Option<u32>,
    ) -> MemberPage {
        let limit = self.page_limit(limit);
        self.interest.stripe(channel).members(channel, after, limit as usize)
    }

    fn page_limit(&self, limit: Option<u32>) -> u32 {
        let page = self.settings().config.limits.presence_page;
        limit.unwrap_or(page).clamp(1, page)
    }

    /// The members that are on this node, for another.
    pub(crate) fn own_members(
        &self,
        channel: &ChannelName,
        after: Option<Arc<str>>,
        limits: &TellLimits,
    ) -> Option<Part> {
        self.interest.with_roster(channel, |roster| roster.own_part(after, limits))
    }

    /// How many members are on this node.
    pub(crate) fn own_member_count(&self, channel: &ChannelName) -> u64 {
        self.interest.with_roster(channel, |roster| roster.own_len()).unwrap_or(0)
    }

    /// Subscriptions to a channel.
    pub(crate) fn subscribers(&self, channel: &ChannelName) -> u64 {
        self.interest.stripe(channel).subscribers(channel)
    }

    pub(crate) fn member_count(&self, channel: &ChannelName) -> u64 {
        self.interest.stripe(channel).member_count(channel)
    }

    /// Channels that have subscribers, each with how many, of those that begin with `prefix`; in the
    /// order of their names, `limit` of them behind `after`.
    pub(crate) fn channels(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<(ChannelName, u64)> {
        let mut found: Vec<(ChannelName, u64)> = Vec::new();
        for stripe in &self.interest.stripes {
            let directory = stripe.lock().expect("nothing under this lock panics");
            let wanted = directory.channels().filter(|(name, _)| {
                name.as_str().starts_with(prefix) && after.is_none_or(|after| name.as_str() > after)
            });
            found.extend(wanted.map(|(name, count)| (name.clone(), count)));
        }
        found.sort_unstable();
        found.truncate(limit);
        found
    }

    /// How many channels have subscribers, and how many subscriptions that makes.
    pub(crate) fn occupancy(&self) -> (u64, u64) {
        let stripes = self.interest.stripes.iter();
        stripes.fold((0, 0), |(channels, subscriptions), stripe| {
            let directory = stripe.lock().expect("nothing under this lock panics");
            let here: u64 = directory.channels().map(|(_, count)| count).sum();
            (channels + directory.len() as u64, subscriptions + here)
        })
    }

    pub(crate) fn shards(&self) -> &[Arc<Shard>] {
        &self.interest.shards
    }
}

/// How much of a channel its namespace keeps.
pub(crate) fn history(namespace: &Namespace) -> History {
    let ttl_ms = u64::try_from(namespace.history_ttl.as_millis()).unwrap_or(u64::MAX);
    History { size: namespace.history_size, ttl_ms }
}
