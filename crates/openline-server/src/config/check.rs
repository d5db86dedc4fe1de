//! What is wrong although each key is right by itself: what is unsafe, contradicts itself, or
//! cannot work.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::choice::{Subscribers, WebhookDecision};
use super::error::{ConfigError, Place};
use super::keys::Config;
use super::signing::SigningKey;
use crate::overload::{Descriptors, open_files_max};

/// Strangers may guess as long as they like.
const SECRET_CHARS_MIN: usize = 16;
/// A key of the API opens everything.
const API_KEY_CHARS_MIN: usize = 32;
/// What a token is signed with can be guessed at without asking us (RFC 7518, 3.2).
const SIGNING_SECRET_BYTES_MIN: usize = 32;
const SIGNING_KEYS_MAX: usize = 16;
const SIGNING_KEY_ID_BYTES_MAX: usize = 128;
const WEBHOOK_SECRETS_MAX: usize = 4;

impl Config {
    /// What is unsafe or contradicts itself.
    pub(super) fn contradictions(&self) -> Vec<ConfigError> {
        let reach = self.unsafe_reach();
        let rest = [self.tls(), self.lists(), self.proxies(), self.tokens(), self.cookie()];
        let more =
            [self.signing_keys(), self.secrets(), self.webhook(), self.sizes(), self.broker()];
        let all = reach.into_iter().chain(rest.into_iter().flatten());
        all.chain(more.into_iter().flatten()).map(ConfigError::together).collect()
    }

    /// What is allowed, but probably not meant.
    pub fn warnings(&self) -> Vec<String> {
        let mut found = Vec::new();
        let decided = self.webhook.decide.contains(&WebhookDecision::Connect);
        if !self.auth.anonymous && !self.checks_tokens() && !decided {
            found.push(
                "nobody can come in: set auth.keys or auth.jwks_url to check tokens, or \
                 auth.anonymous=true"
                    .to_owned(),
            );
        }
        if self.demo && self.is_reachable() {
            let listen = self.listen;
            found.push(format!("demo=true on {listen} lets everyone into /chat and /echo"));
        }
        let uploads = &self.uploads;
        let room = uploads.user_max.min(uploads.total_max);
        if uploads.enabled && uploads.size_max > room {
            let size_max = uploads.size_max;
            found.push(format!(
                "uploads.size_max=\"{size_max}\" is more than a user may have (\"{room}\"): no file \
                 gets that long"
            ));
        }
        let fit = Descriptors::of(open_files_max()).lines;
        if let Some(wanted) = self.limits.connections.filter(|wanted| wanted.get() > fit) {
            found.push(format!(
                "limits.connections={wanted} is more than the limit of open files allows, which is \
                 {fit}: see ulimit -n"
            ));
        }
        let webhook = &self.webhook;
        if webhook.url.is_some() && webhook.events.is_empty() && webhook.decide.is_empty() {
            found.push("webhook.url without webhook.events and webhook.decide is idle".to_owned());
        }
        found
    }

    /// Files that the configuration names and that cannot be opened.
    pub fn unreadable_files(&self) -> Vec<ConfigError> {
        let keys = self.auth.keys.iter();
        let key_files = keys.flat_map(|key| [&key.secret_file, &key.public_key_file]);
        let named = [("webhook.ca", &self.webhook.ca), ("broker.ca", &self.broker.ca)];
        let named =
            self.tls.named_files().chain(named).chain(key_files.map(|file| ("auth.keys", file)));
        named
            .filter_map(|(key, file)| file.as_deref().and_then(|file| unreadable(key, file)))
            .collect()
    }

    /// Files that the configuration names and that a reload reads again.
    pub fn files(&self) -> Vec<PathBuf> {
        let keys = self.auth.keys.iter();
        let keys = keys.flat_map(|key| [&key.secret_file, &key.public_key_file]);
        let tls = self.tls.named_files().map(|(_, file)| file);
        tls.chain([&self.webhook.ca]).chain(keys).flatten().cloned().collect()
    }

    /// Whether other machines can connect.
    fn is_reachable(&self) -> bool {
        !self.listen.ip().to_canonical().is_loopback()
    }

    fn checks_tokens(&self) -> bool {
        !self.auth.keys.is_empty() || self.auth.jwks_url.is_some()
    }

