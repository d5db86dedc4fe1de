//! What is broken in a run, and when.

mod broker_server;
mod clock;
mod disk;
mod folder;
mod kind;
mod namespace;
mod needs;
mod node;
mod probe;
mod program;
mod proxy;
mod schedule;
mod stage;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub use kind::Kind;
pub use schedule::schedule;
pub use stage::Stage;

/// What keeps the channels of the nodes under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BrokerKind {
    /// The node itself, of which there is one.
    Embedded,
    /// A Redis that the run starts.
    Redis,
    /// A NATS server with JetStream that the run starts.
    Nats,
}

impl FromStr for BrokerKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "embedded" => Ok(Self::Embedded),
            "redis" => Ok(Self::Redis),
            "nats" => Ok(Self::Nats),
            other => Err(format!("{other} is no broker; it is embedded, redis or nats")),
        }
    }
}

impl fmt::Display for BrokerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Redis => "redis",
            Self::Nats => "nats",
        })
    }
}

/// What is to be started.
#[derive(Debug, Clone)]
pub struct Options {
    /// What keeps the channels.
    pub broker: BrokerKind,
    /// How many nodes; 1 where the broker is embedded.
    pub nodes: usize,
    /// What all that is left to chance follows from.
    pub seed: u64,
    /// The server's program.
    pub bin: PathBuf,
    /// A folder for data, configurations and logs. It has to be there.
    pub folder: PathBuf,
    /// What stands in every node's configuration besides where it listens and its broker.
    pub config: String,
    /// Which faults there are going to be: some need that a node is started in another way.
    pub faults: Selection,
    /// What every node has in its environment.
    pub env: Vec<(String, String)>,
}

/// Which faults a run has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Every kind that this machine can make.
    All,
    /// None: nothing may go wrong.
    None,
    /// These.
    Kinds(Vec<Kind>),
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            list => list.split(',').map(str::parse).collect::<Result<_, _>>().map(Self::Kinds),
        }
    }
}

/// A fault that is to be, in time since the run began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// When it begins.
    pub begin: Duration,
    /// When it ends.
    pub end: Duration,
    /// What it is.
    pub kind: Kind,
    /// What it happens to, as in `node-2` or `broker`.
    pub target: String,
}
