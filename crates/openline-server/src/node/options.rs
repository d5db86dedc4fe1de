//! What the configuration says, in the words of each part.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, StatusCode};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::auth::{self, Fetch, Fetched, KeyMaterial, KeyOptions, Secret};
use crate::broker::LocalOptions;
use crate::config::{self, Config, HistoryLevel, SigningKey, WebhookDecision, WebhookEvent};
use crate::guard::{self, ConnectionLimits};
use crate::log::Log;
use crate::outbound::{self, Allowed, Client, Target};
use crate::overload::{Descriptors, open_files_max};
use crate::store;
use crate::webhook;

/// A set of keys is small, and a client waits for it.
const KEY_SET_TIMEOUT: Duration = Duration::from_secs(2);
const KEY_SET_BYTES_MAX: usize = 256 << 10;

pub(super) fn guard(config: &Config) -> guard::Options {
    let http = &config.http;
    let limits = &config.limits;
    let descriptors = Descriptors::of(open_files_max());
    let lines =
        limits.connections.map_or(descriptors.lines, |most| most.get().min(descriptors.lines));
    let sockets = lines.saturating_add(descriptors.reserved);
    guard::Options {
        allowed_origins: texts(&http.allowed_origins),
        allowed_hosts: texts(&http.allowed_hosts),
        trusted_proxies: texts(&http.trusted_proxies),
        proxy_protocol: http.proxy_protocol,
        lines: ConnectionLimits {
            per_node: Some(lines),
            per_address: limits.connections_per_ip.map(|most| most.get()),
            per_user: limits.connections_per_user.map(|most| most.get()),
        },
        sockets: ConnectionLimits { per_node: Some(sockets), per_address: None, per_user: None },
        admission: limits.admission,
    }
}

pub(super) fn auth(config: &Config) -> Result<auth::Options, String> {
    let auth = &config.auth;
    Ok(auth::Options {
        keys: auth.keys.iter().map(key).collect::<Result<_, _>>()?,
        jwks_url: auth.jwks_url.as_ref().map(|url| url.as_str().to_owned()),
        audience: auth.audience.clone(),
        issuer: auth.issuer.clone(),
        leeway: auth.leeway,
        query: auth.query,
        cookie: auth.cookie.as_ref().map(|name| name.as_str().to_owned()),
    })
}

pub(super) fn duplicates(config: &Config) -> auth::Duplicates {
    match config.auth.duplicates {
        config::Duplicates::Allow => auth::Duplicates::Allow,
        config::Duplicates::Replace => auth::Duplicates::Replace,
        config::Duplicates::Refuse => auth::Duplicates::Refuse,
    }
}

fn key(key: &SigningKey) -> Result<KeyOptions, String> {
    let name = key.algorithm.as_str();
    let algorithm = auth::Algorithm::ALL.into_iter().find(|known| known.as_str() == name);
    let algorithm = algorithm.ok_or_else(|| format!("auth.keys: {name} is not supported"))?;
    let read = |path: &std::path::Path| {
        fs::read_to_string(path).map_err(|error| format!("auth.keys: {}: {error}", path.display()))
    };
    let material = match (&key.secret, &key.secret_file, &key.public_key_file) {
        (Some(secret), None, None) => KeyMaterial::Secret(Secret::new(secret.expose().to_owned())),
        (None, Some(file), None) => {
            KeyMaterial::Secret(Secret::new(read(file)?.trim_end_matches(['\r', '\n']).to_owned()))
        }
        (None, None, Some(file)) => KeyMaterial::PublicKeyPem(read(file)?),
        _ => {
            let needs = "needs one of secret, secret_file and public_key_file";
            return Err(format!("auth.keys: a key {needs}"));
        }
    };
    Ok(KeyOptions { algorithm, key_id: key.id.clone(), material })
}

