//! What each type of message means.

use std::borrow::Cow;

use super::fields::{Fields, Value};
use super::params::{Params, bad, channel};
use super::parse::Source;
use super::{Command, HistoryQuery, Publish, SubscribeTo, transfer};
use crate::limits::{CHANNELS_MAX, EVENT_BYTES_MAX, KEY_BYTES_MAX, STATUS_BYTES_MAX};
use crate::{BUILT_IN_TYPES, ChannelName, Data, ErrorCode, Fault};

/// The event of publications that have none, which therefore says nothing.
const NO_EVENT: &str = "message";

/// Reads the command, and says how many fields nothing knew.
pub(super) fn read(
    kind: Cow<'_, str>,
    fields: Fields<'_>,
    source: &Source,
) -> Result<(Command, u32), Fault> {
    let (fields, more) = match &*kind {
        "publish" => payload_or_parameters(fields, &["channel"], &["channel"])?,
        "setPresence" => {
            payload_or_parameters(fields, &["channel", "status"], &["channel", "status", "data"])?
        }
        "chunk" => payload_or_parameters(fields, &["upload"], &["upload"])?,
        "auth" | "subscribe" | "unsubscribe" | "presence" | "history" | "typing" | "ping"
        | "upload" | "complete" | "cancel" => parameters(fields)?,
        _ => (fields, Fields::default()),
    };
    let params = Params { what: &kind, fields, more, source };
    let mut unknown = 0;
    let command = match &*kind {
        "auth" => auth(&params)?,
        "subscribe" => Command::Subscribe { channels: subscribe(&params, &mut unknown)? },
        "unsubscribe" => Command::Unsubscribe { channels: unsubscribe(&params)? },
        "publish" => Command::Publish(publish(&params)?),
        "presence" => Command::Presence {
            channel: params.channel()?,
            after: params.text("after")?.map(Cow::into_owned),
            limit: params.unsigned("limit", u32::MAX)?,
        },
        "history" => Command::History(history(&params)?),
        "setPresence" => Command::SetPresence {
            channel: params.optional_channel()?,
            status: params.text_up_to("status", STATUS_BYTES_MAX)?.map(Cow::into_owned),
            data: params.data()?,
        },
        "typing" => Command::Typing {
            channel: params.channel()?,
            is_typing: params.flag("isTyping", true)?,
        },
        "upload" => Command::Upload(transfer::upload(&params)?),
        "chunk" => Command::Chunk(transfer::chunk(&params)?),
        "complete" => Command::Complete(transfer::complete(&params)?),
        "cancel" => Command::Cancel { upload: transfer::name(&params)? },
        "ping" => Command::Ping,
        _ => Command::Other { kind: source.byte_string(kind.clone()), data: params.data()? },
    };
    unknown += params.unknown();
    Ok((command, unknown))
}

/// The fields of a type that has no payload: those of the message, then those of the object in `data`.
fn parameters(mut fields: Fields<'_>) -> Result<(Fields<'_>, Fields<'_>), Fault> {
    let more = match fields.value("data").and_then(Value::fields) {
        None => return Ok((fields, Fields::default())),
        Some((more, outcome)) => outcome.map(|()| more)?,
    };
    fields.remove("data");
    Ok((fields, more))
}

/// The fields of a type whose `data` is its payload, unless the message has none of `own` and `data`
/// is an object with one of `inner`: then it is read from there, and only then from the message.
fn payload_or_parameters<'a>(
    mut fields: Fields<'a>,
    own: &[&str],
    inner: &[&str],
) -> Result<(Fields<'a>, Fields<'a>), Fault> {
    if own.iter().any(|name| fields.has(name)) {
        return Ok((fields, Fields::default()));
    }
    match fields.value("data").and_then(Value::fields) {
        Some((parameters, outcome)) if inner.iter().any(|name| parameters.has(name)) => {
            outcome?;
            fields.remove("data");
            Ok((parameters, fields))
        }
        _ => Ok((fields, Fields::default())),
    }
}

fn auth(params: &Params<'_>) -> Result<Command, Fault> {
    let token = params.text("token")?;
    Ok(Command::Auth { token: params.required("token", token)?.into_owned() })
}

