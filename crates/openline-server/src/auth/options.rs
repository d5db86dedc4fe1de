//! What the operator says about authentication.

use std::fmt;
use std::time::Duration;

use super::{Algorithm, Secret};

/// The most keys that may be configured; more belong into a JWKS.
pub(super) const KEYS_MAX: usize = 16;
/// The most leeway: beyond it, expiry means little.
pub(super) const LEEWAY_MAX: Duration = Duration::from_secs(300);
/// The longest `kid`, in bytes.
pub(super) const KEY_ID_BYTES_MAX: usize = 128;

/// How people prove who they are.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Keys that tokens may be signed with, at most 16.
    pub(crate) keys: Vec<KeyOptions>,
    /// Where the issuer publishes its public keys: https, or http on loopback. Redirects are not
    /// followed, so this is the final address.
    pub(crate) jwks_url: Option<String>,
    /// What claim `aud` must contain. Without it, a token that has `aud` is refused: it was made
    /// for someone, and nobody said that it is us.
    pub(crate) audience: Option<String>,
    /// What claim `iss` must be. Without it, any issuer whose key we have will do.
    pub(crate) issuer: Option<String>,
    /// How far the issuer's clock may differ from ours, at most 300 s.
    pub(crate) leeway: Duration,
    /// Whether `?token=` counts. Addresses end up in logs and histories: off unless there is no
    /// other way.
    pub(crate) query: bool,
    /// The name of the cookie that carries a token. It counts only with an allowed `Origin`,
    /// because a browser sends it on behalf of any page.
    pub(crate) cookie: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            jwks_url: None,
            audience: None,
            issuer: None,
            leeway: Duration::from_secs(30),
            query: false,
            cookie: None,
        }
    }
}

/// One key. Its algorithm is fixed here; what a token's header says can only agree or be refused.
#[derive(Debug, Clone)]
pub(crate) struct KeyOptions {
    pub(crate) algorithm: Algorithm,
    /// If set, only tokens with this `kid` are checked with this key, and a token without `kid`.
    pub(crate) key_id: Option<String>,
    pub(crate) material: KeyMaterial,
}

/// What a key is made of.
#[derive(Debug, Clone)]
pub(crate) enum KeyMaterial {
    /// For HS256, HS384, HS512: at least 32 bytes.
    Secret(Secret),
    /// For RS256, ES256, EdDSA: PEM, `BEGIN PUBLIC KEY`.
    PublicKeyPem(String),
}

/// What is wrong with the options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OptionsError(pub(super) String);

impl OptionsError {
    pub(super) fn key(index: usize, what: impl fmt::Display) -> Self {
        Self(format!("auth.keys[{index}]: {what}"))
    }
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OptionsError {}
