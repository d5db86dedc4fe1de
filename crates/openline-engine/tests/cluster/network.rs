//! The links between the nodes and the store: what is on its way, in which order it arrives, and what
//! becomes of it when a link breaks.

use std::collections::BTreeSet;

use openline_engine::Recovery;
use openline_protocol::Position;

use crate::plan::{Bug, Kind};
use crate::promise::model::Checked;
use crate::promise::shard::{Outcome, Publisher};
use crate::store::Appended;
use crate::trace::Who;
use crate::world::{Event, Heard, World};

/// What a node asks the store. Channels are named by their numbers.
#[derive(Clone)]
pub(crate) enum Command {
    Publish(Publisher),
    /// From where a reader goes on, and what it missed if it says since when.
    Recover {
        channel: usize,
        since: Option<Position>,
    },
    Heads(Vec<usize>),
    Subscribe(Vec<usize>),
    Unsubscribe(Vec<usize>),
}

/// What the store answers.
pub(crate) enum Reply {
    Published(Outcome),
    /// None on a channel without history.
    Recovered(Option<Recovery>),
    Heads(Vec<Option<Position>>),
}

/// What waits for an answer until the store has synced.
pub(crate) struct Unsynced {
    node: usize,
    connection: u32,
    id: u64,
    publisher: Publisher,
    /// The entry; none for a retry of one.
    publication: Option<std::sync::Arc<openline_protocol::Publication>>,
}

#[derive(Default)]
pub(crate) struct Link {
    /// Counts the connections: what was on its way on an earlier one is lost.
    pub(crate) connection: u32,
    pub(crate) is_cut: bool,
    /// What is published does not arrive.
    pub(crate) is_deaf: bool,
    /// How much longer everything takes.
    pub(crate) slow_ms: u64,
    /// When the last thing arrives on each of the ways: to the store, back, and what is heard.
    arrivals: [u64; 3],
    /// To what the node's connection is subscribed at the store.
    hears: BTreeSet<usize>,
}

pub(crate) struct Network {
    pub(crate) links: Vec<Link>,
    pub(crate) store_hangs: bool,
    pub(crate) store_is_down: bool,
    /// What reached the store while it hung.
    held: Vec<Event>,
    unsynced: Vec<Unsynced>,
}

impl Network {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            links: (0..nodes).map(|_| Link::default()).collect(),
            store_hangs: false,
            store_is_down: false,
            held: Vec::new(),
            unsynced: Vec::new(),
        }
    }
}

/// The ways of a link.
#[derive(Clone, Copy)]
enum Way {
    There,
    Back,
    Heard,
}

impl World {
    /// When something arrives that is sent now: each way keeps its order.
    fn arrival(&mut self, node: usize, way: Way) -> u64 {
        let slow = self.network.links[node].slow_ms;
        let delay =
            if self.random.one_in(20) { self.random.below(200) } else { self.random.below(10) };
        let slow = if slow == 0 { 0 } else { self.random.below(slow) };
        let last = &mut self.network.links[node].arrivals[way as usize];
        *last = (*last).max(self.schedule.now + delay + slow);
        *last
    }

    pub(crate) fn send(&mut self, node: usize, connection: u32, id: u64, command: Command) {
        let at = self.arrival(node, Way::There);
        self.schedule.at(at, Event::ToStore { node, connection, id, command });
    }

    fn reply(&mut self, node: usize, connection: u32, id: u64, reply: Reply) {
        let at = self.arrival(node, Way::Back);
        self.schedule.at(at, Event::FromStore { node, connection, id, reply });
    }

    pub(crate) fn say(&mut self, node: usize, connection: u32, heard: Heard) {
        let at = self.arrival(node, Way::Heard);
        self.schedule.at(at, Event::Heard { node, connection, heard });
    }

    /// The connection of a node is no more, with what was on its way.
    pub(crate) fn break_connection(&mut self, node: usize) {
        let link = &mut self.network.links[node];
        link.connection += 1;
        link.hears.clear();
        link.arrivals = [0; 3];
    }

    pub(crate) fn is_connected(&self, node: usize, connection: u32) -> bool {
        let link = &self.network.links[node];
        link.connection == connection && !link.is_cut && !self.network.store_is_down
    }

    /// A question arrives at the store.
    pub(crate) fn asked(
        &mut self,
        node: usize,
        connection: u32,
        id: u64,
        command: Command,
    ) -> Checked {
        if !self.is_connected(node, connection) {
            return Ok(());
        }
        if self.network.store_hangs {
            self.network.held.push(Event::ToStore { node, connection, id, command });
            return Ok(());
        }
        let now = self.schedule.now;
        match command {
            Command::Publish(publisher) => return self.append(node, connection, id, publisher),
            Command::Recover { channel, since } => {
                let (store, random) = (&mut self.store, &mut self.random);
                let recovered = (self.plan.histories[channel].size > 0).then(|| match since {
                    Some(since) => store.recover(channel, since, random, now),
                    None => {
                        Recovery { missed: Ok(Vec::new()), head: store.head(channel, random, now) }
                    }
                });
                self.reply(node, connection, id, Reply::Recovered(recovered));
            }
            Command::Heads(channels) => {
                let heads = channels.into_iter().map(|channel| self.head(channel)).collect();
                self.reply(node, connection, id, Reply::Heads(heads));
            }
            Command::Subscribe(channels) => {
                self.network.links[node].hears.extend(channels);
                self.say(node, connection, Heard::Answered { id });
            }
            Command::Unsubscribe(channels) => {
                let hears = &mut self.network.links[node].hears;
                channels.iter().for_each(|channel| _ = hears.remove(channel));
                self.say(node, connection, Heard::Answered { id });
            }
        }
        Ok(())
    }

