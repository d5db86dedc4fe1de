//! [`Mounts`]: which paths lead to Engine.IO connections, and what stands on those.

use std::fmt;
use std::sync::Arc;

use openline_ws::{Config, Limits, Timeouts};

use super::{Mount, Options};
use crate::config::{self, Config as ServerConfig};

/// The paths of a node. There are few.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mounts(Vec<Arc<Mounted>>);

/// A path that leads to connections.
pub(crate) struct Mounted {
    /// Without the slash at its end, which requests may have or not.
    path: Box<str>,
    pub(super) mount: Arc<dyn Mount>,
    pub(super) terms: Arc<Terms>,
}

/// How the connections of a path are kept.
#[derive(Debug)]
pub(super) struct Terms {
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
        let terms = Arc::new(Terms::new(options, config));
        self.0.push(Arc::new(Mounted { path, mount, terms }));
    }

    /// What a path leads to.
    pub(crate) fn at(&self, path: &str) -> Option<&Arc<Mounted>> {
        let path = without_slash(path);
        self.0.iter().find(|mounted| *mounted.path == *path)
    }
}

impl fmt::Debug for Mounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mounted").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Terms {
    fn new(options: Options, config: &ServerConfig) -> Self {
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
