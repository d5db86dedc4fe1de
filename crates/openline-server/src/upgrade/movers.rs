//! How lines go to the process that has taken over, with their sockets.
//!
//! | The running process | The new one |
//! |---|---|
//! | has the lines come to rest, and tells what is left to tell on them | |
//! | `lines`, with their sockets | |
//! | | `taken`: which of them it has not |
//! | ends those, with a time to come back; … | |
//! | `gone`: the members that stay behind; `lines_end` | |
//! | | reads its lines, and accepts |
//!
//! - *Invariant:* a line is read by one process. The running one has stopped reading before the socket
//!   goes, and the new one begins when all have come.

use std::collections::HashSet;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use openline_protocol::{ChannelName, Member};

use super::talk::{Broken, PASSED_MAX, STEP_BYTES_MAX, Step, Talk};
use crate::cluster::{Name, Person};
use crate::node::Node;
use crate::shard::{Departure, Leaving, Shard, ShardMessage};

/// How long lines may take to come to rest. Publications are refused meanwhile.
const REST_TIMEOUT: Duration = Duration::from_secs(1);

/// How often it is looked whether all have, and how often those that have not are called again.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const CALL_EVERY: Duration = Duration::from_millis(100);

/// How long a thread may take to do something about its lines.
const SHARD_TIMEOUT: Duration = Duration::from_secs(5);

/// Sessions as text that go in one step.
const SESSIONS_BYTES_MAX: usize = STEP_BYTES_MAX / 2;

/// Members that are named in one step.
const GONE_TOGETHER: usize = 500;

/// Whether lines of this process can go to another: what it publishes is in a store that went first,
/// and no other nodes know its lines.
pub(super) fn can_move(node: &Node) -> bool {
    let broker = node.exchange.broker();
    node.settings().config.upgrade.lines && broker.store().is_some() && broker.link().is_none()
}

/// Has the lines of this process go to the other, as far as they can within this time. The others stay
/// as they are.
pub(super) fn move_lines(node: &Node, lines: UnixStream, timeout: Duration) {
    let Ok(talk) = Talk::on(lines) else { return };
    let mut mover = Mover { node, talk, until: Instant::now() + timeout, moved: HashSet::new() };
    let went = mover.run();
    for shard in node.exchange.shards() {
        shard.inbox.put([ShardMessage::Departure(Departure::End)]);
    }
    let moved = mover.moved.len();
    let stay = usize::try_from(node.settings().guard.lines()).unwrap_or(usize::MAX);
    node.metrics.lines_left(moved, stay);
    node.log.lines_left(moved, stay, went.err().map(|broken| broken.to_string()).as_deref());
}

struct Mover<'a> {
    node: &'a Node,
    talk: Talk,
    until: Instant,
    /// Clients that the other process has.
    moved: HashSet<Arc<str>>,
}

impl Mover<'_> {
    fn run(&mut self) -> Result<(), Broken> {
        self.call()?;
        // From here on what others see of those that rest does not change.
        let there = self.node.exchange.settle_members();
        let node = self.node;
        for shard in node.exchange.shards() {
            while self.pass(shard)? {}
        }
        self.tell_gone(there)?;
        self.talk.say(&Step::LinesEnd)
    }

    /// Waits until all lines that may go are at rest, but not for long.
    fn call(&self) -> Result<(), Broken> {
        let shards = self.node.exchange.shards();
        let rests = Instant::now() + REST_TIMEOUT;
        while Instant::now() < rests {
            let (count, counted) = mpsc::channel();
            for shard in shards {
                shard.inbox.put([ShardMessage::Departure(Departure::Call(count.clone()))]);
            }
            drop(count);
            let mut most = 0;
            for _ in shards {
                most += counted.recv_timeout(SHARD_TIMEOUT).map_err(|_| no_answer())?;
            }
            let again = Instant::now() + CALL_EVERY;
            while Instant::now() < again {
                if shards.iter().map(|shard| shard.departures.parked()).sum::<usize>() >= most {
                    return Ok(());
                }
                thread::sleep(LOOK_EVERY);
            }
        }
        Ok(())
    }

    /// Passes some lines of a thread; returns whether there may be more.
    fn pass(&mut self, shard: &Arc<Shard>) -> Result<bool, Broken> {
        if Instant::now() > self.until {
            return Err(Broken::TimedOut(self.node.settings().config.upgrade.timeout));
        }
        let (leaving, left) = mpsc::sync_channel(1);
        let leave = Departure::Leave(PASSED_MAX, leaving);
        shard.inbox.put([ShardMessage::Departure(leave)]);
        let mut lines = left.recv_timeout(SHARD_TIMEOUT).map_err(|_| no_answer())?;
        let are_more = !lines.is_empty();
        let mut passed = Ok(());
        while passed.is_ok() && !lines.is_empty() {
            passed = self.pass_together(shard, &mut lines);
        }
        // Nobody has these.
        if !lines.is_empty() {
            shard.inbox.put([ShardMessage::Departure(Departure::TurnAway(lines))]);
        }
        passed.map(|()| are_more)
    }

    /// Passes as many as go into one step, and takes them off the list when the other has them.
    fn pass_together(&mut self, shard: &Shard, lines: &mut Vec<Leaving>) -> Result<(), Broken> {
        let mut sessions: Vec<String> = Vec::new();
        let mut bytes = 0;
        for line in lines.iter() {
            let session = BASE64.encode(line.baggage.to_bytes());
            bytes += session.len();
            if bytes > SESSIONS_BYTES_MAX && !sessions.is_empty() {
                break;
            }
            sessions.push(session);
        }
        let count = sessions.len();
        let sockets: Vec<_> = lines[..count].iter().map(|line| line.stream.as_fd()).collect();
        self.talk.say_with(&Step::Lines { sessions }, &sockets)?;
        drop(sockets);
        let Step::Taken { refused } =
            self.talk.hear(self.until.saturating_duration_since(Instant::now()))?
        else {
            return Err(Broken::Strange("not what became of the lines".to_owned()));
        };
        let mut turned_away = Vec::new();
        for (index, line) in lines.drain(..count).enumerate() {
            match refused.contains(&index) {
                true => turned_away.push(line),
                false => drop(self.moved.insert(line.baggage.client().clone())),
            }
        }
        if !turned_away.is_empty() {
            shard.inbox.put([ShardMessage::Departure(Departure::TurnAway(turned_away))]);
        }
        Ok(())
    }

    /// Tells who was on the channels and does not come along.
    fn tell_gone(&self, there: Vec<(ChannelName, Vec<Member>)>) -> Result<(), Broken> {
        for (channel, members) in there {
            let is_gone = |member: &Member| !self.moved.contains(&member.client_id);
            // Who they were is enough for those who hear that they went.
            let name = |member: Member| Member { info: None, status: None, data: None, ..member };
            let gone: Vec<_> = members.into_iter().filter(is_gone).map(name).collect();
            for part in gone.chunks(GONE_TOGETHER) {
                let part: Vec<Person> = part.iter().map(Person::from).collect();
                let bytes = postcard::to_allocvec(&[(Name(channel.clone()), part)].as_slice());
                let bytes = bytes.map_err(|error| Broken::Strange(error.to_string()))?;
                self.talk.say(&Step::Gone { members: BASE64.encode(bytes) })?;
            }
        }
        Ok(())
    }
}

fn no_answer() -> Broken {
    Broken::TimedOut(SHARD_TIMEOUT)
}
