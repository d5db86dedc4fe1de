//! The client's side of opening a line.

mod address;
mod proxy;
mod transport;

use std::fmt;
use std::io;
use std::sync::Arc;
#[cfg(feature = "tls")]
use std::sync::LazyLock;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use openline_ws_proto::handshake::client::{Handshake, RequestError, ResponseError};
use openline_ws_proto::handshake::{HeadError, HeadReader, encode_request};
use openline_ws_proto::{Config, Connection, DeflateOptions, Limits, MaskKey, Role, Timeouts};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::websocket::WebSocket;
use crate::{clock, scratch};
use address::Address;

pub use proxy::Proxy;
pub use transport::Transport;

/// Opens a line to `url`, `ws://…` or `wss://…`, with the defaults of [`Connector`].
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect(url: &str) -> Result<WebSocket<Transport>, ConnectError> {
    Connector::new().connect(url).await
}

/// How lines are opened. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Connector {
    config: Arc<Config>,
    protocols: Vec<String>,
    headers: HeaderMap,
    proxy: ProxyChoice,
    timeout: Duration,
    #[cfg(feature = "tls")]
    tls: Option<Arc<crate::tls::rustls::ClientConfig>>,
}

#[derive(Debug, Clone)]
enum ProxyChoice {
    Environment,
    None,
    This(Proxy),
}

impl Default for Connector {
    fn default() -> Self {
        Self {
            config: Arc::new(Config {
                deflate: DeflateOptions::client(),
                mask_source: Some(mask_key),
                ..Config::default()
            }),
            protocols: Vec::new(),
            headers: HeaderMap::new(),
            proxy: ProxyChoice::Environment,
            timeout: Duration::from_secs(10),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

/// RFC 6455 §10.3: unpredictable. The thread's generator is seeded by the system and draws in
/// blocks.
fn mask_key() -> MaskKey {
    rand::random()
}

impl Connector {
    /// With the defaults of [`Config`], compression offered, proxies from the environment, 10 s.
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers a subprotocol, behind those offered already.
    #[must_use]
    pub fn protocol(mut self, protocol: impl Into<String>) -> Self {
        self.protocols.push(protocol.into());
        self
    }

    /// Adds a header to the request; `Host` takes the place of the address's own.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Sets what the server may send.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        Arc::make_mut(&mut self.config).limits = limits;
        self
    }

    /// Sets how long things may take on an open line.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        Arc::make_mut(&mut self.config).timeouts = timeouts;
        self
    }

    /// Sets what is wanted of compression. Default: [`DeflateOptions::client`].
    #[must_use]
    pub fn deflate(mut self, deflate: DeflateOptions) -> Self {
        Arc::make_mut(&mut self.config).deflate = deflate;
        self
    }

    /// Goes through this proxy. The default is what the environment says: `WSS_PROXY`,
    /// `HTTPS_PROXY` or `ALL_PROXY` for wss, `WS_PROXY`, `HTTP_PROXY` or `ALL_PROXY` for ws, in
    /// either case, unless `NO_PROXY` has the host. Loopback is never proxied by default.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = ProxyChoice::This(proxy);
        self
    }

