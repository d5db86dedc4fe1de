//! Telling the backend what has happened.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::RETRY_AFTER;
use tokio::time::Instant;

use super::counters::{add, count};
use super::event::{Stamped, encode_batch};
use super::{Desk, Event, EventKind, Kind, Webhooks, backoff, unix_ms};
use crate::outbound::{OutboundError, Response};

impl Webhooks {
    /// Hands an event to the sender. Never waits; what the sender cannot keep up with is dropped,
    /// oldest first, and counted.
    pub(crate) fn inform(&self, event: Event) {
        let kind = event.kind;
        if !self.wants(kind) {
            return;
        }
        let event = Stamped { id: self.desk.ids.next(), unix_ms: unix_ms(), event };
        let mut outbox = self.desk.outbox();
        let before = outbox.poll_deadline();
        outbox.handle_event(event, self.told(), Instant::now().into_std());
        let is_sooner = outbox.poll_deadline() != before;
        drop(outbox);
        if is_sooner {
            self.desk.wake.notify_one();
        }
    }

    #[cfg(test)]
    pub(crate) async fn run(self: Arc<Self>, shutdown: impl Future<Output = ()>) {
        self.desk.clone().run(shutdown).await;
    }

    fn told(&self) -> impl Fn(EventKind) -> bool {
        |kind| self.terms.wanted.contains(&Kind::Event(kind))
    }
}

impl Desk {
    /// Sends what [`Webhooks::inform`] is given, one batch at a time, until `shutdown` ends; then
    /// what is left, as far as the time for that goes. To be run once.
    pub(crate) async fn run(self: Arc<Self>, shutdown: impl Future<Output = ()>) {
        let mut work = std::pin::pin!(self.work());
        tokio::select! {
            () = &mut work => return,
            () = shutdown => {}
        }
        let Some(webhooks) = self.webhooks() else { return };
        self.outbox().handle_close(webhooks.told(), Instant::now().into_std());
        self.wake.notify_one();
        if tokio::time::timeout(webhooks.terms.options.drain_timeout, work).await.is_ok() {
            return;
        }
        let left = self.outbox().clear();
        let sending = self.tally.sending.swap(0, Ordering::Relaxed);
        add(&self.tally.dropped_failed, left);
        self.tally.dropped_failed.fetch_add(sending, Ordering::Relaxed);
        let dropped = left as u64 + sending;
        webhooks.report(&format_args!("{dropped} events were not sent before the server stopped"));
    }

    /// Ends when the outbox is closed and empty.
    async fn work(self: &Arc<Self>) {
        loop {
            let (batch, deadline, done) = {
                let webhooks = self.webhooks();
                let told = |kind| webhooks.as_ref().is_some_and(|webhooks| webhooks.told()(kind));
                let mut outbox = self.outbox();
                let batch = outbox.poll_batch(told, Instant::now().into_std());
                (batch, outbox.poll_deadline(), outbox.is_closed_and_empty())
            };
            if !batch.is_empty() {
                self.deliver(batch).await;
                continue;
            }
            // A notification between the look above and the wait below is kept for the wait.
            match deadline {
                _ if done => return,
                None => self.wake.notified().await,
                Some(deadline) => {
                    let wait = tokio::time::timeout_at(deadline.into(), self.wake.notified());
                    let _: Result<(), _> = wait.await;
                }
            }
        }
    }

    /// Sends a batch until the backend has taken it or it is given up. Each attempt goes to where the
    /// configuration leads by then.
    async fn deliver(self: &Arc<Self>, batch: Vec<Stamped>) {
        let id = self.ids.next();
        let body = Bytes::from(encode_batch(&id, &batch));
        self.tally.sending.store(batch.len() as u64, Ordering::Relaxed);
        let mut retry = 0;
        let taken = loop {
            let Some(webhooks) = self.webhooks() else { break false };
            let Some(url) = &webhooks.terms.options.inform_url else { break false };
            count(&self.tally.attempts);
            let failure = match Outcome::of(webhooks.post(url, &id, body.clone()).await) {
                Outcome::Taken => break true,
                Outcome::GivenUp(failure) => {
                    webhooks.report(&format_args!("{} events dropped: {failure}", batch.len()));
                    break false;
                }
                Outcome::Failed(failure) => failure,
            };
            if retry >= webhooks.terms.options.retries {
                let tries = u64::from(retry) + 1;
                let dropped = batch.len();
                webhooks.report(&format_args!(
                    "{dropped} events dropped, tried {tries} times: {failure}"
                ));
                break false;
            }
            webhooks.report(&format_args!("{} events will be sent again: {failure}", batch.len()));
            let pause = backoff::pause(retry, rand::random(), failure.retry_after);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.renewed.notified() => {}
            }
            retry += 1;
            count(&self.tally.retries);
        };
        self.tally.sending.store(0, Ordering::Relaxed);
        let tally = if taken { &self.tally.delivered } else { &self.tally.dropped_failed };
        add(tally, batch.len());
    }
}

/// What became of a post.
enum Outcome {
    Taken,
    /// The same will come of the same.
    GivenUp(Failure),
    Failed(Failure),
}

struct Failure {
    what: String,
    retry_after: Option<Duration>,
}

impl Outcome {
    fn of(result: Result<Response, OutboundError>) -> Self {
        match result {
            Ok(response) => {
                let after = response.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                let seconds = after.and_then(|text| text.trim().parse().ok());
                Self::by_status(response.status, seconds.map(Duration::from_secs))
            }
            // It has done what it was asked to; what it says about that was not asked for.
            Err(OutboundError::TooLarge { status, .. }) => Self::by_status(status, None),
            Err(error) => {
                let failure = Failure { what: error.to_string(), retry_after: None };
                match error {
                    OutboundError::Url(_) | OutboundError::Refused { .. } => Self::GivenUp(failure),
                    _ => Self::Failed(failure),
                }
            }
        }
    }

    fn by_status(status: StatusCode, retry_after: Option<Duration>) -> Self {
        let failure = |what: &str| Failure { what: format!("status {status}{what}"), retry_after };
        match status {
            status if status.is_success() => Self::Taken,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Self::Failed(failure(""))
            }
            status if status.is_redirection() => {
                Self::GivenUp(failure("; redirects are not followed"))
            }
            status if status.is_client_error() => Self::GivenUp(failure("")),
            _ => Self::Failed(failure("")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}
