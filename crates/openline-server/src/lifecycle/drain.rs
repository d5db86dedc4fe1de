//! [`run`]: a drain from its beginning to its end. One task paces the lines of all threads.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use openline_engine::{Hub, SessionKey};
use openline_protocol::close;
use tokio::time::{Instant, sleep_until};

use super::Drain;
use super::hint::Hints;
use super::schedule::{Due, Schedule};
use crate::exchange::{Ending, Seat};
use crate::node::Node;
use crate::shard::Shard;

/// How often is looked whether anybody is left, and whether lines that are at work still are.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A line that was at work is closed once it was not for so many looks: by then the client has what
/// came of it.
const IDLE_LOOKS: u8 = 2;

/// What clients are told of it.
const REASON: &str = "server stops";

/// Drains the server when it is to drain, and stops it then.
pub(crate) async fn run(node: Arc<Node>) {
    let Some(drain) = node.lifecycle.draining().await else { return };
    tokio::select! {
        () = conduct(&node, &drain) => {}
        () = node.lifecycle.stopped() => {}
    }
    node.lifecycle.stop();
}

async fn conduct(node: &Node, drain: &Drain) {
    node.log.draining(node.settings().guard.lines(), &drain.terms);
    if drain.terms.is_stop() {
        return;
    }
    sleep_until(drain.begins_at()).await;
    let mut conductor = Conductor::new(node, drain);
    let mut look_at = Instant::now();
    loop {
        let now = Instant::now();
        conductor.handle_time();
        if now >= look_at {
            look_at = now + LOOK_EVERY;
            conductor.look();
            if now >= drain.ends_at() || is_empty(node) {
                break;
            }
        }
        let due_at = conductor.poll_deadline().unwrap_or(look_at);
        sleep_until(due_at.min(look_at)).await;
    }
    conductor.finish();
}

/// Nobody is there, and nobody waits for an answer.
fn is_empty(node: &Node) -> bool {
    node.settings().guard.lines() == 0
        && node.lifecycle.requests() == 0
        && node.exchange.shards().iter().all(|shard| shard.hub().is_empty())
}

/// A line, and what it is drawn for when its client is to come back.
#[derive(Debug, Clone, Copy)]
struct Turn {
    shard: usize,
    key: SessionKey,
    number: u64,
    random: u64,
}

/// A line that is to be closed when it is not at work.
#[derive(Debug, Clone, Copy)]
struct Held {
    turn: Turn,
    /// Looks in a row that found it idle.
    idle_looks: u8,
}

/// What became of the lines.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Went by themselves, after they were told or before.
    pub(crate) left: u64,
    /// Were closed at their turn.
    pub(crate) closed: u64,
    /// Were still there when the time was over.
    pub(crate) cut: u64,
}

struct Conductor<'a> {
    node: &'a Node,
    shards: &'a [Arc<Shard>],
    notice: Duration,
    begun: Instant,
    hints: Hints,
    schedule: Schedule<Turn>,
    /// Numbers of the lines that have a turn, or had one.
    known: HashSet<u64>,
    /// Of those that were closed when they were told.
    ended: HashSet<u64>,
    held: Vec<Held>,
    tally: Tally,
}

