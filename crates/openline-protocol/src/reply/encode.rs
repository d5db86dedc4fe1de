//! How each message is written.

use std::sync::Arc;

use super::{Joined, Member, Recovery, Reply, SubscribedTo};
use crate::writer::{Message, Writer};
use crate::{Data, Fault, Id, Position, Publication};

/// The version that `welcome` names.
const PROTOCOL_VERSION: u64 = 1;

impl Message for Reply<'_> {
    fn write(&self, w: &mut impl Writer) {
        w.open_map();
        w.text_field("type", self.kind());
        w.id_field(self.id());
        match self {
            Self::Welcome { .. } | Self::AuthSuccess { .. } | Self::AuthFailed { .. } => {
                self.write_session(w);
            }
            Self::Subscribed { channels, .. } => write_subscribed(w, channels),
            Self::Unsubscribed { channels, reason, .. } => {
                w.key("channels");
                w.list(channels, |w, channel| w.text(channel.as_str()));
                optional_text(w, "reason", *reason);
            }
            Self::Published { position, duplicate, level, timestamp, .. } => {
                optional_position(w, *position);
                w.text_field("level", level);
                w.unsigned_field("timestamp", *timestamp);
                if *duplicate {
                    w.flag_field("duplicate", true);
                }
            }
            Self::Presence { .. } | Self::PresenceChange { .. } => self.write_presence(w),
            Self::History { channel, messages, position, more, .. } => {
                w.text_field("channel", channel.as_str());
                w.key("data");
                w.open_map();
                write_messages(w, messages);
                optional_position(w, *position);
                w.flag_field("more", *more);
                w.close_map();
            }
            Self::PresenceSet { .. } | Self::TypingSent { .. } => {}
            Self::Typing { channel, client_id, user, is_typing } => {
                w.text_field("channel", channel.as_str());
                w.text_field("clientId", client_id);
                optional_text(w, "user", *user);
                w.flag_field("isTyping", *is_typing);
            }
            Self::Pong { timestamp, retry_spread_ms, .. } => {
                w.unsigned_field("timestamp", *timestamp);
                w.unsigned_field("retrySpread", *retry_spread_ms);
            }
            Self::Close { .. } | Self::Drain { .. } => self.write_ending(w),
            Self::Answer { data, .. } => w.data_field("data", data),
            Self::Unrecovered { channel, reason, position } => {
                w.text_field("channel", channel.as_str());
                w.text_field("reason", reason.as_str());
                optional_position(w, *position);
            }
            Self::UploadOpen { .. }
            | Self::ChunkStored { .. }
            | Self::UploadComplete { .. }
            | Self::UploadCancelled { .. } => self.write_transfer(w),
            Self::Refused { code, message, retry_after_ms, data, .. } => {
                write_refusal(w, code, message, *retry_after_ms);
                if let Some(data) = data {
                    w.data_field("data", data);
                }
            }
            Self::Error(fault) => write_fault(w, fault),
        }
        w.close_map();
    }
}

