//! A node: what it listens to, what it asks the store, and what it does with the answers.

use std::collections::BTreeMap;

use openline_engine::{Broadcast, Directory, Feed, FeedEffect, NoAnswer, Post};
use openline_protocol::ChannelName;

use crate::network::{Command, Reply};
use crate::plan::Bug;
use crate::promise::model::index;
use crate::promise::shard::{Answer, Arrival, Outcome, Publisher, Reader};
use crate::trace::Who;
use crate::world::{Event, Heard, World};

/// A node that stood still for longer than this may have missed something.
pub(crate) const STALL_MS: u64 = 5_000;

/// How long a node waits at most before it tries again to connect.
const RECONNECT_MS: u64 = 1_000;

pub(crate) struct Node {
    /// Counts its starts.
    pub(crate) run: u32,
    pub(crate) is_down: bool,
    pub(crate) is_frozen: bool,
    /// What is to happen once it is not frozen any more.
    pub(crate) held: Vec<Event>,
    pub(crate) directory: Directory,
    pub(crate) feed: Feed,
    /// The connection to the store that it believes to have.
    pub(crate) connection: Option<u32>,
    pub(crate) asked: BTreeMap<u64, Asked>,
    pub(crate) asked_so_far: u64,
    /// Readers that wait until their channel is listened to.
    listening: Vec<Listening>,
    pub(crate) ticked_at: u64,
    pub(crate) reviewed_at: u64,
}

struct Listening {
    number: u64,
    shard: usize,
    reader: Reader,
}

/// A question that is not answered yet, and whose it is.
pub(crate) enum Asked {
    Publish(Publisher),
    Read {
        shard: usize,
        reader: Reader,
    },
    Subscribe(Vec<usize>),
    /// The second half of it: where they are.
    Join,
    Unsubscribe,
    Locate,
    Catch {
        number: u64,
        channel: usize,
    },
}

impl Node {
    pub(crate) fn new(feed: Feed) -> Self {
        Self {
            run: 0,
            is_down: true,
            is_frozen: false,
            held: Vec::new(),
            directory: Directory::default(),
            feed,
            connection: None,
            asked: BTreeMap::new(),
            asked_so_far: 0,
            listening: Vec::new(),
            ticked_at: 0,
            reviewed_at: 0,
        }
    }

    /// The process is gone.
    pub(crate) fn crash(&mut self) {
        self.run += 1;
        (self.is_down, self.is_frozen, self.connection) = (true, false, None);
        self.held.clear();
        self.asked.clear();
        self.listening.clear();
    }
}

impl World {
    pub(crate) fn reconnect(&mut self, node: usize, run: u32) {
        let state = &mut self.nodes[node];
        if state.run != run || state.is_down || state.connection.is_some() {
            return;
        }
        let connection = self.network.links[node].connection;
        if self.is_connected(node, connection) && !self.network.store_hangs {
            self.nodes[node].connection = Some(connection);
            self.say(node, connection, Heard::Up);
        } else {
            let delay = 1 + self.random.below(RECONNECT_MS);
            self.schedule.after(delay, Event::Reconnect { node, run });
        }
    }

    pub(crate) fn noticed(&mut self, node: usize, run: u32, connection: u32) {
        let state = &mut self.nodes[node];
        if state.run != run || state.connection != Some(connection) {
            return;
        }
        state.connection = None;
        state.feed.handle_down();
        let ids: Vec<u64> = state.asked.keys().copied().collect();
        self.note(Who::Node(node), "has no connection", u64::from(connection));
        for id in ids {
            let delay = self.random.below(20);
            self.schedule.after(delay, Event::TimedOut { node, run, id });
        }
        let delay = self.random.below(100);
        self.schedule.after(delay, Event::Reconnect { node, run });
        self.work_off(node);
    }

