//! Making a running node's [`Settings`] anew from another configuration.

use std::sync::Arc;
use std::time::SystemTime;

use super::{Node, options, start};
use crate::auth::{self, ApiKeys};
use crate::config::{Config, ConfigError};
use crate::lifecycle::Terms;
use crate::reload::Settings;
use crate::tls::Fresh;
use crate::transport::websocket;
use crate::uploads;
use crate::webhook;

/// What is made of another configuration, and has no effect yet.
pub(crate) struct Prepared {
    settings: Settings,
    certificates: Option<Fresh>,
}

impl Node {
    /// The settings of a configuration, with what the present ones have counted, fetched and taken
    /// note of. Files that it names are read again. Nothing has another effect until
    /// [`Node::obey`].
    ///
    /// # Errors
    /// All that is wrong.
    pub(crate) fn prepare(&self, config: Config) -> Result<Prepared, Vec<ConfigError>> {
        let before = self.settings();
        let mut wrong = Vec::new();
        let guard = before.guard.renewed(&options::guard(&config));
        let guard = noted(guard, &mut wrong);
        let verifier = options::auth(&config).and_then(|options| {
            let fetch = || options::fetch(&config);
            before.verifier.renewed(options, fetch).map_err(|error| error.to_string())
        });
        let verifier = noted(verifier, &mut wrong);
        let webhooks = options::webhooks(&config, &self.log).and_then(|options| {
            let made = options.map(|options| webhook::Webhooks::at(&self.webhook_desk, options));
            made.transpose().map_err(|error| error.to_string())
        });
        let webhooks = noted(webhooks, &mut wrong);
        let now = SystemTime::now();
        let certificates = self.tls.as_ref().map(|tls| tls.prepare(&config, now)).transpose();
        let certificates = noted(certificates.map_err(|error| error.to_string()), &mut wrong);
        // Last, because it may have to write a key.
        let api_keys = match wrong.is_empty() {
            true => noted(self.api_keys(&before.api_keys, &config), &mut wrong),
            false => None,
        };
        let (Some(guard), Some(verifier), Some(webhooks)) = (guard, verifier, webhooks) else {
            return Err(wrong);
        };
        let (Some(api_keys), Some(certificates)) = (api_keys, certificates) else {
            return Err(wrong);
        };
        let settings = Settings {
            line_settings: websocket::settings(&config),
            queue_options: Arc::new(websocket::queue(&config)),
            config: Arc::new(config),
            guard,
            verifier,
            api_keys,
            webhooks,
        };
        Ok(Prepared { settings, certificates })
    }

    /// Has everything go by what was prepared from now on. Does not fail.
    pub(crate) fn obey(&self, prepared: Prepared) {
        let Prepared { settings, certificates } = prepared;
        if let (Some(tls), Some(fresh)) = (&self.tls, certificates) {
            tls.take(fresh);
        }
        settings.guard.take_over();
        let (config, webhooks) = (settings.config.clone(), settings.webhooks.clone());
        self.exchange.current.exchange(settings);
        self.webhook_desk.obey(webhooks.as_ref());
        self.user_lines.set_policy(options::duplicates(&config));
        self.lifecycle.set_terms(Terms::of(&config));
        self.uploads.set_options(uploads::Options::of(&config));
        self.mounts.follow(&config);
        self.log.set(config.log.level, config.log.format);
    }

    fn api_keys(&self, before: &ApiKeys, config: &Config) -> Result<ApiKeys, String> {
        let more = options::api_keys(config);
        let made = match (config.ephemeral, more.is_empty()) {
            (false, _) => ApiKeys::open(&config.data_dir, more),
            (true, false) => ApiKeys::of(more),
            (true, true) => match before.random_again() {
                Some(keys) => Ok(keys),
                None => return start::random_api_key(&self.log).map_err(|error| error.to_string()),
            },
        };
        made.map_err(|error: auth::ApiKeyError| error.to_string())
    }
}

fn noted<T>(made: Result<T, String>, wrong: &mut Vec<ConfigError>) -> Option<T> {
    made.map_err(|what| wrong.push(ConfigError::together(what))).ok()
}
