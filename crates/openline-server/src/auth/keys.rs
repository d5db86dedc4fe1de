//! Keys, each bound to one algorithm: a key never checks with another, whatever a header says.

use ring::hmac;

use super::jws::Jws;
use super::options::{KEY_ID_BYTES_MAX, KEYS_MAX};
use super::public_key::PublicKey;
use super::{AuthError, KeyMaterial, KeyOptions, OptionsError};

/// The shortest secret, in bytes. RFC 7518 section 3.2 asks for as many as the hash has; beyond
/// 32 it is as good and issuers do use one secret for all, so 32 is asked for here.
const SECRET_BYTES_MIN: usize = 32;

/// The signature algorithms that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 6] =
        [Self::Hs256, Self::Hs384, Self::Hs512, Self::Rs256, Self::Es256, Self::EdDsa];

    /// The algorithm that a header or a config calls `name`, in exactly this spelling.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The hash of the algorithms with a secret; none for those with a public key.
    pub(super) fn hmac(self) -> Option<hmac::Algorithm> {
        match self {
            Self::Hs256 => Some(hmac::HMAC_SHA256),
            Self::Hs384 => Some(hmac::HMAC_SHA384),
            Self::Hs512 => Some(hmac::HMAC_SHA512),
            Self::Rs256 | Self::Es256 | Self::EdDsa => None,
        }
    }
}

/// Something to check signatures with.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) id: Option<Box<str>>,
    check: Check,
}

enum Check {
    Secret(hmac::Key),
    Public(PublicKey),
}

impl Key {
    fn new(options: &KeyOptions) -> Result<Self, String> {
        let algorithm = options.algorithm;
        let check = match (&options.material, algorithm.hmac()) {
            (KeyMaterial::Secret(secret), Some(hash)) => {
                check_secret(secret.expose())?;
                Check::Secret(hmac::Key::new(hash, secret.expose()))
            }
            (KeyMaterial::PublicKeyPem(pem), None) => {
                Check::Public(PublicKey::from_pem(algorithm, pem)?)
            }
            (KeyMaterial::Secret(_), None) => {
                return Err(format!("{} needs public_key, not secret", algorithm.as_str()));
            }
            (KeyMaterial::PublicKeyPem(_), Some(_)) => {
                return Err(format!("{} needs secret, not public_key", algorithm.as_str()));
            }
        };
        if options.key_id.as_ref().is_some_and(|id| id.is_empty() || id.len() > KEY_ID_BYTES_MAX) {
            return Err(format!("key_id must have 1 to {KEY_ID_BYTES_MAX} bytes"));
        }
        Ok(Self { algorithm, id: options.key_id.as_deref().map(Into::into), check })
    }

    pub(super) fn public(algorithm: Algorithm, id: Option<Box<str>>, key: PublicKey) -> Self {
        Self { algorithm, id, check: Check::Public(key) }
    }

    /// Checks the signature, and before it that the token claims no other algorithm.
    pub(super) fn verify(&self, jws: &Jws<'_>) -> Result<(), AuthError> {
        if jws.algorithm != self.algorithm {
            return Err(AuthError::Algorithm {
                found: jws.algorithm.as_str(),
                expected: self.algorithm.as_str().into(),
            });
        }
        let signed = jws.signed.as_bytes();
        let good = match &self.check {
            Check::Secret(key) => hmac::verify(key, signed, &jws.signature).is_ok(),
            Check::Public(key) => key.verify(signed, &jws.signature),
        };
        if good { Ok(()) } else { Err(AuthError::Signature) }
    }
}

// The secret is not to be printed, and ring's own `Debug` is not ours to promise for.
impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret([redacted])",
            Self::Public(_) => "Public",
        })
    }
}

/// The keys of the config.
pub(super) fn configured(options: &[KeyOptions]) -> Result<Vec<Key>, OptionsError> {
    if options.len() > KEYS_MAX {
        let message = format!("auth.keys has {} keys; at most {KEYS_MAX}", options.len());
        return Err(OptionsError(message));
    }
    let key = |(index, options)| Key::new(options).map_err(|what| OptionsError::key(index, what));
    options.iter().enumerate().map(key).collect()
}

pub(super) fn check_secret(secret: &[u8]) -> Result<(), String> {
    // Somebody who configures a public key as a secret hands the power to sign to everyone.
    if secret.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Err("secret is a PEM; a public key belongs in public_key".into());
    }
    if secret.len() < SECRET_BYTES_MIN {
        let length = secret.len();
        return Err(format!("secret has {length} bytes; at least {SECRET_BYTES_MIN} are needed"));
    }
    Ok(())
}

/// The algorithms of the keys, as an error lists them: `HS256 or RS256`.
pub(super) fn listed(algorithms: impl IntoIterator<Item = Algorithm>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for algorithm in algorithms {
        if !names.contains(&algorithm.as_str()) {
            names.push(algorithm.as_str());
        }
    }
    names.join(" or ")
}