    pub(crate) fn heard(&mut self, node: usize, connection: u32, heard: Heard) {
        if self.nodes[node].connection != Some(connection)
            || self.network.links[node].connection != connection
        {
            return;
        }
        match heard {
            Heard::Published { publication, except } => {
                let channel = index(publication.channel.as_str());
                self.note_place(Who::Node(node), "hears", channel, publication.position);
                self.nodes[node].feed.handle_arrived(publication, except);
            }
            Heard::Answered { id } => match self.nodes[node].asked.remove(&id) {
                Some(Asked::Subscribe(channels)) => {
                    self.ask(node, Asked::Join, Command::Heads(channels));
                }
                Some(_) => self.nodes[node].feed.handle_unsubscribed(),
                None => {}
            },
            Heard::Up => {
                self.note(Who::Node(node), "is connected", u64::from(connection));
                self.nodes[node].feed.handle_up();
            }
        }
        self.work_off(node);
    }

    pub(crate) fn answered(&mut self, node: usize, connection: u32, id: u64, reply: Reply) {
        let state = &mut self.nodes[node];
        if state.connection != Some(connection) || self.network.links[node].connection != connection
        {
            return;
        }
        let Some(asked) = state.asked.remove(&id) else { return };
        match (asked, reply) {
            (Asked::Publish(publisher), Reply::Published(outcome)) => {
                self.tell(&publisher, outcome);
            }
            (Asked::Read { shard, reader }, Reply::Recovered(recovery)) => {
                self.shards[shard].answers.push_back(Answer::Read { reader, recovery });
                self.wake(shard);
            }
            (Asked::Join, Reply::Heads(heads)) => state.feed.handle_subscribed(Ok(heads)),
            (Asked::Locate, Reply::Heads(heads)) => state.feed.handle_heads(Ok(heads)),
            (Asked::Catch { number, channel }, Reply::Recovered(Some(recovery))) => {
                let name = &self.names[channel];
                state.feed.handle_read(number, name, Ok(recovery));
            }
            (asked, _) => self.fail(node, asked),
        }
        self.work_off(node);
    }

    /// A question is not answered.
    pub(crate) fn fail(&mut self, node: usize, asked: Asked) {
        let feed = &mut self.nodes[node].feed;
        match asked {
            Asked::Publish(publisher) => self.tell(&publisher, Outcome::Unknown),
            Asked::Read { shard, reader } => self.read_failed(node, shard, reader),
            Asked::Subscribe(_) | Asked::Join => feed.handle_subscribed(Err(NoAnswer)),
            Asked::Unsubscribe => feed.handle_unsubscribed(),
            Asked::Locate => feed.handle_heads(Err(NoAnswer)),
            Asked::Catch { number, channel } => {
                feed.handle_read(number, &self.names[channel], Err(NoAnswer));
            }
        }
        self.work_off(node);
    }

    pub(crate) fn tell(&mut self, publisher: &Publisher, outcome: Outcome) {
        let Publisher { shard, line, channel, ref value, .. } = *publisher;
        let answer = Answer::Published { line, channel, value: value.clone(), outcome };
        self.shards[shard].answers.push_back(answer);
        self.wake(shard);
    }

    /// Those that subscribe are told; those that fell behind try again.
    fn read_failed(&mut self, node: usize, shard: usize, reader: Reader) {
        if reader.begins() {
            self.shards[shard].refuse(reader, &mut self.crowd.lines);
            self.wake(shard);
        } else {
            let run = self.nodes[node].run;
            let delay = 50 + self.random.below(1_000);
            self.schedule.after(delay, Event::Retry { node, run, shard, reader });
        }
    }

    pub(crate) fn retry(&mut self, node: usize, run: u32, shard: usize, reader: Reader) {
        if self.nodes[node].run == run {
            self.read(node, shard, reader);
        }
    }

    /// Reads for a subscription; for one that begins, its channel has to be listened to first.
    pub(crate) fn listen(&mut self, node: usize, shard: usize, reader: Reader) {
        let state = &mut self.nodes[node];
        state.feed.want(&reader.channel);
        if !reader.begins() || state.feed.is_ready(&reader.channel) {
            self.read(node, shard, reader);
        } else {
            state.asked_so_far += 1;
            let (number, run) = (state.asked_so_far, state.run);
            state.listening.push(Listening { number, shard, reader });
            self.schedule.after(self.plan.timeout_ms, Event::TimedOut { node, run, id: number });
        }
        self.work_off(node);
    }