    /// Goes through no proxy, whatever the environment says.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.proxy = ProxyChoice::None;
        self
    }

    /// Sets how long opening may take in all: name, proxy, TLS, handshake. Default: 10 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets TLS up otherwise than by the system's roots.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, config: Arc<crate::tls::rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Opens a line to `url`, `ws://…` or `wss://…`. Redirects are not followed. A user and a
    /// password in the address are sent as basic authorization.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(&self, url: &str) -> Result<WebSocket<Transport>, ConnectError> {
        let address = Address::parse(url)?;
        let opened = tokio::time::timeout(self.timeout, Box::pin(self.open(&address))).await;
        opened.unwrap_or(Err(ConnectError::Timeout(self.timeout)))
    }

    /// As [`Connector::connect`], on a stream that leads to the host of `url` already: a socket of
    /// the system, a tunnel, a stream in memory. Nothing is resolved, proxied or encrypted.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect_over<S>(&self, url: &str, stream: S) -> Result<WebSocket<S>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let address = Address::parse(url)?;
        let opened = self.handshake(&address, async { Ok(stream) });
        let opened = tokio::time::timeout(self.timeout, Box::pin(opened)).await;
        opened.unwrap_or(Err(ConnectError::Timeout(self.timeout)))
    }

    async fn open(&self, address: &Address) -> Result<WebSocket<Transport>, ConnectError> {
        let transport = async {
            let stream = self.reach(address).await?;
            self.secure(address, stream).await
        };
        self.handshake(address, transport).await
    }

    async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        address: &Address,
        transport: impl Future<Output = Result<S, ConnectError>>,
    ) -> Result<WebSocket<S>, ConnectError> {
        // Checked before anything is sent, so that a mistake here costs the server nothing.
        let mut headers = self.headers.clone();
        if let Some(authorization) = address.authorization() {
            headers.entry(http::header::AUTHORIZATION).or_insert(authorization);
        }
        let deflate = &self.config.deflate;
        let (request, handshake) =
            Handshake::new(&address.uri, rand::random(), &self.protocols, deflate, &headers)
                .map_err(ConnectError::Request)?;
        let mut transport = transport.await?;
        transport.write_all(&encode_request(&request)).await.map_err(ConnectError::Io)?;
        transport.flush().await.map_err(ConnectError::Io)?;
        let head = read_head(&mut transport).await?;
        let response = head.response().map_err(ConnectError::Head)?;
        let agreed = handshake.check(&response).map_err(ConnectError::Response)?;
        let connection =
            Connection::new(Role::Client, self.config.clone(), agreed.deflate, clock::now());
        Ok(WebSocket::from_parts(transport, connection, agreed, head.into_rest()))
    }

    /// A TCP connection to the host, or through a proxy.
    async fn reach(&self, address: &Address) -> Result<TcpStream, ConnectError> {
        let proxy = match &self.proxy {
            ProxyChoice::None => None,
            ProxyChoice::This(proxy) => Some(proxy.clone()),
            ProxyChoice::Environment => Proxy::from_environment(address)?,
        };
        match proxy {
            None => tcp(&address.host, address.port).await,
            Some(proxy) => {
                let stream = tcp(proxy.host(), proxy.port()).await.map_err(|error| {
                    ConnectError::Proxy(format!(
                        "{error} (proxy {}:{})",
                        proxy.host(),
                        proxy.port()
                    ))
                })?;
                proxy.tunnel(stream, address).await
            }
        }
    }

    #[cfg(feature = "tls")]
    async fn secure(
        &self,
        address: &Address,
        stream: TcpStream,
    ) -> Result<Transport, ConnectError> {
        use crate::tls::rustls::{ClientConfig, pki_types::ServerName};
        if !address.secure {
            return Ok(Transport::plain(stream));
        }
        // The roots are read once, and shared by all lines.
        static DEFAULT: LazyLock<Arc<ClientConfig>> =
            LazyLock::new(|| crate::tls::client_config(Vec::new()));
        let config = self.tls.clone().unwrap_or_else(|| DEFAULT.clone());
        let name = ServerName::try_from(address.name().to_owned())
            .map_err(|error| ConnectError::Url(format!("{}: {error}", address.host)))?;
        let stream = crate::tls::TlsConnector::from(config).connect(name, stream).await;
        stream.map(Transport::tls).map_err(ConnectError::Tls)
    }

    #[cfg(not(feature = "tls"))]
    async fn secure(
        &self,
        address: &Address,
        stream: TcpStream,
    ) -> Result<Transport, ConnectError> {
        match address.secure {
            false => Ok(Transport::plain(stream)),
            true => {
                Err(ConnectError::Url("wss needs the feature \"tls\" of openline-ws".to_owned()))
            }
        }
    }
}

/// Why a line could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is not one; says why.
    Url(String),
    /// The request cannot be made.
    Request(RequestError),
    /// The host has no address.
    Resolve {
        /// The host.
        host: String,
        /// What the system said.
        error: io::Error,
    },
    /// Nothing took the connection.
    Connect {
        /// Host and port.
        address: String,
        /// What the system said.
        error: io::Error,
    },
    /// The proxy could not be reached or refused; says why.
    Proxy(String),
    /// TLS failed: a bad certificate, or no TLS at all.
    Tls(io::Error),
    /// What the server sent is not HTTP/1.1.
    Head(HeadError),
    /// The server did not open the line.
    Response(ResponseError),
    /// The transport failed or ended before the line was open.
    Io(io::Error),
    /// It took longer than this.
    Timeout(Duration),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(what) => write!(f, "invalid address: {what}"),
            Self::Request(error) => error.fmt(f),
            Self::Resolve { host, error } => write!(f, "cannot resolve {host}: {error}"),
            Self::Connect { address, error } => write!(f, "cannot connect to {address}: {error}"),
            Self::Proxy(what) => write!(f, "proxy: {what}"),
            Self::Tls(error) => write!(f, "TLS failed: {error}"),
            Self::Head(HeadError::Malformed(what)) => {
                write!(f, "server does not speak HTTP/1.1: {what}")
            }
            Self::Head(_) => f.write_str("server's response head is too large"),
            Self::Response(error) => error.fmt(f),
            Self::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("server ended the connection during the handshake")
            }
            Self::Io(error) => write!(f, "transport failed during the handshake: {error}"),
            Self::Timeout(timeout) => write!(f, "no open line after {} s", timeout.as_secs_f32()),
        }
    }
}

impl std::error::Error for ConnectError {}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    // RFC 3986 §3.2.2: an IPv6 address stands in brackets.
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let resolved = tokio::net::lookup_host((name, port)).await;
    let resolve = |error| ConnectError::Resolve { host: host.to_owned(), error };
    let mut last = None;
    for address in resolved.map_err(resolve)? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // A message is a write; waiting to join it with the next only adds delay.
                stream.set_nodelay(true).map_err(ConnectError::Io)?;
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) => Err(ConnectError::Connect { address: format!("{host}:{port}"), error }),
        None => Err(resolve(io::Error::other("it has no address"))),
    }
}

/// Reads the head of a response.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> Result<HeadReader, ConnectError> {
    let mut head = HeadReader::new();
    loop {
        let whole = scratch::read(stream, |bytes| match bytes {
            [] => Err(ConnectError::Io(io::ErrorKind::UnexpectedEof.into())),
            bytes => head.handle_input(bytes).map_err(ConnectError::Head),
        });
        if whole.await.map_err(ConnectError::Io)?? {
            return Ok(head);
        }
    }
}
