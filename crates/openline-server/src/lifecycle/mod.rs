//! How far a server is: it serves, it drains, it stops.

mod drain;
mod hint;
mod refusal;
mod schedule;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::config::{self, Config};

pub(crate) use drain::{Tally, run};
pub(crate) use refusal::admit;

/// How long after the last line was to be closed the server ends in any case.
const GRACE: Duration = Duration::from_secs(10);

/// How a drain goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// New lines are taken for so long: load balancers need a while to learn that there are to be
    /// none.
    pub(crate) delay: Duration,
    /// Lines are closed evenly over so long.
    pub(crate) duration: Duration,
    /// A line is told so long before it is closed.
    pub(crate) notice: Duration,
    /// New connections are accepted. They are not where another process has taken the socket over:
    /// its clients go there.
    pub(crate) listens: bool,
    /// New lines are refused after the delay. Otherwise they are let in, told and closed.
    pub(crate) refuses: bool,
}

impl Terms {
    /// Those of `[drain]`.
    pub(crate) fn of(config: &Config) -> Self {
        let config::Drain { delay, duration, notice, .. } = config.drain;
        Self { delay, duration, notice, listens: true, refuses: true }
    }

    /// There is nothing to wait for: a drain is a stop.
    fn is_stop(&self) -> bool {
        [self.delay, self.duration, self.notice].iter().all(Duration::is_zero)
    }
}

/// A drain that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Drain {
    pub(crate) terms: Terms,
    pub(crate) since: Instant,
}

impl Drain {
    /// When lines begin to be told.
    pub(crate) fn begins_at(&self) -> Instant {
        self.since + self.terms.delay
    }

    /// When the last line that has a turn is closed.
    pub(crate) fn closes_until(&self) -> Instant {
        self.begins_at() + self.terms.duration + self.terms.notice
    }

    /// When the server ends, whatever is left.
    pub(crate) fn ends_at(&self) -> Instant {
        self.closes_until() + GRACE
    }
}

/// How far a server is. It goes one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    /// Clients are sent elsewhere, a few at a time.
    Draining(Drain),
    /// Whoever is still there goes now.
    Stopped,
}

/// The phase of a server, for all that have to know or may change it. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Lifecycle {
    phase: watch::Sender<Phase>,
    /// Of drains that begin.
    terms: Arc<Mutex<Terms>>,
    /// HTTP requests that are not answered yet, and connections without a first one.
    requests: Arc<AtomicUsize>,
    /// The process that has taken over.
    successor: Arc<OnceLock<u32>>,
}

/// A request that is not answered yet, or not there yet, until this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<AtomicUsize>);

impl Lifecycle {
    /// Of a server that serves.
    pub(crate) fn new(terms: Terms) -> Self {
        Self {
            phase: watch::Sender::new(Phase::Serving),
            terms: Arc::new(Mutex::new(terms)),
            requests: Arc::default(),
            successor: Arc::default(),
        }
    }

    /// Has drains go by other terms. One that has begun goes on as it does.
    pub(crate) fn set_terms(&self, terms: Terms) {
        *self.terms.lock().unwrap_or_else(PoisonError::into_inner) = terms;
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    pub(crate) fn is_serving(&self) -> bool {
        self.phase() == Phase::Serving
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.phase() == Phase::Stopped
    }

    /// Begins a drain by the terms of the configuration. One that has begun goes on as it does.
    pub(crate) fn drain(&self) {
        let terms = *self.terms.lock().unwrap_or_else(PoisonError::into_inner);
        self.drain_by(terms);
    }

    /// Begins a drain by these terms. One that has begun goes on as it does.
    pub(crate) fn drain_by(&self, terms: Terms) {
        self.phase.send_if_modified(|phase| {
            let is_first = *phase == Phase::Serving;
            if is_first {
                *phase = Phase::Draining(Drain { terms, since: Instant::now() });
            }
            is_first
        });
    }

    /// Begins a drain by these terms because another process has taken over.
    pub(crate) fn succeed(&self, process: u32, terms: Terms) {
        // Before the drain, which whoever waits for it may ask after.
        let _ = self.successor.set(process);
        self.drain_by(terms);
    }

    /// The process that has taken over, if one has.
    pub(crate) fn successor(&self) -> Option<u32> {
        self.successor.get().copied()
    }

    pub(crate) fn stop(&self) {
        self.phase.send_replace(Phase::Stopped);
    }

    /// Waits for a drain to begin; None if the server stops without one.
    pub(crate) fn draining(&self) -> impl Future<Output = Option<Drain>> + use<> {
        let mut phase = self.phase.subscribe();
        async move {
            match phase.wait_for(|phase| *phase != Phase::Serving).await.as_deref() {
                Ok(Phase::Draining(drain)) => Some(*drain),
                _ => None,
            }
        }
    }

    /// Waits until no connections are to be accepted any more.
    pub(crate) fn closed_to_connections(&self) -> impl Future<Output = ()> + use<> {
        let mut phase = self.phase.subscribe();
        async move {
            let is_closed = |phase: &Phase| match phase {
                Phase::Serving => false,
                Phase::Draining(drain) => !drain.terms.listens,
                Phase::Stopped => true,
            };
            let _ = phase.wait_for(is_closed).await;
        }
    }

    /// Waits for the server to stop.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + use<> {
        let mut phase = self.phase.subscribe();
        async move {
            // Without anybody who could stop it, it is as good as stopped.
            let _ = phase.wait_for(|phase| *phase == Phase::Stopped).await;
        }
    }

    /// A request begins, or a connection that is to bring one, which a drain waits for.
    pub(crate) fn request(&self) -> UnderWay {
        self.requests.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.requests.clone())
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle").field("phase", &self.phase()).finish_non_exhaustive()
    }
}
