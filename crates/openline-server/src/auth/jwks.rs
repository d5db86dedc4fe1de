//! The issuer's public keys (RFC 7517, JWK Set), fetched, kept and fetched again.
//!
//! A set counts as fresh for 5 minutes and, if it cannot be fetched again, serves for 24 hours. A
//! token with an unknown `kid` makes it be fetched early, since issuers rotate keys. However many
//! ask, there is one fetch at a time and one in 10 seconds.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;

use super::keys::Key;
use super::options::KEY_ID_BYTES_MAX;
use super::public_key::{Jwk, PublicKey};
use super::{Algorithm, AuthError, OptionsError};

/// In seconds, as all times here.
const FRESH_FOR: u64 = 300;
const STALE_FOR: u64 = 24 * 3600;
const FETCH_INTERVAL_MIN: u64 = 10;
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);
const RESPONSE_BYTES_MAX: usize = 256 << 10;
/// The most keys taken from a set.
const SET_KEYS_MAX: usize = 64;

/// What a [`Fetch`] gives back: the body, or what went wrong, for the log.
pub(crate) type Fetched<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'a>>;

/// Fetches a page over HTTP.
pub(crate) trait Fetch: Send + Sync {
    /// GETs `url`, following no redirect; any status but 200 is an error. Should stop reading at
    /// 256 KiB and give up after 2 s; both are checked again here.
    fn get<'a>(&'a self, url: &'a str) -> Fetched<'a>;
}

/// The set of one address. Clones share what was fetched.
#[derive(Clone)]
pub(super) struct Jwks {
    url: Arc<str>,
    fetch: Arc<dyn Fetch>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    set: Option<Arc<KeySet>>,
    fetched_at: u64,
    attempted_at: Option<u64>,
    /// Why the last attempt failed, if it did.
    failure: Option<Box<str>>,
    /// Open while a fetch is under way; nothing is sent, its end is the news.
    flight: Option<watch::Receiver<()>>,
}

/// What to do for someone who needs the set.
enum Plan {
    Use(Arc<KeySet>),
    Wait(watch::Receiver<()>),
    Fail(AuthError),
}

impl Jwks {
    pub(super) fn new(url: &str, fetch: Arc<dyn Fetch>) -> Result<Self, OptionsError> {
        check_url(url).map_err(|what| OptionsError(format!("auth.jwks_url {what}")))?;
        Ok(Self { url: url.into(), fetch, state: Arc::default() })
    }

    pub(super) fn is_of(&self, url: &str) -> bool {
        *self.url == *url
    }

    /// The key that a token with this header is to be checked with.
    pub(super) async fn key(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: u64,
    ) -> Result<Arc<Key>, AuthError> {
        let set = self.set(false, now).await?;
        match set.find(kid, algorithm) {
            Err(AuthError::UnknownKey { .. }) => {}
            known => return known,
        }
        let set = self.set(true, now).await?;
        set.find(kid, algorithm).map_err(|error| match (error, self.lock().failure.clone()) {
            // The key may be in the set that could not be fetched.
            (AuthError::UnknownKey { .. }, Some(detail)) => AuthError::Unavailable { detail },
            (error, _) => error,
        })
    }

    /// The newest set to be had; `newer` if the one at hand lacks something.
    async fn set(&self, newer: bool, now: u64) -> Result<Arc<KeySet>, AuthError> {
        let plan = self.lock().plan(newer, now, |attempt| self.start(attempt));
        match plan {
            Plan::Use(set) => Ok(set),
            Plan::Fail(error) => Err(error),
            Plan::Wait(mut flight) => {
                // An error here is the sender's end: what is waited for.
                while flight.changed().await.is_ok() {}
                self.lock().usable(now)
            }
        }
    }

    /// Fetches in a task of its own: the line that asked may end before the answer comes.
    fn start(&self, now: u64) -> watch::Receiver<()> {
        let (landing, flight) = watch::channel(());
        let (url, fetch, state) = (self.url.clone(), self.fetch.clone(), self.state.clone());
        tokio::spawn(async move {
            let outcome = match tokio::time::timeout(FETCH_TIMEOUT, fetch.get(&url)).await {
                Ok(body) => body.and_then(|body| KeySet::parse(&body)),
                Err(_) => Err(format!("no answer within {} s", FETCH_TIMEOUT.as_secs())),
            };
            let mut state = lock(&state);
            match outcome {
                Ok(set) => {
                    state.set = Some(Arc::new(set));
                    state.fetched_at = now;
                    state.failure = None;
                }
                Err(what) => state.failure = Some(what.into()),
            }
            drop(state);
            drop(landing);
        });
        flight
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

// The address may hold a secret in its query.
impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwks").finish_non_exhaustive()
    }
}