impl Reply<'_> {
    /// The `type` of the message.
    fn kind(&self) -> &str {
        match self {
            Self::Welcome { .. } => "welcome",
            Self::AuthSuccess { .. } => "auth_success",
            Self::AuthFailed { .. } => "auth_failed",
            Self::Subscribed { .. } => "subscribed",
            Self::Unsubscribed { .. } => "unsubscribed",
            Self::Published { .. } => "published",
            Self::Presence { .. } | Self::PresenceChange { .. } => "presence",
            Self::History { .. } => "history",
            Self::PresenceSet { .. } => "setPresence",
            Self::TypingSent { .. } | Self::Typing { .. } => "typing",
            Self::Pong { .. } => "pong",
            Self::Close { .. } => "close",
            Self::Drain { .. } => "drain",
            Self::Answer { kind, .. } => kind,
            Self::Unrecovered { .. } => "unrecovered",
            Self::UploadOpen { .. } => "upload",
            Self::ChunkStored { .. } => "chunk",
            Self::UploadComplete { .. } => "complete",
            Self::UploadCancelled { .. } => "cancel",
            Self::Refused { .. } | Self::Error(_) => "error",
        }
    }

    /// The id of the request that it answers.
    fn id(&self) -> Option<&Id> {
        match self {
            Self::AuthSuccess { id, .. }
            | Self::AuthFailed { id, .. }
            | Self::Subscribed { id, .. }
            | Self::Unsubscribed { id, .. }
            | Self::Refused { id, .. }
            | Self::Published { id, .. }
            | Self::Presence { id, .. }
            | Self::History { id, .. }
            | Self::PresenceSet { id }
            | Self::TypingSent { id }
            | Self::Pong { id, .. }
            | Self::UploadOpen { id, .. }
            | Self::ChunkStored { id, .. }
            | Self::UploadComplete { id, .. }
            | Self::UploadCancelled { id, .. }
            | Self::Answer { id, .. } => *id,
            Self::Error(fault) => fault.id.as_ref(),
            Self::Welcome { .. }
            | Self::Close { .. }
            | Self::Drain { .. }
            | Self::PresenceChange { .. }
            | Self::Typing { .. }
            | Self::Unrecovered { .. } => None,
        }
    }

    fn write_session(&self, w: &mut impl Writer) {
        match self {
            Self::Welcome {
                client_id,
                session,
                authenticated,
                user,
                channels,
                ping_interval_ms,
                retry_spread_ms,
                expires_at,
            } => {
                w.unsigned_field("protocol", PROTOCOL_VERSION);
                w.text_field("clientId", client_id);
                optional_text(w, "session", *session);
                w.flag_field("authenticated", *authenticated);
                optional_text(w, "user", *user);
                w.unsigned_field("pingInterval", *ping_interval_ms);
                w.unsigned_field("retrySpread", *retry_spread_ms);
                optional_unsigned(w, "expiresAt", *expires_at);
                write_subscribed(w, channels);
            }
            Self::AuthSuccess { client_id, user, expires_at, .. } => {
                w.text_field("clientId", client_id);
                optional_text(w, "user", *user);
                optional_unsigned(w, "expiresAt", *expires_at);
            }
            Self::AuthFailed { reason, code, .. } => {
                w.text_field("code", code.as_str());
                w.text_field("reason", reason);
                w.text_field("error", reason);
                w.text_field("message", reason);
            }
            _ => {}
        }
    }

    fn write_ending(&self, w: &mut impl Writer) {
        match self {
            Self::Close { code, reason, retry_after_ms } => {
                w.unsigned_field("code", u64::from(*code));
                w.text_field("reason", reason);
                optional_unsigned(w, "retryAfter", *retry_after_ms);
            }
            Self::Drain { closes_in_ms, retry_after_ms } => {
                w.unsigned_field("closesIn", *closes_in_ms);
                w.unsigned_field("retryAfter", *retry_after_ms);
            }
            _ => {}
        }
    }

    fn write_transfer(&self, w: &mut impl Writer) {
        match self {
            Self::UploadOpen { upload, offset, chunk_max, window, expires_at, .. } => {
                w.key("data");
                w.open_map();
                w.text_field("upload", upload);
                w.unsigned_field("offset", *offset);
                w.unsigned_field("chunkMax", *chunk_max);
                w.unsigned_field("window", *window);
                w.unsigned_field("expiresAt", *expires_at);
                w.close_map();
            }
            Self::ChunkStored { upload, offset, .. } => {
                w.text_field("upload", upload);
                w.unsigned_field("offset", *offset);
            }
            Self::UploadComplete { file, .. } => {
                w.key("data");
                w.open_map();
                w.text_field("upload", &file.upload);
                w.text_field("name", &file.name);
                w.unsigned_field("size", file.size);
                w.text_field("contentType", &file.content_type);
                w.text_field("sha256", &file.sha256);
                w.text_field("url", &file.url);
                w.unsigned_field("expiresAt", file.expires_at);
                w.close_map();
            }
            Self::UploadCancelled { upload, .. } => w.text_field("upload", upload),
            _ => {}
        }
    }

    fn write_presence(&self, w: &mut impl Writer) {
        match self {
            Self::Presence { channel, members, count, next, .. } => {
                w.text_field("channel", channel.as_str());
                w.key("data");
                w.open_map();
                write_members(w, "members", members);
                w.unsigned_field("count", *count);
                optional_text(w, "next", *next);
                w.close_map();
            }
            Self::PresenceChange { channel, joined, updated, left, count, complete } => {
                w.text_field("channel", channel.as_str());
                w.key("data");
                w.open_map();
                write_members(w, "joined", joined);
                write_members(w, "updated", updated);
                write_members(w, "left", left);
                w.unsigned_field("count", *count);
                w.flag_field("complete", *complete);
                w.close_map();
            }
            _ => {}
        }
    }
}