    fn any_origin(&self) -> bool {
        self.http.allowed_origins.iter().any(|origin| origin.is_any())
    }

    fn unsafe_reach(&self) -> Option<String> {
        if !self.auth.anonymous || !self.is_reachable() || self.insecure_dev {
            return None;
        }
        let origins = if self.any_origin() { " with http.allowed_origins=[\"*\"]" } else { "" };
        Some(format!(
            "auth.anonymous=true{origins} on {}; set --insecure-dev to allow this",
            self.listen
        ))
    }

    fn broker(&self) -> Vec<String> {
        let broker = &self.broker;
        if broker.ca.is_none() || broker.url.as_ref().is_some_and(|url| url.is_tls()) {
            return Vec::new();
        }
        let needed = "broker.url does not ask for; begin it with rediss:// or tls://";
        vec![format!("broker.ca is for TLS, which {needed}")]
    }

    fn lists(&self) -> Vec<String> {
        let origins = &self.http.allowed_origins;
        let hosts = &self.http.allowed_hosts;
        let any = |key| format!("{key} has \"*\" and others; with \"*\" the others mean nothing");
        let mut found = Vec::new();
        if self.any_origin() && origins.len() > 1 {
            found.push(any("http.allowed_origins"));
        }
        if hosts.len() > 1 && hosts.iter().any(|host| host.as_str() == "*") {
            found.push(any("http.allowed_hosts"));
        }
        let proxies = &self.http.trusted_proxies;
        if let Some(everybody) = proxies.iter().find(|network| network.as_str().ends_with("/0")) {
            found.push(format!(
                "http.trusted_proxies=[\"{everybody}\"] believes every client about its address; \
                 name the proxies"
            ));
        }
        found
    }

    fn proxies(&self) -> Vec<String> {
        if self.http.proxy_protocol && self.http.trusted_proxies.is_empty() {
            let what = "http.proxy_protocol=true without http.trusted_proxies; name the proxies";
            return vec![what.to_owned()];
        }
        Vec::new()
    }

    /// What needs a way to check tokens.
    fn tokens(&self) -> Vec<String> {
        let mut found = Vec::new();
        let jwks = self.auth.jwks_url.as_ref();
        if jwks.is_some_and(|url| url.is_plain() && !url.is_loopback()) {
            let what = "auth.jwks_url has to begin with https://; plain HTTP is for this machine";
            found.push(what.to_owned());
        }
        if self.checks_tokens() {
            return found;
        }
        let mut needing = Vec::new();
        if self.auth.handshake {
            needing.push("auth.handshake=true".to_owned());
        }
        if self.auth.query {
            needing.push("auth.query=true".to_owned());
        }
        if let Some(cookie) = &self.auth.cookie {
            needing.push(format!("auth.cookie=\"{cookie}\""));
        }
        for (name, namespace) in self.namespace.all() {
            if namespace.subscribe == Subscribers::Token {
                needing.push(format!("namespace.{name}.subscribe=\"token\""));
            }
        }
        found.extend(needing.iter().map(|key| {
            format!("{key} without auth.keys and auth.jwks_url; set one to check tokens")
        }));
        found
    }

    /// Browsers send cookies for any page, so it has to be said which pages may use them.
    fn cookie(&self) -> Vec<String> {
        let Some(cookie) = &self.auth.cookie else { return Vec::new() };
        let what = if self.insecure_dev {
            return Vec::new();
        } else if self.any_origin() {
            format!(
                "auth.cookie=\"{cookie}\" with http.allowed_origins=[\"*\"]: any page could act \
                 for its visitors; name the origins"
            )
        } else if self.http.allowed_origins.is_empty() && self.is_reachable() {
            format!("auth.cookie=\"{cookie}\" without http.allowed_origins; name the origins")
        } else {
            return Vec::new();
        };
        vec![what]
    }

