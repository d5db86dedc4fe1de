//! Nodes, the store that they share, their clients, and the time that goes on for all of them.

use std::sync::Arc;

use openline_engine::{Directory, Feed, FeedLimits};
use openline_protocol::{ChannelName, Position, Publication};

use crate::network::{Command, Network, Reply};
use crate::node::{Asked, Node};
use crate::plan::{Bug, Plan};
use crate::promise::crowd::Crowd;
use crate::promise::model::{Checked, Model};
use crate::promise::random::Random;
use crate::promise::shard::{Arrival, Reader, Shard};
use crate::schedule::Schedule;
use crate::store::Store;
use crate::trace::{Of, Trace, Who};

/// When a history begins, in milliseconds.
const BEGINNING: u64 = 1_000_000;

/// Between two reviews of a node's lines.
const REVIEW_MS: u64 = 2_000;

/// Between two looks of a node at the time.
const TICK_MS: u64 = 250;

pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) plan: Plan,
    pub(crate) names: Vec<ChannelName>,
    pub(crate) schedule: Schedule<Event>,
    pub(crate) store: Store,
    pub(crate) network: Network,
    pub(crate) nodes: Vec<Node>,
    /// Those of the first node, then those of the second.
    pub(crate) shards: Vec<Shard>,
    pub(crate) crowd: Crowd,
    pub(crate) model: Model,
    pub(crate) trace: Trace,
    /// Everything is to come to rest: nothing goes wrong, and clients only read.
    pub(crate) rests: bool,
}

/// What happens.
pub(crate) enum Event {
    /// A client does something.
    Act(usize),
    /// A shard does a piece of its work.
    Work(usize),
    /// A subscription that fell behind tries again to read.
    Retry {
        node: usize,
        run: u32,
        shard: usize,
        reader: Reader,
    },
    ToStore {
        node: usize,
        connection: u32,
        id: u64,
        command: Command,
    },
    FromStore {
        node: usize,
        connection: u32,
        id: u64,
        reply: Reply,
    },
    Heard {
        node: usize,
        connection: u32,
        heard: Heard,
    },
    /// The store has what it was given so far, for good.
    Sync,
    /// A question of a node has failed.
    TimedOut {
        node: usize,
        run: u32,
        id: u64,
    },
    Tick {
        node: usize,
        run: u32,
    },
    /// A node notices that its connection is gone.
    Noticed {
        node: usize,
        run: u32,
        connection: u32,
    },
    Reconnect {
        node: usize,
        run: u32,
    },
    /// Something goes wrong.
    Fault,
    /// What went wrong with a node or its link ends.
    Thaw(usize),
    Start(usize),
    Heal(usize),
    /// The store answers again.
    Resume,
    Open,
}

/// What a node hears on the connection on which it hears.
pub(crate) enum Heard {
    Published { publication: Arc<Publication>, except: Option<Arc<str>> },
    Answered { id: u64 },
    Up,
}

/// Plays one history.
///
/// # Errors
/// What a check found, and the last steps before it.
pub(crate) fn play(seed: u64, bug: Option<Bug>) -> Result<Trace, String> {
    let mut world = World::new(seed, bug);
    match world.play() {
        Ok(()) => Ok(world.trace),
        Err(found) => {
            let World { plan, model, trace, schedule, .. } = world;
            let now = schedule.now;
            Err(format!("{found}\n{trace}at {now} ms\n{plan:?}\n{:?}", model.happened))
        }
    }
}

