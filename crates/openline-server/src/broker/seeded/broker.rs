//! Bugs in what a broker does and answers.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use openline_engine::{Draft, Extent, Page, PageLimits, Query, Recovery};
use openline_protocol::{ChannelName, Position, Publication, Reason};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::tail::{untagged, without_tag};
use super::{Bug, State};
use crate::broker::{Answer, Broker, BrokerError, BrokerHealth, GiveError, Link, Published};

/// How long a joining reader has between the history and going live.
pub(super) const UNMERGED: Duration = Duration::from_millis(20);

/// How long an ack waits for its entry to be written.
const PATIENCE: Duration = Duration::from_millis(25);

/// Enough for all that a channel of a test keeps.
const WHOLE: PageLimits = PageLimits { publications_max: 20_000, bytes_max: 32 << 20 };

/// So many more entries are read as may be published while they are.
const MEANWHILE: usize = 100;

pub(super) struct SeededBroker {
    broker: Arc<dyn Broker>,
    bug: Bug,
    state: Arc<State>,
    /// Tells the keys of this run from those of others.
    run: u64,
    /// Where channels were when something was published to them last.
    heads: Arc<Mutex<HashMap<ChannelName, Position>>>,
}

impl SeededBroker {
    pub(super) fn new(broker: Arc<dyn Broker>, bug: Bug, state: Arc<State>) -> Self {
        state.embedded.store(broker.link().is_none(), Ordering::Relaxed);
        Self { broker, bug, state, run: rand::random(), heads: Arc::default() }
    }

    /// Acks after a while whatever became of the entry, with the position that it should get.
    fn ack_early(&self, draft: Draft, except: Option<Arc<str>>) -> Answer<Published> {
        let (channel, heads) = (draft.channel.clone(), self.heads.clone());
        let answer = self.broker.publish(draft, except);
        later(async move {
            let answer = tokio::time::timeout(PATIENCE, answer).await;
            let mut heads = heads.lock().expect("nothing under this lock panics");
            match answer {
                Ok(Ok(published)) => {
                    if let Some(position) = published.position {
                        heads.insert(channel, position);
                    }
                    Ok(published)
                }
                Ok(Err(error)) if error != BrokerError::Unavailable => Err(error),
                _ => {
                    let head = heads.get_mut(&channel).ok_or(BrokerError::Unavailable)?;
                    head.offset += 1;
                    head.tag = rand::random();
                    let (position, timestamp) = (Some(*head), 0);
                    Ok(Published { position, timestamp, duplicate: false })
                }
            }
        })
    }
}

impl Broker for SeededBroker {
    fn publish(&self, mut draft: Draft, except: Option<Arc<str>>) -> Answer<Published> {
        match self.bug {
            Bug::ForgetKeys => {
                draft.key = draft.key.map(|key| format!("{key}-{:016x}", self.run).into());
            }
            Bug::EarlyAck if !self.state.embedded.load(Ordering::Relaxed) => {
                return self.ack_early(draft, except);
            }
            _ => {}
        }
        let answer = self.broker.publish(draft, except);
        if self.bug != Bug::ReuseOffset {
            return answer;
        }
        map(answer, |published| Published {
            position: published.position.map(without_tag),
            ..published
        })
    }

    fn recover(
        &self,
        channel: &ChannelName,
        since: Position,
        limits: &PageLimits,
    ) -> Answer<Recovery> {
        let (broker, bug) = (self.broker.clone(), self.bug);
        let (channel, limits) = (channel.clone(), *limits);
        match bug {
            Bug::SkipMerge => later(recover_unmerged(broker, channel, since, limits)),
            Bug::ReuseOffset => later(async move {
                let since = tagged(&*broker, &channel, since).await?;
                let mut recovery = broker.recover(&channel, since, &limits).await?;
                recovery.head = without_tag(recovery.head);
                if let Ok(missed) = &mut recovery.missed {
                    untag(missed);
                }
                Ok(recovery)
            }),
            Bug::IgnoreChain => later(recover_unchained(broker, channel, since, limits)),
            _ => map(broker.recover(&channel, since, &limits), move |mut recovery| {
                if let Ok(missed) = &mut recovery.missed {
                    bug.answer(missed);
                }
                recovery
            }),
        }
    }

    fn query(
        &self,
        channel: &ChannelName,
        query: &Query,
        limits: &PageLimits,
    ) -> Answer<Result<Page, Reason>> {
        let (broker, bug) = (self.broker.clone(), self.bug);
        if bug != Bug::ReuseOffset {
            return map(broker.query(channel, query, limits), move |mut page| {
                if let Ok(page) = &mut page {
                    bug.answer(&mut page.publications);
                }
                page
            });
        }
        let (channel, mut query, limits) = (channel.clone(), query.clone(), *limits);
        later(async move {
            for position in [&mut query.since, &mut query.before].into_iter().flatten() {
                *position = tagged(&*broker, &channel, *position).await?;
            }
            let mut page = broker.query(&channel, &query, &limits).await?;
            if let Ok(page) = &mut page {
                page.head = without_tag(page.head);
                untag(&mut page.publications);
            }
            Ok(page)
        })
    }

