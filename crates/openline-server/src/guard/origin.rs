//! [`Origins`]: which pages may open lines and read answers.

use std::collections::HashSet;

use super::host::Host;

/// Longer than any scheme, name and port.
const ORIGIN_BYTES_MAX: usize = 512;

/// Scheme, host and port of a page (RFC 6454 §4), normalised so that equal ones are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    scheme: String,
    /// Without the scheme's default port.
    host: Host,
}

/// The list `http.allowed_origins`.
#[derive(Debug)]
pub(crate) struct Origins {
    any: bool,
    exact: HashSet<Origin>,
    /// What stands right of `*.`.
    parents: HashSet<Origin>,
}

impl Origin {
    /// None for what cannot be listed: `null`, several origins, anything with a path.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= ORIGIN_BYTES_MAX)?;
        let (scheme, host) = text.split_once("://")?;
        let lawful = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(lawful) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let host = without_default_port(Host::parse(host)?, &scheme);
        Some(Self { scheme, host })
    }

    /// Whether it is a page of this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host.is_loopback()
    }

    /// Whether the page came from `host`, as a request names it. The scheme is the page's: behind a
    /// proxy that ends TLS the server does not know its own.
    pub(crate) fn is_at(&self, host: Host) -> bool {
        self.host == without_default_port(host, &self.scheme)
    }

    /// The origin that has one label less.
    fn parent(&self) -> Option<Self> {
        let (label, name) = self.host.name.split_once('.')?;
        let host = Host { name: name.to_owned(), port: self.host.port };
        (!label.is_empty()).then(|| Self { scheme: self.scheme.clone(), host })
    }
}

impl Origins {
    /// Each entry is an origin as browsers send it, `https://chat.example`, with a port unless it is
    /// the scheme's own; or one whose leftmost label is `*`, `https://*.chat.example`, which stands
    /// for exactly one label: `a.chat.example`, neither `chat.example` nor `a.b.chat.example`. `*`
    /// alone is every page there is, but for `null`, which no list can tell apart from another.
    ///
    /// # Errors
    /// The entry that cannot be used, and what would be right.
    pub(crate) fn new(list: &[String]) -> Result<Self, String> {
        let mut origins = Self { any: false, exact: HashSet::new(), parents: HashSet::new() };
        for entry in list {
            if entry == "*" {
                if list.len() > 1 {
                    return Err("http.allowed_origins: \"*\" must stand alone; with it every \
                                other entry is idle."
                        .to_owned());
                }
                origins.any = true;
                continue;
            }
            let (set, origin) = match entry.split_once("://*.") {
                None => (&mut origins.exact, Origin::parse(entry.as_bytes())),
                Some((scheme, parent)) => {
                    (&mut origins.parents, Origin::parse(format!("{scheme}://{parent}").as_bytes()))
                }
            };
            let origin = origin.filter(|origin| !matches!(origin.scheme.as_str(), "ws" | "wss"));
            let Some(origin) = origin else { return Err(unusable(entry)) };
            if entry.contains("://*.") && !may_be_parent(&origin.host.name) {
                return Err(format!(
                    "http.allowed_origins: {entry:?} is too wide; there must be two labels right \
                     of the *, as in \"https://*.chat.example\"."
                ));
            }
            set.insert(origin);
        }
        Ok(origins)
    }

    /// Whether there is no list.
    pub(crate) fn is_empty(&self) -> bool {
        !self.any && self.exact.is_empty() && self.parents.is_empty()
    }

    /// Whether the list is `*`.
    pub(crate) fn is_any(&self) -> bool {
        self.any
    }

    pub(crate) fn contain(&self, origin: &Origin) -> bool {
        self.any
            || self.exact.contains(origin)
            || (!self.parents.is_empty()
                && origin.parent().is_some_and(|parent| self.parents.contains(&parent)))
    }
}

fn without_default_port(host: Host, scheme: &str) -> Host {
    let default = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    Host { port: host.port.filter(|port| Some(*port) != default), ..host }
}

/// `*.com` would be everybody, `*.0.0.1` is not a name. `localhost` is this machine with any label.
fn may_be_parent(name: &str) -> bool {
    let labels = || name.split('.');
    let numeric =
        labels().next_back().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    let named = labels().all(|label| !label.is_empty()) && !name.starts_with('[') && !numeric;
    named && (name == "localhost" || labels().count() > 1)
}

