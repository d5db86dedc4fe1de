//! A node and its clients, in which at each step something happens that may happen.

use bytestring::ByteString;
use openline_protocol::ChannelName;

use crate::client::{Client, Phase, Try, View};
use crate::model::{Checked, Model};
use crate::owner::{Outgoing, Owner, Publisher};
use crate::plan::{Bug, Faults, Plan};
use crate::random::Random;
use crate::shard::{Line, Request, Shard};

/// Steps within which everything has come to rest, once nothing more is done.
const REST_STEPS: usize = 20_000;

pub(crate) struct World {
    random: Random,
    now: u64,
    plan: Plan,
    names: Vec<ChannelName>,
    owner: Owner,
    shards: Vec<Shard>,
    lines: Vec<Line>,
    clients: Vec<Client>,
    model: Model,
    published: u64,
    trace: u64,
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
    Ok(world.trace)
}

impl World {
    fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::new(&mut random, bug);
        let name = |number| ChannelName::new(&format!("c{number}")).expect("it is a good name");
        let names: Vec<_> = (0..plan.histories.len()).map(name).collect();
        let owner = Owner::new(&plan, names.clone(), &mut random);
        let shard = |_| Shard::new(plan.line_frames_max, bug);
        let client = |number| Client::new(number, names.len(), number % 3 != 0);
        Self {
            now: 1_000_000,
            shards: (0..plan.shards).map(shard).collect(),
            lines: Vec::new(),
            clients: (0..plan.clients).map(client).collect(),
            model: Model::new(&plan),
            published: 0,
            trace: 0,
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
        let number = self.random.index(self.clients.len());
        let channel = self.random.index(self.names.len());
        let Some(connection) = self.clients[number].connection.clone() else {
            self.connect(number);
            return Ok(());
        };
        let phase = self.clients[number].views[channel].phase;
        match self.random.below(100) {
            0..20 if phase == Phase::Idle => self.subscribe(number, channel, false),
            0..2 if phase == Phase::Live => self.unsubscribe(number, channel),
            2..4 => {
                self.shards[connection.shard].requests.push_back(Request::Update {
                    channel: self.names[channel].clone(),
                    client: connection.name,
                    status: "away".into(),
                });
            }
            20..50 => self.publish(number, channel),
            50..56 => self.retry(number),
            56..58 => self.disconnect(number),
            58.. => {
                // Some read slowly.
                let frames = self.random.below(if number.is_multiple_of(4) { 2 } else { 9 });
                return self.read(number, frames);
            }
            _ => {}
        }
        Ok(())
    }

    fn connect(&mut self, number: usize) {
        let shard = self.random.index(self.shards.len());
        self.lines.push(Line::default());
        self.clients[number].connect(shard, self.lines.len() - 1, &mut self.shards);
    }

    fn disconnect(&mut self, number: usize) {
        let Some(connection) = self.clients[number].disconnect() else { return };
        self.lines[connection.line].closed = true;
        self.shards[connection.shard].close(connection.session, &connection.name);
    }

    fn subscribe(&mut self, number: usize, channel: usize, honest: bool) {
        let client = &mut self.clients[number];
        let Some(connection) = client.connection.clone() else { return };
        let since = client.since(channel, &self.model, &mut self.random, honest);
        client.views[channel].phase = Phase::Subscribing;
        client.views[channel].wants = true;
        self.shards[connection.shard].requests.push_back(Request::Join {
            session: connection.session,
            line: connection.line,
            client: connection.name,
            channel: self.names[channel].clone(),
            since,
        });
    }

    fn unsubscribe(&mut self, number: usize, channel: usize) {
        let client = &mut self.clients[number];
        let Some(connection) = client.connection.clone() else { return };
        client.views[channel].phase = Phase::Leaving;
        client.views[channel].wants = false;
        let line = &mut self.lines[connection.line];
        let name = &self.names[channel];
        self.shards[connection.shard].unsubscribe(connection.session, &connection.name, name, line);
    }

    fn publish(&mut self, number: usize, channel: usize) {
        self.published += 1;
        let value = ByteString::from(self.published.to_string());
        let key = ByteString::from(format!("key {}", self.published));
        let answered = !self.random.one_in(2);
        if !answered {
            self.clients[number].tries.push(Try {
                channel,
                value: value.clone(),
                key: key.clone(),
                answered,
            });
        }
        self.send(number, channel, value, (!answered).then_some(key));
    }