impl<'a> Conductor<'a> {
    fn new(node: &'a Node, drain: &Drain) -> Self {
        let shards = node.exchange.shards();
        let (duration, notice) = (drain.terms.duration, drain.terms.notice);
        let lines: Vec<_> = shards.iter().enumerate().flat_map(turns).collect();
        let known = lines.iter().map(|turn| turn.number).collect();
        Self {
            node,
            shards,
            notice,
            begun: drain.begins_at(),
            hints: Hints::of(node, drain),
            schedule: Schedule::new(lines, duration, notice, &mut rand::rng()),
            known,
            ended: HashSet::new(),
            held: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// When something is due.
    fn poll_deadline(&self) -> Option<Instant> {
        self.schedule.poll_deadline().map(|at| self.begun + at)
    }

    /// Does what is due.
    fn handle_time(&mut self) {
        while let Some(due) = self.schedule.poll(self.begun.elapsed()) {
            match due {
                Due::Tell(turn) => self.tell(turn),
                Due::Close(turn) => self.close(Held { turn, idle_looks: IDLE_LOOKS - 1 }),
            }
        }
    }

    fn tell(&mut self, turn: Turn) {
        let shards = self.shards;
        let hub = shards[turn.shard].hub();
        let Some(seat) = turn.seat(&hub) else { return };
        let retry_after_ms = self.retry_after_ms(turn, self.notice);
        let is_told = seat.line.will_close(self.notice, retry_after_ms);
        // What knows no notice has its turn now, unless it is at work.
        if !is_told && !turn.is_at_work(&hub, self.node) {
            self.end(turn, seat);
            self.ended.insert(turn.number);
        }
    }

    fn close(&mut self, Held { turn, idle_looks }: Held) {
        if self.ended.contains(&turn.number) {
            return;
        }
        let shards = self.shards;
        let hub = shards[turn.shard].hub();
        let Some(seat) = turn.seat(&hub) else {
            self.tally.left += 1;
            return;
        };
        let idle_looks = if turn.is_at_work(&hub, self.node) { 0 } else { idle_looks + 1 };
        match idle_looks < IDLE_LOOKS {
            true => self.held.push(Held { turn, idle_looks }),
            false => self.end(turn, seat),
        }
    }

    fn end(&mut self, turn: Turn, seat: &Seat) {
        let retry_after_ms = self.retry_after_ms(turn, Duration::ZERO);
        let ending = Ending::new(close::SERVICE_RESTART, REASON);
        seat.line.end(ending.retry_after(retry_after_ms));
        self.tally.closed += 1;
    }

    /// When the client of a line that is closed in so long is wanted back, counted from then.
    fn retry_after_ms(&self, turn: Turn, closes_in: Duration) -> u64 {
        self.hints.retry_after_ms(self.begun.elapsed() + closes_in, turn.random)
    }

    /// Looks at what has no time of its own: lines that were at work, and lines that came late.
    fn look(&mut self) {
        for held in std::mem::take(&mut self.held) {
            self.close(held);
        }
        if self.schedule.poll_deadline().is_some() {
            return;
        }
        let now = self.begun.elapsed();
        let late: Vec<_> = self.shards.iter().enumerate().flat_map(turns).collect();
        for turn in late {
            if self.known.insert(turn.number) {
                self.schedule.handle_late(now, turn);
                self.tell(turn);
            }
        }
        // Connections of Engine.IO without a session, which are in no hub.
        for shard in self.shards {
            shard.heartbeats.close_all();
        }
    }

    /// The time is over, or nobody is there any more.
    fn finish(mut self) {
        for shard in self.shards {
            for (_, seat) in shard.hub().lines() {
                seat.line.close(close::GOING_AWAY, REASON);
                self.tally.cut += 1;
            }
        }
        self.node.log.drained(&self.tally, self.begun.elapsed());
    }
}

/// All lines of a thread.
fn turns((index, shard): (usize, &Arc<Shard>)) -> Vec<Turn> {
    let turn = |(key, seat): (SessionKey, &Seat)| Turn {
        shard: index,
        key,
        number: seat.number,
        random: rand::random(),
    };
    shard.hub().lines().map(turn).collect()
}

impl Turn {
    /// The line, if it is still there.
    fn seat(self, hub: &Hub<Seat>) -> Option<&Seat> {
        hub.line(self.key).filter(|seat| seat.number == self.number)
    }

    /// Whether its client waits for a handler or for the backend.
    fn is_at_work(self, hub: &Hub<Seat>, node: &Node) -> bool {
        let app = hub.line(self.key).and_then(|seat| seat.app.as_ref());
        app.is_some_and(|app| app.calls.are_at_work())
            || hub.client_of(self.key).is_some_and(|client| node.asked.is_asked_for(client))
    }
}
