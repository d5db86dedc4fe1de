//! Public keys, from PEM and from JWK.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::alg_id;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;

use super::Algorithm;

/// A public key that was checked to be of the shape that its algorithm needs.
#[derive(Debug)]
pub(super) enum PublicKey {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// On P-256, uncompressed: 4, x, y.
    Ec([u8; 65]),
    Ed([u8; 32]),
}

/// The members of a JSON Web Key (RFC 7517) that matter here. Private members are not read.
#[derive(Debug, Deserialize)]
pub(super) struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    pub(super) kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl PublicKey {
    /// Reads `-----BEGIN PUBLIC KEY-----`.
    pub(super) fn from_pem(algorithm: Algorithm, pem: &str) -> Result<Self, String> {
        if pem.contains("PRIVATE KEY-----") {
            return Err("public_key is a private key; give its public half alone".into());
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "public_key must be a PEM that begins -----BEGIN PUBLIC KEY-----")?;
        let wrong = || format!("public_key is not a key for {}", algorithm.as_str());
        let (kind, key) = subject_public_key(&der).ok_or_else(wrong)?;
        match algorithm {
            Algorithm::Rs256 if kind == alg_id::RSA_ENCRYPTION.as_ref() => {
                let (modulus, exponent) = rsa_public_key(key).ok_or_else(wrong)?;
                Self::rsa(modulus, exponent)
            }
            Algorithm::Es256 if kind == alg_id::ECDSA_P256.as_ref() => {
                Self::ec(key).ok_or_else(wrong)
            }
            Algorithm::EdDsa if kind == alg_id::ED25519.as_ref() => {
                Ok(Self::Ed(key.try_into().map_err(|_| wrong())?))
            }
            _ => Err(wrong()),
        }
    }

    /// Reads a key of a JWKS. `None` is a key of no use here: another kind, another purpose, or
    /// misshapen; the rest of the set still counts.
    pub(super) fn from_jwk(jwk: &Jwk) -> Option<(Algorithm, Self)> {
        if jwk.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let (algorithm, key) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => {
                let key = Self::rsa(&field(&jwk.n)?, &field(&jwk.e)?).ok()?;
                (Algorithm::Rs256, key)
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (field(&jwk.x)?, field(&jwk.y)?);
                if x.len() != 32 || y.len() != 32 {
                    return None;
                }
                (Algorithm::Es256, Self::ec(&[&[4], &x[..], &y[..]].concat())?)
            }
            ("OKP", Some("Ed25519")) => {
                (Algorithm::EdDsa, Self::Ed(field(&jwk.x)?.try_into().ok()?))
            }
            // `oct` above all: a secret that is published is none.
            _ => return None,
        };
        // RFC 9864 calls EdDSA on this curve `Ed25519`.
        let agrees = |name: &str| {
            name == algorithm.as_str() || (algorithm == Algorithm::EdDsa && name == "Ed25519")
        };
        jwk.alg.as_deref().is_none_or(agrees).then_some((algorithm, key))
    }

    fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, String> {
        let modulus = without_leading_zeros(modulus);
        let exponent = without_leading_zeros(exponent);
        let bits = (modulus.len() * 8)
            .saturating_sub(modulus.first().map_or(0, |byte| byte.leading_zeros() as usize));
        if !(2048..=8192).contains(&bits) {
            return Err(format!("RSA key has {bits} bits; 2048 to 8192 are accepted"));
        }
        Ok(Self::Rsa { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    fn ec(point: &[u8]) -> Option<Self> {
        let point: [u8; 65] = point.try_into().ok()?;
        (point[0] == 4).then_some(Self::Ec(point))
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { modulus, exponent } => {
                RsaPublicKeyComponents { n: modulus.as_slice(), e: exponent.as_slice() }
                    .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                    .is_ok()
            }
            Self::Ec(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            Self::Ed(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
            }
        }
    }
}

fn field(text: &Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.as_ref()?).ok()
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// `SubjectPublicKeyInfo` (RFC 5280 section 4.1): the algorithm's identifier and the key's bits.
fn subject_public_key(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (info, rest) = der_value(der, SEQUENCE)?;
    let (algorithm, bits) = der_value(info, SEQUENCE)?;
    let (bits, after) = der_value(bits, BIT_STRING)?;
    let (unused_bits, key) = bits.split_first()?;
    (rest.is_empty() && after.is_empty() && *unused_bits == 0).then_some((algorithm, key))
}

/// `RSAPublicKey` (RFC 8017 appendix A.1.1): modulus and exponent.
fn rsa_public_key(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (numbers, rest) = der_value(der, SEQUENCE)?;
    let (modulus, exponent) = der_value(numbers, INTEGER)?;
    let (exponent, after) = der_value(exponent, INTEGER)?;
    (rest.is_empty() && after.is_empty()).then_some((modulus, exponent))
}

/// Takes one value with this tag off the front: its content, and what follows.
fn der_value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, length, rest @ ..] = der else { return None };
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (usize::from(u16::from_be_bytes(rest.first_chunk().copied()?)), rest.get(2..)?),
        // No key of a size that is accepted is longer than 64 KiB.
        _ => return None,
    };
    (*found == tag).then(|| rest.split_at_checked(length))?
}

#[cfg(test)]
mod tests {
    use super::super::test_keys::{EC_PEM, ED_PEM, RSA_PEM};
    use super::*;

    #[test]
    fn a_damaged_key_is_refused_wherever_it_is_damaged() {
        for (pem, length) in [(RSA_PEM, 294), (EC_PEM, 91), (ED_PEM, 44)] {
            let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).unwrap();
            assert_eq!(der.len(), length);
            assert!(subject_public_key(&der).is_some());
            for end in 0..der.len() {
                assert!(subject_public_key(&der[..end]).is_none(), "{end}");
            }
            assert!(subject_public_key(&[&der[..], &[0]].concat()).is_none());
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(RSA_PEM.as_bytes()).unwrap();
        let (_, key) = subject_public_key(&der).unwrap();
        for end in 0..key.len() {
            assert!(rsa_public_key(&key[..end]).is_none(), "{end}");
        }
        for length in [&[0x80][..], &[0x83, 0, 0, 1], &[0x84], &[0x82, 1], &[0x81]] {
            assert!(der_value(&[&[SEQUENCE], length].concat(), SEQUENCE).is_none());
        }
    }
}