    fn retry(&mut self, number: usize) {
        let tries = &self.clients[number].tries;
        if tries.is_empty() {
            return;
        }
        // The last ones: keys are not remembered for ever.
        let recent = self.random.index(tries.len().min(6));
        let attempt = tries[tries.len() - 1 - recent].clone();
        if attempt.answered && !self.random.one_in(3) {
            return;
        }
        let mut value = attempt.value;
        if attempt.answered && self.random.one_in(10) {
            // The same key for something else.
            self.published += 1;
            value = self.published.to_string().into();
        }
        self.send(number, attempt.channel, value, Some(attempt.key));
    }

    fn send(&mut self, number: usize, channel: usize, value: ByteString, key: Option<ByteString>) {
        let client = &self.clients[number];
        let Some(connection) = client.connection.clone() else { return };
        let except = (!client.echo).then_some(connection.name);
        let (shard, line) = (connection.shard, connection.line);
        let publisher = Publisher { shard, line, channel, value, key, except };
        self.shards[shard].requests.push_back(Request::Publish(publisher));
    }

    fn read(&mut self, number: usize, frames: u64) -> Checked {
        let client = &mut self.clients[number];
        let Some(line) = client.connection.as_ref().map(|connection| connection.line) else {
            return Ok(());
        };
        for _ in 0..frames {
            let Some(frame) = self.lines[line].inbox.pop_front() else { break };
            let number = client.read(frame, &self.model)?;
            self.trace = (self.trace ^ number ^ line as u64).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
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
                    shard.handle(answer, &mut self.lines);
                }
            }
            4..7 => {
                if let Some((channel, post)) = shard.posts.pop_front() {
                    let lost = self.plan.faults.posts_get_lost && self.random.one_in(20);
                    if !lost {
                        shard.hub.post(&channel, post);
                    }
                }
            }
            7 => shard.drain(&mut self.lines, &mut self.random),
            8 => shard.resume(&self.lines, &mut self.random),
            9 => self.owner.store.work(&mut self.random, self.plan.faults.store_fails),
            10 => self.owner.settle(&mut self.model, self.now)?,
            _ => self.owner.tell_presence(self.now),
        }
        for (shard, outgoing) in self.owner.outgoing.drain(..) {
            match outgoing {
                Outgoing::Answer(answer) => self.shards[shard].answers.push_back(answer),
                Outgoing::Post(channel, post) => {
                    self.shards[shard].posts.push_back((channel, post))
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
        for number in 0..self.clients.len() {
            self.clients[number].disconnect();
        }
        for line in &mut self.lines {
            line.closed = true;
        }
        for shard in &mut self.shards {
            *shard = Shard::new(self.plan.line_frames_max, self.plan.bug);
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
                self.publish(0, channel);
            }
            self.work_until_idle()?;
        }
        for client in &self.clients {
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
            for number in 0..self.clients.len() {
                self.return_and_read(number)?;
            }
            for shard in &mut self.shards {
                shard.drain(&mut self.lines, &mut self.random);
            }
            if self.is_idle() {
                return Ok(());
            }
        }
        Err("it does not come to rest".to_owned())
    }

    fn return_and_read(&mut self, number: usize) -> Checked {
        if self.clients[number].connection.is_none() {
            self.connect(number);
        }
        for channel in 0..self.names.len() {
            let view = &self.clients[number].views[channel];
            if view.wants && view.phase == Phase::Idle {
                self.subscribe(number, channel, true);
            }
        }
        self.read(number, u64::MAX)
    }

    fn is_idle(&self) -> bool {
        let settled = |client: &Client| {
            let inbox = client.connection.as_ref().map(|at| &self.lines[at.line].inbox);
            let wants = |view: &View| view.wants == (view.phase == Phase::Live);
            inbox.is_some_and(|inbox| inbox.is_empty()) && client.views.iter().all(wants)
        };
        self.owner.is_idle()
            && self.shards.iter().all(Shard::is_idle)
            && self.clients.iter().all(settled)
    }

    /// The directory knows those who are subscribed, and no others.
    fn check_directory(&self) -> Checked {
        for name in &self.names {
            let subscribed = |client: &&Client| {
                let connection = client.connection.as_ref();
                connection
                    .is_some_and(|at| self.shards[at.shard].hub.is_subscribed(at.session, name))
            };
            let subscribed = self.clients.iter().filter(subscribed).count() as u64;
            let known =
                (self.owner.directory.subscribers(name), self.owner.directory.member_count(name));
            if known != (subscribed, subscribed) {
                return Err(format!("{name} has {subscribed} subscribers; known are {known:?}"));
            }
        }
        Ok(())
    }
}
