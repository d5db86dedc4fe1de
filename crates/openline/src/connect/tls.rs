//! Which certificates are believed.

use std::io;
use std::path::Path;
use std::sync::Arc;

use openline_ws::tls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use openline_ws::tls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use openline_ws::tls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use openline_ws::tls::rustls::{self, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use openline_ws::tls::{certificates, client_config};

use crate::exit::{Exit, Failure};

/// The usual roots.
pub(crate) fn system_roots() -> Arc<ClientConfig> {
    client_config(Vec::new())
}

/// The usual roots and those in the file.
pub(crate) fn with_roots(file: &Path) -> Result<Arc<ClientConfig>, Failure> {
    let roots = certificates(file).map_err(|error| Failure::new(Exit::Config, error))?;
    Ok(client_config(roots))
}

/// Whatever certificate the server shows.
pub(crate) fn any_certificate() -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(&client_config(Vec::new()));
    let verifier = AnyCertificate(config.crypto_provider().clone());
    config.dangerous().set_certificate_verifier(Arc::new(verifier));
    Arc::new(config)
}

/// What the person may do about a TLS error, if it is one of the two that people meet.
pub(super) fn hint(error: &io::Error) -> Option<&'static str> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidCertificate(_) => {
            Some("--ca FILE trusts a certificate of your own, --insecure any")
        }
        Error::InvalidMessage(_) => Some("a server without TLS is reached by ws://"),
        _ => None,
    }
}

/// Believes every certificate. The server still has to prove that it holds the key of the one it
/// shows, so what is encrypted stays so between the two ends, whoever they are.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
