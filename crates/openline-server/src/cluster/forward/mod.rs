//! [`Forwards`]: requests for sessions that are on other nodes, handed over by way of the broker, so
//! that whatever stands in front of the nodes may send a client's requests to any of them.
//!
//! What names a session begins with its node. The node that is asked checks what does not depend on
//! the session (the host, the page, the body's length), hands the rest over, and gives back what the
//! session's own node answers. That node does not hand it on: what it does not know is unknown.

mod carried;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod piece;
mod serve;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use ::http::header::RETRY_AFTER;
use ::http::{HeaderValue, Response, StatusCode};
use axum::body::Body;
use bytes::Bytes;
use openline_ws::Rejection;
use tokio::sync::oneshot;

use super::{Cluster, Message};
use crate::auth::Token;
use crate::broker::NodeId;
use crate::clock::Clock;
use crate::config::Config;
use crate::shard::{Shard, ShardMessage};

use carried::{CarriedAnswer, Errand};
pub(crate) use carried::{CarriedRequest, HandedOver};
pub(crate) use piece::Piece;
use piece::{Joiner, Side, split};
pub(crate) use serve::Handed;

/// Errands of this node that are under way, and those of others.
const ERRANDS_MAX: usize = 20_000;

/// What of errands may be here that is not whole, beside the longest one.
const PARTS_BYTES_MAX: usize = 64 << 20;

/// A node that has neither answered nor said by then that it is at it does not hear us.
const TAKEN_WITHIN: Duration = Duration::from_secs(2);

/// The way to the nodes that errands are handed to.
pub(crate) trait Neighbours: Send + Sync {
    /// Whether it is there, as far as is known.
    fn knows(&self, node: NodeId) -> bool;

    /// Says something to one of them.
    fn hand(&self, node: NodeId, piece: Piece);
}

/// Errands that are under way between this node and others.
pub(crate) struct Forwards {
    neighbours: OnceLock<Weak<dyn Neighbours>>,
    shards: Arc<[Arc<Shard>]>,
    clock: Clock,
    bytes_max: usize,
    state: Mutex<State>,
}

struct State {
    next: u64,
    /// Those of this node, by number.
    asked: HashMap<u64, Asked>,
    /// Those of others that are worked on. Dropping the sender stops the work.
    served: HashMap<(NodeId, u64), oneshot::Sender<()>>,
    joiner: Joiner,
}

struct Asked {
    to: NodeId,
    /// For when the other node says that it is at it.
    taken: Option<oneshot::Sender<()>>,
    answer: oneshot::Sender<CarriedAnswer>,
}

/// Why another node did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAnswered {
    /// It is not there: nothing was done.
    Gone,
    /// Too much is under way; nothing was done.
    Overloaded,
    /// It was sent, and what became of it is not known.
    Lost,
}

/// What waits for an answer. Dropping it tells the other node that nobody waits any more.
struct Waiting<'a> {
    forwards: &'a Forwards,
    number: u64,
}

impl Neighbours for Cluster {
    fn knows(&self, node: NodeId) -> bool {
        Self::knows(self, node)
    }

    fn hand(&self, node: NodeId, piece: Piece) {
        // A part is shorter than a message may be.
        let _ = self.tell(node, &Message::Forwarded(piece));
    }
}

