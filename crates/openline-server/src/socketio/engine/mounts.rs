//! [`Mounts`]: which paths lead to Engine.IO connections, and what stands on those.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use openline_ws::{Config, Limits, Timeouts};

use super::{Mount, Options};
use crate::config::{self, Config as ServerConfig};
use crate::socketio::engine_options;

/// The paths of a node. There are few.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mounts(Vec<Arc<Mounted>>);

/// A path that leads to connections.
pub(crate) struct Mounted {
    /// Without the slash at its end, which requests may have or not.
    path: Box<str>,
    pub(super) mount: Arc<dyn Mount>,
    terms: ArcSwap<Terms>,
    /// Whether its terms are those of the configuration.
    follows: bool,
}

/// How the connections of a path are kept.
#[derive(Debug)]
pub(super) struct Terms {
    /// The same of all that a path has had.
    of: Arc<()>,
    pub(super) options: Options,
    /// The settings of its WebSockets.
    pub(super) line: Arc<Config>,
    /// Bytes that may wait for a client, over polling.
    pub(super) queue_bytes: usize,
    /// `limits.slow_consumer`: what does not fit ends the connection.
    pub(super) closes_when_full: bool,
}

impl Mounts {
    /// Adds a path, such as `/socket.io/`; one that is there already leads to the new mount.
    pub(crate) fn add(
        &mut self,
        path: &str,
        options: Options,
        config: &ServerConfig,
        mount: Arc<dyn Mount>,
    ) {
        let path: Box<str> = without_slash(path).into();
        self.0.retain(|mounted| mounted.path != path);
        let follows = options == engine_options(config);
        let terms = ArcSwap::from_pointee(Terms::new(options, config, Arc::default()));
        self.0.push(Arc::new(Mounted { path, mount, terms, follows }));
    }

    /// Keeps the connections that come from now on as another configuration says.
    pub(crate) fn follow(&self, config: &ServerConfig) {
        for mounted in self.0.iter().filter(|mounted| mounted.follows) {
            let of = mounted.terms.load().of.clone();
            mounted.terms.store(Arc::new(Terms::new(engine_options(config), config, of)));
        }
    }

    /// What a path leads to.
    pub(crate) fn at(&self, path: &str) -> Option<&Arc<Mounted>> {
        let path = without_slash(path);
        self.0.iter().find(|mounted| *mounted.path == *path)
    }
}

impl Mounted {
    /// How connections are kept that come now.
    pub(super) fn terms(&self) -> Arc<Terms> {
        self.terms.load_full()
    }
}

impl fmt::Debug for Mounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mounted").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Terms {
    /// Whether both are of one path.
    pub(super) fn is_kin(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.of, &other.of)
    }

    fn new(options: Options, config: &ServerConfig, of: Arc<()>) -> Self {
        let bytes_max = options.payload_bytes_max as u64;
        let line = Config {
            limits: Limits {
                frame_bytes_max: bytes_max,
                message_bytes_max: bytes_max,
                ..Limits::default()
            },
            timeouts: Timeouts {
                // The protocol has pings of its own.
                ping_interval: None,
                write: Some(config.limits.queue_age),
                ..Timeouts::default()
            },
            ..Config::default()
        };
        Self {
            of,
            options,
            line: Arc::new(line),
            queue_bytes: usize::try_from(config.limits.queue.bytes()).unwrap_or(usize::MAX),
            closes_when_full: config.limits.slow_consumer == config::SlowConsumer::Close,
        }
    }
}

fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}
