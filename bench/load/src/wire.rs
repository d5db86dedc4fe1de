//! [`Wire`]: the socket of a line, with or without TLS on it.

use std::io::{self, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Sockets that block, as long as a line is being opened.
pub(crate) type Opening = Wire<std::net::TcpStream>;

pub(crate) enum Wire<S: Read + Write> {
    Plain(S),
    Tls(Box<StreamOwned<ClientConnection, S>>),
}

/// What the servers' certificates are checked with.
pub(crate) fn tls_config(ca: &str) -> Result<Arc<ClientConfig>, String> {
    let failed = |e: &dyn std::fmt::Display| format!("--ca {ca}: {e}");
    let certificate = CertificateDer::from_pem_file(ca).map_err(|e| failed(&e))?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate).map_err(|e| failed(&e))?;
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

impl Opening {
    /// The TLS handshake is done by the first write.
    pub(crate) fn new(
        stream: std::net::TcpStream,
        tls: Option<&Arc<ClientConfig>>,
    ) -> io::Result<Self> {
        let Some(config) = tls else { return Ok(Self::Plain(stream)) };
        let name = ServerName::from(stream.peer_addr()?.ip());
        let connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, stream))))
    }

    /// Does not block any more, and is watched under `token`.
    pub(crate) fn register(self, registry: &Registry, token: usize) -> io::Result<Wire<TcpStream>> {
        let watch = |stream: std::net::TcpStream| {
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            registry.register(
                &mut stream,
                Token(token),
                Interest::READABLE | Interest::WRITABLE,
            )?;
            Ok::<_, io::Error>(stream)
        };
        Ok(match self {
            Self::Plain(stream) => Wire::Plain(watch(stream)?),
            Self::Tls(tls) => {
                let (connection, stream) = tls.into_parts();
                Wire::Tls(Box::new(StreamOwned::new(connection, watch(stream)?)))
            }
        })
    }
}

impl<S: Read + Write> Wire<S> {
    /// Whether a read that did not fill its buffer has emptied the socket. Of TLS it may have been
    /// a record of several.
    pub(crate) fn ends_short(&self) -> bool {
        matches!(self, Self::Plain(_))
    }
}

impl<S: Read + Write> Read for Wire<S> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl<S: Read + Write> Write for Wire<S> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    /// Has what was encrypted but did not fit leave.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
