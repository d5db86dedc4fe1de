//! [`Asked`]: what the address of a request for a stream or a poll says.

use std::borrow::Cow;

use ::http::{HeaderMap, StatusCode};
use openline_protocol::ChannelName;
use openline_ws::Rejection;
use percent_encoding::percent_decode_str;

use super::secret::SessionSecret;
use crate::auth::Token;
use crate::exchange::CHANNELS_MAX;

/// The header that may name the session, which keeps it out of logs of addresses.
pub(super) const SESSION_HEADER: &str = "openline-session";

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) channels: Vec<ChannelName>,
    /// Whether `channels` is there, if only to say that there are none yet.
    pub(super) says_channels: bool,
    /// What the reader has; it may be the empty text.
    pub(super) position: Option<String>,
    /// What names it may be wrong, which is as if there were none.
    pub(super) session: Option<SessionSecret>,
    pub(super) ticket: Option<Token>,
}

impl Asked {
    /// # Errors
    /// When a name of a channel breaks the rules, or something cannot be read.
    pub(super) fn read(query: Option<&str>, headers: &HeaderMap) -> Result<Self, Rejection> {
        let mut asked = Self::default();
        for pair in query.unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                // The list is split when it is decoded: pages that make addresses by
                // `URLSearchParams` encode the commas too.
                "channels" => {
                    asked.says_channels = true;
                    let names = decoded(name, value)?;
                    let names = names.split(',').filter(|name| !name.is_empty());
                    names.into_iter().try_for_each(|name| asked.add_channel(name))?;
                }
                // One whose name has a comma in it.
                "channel" => asked.add_channel(&decoded(name, value)?)?,
                "position" | "lastEventId" => {
                    asked.position = Some(decoded(name, value)?.into_owned());
                }
                "session" => asked.session = SessionSecret::parse(&decoded(name, value)?),
                "ticket" => asked.ticket = Some(Token::new(decoded(name, value)?)),
                _ => {}
            }
        }
        if let Some(session) = headers.get(SESSION_HEADER) {
            asked.session = session.to_str().ok().and_then(SessionSecret::parse);
        }
        Ok(asked)
    }

    /// The ticket alone, where the rest is somebody else's.
    pub(super) fn ticket(query: Option<&str>) -> Result<Option<Token>, Rejection> {
        let mut pairs = query.unwrap_or_default().split('&');
        let found = pairs.find_map(|pair| pair.strip_prefix("ticket="));
        found.map(|value| Ok(Token::new(decoded("ticket", value)?))).transpose()
    }

    /// Whether the client says that it had a line before, and goes on where it was.
    pub(super) fn resumes(query: Option<&str>) -> bool {
        query.unwrap_or_default().split('&').any(|pair| pair == "resume=1")
    }

    fn add_channel(&mut self, name: &str) -> Result<(), Rejection> {
        let channel = ChannelName::new(name).map_err(|error| {
            Rejection::new(StatusCode::BAD_REQUEST, "bad_channel", error.to_string())
        })?;
        if self.channels.contains(&channel) {
            return Ok(());
        }
        if self.channels.len() == CHANNELS_MAX {
            let message = format!("{CHANNELS_MAX} channels at most; open another stream for more");
            return Err(Rejection::new(StatusCode::BAD_REQUEST, "bad_request", message));
        }
        self.channels.push(channel);
        Ok(())
    }
}

fn decoded<'a>(name: &str, value: &'a str) -> Result<Cow<'a, str>, Rejection> {
    percent_decode_str(value).decode_utf8().map_err(|_| {
        let message = format!("{name} must be UTF-8, percent-encoded where a URL needs it");
        Rejection::new(StatusCode::BAD_REQUEST, "bad_request", message)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::broker::NodeId;

    fn channels(query: &str) -> Vec<String> {
        let asked = Asked::read(Some(query), &HeaderMap::new()).unwrap();
        asked.channels.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn channels_are_a_list_or_come_one_by_one() {
        for (query, expected) in [
            ("channels=a,b", vec!["a", "b"]),
            ("channels=a%2Cb%3A1", vec!["a", "b:1"]),
            ("channels=a&channels=b", vec!["a", "b"]),
            ("channels=a,,b,a,", vec!["a", "b"]),
            ("channel=x%2Cy&channel=z", vec!["x,y", "z"]),
            ("channels=gr%C3%BC%C3%9Fe,a+b", vec!["grüße", "a+b"]),
            ("channels=&other=1", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(channels(query), expected, "{query}");
        }
    }

    #[test]
    fn an_empty_list_is_not_a_missing_one() {
        for (query, expected) in
            [("channels=", true), ("channels", true), ("channel=a", false), ("", false)]
        {
            let asked = Asked::read(Some(query), &HeaderMap::new()).unwrap();
            assert_eq!(asked.says_channels, expected, "{query}");
        }
    }

    #[test]
    fn the_rest_is_read_as_it_stands() {
        let secret = SessionSecret::random(NodeId(1));
        let query = format!("channels=a&position=~x%7E&session={}&ticket=t", secret.text());
        let asked = Asked::read(Some(&query), &HeaderMap::new()).unwrap();
        assert_eq!(asked.position.as_deref(), Some("~x~"));
        assert_eq!(asked.session, Some(secret));
        assert_eq!(asked.ticket.unwrap().expose(), "t");
        let none = Asked::read(None, &HeaderMap::new()).unwrap();
        assert!(none.position.is_none() && none.session.is_none() && none.ticket.is_none());
        let empty = Asked::read(Some("lastEventId="), &HeaderMap::new()).unwrap();
        assert_eq!(empty.position.as_deref(), Some(""));
    }

    #[test]
    fn the_session_may_be_in_a_header() {
        let (one, other) = (SessionSecret::random(NodeId(1)), SessionSecret::random(NodeId(1)));
        let mut headers = HeaderMap::new();
        headers.insert(SESSION_HEADER, other.text().parse().unwrap());
        let query = format!("session={}", one.text());
        let asked = Asked::read(Some(&query), &headers).unwrap();
        assert_eq!(asked.session, Some(other));
        let asked = Asked::read(Some("session=s1"), &HeaderMap::new()).unwrap();
        assert_eq!(asked.session, None);
    }

    #[test]
    fn what_is_no_channel_is_refused() {
        for (query, code) in [
            ("channels=a%20b", "bad_channel"),
            ("channel=", "bad_channel"),
            ("channel=%00", "bad_channel"),
            ("channels=%ff", "bad_request"),
        ] {
            let refused = Asked::read(Some(query), &HeaderMap::new()).unwrap_err();
            assert_eq!((refused.status, refused.code), (StatusCode::BAD_REQUEST, code), "{query}");
        }
        let long = format!("channels={}", "x".repeat(256));
        assert!(Asked::read(Some(&long), &HeaderMap::new()).is_err());
        let list = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(channels(&format!("channels={}", list(CHANNELS_MAX))).len(), CHANNELS_MAX);
        let many = format!("channels={}", list(CHANNELS_MAX + 1));
        assert!(Asked::read(Some(&many), &HeaderMap::new()).is_err());
    }
}