fn subscribe(params: &Params<'_>, unknown: &mut u32) -> Result<Vec<SubscribeTo>, Fault> {
    if params.has("channel") {
        if params.has("channels") {
            return Err(bad("subscribe takes `channels` or `channel`, not both".to_owned()));
        }
        return Ok(vec![subscribe_to(params)?]);
    }
    let mut channels: Vec<SubscribeTo> = Vec::new();
    for item in channel_list(params)? {
        let item = subscribe_item(item?, params.source, unknown)?;
        if channels.iter().any(|other| other.channel == item.channel) {
            return Err(bad(format!("`channels` has {} twice", item.channel)));
        }
        channels.push(item);
    }
    Ok(channels)
}

/// One of `channels`: a name, or an object.
fn subscribe_item(
    item: Value<'_>,
    source: &Source,
    unknown: &mut u32,
) -> Result<SubscribeTo, Fault> {
    if let Some(name) = item.text() {
        let channel = channel(&name)?;
        return Ok(SubscribeTo { channel, position: None, token: None, history: None });
    }
    let Some((fields, outcome)) = item.fields() else {
        return Err(bad("`channels` must hold names, or objects with `channel`".to_owned()));
    };
    outcome?;
    let params = Params { what: "each of `channels`", fields, more: Fields::default(), source };
    let item = subscribe_to(&params)?;
    *unknown += params.unknown();
    Ok(item)
}

fn subscribe_to(params: &Params<'_>) -> Result<SubscribeTo, Fault> {
    Ok(SubscribeTo {
        channel: params.channel()?,
        position: params.position("position")?,
        token: params.text("token")?.map(Cow::into_owned),
        history: params.unsigned("history", u32::MAX)?,
    })
}

fn unsubscribe(params: &Params<'_>) -> Result<Vec<ChannelName>, Fault> {
    if params.has("channel") && !params.has("channels") {
        return Ok(vec![params.channel()?]);
    }
    let mut channels = Vec::new();
    for item in channel_list(params)? {
        let name = item?
            .text()
            .ok_or_else(|| bad("`channels` must hold the names of channels".to_owned()))?;
        channels.push(channel(&name)?);
    }
    Ok(channels)
}

/// The items of `channels`: at least one, and not more than are allowed.
fn channel_list<'a>(
    params: &Params<'a>,
) -> Result<impl Iterator<Item = Result<Value<'a>, Fault>>, Fault> {
    let list = params.take("channels");
    let list = params.required("channels", list)?;
    let mut items = list
        .list()
        .ok_or_else(|| bad("`channels` must be a list".to_owned()))?
        .enumerate()
        .map(|(index, item)| match index {
            0..CHANNELS_MAX => Ok(item),
            _ => Err(bad(format!("`channels` has more than {CHANNELS_MAX} items"))),
        })
        .peekable();
    if items.peek().is_none() {
        return Err(bad("`channels` must not be empty".to_owned()));
    }
    Ok(items)
}

fn publish(params: &Params<'_>) -> Result<Publish, Fault> {
    let channel = params.channel()?;
    let event = params.name_up_to("event", EVENT_BYTES_MAX)?.filter(|event| event != NO_EVENT);
    if let Some(event) = event.as_deref().filter(|event| BUILT_IN_TYPES.contains(event)) {
        let message = format!("`event` must not be {event}, which is a built-in type");
        return Err(Fault::new(ErrorCode::ReservedEvent, message));
    }
    Ok(Publish {
        channel,
        event: event.map(|event| params.source.byte_string(event)),
        data: params.data()?.unwrap_or_else(Data::null),
        key: params.name_up_to("key", KEY_BYTES_MAX)?.map(|key| params.source.byte_string(key)),
        echo: params.flag("echo", true)?,
        volatile: params.flag("volatile", false)?,
    })
}

fn history(params: &Params<'_>) -> Result<HistoryQuery, Fault> {
    Ok(HistoryQuery {
        channel: params.channel()?,
        limit: params.unsigned("limit", u32::MAX)?,
        since: params.position("since")?,
        before: params.position("before")?,
        since_time: params.unsigned("sinceTime", u64::MAX)?,
        reverse: params.flag("reverse", false)?,
    })
}
