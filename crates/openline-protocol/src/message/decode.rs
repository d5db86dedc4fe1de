//! What each type of message means.

use bytes::Bytes;
use bytestring::ByteString;

use super::object::{Object, Source, channel, missing};
use super::{
    DecodeError, Failure, HistoryPage, Message, PresenceChange, PresencePage, Published,
    Subscribed, Subscription, UploadOpen, Welcome,
};
use crate::{ErrorCode, Format, Id, Member, Publication, Reason, Recovery, Sender, StoredFile};

/// The type of publications that have no event.
const NO_EVENT: &str = "message";

pub(super) fn decode(format: Format, input: &Bytes) -> Result<Message, DecodeError> {
    let source = Source::read(format, input)?;
    let message = source.object()?;
    let kind = message.required("type")?;
    let id = message.id()?;
    Ok(match &*kind {
        "welcome" => Message::Welcome(welcome(&message)?),
        "auth_success" => Message::AuthSuccess {
            id,
            client_id: message.byte_string("clientId").unwrap_or_default(),
            user: message.byte_string("user"),
            expires_at: message.unsigned("expiresAt"),
        },
        "auth_failed" => Message::AuthFailed {
            id,
            code: message
                .byte_string("code")
                .unwrap_or(ByteString::from_static(ErrorCode::AuthFailed.as_str())),
            reason: message.byte_string("reason").unwrap_or_default(),
        },
        "subscribed" => Message::Subscribed { id, channels: subscribed(&message)? },
        "unsubscribed" => Message::Unsubscribed {
            id,
            channels: message
                .texts("channels")
                .iter()
                .map(|name| channel(name))
                .collect::<Result<_, _>>()?,
            reason: message.byte_string("reason"),
        },
        "published" => Message::Published { id, published: published(&message)? },
        "presence" => presence(&message)?,
        "history" => Message::History { id, channel: message.channel()?, page: history(&message)? },
        "setPresence" => Message::PresenceSet { id },
        "typing" => typing(id, &message)?,
        "pong" => Message::Pong {
            id,
            timestamp: message.unsigned("timestamp").unwrap_or_default(),
            retry_spread_ms: message.unsigned("retrySpread"),
        },
        "close" if id.is_none() && !message.has("channel") => Message::Close {
            code: message
                .unsigned("code")
                .and_then(|code| u16::try_from(code).ok())
                .ok_or_else(|| missing("code", "a close code"))?,
            reason: message.byte_string("reason").unwrap_or_default(),
            retry_after_ms: message.unsigned("retryAfter"),
        },
        "drain" if id.is_none() && !message.has("channel") => Message::Drain {
            closes_in_ms: message.unsigned("closesIn").unwrap_or_default(),
            retry_after_ms: message.unsigned("retryAfter"),
        },
        "unrecovered" => Message::Unrecovered {
            channel: message.channel()?,
            reason: message.required("reason")?,
            position: message.position("position")?,
        },
        "upload" | "chunk" | "complete" | "cancel" => transfer(&kind, id, &message)?,
        "error" => Message::Error { id, failure: failure(&message)? },
        _ if id.is_none() && message.has("channel") => Message::Publication(publication(&message)?),
        _ => Message::Other { id, kind, data: message.data() },
    })
}

fn typing(id: Option<Id>, message: &Object<'_>) -> Result<Message, DecodeError> {
    Ok(match id {
        Some(id) => Message::TypingSent { id },
        None => Message::Typing {
            channel: message.channel()?,
            client_id: message.required("clientId")?,
            user: message.byte_string("user"),
            is_typing: message.flag("isTyping").unwrap_or(true),
        },
    })
}

fn welcome(message: &Object<'_>) -> Result<Welcome, DecodeError> {
    let version = message.unsigned("protocol").unwrap_or(1);
    if version != 1 {
        return Err(DecodeError(format!("the server speaks version {version}")));
    }
    Ok(Welcome {
        client_id: message.required("clientId")?,
        session: message.byte_string("session"),
        authenticated: message.flag("authenticated").unwrap_or(false),
        user: message.byte_string("user"),
        ping_interval_ms: message.unsigned("pingInterval"),
        retry_spread_ms: message.unsigned("retrySpread"),
        expires_at: message.unsigned("expiresAt"),
        channels: subscribed(message)?,
    })
}

fn subscribed(message: &Object<'_>) -> Result<Vec<Subscribed>, DecodeError> {
    let Some(channels) = message.object("data") else { return Ok(Vec::new()) };
    let each = |(name, outcome): (&str, Object<'_>)| {
        let outcome = match outcome.has("code") {
            true => Err(failure(&outcome)?),
            false => Ok(subscription(&outcome)?),
        };
        Ok(Subscribed { channel: channel(name)?, outcome })
    };
    channels.objects().map(each).collect()
}

