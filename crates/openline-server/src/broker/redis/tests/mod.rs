//! Redis as it is: started for each test, killed, stopped, set back, full.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod failures;
mod reading;
mod settings;
mod speed;

use std::future::Future;
use std::task::Poll;

use openline_engine::{History, PageLimits};
use openline_protocol::{Data, Publication};

use super::*;
use crate::broker::texts::*;
use testing::{Keeping, RedisServer};

/// Long enough for any machine; nothing waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

const WINDOW_MS: u64 = 300_000;

/// A node's way to Redis, and what it reported.
struct Node {
    backend: Arc<RedisBackend>,
    reports: mpsc::UnboundedReceiver<Report>,
}

impl Node {
    /// Connected.
    async fn open(server: &RedisServer) -> Self {
        Self::with_window(server, WINDOW_MS).await
    }

    /// Connected, and remembers keys for so long.
    async fn with_window(server: &RedisServer, window_ms: u64) -> Self {
        let mut node = Self::begin_with(&settings(&server.url()), window_ms);
        node.wait_for_up().await;
        node
    }

    fn begin(settings: &config::Broker) -> Self {
        Self::begin_with(settings, WINDOW_MS)
    }

    fn begin_with(settings: &config::Broker, window_ms: u64) -> Self {
        let node = NodeId(rand::random());
        let backend = Arc::new(RedisBackend::new(settings, node, window_ms).unwrap());
        let (sender, reports) = mpsc::unbounded_channel();
        backend.start(sender);
        Self { backend, reports }
    }

    async fn next(&mut self) -> Report {
        let report = tokio::time::timeout(PATIENCE, self.reports.recv()).await;
        report.expect("it comes in time").expect("the backend lives")
    }

    async fn wait_for_up(&mut self) {
        while !matches!(self.next().await, Report::Up) {}
    }

    /// Why it is down.
    async fn wait_for_down(&mut self) -> String {
        loop {
            if let Report::Down(why) = self.next().await {
                return why;
            }
        }
    }

    /// The next publication that is heard of.
    async fn hear(&mut self) -> Arc<Publication> {
        loop {
            if let Report::Published { publication, .. } = self.next().await {
                return publication;
            }
        }
    }

    async fn put(&self, channel: &str, text: &str) -> Position {
        let published = self.backend.publish(draft(channel, text), None).await.unwrap();
        published.position.unwrap()
    }

    async fn put_numbers(&self, channel: &str, of: std::ops::Range<usize>) -> Vec<Position> {
        let mut positions = Vec::new();
        for number in of {
            positions.push(self.put(channel, &number.to_string()).await);
        }
        positions
    }

    /// Publishes until it is taken: with the same key, so it is published once.
    async fn insist(&self, channel: &str, text: &str) -> Published {
        let until = Instant::now() + PATIENCE;
        // However much it is, all of it is read in the end.
        let history = History { size: 1_000_000, ..HISTORY };
        let draft = Draft { history, ..with_key(channel, text, text) };
        loop {
            match self.backend.publish(draft.clone(), None).await {
                Ok(published) => return published,
                Err(error) => assert_eq!(error, BrokerError::Unavailable),
            }
            assert!(Instant::now() < until);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn missed(&self, channel: &str, since: Position) -> Result<Vec<String>, Reason> {
        let recovery = self.backend.recover(&name(channel), since, &LIMITS).await.unwrap();
        recovery.missed.map(|missed| texts(&missed))
    }

    async fn all(&self, channel: &str) -> Page {
        self.backend.query(&name(channel), &Query::default(), &LIMITS).await.unwrap().unwrap()
    }

    async fn head(&self, channel: &str) -> Option<Position> {
        self.backend.heads(&[name(channel)]).await.unwrap()[0]
    }
}

/// As they stand in a configuration.
fn settings(url: &str) -> config::Broker {
    with_settings(&format!("url = \"{url}\"\ntimeout = \"1s\""))
}

fn with_settings(lines: &str) -> config::Broker {
    let text = format!("[broker]\n{lines}");
    config::Config::read(Some(("test.toml", &text)), [], []).unwrap().broker
}

/// Polls all in their order, and again, until all are ready.
async fn together<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, ready) in waiting.iter_mut().filter(|(_, ready)| ready.is_none()) {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                *ready = Some(value);
            }
        }
        match waiting.iter().all(|(_, ready)| ready.is_some()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    waiting.into_iter().map(|(_, ready)| ready.unwrap()).collect()
}
