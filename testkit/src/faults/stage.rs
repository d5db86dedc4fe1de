//! [`Stage`]: the server under test, as processes that can be broken.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use super::broker_server::BrokerServer;
use super::kind::Place;
use super::node::{Node, Surroundings};
use super::proxy::{Proxy, Weather};
use super::{BrokerKind, Kind, Options, Planned, Selection};
use crate::seed::Seed;

const API_KEY: &str = "openline-check-openline-check-key";
/// How long everything may take to be ready again.
const HEAL_TIMEOUT: Duration = Duration::from_secs(60);
/// How far a time of day jumps, in seconds.
const JUMP: i64 = 3600;
/// What a client reads that is slow, in a second.
const SLOW_BYTES: u64 = 20_000;

/// The nodes of a run and what they stand on. Dropping it ends all of it.
pub struct Stage {
    nodes: Vec<Node>,
    broker: Option<BrokerServer>,
    addresses: Vec<SocketAddr>,
    /// What this machine cannot do, and why.
    missing: Vec<(Kind, String)>,
    broken: Vec<Planned>,
    notes: Vec<String>,
}

impl Stage {
    /// Starts all of it, and returns when every node is ready.
    ///
    /// # Errors
    /// What could not be started.
    pub async fn start(options: Options) -> Result<Self, String> {
        let broker = match options.broker {
            BrokerKind::Embedded if options.nodes != 1 => {
                return Err("an embedded broker is of one node; use --nodes 1".to_owned());
            }
            BrokerKind::Embedded => None,
            shared => Some(BrokerServer::start(shared, &options.folder).await?),
        };
        let wanted: Vec<Kind> = Kind::all().filter(|kind| may_happen(&options, *kind)).collect();
        let missing = missing(&wanted).await;
        let needs = |kinds: &[Kind]| {
            let possible = |kind: &Kind| missing.iter().all(|(other, _)| other != kind);
            kinds.iter().any(|kind| wanted.contains(kind) && possible(kind))
        };
        let around = Surroundings {
            network: needs(&[Kind::LinkDown, Kind::RouteLost]),
            disk: needs(&[Kind::DiskFull]),
            clock: needs(&[Kind::ClockJump]),
        };
        let config = format!("{}\n[api]\nkeys = [\"{API_KEY}\"]\n", options.config);
        let mut nodes = Vec::new();
        for number in 1..=options.nodes {
            nodes.push(Node::start(&options, number, broker.as_ref(), &around, &config).await?);
        }
        let addresses = nodes.iter().map(|node| node.front.address()).collect();
        let (broken, notes) = (Vec::new(), Vec::new());
        Ok(Self { nodes, broker, addresses, missing, broken, notes })
    }