fn subscription(of: &Object<'_>) -> Result<Subscription, DecodeError> {
    let recovery = match of.flag("recovered") {
        None => Recovery::None,
        Some(true) => Recovery::Recovered,
        // A reason that is not known says as little as the store's.
        Some(false) => Recovery::Unrecovered(
            of.byte_string("reason")
                .and_then(|reason| reason.parse().ok())
                .unwrap_or(Reason::Storage),
        ),
    };
    Ok(Subscription {
        position: of.position("position")?,
        recovery,
        messages: publications(of)?,
        members: of.unsigned("members"),
    })
}

fn publications(of: &Object<'_>) -> Result<Vec<Publication>, DecodeError> {
    of.list("messages").iter().map(publication).collect()
}

fn publication(message: &Object<'_>) -> Result<Publication, DecodeError> {
    let from = message.object("from").and_then(|from| {
        Some(Sender { client_id: from.shared("clientId")?, user: from.shared("user") })
    });
    Ok(Publication {
        channel: message.channel()?,
        event: message.byte_string("type").filter(|event| event != NO_EVENT),
        data: message.data().unwrap_or_else(crate::Data::null),
        position: message.position("position")?,
        prev_tag: 0,
        timestamp: message.unsigned("timestamp").unwrap_or_default(),
        from,
    })
}

fn published(message: &Object<'_>) -> Result<Published, DecodeError> {
    Ok(Published {
        position: message.position("position")?,
        level: message.byte_string("level").unwrap_or_default(),
        timestamp: message.unsigned("timestamp").unwrap_or_default(),
        duplicate: message.flag("duplicate").unwrap_or(false),
    })
}

fn presence(message: &Object<'_>) -> Result<Message, DecodeError> {
    let channel = message.channel()?;
    let data = message.object("data").ok_or_else(|| missing("data", "an object"))?;
    let count = data.unsigned("count").unwrap_or_default();
    Ok(match message.id()? {
        Some(id) => {
            let next = data.byte_string("next");
            let page = PresencePage { members: members(&data, "members")?, count, next };
            Message::Presence { id, channel, page }
        }
        None => {
            let change = PresenceChange {
                joined: members(&data, "joined")?,
                updated: members(&data, "updated")?,
                left: members(&data, "left")?,
                count,
                complete: data.flag("complete").unwrap_or(false),
            };
            Message::PresenceChange { channel, change }
        }
    })
}

fn members(data: &Object<'_>, name: &str) -> Result<Vec<Member>, DecodeError> {
    let member = |member: &Object<'_>| {
        Ok(Member {
            client_id: member.shared("clientId").ok_or_else(|| missing("clientId", "text"))?,
            user: member.shared("user"),
            info: member.raw("info"),
            status: member.shared("status"),
            data: member.data(),
        })
    };
    data.list(name).iter().map(member).collect()
}

fn history(message: &Object<'_>) -> Result<HistoryPage, DecodeError> {
    let data = message.object("data").ok_or_else(|| missing("data", "an object"))?;
    Ok(HistoryPage {
        messages: publications(&data)?,
        position: data.position("position")?,
        more: data.flag("more").unwrap_or(false),
    })
}

fn transfer(kind: &str, id: Option<Id>, message: &Object<'_>) -> Result<Message, DecodeError> {
    Ok(match kind {
        "upload" => Message::UploadOpen { id, open: upload_open(message)? },
        "chunk" => Message::ChunkStored {
            id,
            upload: message.required("upload")?,
            offset: message.unsigned("offset").ok_or_else(|| missing("offset", "a number"))?,
        },
        "complete" => Message::UploadComplete { id, file: stored_file(message)? },
        _ => Message::UploadCancelled { id, upload: message.required("upload")? },
    })
}

fn upload_open(message: &Object<'_>) -> Result<UploadOpen, DecodeError> {
    let data = message.object("data").ok_or_else(|| missing("data", "an object"))?;
    let number = |name| data.unsigned(name).ok_or_else(|| missing(name, "a number"));
    Ok(UploadOpen {
        upload: data.required("upload")?,
        offset: number("offset")?,
        chunk_max: number("chunkMax")?,
        window: number("window")?,
        expires_at: data.unsigned("expiresAt").unwrap_or_default(),
    })
}

fn stored_file(message: &Object<'_>) -> Result<StoredFile, DecodeError> {
    let data = message.object("data").ok_or_else(|| missing("data", "an object"))?;
    let text = |name| data.byte_string(name).unwrap_or_default().to_string();
    Ok(StoredFile {
        upload: data.shared("upload").ok_or_else(|| missing("upload", "text"))?,
        name: text("name"),
        size: data.unsigned("size").unwrap_or_default(),
        content_type: text("contentType"),
        sha256: text("sha256"),
        url: text("url"),
        expires_at: data.unsigned("expiresAt").unwrap_or_default(),
    })
}

fn failure(of: &Object<'_>) -> Result<Failure, DecodeError> {
    Ok(Failure {
        code: of.required("code")?,
        message: of.byte_string("message").or(of.byte_string("error")).unwrap_or_default(),
        retry_after_ms: of.unsigned("retryAfter"),
        upload: of.byte_string("upload"),
        offset: of.unsigned("offset"),
        data: of.data(),
    })
}
