//! The clients and their lines: what they do, wherever they are connected.

use bytestring::ByteString;
use openline_protocol::ChannelName;

use super::client::{Client, Phase, Try, View};
use super::model::{Checked, Model};
use super::random::Random;
use super::shard::{Label, Line, Publisher, Request, Shard};

pub(crate) struct Crowd {
    pub(crate) clients: Vec<Client>,
    pub(crate) lines: Vec<Line>,
    names: Vec<ChannelName>,
    published: u64,
}

impl Crowd {
    pub(crate) fn new(clients: usize, names: Vec<ChannelName>) -> Self {
        let client = |number| Client::new(number, names.len(), number % 3 != 0);
        let clients = (0..clients).map(client).collect();
        Self { clients, lines: Vec::new(), names, published: 0 }
    }

    pub(crate) fn connect(&mut self, number: usize, shard: usize, shards: &mut [Shard]) {
        self.lines.push(Line::default());
        self.clients[number].connect(shard, self.lines.len() - 1, shards);
    }

    pub(crate) fn disconnect(&mut self, number: usize, shards: &mut [Shard]) {
        let Some(connection) = self.clients[number].disconnect() else { return };
        self.lines[connection.line].closed = true;
        shards[connection.shard].close(connection.session, &connection.name);
    }

    /// The client is cut off, and its server is gone or does not know.
    pub(crate) fn cut(&mut self, number: usize) {
        if let Some(connection) = self.clients[number].disconnect() {
            self.lines[connection.line].closed = true;
        }
    }

    /// A client that is connected does something.
    pub(crate) fn act(
        &mut self,
        number: usize,
        shards: &mut [Shard],
        model: &Model,
        random: &mut Random,
        note: impl FnMut(usize, Label),
    ) -> Checked {
        let channel = random.index(self.names.len());
        let Some(connection) = self.clients[number].connection.clone() else { return Ok(()) };
        let phase = self.clients[number].views[channel].phase;
        match random.below(100) {
            0..20 if phase == Phase::Idle => {
                self.subscribe(number, channel, shards, model, random, false);
            }
            0..2 if phase == Phase::Live => self.unsubscribe(number, channel, shards),
            2..4 => {
                shards[connection.shard].requests.push_back(Request::Update {
                    channel: self.names[channel].clone(),
                    client: connection.name,
                    status: "away".into(),
                });
            }
            20..50 => self.publish(number, channel, shards, random),
            50..56 => self.retry(number, shards, random),
            56..58 => self.disconnect(number, shards),
            58.. => {
                // Some read slowly.
                let frames = random.below(if number.is_multiple_of(4) { 2 } else { 9 });
                return self.read(number, frames, model, note);
            }
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn subscribe(
        &mut self,
        number: usize,
        channel: usize,
        shards: &mut [Shard],
        model: &Model,
        random: &mut Random,
        honest: bool,
    ) {
        let client = &mut self.clients[number];
        let Some(connection) = client.connection.clone() else { return };
        let since = client.since(channel, model, random, honest);
        client.views[channel].phase = Phase::Subscribing;
        client.views[channel].wants = true;
        shards[connection.shard].requests.push_back(Request::Join {
            session: connection.session,
            line: connection.line,
            client: connection.name,
            channel: self.names[channel].clone(),
            since,
        });
    }

    fn unsubscribe(&mut self, number: usize, channel: usize, shards: &mut [Shard]) {
        let client = &mut self.clients[number];
        let Some(connection) = client.connection.clone() else { return };
        client.views[channel].phase = Phase::Leaving;
        client.views[channel].wants = false;
        let line = &mut self.lines[connection.line];
        let name = &self.names[channel];
        shards[connection.shard].unsubscribe(connection.session, &connection.name, name, line);
    }

    pub(crate) fn publish(
        &mut self,
        number: usize,
        channel: usize,
        shards: &mut [Shard],
        random: &mut Random,
    ) {
        let value = self.next_value();
        let key = ByteString::from(format!("key {value}"));
        let answered = !random.one_in(2);
        if !answered {
            self.clients[number].tries.push(Try {
                channel,
                value: value.clone(),
                key: key.clone(),
                answered,
            });
        }
        self.send(number, channel, value, (!answered).then_some(key), shards);
    }

    fn retry(&mut self, number: usize, shards: &mut [Shard], random: &mut Random) {
        let tries = &self.clients[number].tries;
        if tries.is_empty() {
            return;
        }
        // The last ones: keys are not remembered for ever.
        let recent = random.index(tries.len().min(6));
        let attempt = tries[tries.len() - 1 - recent].clone();
        if attempt.answered && !random.one_in(3) {
            return;
        }
        let mut value = attempt.value;
        if attempt.answered && random.one_in(10) {
            // The same key for something else.
            value = self.next_value();
        }
        self.send(number, attempt.channel, value, Some(attempt.key), shards);
    }

    fn next_value(&mut self) -> ByteString {
        self.published += 1;
        self.published.to_string().into()
    }

    fn send(
        &mut self,
        number: usize,
        channel: usize,
        value: ByteString,
        key: Option<ByteString>,
        shards: &mut [Shard],
    ) {
        let client = &self.clients[number];
        let Some(connection) = client.connection.clone() else { return };
        let except = (!client.echo).then_some(connection.name);
        let (shard, line) = (connection.shard, connection.line);
        let publisher = Publisher { shard, line, channel, value, key, except };
        shards[shard].requests.push_back(Request::Publish(publisher));
    }

    /// Reads some of what came; `note` gets the line and what came.
    pub(crate) fn read(
        &mut self,
        number: usize,
        frames: u64,
        model: &Model,
        mut note: impl FnMut(usize, Label),
    ) -> Checked {
        let client = &mut self.clients[number];
        let Some(line) = client.connection.as_ref().map(|connection| connection.line) else {
            return Ok(());
        };
        for _ in 0..frames {
            let Some(frame) = self.lines[line].inbox.pop_front() else { break };
            note(line, frame.label());
            client.read(frame, model)?;
        }
        Ok(())
    }

    /// Subscribes to what the client wants and has not.
    pub(crate) fn return_to(
        &mut self,
        number: usize,
        shards: &mut [Shard],
        model: &Model,
        random: &mut Random,
    ) {
        for channel in 0..self.names.len() {
            let view = &self.clients[number].views[channel];
            if view.wants && view.phase == Phase::Idle {
                self.subscribe(number, channel, shards, model, random, true);
            }
        }
    }

    /// Whether a client is connected, has read all, and is where it wants to be.
    pub(crate) fn is_settled(&self, client: &Client) -> bool {
        let inbox = client.connection.as_ref().map(|at| &self.lines[at.line].inbox);
        let wants = |view: &View| view.wants == (view.phase == Phase::Live);
        inbox.is_some_and(|inbox| inbox.is_empty()) && client.views.iter().all(wants)
    }
}
