//! Requests that the server itself makes: to webhooks, to a key server.
//!
//! HTTP/1.1, with TLS by rustls, on hyper's pooled client. What is bounded: the time of a request in
//! all, the time to connect, the size of an answer and of its head, and the idle connections kept.
//! *Invariant:* no connection is made to an address that [`Allowed`] does not permit, whatever a
//! name resolves to, and the address connected to is the one that was checked.
//!
//! Not here: redirects (an answer of 3xx comes back as it is), proxies (behind one the check of
//! addresses would say nothing), cookies, compressed answers.
//!
//! A connection lives on the runtime that opened it. Requests from another runtime may use it.

mod address;
mod allow;
#[cfg(test)]
pub(crate) mod backend;
mod connect;
mod error;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use openline_ws::tls::rustls::pki_types::CertificateDer;

use connect::Connector;

pub(crate) use allow::Allowed;
pub(crate) use connect::{Resolve, system_resolver};
pub(crate) use error::OutboundError;

const IDLE_PER_HOST_MAX: usize = 32;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;

/// How a [`Client`] behaves.
#[derive(Clone)]
pub(crate) struct Options {
    /// How long a request may take in all, from the name to the last byte of the answer.
    pub(crate) timeout: Duration,
    /// How long the name, TCP and TLS may take of that.
    pub(crate) connect_timeout: Duration,
    /// How long the body of an answer may be.
    pub(crate) response_bytes_max: usize,
    /// Which addresses that are not public may be connected to.
    pub(crate) allow_private: Vec<Allowed>,
    /// Certificates to trust beside the system's roots.
    pub(crate) extra_roots: Vec<CertificateDer<'static>>,
    /// How names become addresses.
    pub(crate) resolver: Resolve,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(3),
            response_bytes_max: 1024 * 1024,
            allow_private: Vec::new(),
            extra_roots: Vec::new(),
            resolver: system_resolver(),
        }
    }
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Makes requests. Cloning is cheap and shares the connections.
#[derive(Clone)]
pub(crate) struct Client {
    pool: Pool<Connector, Full<Bytes>>,
    timeout: Duration,
    response_bytes_max: usize,
}

impl Client {
    pub(crate) fn new(options: Options) -> Self {
        let Options { timeout, response_bytes_max, .. } = options;
        let pool = Pool::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .http1_max_headers(HEADERS_MAX)
            .build(Connector::new(options));
        Self { pool, timeout, response_bytes_max }
    }

    /// Posts `body` as JSON, unless `headers` name another type.
    pub(crate) async fn post(
        &self,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response, OutboundError> {
        let mut headers = headers;
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        self.send(Method::POST, url, headers, body).await
    }

    pub(crate) async fn get(
        &self,
        url: &str,
        headers: HeaderMap,
    ) -> Result<Response, OutboundError> {
        self.send(Method::GET, url, headers, Bytes::new()).await
    }

    /// Sends `body` as it is.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response, OutboundError> {
        let target = Target::parse(url)?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = target.uri;
        *request.headers_mut() = headers;
        let agent = HeaderValue::from_static(concat!("openline/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().entry(USER_AGENT).or_insert(agent);
        let exchange = tokio::time::timeout(self.timeout, self.exchange(request)).await;
        exchange.unwrap_or(Err(OutboundError::Timeout(self.timeout)))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response, OutboundError> {
        let answer =
            self.pool.request(request).await.map_err(|error| OutboundError::from(&error))?;
        let (head, mut rest) = answer.into_parts();
        let limit = self.response_bytes_max;
        let too_large = OutboundError::TooLarge { status: head.status, limit };
        let mut body = BytesMut::new();
        while let Some(frame) = rest.frame().await {
            let frame = frame.map_err(|error| OutboundError::ended(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            if body.len() + data.len() > limit {
                return Err(too_large);
            }
            body.extend_from_slice(&data);
        }
        Ok(Response { status: head.status, headers: head.headers, body: body.freeze() })
    }
}

/// A URL that requests may be made to, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) uri: Uri,
    pub(crate) secure: bool,
    /// A name or an address, in lower case, without the brackets around IPv6 and without the dot
    /// that may end a name.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    /// The error never shows the URL, which may hold a secret in its path or query.
    pub(crate) fn parse(url: &str) -> Result<Self, OutboundError> {
        let uri = url.parse().map_err(|_| OutboundError::Url("it is not a URL"))?;
        Self::from_uri(uri)
    }

    fn from_uri(uri: Uri) -> Result<Self, OutboundError> {
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(OutboundError::Url("it has to begin with https:// or http://")),
        };
        let authority = uri.authority().ok_or(OutboundError::Url("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(OutboundError::Url(
                "it holds a user or a password; send credentials in a header",
            ));
        }
        let host = allow::normal_host(authority.host());
        if host.is_empty() {
            return Err(OutboundError::Url("it has no host"));
        }
        let port = match (authority.port_u16(), secure) {
            (Some(0), _) => return Err(OutboundError::Url("its port is 0")),
            (Some(port), _) => port,
            (None, true) => 443,
            (None, false) => 80,
        };
        Ok(Self { uri, secure, host, port })
    }
}
