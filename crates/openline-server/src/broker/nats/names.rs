//! [`Names`]: how channels, keys and nodes are called in NATS.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use openline_protocol::ChannelName;

use crate::broker::NodeId;

/// What streams and subjects are called. All of them begin with the prefix.
#[derive(Debug)]
pub(super) struct Names {
    prefix: String,
    /// Those that are configured. Other prefixes of channels share the stream of the default, or
    /// whoever may publish could make streams without end.
    namespaces: BTreeSet<String>,
}

/// What channels without a namespace of their own have; no namespace can be called so otherwise.
const DEFAULT: &str = "default";

impl Names {
    pub(super) fn new(prefix: String, namespaces: BTreeSet<String>) -> Self {
        Self { prefix, namespaces }
    }

    fn namespace<'a>(&self, channel: &'a ChannelName) -> &'a str {
        let namespace = channel.namespace();
        if self.namespaces.contains(namespace) { namespace } else { DEFAULT }
    }

    /// The stream that keeps a channel.
    pub(super) fn stream(&self, channel: &ChannelName) -> Stream {
        let namespace = self.namespace(channel);
        Stream {
            name: format!("{}_{namespace}", self.prefix),
            subjects: format!("{}.s.{namespace}.*", self.prefix),
            live: Some((
                format!("{}.s.{namespace}.>", self.prefix),
                format!("{}.l.{namespace}.>", self.prefix),
            )),
        }
    }

    /// Where a channel's entries are stored.
    pub(super) fn stored(&self, channel: &ChannelName) -> String {
        self.of_channel("s", channel)
    }

    /// Where those who listen to a channel hear of it: what was stored, what is not kept, and what
    /// nodes say.
    pub(super) fn live(&self, channel: &ChannelName) -> String {
        self.of_channel("l", channel)
    }

    fn of_channel(&self, kind: &str, channel: &ChannelName) -> String {
        let mut subject = format!("{}.{kind}.{}.", self.prefix, self.namespace(channel));
        push_token(channel.as_str(), &mut subject);
        subject
    }

    /// The stream that remembers keys. The dash keeps it apart from those of namespaces.
    pub(super) fn keys(&self) -> Stream {
        let name = format!("{}-keys", self.prefix);
        Stream { name, subjects: format!("{}.k.*.*", self.prefix), live: None }
    }

    /// Where it is remembered that a channel's key was used.
    pub(super) fn key(&self, channel: &ChannelName, key: &str) -> String {
        let mut subject = format!("{}.k.", self.prefix);
        push_token(channel.as_str(), &mut subject);
        subject.push('.');
        push_token(key, &mut subject);
        subject
    }

    /// Where all nodes listen.
    pub(super) fn nodes(&self) -> String {
        format!("{}.n.all", self.prefix)
    }

    /// Where one node listens.
    pub(super) fn node(&self, node: NodeId) -> String {
        format!("{}.n.{node}", self.prefix)
    }

    /// Where nobody listens: the server says so itself, behind all that it was told before.
    pub(super) fn nobody(&self) -> String {
        format!("{}.n.nobody", self.prefix)
    }
}

/// What tells publications of a key in a stream from others: the channel, the key, and which of its
/// uses stands there that is forgotten by now; JetStream may remember it for a moment more.
pub(super) fn message_id(channel: &ChannelName, key: &str, forgotten: u64) -> String {
    let mut id = format!("{forgotten}.");
    push_token(channel.as_str(), &mut id);
    id.push('.');
    push_token(key, &mut id);
    id
}

/// A stream of JetStream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) name: String,
    /// What it keeps.
    pub(super) subjects: String,
    /// From where and where to what was kept is published again.
    pub(super) live: Option<(String, String)>,
}

/// One token of a subject: dots, wildcards, white space and all that is not ASCII are `%` and two
/// digits. An empty text, which no token may be, is a lone `%`.
fn push_token(text: &str, out: &mut String) {
    if text.is_empty() {
        out.push('%');
    }
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_:/@=+,~!".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02x}");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::HashSet;

    use super::*;

    fn names() -> Names {
        Names::new("ol".to_owned(), BTreeSet::from(["chat".to_owned()]))
    }

    fn channel(name: &str) -> ChannelName {
        ChannelName::new(name).unwrap()
    }

    #[test]
    fn each_configured_namespace_has_a_stream_and_all_others_share_one() {
        let stream = |name: &str| names().stream(&channel(name)).name;
        assert_eq!(stream("chat:1"), "ol_chat");
        for other in ["news", "made-up:1", ":x", "default:1"] {
            assert_eq!(stream(other), "ol_default", "{other}");
        }
        assert_ne!(names().keys().name, stream("keys:1"));
    }

    #[test]
    fn channels_are_one_token_each_and_none_is_taken_for_another() {
        assert_eq!(names().stored(&channel("chat:1")), "ol.s.chat.chat:1");
        assert_eq!(names().live(&channel("a.b")), "ol.l.default.a%2eb");
        let odd =
            ["a.b", "a%2eb", "a*", "a>", "*", ">", "%", "ä", "%c3%a4", "a", "A", "chat:1", "$x"];
        let subjects: HashSet<_> = odd.iter().map(|name| names().stored(&channel(name))).collect();
        assert_eq!(subjects.len(), odd.len());
        for subject in subjects {
            assert_eq!(subject.split('.').count(), 4, "{subject}");
            assert!(subject.is_ascii() && !subject.contains(['*', '>', ' ', '$']), "{subject}");
        }
        let longest = names().stored(&channel(&"\u{e4}".repeat(127)));
        assert!(longest.len() < 1024, "{}", longest.len());
    }

    #[test]
    fn keys_belong_to_their_channel() {
        let key = |name: &str, key: &str| names().key(&channel(name), key);
        assert_ne!(key("a", "b.c"), key("a.b", "c"));
        assert_ne!(message_id(&channel("a"), "b.c", 0), message_id(&channel("a.b"), "c", 0));
        assert_eq!(key("a", ""), "ol.k.a.%");
    }
}
