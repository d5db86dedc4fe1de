//! Asking all nodes something, with a deadline.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use super::Cluster;
use super::message::Message;
use super::question::{Answer, Question};
use crate::broker::NodeId;
use crate::node::Node;

/// How long nodes have to answer, and when those are asked again that have not.
const DEADLINE: Duration = Duration::from_secs(1);
const AGAIN_AFTER: Duration = Duration::from_millis(400);

/// Questions of other nodes that are worked on at a time. Beyond it they are not answered.
const ANSWERING_MAX: usize = 64;

/// Questions that are not answered yet.
#[derive(Debug)]
pub(super) struct Inquiries {
    state: Mutex<State>,
    answering: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct State {
    number: u64,
    open: HashMap<u64, Open>,
}

#[derive(Debug)]
struct Open {
    waiting: BTreeSet<NodeId>,
    answers: Vec<Answer>,
    /// Those that answered that they do not do it.
    refused: Vec<NodeId>,
    /// Gone when nobody is waited for any more.
    done: Option<oneshot::Sender<()>>,
}

/// What the other nodes have answered.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) answers: Vec<Answer>,
    /// The names of those that have not, in time or at all.
    pub(crate) missing: Vec<String>,
}

impl Default for Inquiries {
    fn default() -> Self {
        Self { state: Mutex::default(), answering: Arc::new(Semaphore::new(ANSWERING_MAX)) }
    }
}

impl Inquiries {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing under this lock panics")
    }

    fn settle(&self, number: u64, node: NodeId, answer: Answer) {
        let mut state = self.state();
        let Some(open) = state.open.get_mut(&number) else { return };
        if !open.waiting.remove(&node) {
            return;
        }
        match answer {
            Answer::Refused(_) => open.refused.push(node),
            answer => open.answers.push(answer),
        }
        if open.waiting.is_empty() {
            open.done = None;
        }
    }
}

/// Takes a question out when whoever asked it is gone.
struct Asked<'a> {
    inquiries: &'a Inquiries,
    number: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.inquiries.state().open.remove(&self.number);
    }
}

impl Cluster {
    /// Asks all other nodes, and waits a second for them at most.
    pub(crate) async fn inquire(&self, question: Question) -> Answers {
        let names: HashMap<NodeId, String> = {
            let peers = self.peers();
            peers.iter().map(|(node, peer)| (NodeId(node), peer.about.name.clone())).collect()
        };
        if names.is_empty() {
            return Answers::default();
        }
        let (done, mut is_done) = oneshot::channel();
        let number = {
            let mut state = self.inquiries.state();
            state.number += 1;
            let (waiting, answers) = (names.keys().copied().collect(), Vec::new());
            let open = Open { waiting, answers, refused: Vec::new(), done: Some(done) };
            let number = state.number;
            state.open.insert(number, open);
            number
        };
        let asked = Asked { inquiries: &self.inquiries, number };
        let deadline = Instant::now() + DEADLINE;
        let message = Message::Question { number, question };
        let _ = self.cast(&message);
        if timeout_at(Instant::now() + AGAIN_AFTER, &mut is_done).await.is_err() {
            for node in self.unanswered(number) {
                let _ = self.tell(node, &message);
            }
            let _ = timeout_at(deadline, is_done).await;
        }
        let open = self.inquiries.state().open.remove(&number);
        drop(asked);
        let Some(open) = open else { return Answers::default() };
        let without = open.waiting.into_iter().chain(open.refused);
        let mut missing: Vec<String> =
            without.filter_map(|node| names.get(&node).cloned()).collect();
        missing.sort_unstable();
        Answers { answers: open.answers, missing }
    }

    fn unanswered(&self, number: u64) -> Vec<NodeId> {
        let state = self.inquiries.state();
        state.open.get(&number).map_or_else(Vec::new, |o| o.waiting.iter().copied().collect())
    }

    pub(super) fn hear_answer(&self, from: NodeId, number: u64, answer: Answer) {
        self.inquiries.settle(number, from, answer);
    }

    /// A node that is gone has no answer, and nobody need wait for it.
    pub(super) fn inquire_no_more(&self, node: NodeId) {
        let mut state = self.inquiries.state();
        for open in state.open.values_mut() {
            if open.waiting.remove(&node) && open.waiting.is_empty() {
                open.done = None;
            }
        }
    }

    /// Answers another node, in its own time.
    pub(super) fn answer_question(
        &self,
        node: &Arc<Node>,
        from: NodeId,
        number: u64,
        question: Question,
    ) {
        let Ok(permit) = self.inquiries.answering.clone().try_acquire_owned() else { return };
        let node = node.clone();
        tokio::spawn(async move {
            let answer = crate::api::answer_here(&node, &question).await;
            let answer = answer.unwrap_or_else(|fault| Answer::Refused(fault.message));
            if let Some(cluster) = node.cluster() {
                let said = cluster.tell(from, &Message::Answer { number, answer });
                if said.is_err() {
                    let answer = Answer::Refused("the answer is too long".to_owned());
                    let _ = cluster.tell(from, &Message::Answer { number, answer });
                }
            }
            drop(permit);
        });
    }
}