impl World {
    fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::new(&mut random, bug);
        let name = |number| ChannelName::new(&format!("c{number}")).expect("it is a good name");
        let names: Vec<_> = (0..plan.histories.len()).map(name).collect();
        let shards = plan.nodes * plan.shards_per_node;
        let shard = |_| Shard::new(plan.line_frames_max, bug.and_then(Bug::of_line));
        Self {
            schedule: Schedule::new(BEGINNING),
            store: Store::new(&plan, names.clone()),
            network: Network::new(plan.nodes),
            nodes: (0..plan.nodes).map(|_| Node::new(feed(&plan))).collect(),
            shards: (0..shards).map(shard).collect(),
            crowd: Crowd::new(plan.clients, names.clone()),
            model: Model::new(
                plan.histories.clone(),
                plan.limits.publications_max,
                !plan.faults.may_lose(),
            ),
            trace: Trace::default(),
            rests: false,
            random,
            plan,
            names,
        }
    }

    fn play(&mut self) -> Checked {
        for node in 0..self.nodes.len() {
            self.start(node);
        }
        for client in 0..self.crowd.clients.len() {
            let delay = self.random.below(200);
            self.schedule.after(delay, Event::Act(client));
        }
        self.schedule.after(500, Event::Fault);
        self.run(self.plan.busy_ms)?;
        self.come_to_rest()
    }

    /// Lets so much time go by.
    pub(crate) fn run(&mut self, ms: u64) -> Checked {
        let until = self.schedule.now + ms;
        while let Some(event) = self.schedule.next(until) {
            self.handle(event)?;
        }
        Ok(())
    }

    pub(crate) fn note(&mut self, who: Who, what: &'static str, number: u64) {
        self.trace.note(self.schedule.now, who, what, Of::Number(number));
    }

    pub(crate) fn note_place(
        &mut self,
        who: Who,
        what: &'static str,
        channel: usize,
        position: Option<Position>,
    ) {
        self.trace.note(self.schedule.now, who, what, Of::Place { channel, position });
    }

    pub(crate) fn handle(&mut self, event: Event) -> Checked {
        if let Some(node) = self.node_of(&event)
            && self.nodes[node].is_frozen
        {
            self.nodes[node].held.push(event);
            return Ok(());
        }
        match event {
            Event::Act(client) => return self.act(client),
            Event::Work(shard) => return self.work(shard),
            Event::Retry { node, run, shard, reader } => self.retry(node, run, shard, reader),
            Event::ToStore { node, connection, id, command } => {
                return self.asked(node, connection, id, command);
            }
            Event::FromStore { node, connection, id, reply } => {
                self.answered(node, connection, id, reply);
            }
            Event::Heard { node, connection, heard } => self.heard(node, connection, heard),
            Event::Sync => return self.sync(),
            Event::TimedOut { node, run, id } => self.timed_out(node, run, id),
            Event::Tick { node, run } => self.tick(node, run),
            Event::Noticed { node, run, connection } => self.noticed(node, run, connection),
            Event::Reconnect { node, run } => self.reconnect(node, run),
            Event::Fault => return self.something_goes_wrong(),
            Event::Thaw(node) => return self.thaw(node),
            Event::Start(node) if self.nodes[node].is_down => self.start(node),
            Event::Heal(node) if !self.rests => self.heal(node),
            Event::Start(_) | Event::Heal(_) => {}
            Event::Resume => return self.resume_store(),
            Event::Open => self.network.store_is_down = false,
        }
        Ok(())
    }

    /// The node that has to run for something to happen.
    fn node_of(&self, event: &Event) -> Option<usize> {
        match event {
            Event::Work(shard) => Some(self.node_of_shard(*shard)),
            Event::Retry { node, .. }
            | Event::FromStore { node, .. }
            | Event::Heard { node, .. }
            | Event::TimedOut { node, .. }
            | Event::Tick { node, .. }
            | Event::Noticed { node, .. }
            | Event::Reconnect { node, .. } => Some(*node),
            _ => None,
        }
    }

    pub(crate) fn node_of_shard(&self, shard: usize) -> usize {
        shard / self.plan.shards_per_node
    }

    pub(crate) fn shards_of(&self, node: usize) -> std::ops::Range<usize> {
        let first = node * self.plan.shards_per_node;
        first..first + self.plan.shards_per_node
    }

    /// A node begins to run.
    pub(crate) fn start(&mut self, node: usize) {
        self.note(Who::Node(node), "starts", u64::from(self.nodes[node].run));
        let now = self.schedule.now;
        let feed = feed(&self.plan);
        let state = &mut self.nodes[node];
        (state.is_down, state.feed, state.directory) = (false, feed, Directory::default());
        (state.ticked_at, state.reviewed_at) = (now, now);
        let run = state.run;
        self.schedule.after(self.random.below(TICK_MS), Event::Tick { node, run });
        self.schedule.after(self.random.below(20), Event::Reconnect { node, run });
    }

    fn tick(&mut self, node: usize, run: u32) {
        let now = self.schedule.now;
        let state = &mut self.nodes[node];
        if state.run != run {
            return;
        }
        let stood_still = now - std::mem::replace(&mut state.ticked_at, now);
        if stood_still > crate::node::STALL_MS {
            state.feed.handle_stall();
        }
        state.feed.tick(now);
        if now - state.reviewed_at >= REVIEW_MS {
            state.reviewed_at = now;
            for shard in self.shards_of(node) {
                self.shards[shard].posts.push_back((self.names[0].clone(), Arrival::Review));
                self.wake(shard);
            }
        }
        self.schedule.after(TICK_MS, Event::Tick { node, run });
        self.work_off(node);
    }

    /// A question to the store.
    pub(crate) fn ask(&mut self, node: usize, asked: Asked, command: Command) {
        let state = &mut self.nodes[node];
        state.asked_so_far += 1;
        let (id, run) = (state.asked_so_far, state.run);
        state.asked.insert(id, asked);
        self.schedule.after(self.plan.timeout_ms, Event::TimedOut { node, run, id });
        if let Some(connection) = self.nodes[node].connection {
            self.send(node, connection, id, command);
        }
    }
}

fn feed(plan: &Plan) -> Feed {
    Feed::new(FeedLimits {
        held_max: 20,
        held_bytes_max: 1 << 20,
        batch_max: 2,
        reads_max: 2,
        probe_interval_ms: plan.probe_ms,
    })
}
