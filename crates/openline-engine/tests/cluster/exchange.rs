//! The threads of the nodes and the clients on them: what they do when it is their turn.

use openline_protocol::Member;

use crate::network::Command;
use crate::node::Asked;
use crate::plan::Bug;
use crate::promise::model::Checked;
use crate::promise::shard::{Answer, Label, Outcome, Request};
use crate::trace::{Of, Who};
use crate::world::{Event, World};

/// What a shard can do next.
#[derive(Clone, Copy)]
enum Work {
    Request,
    Answer,
    Post,
    Drain,
    Resume,
}

impl World {
    /// Has a shard do what there is to do, soon.
    pub(crate) fn wake(&mut self, shard: usize) {
        if !self.shards[shard].is_awake {
            self.shards[shard].is_awake = true;
            let delay = self.random.below(3);
            self.schedule.after(delay, Event::Work(shard));
        }
    }

    pub(crate) fn work(&mut self, number: usize) -> Checked {
        let shard = &mut self.shards[number];
        shard.is_awake = false;
        let work = [
            (Work::Request, !shard.requests.is_empty()),
            (Work::Answer, !shard.answers.is_empty()),
            (Work::Post, !shard.posts.is_empty()),
            (Work::Drain, shard.is_dirty),
            (Work::Resume, shard.is_behind()),
        ];
        let possible = work.iter().filter(|(_, is)| *is).count();
        let chosen = work.iter().filter(|(_, is)| *is).nth(self.random.index(possible));
        let Some((work, _)) = chosen else { return Ok(()) };
        let lines = &mut self.crowd.lines;
        match work {
            Work::Request => {
                if let Some(request) = shard.requests.pop_front() {
                    self.request(number, request);
                }
            }
            Work::Answer => {
                if let Some(answer) = shard.answers.pop_front() {
                    shard.handle(answer, lines);
                    shard.is_dirty = true;
                }
            }
            Work::Post => {
                shard.take_post();
                shard.is_dirty = true;
            }
            Work::Drain => {
                shard.drain(lines, &mut self.random);
                shard.is_dirty = false;
            }
            Work::Resume => shard.resume(lines, &mut self.random),
        }
        self.go_on(number);
        Ok(())
    }

    /// Has a shard work on if there is more; lines that are full take their time.
    fn go_on(&mut self, number: usize) {
        let shard = &self.shards[number];
        if shard.is_awake || (shard.is_idle() && !shard.is_dirty) {
            return;
        }
        let only_behind = shard.is_behind()
            && !shard.is_dirty
            && shard.requests.is_empty()
            && shard.answers.is_empty()
            && shard.posts.is_empty();
        self.shards[number].is_awake = true;
        let delay = if only_behind { 20 } else { self.random.below(3) };
        self.schedule.after(delay, Event::Work(number));
    }

    fn request(&mut self, shard: usize, request: Request) {
        let (node, now) = (self.node_of_shard(shard), self.schedule.now);
        let index = u16::try_from(shard - self.shards_of(node).start).expect("there are few");
        let directory = &mut self.nodes[node].directory;
        match request {
            Request::Join { session, line, client, channel, since } => {
                let client_id = client.clone();
                let member = Member { client_id, user: None, info: None, status: None, data: None };
                directory.join(&channel, index, Some(member), now);
                let joined = Answer::Joined { session, line, client, channel, since };
                self.shards[shard].answers.push_back(joined);
            }
            Request::Leave { channel, client } => {
                directory.leave(&channel, index, &client, now);
                self.unlisten(node, &channel);
            }
            Request::Update { channel, client, status } => {
                let change = |member: &mut Member| member.status = Some(status);
                directory.update(&channel, &client, change, now);
            }
            Request::Read(reader) => self.listen(node, shard, reader),
            Request::Publish(publisher) => {
                if self.plan.bug == Some(Bug::AckBeforeWrite) {
                    self.tell(&publisher, Outcome::Kept);
                }
                let command = Command::Publish(publisher.clone());
                self.ask(node, Asked::Publish(publisher), command);
            }
        }
    }

    /// A client does something, and will again.
    pub(crate) fn act(&mut self, number: usize) -> Checked {
        let delay = if self.rests { 150 } else { 20 + self.random.below(160) };
        self.schedule.after(delay, Event::Act(number));
        let Some(connection) = self.crowd.clients[number].connection.clone() else {
            self.connect(number);
            return Ok(());
        };
        let shard = connection.shard;
        let is_frozen = self.nodes[self.node_of_shard(shard)].is_frozen;
        let now = self.schedule.now;
        let Self { crowd, shards, model, random, trace, .. } = self;
        let note = |line, label: Label| {
            let Label { what, channel, position } = label;
            let of = channel.map_or(Of::Number(0), |channel| Of::Place { channel, position });
            trace.note(now, Who::Line(line), what, of);
        };
        if self.rests {
            crowd.read(number, u64::MAX, model, note)?;
            crowd.return_to(number, shards, model, random);
        } else if is_frozen {
            crowd.read(number, 3, model, note)?;
        } else {
            crowd.act(number, shards, model, random, note)?;
        }
        self.wake(shard);
        Ok(())
    }

    /// Connects a client to any node that runs.
    fn connect(&mut self, number: usize) {
        let node = self.random.index(self.nodes.len());
        if self.nodes[node].is_down || self.nodes[node].is_frozen {
            return;
        }
        let shards = self.shards_of(node);
        let shard = shards.start + self.random.index(shards.len());
        self.crowd.connect(number, shard, &mut self.shards);
        self.crowd.clients[number].change_nodes();
        let line = self.crowd.lines.len() - 1;
        self.note(Who::Line(line), "connects to shard", shard as u64);
    }

    /// Whether a client is on this node.
    pub(crate) fn is_on(&self, number: usize, node: usize) -> bool {
        let connection = self.crowd.clients[number].connection.as_ref();
        connection.is_some_and(|connection| self.node_of_shard(connection.shard) == node)
    }
}
