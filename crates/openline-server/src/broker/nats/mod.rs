//! [`NatsBackend`]: channels that several nodes share, on NATS JetStream.
//!
//! A stream of JetStream for each namespace, a subject for each channel. What is stored is published
//! again, by the server, on another subject, so listeners hear only what was stored, in its order.

mod connection;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;
mod hearing;
mod keys;
mod messages;
mod names;
mod read;
mod seek;
mod streams;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod watch;
mod wire;
mod writer;

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use openline_engine::{Draft, Extent, Page, PageLimits, Query, Recovery};
use openline_protocol::{ChannelName, Position, Reason};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::connection::{Connection, Failure};
use self::hearing::Hearing;
use self::names::Names;
use self::read::Reader;
use self::streams::Streams;
use self::wire::Entry;
use self::writer::Writers;
use super::shared::{Backend, Report};
use super::{BrokerError, NodeId, Published};
use crate::clock::Clock;
use crate::config;

/// Channels whose heads are asked for at the same time.
const HEADS_TOGETHER: usize = 64;

/// Channels on NATS JetStream.
pub(crate) struct NatsBackend {
    shared: Arc<Shared>,
}

/// What its calls and tasks share.
struct Shared {
    node: NodeId,
    /// Where NATS is, with user and password.
    url: String,
    ca: Option<PathBuf>,
    /// How long a key is remembered; 0 if keys are not looked at.
    window_ms: u64,
    clock: Clock,
    names: Names,
    connection: Connection,
    streams: Streams,
    writers: Writers,
    hearing: Hearing,
}

impl NatsBackend {
    /// A backend that connects once it is started. Keys are remembered for `window_ms`;
    /// `namespaces` are those that have a stream of their own, all others share one.
    pub(crate) fn new(
        options: &config::Broker,
        node: NodeId,
        window_ms: u64,
        namespaces: impl IntoIterator<Item = String>,
        clock: Clock,
    ) -> Self {
        let namespaces: BTreeSet<_> = namespaces.into_iter().collect();
        let url = options.url.as_ref().map(|url| url.expose().to_owned());
        let shared = Shared {
            node,
            url: url.unwrap_or_default(),
            ca: options.ca.clone(),
            window_ms,
            clock,
            names: Names::new(options.prefix.to_string(), namespaces),
            connection: Connection::new(options.timeout),
            streams: Streams::new(window_ms),
            writers: Writers::default(),
            hearing: Hearing::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Ends with an error when it takes longer than it may.
    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, BrokerError> {
        match timeout(self.shared.connection.timeout(), work).await {
            Ok(done) => done.map_err(BrokerError::from),
            Err(_) => Err(BrokerError::Unavailable),
        }
    }

    /// Publishes what gets no position.
    async fn pass(&self, draft: Draft, except: Option<Arc<str>>) -> Result<Published, BrokerError> {
        let shared = &self.shared;
        let entry = Entry::new(draft.clone(), except, None, 0, shared.clock.now_ms());
        if draft.key.is_some() {
            return keys::pass(shared, &entry, &draft).await;
        }
        shared.connection.say(shared.names.live(&draft.channel), entry.to_passing()).await?;
        Ok(Published::first(&entry.publication))
    }
}

impl Backend for NatsBackend {
    fn start(&self, reports: mpsc::UnboundedSender<Report>) {
        self.shared.hearing.set_reports(reports);
        tokio::spawn(watch::watch(self.shared.clone()));
    }

    async fn publish(
        &self,
        mut draft: Draft,
        except: Option<Arc<str>>,
    ) -> Result<Published, BrokerError> {
        if self.shared.window_ms == 0 {
            draft.key = None;
        }
        let limit = self.shared.connection.timeout();
        let published = if draft.history.size == 0 {
            timeout(limit, self.pass(draft, except)).await
        } else {
            let answer = self.shared.enqueue(draft, except)?;
            timeout(limit, async { answer.await.unwrap_or(Err(BrokerError::Unavailable)) }).await
        };
        published.unwrap_or(Err(BrokerError::Unavailable))
    }

    async fn recover(
        &self,
        channel: &ChannelName,
        since: Position,
        limits: &PageLimits,
    ) -> Result<Recovery, BrokerError> {
        self.in_time(async {
            Reader::new(&self.shared, channel).await?.recover(since, limits).await
        })
        .await
    }

    async fn query(
        &self,
        channel: &ChannelName,
        query: &Query,
        limits: &PageLimits,
    ) -> Result<Result<Page, Reason>, BrokerError> {
        self.in_time(async { Reader::new(&self.shared, channel).await?.query(query, limits).await })
            .await
    }

    async fn heads(&self, channels: &[ChannelName]) -> Result<Vec<Option<Position>>, BrokerError> {
        let mut heads = vec![None; channels.len()];
        let mut asked = JoinSet::new();
        let mut left = channels.iter().cloned().enumerate();
        loop {
            while asked.len() < HEADS_TOGETHER
                && let Some((index, channel)) = left.next()
            {
                let shared = self.shared.clone();
                asked.spawn(async move {
                    let reader = Reader::new(&shared, &channel).await?;
                    Ok::<_, Failure>((index, reader.position().await?))
                });
            }
            match self.in_time(async { Ok(asked.join_next().await) }).await? {
                None => return Ok(heads),
                Some(Ok(head)) => {
                    let (index, head) = head?;
                    heads[index] = head;
                }
                Some(Err(_)) => return Err(BrokerError::Unavailable),
            }
        }
    }

    async fn extent(&self, channel: &ChannelName) -> Result<Option<Extent>, BrokerError> {
        self.in_time(async { Reader::new(&self.shared, channel).await?.extent().await }).await
    }

    async fn clear(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        self.in_time(async { Reader::new(&self.shared, channel).await?.clear().await }).await
    }

    async fn subscribe(&self, channels: &[ChannelName]) -> Result<(), BrokerError> {
        self.in_time(self.shared.hear(channels)).await
    }

    async fn unsubscribe(&self, channels: &[ChannelName]) {
        self.shared.hearing.unsubscribe(channels);
    }

    async fn emit(&self, channel: &ChannelName, said: Bytes) {
        let subject = self.shared.names.live(channel);
        self.shared.connection.say_now(subject, wire::said(self.shared.node, &said)).await;
    }

    async fn cast(&self, said: Bytes) {
        let subject = self.shared.names.nodes();
        self.shared.connection.say_now(subject, wire::said(self.shared.node, &said)).await;
    }

    async fn tell(&self, node: NodeId, said: Bytes) {
        let subject = self.shared.names.node(node);
        self.shared.connection.say_now(subject, wire::said(self.shared.node, &said)).await;
    }

    fn warnings(&self) -> Vec<String> {
        self.shared.connection.warnings()
    }
}