    fn read(&mut self, node: usize, shard: usize, reader: Reader) {
        let (channel, since) = (index(reader.channel.as_str()), reader.asks);
        let asked = Asked::Read { shard, reader };
        self.ask(node, asked, Command::Recover { channel, since });
    }

    /// A question has failed, or the wait for a channel.
    pub(crate) fn timed_out(&mut self, node: usize, run: u32, id: u64) {
        let state = &mut self.nodes[node];
        if state.run != run {
            return;
        }
        let waits = state.listening.iter().position(|listening| listening.number == id);
        if let Some(place) = waits {
            let Listening { shard, reader, .. } = state.listening.remove(place);
            self.read_failed(node, shard, reader);
        } else if let Some(asked) = state.asked.remove(&id) {
            self.note(Who::Node(node), "has no answer to", id);
            self.fail(node, asked);
        }
    }

    /// Nobody may be left who listens.
    pub(crate) fn unlisten(&mut self, node: usize, channel: &ChannelName) {
        let state = &mut self.nodes[node];
        if state.directory.subscribers(channel) == 0 {
            state.feed.unwant(channel);
            self.work_off(node);
        }
    }

    /// Does what the feed wants to be done.
    pub(crate) fn work_off(&mut self, node: usize) {
        while let Some(effect) = self.nodes[node].feed.poll_effect() {
            match effect {
                FeedEffect::Subscribe(channels) => {
                    let channels = self.numbers(&channels);
                    let heard = self.after_forgetting(node, channels.clone());
                    self.ask(node, Asked::Subscribe(channels), Command::Subscribe(heard));
                }
                FeedEffect::Unsubscribe(channels) => {
                    let command = Command::Unsubscribe(self.numbers(&channels));
                    self.ask(node, Asked::Unsubscribe, command);
                }
                FeedEffect::Locate(channels) => {
                    let command = Command::Heads(self.numbers(&channels));
                    self.ask(node, Asked::Locate, command);
                }
                FeedEffect::Read { number, channel, since } => {
                    let channel = index(channel.as_str());
                    self.note_place(Who::Node(node), "reads since", channel, Some(since));
                    let command = Command::Recover { channel, since: Some(since) };
                    self.ask(node, Asked::Catch { number, channel }, command);
                }
                FeedEffect::HandOn { publication, except } => {
                    let channel = publication.channel.clone();
                    let broadcast = Broadcast::Publication(publication);
                    self.post(node, &channel, || {
                        Arrival::Post(Post { broadcast: broadcast.clone(), except: except.clone() })
                    });
                }
                FeedEffect::Lost { channel, head } => {
                    let number = index(channel.as_str());
                    self.note_place(Who::Node(node), "loses its place in", number, Some(head));
                    self.post(node, &channel, || Arrival::Lost(head));
                }
                FeedEffect::Ready(channel) => self.ready(node, &channel),
                FeedEffect::Whole => self.note(Who::Node(node), "hears all", 0),
            }
        }
    }

    fn numbers(&self, channels: &[ChannelName]) -> Vec<usize> {
        channels.iter().map(|name| index(name.as_str())).collect()
    }

    /// What the store is asked to subscribe to.
    fn after_forgetting(&self, node: usize, mut channels: Vec<usize>) -> Vec<usize> {
        let is_again = self.network.links[node].connection > 0;
        if self.plan.bug == Some(Bug::ForgetResubscribe) && is_again {
            channels.retain(|channel| *channel > 0);
        }
        channels
    }

    fn ready(&mut self, node: usize, channel: &ChannelName) {
        let waits = |listening: &mut Listening| listening.reader.channel == *channel;
        let ready: Vec<_> = self.nodes[node].listening.extract_if(.., waits).collect();
        for Listening { shard, reader, .. } in ready {
            self.read(node, shard, reader);
        }
    }

    fn post(&mut self, node: usize, channel: &ChannelName, arrival: impl Fn() -> Arrival) {
        let first = self.shards_of(node).start;
        let listening = self.nodes[node].directory.shards(channel);
        let shards: Vec<usize> =
            listening.iter().map(|(shard, _)| first + usize::from(*shard)).collect();
        for shard in shards {
            self.shards[shard].posts.push_back((channel.clone(), arrival()));
            self.wake(shard);
        }
    }
}
