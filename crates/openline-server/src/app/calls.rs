//! [`Calls`]: the handlers of one client that are at work.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context as TaskContext, Poll};

use openline_protocol::Data;
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;

use super::call::Responder;
use super::client::Client;
use super::deadlines::Ticket;
use super::handlers::Work;
use super::payload::{Arity, Payload};
use super::reply::{Answer, Refusal};

/// The handlers of one client that are at work. They run in one task, so that each begins when the one
/// before has come to its first wait; the task ends when there is nothing to do.
#[derive(Debug)]
pub(crate) struct Calls {
    state: Mutex<State>,
    /// Something was put in, or is to be dropped.
    news: Notify,
    room: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    driver: Option<AbortHandle>,
    ended: bool,
}

/// One call.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) responder: Arc<Responder>,
    /// Its deadline. Dropping it takes the deadline back.
    pub(crate) ticket: Ticket,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("responder", &self.responder).finish_non_exhaustive()
    }
}

impl Calls {
    /// None yet, and so many at a time.
    pub(crate) fn new(at_work_max: usize) -> Self {
        Self { state: Mutex::default(), news: Notify::new(), room: Semaphore::new(at_work_max) }
    }

    /// Waits until one more may be put in.
    pub(crate) async fn room(&self) {
        if let Ok(permit) = self.room.acquire().await {
            permit.forget();
        }
    }

    /// Puts a call in, for which there is [room](Self::room).
    pub(crate) fn put(client: &Arc<Client>, job: Job) {
        let mut state = client.calls.state();
        if state.ended {
            return;
        }
        state.waiting.push_back(job);
        match state.driver {
            Some(_) => client.calls.news.notify_one(),
            None => {
                let driver = client.node().operator.spawn(drive(client.clone()));
                state.driver = Some(driver.abort_handle());
            }
        }
    }

    /// Whether there are any that are not done.
    pub(crate) fn are_at_work(&self) -> bool {
        self.state().driver.is_some()
    }

    /// Something that was put in is done already: its deadline has passed.
    pub(crate) fn expired(&self) {
        self.news.notify_one();
    }

    /// Drops all that is at work.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.waiting.clear();
        if let Some(driver) = state.driver.take() {
            driver.abort();
        }
    }

    /// Moves what waits; returns false if there is nothing to do any more and the driver is to end.
    fn take(&self, jobs: &mut Vec<Job>) -> bool {
        let mut state = self.state();
        jobs.extend(state.waiting.drain(..));
        if jobs.is_empty() {
            state.driver = None;
            // Most clients say little.
            state.waiting = VecDeque::new();
        }
        !jobs.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing under this lock panics")
    }
}

async fn drive(client: Arc<Client>) {
    let mut jobs = Vec::new();
    while client.calls.take(&mut jobs) {
        let mut news = pin!(client.calls.news.notified());
        poll_fn(|cx| {
            let before = jobs.len();
            jobs.retain_mut(|job| !job.poll(&client, cx));
            client.calls.room.add_permits(before - jobs.len());
            match jobs.len() < before || news.as_mut().poll(cx).is_ready() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

impl Job {
    /// Goes on; returns whether it is done.
    fn poll(&mut self, client: &Client, cx: &mut TaskContext<'_>) -> bool {
        if self.ticket.has_passed() {
            return true;
        }
        // What the future holds is not used again.
        let result = match catch_unwind(AssertUnwindSafe(|| self.work.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(result)) => result,
            Err(_) => {
                client.node().metrics.panicked();
                Err(Refusal::internal("it panicked"))
            }
        };
        // Somebody keeps the way of the answer for later. The work itself holds no more of it.
        let is_kept = Arc::strong_count(&self.responder) > 1;
        match result {
            Ok(Answer::Reply(payload)) if is_kept && is_nothing(&payload) => self.ticket.keep(),
            result => self.responder.respond(result),
        }
        true
    }
}

fn is_nothing(payload: &Payload) -> bool {
    payload.arity() == Arity::None && *payload.data() == Data::null()
}
