//! A way between nodes of one process, on which anything can get lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use openline_engine::{Draft, Page, PageLimits, Query, Recovery};
use openline_protocol::{ChannelName, Position, Reason};

use crate::broker::{
    Answer, Broker, BrokerHealth, Ear, Link, LocalBroker, LocalOptions, NodeId, Published, Tail,
};
use crate::cluster::Message;
use crate::node::Ground;

/// Whether a message gets lost on its way.
type Loses = dyn FnMut(NodeId, NodeId, &Message) -> bool + Send;

/// Connects nodes of this process.
#[derive(Clone, Default)]
pub(super) struct Wire(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    stations: BTreeMap<NodeId, Station>,
    loses: Option<Box<Loses>>,
    said: usize,
}

struct Station {
    ear: Arc<dyn Ear>,
    tail: Arc<dyn Tail>,
    is_cut: bool,
}

impl Wire {
    /// A broker for a node on this wire. Publications stay on the node.
    pub(super) fn broker(&self, ground: Ground<'_>) -> Box<dyn Broker> {
        let Ground { id, clock, tail, ear, .. } = ground;
        let options = LocalOptions { bytes_max: 1 << 20, window_ms: 1000, channels_max: 1000 };
        let station = Station { ear, tail: tail.clone(), is_cut: false };
        self.state().stations.insert(id, station);
        let local = LocalBroker::in_memory(options, clock, tail);
        Box::new(WireBroker { local, wire: self.clone(), node: id })
    }

    /// From here on the node neither hears nor is heard.
    pub(super) fn cut(&self, node: NodeId) {
        self.state().stations.get_mut(&node).unwrap().is_cut = true;
    }

    /// It does again, and knows that it has missed something.
    pub(super) fn mend(&self, node: NodeId) {
        let ear = {
            let mut state = self.state();
            let station = state.stations.get_mut(&node).unwrap();
            station.is_cut = false;
            station.ear.clone()
        };
        ear.interrupted();
    }

    /// Loses those for which this is true.
    pub(super) fn lose(
        &self,
        loses: impl FnMut(NodeId, NodeId, &Message) -> bool + Send + 'static,
    ) {
        self.state().loses = Some(Box::new(loses));
    }

    /// Nodes that there have been.
    pub(super) fn nodes(&self) -> usize {
        self.state().stations.len()
    }

    /// Messages that went from one node to another so far, with those that got lost.
    pub(super) fn said(&self) -> usize {
        self.state().said
    }

    /// Has a node hear something that no node said.
    pub(super) fn inject(&self, from: NodeId, to: NodeId, on: Option<&ChannelName>, said: Bytes) {
        let ear = self.state().stations[&to].ear.clone();
        match on {
            Some(channel) => ear.emitted(from, channel.clone(), said),
            None => ear.told(from, said),
        }
    }

    fn carry(
        &self,
        from: NodeId,
        said: &Bytes,
        is_for: impl Fn(NodeId, &Station) -> bool,
    ) -> Vec<Arc<dyn Ear>> {
        let mut state = self.state();
        let state = &mut *state;
        if state.stations.get(&from).is_none_or(|station| station.is_cut) {
            return Vec::new();
        }
        let message = Message::from_bytes(said).unwrap();
        let mut ears = Vec::new();
        for (node, station) in &state.stations {
            if *node == from || station.is_cut || !is_for(*node, station) {
                continue;
            }
            state.said += 1;
            let is_lost = state.loses.as_mut().is_some_and(|loses| loses(from, *node, &message));
            if !is_lost {
                ears.push(station.ear.clone());
            }
        }
        ears
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

struct WireLink {
    wire: Wire,
    node: NodeId,
}

impl Link for WireLink {
    fn emit(&self, channel: &ChannelName, said: Bytes) {
        let listens = |_, station: &Station| station.tail.is_heard(channel);
        for ear in self.wire.carry(self.node, &said, listens) {
            ear.emitted(self.node, channel.clone(), said.clone());
        }
    }

    fn cast(&self, said: Bytes) {
        for ear in self.wire.carry(self.node, &said, |_, _| true) {
            ear.told(self.node, said.clone());
        }
    }

    fn tell(&self, to: NodeId, said: Bytes) {
        for ear in self.wire.carry(self.node, &said, |node, _| node == to) {
            ear.told(self.node, said.clone());
        }
    }
}

struct WireBroker {
    local: LocalBroker,
    wire: Wire,
    node: NodeId,
}

impl Broker for WireBroker {
    fn publish(&self, draft: Draft, except: Option<Arc<str>>) -> Answer<Published> {
        self.local.publish(draft, except)
    }

    fn recover(
        &self,
        channel: &ChannelName,
        since: Position,
        limits: &PageLimits,
    ) -> Answer<Recovery> {
        self.local.recover(channel, since, limits)
    }

    fn query(
        &self,
        channel: &ChannelName,
        query: &Query,
        limits: &PageLimits,
    ) -> Answer<Result<Page, Reason>> {
        self.local.query(channel, query, limits)
    }

    fn clear(&self, channel: &ChannelName) -> Answer<()> {
        self.local.clear(channel)
    }

    fn link(&self) -> Option<Arc<dyn Link>> {
        Some(Arc::new(WireLink { wire: self.wire.clone(), node: self.node }))
    }

    fn level(&self) -> &'static str {
        "memory"
    }

    fn health(&self) -> BrokerHealth {
        let is_cut = self.wire.state().stations.get(&self.node).is_some_and(|s| s.is_cut);
        BrokerHealth { ailment: is_cut.then(|| "cut".to_owned()), ..self.local.health() }
    }
}
