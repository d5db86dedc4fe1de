//! TLS by rustls: roots for clients, certificates for servers.

mod accept;

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, crypto};

pub use accept::{AcceptedTlsStream, TlsAcceptor};
pub use tokio_rustls::TlsConnector;
pub use tokio_rustls::client::TlsStream as ConnectedTlsStream;
pub use tokio_rustls::rustls;

/// A client's settings: the system's roots, or Mozilla's where the system has none, and `extra`
/// certificates beside them.
pub fn client_config(extra: Vec<CertificateDer<'static>>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots.add_parsable_certificates(extra);
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// The certificates in a PEM file.
///
/// # Errors
/// When the file cannot be read or has no certificate; the message names it.
pub fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let bytes = std::fs::read(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    let certificates = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| invalid(format!("{}: {error}", path.display())))?;
    if certificates.is_empty() {
        return Err(invalid(format!("{}: there is no certificate in it", path.display())));
    }
    Ok(certificates)
}

/// A server's settings from PEM files. `protocols` are offered by ALPN, the best first: `h2` (for
/// RFC 8441) and `http/1.1`.
///
/// # Errors
/// When a file cannot be read, or certificate and key do not belong together; the message names the
/// file.
pub fn server_config(
    certificate: &Path,
    key: &Path,
    protocols: &[&str],
) -> io::Result<Arc<ServerConfig>> {
    let certificates = certificates(certificate)?;
    let invalid = |error: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", key.display()))
    };
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| invalid(&error))?;
    let mut config =
        ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(|error| invalid(&error))?;
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Ok(Arc::new(config))
}
