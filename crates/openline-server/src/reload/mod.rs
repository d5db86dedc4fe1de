//! The configuration while the server runs: what is in force, and how something else comes to be.
//!
//! A reload loads the configuration from its [`ConfigSource`], makes everything anew that follows from
//! it, and then exchanges all of it at once ([`Settings`]). With anything wrong nothing is exchanged.
//!
//! - *Invariant:* whatever is made from a key that is `live` is in [`Settings`], or is set by
//!   `Node::obey`; nobody else keeps a copy of it for longer than a request.

mod answer;
mod settings;
mod source;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::chat;
use crate::config::{BrokerKind, Change, Config, ConfigError, Difference};
use crate::node::Node;

pub use answer::{ReloadError, Reloaded};
pub(crate) use settings::{Current, InForce, Settings};
pub use source::ConfigSource;

/// What a node knows of its reloads.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    /// Held while the configuration is loaded and exchanged: one reload at a time.
    source: Mutex<Option<ConfigSource>>,
    has_failed: AtomicBool,
}

impl Reloads {
    /// From where the configuration is loaded from now on.
    pub(crate) fn load_from(&self, source: ConfigSource) {
        *self.source() = Some(source);
    }

    /// Whether the last reload was refused, so that what is in force is not what was written last.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    fn source(&self) -> MutexGuard<'_, Option<ConfigSource>> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// Loads the configuration again from where it came from, and has it be in force. Without such a
    /// place it stays what it is, and the files that it names are read again.
    pub(crate) fn reload(&self) -> Result<Reloaded, ReloadError> {
        let source = self.reloads.source();
        let file = source.as_ref().and_then(|source| source.file().map(PathBuf::from));
        let loaded = match &*source {
            Some(source) => source.load(),
            None => Ok((*self.settings().config).clone()),
        };
        self.conclude(file, loaded)
    }

    /// Has another configuration be in force.
    pub(crate) fn reload_with(&self, config: Config) -> Result<Reloaded, ReloadError> {
        let _one_at_a_time = self.reloads.source();
        self.conclude(None, config.checked())
    }

    fn conclude(
        &self,
        file: Option<PathBuf>,
        loaded: Result<Config, Vec<ConfigError>>,
    ) -> Result<Reloaded, ReloadError> {
        let replaced = loaded.map_err(ReloadError::Invalid).and_then(|config| self.replace(config));
        self.reloads.has_failed.store(replaced.is_err(), Ordering::Relaxed);
        self.metrics.config_reloaded(replaced.is_ok());
        let changed = replaced.inspect_err(|error| self.log.reload_refused(error))?;
        let config = self.settings().config.clone();
        let reloaded = Reloaded { file, changed, read: config.files() };
        self.log.reloaded(&reloaded);
        for doubt in config.warnings() {
            self.log.doubtful(&doubt);
        }
        Ok(reloaded)
    }

    fn replace(&self, config: Config) -> Result<Vec<Difference>, ReloadError> {
        let config = chat::with_namespace(config);
        let before = self.settings().config.clone();
        let changed = before.differences(&config);
        let fixed = changed.iter().filter(|change| needs_restart(&before, &config, change));
        let fixed: Vec<Difference> = fixed.cloned().collect();
        if !fixed.is_empty() {
            return Err(ReloadError::NeedsRestart(fixed));
        }
        let settings = self.prepare(config).map_err(ReloadError::Invalid)?;
        self.obey(settings);
        Ok(changed)
    }
}

fn needs_restart(before: &Config, after: &Config, change: &Difference) -> bool {
    // In NATS a namespace is a stream, and which there are is told to the broker when it is made.
    let is_nats = before.broker.url.as_ref().is_some_and(|url| url.kind() == BrokerKind::Nats);
    // Whether the server speaks TLS is decided before its first connection.
    let switches_tls = before.tls.is_on() != after.tls.is_on() && change.path.starts_with("tls.");
    change.change == Change::Restart || (is_nats && change.is_a_namespace()) || switches_tls
}
