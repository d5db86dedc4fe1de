//! A node and its clients, in which at each step something happens that may happen.

use openline_protocol::ChannelName;

use crate::owner::{Outgoing, Owner};
use crate::plan::{Bug, Faults, Plan};
use crate::promise::client::Client;
use crate::promise::crowd::Crowd;
use crate::promise::model::{Checked, Model};
use crate::promise::random::Random;
use crate::promise::shard::{Arrival, Label, Shard};

/// Steps within which everything has come to rest, once nothing more is done.
const REST_STEPS: usize = 20_000;

pub(crate) struct World {
    random: Random,
    now: u64,
    plan: Plan,
    names: Vec<ChannelName>,
    owner: Owner,
    shards: Vec<Shard>,
    crowd: Crowd,
    model: Model,
    trace: Trace,
}

/// What the clients read, as one number.
#[derive(Default)]
struct Trace(u64);

impl Trace {
    fn note(&mut self, line: usize, label: Label) {
        let Label { what, channel, position } = label;
        let tag = position.map_or(0, |at| at.tag);
        for part in [line, what.len(), channel.unwrap_or_default()] {
            self.mix(part as u64);
        }
        self.mix(tag);
    }

    fn mix(&mut self, part: u64) {
        self.0 = (self.0 ^ part).wrapping_mul(0x0100_0000_01b3);
    }
}

/// Plays one history.
///
/// # Errors
/// What a check found.
pub(crate) fn play(seed: u64, bug: Option<Bug>) -> Result<u64, String> {
    let mut world = World::new(seed, bug);
    let faults = world.plan.faults;
    let played = world.play();
    played.map_err(|found| format!("{found}\n{faults:?}\n{:?}", world.model.happened))?;
    Ok(world.trace.0)
}

