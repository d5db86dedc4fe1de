//! The pages, built ahead from `web/` and part of the binary.

use ::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use ::http::{HeaderValue, Response};
use axum::body::Body;

macro_rules! pages {
    ($($path:literal => $file:literal, $kind:literal;)*) => {
        /// Path, content type and content of each.
        const PAGES: &[(&str, &str, &[u8])] = &[
            $(($path, $kind, include_bytes!(concat!("../../../web/dist/", $file))),)*
        ];
    };
}

pages! {
    "/" => "index.html", "text/html; charset=utf-8";
    "/index.html" => "index.html", "text/html; charset=utf-8";
    "/chat.html" => "chat.html", "text/html; charset=utf-8";
    "/style.css" => "style.css", "text/css; charset=utf-8";
    "/bench.js" => "bench.js", "text/javascript; charset=utf-8";
    "/chat.js" => "chat.js", "text/javascript; charset=utf-8";
    "/favicon.svg" => "favicon.svg", "image/svg+xml";
}

/// The page at `path`, if there is one.
pub(crate) fn find(path: &str) -> Option<Response<Body>> {
    let (_, kind, content) = PAGES.iter().find(|(at, _, _)| *at == path)?;
    let mut response = Response::new(Body::from(*content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    // They come with the binary, so a new binary's pages are not mixed with an old one's.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'",
        ),
    );
    Some(response)
}