impl Forwards {
    pub(crate) fn new(shards: Arc<[Arc<Shard>]>, clock: Clock, config: &Config) -> Arc<Self> {
        // A body is as long as a message; an answer holds what waited and one message more, which
        // becomes longer where it is made text.
        let limits = &config.limits;
        let bytes_max = 2 * (limits.message.bytes() + limits.queue.bytes()) + (1 << 20);
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX).min(u32::MAX as usize);
        let state = State {
            next: 0,
            asked: HashMap::new(),
            served: HashMap::new(),
            joiner: Joiner::new(bytes_max, bytes_max + PARTS_BYTES_MAX),
        };
        let (neighbours, state) = (OnceLock::new(), Mutex::new(state));
        Arc::new(Self { neighbours, shards, clock, bytes_max, state })
    }

    /// Whom errands are handed to; said once.
    pub(crate) fn connect<N: Neighbours + 'static>(&self, neighbours: Weak<N>) {
        let _ = self.neighbours.set(neighbours);
    }

    /// Whether errands can be handed to this node.
    pub(crate) fn knows(&self, node: NodeId) -> bool {
        self.neighbours().is_some_and(|neighbours| neighbours.knows(node))
    }

    /// Has another node answer a request. It has so long, once it has said that it is at it.
    pub(crate) async fn hand_over(
        &self,
        to: NodeId,
        request: CarriedRequest,
        within: Duration,
    ) -> Result<Response<Body>, NotAnswered> {
        let answer = self.send(to, &Errand::Request(request), within).await?;
        answer.open().ok_or(NotAnswered::Lost)
    }

    /// Takes a ticket that another node gave out; returns the token that it stands for. None if it
    /// was used or is too old.
    pub(crate) async fn redeem(
        &self,
        to: NodeId,
        ticket: &str,
    ) -> Result<Option<Token>, NotAnswered> {
        let answer = self.send(to, &Errand::Ticket(ticket.to_owned()), TAKEN_WITHIN).await?;
        Ok(answer.token())
    }

    async fn send(
        &self,
        to: NodeId,
        errand: &Errand,
        within: Duration,
    ) -> Result<CarriedAnswer, NotAnswered> {
        let neighbours =
            self.neighbours().filter(|neighbours| neighbours.knows(to)).ok_or(NotAnswered::Gone)?;
        let bytes = errand.to_bytes();
        if bytes.len() > self.bytes_max {
            return Err(NotAnswered::Overloaded);
        }
        let (answer, answered) = oneshot::channel();
        let (taken, is_taken) = oneshot::channel();
        let waiting = {
            let mut state = self.state();
            if state.asked.len() >= ERRANDS_MAX {
                return Err(NotAnswered::Overloaded);
            }
            state.next += 1;
            let number = state.next;
            state.asked.insert(number, Asked { to, taken: Some(taken), answer });
            Waiting { forwards: self, number }
        };
        for piece in split(waiting.number, Side::Request, &bytes) {
            neighbours.hand(to, piece);
        }
        drop((neighbours, bytes));
        tokio::select! {
            biased;
            answer = answered => answer.map_err(|_| NotAnswered::Lost),
            () = late(is_taken, within) => Err(NotAnswered::Lost),
        }
    }

    /// Another node said something.
    pub(crate) fn told(self: &Arc<Self>, from: NodeId, piece: Piece) {
        match piece {
            Piece::Part { number, side, at, of, bytes } => {
                let now_ms = self.clock.now_ms();
                let mut state = self.state();
                let way = (from, side, number);
                let Some(whole) = state.joiner.join(way, (at, of), bytes, now_ms) else { return };
                match side {
                    Side::Request => {
                        drop(state);
                        self.serve(from, number, &whole);
                    }
                    Side::Answer => state.answered(from, number, &whole),
                }
            }
            Piece::Taken { number } => {
                let mut state = self.state();
                let asked = state.asked.get_mut(&number).filter(|asked| asked.to == from);
                if let Some(taken) = asked.and_then(|asked| asked.taken.take()) {
                    let _ = taken.send(());
                }
            }
            Piece::GivenUp { number } => drop(self.state().served.remove(&(from, number))),
        }
    }

    /// A node is gone. What it was asked is not answered, and what it asked is not worked on.
    pub(crate) fn gone(&self, node: NodeId) {
        let mut state = self.state();
        state.asked.retain(|_, asked| asked.to != node);
        state.served.retain(|(from, _), _| *from != node);
        state.joiner.forget(node);
    }

    /// Something may have been missed: answers too.
    pub(crate) fn interrupted(&self) {
        let mut state = self.state();
        state.asked.clear();
        state.joiner.clear();
    }

    /// Has a thread work on what another node asks.
    fn serve(self: &Arc<Self>, from: NodeId, number: u64, errand: &Bytes) {
        let Some(errand) = Errand::from_bytes(errand) else { return };
        let mut state = self.state();
        if state.served.len() >= ERRANDS_MAX {
            drop(state);
            return self.answer(
                from,
                number,
                &CarriedAnswer::of(&NotAnswered::Overloaded.rejection()),
            );
        }
        let (given_up, is_given_up) = oneshot::channel();
        state.served.insert((from, number), given_up);
        drop(state);
        let handed = Handed { forwards: self.clone(), from, number, errand, is_given_up };
        let shard = &self.shards[(number % self.shards.len() as u64) as usize];
        shard.inbox.put([ShardMessage::HandedOver(Box::new(handed))]);
    }

    /// Says that an errand takes a while.
    fn take(&self, from: NodeId, number: u64) {
        if let Some(neighbours) = self.neighbours() {
            neighbours.hand(from, Piece::Taken { number });
        }
    }

    fn answer(&self, from: NodeId, number: u64, answer: &CarriedAnswer) {
        let mut bytes = answer.to_bytes();
        if bytes.len() > self.bytes_max {
            let message = "the answer is too long to be carried from another node";
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            let refused = Rejection::new(status, "internal", message);
            bytes = CarriedAnswer::of(&refused).to_bytes();
        }
        if let Some(neighbours) = self.neighbours() {
            for piece in split(number, Side::Answer, &bytes) {
                neighbours.hand(from, piece);
            }
        }
    }

    fn neighbours(&self) -> Option<Arc<dyn Neighbours>> {
        self.neighbours.get().and_then(Weak::upgrade)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing under this lock panics")
    }
}

/// Ready when no answer is to be waited for any more.
async fn late(is_taken: oneshot::Receiver<()>, within: Duration) {
    match tokio::time::timeout(TAKEN_WITHIN, is_taken).await {
        Ok(Ok(())) => tokio::time::sleep(within).await,
        // The answer is there, or will not be, which is told by its own channel.
        Ok(Err(_)) => std::future::pending().await,
        Err(_) => {}
    }
}

impl State {
    fn answered(&mut self, from: NodeId, number: u64, answer: &Bytes) {
        let is_theirs = self.asked.get(&number).is_some_and(|asked| asked.to == from);
        if !is_theirs {
            return;
        }
        if let Some(asked) = self.asked.remove(&number)
            && let Some(answer) = CarriedAnswer::from_bytes(answer)
        {
            // Who asked may have gone.
            drop(asked.answer.send(answer));
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let asked = self.forwards.state().asked.remove(&self.number);
        if let (Some(asked), Some(neighbours)) = (asked, self.forwards.neighbours()) {
            neighbours.hand(asked.to, Piece::GivenUp { number: self.number });
        }
    }
}

impl NotAnswered {
    /// For what cannot be done without the other node.
    pub(crate) fn rejection(self) -> Rejection {
        match self {
            Self::Gone | Self::Lost => {
                let message = "the session's node did not answer; whether it was done is not known";
                Rejection::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message)
            }
            Self::Overloaded => {
                let message =
                    "too many requests are under way between nodes; try again in a moment";
                Rejection::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message)
                    .header(RETRY_AFTER, HeaderValue::from_static("1"))
            }
        }
    }
}
