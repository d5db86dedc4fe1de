//! Making a [`Node`] from a configuration.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use openline_ws::tls;
use tokio::sync::watch;

use super::broker::{self, Ground, on_ground};
use super::{Node, options};
use crate::app::{Doors, HandlerThreads, Operator};
use crate::auth::{ApiKeys, Tickets, UserLines, Verifier};
use crate::broker::{Broker, NodeId};
use crate::clock::Clock;
use crate::cluster::{Cluster, Forwards};
use crate::config::Config;
use crate::exchange::{Exchange, Interest};
use crate::guard::{Guard, Keyed};
use crate::log::Log;
use crate::metrics::Metrics;
use crate::shard::Shard;
use crate::socketio::engine;
use crate::transport::KeptSessions;
use crate::transport::websocket;
use crate::uploads::{self, Uploads};
use crate::webhook::Webhooks;

/// Users and channels whose rates are known at a time.
const RATE_KEYS_MAX: usize = 100_000;

/// Why a server could not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// Certificate or key cannot be used; the error names the file.
    Tls(io::Error),
    /// The data directory cannot be used, or another process uses it.
    Data {
        /// What is wrong.
        message: String,
        /// Another process has it.
        locked: bool,
    },
    /// What the configuration says cannot be done; names the key.
    Config(String),
    /// The threads of handlers cannot be started.
    Threads(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, error } if error.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "cannot listen on {address}: another program uses port {}",
                    address.port()
                )
            }
            Self::Listen { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::Threads(error) => write!(f, "cannot start the threads of handlers: {error}"),
            Self::Data { message, .. } | Self::Config(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for StartError {}

/// What a node is made of beside its configuration.
pub(crate) struct Parts {
    pub(crate) config: Arc<Config>,
    pub(crate) shards: Arc<[Arc<Shard>]>,
    pub(crate) address: SocketAddr,
    pub(crate) log: Log,
    pub(crate) mounts: engine::Mounts,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) doors: Doors,
    pub(crate) handler_threads: HandlerThreads,
}

/// A node, with the broker that its configuration names.
pub(crate) fn start(parts: Parts) -> Result<Node, StartError> {
    start_on(parts, broker::of_config)
}

/// A node on this broker.
pub(crate) fn start_on(
    parts: Parts,
    broker: impl FnOnce(Ground<'_>) -> Result<Box<dyn Broker>, StartError>,
) -> Result<Node, StartError> {
    let Parts { config, shards, address, log, mounts, stop, doors, handler_threads } = parts;
    let clock = Clock::start();
    let guard = Guard::new(&options::guard(&config), address.ip()).map_err(StartError::Config)?;
    let verifier = verifier(&config)?;
    let webhooks = webhooks(&config, &log)?;
    let tls = match (&config.tls.certificate, &config.tls.key) {
        (Some(certificate), Some(key)) => {
            let config = tls::server_config(certificate, key, &["h2", "http/1.1"]);
            Some(config.map_err(StartError::Tls)?)
        }
        _ => None,
    };
    let interest = Arc::new(Interest::new(shards.clone()));
    let (id, name) = (NodeId(rand::random()), name(&config, address));
    let cluster = Cluster::new(id, name.clone(), clock, interest.clone());
    let (tail, ear) = (interest.clone(), cluster.clone());
    let broker = on_ground(Ground { config: &config, clock, tail, ear, id, log: &log }, broker)?;
    let cluster = broker.link().map(|link| {
        cluster.connect(link);
        cluster
    });
    let forwards = cluster.as_ref().map(|cluster| {
        guard.counted_lines().share();
        let forwards = Forwards::new(shards, clock, &config);
        forwards.connect(Arc::downgrade(cluster));
        forwards
    });
    let api_keys = api_keys(&config, &log)?;
    let uploads = uploads(&config, clock, &log)?;
    let user_lines = UserLines::new(options::duplicates(&config));
    let line_settings = websocket::settings(&config);
    let queue_options = Arc::new(websocket::queue(&config));
    Ok(Node {
        id,
        name,
        exchange: Arc::new(Exchange::new(broker, interest, cluster, config, clock)),
        guard,
        verifier,
        tickets: Tickets::new(id.0),
        user_lines,
        api_keys,
        user_rates: Keyed::new(RATE_KEYS_MAX),
        channel_rates: Keyed::new(RATE_KEYS_MAX),
        request_rates: Keyed::new(RATE_KEYS_MAX),
        kept: KeptSessions::default(),
        forwards,
        mounts,
        engine: engine::Connections::default(),
        webhooks,
        uploads,
        metrics: Metrics::default(),
        log,
        tls,
        operator: Operator::start(doors, handler_threads).map_err(StartError::Threads)?,
        line_settings,
        queue_options,
        stop,
        numbers: AtomicU64::new(0),
    })
}

/// What people know the node by.
fn name(config: &Config, address: SocketAddr) -> Box<str> {
    if let Some(name) = &config.node.name {
        return name.as_str().into();
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match host.trim() {
        "" => address.to_string().into(),
        host => format!("{host}:{}", address.port()).into(),
    }
}

/// A node that keeps nothing.
#[cfg(test)]
pub(crate) fn for_test(shards: Arc<[Arc<Shard>]>) -> Node {
    for_test_with(shards, Doors::default())
}

/// As [`for_test`], with these doors.
#[cfg(test)]
pub(crate) fn for_test_with(shards: Arc<[Arc<Shard>]>, doors: Doors) -> Node {
    let config = Config { ephemeral: true, ..Config::default() };
    let address = config.listen;
    let (_, stop) = watch::channel(false);
    let log = Log::quiet();
    let (config, mounts) = (Arc::new(config), engine::Mounts::default());
    let handler_threads = HandlerThreads::Own(None);
    start(Parts { config, shards, address, log, mounts, stop, doors, handler_threads })
        .expect("the default configuration works")
}

/// What checks the tokens of this configuration.
pub(crate) fn verifier(config: &Config) -> Result<Verifier, StartError> {
    let wrong = |error: crate::auth::OptionsError| StartError::Config(error.to_string());
    let options = options::auth(config).map_err(StartError::Config)?;
    match options.jwks_url {
        None => Verifier::new(options).map_err(wrong),
        Some(_) => Verifier::with_fetch(options, options::fetch(config)).map_err(wrong),
    }
}

fn webhooks(config: &Config, log: &Log) -> Result<Option<Arc<Webhooks>>, StartError> {
    let Some(options) = options::webhooks(config, log).map_err(StartError::Config)? else {
        return Ok(None);
    };
    let webhooks = Webhooks::new(options);
    let wrong = |error: crate::webhook::OptionsError| StartError::Config(error.to_string());
    Ok(Some(Arc::new(webhooks.map_err(wrong)?)))
}

fn uploads(config: &Config, clock: Clock, log: &Log) -> Result<Uploads, StartError> {
    let opened = Uploads::open(uploads::Options::of(config), clock, log.clone());
    opened.map_err(|error| StartError::Data {
        message: format!("the folder of uploads: {error}"),
        locked: false,
    })
}

fn api_keys(config: &Config, log: &Log) -> Result<ApiKeys, StartError> {
    let more = options::api_keys(config);
    let made = if !config.ephemeral {
        create_private(&config.data_dir)?;
        ApiKeys::open(&config.data_dir, more)
    } else if more.is_empty() {
        ApiKeys::random().map(|(keys, key)| {
            log.random_api_key(&key);
            keys
        })
    } else {
        ApiKeys::of(more)
    };
    made.map_err(|error| StartError::Data { message: error.to_string(), locked: false })
}

fn create_private(dir: &Path) -> Result<(), StartError> {
    std::fs::create_dir_all(dir).map_err(|error| StartError::Data {
        message: format!("{}: {error}", dir.display()),
        locked: false,
    })
}
