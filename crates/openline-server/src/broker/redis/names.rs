//! [`Names`]: what the keys and topics of a cluster are called.

use openline_protocol::ChannelName;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

use crate::broker::NodeId;

/// What would end the part of a key that says where in a Redis cluster it is.
const RESERVED: &AsciiSet = &CONTROLS.add(b'{').add(b'}').add(b'%');

/// Names of keys and topics.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
}

/// The keys of one channel.
#[derive(Debug, Clone)]
pub(super) struct ChannelKeys {
    /// What is published to it goes here.
    pub(super) topic: String,
    /// Meta and stream, in the order in which scripts want them.
    pub(super) keys: Vec<String>,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// The topic of a channel. All keys of the channel begin with it, and what stands in the braces
    /// decides where in a Redis cluster they are: together.
    pub(super) fn topic(&self, channel: &ChannelName) -> String {
        format!("{}:{{{}}}", self.prefix, utf8_percent_encode(channel.as_str(), RESERVED))
    }

    /// The channel of a topic.
    pub(super) fn channel(&self, topic: &[u8]) -> Option<ChannelName> {
        let rest = topic.strip_prefix(self.prefix.as_bytes())?;
        let encoded = rest.strip_prefix(b":{")?.strip_suffix(b"}")?;
        ChannelName::new(&percent_decode(encoded).decode_utf8().ok()?).ok()
    }

    pub(super) fn keys(&self, channel: &ChannelName) -> ChannelKeys {
        let topic = self.topic(channel);
        let keys = vec![format!("{topic}:m"), format!("{topic}:s")];
        ChannelKeys { topic, keys }
    }

    /// What is said to all nodes.
    pub(super) fn nodes(&self) -> String {
        format!("{}:nodes", self.prefix)
    }

    /// What is said to one node.
    pub(super) fn node(&self, node: NodeId) -> String {
        format!("{}:node:{node}", self.prefix)
    }
}

impl ChannelKeys {
    /// With the key under which a publication is remembered.
    pub(super) fn with(mut self, key: &str) -> Self {
        self.keys.push(format!("{}:k:{key}", self.topic));
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const HOSTILE: &[&str] = &["room", "chat:1", "{a}b", "}{", "a{b", "{}", "100%", "%7B", "ü:✓"];

    /// What a Redis cluster takes to decide where a key is.
    fn hash_tag(key: &str) -> &str {
        let (_, rest) = key.split_once('{').unwrap();
        let (tag, _) = rest.split_once('}').unwrap();
        assert!(!tag.is_empty());
        tag
    }

    #[test]
    fn keys_of_one_channel_share_a_slot_and_those_of_two_share_nothing() {
        let names = Names::new("openline");
        let mut seen = std::collections::HashSet::new();
        for name in HOSTILE {
            let channel = ChannelName::new(name).unwrap();
            for key in ["k", "}x{", "a:s"] {
                let ChannelKeys { topic, keys } = names.keys(&channel).with(key);
                assert!(keys.iter().all(|key| hash_tag(key) == hash_tag(&topic)), "{keys:?}");
            }
            assert!(seen.insert(names.topic(&channel)), "{name}");
            assert_eq!(names.channel(names.topic(&channel).as_bytes()), Some(channel));
        }
    }

    #[test]
    fn other_topics_are_of_no_channel() {
        let names = Names::new("openline");
        for topic in ["openline:nodes", "openline:node:1", "other:{room}", "openline:{room}:m", ""]
        {
            assert_eq!(names.channel(topic.as_bytes()), None, "{topic}");
        }
    }
}