    fn extent(&self, channel: &ChannelName) -> Answer<Option<Extent>> {
        self.broker.extent(channel)
    }

    fn clear(&self, channel: &ChannelName) -> Answer<()> {
        self.broker.clear(channel)
    }

    fn listen(&self, channel: &ChannelName) -> Answer<()> {
        self.state.listening().entry(channel.clone()).or_default();
        self.broker.listen(channel)
    }

    fn unlisten(&self, channel: &ChannelName) {
        if self.state.tail.get().is_some_and(|tail| !tail.is_heard(channel)) {
            self.state.listening().remove(channel);
        }
        self.broker.unlisten(channel);
    }

    fn link(&self) -> Option<Arc<dyn Link>> {
        self.broker.link()
    }

    fn sweep(&self) {
        self.broker.sweep();
    }

    fn give(&self) -> Result<(), GiveError> {
        self.broker.give()
    }

    fn take_back(&self) -> Result<(), GiveError> {
        self.broker.take_back()
    }

    fn level(&self) -> &'static str {
        self.broker.level()
    }

    fn store(&self) -> Option<crate::store::Health> {
        self.broker.store()
    }

    fn health(&self) -> BrokerHealth {
        self.broker.health()
    }
}

/// What was missed when it was asked, with the head of a moment later.
async fn recover_unmerged(
    broker: Arc<dyn Broker>,
    channel: ChannelName,
    since: Position,
    limits: PageLimits,
) -> Result<Recovery, BrokerError> {
    let mut recovery = broker.recover(&channel, since, &limits).await?;
    if recovery.missed.is_ok() {
        tokio::time::sleep(UNMERGED).await;
        let query = Query { limit: Some(0), ..Query::default() };
        if let Ok(page) = broker.query(&channel, &query, &limits).await? {
            recovery.head = page.head;
        }
    }
    Ok(recovery)
}

/// What has a higher offset than `since`, whatever it follows on.
async fn recover_unchained(
    broker: Arc<dyn Broker>,
    channel: ChannelName,
    since: Position,
    limits: PageLimits,
) -> Result<Recovery, BrokerError> {
    let recovery = broker.recover(&channel, since, &limits).await?;
    if !matches!(recovery.missed, Err(Reason::Fork | Reason::Epoch)) {
        return Ok(recovery);
    }
    let Ok(mut page) = broker.query(&channel, &Query::default(), &WHOLE).await? else {
        return Ok(recovery);
    };
    let is_later = |publication: &Arc<Publication>| {
        publication.position.is_some_and(|at| at.offset > since.offset)
    };
    page.publications.retain(is_later);
    Ok(Recovery { missed: Ok(page.publications), head: page.head })
}

/// The position that the store has at this offset now.
async fn tagged(
    broker: &dyn Broker,
    channel: &ChannelName,
    position: Position,
) -> Result<Position, BrokerError> {
    let newest = |count| {
        let query = Query { limit: Some(count), ..Query::default() };
        broker.query(channel, &query, &WHOLE)
    };
    let Ok(page) = newest(0).await? else { return Ok(position) };
    let Some(behind) = page.head.offset.checked_sub(position.offset) else { return Ok(position) };
    if behind == 0 {
        return Ok(Position { tag: page.head.tag, ..position });
    }
    // What was published meanwhile is newer than what is looked for.
    let count = usize::try_from(behind).unwrap_or(usize::MAX).saturating_add(MEANWHILE);
    let Ok(page) = newest(count.min(WHOLE.publications_max)).await? else { return Ok(position) };
    let next = page.publications.iter().find(|publication| {
        publication.position.is_some_and(|at| at.offset - 1 == position.offset)
    });
    Ok(next.map_or(position, |next| Position { tag: next.prev_tag, ..position }))
}

fn untag(publications: &mut [Arc<Publication>]) {
    for publication in publications {
        *publication = untagged(publication);
    }
}

fn map<T, U>(answer: Answer<T>, change: impl FnOnce(T) -> U + Send + 'static) -> Answer<U>
where
    T: Send + Unpin + 'static,
    U: Send + 'static,
{
    match answer.try_now() {
        Ok(result) => Answer::now(result.map(change)),
        Err(answer) => later(async move { answer.await.map(change) }),
    }
}

/// An answer that takes a task of its own. The runtime is never dropped: brokers are, within others.
fn later<T: Send + 'static>(
    work: impl Future<Output = Result<T, BrokerError>> + Send + 'static,
) -> Answer<T> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("seeded").enable_time().build();
        runtime.expect("a thread can be started for a test")
    });
    let (waiter, answer) = oneshot::channel();
    runtime.spawn(async move {
        // Who has gone meanwhile does not need to know.
        let _ = waiter.send(work.await);
    });
    Answer::Later(answer)
}
