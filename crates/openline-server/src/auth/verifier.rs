//! The check of a token: signature first, then what it says, then whether it was taken back.

use std::sync::Arc;

use super::claims::{Claims, Registered, Rules};
use super::jwks::{Fetch, Jwks};
use super::jws::Jws;
use super::keys::{self, Key, listed};
use super::options::LEEWAY_MAX;
use super::subscription::Wanted;
use super::{
    Algorithm, AuthError, Identity, Options, OptionsError, Revocations, SubscriptionGrant, Token,
};

/// Checks tokens. One for the whole server; all its methods take `&self`.
#[derive(Debug)]
pub(crate) struct Verifier {
    options: Options,
    keys: Vec<Key>,
    jwks: Option<Jwks>,
    revocations: Arc<Revocations>,
}

impl Verifier {
    /// For options without `jwks_url`; with it, see [`Verifier::with_fetch`].
    pub(crate) fn new(options: Options) -> Result<Self, OptionsError> {
        if options.jwks_url.is_some() {
            return Err(OptionsError("auth.jwks_url needs a client to fetch it with".into()));
        }
        Self::build(options, None)
    }

    /// With what fetches the JWKS, if the options name one.
    pub(crate) fn with_fetch(
        options: Options,
        fetch: Arc<dyn Fetch>,
    ) -> Result<Self, OptionsError> {
        let jwks = options.jwks_url.as_deref().map(|url| Jwks::new(url, fetch)).transpose()?;
        Self::build(options, jwks)
    }

    fn build(options: Options, jwks: Option<Jwks>) -> Result<Self, OptionsError> {
        if options.leeway > LEEWAY_MAX {
            let message = format!("auth.leeway must be at most {} s", LEEWAY_MAX.as_secs());
            return Err(OptionsError(message));
        }
        let keys = keys::configured(&options.keys)?;
        Ok(Self { options, keys, jwks, revocations: Arc::default() })
    }

    /// One by other options, which knows what was taken back and, where they come from the same place,
    /// the keys that this one has fetched.
    ///
    /// # Errors
    /// As of the others.
    pub(crate) fn renewed(
        &self,
        options: Options,
        fetch: impl FnOnce() -> Arc<dyn Fetch>,
    ) -> Result<Self, OptionsError> {
        let jwks = match (options.jwks_url.as_deref(), &self.jwks) {
            (None, _) => None,
            (Some(url), Some(jwks)) if jwks.is_of(url) => Some(jwks.clone()),
            (Some(url), _) => Some(Jwks::new(url, fetch())?),
        };
        let revocations = self.revocations.clone();
        Ok(Self { revocations, ..Self::build(options, jwks)? })
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// What was taken back; live lines are to be checked against it too.
    pub(crate) fn revocations(&self) -> &Arc<Revocations> {
        &self.revocations
    }

    /// Checks a line's token. Waits only if public keys have to be fetched, at most 2 s.
    pub(crate) async fn verify(&self, token: &Token, now: u64) -> Result<Identity, AuthError> {
        let (claims, registered) = self.check(token, now).await?;
        let identity = claims.identity(registered)?;
        if self.revocations.covers_identity(&identity, now) {
            return Err(AuthError::Revoked);
        }
        Ok(identity)
    }

    /// Checks the token that is to follow the one of a live line: the user must stay the same.
    pub(crate) async fn renew(
        &self,
        current: &Identity,
        token: &Token,
        now: u64,
    ) -> Result<Identity, AuthError> {
        let next = self.verify(token, now).await?;
        if next.user != current.user {
            return Err(AuthError::OtherUser);
        }
        Ok(next)
    }

    /// Checks the token for one channel that a client sends with `subscribe`.
    pub(crate) async fn verify_subscription(
        &self,
        token: &Token,
        channel: &str,
        client_id: &str,
        user: Option<&str>,
        now: u64,
    ) -> Result<SubscriptionGrant, AuthError> {
        let (claims, registered) = self.check(token, now).await?;
        let wanted = Wanted { channel, client_id, user };
        let grant = SubscriptionGrant::read(&claims, &registered, &wanted)?;
        let (id, issued_at) = (registered.token_id.as_deref(), registered.issued_at);
        // The user of the line may be gone too, but then so is the line.
        if self.revocations.covers(id, registered.user.as_deref(), issued_at, now) {
            return Err(AuthError::Revoked);
        }
        Ok(grant)
    }

    /// When the line of this identity ends, in seconds since 1970: until then its token would be
    /// accepted.
    pub(crate) fn line_ends_at(&self, identity: &Identity) -> Option<u64> {
        Some(identity.expires_at?.saturating_add(self.options.leeway.as_secs()))
    }

    async fn check(&self, token: &Token, now: u64) -> Result<(Claims, Registered), AuthError> {
        if self.keys.is_empty() && self.jwks.is_none() {
            return Err(AuthError::NoKeys);
        }
        let jws = Jws::parse(token, || self.expected())?;
        self.check_signature(&jws, now).await?;
        let claims = Claims::parse(&jws.payload)?;
        let rules = Rules {
            audience: self.options.audience.as_deref(),
            issuer: self.options.issuer.as_deref(),
            leeway: self.options.leeway.as_secs(),
        };
        let registered = claims.registered(&rules, now)?;
        Ok((claims, registered))
    }

    /// First the configured keys, those named like the token before those without a name, then
    /// the JWKS.
    async fn check_signature(&self, jws: &Jws<'_>, now: u64) -> Result<(), AuthError> {
        let kid = jws.kid.as_deref();
        let mut refusal = None;
        let named = |key: &&Key| kid.is_some() && key.id.as_deref() == kid;
        let nameless = |key: &&Key| kid.is_none() || key.id.is_none();
        let candidates = self.keys.iter().filter(named).chain(self.keys.iter().filter(nameless));
        for key in candidates {
            match key.verify(jws) {
                Ok(()) => return Ok(()),
                // That a key for this algorithm did not fit says more than that others are for
                // other algorithms.
                Err(AuthError::Signature) => refusal = Some(AuthError::Signature),
                Err(_) => {}
            }
        }
        if let Some(jwks) = &self.jwks
            && jws.algorithm.hmac().is_none()
        {
            return jwks.key(kid, jws.algorithm, now).await?.verify(jws);
        }
        Err(refusal.unwrap_or_else(|| self.no_key(jws)))
    }

    fn no_key(&self, jws: &Jws<'_>) -> AuthError {
        let possible = self.keys.iter().any(|key| key.algorithm == jws.algorithm);
        if possible {
            // Only a kid that fits nothing leads here.
            return AuthError::UnknownKey { kid: jws.kid.as_deref().map(Into::into), jwks: false };
        }
        AuthError::Algorithm { found: jws.algorithm.as_str(), expected: self.expected() }
    }

    /// The algorithms that are accepted, as an error lists them.
    fn expected(&self) -> String {
        let fetched = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
        let fetched = fetched.into_iter().filter(|_| self.jwks.is_some());
        listed(self.keys.iter().map(|key| key.algorithm).chain(fetched))
    }
}
