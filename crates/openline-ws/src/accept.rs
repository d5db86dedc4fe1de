//! The server's side of opening a line over HTTP/1.1.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Request, StatusCode};
use openline_ws_proto::handshake::server::{Offer, Rejection};
use openline_ws_proto::handshake::{HeadError, HeadReader, encode_response};
use openline_ws_proto::{Config, Connection, DeflateOptions, Limits, Role, Timeouts};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::websocket::WebSocket;
use crate::{clock, scratch};

/// The start of an HTTP/2 connection (RFC 9113 §3.4), as far as it looks like a head.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// Reads a request off `stream` and checks that it is a lawful WebSocket handshake; one that is not
/// is answered with what was wrong. Then accept it or reject it: [`Pending`].
///
/// # Errors
/// See [`AcceptError`].
pub fn accept<S>(stream: S) -> impl Future<Output = Result<Pending<S>, AcceptError>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Boxed, as all of this module: a task that accepts and then serves keeps the size of its largest
    // state for as long as it lives, and opening is over soon.
    Box::pin(async move { Acceptor::new().accept_unboxed(stream).await })
}

/// How lines are accepted. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Acceptor {
    config: Arc<Config>,
    head_timeout: Duration,
}

impl Default for Acceptor {
    fn default() -> Self {
        // Shared, so that an acceptor made for one line costs that line nothing.
        static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(Arc::default);
        Self { config: CONFIG.clone(), head_timeout: Duration::from_secs(5) }
    }
}

impl Acceptor {
    /// With the defaults of [`Config`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what peers may send.
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

    /// Sets what is wanted of compression.
    #[must_use]
    pub fn deflate(mut self, deflate: DeflateOptions) -> Self {
        Arc::make_mut(&mut self.config).deflate = deflate;
        self
    }

    /// Sets how long a client may take to send the head of its request. Default: 5 s.
    #[must_use]
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.head_timeout = timeout;
        self
    }

    /// As [`accept`].
    ///
    /// # Errors
    /// See [`AcceptError`].
    pub async fn accept<S>(&self, stream: S) -> Result<Pending<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        Box::pin(self.accept_unboxed(stream)).await
    }

    async fn accept_unboxed<S>(&self, stream: S) -> Result<Pending<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let arrival = self.read_request(stream).await?;
        if arrival.is_http2() {
            let what = "this server takes HTTP/1.1 only".to_owned();
            return Err(AcceptError::Head(HeadError::Malformed(what)));
        }
        self.upgrade(arrival).await
    }

    /// Reads a request without deciding what it is, for servers that answer other requests on the
    /// same port: see [`Arrival`].
    ///
    /// # Errors
    /// A head that is not HTTP or too large (it has been answered), the timeout, an error of the
    /// transport.
    pub async fn read_request<S>(&self, mut stream: S) -> Result<Arrival<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let read = tokio::time::timeout(self.head_timeout, read_head(&mut stream)).await;
        let error = match read {
            Ok(Ok((head, request))) => return Ok(Arrival { stream, head, request }),
            Ok(Err(AcceptError::Head(error))) => error,
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(AcceptError::Timeout),
        };
        answer(&mut stream, &error.clone().into()).await?;
        Err(AcceptError::Head(error))
    }

    /// Takes a request for what it is to be, a handshake; one that is not lawful is answered with
    /// what was wrong.
    ///
    /// # Errors
    /// [`AcceptError::Rejected`], or an error of the transport.
    pub async fn upgrade<S>(&self, arrival: Arrival<S>) -> Result<Pending<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Arrival { mut stream, head, request } = arrival;
        match Offer::from_http1(&request) {
            Ok(offer) => {
                let answer = Box::new(Answer {
                    request,
                    offer,
                    rest: head.into_rest(),
                    config: self.config.clone(),
                    protocol: None,
                    headers: Vec::new(),
                });
                Ok(Pending { stream, answer })
            }
            Err(rejection) => {
                answer(&mut stream, &rejection).await?;
                Err(AcceptError::Rejected(rejection))
            }
        }
    }

    #[cfg(feature = "hyper")]
    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }
}

/// A request that came and was not looked into yet.
#[derive(Debug)]
pub struct Arrival<S> {
    stream: S,
    head: HeadReader,
    request: Request<()>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Arrival<S> {
    /// The request; meaningless when [`Arrival::is_http2`].
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// Whether the request asks for a WebSocket; pass it to [`Acceptor::upgrade`] then.
    pub fn is_websocket(&self) -> bool {
        !self.is_http2() && Offer::is_attempted(&self.request)
    }

    /// Whether the client speaks HTTP/2; pass [`Arrival::into_stream`] to a library that does.
    pub fn is_http2(&self) -> bool {
        self.head.bytes().starts_with(HTTP2_PREFACE)
    }

    /// The transport, as if nothing had been read off it.
    pub fn into_stream(self) -> Rewound<S> {
        Rewound { read_before: self.head.into_bytes(), position: 0, stream: self.stream }
    }

    /// Answers the request with an error instead of serving it.
    ///
    /// # Errors
    /// When the transport fails.
    pub async fn reject(mut self, rejection: &Rejection) -> io::Result<()> {
        answer(&mut self.stream, rejection).await
    }
}

/// A lawful handshake that waits for an answer.
#[derive(Debug)]
pub struct Pending<S> {
    stream: S,
    answer: Box<Answer>,
}

#[derive(Debug)]
struct Answer {
    request: Request<()>,
    offer: Offer,
    rest: Vec<u8>,
    config: Arc<Config>,
    protocol: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pending<S> {
    /// The request: its path, its query, its headers.
    pub fn request(&self) -> &Request<()> {
        &self.answer.request
    }