impl State {
    fn plan(
        &mut self,
        newer: bool,
        now: u64,
        start: impl FnOnce(u64) -> watch::Receiver<()>,
    ) -> Plan {
        if let Some(set) = self.set.as_ref().filter(|_| !newer)
            && within(FRESH_FOR, self.fetched_at, now)
        {
            return Plan::Use(set.clone());
        }
        // A flight whose sender is gone has landed, or its task has panicked: over, either way.
        if let Some(flight) = self.flight.as_ref().filter(|flight| flight.has_changed().is_ok()) {
            return Plan::Wait(flight.clone());
        }
        if self.attempted_at.is_some_and(|at| within(FETCH_INTERVAL_MIN, at, now)) {
            return match self.usable(now) {
                Ok(set) => Plan::Use(set),
                Err(error) => Plan::Fail(error),
            };
        }
        self.attempted_at = Some(now);
        let flight = start(now);
        self.flight = Some(flight.clone());
        Plan::Wait(flight)
    }

    /// The set at hand, even if it is not fresh.
    fn usable(&self, now: u64) -> Result<Arc<KeySet>, AuthError> {
        let set = self.set.as_ref().filter(|_| within(STALE_FOR, self.fetched_at, now));
        set.cloned().ok_or_else(|| AuthError::Unavailable {
            detail: self.failure.clone().unwrap_or_else(|| "the fetch did not end".into()),
        })
    }
}

/// Whether less than `span` has gone by since. A clock that was set back counts as more: that
/// fetches once too often, where the other way would not fetch for hours.
fn within(span: u64, since: u64, now: u64) -> bool {
    now.checked_sub(since).is_some_and(|age| age < span)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// https, or http on this machine, where nobody listens in between.
fn check_url(url: &str) -> Result<(), String> {
    let uri: ::http::Uri = url.parse().map_err(|_| "is not an address")?;
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let loopback = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("must not have a user or a password".into());
    }
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => Ok(()),
        Some("http") if loopback => Ok(()),
        _ => Err("must begin with https://, or http:// for this machine".into()),
    }
}

/// The keys of a set that are of use here.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Arc<Key>>);

impl KeySet {
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        if body.len() > RESPONSE_BYTES_MAX {
            return Err(format!("more than {RESPONSE_BYTES_MAX} bytes"));
        }
        let document: Document =
            serde_json::from_slice(body).map_err(|error| format!("not a JWK Set: {error}"))?;
        // RFC 7517 section 5: keys that are not understood are passed over.
        let keys = document.keys.into_iter().filter_map(|key| {
            let jwk: Jwk = serde_json::from_value(key).ok()?;
            let (algorithm, key) = PublicKey::from_jwk(&jwk)?;
            let id = jwk.kid.filter(|id| id.len() <= KEY_ID_BYTES_MAX);
            Some(Arc::new(Key::public(algorithm, id.map(Into::into), key)))
        });
        let keys: Vec<_> = keys.take(SET_KEYS_MAX).collect();
        if keys.is_empty() {
            return Err("no key for RS256, ES256 or EdDSA in it".into());
        }
        Ok(Self(keys))
    }

    /// By name; without one, the only key for the algorithm.
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Arc<Key>, AuthError> {
        let fits = |key: &&Arc<Key>| match kid {
            Some(kid) => key.id.as_deref() == Some(kid),
            None => key.algorithm == algorithm,
        };
        // Two keys may share a name if their kinds differ (RFC 7517 section 4.5).
        let mut found = self.0.iter().filter(fits);
        let first = found.next();
        match (first, found.find(|key| key.algorithm == algorithm)) {
            (Some(key), None) => Ok(key.clone()),
            (Some(_), Some(key)) if kid.is_some() => Ok(key.clone()),
            _ => Err(AuthError::UnknownKey { kid: kid.map(Into::into), jwks: true }),
        }
    }
}
