//! [`Settings`]: a configuration, and what was made from it.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard as Loaded};
use openline_protocol::{ChannelName, ErrorCode, Fault};

use crate::auth::{ApiKeys, Verifier};
use crate::config::{Config, Namespace};
use crate::guard::Guard;
use crate::webhook::Webhooks;

/// A configuration, and what was made from it: all that may be another from one moment to the next.
/// It is never changed but exchanged as a whole, so who works for a request takes it once and sees one
/// state of it.
pub(crate) struct Settings {
    pub(crate) config: Arc<Config>,
    pub(crate) guard: Guard,
    pub(crate) verifier: Verifier,
    pub(crate) api_keys: ApiKeys,
    pub(crate) webhooks: Option<Webhooks>,
    /// How WebSocket lines are set up.
    pub(crate) line_settings: Arc<openline_ws::Config>,
    pub(crate) queue_options: Arc<openline_ws::QueueOptions>,
}

/// The settings in force, as they were when somebody asked. To be held for one request and not longer:
/// it keeps them in memory.
pub(crate) type InForce = Loaded<Arc<Settings>>;

/// Which settings are in force. Looking costs no lock and no counter that threads share.
pub(crate) struct Current(ArcSwap<Settings>);

impl Settings {
    /// The options of a channel.
    ///
    /// # Errors
    /// Its namespace is not configured, and the configuration says that it has to be.
    pub(crate) fn namespace(&self, channel: &ChannelName) -> Result<&Namespace, Fault> {
        let prefix = channel.namespace();
        self.config.namespace_of(prefix).ok_or_else(|| {
            let message =
                format!("there is no namespace {prefix}; see [namespace.…] in the config");
            Fault::new(ErrorCode::UnknownNamespace, message)
        })
    }
}

impl Current {
    pub(crate) fn new(settings: Settings) -> Self {
        Self(ArcSwap::from_pointee(settings))
    }

    /// Those in force now.
    pub(crate) fn load(&self) -> InForce {
        self.0.load()
    }

    /// Has others be in force, all at once.
    pub(crate) fn exchange(&self, settings: Settings) {
        self.0.store(Arc::new(settings));
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}
