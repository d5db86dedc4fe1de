//! The pages, built ahead from `web/` and part of the binary. `build.rs` lists them.

use ::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use ::http::{HeaderValue, Response};
use axum::body::Body;

/// Name and content of each file of `web/dist`.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// What a page may load: what comes from here, and lines to anywhere, which the bench opens.
const POLICY: &str =
    "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'";

/// What the page may load that holds the key: what comes from here and nothing else, so that the key
/// cannot go elsewhere.
const STRICT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
     form-action 'none'";

/// The page that holds the key.
const DASHBOARD: &str = "dashboard.html";

/// The page at `path`, if there is one: `/` is `index.html`, and `/name` is `name.html`. Without the
/// demo there are only the dashboard and what is no page.
pub(crate) fn find(path: &str, demo: bool) -> Option<Response<Body>> {
    respond(FILES, path, demo)
}

fn respond(
    files: &[(&'static str, &'static [u8])],
    path: &str,
    demo: bool,
) -> Option<Response<Body>> {
    let asked = match path.strip_prefix('/')? {
        "" => "index",
        name => name,
    };
    let is_asked = |name: &str| name == asked || name.strip_suffix(".html") == Some(asked);
    let (name, content) = files.iter().find(|(name, _)| is_asked(name))?;
    if !demo && name.ends_with(".html") && *name != DASHBOARD {
        return None;
    }
    let mut response = Response::new(Body::from(*content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind(name)));
    // They come with the binary, so a new binary's pages are not mixed with an old one's.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = match *name {
        DASHBOARD => STRICT_POLICY,
        _ => POLICY,
    };
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Some(response)
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const SOME: &[(&str, &[u8])] = &[
        ("chat.html", b"chat"),
        ("dashboard.html", b"dashboard"),
        ("dashboard.js", b"script"),
        ("index.html", b"index"),
    ];

    fn header(path: &str, demo: bool, name: ::http::HeaderName) -> Option<String> {
        let response = respond(SOME, path, demo)?;
        Some(response.headers().get(name)?.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_page_is_at_its_name() {
        for path in ["/", "/index", "/index.html", "/chat", "/chat.html", "/dashboard"] {
            let kind = header(path, true, CONTENT_TYPE);
            assert_eq!(kind.as_deref(), Some("text/html; charset=utf-8"), "{path}");
        }
        for path in ["", "chat", "/dashboard/", "/dash", "/chat.htm", "/.html", "//chat"] {
            assert!(respond(SOME, path, true).is_none(), "{path}");
        }
    }

    #[test]
    fn the_dashboard_loads_nothing_from_elsewhere() {
        for path in ["/dashboard", "/dashboard.html"] {
            let policy = header(path, true, CONTENT_SECURITY_POLICY).unwrap();
            assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
            assert!(!policy.contains("unsafe") && !policy.contains("ws"), "{policy}");
            assert_eq!(header(path, true, REFERRER_POLICY).as_deref(), Some("no-referrer"));
        }
    }

    #[test]
    fn without_the_demo_there_is_the_dashboard() {
        for path in ["/dashboard", "/dashboard.js"] {
            assert!(respond(SOME, path, false).is_some(), "{path}");
        }
        for path in ["/", "/index.html", "/chat"] {
            assert!(respond(SOME, path, false).is_none(), "{path}");
        }
    }

    #[test]
    fn every_embedded_file_has_a_known_kind() {
        for (name, _) in FILES {
            assert_ne!(kind(name), "application/octet-stream", "{name}");
        }
    }
}
