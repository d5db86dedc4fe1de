//! [`look`]: asking all shards something. Each answers in its turn, so that nobody holds its lock.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use openline_engine::Hub;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::{Shard, ShardMessage};
use crate::exchange::Seat;

/// How long shards have to answer.
const DEADLINE: Duration = Duration::from_secs(5);

type Question = dyn FnOnce(&Hub<Seat>) + Send;

/// A question that waits for a shard.
pub(crate) struct Look(Box<Question>);

impl Look {
    pub(super) fn answer(self, hub: &Hub<Seat>) {
        (self.0)(hub);
    }
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Look")
    }
}

/// What all shards answer; none if one of them does not in time. A question is to be short: the
/// shard's lines wait meanwhile.
pub(crate) async fn look<A, Q>(shards: &[Arc<Shard>], question: Q) -> Option<Vec<A>>
where
    A: Send + 'static,
    Q: Fn(&Hub<Seat>) -> A + Send + Sync + 'static,
{
    let asked = ask(shards, question);
    let deadline = Instant::now() + DEADLINE;
    let mut answers = Vec::with_capacity(asked.len());
    for answer in asked {
        answers.push(timeout_at(deadline, answer).await.ok()?.ok()?);
    }
    Some(answers)
}

/// Waits until each of these shards has had a turn since the call; for ever if one has none any more.
pub(crate) async fn turn(shards: &[Arc<Shard>]) {
    for answer in ask(shards, |_| ()) {
        // Whoever drops a question unanswered has had its turn too.
        let _ = answer.await;
    }
}

fn ask<A, Q>(shards: &[Arc<Shard>], question: Q) -> Vec<oneshot::Receiver<A>>
where
    A: Send + 'static,
    Q: Fn(&Hub<Seat>) -> A + Send + Sync + 'static,
{
    let question = Arc::new(question);
    let ask = |shard: &Arc<Shard>| {
        let (told, answer) = oneshot::channel();
        let question = question.clone();
        // Who asked may be gone.
        let look = move |hub: &Hub<Seat>| drop(told.send(question(hub)));
        shard.inbox.put([ShardMessage::Look(Look(Box::new(look)))]);
        answer
    };
    shards.iter().map(ask).collect()
}
