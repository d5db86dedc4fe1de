//! What holds of any bytes that Redis gives.

use openline_protocol::ChannelName;

use super::entry::{entry_of, position, report};
use super::names::Names;
use crate::broker::NodeId;
use crate::broker::shared::Report;
use crate::fuzzing::halves;

/// What is heard on a channel's topic is of that channel; names of topics are those of channels.
pub(crate) fn heard(channel: &ChannelName, data: &[u8]) {
    if let Some(publication) = entry_of(channel, data) {
        assert!(publication.channel == *channel && publication.position.is_some());
    }
    let _ = position(data);
    let names = Names::new("openline");
    let (topic, message) = halves(data);
    for topic in [topic, names.topic(channel).as_bytes(), names.nodes().as_bytes()] {
        let named = names.channel(topic);
        match report(&names, NodeId(1), topic, message) {
            Some(Report::Published { publication, .. }) => {
                assert_eq!(Some(&publication.channel), named.as_ref());
            }
            Some(Report::Emitted { from, .. } | Report::Told { from, .. }) => {
                assert_ne!(from, NodeId(1), "what this node said does not come back");
            }
            _ => {}
        }
    }
}
