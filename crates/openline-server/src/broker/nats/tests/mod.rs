//! Tests of the backend on a real nats-server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod channels;
mod faults;
mod keys;
mod nodes;
mod speed;
mod surroundings;

use std::sync::Arc;
use std::time::{Duration, Instant};

use openline_engine::{Draft, History, PageLimits, Query, Recovery};
use openline_protocol::{Position, Publication, Reason};
use tokio::sync::mpsc;

use super::*;
use crate::broker::texts::*;
use testing::{NatsServer, PATIENCE, settings};

const TIMEOUT: Duration = Duration::from_millis(2000);

const WINDOW_MS: u64 = 60_000;

/// A backend that is up, and what it reports.
struct Trial {
    backend: Arc<NatsBackend>,
    reports: mpsc::UnboundedReceiver<Report>,
}

impl Trial {
    async fn on(server: &NatsServer) -> Self {
        Self::with(&server.url(), |_| {}).await
    }

    async fn with(url: &str, adjust: impl FnOnce(&mut config::Broker)) -> Self {
        let mut trial = Self::without_waiting(url, adjust);
        assert!(matches!(trial.next().await, Report::Up));
        trial
    }

    fn without_waiting(url: &str, adjust: impl FnOnce(&mut config::Broker)) -> Self {
        Self::remembering(url, WINDOW_MS, adjust)
    }

    fn remembering(url: &str, window_ms: u64, adjust: impl FnOnce(&mut config::Broker)) -> Self {
        let node = NodeId(rand::random());
        let timed = |options: &mut config::Broker| {
            options.timeout = TIMEOUT;
            adjust(options);
        };
        let (options, clock) = (settings(url, timed), Clock::start());
        let backend = NatsBackend::new(&options, node, window_ms, ["chat".to_owned()], clock);
        let (sender, reports) = mpsc::unbounded_channel();
        backend.start(sender);
        Self { backend: Arc::new(backend), reports }
    }

    async fn next(&mut self) -> Report {
        let report = tokio::time::timeout(PATIENCE, self.reports.recv()).await;
        report.expect("it comes in time").unwrap()
    }

    /// The next report of that kind.
    async fn until<T>(&mut self, wanted: impl Fn(Report) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
    }

    async fn until_up(&mut self) {
        self.until(|report| matches!(report, Report::Up).then_some(())).await;
    }

    async fn until_down(&mut self) -> String {
        let why = |report| if let Report::Down(why) = report { Some(why) } else { None };
        self.until(why).await
    }

    async fn next_text(&mut self) -> String {
        text(&*self.next_publication().await)
    }

    async fn next_publication(&mut self) -> Arc<Publication> {
        self.until(|report| match report {
            Report::Published { publication, .. } => Some(publication),
            _ => None,
        })
        .await
    }

    async fn publish(&self, draft: Draft) -> Published {
        self.backend.publish(draft, None).await.unwrap()
    }

    /// As soon as that is possible.
    async fn publish_at_last(&self, draft: Draft) -> Published {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.backend.publish(draft.clone(), None).await {
                Ok(published) => return published,
                Err(error) => {
                    assert_eq!(error, BrokerError::Unavailable);
                    assert!(Instant::now() < until);
                }
            }
        }
    }

    async fn put(&self, channel: &str, text: &str) -> Position {
        self.publish(draft(channel, text)).await.position.unwrap()
    }

    async fn put_numbers(&self, channel: &str, numbers: std::ops::Range<usize>) -> Vec<Position> {
        let mut positions = Vec::new();
        for number in numbers {
            positions.push(self.put(channel, &number.to_string()).await);
        }
        positions
    }

    async fn query(&self, channel: &str, query: Query) -> Result<Page, Reason> {
        self.backend.query(&name(channel), &query, &LIMITS).await.unwrap()
    }

    async fn all(&self, channel: &str) -> Page {
        self.query(channel, Query::default()).await.unwrap()
    }

    async fn head(&self, channel: &str) -> Position {
        self.all(channel).await.head
    }

    async fn recover(&self, channel: &str, since: Position) -> Recovery {
        self.backend.recover(&name(channel), since, &LIMITS).await.unwrap()
    }

    async fn missed(&self, channel: &str, since: Position) -> Result<Vec<String>, Reason> {
        self.recover(channel, since).await.missed.map(|missed| texts(&missed))
    }

    async fn subscribe(&self, channel: &str) {
        self.backend.subscribe(&[name(channel)]).await.unwrap();
    }
}

#[track_caller]
fn assert_chained(publications: &[Arc<Publication>]) {
    for pair in publications.windows(2) {
        let (before, after) = (pair[0].position.unwrap(), pair[1].position.unwrap());
        assert_eq!((after.epoch, after.offset), (before.epoch, before.offset + 1));
        assert_eq!(pair[1].prev_tag, before.tag, "{before:?} {after:?}");
    }
}
