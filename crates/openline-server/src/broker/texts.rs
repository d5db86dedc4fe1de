//! Publications that say a text each, for the tests of brokers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use bytestring::ByteString;
use openline_engine::{Draft, History, PageLimits};
use openline_protocol::{ChannelName, Data, Publication};

pub(super) const HISTORY: History = History { size: 1000, ttl_ms: 3_600_000 };

pub(super) const LIMITS: PageLimits = PageLimits { publications_max: 10_000, bytes_max: 1 << 20 };

pub(super) fn name(channel: &str) -> ChannelName {
    ChannelName::new(channel).unwrap()
}

pub(super) fn draft(channel: &str, text: &str) -> Draft {
    Draft {
        channel: name(channel),
        event: None,
        data: Data::Json(format!("\"{text}\"").into()),
        from: None,
        key: None,
        history: HISTORY,
    }
}

pub(super) fn with_key(channel: &str, text: &str, key: &str) -> Draft {
    Draft { key: Some(ByteString::from(key)), ..draft(channel, text) }
}

pub(super) fn text(publication: &Publication) -> String {
    match &publication.data {
        Data::Json(text) => text.trim_matches('"').to_owned(),
        Data::Binary(_) => panic!("only text was published"),
    }
}

pub(super) fn texts(publications: &[Arc<Publication>]) -> Vec<String> {
    publications.iter().map(|publication| text(publication)).collect()
}

pub(super) fn numbers(of: std::ops::Range<usize>) -> Vec<String> {
    of.map(|number| number.to_string()).collect()
}