    /// The subprotocols that the client offers, the one it likes best first.
    pub fn protocols(&self) -> &[String] {
        self.answer.offer.protocols()
    }

    /// The transport.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Chooses a subprotocol.
    ///
    /// # Panics
    /// [`Pending::accept`] panics when it is not among [`Pending::protocols`].
    #[must_use]
    pub fn protocol(mut self, protocol: impl Into<String>) -> Self {
        self.answer.protocol = Some(protocol.into());
        self
    }

    /// Adds a header to the response that accepts.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.answer.headers.push((name, value));
        self
    }

    /// Uses other settings for this line than the acceptor's, now that the request is known.
    #[must_use]
    pub fn config(mut self, config: Arc<Config>) -> Self {
        self.answer.config = config;
        self
    }

    /// Leaves this line uncompressed, whatever the settings say and the client offers.
    #[must_use]
    pub fn uncompressed(mut self) -> Self {
        self.answer.offer.ignore_extensions();
        self
    }

    /// Opens the line.
    ///
    /// # Errors
    /// When the transport fails.
    pub fn accept(self) -> impl Future<Output = io::Result<WebSocket<S>>> {
        Box::pin(self.accept_unboxed())
    }

    async fn accept_unboxed(self) -> io::Result<WebSocket<S>> {
        let Self { mut stream, answer } = self;
        let Answer { offer, rest, config, protocol, headers, .. } = *answer;
        let (mut response, agreed) = offer.accept(protocol.as_deref(), &config.deflate);
        for (name, value) in headers {
            response.headers_mut().append(name, value);
        }
        let response = encode_response(&response.map(|()| []));
        stream.write_all(&response).await?;
        stream.flush().await?;
        let connection = Connection::new(Role::Server, config, agreed.deflate, clock::now());
        Ok(WebSocket::from_parts(stream, connection, agreed, rest))
    }

    /// Refuses the line with a status and a sentence that says why.
    ///
    /// # Errors
    /// When the transport fails.
    pub async fn reject(self, status: StatusCode, message: &str) -> io::Result<()> {
        self.reject_with(&Rejection::new(status, "rejected", message)).await
    }

    /// Refuses the line.
    ///
    /// # Errors
    /// When the transport fails.
    pub async fn reject_with(mut self, rejection: &Rejection) -> io::Result<()> {
        answer(&mut self.stream, rejection).await
    }
}

/// Why no line came of a connection. Where an answer was due it has been given.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcceptError {
    /// The head of the request did not come in time.
    Timeout,
    /// It is not HTTP/1.1, or too large.
    Head(HeadError),
    /// It is not a lawful handshake.
    Rejected(Rejection),
    /// The transport failed or ended.
    Io(io::Error),
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("the request's head did not come in time"),
            Self::Head(error) => error.fmt(f),
            Self::Rejected(rejection) => write!(f, "rejected with {rejection}"),
            Self::Io(error) => write!(f, "transport failed: {error}"),
        }
    }
}

impl std::error::Error for AcceptError {}

impl From<io::Error> for AcceptError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A transport off which something was read that is to be read again.
#[derive(Debug)]
pub struct Rewound<S> {
    read_before: Vec<u8>,
    position: usize,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = &this.read_before[this.position..];
        if before.is_empty() {
            this.read_before = Vec::new();
            this.position = 0;
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let taken = before.len().min(buffer.remaining());
        buffer.put_slice(&before[..taken]);
        this.position += taken;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut S,
) -> Result<(HeadReader, Request<()>), AcceptError> {
    let mut head = HeadReader::new();
    loop {
        let whole = scratch::read(stream, |bytes| match bytes {
            [] => Err(AcceptError::Io(io::ErrorKind::UnexpectedEof.into())),
            bytes => head.handle_input(bytes).map_err(AcceptError::Head),
        });
        if whole.await?? {
            break;
        }
    }
    if head.bytes().starts_with(HTTP2_PREFACE) {
        return Ok((head, Request::default()));
    }
    let request = head.request().map_err(AcceptError::Head)?;
    Ok((head, request))
}

/// Writes an answer and ends our half. What the client still sends is read and dropped for a
/// moment: were it left unread, its system could throw the answer away.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    rejection: &Rejection,
) -> io::Result<()> {
    const LINGER: Duration = Duration::from_secs(1);
    const LINGER_BYTES_MAX: usize = 64 * 1024;
    let mut response = rejection.response();
    // Not served again on this connection, so that nothing of the request is taken for another.
    response
        .headers_mut()
        .entry(http::header::CONNECTION)
        .or_insert(HeaderValue::from_static("close"));
    stream.write_all(&encode_response(&response)).await?;
    stream.shutdown().await?;
    let drain = async {
        let mut left = LINGER_BYTES_MAX;
        while let Ok(count @ 1..) = scratch::read(stream, |bytes| bytes.len()).await
            && left > count
        {
            left -= count;
        }
    };
    let _ = tokio::time::timeout(LINGER, drain).await;
    Ok(())
}
