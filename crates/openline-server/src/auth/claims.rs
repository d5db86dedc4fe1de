//! What a token says, and which of it we accept.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::grants::{PATTERNS_MAX, check_name};
use super::{AuthError, Grants};

/// The longest `sub` and `jti`, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// The largest `info`, in bytes: it goes to every member of every channel with presence.
const INFO_BYTES_MAX: usize = 4096;

/// Who a line belongs to, for how long, and what they may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Claim `sub`; without it the bearer may act, but has no name.
    pub(crate) user: Option<Arc<str>>,
    /// Claim `info`, as JSON text.
    pub(crate) info: Option<String>,
    /// Claim `exp`, in seconds since 1970. A line lives until
    /// [`Verifier::line_ends_at`](super::Verifier::line_ends_at), which adds the leeway.
    pub(crate) expires_at: Option<u64>,
    /// Claim `jti`.
    pub(crate) token_id: Option<Arc<str>>,
    /// Claim `iat`, in seconds since 1970.
    pub(crate) issued_at: Option<u64>,
    /// Claim `channels`. `None` leaves the decision to the channel's namespace.
    pub(crate) grants: Option<Arc<Grants>>,
    /// Claim `subs`: channels that the server subscribes the line to.
    pub(crate) channels: Vec<String>,
    /// Claim `uploads`: whether they may send files. `None` leaves it to the config.
    pub(crate) uploads: Option<bool>,
}

/// The claims that are read; others are ignored.
#[derive(Deserialize)]
pub(super) struct Claims {
    sub: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    iat: Option<Value>,
    jti: Option<Value>,
    aud: Option<Value>,
    iss: Option<Value>,
    pub(super) info: Option<Box<RawValue>>,
    channels: Option<Value>,
    subs: Option<Value>,
    uploads: Option<Value>,
    pub(super) channel: Option<Value>,
    pub(super) client: Option<Value>,
    pub(super) actions: Option<Value>,
}

/// What the registered claims (RFC 7519 section 4.1) are held to.
pub(super) struct Rules<'a> {
    pub(super) audience: Option<&'a str>,
    pub(super) issuer: Option<&'a str>,
    /// In seconds.
    pub(super) leeway: u64,
}

/// The registered claims, accepted.
pub(super) struct Registered {
    pub(super) user: Option<Arc<str>>,
    pub(super) expires_at: u64,
    pub(super) issued_at: Option<u64>,
    pub(super) token_id: Option<Arc<str>>,
}

impl Claims {
    /// Reads the payload of a token whose signature was found good.
    pub(super) fn parse(payload: &[u8]) -> Result<Self, AuthError> {
        serde_json::from_slice(payload).map_err(|_| {
            // What the parser says may repeat a part of the payload.
            let what = "token payload must be a JSON object that names each claim once";
            AuthError::Malformed(what.into())
        })
    }

    /// Checks time, audience and issuer.
    pub(super) fn registered(&self, rules: &Rules<'_>, now: u64) -> Result<Registered, AuthError> {
        let leeway = rules.leeway;
        let expires_at = seconds("exp", self.exp.as_ref())?
            .ok_or_else(|| claim("claim exp is missing; a token needs an end"))?;
        if expires_at.saturating_add(leeway) <= now {
            return Err(AuthError::Expired { seconds: now - expires_at, leeway });
        }
        if let Some(start) = seconds("nbf", self.nbf.as_ref())?
            && start > now.saturating_add(leeway)
        {
            return Err(AuthError::NotYetValid { seconds: start - now, leeway });
        }
        self.check_audience(rules.audience)?;
        if let Some(issuer) = rules.issuer
            && self.iss.as_ref().and_then(Value::as_str) != Some(issuer)
        {
            return Err(claim("token issuer is not the one that is expected"));
        }
        Ok(Registered {
            user: name("sub", self.sub.as_ref())?,
            expires_at,
            issued_at: seconds("iat", self.iat.as_ref())?,
            token_id: name("jti", self.jti.as_ref())?,
        })
    }

