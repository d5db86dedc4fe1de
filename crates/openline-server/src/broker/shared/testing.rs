//! [`MemoryStore`]: a store in this process that several shared brokers use, and that does at a test's
//! word what stores elsewhere do by themselves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use openline_engine::{Draft, Extent, Ordered, Page, PageLimits, Query, Recovery, Streams};
use openline_protocol::{ChannelName, Position, Publication, Reason};
use tokio::sync::{OwnedMutexGuard, mpsc};

use super::{Backend, Report};
use crate::broker::{BrokerError, NodeId, Published};
use crate::clock::Clock;

/// The store. Clones are the same store.
#[derive(Clone)]
pub(crate) struct MemoryStore(Arc<Shared>);

/// What one node has of it.
pub(crate) struct MemoryBackend {
    store: MemoryStore,
    node: NodeId,
}

/// The store hangs until this is dropped; then it does what it was asked meanwhile.
pub(crate) struct Stalled(#[expect(dead_code, reason = "it is held")] OwnedMutexGuard<()>);

/// What a store had at some time.
#[derive(Clone)]
pub(crate) struct Snapshot(Streams);

struct Shared {
    state: Mutex<State>,
    /// Calls go through here one by one, in the order of their first polls.
    gate: Arc<tokio::sync::Mutex<()>>,
    clock: Clock,
    recoveries: AtomicUsize,
    queries: AtomicUsize,
    probes: AtomicUsize,
}

struct State {
    streams: Streams,
    nodes: BTreeMap<NodeId, Node>,
    sequence: u64,
}

struct Node {
    reports: mpsc::UnboundedSender<Report>,
    up: bool,
    subscribed: BTreeSet<ChannelName>,
}

impl MemoryStore {
    pub(crate) fn new(clock: Clock, window_ms: u64) -> Self {
        let streams = Streams::new(window_ms, rand::random());
        let state = State { streams, nodes: BTreeMap::new(), sequence: 0 };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            gate: Arc::default(),
            clock,
            recoveries: AtomicUsize::new(0),
            queries: AtomicUsize::new(0),
            probes: AtomicUsize::new(0),
        }))
    }

    pub(crate) fn backend(&self, node: NodeId) -> MemoryBackend {
        MemoryBackend { store: self.clone(), node }
    }

    /// Breaks a node's connection: it hears nothing and is not answered until [`Self::mend`].
    pub(crate) fn cut(&self, node: NodeId) {
        let mut state = self.state();
        if let Some(node) = state.nodes.get_mut(&node) {
            node.up = false;
            node.subscribed.clear();
            let _ = node.reports.send(Report::Down("cut".to_owned()));
        }
    }

    pub(crate) fn mend(&self, node: NodeId) {
        let mut state = self.state();
        if let Some(node) = state.nodes.get_mut(&node) {
            node.up = true;
            let _ = node.reports.send(Report::Up);
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot(self.state().streams.clone())
    }

    /// Has what it had at an earlier time, as if it had lost the rest.
    pub(crate) fn roll_back(&self, to: &Snapshot) {
        self.state().streams = to.0.clone();
    }

    pub(crate) async fn stall(&self) -> Stalled {
        Stalled(self.0.gate.clone().lock_owned().await)
    }

    /// Whether a node is subscribed to a channel.
    pub(crate) fn hears(&self, node: NodeId, channel: &ChannelName) -> bool {
        self.state().nodes.get(&node).is_some_and(|node| node.subscribed.contains(channel))
    }

    /// How often it was asked what a reader missed.
    pub(crate) fn recoveries(&self) -> usize {
        self.0.recoveries.load(Ordering::SeqCst)
    }

    /// How often it was asked for a part of a history.
    pub(crate) fn queries(&self) -> usize {
        self.0.queries.load(Ordering::SeqCst)
    }

    /// How often it was asked for heads.
    pub(crate) fn probes(&self) -> usize {
        self.0.probes.load(Ordering::SeqCst)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn now(&self) -> u64 {
        self.0.clock.now_ms()
    }
}

impl State {
    /// Appends, and reports it to those who are subscribed.
    fn publish(
        &mut self,
        draft: Draft,
        except: Option<Arc<str>>,
        now: u64,
    ) -> Result<Published, BrokerError> {
        let key = draft.key.clone();
        let publication = match self.streams.order(draft, rand::random(), now) {
            Ordered::New(publication) => publication,
            Ordered::Duplicate { position, timestamp, .. } => {
                return Ok(Published { position, timestamp, duplicate: true });
            }
            Ordered::Conflict { age_ms } => {
                let key = key.unwrap_or_default().to_string();
                return Err(BrokerError::Conflict { key, age_ms });
            }
        };
        if publication.position.is_some() {
            self.sequence += 1;
            let sequence = Some(self.sequence);
            self.streams.settle(&publication.channel, sequence, key.as_deref(), now).unwrap();
        }
        self.report(&publication, except);
        let Publication { position, timestamp, .. } = *publication;
        Ok(Published { position, timestamp, duplicate: false })
    }

    fn report(&mut self, publication: &Arc<Publication>, except: Option<Arc<str>>) {
        for node in self.nodes.values_mut() {
            if !node.up || !node.subscribed.contains(&publication.channel) {
                continue;
            }
            let (publication, except) = (publication.clone(), except.clone());
            let _ = node.reports.send(Report::Published { publication, except });
        }
    }
}

impl MemoryBackend {
    /// Has its turn with the store, if there is a connection.
    async fn turn<T>(
        &self,
        act: impl FnOnce(&mut State, u64) -> Result<T, BrokerError>,
    ) -> Result<T, BrokerError> {
        let _turn = self.store.0.gate.lock().await;
        let mut state = self.store.state();
        if !state.nodes.get(&self.node).is_some_and(|node| node.up) {
            return Err(BrokerError::Unavailable);
        }
        act(&mut state, self.store.now())
    }

    async fn say(&self, to: impl Fn(NodeId, &Node) -> bool, report: impl Fn(NodeId) -> Report) {
        let _ = self
            .turn(|state, _| {
                for (node, heard) in &state.nodes {
                    if *node != self.node && heard.up && to(*node, heard) {
                        let _ = heard.reports.send(report(self.node));
                    }
                }
                Ok(())
            })
            .await;
    }
}

impl Backend for MemoryBackend {
    fn start(&self, reports: mpsc::UnboundedSender<Report>) {
        let _ = reports.send(Report::Up);
        let node = Node { reports, up: true, subscribed: BTreeSet::new() };
        self.store.state().nodes.insert(self.node, node);
    }

    async fn publish(
        &self,
        draft: Draft,
        except: Option<Arc<str>>,
    ) -> Result<Published, BrokerError> {
        self.turn(|state, now| state.publish(draft, except, now)).await
    }

    async fn recover(
        &self,
        channel: &ChannelName,
        since: Position,
        limits: &PageLimits,
    ) -> Result<Recovery, BrokerError> {
        self.store.0.recoveries.fetch_add(1, Ordering::SeqCst);
        self.turn(|state, now| Ok(state.streams.recover(channel, since, limits, now).0)).await
    }

    async fn query(
        &self,
        channel: &ChannelName,
        query: &Query,
        limits: &PageLimits,
    ) -> Result<Result<Page, Reason>, BrokerError> {
        self.store.0.queries.fetch_add(1, Ordering::SeqCst);
        self.turn(|state, now| Ok(state.streams.query(channel, query, limits, now).0)).await
    }

    async fn heads(&self, channels: &[ChannelName]) -> Result<Vec<Option<Position>>, BrokerError> {
        self.store.0.probes.fetch_add(1, Ordering::SeqCst);
        self.turn(|state, now| {
            let heads = channels.iter().map(|channel| {
                let head = state.streams.extent(channel, now).0.head;
                (head.offset > 0).then_some(head)
            });
            Ok(heads.collect())
        })
        .await
    }

    async fn extent(&self, channel: &ChannelName) -> Result<Option<Extent>, BrokerError> {
        self.turn(|state, now| Ok(Some(state.streams.extent(channel, now).0))).await
    }

    async fn clear(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        self.turn(|state, _| {
            state.streams.clear(channel);
            Ok(())
        })
        .await
    }

    async fn subscribe(&self, channels: &[ChannelName]) -> Result<(), BrokerError> {
        self.turn(|state, _| {
            let node = state.nodes.get_mut(&self.node).unwrap();
            node.subscribed.extend(channels.iter().cloned());
            Ok(())
        })
        .await
    }

    async fn unsubscribe(&self, channels: &[ChannelName]) {
        let _ = self
            .turn(|state, _| {
                let node = state.nodes.get_mut(&self.node).unwrap();
                node.subscribed.retain(|channel| !channels.contains(channel));
                Ok(())
            })
            .await;
    }

    async fn emit(&self, channel: &ChannelName, said: Bytes) {
        let emitted = |from| Report::Emitted { from, channel: channel.clone(), said: said.clone() };
        self.say(|_, node| node.subscribed.contains(channel), emitted).await;
    }

    async fn cast(&self, said: Bytes) {
        self.say(|_, _| true, |from| Report::Told { from, said: said.clone() }).await;
    }

    async fn tell(&self, node: NodeId, said: Bytes) {
        self.say(|to, _| to == node, |from| Report::Told { from, said: said.clone() }).await;
    }
}

/// Has a node not hear what it should, without anybody knowing. Clones are the same leak.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leak(Arc<AtomicUsize>);

impl Leak {
    /// Loses the next so many publications.
    pub(crate) fn lose_next(&self, count: usize) {
        self.0.store(count, Ordering::SeqCst);
    }

    /// How many are left to be lost.
    pub(crate) fn left(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn loses(&self, report: &Report) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        matches!(report, Report::Published { .. })
            && self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
    }
}

/// A backend whose reports go by a leak.
pub(crate) struct Leaky<B> {
    backend: B,
    leak: Leak,
}

impl<B> Leaky<B> {
    pub(crate) fn new(backend: B, leak: Leak) -> Self {
        Self { backend, leak }
    }
}

impl<B: Backend> Backend for Leaky<B> {
    fn start(&self, reports: mpsc::UnboundedSender<Report>) {
        let (sender, mut through) = mpsc::unbounded_channel();
        let leak = self.leak.clone();
        tokio::spawn(async move {
            while let Some(report) = through.recv().await {
                if !leak.loses(&report) {
                    let _ = reports.send(report);
                }
            }
        });
        self.backend.start(sender);
    }

    fn publish(
        &self,
        draft: Draft,
        except: Option<Arc<str>>,
    ) -> impl Future<Output = Result<Published, BrokerError>> + Send {
        self.backend.publish(draft, except)
    }

    fn recover(
        &self,
        channel: &ChannelName,
        since: Position,
        limits: &PageLimits,
    ) -> impl Future<Output = Result<Recovery, BrokerError>> + Send {
        self.backend.recover(channel, since, limits)
    }

    fn query(
        &self,
        channel: &ChannelName,
        query: &Query,
        limits: &PageLimits,
    ) -> impl Future<Output = Result<Result<Page, Reason>, BrokerError>> + Send {
        self.backend.query(channel, query, limits)
    }

    fn heads(
        &self,
        channels: &[ChannelName],
    ) -> impl Future<Output = Result<Vec<Option<Position>>, BrokerError>> + Send {
        self.backend.heads(channels)
    }

    fn extent(
        &self,
        channel: &ChannelName,
    ) -> impl Future<Output = Result<Option<Extent>, BrokerError>> + Send {
        self.backend.extent(channel)
    }

    fn clear(&self, channel: &ChannelName) -> impl Future<Output = Result<(), BrokerError>> + Send {
        self.backend.clear(channel)
    }

    fn subscribe(
        &self,
        channels: &[ChannelName],
    ) -> impl Future<Output = Result<(), BrokerError>> + Send {
        self.backend.subscribe(channels)
    }

    fn unsubscribe(&self, channels: &[ChannelName]) -> impl Future<Output = ()> + Send {
        self.backend.unsubscribe(channels)
    }

    fn emit(&self, channel: &ChannelName, said: Bytes) -> impl Future<Output = ()> + Send {
        self.backend.emit(channel, said)
    }

    fn cast(&self, said: Bytes) -> impl Future<Output = ()> + Send {
        self.backend.cast(said)
    }

    fn tell(&self, node: NodeId, said: Bytes) -> impl Future<Output = ()> + Send {
        self.backend.tell(node, said)
    }

    fn warnings(&self) -> Vec<String> {
        self.backend.warnings()
    }
}
