//! What an authority is shown when it looks whether a name leads here (RFC 8737).

use std::sync::Arc;

use openline_ws::tls::rustls::crypto::ring::sign::any_supported_type;
use openline_ws::tls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use openline_ws::tls::rustls::sign::CertifiedKey;
use rcgen::{CertificateParams, CustomExtension, KeyPair};

use crate::tls::resolver::Resolver;

/// A challenge is shown while this exists.
pub(super) struct Shown<'a> {
    resolver: &'a Resolver,
    domain: &'a str,
}

impl<'a> Shown<'a> {
    /// Shows the digest to whoever asks for the domain.
    ///
    /// # Errors
    /// When no certificate can be made, which is not expected.
    pub(super) fn new(
        resolver: &'a Resolver,
        domain: &'a str,
        digest: &[u8],
    ) -> Result<Self, String> {
        let key = certificate(domain, digest).map_err(|error| format!("the challenge: {error}"))?;
        resolver.challenge(domain, Some(Arc::new(key)));
        Ok(Self { resolver, domain })
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.resolver.challenge(self.domain, None);
    }
}

/// A certificate that nobody vouches for, with the digest in it.
fn certificate(
    domain: &str,
    digest: &[u8],
) -> Result<CertifiedKey, Box<dyn std::error::Error + Send + Sync>> {
    let mut said = CertificateParams::new([domain.to_owned()])?;
    said.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let pair = KeyPair::generate()?;
    let certificate = said.self_signed(&pair)?.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
    Ok(CertifiedKey::new(vec![certificate], any_supported_type(&key)?))
}
