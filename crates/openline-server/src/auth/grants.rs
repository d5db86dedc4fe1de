//! What a token's bearer may do, and on which channels.
//!
//! A pattern is a channel's name in which `*` stands for one or more characters: at the end for
//! any rest (`chat:*` covers `chat:1` and `chat:1:files`; `*` alone covers all), as a whole part
//! between colons for just that part (`room:*:news`). It stands nowhere else. `{user}` stands for
//! the token's own user.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most patterns in a token.
pub(super) const PATTERNS_MAX: usize = 64;
/// The longest pattern and the longest name of a channel, in bytes.
pub(super) const CHANNEL_BYTES_MAX: usize = 255;

/// What may be done with a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Subscribe,
    Publish,
    Presence,
    History,
}

/// A set of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Actions(u8);

/// What a token allows: the union of its patterns. Anything else is not allowed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grants(Box<[(Box<str>, Actions)]>);

impl Action {
    pub(crate) const ALL: [Self; 4] =
        [Self::Subscribe, Self::Publish, Self::Presence, Self::History];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::Presence => "presence",
            Self::History => "history",
        }
    }
}

impl Actions {
    pub(crate) const ALL: Self = Self(0b1111);

    pub(crate) fn allows(self, action: Action) -> bool {
        self.0 & 1 << action as u8 != 0
    }

    /// With `action` too.
    pub(crate) fn and(self, action: Action) -> Self {
        Self(self.0 | 1 << action as u8)
    }

    /// Reads a list of names, or one name; `*` is all of them.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let wrong = || {
            "must list actions: \"subscribe\", \"publish\", \"presence\", \"history\" or \"*\""
                .to_owned()
        };
        let names = match value {
            Value::Array(names) => names.as_slice(),
            name => std::slice::from_ref(name),
        };
        names.iter().try_fold(Self::default(), |actions, name| {
            let name = name.as_str().ok_or_else(wrong)?;
            if name == "*" {
                return Ok(Self::ALL);
            }
            let action = Action::ALL.into_iter().find(|action| action.as_str() == name);
            action.map(|action| actions.and(action)).ok_or_else(wrong)
        })
    }
}

impl Grants {
    /// Reads claim `channels`: patterns with lists of actions, or a list of patterns for all.
    /// An error names the pattern by its place (in an object, in order of name), never by its
    /// text.
    pub(crate) fn read(value: &Value, user: Option<&str>) -> Result<Self, String> {
        let mut grants = Vec::new();
        match value {
            Value::Object(map) => {
                check_count(map.len())?;
                for (index, (text, actions)) in map.iter().enumerate() {
                    let place = |what| format!("claim channels, pattern {}: {what}", index + 1);
                    let actions = Actions::read(actions).map_err(place)?;
                    grants.push((pattern(text, user).map_err(place)?, actions));
                }
            }
            Value::Array(list) => {
                check_count(list.len())?;
                for (index, text) in list.iter().enumerate() {
                    let place = |what| format!("claim channels, pattern {}: {what}", index + 1);
                    let text = text.as_str().ok_or("must be a string".into()).map_err(place)?;
                    grants.push((pattern(text, user).map_err(place)?, Actions::ALL));
                }
            }
            _ => return Err("claim channels must be an object or an array".into()),
        }
        Ok(Self(grants.into_boxed_slice()))
    }

    pub(crate) fn allows(&self, channel: &str, action: Action) -> bool {
        self.0.iter().any(|(pattern, actions)| actions.allows(action) && covers(pattern, channel))
    }
}

fn check_count(count: usize) -> Result<(), String> {
    if count > PATTERNS_MAX {
        return Err(format!("claim channels has {count} patterns; at most {PATTERNS_MAX}"));
    }
    Ok(())
}

/// The pattern with the user in its place.
fn pattern(text: &str, user: Option<&str>) -> Result<Box<str>, String> {
    let text = match (text.contains("{user}"), user) {
        (false, _) => text.to_owned(),
        (true, None) => return Err("has {user}, and the token has no sub".into()),
        // Either would let a user's name reach into another user's channels.
        (true, Some(user)) if user.contains([':', '*']) => {
            return Err("has {user}, and sub contains ':' or '*'".into());
        }
        (true, Some(user)) => text.replace("{user}", user),
    };
    check_name(&text)?;
    let wildcards = text.matches('*').count();
    let whole_parts = text.split(':').filter(|part| *part == "*").count();
    let at_end = usize::from(text.ends_with('*') && !text.ends_with(":*") && text != "*");
    if wildcards != whole_parts + at_end {
        return Err("* may stand at the end or as a whole part between colons".into());
    }
    Ok(text.into())
}

/// Whether this may be a channel's name: the same rule as everywhere.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > CHANNEL_BYTES_MAX {
        return Err(format!("must have 1 to {CHANNEL_BYTES_MAX} bytes, got {}", name.len()));
    }
    if name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("must not contain whitespace or control characters".into());
    }
    Ok(())
}

