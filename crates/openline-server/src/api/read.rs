//! `history`, `presence`, `channels`, `channel`.

use std::collections::BTreeMap;
use std::sync::Arc;

use openline_engine::Query;
use openline_protocol::{ChannelName, Data, ErrorCode, Fault, Format, Member, Publication};
use serde::Serialize;
use serde_json::value::RawValue;

use super::everywhere::{Everywhere, everywhere};
use super::fields::{Fields, channel};
use super::{json, raw};
use crate::cluster::{Answer, Name, Question};
use crate::exchange::PAGE;
use crate::node::Node;
use crate::session::no_such_position;

/// Channels in one page.
pub(super) const CHANNELS_PAGE_MAX: usize = 1000;

/// The longest prefix, and the longest place to go on from.
const NAME_BYTES_MAX: usize = openline_protocol::limits::CHANNEL_BYTES_MAX;

#[derive(Debug, Serialize)]
struct History<'a> {
    channel: &'a str,
    messages: Vec<Box<RawValue>>,
    position: String,
    more: bool,
}

#[derive(Debug, Serialize)]
struct Presence<'a> {
    channel: &'a str,
    members: Vec<MemberBody<'a>>,
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [String],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MemberBody<'a> {
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Channels<'a> {
    channels: Vec<ChannelBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [String],
}

#[derive(Debug, Serialize)]
struct ChannelBody<'a> {
    channel: &'a str,
    subscribers: u64,
}

/// A channel by itself.
#[derive(Debug, Serialize)]
struct OneChannel<'a> {
    channel: &'a str,
    subscribers: u64,
    /// Where it keeps presence.
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<u64>,
    /// Where it keeps history.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Kept>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [String],
}

#[derive(Debug, Serialize)]
struct Kept {
    messages: usize,
    bytes: usize,
    position: String,
    /// When the newest message was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<u64>,
}

pub(super) async fn history(node: &Node, fields: &Fields<'_>) -> Result<String, Fault> {
    let channel = fields.channel()?;
    if node.settings().namespace(&channel)?.history_size == 0 {
        return Err(no_history(channel.as_str()));
    }
    let query = Query {
        since: fields.position("since")?,
        before: fields.position("before")?,
        since_time: fields.unsigned("sinceTime", u64::MAX)?,
        limit: fields.unsigned("limit", u32::MAX.into())?.map(|limit| limit as usize),
        reverse: fields.flag("reverse")?,
    };
    let page = node.exchange.query(&channel, &query, &PAGE).await.map_err(|error| error.fault())?;
    let page = page.map_err(no_such_position)?;
    Ok(json(&History {
        channel: channel.as_str(),
        messages: page.publications.iter().map(message).collect(),
        position: page.head.to_string(),
        more: page.more,
    }))
}

/// Forgets what the channel keeps. Who comes back and has missed something is told so.
pub(super) async fn clear_history(node: &Node, fields: &Fields<'_>) -> Result<String, Fault> {
    let channel = fields.channel()?;
    if node.settings().namespace(&channel)?.history_size == 0 {
        return Err(no_history(channel.as_str()));
    }
    node.exchange.broker().clear(&channel).await.map_err(|error| error.fault())?;
    Ok("{}".to_owned())
}

pub(super) async fn presence(node: &Node, fields: &Fields<'_>) -> Result<String, Fault> {
    let channel = fields.channel()?;
    if !node.settings().namespace(&channel)?.presence {
        let message = format!("{channel} keeps no presence");
        return Err(Fault::new(ErrorCode::NoPresence, message));
    }
    let after = fields.name("after", NAME_BYTES_MAX)?;
    let limit = fields.unsigned("limit", u32::MAX.into())?;
    let limit = limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX));
    let (page, missing) = node.exchange.all_members(&channel, after.as_deref(), limit).await;
    Ok(json(&Presence {
        channel: channel.as_str(),
        members: page.members.iter().map(member).collect(),
        count: page.count,
        next: page.next.as_deref(),
        missing: &missing,
    }))
}

