//! Webhooks: the operator's backend decides, and is told.
//!
//! *Deciding*: before a client connects, subscribes, publishes or has a request answered, the
//! backend is asked and its answer obeyed ([`Webhooks::decide`]). *Informing*: what has happened is
//! posted in batches, in order, at least once within the limits of [`Options`]
//! ([`Webhooks::inform`], [`Desk::run`]). Both are signed ([`Signer`]). `docs/webhooks.md` is
//! the contract with backends.
//!
//! Pure parts, with time and chance as arguments: `outbox` (what is sent when), `occupancy` (which
//! changes of a channel are worth telling), `backoff`, `pace`, `signature`, `verdict`.

mod backoff;
mod counters;
mod decide;
mod event;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod id;
mod inform;
mod kind;
mod occupancy;
mod options;
mod outbox;
mod pace;
mod question;
mod signature;
mod verdict;

#[cfg(test)]
mod decide_tests;
#[cfg(test)]
mod example_tests;
#[cfg(test)]
mod inform_tests;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use crate::outbound::{self, Allowed, Client, OutboundError, Response, Target};
use counters::Tally;
use id::Ids;
use outbox::Outbox;
use pace::Pace;
use signature::Signer;

pub(crate) use counters::Counters;
pub(crate) use event::Event;
pub(crate) use kind::{EventKind, Kind, QuestionKind};
pub(crate) use options::{Options, OptionsError, Secret};
pub(crate) use question::{Data, Question};
pub(crate) use verdict::{Answer, Denial, Verdict};

const SIGNATURE: HeaderName = HeaderName::from_static("openline-signature");
const EVENT_ID: HeaderName = HeaderName::from_static("openline-event-id");

/// The way to the operator's backend, as one configuration has it. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Webhooks {
    terms: Arc<Terms>,
    desk: Arc<Desk>,
}

/// What follows from a configuration.
struct Terms {
    options: Options,
    wanted: HashSet<Kind>,
    signer: Signer,
    client: Client,
}

/// What waits and what was counted, whatever the configuration is. Shared by all threads.
pub(crate) struct Desk {
    /// By which what waits is sent; none while there is no backend.
    terms: ArcSwapOption<Terms>,
    ids: Ids,
    places: Semaphore,
    outbox: Mutex<Outbox>,
    /// Told when the outbox has something to send sooner than the sender knows.
    wake: Notify,
    /// Told when there are other terms: a batch that failed need not wait any more.
    renewed: Notify,
    tally: Tally,
    pace: Mutex<Pace>,
}

impl Desk {
    /// Without a backend. It may have as many questions at a time and as many events waiting as these
    /// options say, whatever later ones say.
    pub(crate) fn new(options: &Options) -> Arc<Self> {
        Arc::new(Self {
            terms: ArcSwapOption::empty(),
            ids: Ids::new(rand::random()),
            places: Semaphore::new(options.decisions_max),
            outbox: Mutex::new(Outbox::new(options.outbox_limits())),
            wake: Notify::new(),
            renewed: Notify::new(),
            tally: Tally::default(),
            pace: Mutex::new(Pace::default()),
        })
    }

    /// Has what waits be sent as `webhooks` say, or no more at all.
    pub(crate) fn obey(&self, webhooks: Option<&Webhooks>) {
        self.terms.store(webhooks.map(|webhooks| webhooks.terms.clone()));
        self.renewed.notify_waiters();
    }

    /// The webhooks by which what waits is sent.
    fn webhooks(self: &Arc<Self>) -> Option<Webhooks> {
        let terms = self.terms.load_full()?;
        Some(Webhooks { terms, desk: self.clone() })
    }

    /// The lock is held for moments and never across an await. Nothing in the outbox is half done
    /// when something panics.
    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Webhooks {
    /// With a desk of their own, which obeys them.
    #[cfg(test)]
    pub(crate) fn new(options: Options) -> Result<Self, OptionsError> {
        let desk = Desk::new(&options);
        let webhooks = Self::at(&desk, options)?;
        desk.obey(Some(&webhooks));
        Ok(webhooks)
    }

    /// At a desk, which does not obey them yet. The hosts of the configured URLs are excepted from the
    /// refusal of addresses that are not public, on their ports: the operator wrote them down.
    ///
    /// # Errors
    /// When the options cannot work; says which.
    pub(crate) fn at(desk: &Arc<Desk>, options: Options) -> Result<Self, OptionsError> {
        options.check()?;
        let mut allowed = options.allow_private.clone();
        for url in [&options.decide_url, &options.inform_url].into_iter().flatten() {
            let target = Target::parse(url).map_err(|error| OptionsError::new(&error))?;
            allowed.push(Allowed::host(&target.host, target.port));
        }
        let client = Client::new(outbound::Options {
            timeout: options.timeout,
            connect_timeout: options.connect_timeout,
            response_bytes_max: options.response_bytes_max,
            allow_private: allowed,
            extra_roots: options.extra_roots.clone(),
            resolver: options.resolver.clone(),
        });
        let wanted = options.kinds.iter().copied().collect();
        let signer = Signer::new(&options.secrets);
        let terms = Arc::new(Terms { options, wanted, signer, client });
        Ok(Self { terms, desk: desk.clone() })
    }

    /// Whether this kind is to be asked or told; the caller need not do so otherwise. One of
    /// occupied and vacated needs the other, to know a channel that only flickers.
    pub(crate) fn wants(&self, kind: impl Into<Kind>) -> bool {
        let kind = kind.into();
        let also = match kind {
            Kind::Event(EventKind::ChannelOccupied) => EventKind::ChannelVacated.into(),
            Kind::Event(EventKind::ChannelVacated) => EventKind::ChannelOccupied.into(),
            other => other,
        };
        self.terms.wanted.contains(&kind) || self.terms.wanted.contains(&also)
    }

    /// What has happened so far.
    pub(crate) fn counters(&self) -> Counters {
        let outbox = self.desk.outbox();
        self.desk.tally.counters(outbox.len(), outbox.overflowed())
    }

    /// Posts `body`, signed now.
    async fn post(&self, url: &str, id: &str, body: Bytes) -> Result<Response, OutboundError> {
        let mut headers: HeaderMap = self.terms.options.headers.clone();
        headers.insert(SIGNATURE, self.terms.signer.sign(unix_ms() / 1000, &body));
        let id = HeaderValue::from_str(id).expect("ids are hexadecimal digits and a dash");
        headers.insert(EVENT_ID, id);
        self.terms.client.post(url, headers, body).await
    }

    /// Says what failed, unless much the same was said a moment ago.
    fn report(&self, what: &dyn std::fmt::Display) {
        let mut pace = self.desk.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(unsaid) = pace.handle_failure(Instant::now().into_std()) else { return };
        drop(pace);
        let more = if unsaid == 0 { String::new() } else { format!(" ({unsaid} more before it)") };
        (self.terms.options.report)(&format!("webhook: {what}{more}"));
    }
}

impl std::fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhooks").field("options", &self.terms.options).finish_non_exhaustive()
    }
}

/// A clock before 1970 counts as 1970.
fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
