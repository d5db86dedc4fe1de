//! Where in a request the token is.

use std::borrow::Cow;
use std::fmt;

use ::http::HeaderMap;
use ::http::header::{AUTHORIZATION, COOKIE};
use percent_encoding::percent_decode_str;

use super::jws::TOKEN_BYTES_MAX;
use super::{AuthError, Options, Token};

/// The name of the query parameter.
const QUERY_NAME: &str = "token";

/// A token, and where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) token: Token,
    pub(crate) source: CredentialSource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CredentialSource {
    Header,
    Query,
    Cookie,
}

/// A request whose token cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CredentialError {
    /// There are several. To take one would let whoever can add one (a proxy, a page on a
    /// subdomain) choose.
    Ambiguous(CredentialSource),
    Empty(CredentialSource),
    TooLong(CredentialSource),
    NotText(CredentialSource),
}

/// Finds the token of a request: in `Authorization: Bearer`, else in `?token=` if that is on, else
/// in the cookie if one is configured.
///
/// `origin_allowed` says that the request has an `Origin` and that it is allowed; without it no
/// cookie counts, because the browser sends it on behalf of any page. An `EventSource` of the same
/// origin has no `Origin`; there `Sec-Fetch-Site: same-origin`, which no page can set, is as good.
pub(crate) fn find_credential(
    options: &Options,
    headers: &HeaderMap,
    query: Option<&str>,
    origin_allowed: bool,
) -> Result<Option<Credential>, CredentialError> {
    if let Some(found) = in_header(headers).transpose() {
        return found.map(Some);
    }
    if options.query
        && let Some(found) = query.and_then(|query| in_query(query).transpose())
    {
        return found.map(Some);
    }
    match &options.cookie {
        Some(name) if origin_allowed => in_cookie(headers, name),
        _ => Ok(None),
    }
}

/// Another scheme is passed over: it may be for a proxy in front.
fn in_header(headers: &HeaderMap) -> Result<Option<Credential>, CredentialError> {
    let source = CredentialSource::Header;
    let mut tokens = headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
        let value = value.as_bytes().trim_ascii();
        let (scheme, token) = value.split_at_checked(6)?;
        let ends = token.first().is_none_or(|byte| *byte == b' ');
        (ends && scheme.eq_ignore_ascii_case(b"bearer")).then(|| token.trim_ascii())
    });
    only(&mut tokens, source)?.map(|token| credential(token, source)).transpose()
}

fn in_query(query: &str) -> Result<Option<Credential>, CredentialError> {
    let source = CredentialSource::Query;
    let mut tokens = query.split('&').filter_map(|pair| {
        let (name, token) = pair.split_once('=').unwrap_or((pair, ""));
        (name == QUERY_NAME).then_some(token)
    });
    let Some(token) = only(&mut tokens, source)? else { return Ok(None) };
    let token: Cow<'_, [u8]> = percent_decode_str(token).into();
    credential(&token, source).map(Some)
}

/// RFC 6265 section 5.4: pairs with `; ` between. The name is compared as it stands.
fn in_cookie(headers: &HeaderMap, name: &str) -> Result<Option<Credential>, CredentialError> {
    let source = CredentialSource::Cookie;
    let pairs =
        headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(is_semicolon));
    let mut tokens = pairs.filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let value = pair[at + 1..].trim_ascii();
        (pair[..at].trim_ascii() == name.as_bytes()).then(|| without_quotes(value))
    });
    only(&mut tokens, source)?.map(|token| credential(token, source)).transpose()
}

/// The only one. The same one twice is no ambiguity.
fn only<T: PartialEq>(
    tokens: &mut impl Iterator<Item = T>,
    source: CredentialSource,
) -> Result<Option<T>, CredentialError> {
    let first = tokens.next();
    match tokens.all(|token| first.as_ref() == Some(&token)) {
        true => Ok(first),
        false => Err(CredentialError::Ambiguous(source)),
    }
}

fn credential(token: &[u8], source: CredentialSource) -> Result<Credential, CredentialError> {
    if token.is_empty() {
        return Err(CredentialError::Empty(source));
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err(CredentialError::TooLong(source));
    }
    let text = std::str::from_utf8(token).ok().filter(|text| text.is_ascii());
    let text = text.ok_or(CredentialError::NotText(source))?;
    Ok(Credential { token: Token::new(text), source })
}

fn is_semicolon(byte: &u8) -> bool {
    *byte == b';'
}

fn without_quotes(value: &[u8]) -> &[u8] {
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    inner.unwrap_or(value)
}

