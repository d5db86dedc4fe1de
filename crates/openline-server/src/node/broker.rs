//! Which broker a node has.

use std::sync::Arc;

use openline_protocol::ChannelName;

use super::options;
use super::start::StartError;
use crate::broker::{Backend, Broker, Ear, LocalBroker, NodeId, SharedBroker, SharedOptions, Tail};
use crate::clock::Clock;
use crate::config::{BrokerKind, BrokerUrl, Config, HistoryLevel};
use crate::exchange::history;
use crate::log::Log;

/// Where the embedded store is in the data directory.
const STORE: &str = "history";

/// What a broker is made from.
pub(crate) struct Ground<'a> {
    pub(crate) config: &'a Arc<Config>,
    pub(crate) clock: Clock,
    pub(crate) tail: Arc<dyn Tail>,
    /// What other nodes say is for it.
    pub(crate) ear: Arc<dyn Ear>,
    /// Of this run of this node.
    pub(crate) id: NodeId,
    pub(crate) log: &'a Log,
}

/// The broker that `make` makes, with the bug that was asked for, if this program can have bugs.
pub(super) fn on_ground(
    ground: Ground<'_>,
    make: impl FnOnce(Ground<'_>) -> Result<Box<dyn Broker>, StartError>,
) -> Result<Box<dyn Broker>, StartError> {
    #[cfg(feature = "seeded-bugs")]
    {
        let seeded = crate::broker::seeded::Seeded::chosen().map_err(StartError::Config)?;
        let (tail, ear) = (seeded.tail(ground.tail), seeded.ear(ground.ear));
        Ok(seeded.broker(make(Ground { tail, ear, ..ground })?))
    }
    #[cfg(not(feature = "seeded-bugs"))]
    make(ground)
}

/// The one that the configuration names.
pub(super) fn of_config(ground: Ground<'_>) -> Result<Box<dyn Broker>, StartError> {
    match &ground.config.broker.url {
        None => local(ground),
        Some(url) => elsewhere(url.clone(), ground),
    }
}

fn local(ground: Ground<'_>) -> Result<Box<dyn Broker>, StartError> {
    let Ground { config, clock, tail, log, .. } = ground;
    let local = options::local(config);
    if config.ephemeral || config.history.level == HistoryLevel::Memory {
        return Ok(Box::new(LocalBroker::in_memory(local, clock, tail)));
    }
    let namespaces = config.clone();
    let kept = move |channel: &ChannelName| {
        let namespace = namespaces.namespace_of(channel.namespace());
        history(namespace.unwrap_or(&namespaces.namespace.default))
    };
    let dir = config.data_dir.join(STORE);
    let opened = LocalBroker::open(&dir, options::store(config), local, clock, tail, kept);
    let (broker, opened) = opened.map_err(|error| StartError::Data {
        message: error.to_string(),
        locked: matches!(error, crate::store::OpenError::Locked { .. }),
    })?;
    log.store_opened(&opened);
    Ok(Box::new(broker))
}

fn elsewhere(url: BrokerUrl, ground: Ground<'_>) -> Result<Box<dyn Broker>, StartError> {
    let (settings, id) = (&ground.config.broker, ground.id);
    let window_ms = options::local(ground.config).window_ms;
    match url.kind() {
        #[cfg(feature = "redis")]
        BrokerKind::Redis => {
            let backend = crate::broker::RedisBackend::new(settings, id, window_ms)?;
            Ok(shared(backend, &url, ground))
        }
        #[cfg(feature = "nats")]
        BrokerKind::Nats => {
            let namespaces = ground.config.namespace.all().map(|(name, _)| name.to_owned());
            let (window, clock) = (window_ms, ground.clock);
            let backend = crate::broker::NatsBackend::new(settings, id, window, namespaces, clock);
            Ok(shared(backend, &url, ground))
        }
        #[cfg(not(all(feature = "redis", feature = "nats")))]
        kind => {
            let message = format!("broker.url: this program was built without {kind:?}");
            Err(StartError::Config(message))
        }
    }
}

fn shared(backend: impl Backend, url: &BrokerUrl, ground: Ground<'_>) -> Box<dyn Broker> {
    let Ground { config, tail, ear, .. } = ground;
    let settings = &config.broker;
    let options = SharedOptions::new(url.shown(), settings.timeout, settings.probe_interval);
    Box::new(SharedBroker::new(backend, options, tail, ear))
}