/// `channels` names those that were subscribed to, `data` says what came of each that was asked for.
fn write_subscribed(w: &mut impl Writer, channels: &[SubscribedTo]) {
    w.key("channels");
    w.open_list();
    for subscribed in channels.iter().filter(|subscribed| subscribed.outcome.is_ok()) {
        w.text(subscribed.channel.as_str());
    }
    w.close_list();
    w.key("data");
    w.open_map();
    for SubscribedTo { channel, outcome } in channels {
        w.key(channel.as_str());
        w.open_map();
        match outcome {
            Ok(joined) => write_joined(w, joined),
            Err(fault) => write_fault(w, fault),
        }
        w.close_map();
    }
    w.close_map();
}

fn write_joined(w: &mut impl Writer, joined: &Joined) {
    optional_position(w, joined.position);
    match joined.recovery {
        Recovery::None => {}
        Recovery::Recovered => w.flag_field("recovered", true),
        Recovery::Unrecovered(reason) => {
            w.flag_field("recovered", false);
            w.text_field("reason", reason.as_str());
        }
    }
    if joined.recovery != Recovery::None || !joined.messages.is_empty() {
        write_messages(w, &joined.messages);
    }
    optional_unsigned(w, "members", joined.members);
}

fn write_messages(w: &mut impl Writer, messages: &[Arc<Publication>]) {
    w.key("messages");
    w.list(messages, |w, message| message.write(w));
}

fn write_members(w: &mut impl Writer, key: &str, members: &[Member]) {
    w.key(key);
    w.list(members, |w, member| {
        w.open_map();
        w.text_field("clientId", &member.client_id);
        optional_text(w, "user", member.user.as_deref());
        // From a token, which has no bytes.
        if let Some(Data::Json(info)) = &member.info {
            w.key("info");
            w.json(info);
        }
        optional_text(w, "status", member.status.as_deref());
        if let Some(data) = &member.data {
            w.data_field("data", data);
        }
        w.close_map();
    });
}

/// `error` and `message` are the same sentence, because there are clients that read either.
fn write_fault(w: &mut impl Writer, fault: &Fault) {
    write_refusal(w, fault.code.as_str(), &fault.message, fault.retry_after_ms);
    if let Some(transfer) = &fault.transfer {
        w.text_field("upload", &transfer.upload);
        optional_unsigned(w, "offset", transfer.offset);
    }
}

fn write_refusal(w: &mut impl Writer, code: &str, message: &str, retry_after_ms: Option<u64>) {
    w.text_field("code", code);
    w.text_field("error", message);
    w.text_field("message", message);
    optional_unsigned(w, "retryAfter", retry_after_ms);
}

fn optional_text(w: &mut impl Writer, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        w.text_field(key, text);
    }
}

fn optional_unsigned(w: &mut impl Writer, key: &str, number: Option<u64>) {
    if let Some(number) = number {
        w.unsigned_field(key, number);
    }
}

fn optional_position(w: &mut impl Writer, position: Option<Position>) {
    if let Some(position) = position {
        w.position_field("position", position);
    }
}
