//! Cross-origin reads: what answers must say for a page of another origin to see them (the Fetch
//! standard's CORS protocol).

use ::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

/// How long a browser may remember a preflight's answer.
const MAX_AGE_SECONDS: u16 = 600;

/// What a response says about who may read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cors {
    /// None: no page of another origin.
    origin: Option<HeaderValue>,
    /// With the user's cookies; never together with `*`, which would open every user's account to
    /// every page.
    credentials: bool,
}

/// What the page may send to an endpoint beyond a plain GET.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Preflight {
    /// Such as `GET, POST`.
    pub(crate) methods: &'static str,
    /// Such as `authorization, content-type`.
    pub(crate) headers: &'static str,
}

impl Cors {
    /// A page that is listed.
    pub(crate) fn listed(origin: HeaderValue) -> Self {
        Self { origin: Some(origin), credentials: true }
    }

    /// Every page, as what it is without cookies.
    pub(crate) fn any() -> Self {
        Self { origin: Some(HeaderValue::from_static("*")), credentials: false }
    }

    /// A page that is not listed, or no page.
    pub(crate) fn refused() -> Self {
        Self { origin: None, credentials: false }
    }

    /// Adds the headers to a response.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        if self.origin.as_ref().is_none_or(|origin| origin != "*") {
            // Also where the page is refused: a cache must not give one page's answer to another.
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        let Some(origin) = &self.origin else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let exposed = HeaderValue::from_static("Retry-After");
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

impl Preflight {
    /// Whether a browser asks before it sends the request proper.
    pub(crate) fn is_asked<B>(request: &Request<B>) -> bool {
        let headers = request.headers();
        request.method() == Method::OPTIONS
            && headers.contains_key(ORIGIN)
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// 204 with what is allowed; the browser compares.
    pub(crate) fn answer(&self, cors: &Cors) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        cors.apply(headers);
        headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
        let methods = HeaderValue::from_static(self.methods);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        let allowed = HeaderValue::from_static(self.headers);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(MAX_AGE_SECONDS));
        response
    }
}