    /// Reads the claims of a line's own token.
    pub(super) fn identity(&self, registered: Registered) -> Result<Identity, AuthError> {
        if self.channel.is_some() {
            let message = "claim channel makes this a subscription token; send it with subscribe";
            return Err(claim(message));
        }
        let user = registered.user;
        let grants = self.channels.as_ref().map(|value| Grants::read(value, user.as_deref()));
        let grants = grants.transpose().map_err(AuthError::Claim)?.map(Arc::new);
        Ok(Identity {
            info: self.info()?,
            expires_at: Some(registered.expires_at),
            token_id: registered.token_id,
            issued_at: registered.issued_at,
            grants,
            channels: self.server_side_channels()?,
            uploads: self.uploads()?,
            user,
        })
    }

    pub(super) fn info(&self) -> Result<Option<String>, AuthError> {
        let Some(info) = &self.info else { return Ok(None) };
        let length = info.get().len();
        if length > INFO_BYTES_MAX {
            let message =
                format!("claim info must have at most {INFO_BYTES_MAX} bytes, got {length}");
            return Err(AuthError::Claim(message));
        }
        Ok(Some(info.get().to_owned()))
    }

    fn uploads(&self) -> Result<Option<bool>, AuthError> {
        let Some(value) = &self.uploads else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| wrong_kind("uploads", "true or false", value))
    }

    /// RFC 7519 section 4.1.3: one who is not named in `aud` must refuse the token.
    fn check_audience(&self, audience: Option<&str>) -> Result<(), AuthError> {
        let listed = match &self.aud {
            None => &[],
            Some(Value::Array(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        match audience {
            None if listed.is_empty() => Ok(()),
            None => Err(claim("token has an audience, and auth.audience is not set")),
            Some(audience) if listed.iter().any(|one| one == audience) => Ok(()),
            Some(audience) => Err(AuthError::Audience(audience.into())),
        }
    }

    fn server_side_channels(&self) -> Result<Vec<String>, AuthError> {
        let Some(subs) = &self.subs else { return Ok(Vec::new()) };
        let list = subs.as_array().ok_or_else(|| wrong_kind("subs", "an array", subs))?;
        if list.len() > PATTERNS_MAX {
            let count = list.len();
            let message = format!("claim subs has {count} channels; at most {PATTERNS_MAX}");
            return Err(AuthError::Claim(message));
        }
        let channel = |(index, value): (usize, &Value)| {
            let what = value.as_str().ok_or("must be a string".to_owned());
            what.and_then(|name| check_name(name).map(|()| name.to_owned())).map_err(|what| {
                AuthError::Claim(format!("claim subs, channel {}: {what}", index + 1))
            })
        };
        list.iter().enumerate().map(channel).collect()
    }
}

/// A claim that is text.
pub(super) fn text<'a>(name: &str, value: Option<&'a Value>) -> Result<Option<&'a str>, AuthError> {
    let Some(value) = value else { return Ok(None) };
    value.as_str().map(Some).ok_or_else(|| wrong_kind(name, "a string", value))
}

pub(super) fn claim(message: &str) -> AuthError {
    AuthError::Claim(message.into())
}

/// A claim that names someone or something.
fn name(claim: &str, value: Option<&Value>) -> Result<Option<Arc<str>>, AuthError> {
    let Some(name) = text(claim, value)? else { return Ok(None) };
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(AuthError::Claim(format!(
            "claim {claim} must have 1 to {NAME_BYTES_MAX} bytes and no control characters"
        )));
    }
    Ok(Some(name.into()))
}

/// A `NumericDate` (RFC 7519 section 2): seconds, perhaps with a fraction, which is dropped.
fn seconds(claim: &str, value: Option<&Value>) -> Result<Option<u64>, AuthError> {
    let Some(value) = value else { return Ok(None) };
    let number = value.as_number().ok_or_else(|| wrong_kind(claim, "a number", value))?;
    // The cast saturates: before 1970 is 0, and past the end of time is the end of time.
    let whole = number.as_u64().or_else(|| number.as_f64().map(|float| float as u64));
    Ok(Some(whole.unwrap_or(0)))
}

fn wrong_kind(claim: &str, expected: &str, found: &Value) -> AuthError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    AuthError::Claim(format!("claim {claim} must be {expected}, got {found}"))
}
