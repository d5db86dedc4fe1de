//! Tokens for clients: making them to try things, and saying what a server makes of one. Real ones
//! are made by whoever knows the users.

use std::fmt;
use std::fs;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::auth::{self, Action, Algorithm, AuthError, MintOptions, Secret, Token};
use crate::clock::Clock;
use crate::config::{Config, SigningKey};
use crate::node;

/// What a token says.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// Who it is for (`sub`).
    pub user: Option<String>,
    /// How long it is good for, from now on (`exp`).
    pub lifetime: Duration,
    /// Patterns of channels, each with the actions it allows (`channels`). Without any, the
    /// namespaces decide.
    pub channels: Vec<(String, Vec<String>)>,
    /// What others in a channel get to see of the user, as JSON text (`info`).
    pub info: Option<String>,
    /// The name of the token, by which it can be revoked (`jti`).
    pub id: Option<String>,
    /// Whom it is made for (`aud`).
    pub audience: Option<String>,
    /// Who made it (`iss`).
    pub issuer: Option<String>,
}

/// What tokens are signed with. It is not printed.
#[derive(Debug, Clone)]
pub struct Signer {
    algorithm: Algorithm,
    key_id: Option<String>,
    secret: Secret,
}

/// What is in a token.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Inspection {
    /// The header, as JSON text; unchecked.
    pub header: String,
    /// The claims, as JSON text; unchecked.
    pub claims: String,
    /// Whether the server of the configuration accepts it, or why not.
    pub verdict: Result<(), String>,
}

/// Why there is no token, or nothing to say about one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenError(String);

impl Signer {
    /// Signs with this secret, of at least 32 bytes. The algorithm is HS256, HS384 or HS512.
    ///
    /// # Errors
    /// The algorithm needs a private key, or is none.
    pub fn new(algorithm: &str, secret: &[u8]) -> Result<Self, TokenError> {
        let algorithm = Algorithm::named(algorithm).ok_or_else(|| {
            let known: Vec<_> = Algorithm::ALL.into_iter().map(Algorithm::as_str).collect();
            TokenError(format!("{algorithm} is none of {}", known.join(", ")))
        })?;
        Ok(Self { algorithm, key_id: None, secret: Secret::new(secret) })
    }

    /// Signs with the first secret in `auth.keys` of the configuration, or with the one with this
    /// id.
    ///
    /// # Errors
    /// There is none, or its file cannot be read.
    pub fn of_config(config: &Config, key_id: Option<&str>) -> Result<Self, TokenError> {
        let is_wanted = |key: &&SigningKey| match key_id {
            Some(id) => key.id.as_deref() == Some(id),
            None => key.secret.is_some() || key.secret_file.is_some(),
        };
        let key = config.auth.keys.iter().find(is_wanted).ok_or_else(|| match key_id {
            Some(id) => TokenError(format!("auth.keys has no key with id {id:?}")),
            None => {
                let makers = "tokens of other algorithms are made by who has the private key";
                TokenError(format!("auth.keys has no secret; {makers}"))
            }
        })?;
        let secret = match (&key.secret, &key.secret_file) {
            (Some(secret), _) => secret.expose().to_owned(),
            (None, Some(file)) => fs::read_to_string(file)
                .map_err(|error| TokenError(format!("auth.keys: {}: {error}", file.display())))?
                .trim_end_matches(['\r', '\n'])
                .to_owned(),
            (None, None) => String::new(),
        };
        let signer = Self::new(key.algorithm.as_str(), secret.as_bytes())?;
        Ok(Self { key_id: key.id.clone(), ..signer })
    }
}

/// Makes a token.
///
/// # Errors
/// What about the claims or the secret cannot be used.
pub fn mint(signer: &Signer, claims: &Claims) -> Result<String, TokenError> {
    let now = Clock::wall_seconds();
    let mut map = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(name.to_owned(), value);
        }
    };
    let text = |text: &Option<String>| text.clone().map(Value::from);
    put("sub", text(&claims.user));
    put("iat", Some(now.into()));
    put("exp", Some(now.saturating_add(claims.lifetime.as_secs()).into()));
    put("jti", text(&claims.id));
    put("aud", text(&claims.audience));
    put("iss", text(&claims.issuer));
    let info = claims.info.as_deref().map(serde_json::from_str).transpose();
    put("info", info.map_err(|error| TokenError(format!("info is not JSON: {error}")))?);
    put("channels", channels(&claims.channels)?);
    let options = MintOptions {
        algorithm: signer.algorithm,
        key_id: signer.key_id.clone(),
        secret: signer.secret.clone(),
        claims: map,
    };
    let token = auth::mint(&options).map_err(|error| TokenError(error.to_string()))?;
    Ok(token.expose().to_owned())
}

fn channels(patterns: &[(String, Vec<String>)]) -> Result<Option<Value>, TokenError> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut map = Map::new();
    for (pattern, actions) in patterns {
        for action in actions {
            if action != "*" && !Action::ALL.iter().any(|known| known.as_str() == action) {
                let known: Vec<_> = Action::ALL.iter().map(|known| known.as_str()).collect();
                let known = known.join(", ");
                return Err(TokenError(format!("{action:?} is none of {known} and *")));
            }
        }
        let allowed = map.entry(pattern.clone()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(allowed) = allowed {
            allowed.extend(actions.iter().cloned().map(Value::from));
        }
    }
    Ok(Some(map.into()))
}

/// Takes a token apart, and asks the server that the configuration describes what it makes of it.
/// What that server was told to revoke is not known here.
///
/// # Errors
/// The text is no token at all, or the keys of the configuration cannot be used.
pub async fn inspect(config: &Config, token: &str) -> Result<Inspection, TokenError> {
    let verifier = node::verifier(config).map_err(|error| TokenError(error.to_string()))?;
    let inspection = auth::inspect(&verifier, &Token::new(token), Clock::wall_seconds()).await;
    let inspection = inspection.map_err(|error| TokenError(error.message()))?;
    let said = |error: AuthError| match error.detail() {
        Some(detail) => format!("{} ({detail})", error.message()),
        None => error.message(),
    };
    Ok(Inspection {
        header: inspection.header,
        claims: inspection.claims,
        verdict: inspection.verdict.map(|_| ()).map_err(said),
    })
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TokenError {}