    /// Where clients connect, one for each node; the same over restarts.
    pub fn nodes(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A key of the HTTP API of every node.
    pub fn api_key(&self) -> &str {
        API_KEY
    }

    /// What happened besides: nodes that had ended by themselves.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Why this machine cannot do something, if so. Then it is neither begun nor ended.
    pub fn why_not(&self, kind: Kind) -> Option<&str> {
        self.missing.iter().find(|(other, _)| *other == kind).map(|(_, why)| why.as_str())
    }

    /// Breaks something.
    ///
    /// # Errors
    /// Why it could not be broken.
    pub async fn begin(&mut self, fault: &Planned) -> Result<(), String> {
        if let Some(why) = self.why_not(fault.kind) {
            return Err(format!("{}: {why}", fault.kind));
        }
        match fault.kind.place() {
            Place::Node => self.break_node(fault).await?,
            Place::Clients => spoil(&self.node(fault)?.front, fault),
            Place::Link => spoil(self.link(fault)?, fault),
            Place::Broker => self.break_broker(fault).await?,
            Place::Network => self.set_network(fault, false).await?,
        }
        self.broken.push(fault.clone());
        Ok(())
    }

    /// Undoes it. Nodes that are started again may not be ready yet.
    ///
    /// # Errors
    /// Why it could not be undone.
    pub async fn end(&mut self, fault: &Planned) -> Result<(), String> {
        self.broken.retain(|other| other != fault);
        match fault.kind.place() {
            Place::Node => self.mend_node(fault).await,
            Place::Clients => {
                self.node(fault)?.front.set(Weather::default());
                Ok(())
            }
            Place::Link => {
                self.link(fault)?.set(Weather::default());
                Ok(())
            }
            Place::Broker => self.mend_broker(fault).await,
            Place::Network => self.set_network(fault, true).await,
        }
    }

    /// Undoes whatever is broken still, and returns when every node is ready.
    ///
    /// # Errors
    /// What does not come back.
    pub async fn heal(&mut self) -> Result<(), String> {
        for fault in std::mem::take(&mut self.broken) {
            self.end(&fault).await?;
        }
        let healing = async {
            if let Some(broker) = &mut self.broker {
                broker.restart().await?;
            }
            for (node, number) in self.nodes.iter_mut().zip(1..) {
                if node.revive()? {
                    self.notes.push(format!("node-{number} had ended by itself; see its log"));
                }
                node.wait().await?;
            }
            Ok(())
        };
        let healed = timeout(HEAL_TIMEOUT, healing).await;
        healed.unwrap_or_else(|_| Err(format!("not healed after {} s", HEAL_TIMEOUT.as_secs())))
    }

    /// Ends all of it.
    pub async fn stop(mut self) {
        for node in &mut self.nodes {
            node.kill().await;
        }
        if let Some(broker) = &mut self.broker {
            broker.kill().await;
        }
    }

    async fn break_node(&mut self, fault: &Planned) -> Result<(), String> {
        let node = self.node_mut(fault)?;
        match fault.kind {
            Kind::Kill => node.kill().await,
            Kind::Pause => node.pause().await?,
            Kind::Drain => node.ask_to_end().await?,
            Kind::Upgrade | Kind::UpgradeKill => node.begin_upgrade()?,
            Kind::Rollback => node.take_copy().await?,
            Kind::DiskFull => node.disk.as_ref().map_or(Ok(()), |disk| disk.fill())?,
            Kind::ClockJump => {
                let ahead = fault.begin.as_millis().is_multiple_of(2);
                set_clock(node, if ahead { JUMP } else { -JUMP })?;
            }
            other => return Err(format!("{other} does not happen to a node")),
        }
        Ok(())
    }

    async fn mend_node(&mut self, fault: &Planned) -> Result<(), String> {
        let node = self.node_mut(fault)?;
        match fault.kind {
            Kind::Kill => node.revive().map(|_| ()),
            Kind::Pause => node.go_on().await,
            Kind::Drain => node.replace().await,
            Kind::Upgrade => node.end_upgrade().await,
            Kind::UpgradeKill => node.break_off_upgrade().await,
            Kind::Rollback => node.roll_back().await,
            Kind::DiskFull => {
                node.disk.iter().for_each(|disk| disk.free());
                Ok(())
            }
            _ => set_clock(node, 0),
        }
    }

    async fn break_broker(&mut self, fault: &Planned) -> Result<(), String> {
        let broker = self.broker.as_mut().ok_or("there is no broker besides the node")?;
        match fault.kind {
            Kind::BrokerKill => broker.kill().await,
            Kind::BrokerRestart => broker.end().await?,
            Kind::BrokerPause => broker.pause().await?,
            Kind::BrokerRollback => broker.take_copy().await?,
            _ => broker.kill_pubsub().await?,
        }
        Ok(())
    }

    async fn mend_broker(&mut self, fault: &Planned) -> Result<(), String> {
        let broker = self.broker.as_mut().ok_or("there is no broker besides the node")?;
        match fault.kind {
            Kind::BrokerKill | Kind::BrokerRestart => broker.restart().await,
            Kind::BrokerPause => broker.go_on().await,
            Kind::BrokerRollback => broker.roll_back().await,
            _ => Ok(()),
        }
    }

    async fn set_network(&mut self, fault: &Planned, whole: bool) -> Result<(), String> {
        let network = self.node(fault)?.network.as_ref().ok_or("the node has no network")?;
        match fault.kind {
            Kind::LinkDown => network.set_cable(whole).await,
            _ => network.set_route(whole).await,
        }
    }

    fn node(&self, fault: &Planned) -> Result<&Node, String> {
        number(fault).and_then(|number| self.nodes.get(number)).ok_or_else(|| no_target(fault))
    }

    fn node_mut(&mut self, fault: &Planned) -> Result<&mut Node, String> {
        let node = number(fault).and_then(|number| self.nodes.get_mut(number));
        node.ok_or_else(|| no_target(fault))
    }

    fn link(&self, fault: &Planned) -> Result<&Proxy, String> {
        self.node(fault)?.link.as_ref().ok_or_else(|| no_target(fault))
    }
}

/// The place in the list of the node that a fault happens to.
fn number(fault: &Planned) -> Option<usize> {
    fault.target.rsplit('-').next()?.parse::<usize>().ok()?.checked_sub(1)
}

fn no_target(fault: &Planned) -> String {
    format!("{}: there is no {}", fault.kind, fault.target)
}

fn may_happen(options: &Options, kind: Kind) -> bool {
    let chosen = match &options.faults {
        Selection::All => true,
        Selection::None => false,
        Selection::Kinds(kinds) => kinds.contains(&kind),
    };
    chosen && kind.happens_with(options.broker)
}

/// Which of these cannot be had on this machine, and why.
async fn missing(wanted: &[Kind]) -> Vec<(Kind, String)> {
    let mut missing = Vec::new();
    for kind in wanted {
        let needed = match kind {
            Kind::LinkDown | Kind::RouteLost => super::needs::namespaces().await,
            Kind::DiskFull => super::needs::mounts().await,
            Kind::ClockJump => super::needs::clocks(),
            _ => Ok(()),
        };
        if let Err(why) = needed {
            missing.push((*kind, why));
        }
    }
    missing
}

fn set_clock(node: &Node, seconds: i64) -> Result<(), String> {
    match &node.clock {
        Some(clock) => clock.set(seconds).map_err(|error| format!("a node's clock: {error}")),
        None => Err("the node has no clock of its own".to_owned()),
    }
}

/// Spoils what passes a proxy; how much follows from when.
fn spoil(proxy: &Proxy, fault: &Planned) {
    let begin = u64::try_from(fault.begin.as_millis()).unwrap_or_default();
    let mut seed = Seed::new(begin);
    let weather = Weather::default();
    match fault.kind {
        Kind::Delay | Kind::LinkDelay => {
            let delay_ms = Some((seed.between(5, 150), seed.between(1, 200)));
            proxy.set(Weather { delay_ms, ..weather });
        }
        Kind::Cut | Kind::LinkCut => {
            proxy.set(Weather { refuses: true, ..weather });
            proxy.cut();
        }
        Kind::Blackhole | Kind::LinkBlackhole => proxy.set(Weather { stopped: true, ..weather }),
        Kind::Slow => proxy.set(Weather { bytes_per_second: Some(SLOW_BYTES), ..weather }),
        _ => proxy.half_close(),
    }
}

#[cfg(test)]
#[path = "stage_tests.rs"]
mod tests;