fn unusable(entry: &str) -> String {
    let why = if entry == "null" {
        "stands for every page without an origin of its own; leave it out".to_owned()
    } else if entry.starts_with("ws") && entry.contains("://") {
        format!("is where a line goes; write the page's origin, http{}", &entry[2..])
    } else if !entry.contains("://") {
        format!("has no scheme; write \"https://{entry}\"")
    } else if entry.contains('*') {
        "has a * that is not the whole leftmost label; write \"https://*.chat.example\"".to_owned()
    } else if !entry.is_ascii() {
        "must be in ASCII; write the name as browsers send it, xn--…".to_owned()
    } else {
        "is not scheme, host and port alone; write one such as \"https://chat.example\"".to_owned()
    };
    format!("http.allowed_origins: {entry:?} {why}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(list: &[&str]) -> Result<Origins, String> {
        Origins::new(&list.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>())
    }

    fn allowed(origins: &Origins, origin: &str) -> bool {
        Origin::parse(origin.as_bytes()).is_some_and(|origin| origins.contain(&origin))
    }

    #[test]
    fn an_origin_is_allowed_by_scheme_host_and_port() {
        let origins = origins(&[
            "https://chat.example",
            "http://chat.example:8080",
            "https://*.wild.example",
            "https://*.port.example:8443",
            "https://[2001:db8::1]:444",
            "HTTPS://UPPER.example:443",
            "capacitor://localhost",
        ])
        .unwrap();
        let long = format!("https://{}.wild.example", "a".repeat(250));
        let table = [
            ("https://chat.example", true),
            ("HTTPS://Chat.Example", true),
            ("https://chat.example:443", true),
            ("http://chat.example", false),
            ("https://chat.example:8443", false),
            ("http://chat.example:8080", true),
            ("https://chat.example:8080", false),
            ("https://chat.example.", false),
            ("https://chat.example.evil.test", false),
            ("https://evil-chat.example", false),
            ("https://evilchat.example", false),
            ("https://evil.test#chat.example", false),
            ("https://evil.test/https://chat.example", false),
            ("https://chat.example@evil.test", false),
            ("https://user@chat.example", false),
            ("https://chat.example/", false),
            ("https://chat.example?x", false),
            ("https://chat.example https://evil.test", false),
            (" https://chat.example", false),
            ("https:/chat.example", false),
            ("https//chat.example", false),
            ("//chat.example", false),
            ("://chat.example", false),
            ("chat.example", false),
            ("https://chat.example:", false),
            ("https://chat.example:0443", false),
            ("https://chat%2eexample", false),
            ("https://chat_example", false),
            ("https://a.wild.example", true),
            ("https://a.wild.example:443", true),
            ("https://wild.example", false),
            ("https://.wild.example", false),
            ("https://a.b.wild.example", false),
            ("https://awild.example", false),
            ("https://a.wild.example.evil.test", false),
            ("http://a.wild.example", false),
            ("https://a.wild.example:8443", false),
            ("https://a.port.example:8443", true),
            ("https://a.port.example", false),
            ("https://*.wild.example", false),
            ("https://[2001:DB8:0::1]:444", true),
            ("https://[2001:db8::1]", false),
            ("https://upper.example", true),
            ("capacitor://localhost", true),
            ("capacitor://localhost:80", false),
            ("null", false),
            ("NULL", false),
            ("", false),
            ("*", false),
            ("file://", false),
            ("https://", false),
            ("https://chat.exämple", false),
            (long.as_str(), false),
        ];
        for (origin, expected) in table {
            assert_eq!(allowed(&origins, origin), expected, "{origin:?}");
        }
    }

    #[test]
    fn a_star_alone_is_every_page_but_null() {
        let origins = origins(&["*"]).unwrap();
        assert!(origins.is_any() && !origins.is_empty());
        assert!(allowed(&origins, "https://anything.test:1"));
        assert!(!allowed(&origins, "null"));
    }

    #[test]
    fn a_list_with_something_else_in_it_is_refused() {
        let table = [
            ("null", "leave it out"),
            ("chat.example", "write \"https://chat.example\""),
            ("https://chat.example/", "scheme, host and port alone"),
            ("https://chat.example/path", "scheme, host and port alone"),
            ("https://a@chat.example", "scheme, host and port alone"),
            ("https://", "scheme, host and port alone"),
            ("", "has no scheme"),
            ("wss://chat.example", "write the page's origin, https://chat.example"),
            ("ws://chat.example", "write the page's origin, http://chat.example"),
            ("https://*chat.example", "whole leftmost label"),
            ("https://a.*.example", "whole leftmost label"),
            ("https://a*.chat.example", "whole leftmost label"),
            ("https://*.*.example", "whole leftmost label"),
            ("http://localhost:*", "whole leftmost label"),
            ("*://chat.example", "whole leftmost label"),
            ("https://*", "whole leftmost label"),
            ("https://*.com", "too wide"),
            ("https://*..com", "too wide"),
            ("https://*.0.0.1", "too wide"),
            ("https://*.[::1]", "too wide"),
            ("https://chat.exämple", "xn--"),
        ];
        for (entry, said) in table {
            let error = origins(&[entry]).unwrap_err();
            assert!(error.starts_with("http.allowed_origins: ") && error.contains(said), "{error}");
        }
        assert!(origins(&["*", "https://a.example"]).unwrap_err().contains("stand alone"));
        assert!(origins(&["http://*.localhost:3000"]).is_ok());
    }

    #[test]
    fn a_page_is_of_the_same_host_whatever_port_is_left_out() {
        let at = |origin: &str, host: &str| {
            Origin::parse(origin.as_bytes()).unwrap().is_at(Host::parse(host).unwrap())
        };
        assert!(at("https://chat.test", "chat.test"));
        assert!(at("https://chat.test", "Chat.test:443"));
        assert!(at("http://chat.test:8000", "chat.test:8000"));
        assert!(!at("http://chat.test", "chat.test:443"));
        assert!(!at("http://chat.test:8000", "chat.test"));
        assert!(!at("https://evil.test", "chat.test"));
    }
}