impl From<CredentialError> for AuthError {
    fn from(error: CredentialError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "Authorization",
            Self::Query => "query parameter token",
            Self::Cookie => "cookie",
        })
    }
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous(source) => write!(f, "{source} is there more than once; send one"),
            Self::Empty(source) => write!(f, "{source} holds no token"),
            Self::TooLong(source) => {
                write!(f, "{source} holds more than {TOKEN_BYTES_MAX} bytes")
            }
            Self::NotText(source) => write!(f, "{source} must be ASCII"),
        }
    }
}

impl std::error::Error for CredentialError {}

#[cfg(test)]
mod tests {
    use ::http::HeaderName;

    use super::*;

    fn options() -> Options {
        Options { query: true, cookie: Some("session".into()), ..Options::default() }
    }

    fn headers(list: &[(HeaderName, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    /// `from:token`, `-` for none, or the error.
    fn find(options: &Options, list: &[(HeaderName, &str)], query: &str, allowed: bool) -> String {
        match find_credential(options, &headers(list), Some(query), allowed) {
            Ok(Some(found)) => format!("{:?}:{}", found.source, found.token.expose()),
            Ok(None) => "-".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_authorization_header_is_read_as_bearer() {
        for (value, found) in [
            ("Bearer a.b.c", "Header:a.b.c"),
            ("bearer   a.b.c ", "Header:a.b.c"),
            ("BEARER x", "Header:x"),
            ("Bearer", "Authorization holds no token"),
            ("Bearer ", "Authorization holds no token"),
            ("Bearerx", "-"),
            ("Basic dXNlcjpwYXNz", "-"),
            ("a.b.c", "-"),
            ("", "-"),
        ] {
            assert_eq!(find(&options(), &[(AUTHORIZATION, value)], "", false), found, "{value}");
        }
        let twice = [(AUTHORIZATION, "Bearer a"), (AUTHORIZATION, "Bearer b")];
        assert_eq!(
            find(&options(), &twice, "", false),
            "Authorization is there more than once; send one"
        );
        let both = [(AUTHORIZATION, "Basic a"), (AUTHORIZATION, "Bearer b")];
        assert_eq!(find(&options(), &both, "", false), "Header:b");
    }

    #[test]
    fn the_query_counts_only_where_it_is_on() {
        for (query, found) in [
            ("token=a.b.c", "Query:a.b.c"),
            ("x=1&token=a%2Eb&y", "Query:a.b"),
            ("token=", "query parameter token holds no token"),
            ("token", "query parameter token holds no token"),
            ("token=%ff", "query parameter token must be ASCII"),
            ("token=a&token=b", "query parameter token is there more than once; send one"),
            ("token=a&token=a", "Query:a"),
            ("xtoken=a&Token=b", "-"),
            ("", "-"),
        ] {
            assert_eq!(find(&options(), &[], query, false), found, "{query}");
            assert_eq!(find(&Options::default(), &[], query, false), "-", "{query}");
        }
    }

    #[test]
    fn cookies_are_parsed() {
        for (cookie, found) in [
            ("session=a.b.c", "Cookie:a.b.c"),
            ("x=1; session=a.b.c; y=2", "Cookie:a.b.c"),
            ("x=1;session=\"a.b.c\"", "Cookie:a.b.c"),
            ("session=a=b", "Cookie:a=b"),
            ("xsession=a; session2=b; SESSION=c; session", "-"),
            ("session=a; session=b", "cookie is there more than once; send one"),
            ("session=", "cookie holds no token"),
            ("", "-"),
            (";;=;", "-"),
        ] {
            assert_eq!(find(&options(), &[(COOKIE, cookie)], "", true), found, "{cookie}");
        }
        let split = [(COOKIE, "x=1"), (COOKIE, "session=a")];
        assert_eq!(find(&options(), &split, "", true), "Cookie:a");
    }

    #[test]
    fn cookies_count_only_with_an_allowed_origin_and_if_configured() {
        let cookie = [(COOKIE, "session=a")];
        assert_eq!(find(&options(), &cookie, "", false), "-");
        assert_eq!(find(&Options::default(), &cookie, "", true), "-");
    }

    #[test]
    fn the_header_goes_before_the_query_and_the_query_before_the_cookie() {
        let all = [(AUTHORIZATION, "Bearer a"), (COOKIE, "session=c")];
        assert_eq!(find(&options(), &all, "token=b", true), "Header:a");
        assert_eq!(find(&options(), &all[1..], "token=b", true), "Query:b");
    }

    #[test]
    fn a_token_has_a_longest_length_and_errors_do_not_repeat_it() {
        let long = format!("Bearer {}", "canary".repeat(1366));
        let error = find(&options(), &[(AUTHORIZATION, &long)], "", false);
        assert_eq!(error, "Authorization holds more than 8192 bytes");
        assert_eq!(
            AuthError::from(CredentialError::Empty(CredentialSource::Cookie)).message(),
            "cookie holds no token"
        );
    }
}
