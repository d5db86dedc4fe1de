//! [`Http`]: how the authority is reached.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use ::http::{HeaderMap, Method, Request, Response};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

use super::Settings;
use crate::outbound::{Allowed, Client, Options, Target};

const TIMEOUT: Duration = Duration::from_secs(30);

/// A chain of certificates is long; more than this is something else.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// The server's own client for requests, in the words of the library.
pub(super) struct Http(Client);

impl Http {
    /// The operator wrote the directory's address down, so it may be a private one.
    pub(super) fn new(settings: &Settings) -> Self {
        let target = Target::parse(&settings.directory).ok();
        let own = target.map(|target| Allowed::host(&target.host, target.port));
        Self(Client::new(Options {
            timeout: TIMEOUT,
            connect_timeout: TIMEOUT / 3,
            response_bytes_max: ANSWER_BYTES_MAX,
            allow_private: own.into_iter().collect(),
            extra_roots: settings.roots.clone(),
            ..Options::default()
        }))
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let Ok(body) = body.collect().await;
            let mut headers = HeaderMap::new();
            // The library's own name says nothing to whoever reads the authority's log.
            headers.extend(head.headers.into_iter().filter(|(name, _)| {
                name.as_ref().is_none_or(|name| name != ::http::header::USER_AGENT)
            }));
            let url = head.uri.to_string();
            let is_get = head.method == Method::GET;
            let answer = client.send(head.method, &url, headers, body.to_bytes()).await;
            let answer = answer.map_err(other)?;
            // Answers to what is signed say what is wrong in their body.
            if is_get && !answer.status.is_success() {
                return Err(other(format!("the answer to {url} is {}", answer.status)));
            }
            let (mut parts, ()) = Response::new(()).into_parts();
            parts.status = answer.status;
            parts.headers = answer.headers;
            Ok(BytesResponse { parts, body: Box::new(answer.body) })
        })
    }
}

fn other(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::Other(error.into())
}
