//! From a URL to a connection, by way of the check of its addresses.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use openline_ws::tls::rustls::ClientConfig;
use openline_ws::tls::rustls::pki_types::ServerName;
use openline_ws::tls::{TlsConnector, client_config};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower_service::Service;

use super::allow::{Allowed, refusal};
use super::{Options, OutboundError, Target};

/// Turns a host and a port into addresses.
pub(crate) type Resolve = Arc<dyn Fn(&str, u16) -> Resolving + Send + Sync>;

type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// How many of a name's addresses are tried.
const ADDRESSES_MAX: usize = 8;

/// What the system resolves names by.
pub(crate) fn system_resolver() -> Resolve {
    Arc::new(|host, port| {
        let host = host.to_owned();
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((host.as_str(), port)).await?;
            Ok(addresses.take(ADDRESSES_MAX).collect())
        })
    })
}

/// hyper's way to new connections.
#[derive(Clone)]
pub(super) struct Connector {
    inner: Arc<Inner>,
}

struct Inner {
    allowed: Vec<Allowed>,
    timeout: Duration,
    resolver: Resolve,
    tls: TlsConnector,
}

impl Connector {
    pub(super) fn new(options: Options) -> Self {
        // Reading the system's roots takes a while, so clients that add none share them.
        static SYSTEM: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| client_config(Vec::new()));
        let tls = match options.extra_roots {
            none if none.is_empty() => SYSTEM.clone(),
            extra => client_config(extra),
        };
        let inner = Inner {
            allowed: options.allow_private,
            timeout: options.connect_timeout,
            resolver: options.resolver,
            tls: TlsConnector::from(tls),
        };
        Self { inner: Arc::new(inner) }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OutboundError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let inner = self.inner.clone();
        Box::pin(async move {
            let target = Target::from_uri(uri)?;
            let opened = tokio::time::timeout(inner.timeout, inner.open(&target)).await;
            opened.unwrap_or(Err(OutboundError::Timeout(inner.timeout))).map(TokioIo::new)
        })
    }
}

impl Inner {
    async fn open(&self, target: &Target) -> Result<Stream, OutboundError> {
        let addresses = self.checked_addresses(target).await?;
        let stream = self.reach(target, &addresses).await?;
        if !target.secure {
            return Ok(Stream(Box::new(stream)));
        }
        let failed = |what: String| OutboundError::Tls { host: target.host.clone(), what };
        let name =
            ServerName::try_from(target.host.clone()).map_err(|error| failed(error.to_string()))?;
        let stream = self.tls.connect(name, stream).await;
        Ok(Stream(Box::new(stream.map_err(|error| failed(error.to_string()))?)))
    }

    /// The addresses of the host that may be connected to. The caller connects to these and
    /// resolves no more: a name that is asked again may answer otherwise (DNS rebinding).
    async fn checked_addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, OutboundError> {
        let Target { host, port, .. } = target;
        let resolve = |what| OutboundError::Resolve { host: host.clone(), what };
        // A literal address is one already; the resolver takes other spellings (127.1) and is
        // checked all the same.
        let found = match host.parse() {
            Ok(address) => vec![SocketAddr::new(address, *port)],
            Err(_) => {
                (self.resolver)(host, *port).await.map_err(|error| resolve(error.to_string()))?
            }
        };
        let mut refused = None;
        let mut permitted = Vec::with_capacity(found.len());
        for address in found {
            match refusal(&self.allowed, host, *port, address.ip()) {
                None => permitted.push(address),
                Some(range) => {
                    refused.get_or_insert(OutboundError::Refused {
                        host: host.clone(),
                        port: *port,
                        address: address.ip(),
                        range: range.describe(),
                    });
                }
            }
        }
        match refused {
            _ if !permitted.is_empty() => Ok(permitted),
            Some(refused) => Err(refused),
            None => Err(resolve("it has no address".to_owned())),
        }
    }

    async fn reach(
        &self,
        target: &Target,
        addresses: &[SocketAddr],
    ) -> Result<TcpStream, OutboundError> {
        // An address that swallows packets must not take the time of those behind it.
        let each = self.timeout / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let mut last = String::new();
        for address in addresses {
            match tokio::time::timeout(each, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // A request is a write; waiting to join it with the next only adds delay.
                    // Failing to set this costs time, not the request.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => last = format!("no answer in {} s", each.as_secs_f32()),
            }
        }
        let Target { host, port, .. } = target;
        Err(OutboundError::Connect { host: host.clone(), port: *port, what: last })
    }
}

/// A connection with or without TLS.
pub(super) struct Stream(Box<dyn Duplex>);

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