impl World {
    fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::new(&mut random, bug);
        let name = |number| ChannelName::new(&format!("c{number}")).expect("it is a good name");
        let names: Vec<_> = (0..plan.histories.len()).map(name).collect();
        let owner = Owner::new(&plan, names.clone(), &mut random);
        let shard = |_| Shard::new(plan.line_frames_max, bug.and_then(Bug::of_line));
        Self {
            now: 1_000_000,
            shards: (0..plan.shards).map(shard).collect(),
            crowd: Crowd::new(plan.clients, names.clone()),
            model: Model::new(
                plan.histories.clone(),
                plan.limits.publications_max,
                !plan.faults.any(),
            ),
            trace: Trace::default(),
            random,
            plan,
            names,
            owner,
        }
    }

    fn play(&mut self) -> Checked {
        for _ in 0..self.plan.steps {
            self.step()?;
        }
        self.come_to_rest()
    }

    fn step(&mut self) -> Checked {
        self.now += 1 + self.random.below(20);
        match self.random.below(100) {
            0..40 => self.client_acts(),
            40..95 => self.node_works(),
            _ => self.something_goes_wrong(),
        }
    }

    fn client_acts(&mut self) -> Checked {
        let number = self.random.index(self.crowd.clients.len());
        if self.crowd.clients[number].connection.is_none() {
            self.connect(number);
            return Ok(());
        }
        let Self { crowd, shards, model, random, trace, .. } = self;
        crowd.act(number, shards, model, random, |line, label| trace.note(line, label))
    }

    fn connect(&mut self, number: usize) {
        let shard = self.random.index(self.shards.len());
        self.crowd.connect(number, shard, &mut self.shards);
    }

    fn read(&mut self, number: usize) -> Checked {
        let Self { crowd, model, trace, .. } = self;
        crowd.read(number, u64::MAX, model, |line, label| trace.note(line, label))
    }

    fn node_works(&mut self) -> Checked {
        let index = self.random.index(self.shards.len());
        let shard = &mut self.shards[index];
        match self.random.below(12) {
            0..2 => {
                if let Some(request) = shard.requests.pop_front() {
                    let (model, random) = (&mut self.model, &mut self.random);
                    self.owner.handle(index, request, model, random, self.now)?;
                }
            }
            2..4 => {
                if let Some(answer) = shard.answers.pop_front() {
                    shard.handle(answer, &mut self.crowd.lines);
                }
            }
            4..7 => {
                let some = !shard.posts.is_empty();
                if some && self.plan.faults.posts_get_lost && self.random.one_in(20) {
                    shard.posts.pop_front();
                } else {
                    shard.take_post();
                }
            }
            7 => shard.drain(&mut self.crowd.lines, &mut self.random),
            8 => shard.resume(&self.crowd.lines, &mut self.random),
            9 => self.owner.store.work(&mut self.random, self.plan.faults.store_fails),
            10 => self.owner.settle(&mut self.model, self.now)?,
            _ => self.owner.tell_presence(self.now),
        }
        for (shard, outgoing) in self.owner.outgoing.drain(..) {
            match outgoing {
                Outgoing::Answer(answer) => self.shards[shard].answers.push_back(answer),
                Outgoing::Post(channel, post) => {
                    self.shards[shard].posts.push_back((channel, Arrival::Post(post)));
                }
            }
        }
        Ok(())
    }

    fn something_goes_wrong(&mut self) -> Checked {
        let faults = self.plan.faults;
        match self.random.below(20) {
            0 if faults.crash => return self.crash(),
            1..4 if faults.rollback => self.owner.store.take_copy(),
            4..6 if faults.time_jumps => self.now += self.random.below(6_000),
            6..10 if faults.forget => {
                self.owner.forget(&mut self.model, &mut self.random, self.now);
            }
            _ => {}
        }
        Ok(())
    }

    /// The process is killed and started again; what was on its way is gone.
    fn crash(&mut self) -> Checked {
        (0..self.crowd.clients.len()).for_each(|number| self.crowd.cut(number));
        for shard in &mut self.shards {
            *shard = Shard::new(self.plan.line_frames_max, self.plan.bug.and_then(Bug::of_line));
        }
        let rolls_back = self.plan.faults.rollback && self.random.one_in(2);
        let memory = self.plan.faults.memory;
        self.model.happened.restarts += 1;
        self.model.happened.rollbacks += u32::from(rolls_back);
        self.owner.store.crash();
        if rolls_back {
            self.owner.store.roll_back();
        }
        if memory {
            self.owner.store.lose_all();
        }
        match rolls_back || memory {
            true => self.model.forget_keys(None),
            false => self.model.forget_plain_keys(),
        }
        let lossy = rolls_back || memory;
        self.owner.restart(&mut self.model, &mut self.random, lossy, self.now)
    }

    /// Nothing goes wrong any more: everybody comes back, reads, and has all there is.
    fn come_to_rest(&mut self) -> Checked {
        let lost = self.plan.faults.posts_get_lost;
        self.plan.faults = Faults::default();
        self.work_until_idle()?;
        if lost {
            // That a post was lost is found by the next one.
            for channel in 0..self.names.len() {
                self.crowd.publish(0, channel, &mut self.shards, &mut self.random);
            }
            self.work_until_idle()?;
        }
        for client in &self.crowd.clients {
            client.has_all(&self.model)?;
        }
        self.check_directory()
    }

    fn work_until_idle(&mut self) -> Checked {
        for step in 0..REST_STEPS {
            self.node_works()?;
            if !step.is_multiple_of(20) {
                continue;
            }
            for number in 0..self.crowd.clients.len() {
                self.return_and_read(number)?;
            }
            for shard in &mut self.shards {
                shard.drain(&mut self.crowd.lines, &mut self.random);
            }
            if self.is_idle() {
                return Ok(());
            }
        }
        Err("it does not come to rest".to_owned())
    }

    fn return_and_read(&mut self, number: usize) -> Checked {
        if self.crowd.clients[number].connection.is_none() {
            self.connect(number);
        }
        let Self { crowd, shards, model, random, .. } = self;
        crowd.return_to(number, shards, model, random);
        self.read(number)
    }

    fn is_idle(&self) -> bool {
        self.owner.is_idle()
            && self.shards.iter().all(Shard::is_idle)
            && self.crowd.clients.iter().all(|client| self.crowd.is_settled(client))
    }

    /// The directory knows those who are subscribed, and no others.
    fn check_directory(&self) -> Checked {
        for name in &self.names {
            let subscribed = |client: &&Client| {
                let connection = client.connection.as_ref();
                connection
                    .is_some_and(|at| self.shards[at.shard].hub.is_subscribed(at.session, name))
            };
            let subscribed = self.crowd.clients.iter().filter(subscribed).count() as u64;
            let known =
                (self.owner.directory.subscribers(name), self.owner.directory.member_count(name));
            if known != (subscribed, subscribed) {
                return Err(format!("{name} has {subscribed} subscribers; known are {known:?}"));
            }
        }
        Ok(())
    }
}