/// Fetches key sets. The operator wrote the address down, so it may be a private one.
pub(super) fn fetch(config: &Config) -> Arc<dyn Fetch> {
    let target = config.auth.jwks_url.as_ref().and_then(|url| Target::parse(url.as_str()).ok());
    let own = target.map(|target| Allowed::host(&target.host, target.port));
    Arc::new(KeySets(Client::new(outbound::Options {
        timeout: KEY_SET_TIMEOUT,
        connect_timeout: KEY_SET_TIMEOUT,
        response_bytes_max: KEY_SET_BYTES_MAX,
        allow_private: own.into_iter().collect(),
        ..outbound::Options::default()
    })))
}

struct KeySets(Client);

impl Fetch for KeySets {
    fn get<'a>(&'a self, url: &'a str) -> Fetched<'a> {
        Box::pin(async move {
            let answer = self.0.get(url, HeaderMap::new()).await;
            let answer = answer.map_err(|error| error.to_string())?;
            match answer.status {
                StatusCode::OK => Ok(answer.body.to_vec()),
                status => Err(format!("{status}")),
            }
        })
    }
}

pub(super) fn webhooks(config: &Config, log: &Log) -> Result<Option<webhook::Options>, String> {
    let hook = &config.webhook;
    let Some(url) = &hook.url else { return Ok(None) };
    let secret = |secret: &config::Secret| webhook::Secret::new(secret.expose());
    let secrets = hook.secrets.iter().map(secret).collect::<Result<_, _>>();
    let extra_roots = match &hook.ca {
        Some(path) => certificates(path)?,
        None => Vec::new(),
    };
    let log = log.clone();
    let events = hook.events.iter().map(event);
    let decisions = hook.decide.iter().map(decision);
    let kinds: BTreeSet<&str> = events.chain(decisions).collect();
    Ok(Some(webhook::Options {
        decide_url: Some(url.as_str().to_owned()),
        inform_url: Some(url.as_str().to_owned()),
        kinds: webhook::Kind::ALL.into_iter().filter(|k| kinds.contains(k.as_str())).collect(),
        secrets: secrets.map_err(|error| format!("webhook.secrets: {error}"))?,
        fail_open: hook.fail_open,
        extra_roots,
        timeout: hook.timeout,
        connect_timeout: hook.timeout.min(Duration::from_secs(3)),
        retries: hook.retries,
        allow_private: hook
            .allow_private
            .iter()
            .map(|target| target.as_str().parse::<outbound::Allowed>())
            .collect::<Result<_, _>>()
            .map_err(|error| format!("webhook.allow_private: {error}"))?,
        report: Arc::new(move |what: &str| log.webhook_failed(what)),
        ..webhook::Options::default()
    }))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |error| format!("webhook.ca: {}: {error}", path.display());
    let found = CertificateDer::pem_file_iter(path).map_err(failed)?;
    found.collect::<Result<_, _>>().map_err(failed)
}

fn event(event: &WebhookEvent) -> &'static str {
    event.as_str()
}

fn decision(decision: &WebhookDecision) -> &'static str {
    decision.as_str()
}

pub(super) fn local(config: &Config) -> LocalOptions {
    let window_ms = config.history.idempotency_window.as_millis();
    LocalOptions {
        bytes_max: usize::try_from(config.history.memory_max.bytes()).unwrap_or(usize::MAX),
        window_ms: u64::try_from(window_ms).unwrap_or(u64::MAX),
        channels_max: config.limits.channels as usize,
    }
}

pub(super) fn store(config: &Config) -> store::Options {
    store::Options {
        level: match config.history.level {
            HistoryLevel::Memory => store::Level::Memory,
            HistoryLevel::Os => store::Level::Os,
            HistoryLevel::Fsync => store::Level::Fsync,
        },
        reserve_bytes: config.history.reserve.bytes(),
        ..store::Options::default()
    }
}

pub(super) fn api_keys(config: &Config) -> Vec<Secret> {
    config.api.keys.iter().map(|key| Secret::new(key.expose().to_owned())).collect()
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}