    fn signing_keys(&self) -> Vec<String> {
        let keys = &self.auth.keys;
        let mut found: Vec<String> = keys
            .iter()
            .enumerate()
            .filter_map(|(index, key)| {
                let what = key
                    .contradiction()
                    .or_else(|| if self.insecure_dev { None } else { key.short_secret() });
                what.map(|what| format!("auth.keys[{index}]: {what}"))
            })
            .collect();
        if keys.len() > SIGNING_KEYS_MAX {
            found.push(format!(
                "auth.keys has {} keys; {SIGNING_KEYS_MAX} are the most, more belong behind \
                 auth.jwks_url",
                keys.len()
            ));
        }
        for (index, key) in keys.iter().enumerate() {
            let id = key.id.as_ref();
            if id.is_some_and(|id| id.len() > SIGNING_KEY_ID_BYTES_MAX) {
                found.push(format!(
                    "auth.keys[{index}]: the id is longer than {SIGNING_KEY_ID_BYTES_MAX} bytes"
                ));
            }
            if id.is_some() && keys[..index].iter().any(|other| other.id.as_ref() == id) {
                let id = id.map_or("", String::as_str);
                found.push(format!("auth.keys[{index}]: another key has the id {id:?} too"));
            }
        }
        found
    }

    fn secrets(&self) -> Vec<String> {
        let api = self.api.keys.iter().enumerate();
        let api = api.map(|(index, secret)| {
            (format!("api.keys[{index}]"), secret.expose(), API_KEY_CHARS_MIN)
        });
        let hook = self.webhook.secrets.iter().enumerate();
        let hook = hook.map(|(index, secret)| {
            (format!("webhook.secrets[{index}]"), secret.expose(), SECRET_CHARS_MIN)
        });
        let mut found = Vec::new();
        for (key, secret, least) in api.chain(hook) {
            // Those of the API stand in a header.
            if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
                found.push(format!("{key} can only have printable ASCII, no spaces"));
            } else if secret.len() < least {
                found.push(format!("{key} has {} characters; {least} are the least", secret.len()));
            }
        }
        found
    }

    fn webhook(&self) -> Vec<String> {
        let secrets = self.webhook.secrets.len();
        if secrets > WEBHOOK_SECRETS_MAX {
            return vec![format!(
                "webhook.secrets has {secrets}; {WEBHOOK_SECRETS_MAX} are the most"
            )];
        }
        if self.webhook.url.is_some() {
            let what = "webhook.url without webhook.secrets; set one to sign requests with";
            return if secrets == 0 { vec![what.to_owned()] } else { Vec::new() };
        }
        let mut found = Vec::new();
        if !self.webhook.events.is_empty() {
            found.push("webhook.events without webhook.url; say where to send them".to_owned());
        }
        if !self.webhook.decide.is_empty() {
            found.push("webhook.decide without webhook.url; say whom to ask".to_owned());
        }
        found
    }

    fn sizes(&self) -> Vec<String> {
        let (message, queue) = (self.limits.message, self.limits.queue);
        if message > queue {
            return vec![format!(
                "limits.message=\"{message}\" with limits.queue=\"{queue}\": a message that fills \
                 the queue reaches nobody; raise limits.queue"
            )];
        }
        Vec::new()
    }
}

impl SigningKey {
    /// What does not fit together, if anything.
    fn contradiction(&self) -> Option<String> {
        let algorithm = self.algorithm.as_str();
        let given = [
            ("secret", self.secret.is_some(), true),
            ("secret_file", self.secret_file.is_some(), true),
            ("public_key_file", self.public_key_file.is_some(), false),
        ];
        let is_symmetric = self.algorithm.is_symmetric();
        let needed = if is_symmetric { "secret or secret_file" } else { "public_key_file" };
        let given: Vec<_> = given.into_iter().filter(|(_, is_given, _)| *is_given).collect();
        if let Some((wrong, ..)) = given.iter().find(|(_, _, fits)| *fits != is_symmetric) {
            return Some(format!("{algorithm} takes {needed}, not {wrong}"));
        }
        match given.len() {
            0 => Some(format!("{algorithm} needs {needed}")),
            1 => None,
            _ => Some("secret and secret_file; set one of them".to_owned()),
        }
    }

    fn short_secret(&self) -> Option<String> {
        let bytes = self.secret.as_ref()?.expose().len();
        (bytes < SIGNING_SECRET_BYTES_MIN).then(|| {
            format!("the secret has {bytes} bytes; {SIGNING_SECRET_BYTES_MIN} are the least")
        })
    }
}

fn unreadable(key: &str, file: &Path) -> Option<ConfigError> {
    let error = File::open(file).err()?;
    let place = Place::File(file.display().to_string());
    Some(ConfigError { place, what: format!("{key} cannot be opened: {error}") })
}
