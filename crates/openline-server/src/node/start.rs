//! Making a [`Node`] from a configuration.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::broker::{self, Ground, on_ground};
use super::{Asked, Node, options};
use crate::app::{Doors, HandlerThreads, Operator};
use crate::auth::{ApiKeyError, ApiKeys, Tickets, UserLines, Verifier};
use crate::broker::{Broker, NodeId};
use crate::clock::Clock;
use crate::cluster::{Cluster, Forwards};
use crate::config::Config;
use crate::exchange::{Exchange, Interest};
use crate::guard::{Guard, Keyed};
use crate::lifecycle::Lifecycle;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::reload::{Current, Reloads, Settings};
use crate::shard::Shard;
use crate::socketio::engine;
use crate::tls::Tls;
use crate::transport::KeptSessions;
use crate::transport::websocket;
use crate::upgrade::TakeoverError;
use crate::uploads::{self, Uploads};
use crate::webhook::{self, Webhooks};

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
    /// The running server was not taken over from.
    Takeover(TakeoverError),
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
            Self::Takeover(error) => error.fmt(f),
            Self::Data { message, .. } | Self::Config(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for StartError {}

impl From<TakeoverError> for StartError {
    fn from(error: TakeoverError) -> Self {
        Self::Takeover(error)
    }
}

/// What a node is made of beside its configuration.
pub(crate) struct Parts {
    pub(crate) config: Arc<Config>,
    pub(crate) shards: Arc<[Arc<Shard>]>,
    pub(crate) address: SocketAddr,
    pub(crate) log: Log,
    pub(crate) mounts: engine::Mounts,
    pub(crate) lifecycle: Lifecycle,
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
    let Parts { config, shards, address, log, mounts, lifecycle, doors, handler_threads } = parts;
    let clock = Clock::start();
    let guard = Guard::new(&options::guard(&config), address.ip()).map_err(StartError::Config)?;
    let verifier = verifier(&config)?;
    let webhook_desk = webhook::Desk::new(&webhook::Options::default());
    let webhooks = webhooks(&webhook_desk, &config, &log)?;
    let tls = Tls::start(&config, log.clone()).map_err(StartError::Tls)?;
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
    let api_key_file = api_keys.path().map(Path::to_owned);
    let revocations = verifier.revocations().clone();
    let settings =
        Settings { config, guard, verifier, api_keys, webhooks, line_settings, queue_options };
    let current = Arc::new(Current::new(settings));
    Ok(Node {
        id,
        name,
        exchange: Arc::new(Exchange::new(broker, interest, cluster, current, clock)),
        revocations,
        api_key_file,
        tickets: Tickets::new(id.0),
        user_lines,
        user_rates: Keyed::new(RATE_KEYS_MAX),
        channel_rates: Keyed::new(RATE_KEYS_MAX),
        request_rates: Keyed::new(RATE_KEYS_MAX),
        kept: KeptSessions::default(),
        forwards,
        mounts,
        engine: engine::Connections::default(),
        asked: Asked::default(),
        webhook_desk,
        reloads: Reloads::default(),
        uploads,
        metrics: Metrics::default(),
        log,
        tls,
        operator: Operator::start(doors, handler_threads).map_err(StartError::Threads)?,
        lifecycle,
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
    let lifecycle = Lifecycle::new(crate::lifecycle::Terms::of(&config));
    let log = Log::quiet();
    let (config, mounts) = (Arc::new(config), engine::Mounts::default());
    let handler_threads = HandlerThreads::Own(None);
    start(Parts { config, shards, address, log, mounts, lifecycle, doors, handler_threads })
        .expect("the default configuration works")
}

/// Tries what can be tried without making a node, so that it does not fail when the process before has
/// closed its store already.
pub(crate) fn rehearse(config: &Config) -> Result<(), StartError> {
    if let Some(error) = config.unreadable_files().first() {
        return Err(StartError::Config(error.to_string()));
    }
    verifier(config).map(drop)
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

fn webhooks(
    desk: &Arc<webhook::Desk>,
    config: &Config,
    log: &Log,
) -> Result<Option<Webhooks>, StartError> {
    let Some(options) = options::webhooks(config, log).map_err(StartError::Config)? else {
        return Ok(None);
    };
    let wrong = |error: webhook::OptionsError| StartError::Config(error.to_string());
    let webhooks = Webhooks::at(desk, options).map_err(wrong)?;
    desk.obey(Some(&webhooks));
    Ok(Some(webhooks))
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
        random_api_key(log)
    } else {
        ApiKeys::of(more)
    };
    made.map_err(|error| StartError::Data { message: error.to_string(), locked: false })
}

/// A key of which nobody knows yet, and the log says it.
pub(super) fn random_api_key(log: &Log) -> Result<ApiKeys, ApiKeyError> {
    let (keys, key) = ApiKeys::random()?;
    log.random_api_key(&key);
    Ok(keys)
}

fn create_private(dir: &Path) -> Result<(), StartError> {
    std::fs::create_dir_all(dir).map_err(|error| StartError::Data {
        message: format!("{}: {error}", dir.display()),
        locked: false,
    })
}