/// Whether a pattern covers a channel. Both are walked once: a `*` within takes its part whole,
/// so there is nothing to try twice.
fn covers(pattern: &str, channel: &str) -> bool {
    let (mut pattern, mut channel) = (pattern, channel);
    while let Some((part, rest)) = pattern.split_once(':') {
        let Some((name, after)) = channel.split_once(':') else { return false };
        if part != name && (part != "*" || name.is_empty()) {
            return false;
        }
        (pattern, channel) = (rest, after);
    }
    match pattern.strip_suffix('*') {
        Some(prefix) => channel.len() > prefix.len() && channel.starts_with(prefix),
        None => channel == pattern,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn allowed(pattern: &str, channel: &str) -> bool {
        let grants = Grants::read(&json!([pattern]), Some("ann")).unwrap();
        grants.allows(channel, Action::Subscribe)
    }

    #[test]
    fn patterns_cover_what_they_say_and_no_more() {
        let table = [
            ("news", &["news"][..], &["new", "newss", "NEWS", "news:1", "x:news", ""][..]),
            ("*", &["a", "a:b", "a:b:c", "*"], &[""]),
            ("chat:*", &["chat:1", "chat:1:files", "chat:*"], &["chat:", "chat", "chatx:1", "a"]),
            ("chat:room-*", &["chat:room-1", "chat:room-1:x"], &["chat:room-", "chat:room1"]),
            ("room*", &["room1", "rooms:1"], &["room", "aroom1"]),
            ("a:*:c", &["a:b:c", "a:*:c"], &["a::c", "a:b:b:c", "a:c", "a:b:cc", "a:b"]),
            ("*:c", &["a:c"], &["a:b:c", ":c", "c"]),
            ("a:*:*", &["a:b:c", "a:b:c:d"], &["a:b", "a:b:", "a::c"]),
            (
                "user:{user}:*",
                &["user:ann:1", "user:ann:1:2"],
                &["user:bob:1", "user:ann", "user:ann:"],
            ),
            ("user:{user}", &["user:ann"], &["user:{user}", "user:ann:1", "user:annx"]),
            ("a:", &["a:"], &["a", "a:b"]),
        ];
        for (pattern, yes, no) in table {
            for channel in yes {
                assert!(allowed(pattern, channel), "{pattern} must cover {channel}");
            }
            for channel in no {
                assert!(!allowed(pattern, channel), "{pattern} must not cover {channel}");
            }
        }
    }

    #[test]
    fn actions_are_those_listed() {
        let claim = json!({"a": ["subscribe"], "b": ["publish", "history"], "c": ["*"],
            "d": "presence", "e": [], "*": ["history"]});
        let grants = Grants::read(&claim, None).unwrap();
        let may = |channel: &str| {
            Action::ALL
                .into_iter()
                .filter(|action| grants.allows(channel, *action))
                .map(Action::as_str)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(may("a"), "subscribe history");
        assert_eq!(may("b"), "publish history");
        assert_eq!(may("c"), "subscribe publish presence history");
        assert_eq!(may("d"), "presence history");
        assert_eq!(may("e"), "history");
        assert!(!Grants::read(&json!([]), None).unwrap().allows("a", Action::Subscribe));
    }

    #[test]
    fn what_is_no_pattern_is_refused_without_repeating_it() {
        let long = "canary".repeat(50);
        for (claim, what) in [
            (json!(["ok", "canary*x"]), "pattern 2: * may stand at the end"),
            (json!(["**"]), "pattern 1: * may stand"),
            (json!(["canary:*x:a"]), "* may stand"),
            (json!(["canary:a*:b"]), "* may stand"),
            (json!(["canary x"]), "whitespace"),
            (json!([""]), "1 to 255 bytes, got 0"),
            (json!([long]), "got 300"),
            (json!([7]), "must be a string"),
            (json!({"canary": ["canary"]}), "must list actions"),
            (json!({"canary": 7}), "must list actions"),
            (json!("canary"), "must be an object or an array"),
            (json!(7), "must be an object or an array"),
        ] {
            let error = Grants::read(&claim, Some("u")).unwrap_err();
            assert!(error.contains(what), "{error} should contain {what}");
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_users_name_reaches_no_other_users_channels() {
        for user in ["a:b", "*", "ann*"] {
            assert!(Grants::read(&json!(["user:{user}:*"]), Some(user)).is_err(), "{user}");
        }
        assert!(Grants::read(&json!(["user:{user}"]), None).is_err());
        let grants = Grants::read(&json!(["user:{user}"]), Some("{user}")).unwrap();
        assert!(grants.allows("user:{user}", Action::Publish));
    }

    #[test]
    fn the_number_of_patterns_has_a_limit() {
        let patterns =
            |count: usize| json!((0..count).map(|n| format!("c{n}")).collect::<Vec<_>>());
        assert!(Grants::read(&patterns(64), None).is_ok());
        let error = Grants::read(&patterns(65), None).unwrap_err();
        assert_eq!(error, "claim channels has 65 patterns; at most 64");
    }
}