    /// Some stores know where an empty channel begins, some do not.
    fn head(&mut self, channel: usize) -> Option<Position> {
        let has_history = self.plan.histories[channel].size > 0;
        let now = self.schedule.now;
        let head = has_history.then(|| self.store.head(channel, &mut self.random, now));
        head.filter(|head| self.plan.kind == Kind::OneStep || head.offset > 0)
    }

    fn append(&mut self, node: usize, connection: u32, id: u64, publisher: Publisher) -> Checked {
        let now = self.schedule.now;
        let channel = publisher.channel;
        let appended = self.store.append(&publisher, &mut self.model, &mut self.random, now)?;
        let publication = match appended {
            Appended::Answered(outcome) => {
                self.reply(node, connection, id, Reply::Published(outcome));
                return Ok(());
            }
            Appended::Awaits => None,
            Appended::New(publication) => Some(publication),
        };
        let position = publication.as_ref().and_then(|publication| publication.position);
        self.note_place(Who::Store, "takes", channel, position);
        let at_once =
            self.plan.kind == Kind::OneStep && self.plan.bug != Some(Bug::DeliverBeforeSync);
        match publication {
            Some(publication) if position.is_none() || at_once => {
                if position.is_some() {
                    self.store.commit(channel, &mut self.model, now)?;
                }
                self.hand_out(&publication, publisher.except.as_ref());
                self.reply(node, connection, id, Reply::Published(Outcome::Kept));
            }
            publication => {
                if self.plan.bug == Some(Bug::DeliverBeforeSync)
                    && let Some(publication) = &publication
                {
                    self.hand_out(publication, publisher.except.as_ref());
                }
                let unsynced = Unsynced { node, connection, id, publisher, publication };
                self.network.unsynced.push(unsynced);
                let delay = self.random.below(30);
                self.schedule.after(delay, Event::Sync);
            }
        }
        Ok(())
    }

    /// What was appended is stored; now it may be handed out and answered.
    pub(crate) fn sync(&mut self) -> Checked {
        if self.network.store_hangs {
            // It goes on when the store does.
            return Ok(());
        }
        let now = self.schedule.now;
        for unsynced in std::mem::take(&mut self.network.unsynced) {
            let Unsynced { node, connection, id, publisher, publication } = unsynced;
            if let Some(publication) = publication {
                self.store.commit(publisher.channel, &mut self.model, now)?;
                if self.plan.bug != Some(Bug::DeliverBeforeSync) {
                    self.hand_out(&publication, publisher.except.as_ref());
                }
            }
            self.reply(node, connection, id, Reply::Published(Outcome::Kept));
        }
        Ok(())
    }

    fn hand_out(
        &mut self,
        publication: &std::sync::Arc<openline_protocol::Publication>,
        except: Option<&std::sync::Arc<str>>,
    ) {
        let channel = crate::promise::model::index(publication.channel.as_str());
        for node in 0..self.nodes.len() {
            let link = &self.network.links[node];
            if !link.hears.contains(&channel) {
                continue;
            }
            let connection = link.connection;
            let is_dropped = link.is_deaf || (self.drops() && self.random.one_in(50));
            if is_dropped {
                self.note_place(Who::Node(node), "does not hear", channel, publication.position);
                continue;
            }
            let (publication, except) = (publication.clone(), except.cloned());
            self.say(node, connection, Heard::Published { publication, except });
        }
    }

    fn drops(&self) -> bool {
        self.plan.faults.drops && !self.rests
    }

    /// The store answers again.
    pub(crate) fn resume_store(&mut self) -> Checked {
        if !std::mem::take(&mut self.network.store_hangs) {
            return Ok(());
        }
        self.note(Who::Store, "goes on", 0);
        self.sync()?;
        for event in std::mem::take(&mut self.network.held) {
            self.handle(event)?;
        }
        Ok(())
    }

    /// All connections to the store are gone, and what it had not synced.
    pub(crate) fn drop_store(&mut self) {
        self.network.held.clear();
        self.network.unsynced.clear();
        self.network.store_hangs = false;
        for node in 0..self.nodes.len() {
            self.break_connection(node);
            let delay = 10 + self.random.below(300);
            self.notice(node, delay);
        }
    }

    /// A node will notice that its connection is gone.
    pub(crate) fn notice(&mut self, node: usize, delay: u64) {
        let state = &self.nodes[node];
        if let Some(connection) = state.connection {
            let run = state.run;
            self.schedule.after(delay, Event::Noticed { node, run, connection });
        }
    }
}