/// Channels that have subscribers. Others may have a history all the same.
pub(super) async fn channels(node: &Node, fields: &Fields<'_>) -> Result<String, Fault> {
    let prefix = fields.text("prefix")?.unwrap_or_default();
    if !prefix.is_empty() {
        // No channel can begin with what is no name.
        channel(&prefix)?;
    }
    let after = fields.name("after", NAME_BYTES_MAX)?;
    let limit = fields.unsigned("limit", u32::MAX.into())?.map_or(CHANNELS_PAGE_MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX).clamp(1, CHANNELS_PAGE_MAX)
    });
    // One more than is shown tells whether there is a next page.
    let count = u32::try_from(limit + 1).unwrap_or(u32::MAX);
    let question = Question::Channels { prefix, after, count };
    let Everywhere { answers, missing } = everywhere(node, question).await?;
    let mut sums: BTreeMap<ChannelName, u64> = BTreeMap::new();
    for answer in answers {
        let Answer::Channels(channels) = answer else { continue };
        for (Name(channel), subscribers) in channels {
            *sums.entry(channel).or_default() += subscribers;
        }
    }
    let mut found: Vec<_> = sums.into_iter().collect();
    let is_more = found.len() > limit;
    found.truncate(limit);
    let listed = found.iter().map(|(channel, subscribers)| ChannelBody {
        channel: channel.as_str(),
        subscribers: *subscribers,
    });
    let last = found.last().map(|(channel, _)| channel.as_str());
    let next = last.filter(|_| is_more);
    Ok(json(&Channels { channels: listed.collect(), next, missing: &missing }))
}

/// What there is of a channel, whether or not somebody subscribes to it.
pub(super) async fn channel_details(node: &Node, fields: &Fields<'_>) -> Result<String, Fault> {
    let channel = fields.channel()?;
    let exchange = &node.exchange;
    let settings = node.settings();
    let namespace = settings.namespace(&channel)?;
    let kept = match namespace.history_size {
        0 => None,
        _ => exchange.broker().extent(&channel).await.map_err(|error| error.fault())?,
    };
    let question = Question::Channel { channel: Name(channel.clone()) };
    let Everywhere { answers, missing } = everywhere(node, question).await?;
    let counts = answers.iter().map(|answer| match answer {
        Answer::Channel { subscribers, members } => (*subscribers, *members),
        _ => (0, 0),
    });
    let (subscribers, members) = counts.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    Ok(json(&OneChannel {
        channel: channel.as_str(),
        subscribers,
        members: namespace.presence.then_some(members),
        missing: &missing,
        history: kept.map(|kept| Kept {
            messages: kept.entries,
            bytes: kept.bytes,
            position: kept.head.to_string(),
            newest: kept.newest_ms,
        }),
    }))
}

fn no_history(channel: &str) -> Fault {
    Fault::new(ErrorCode::NoHistory, format!("{channel} keeps no history"))
}

/// As subscribers get it.
fn message(publication: &Arc<Publication>) -> Box<RawValue> {
    let mut bytes = Vec::new();
    publication.encode(Format::Json, &mut bytes);
    let text = String::from_utf8(bytes).expect("the encoder writes JSON, which is UTF-8");
    raw(text)
}

fn member(member: &Member) -> MemberBody<'_> {
    let is_binary = matches!(member.data, Some(Data::Binary(_)));
    MemberBody {
        client_id: &member.client_id,
        user: member.user.as_deref(),
        info: member.info.as_ref().map(data),
        status: member.status.as_deref(),
        data: member.data.as_ref().map(data),
        encoding: is_binary.then_some("base64"),
    }
}

fn data(data: &Data) -> Box<RawValue> {
    match data {
        Data::Json(text) => raw(text.to_string()),
        Data::Binary(bytes) => {
            use base64::Engine as _;
            raw(json(&base64::engine::general_purpose::STANDARD.encode(bytes)))
        }
    }
}
