//! How each message of a client is written.

use super::{
    Chunk, Command, Complete, HistoryQuery, NewFile, Publish, Request, SubscribeTo, Upload,
};
use crate::writer::{Message, Writer};
use crate::{ChannelName, Data, Format};

impl Request {
    /// Appends the message to `out`. [`parse_request`](crate::parse_request) gives the same request back.
    pub fn encode(&self, format: Format, out: &mut Vec<u8>) {
        self.encode_to(format, out);
    }
}

impl Command {
    /// The `type` of its message.
    pub fn kind(&self) -> &str {
        match self {
            Self::Auth { .. } => "auth",
            Self::Subscribe { .. } => "subscribe",
            Self::Unsubscribe { .. } => "unsubscribe",
            Self::Publish(_) => "publish",
            Self::Presence { .. } => "presence",
            Self::History(_) => "history",
            Self::SetPresence { .. } => "setPresence",
            Self::Typing { .. } => "typing",
            Self::Ping => "ping",
            Self::Upload(_) => "upload",
            Self::Chunk(_) => "chunk",
            Self::Complete(_) => "complete",
            Self::Cancel { .. } => "cancel",
            Self::Other { kind, .. } => kind,
        }
    }
}

impl Message for Request {
    fn write(&self, w: &mut impl Writer) {
        w.open_map();
        w.text_field("type", self.command.kind());
        w.id_field(self.id.as_ref());
        match &self.command {
            Command::Auth { token } => w.text_field("token", token),
            Command::Subscribe { channels } => {
                w.key("channels");
                w.list(channels, write_subscribe_to);
            }
            Command::Unsubscribe { channels } => {
                w.key("channels");
                w.list(channels, |w, channel| w.text(channel.as_str()));
            }
            Command::Publish(publish) => write_publish(w, publish),
            Command::Presence { channel, after, limit } => {
                w.text_field("channel", channel.as_str());
                if let Some(after) = after {
                    w.text_field("after", after);
                }
                if let Some(limit) = limit {
                    w.unsigned_field("limit", u64::from(*limit));
                }
            }
            Command::History(query) => write_history(w, query),
            Command::SetPresence { channel, status, data } => {
                write_set_presence(w, channel.as_ref(), status.as_deref(), data.as_ref());
            }
            Command::Typing { channel, is_typing } => {
                w.text_field("channel", channel.as_str());
                w.flag_field("isTyping", *is_typing);
            }
            Command::Ping => {}
            Command::Upload(upload) => write_upload(w, upload),
            Command::Chunk(Chunk { upload, offset, data }) => {
                w.text_field("upload", upload);
                w.unsigned_field("offset", *offset);
                w.data_field("data", &Data::Binary(data.clone()));
            }
            Command::Complete(Complete { upload, sha256 }) => {
                w.text_field("upload", upload);
                if let Some(sum) = sha256 {
                    let digits: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
                    w.text_field("sha256", &digits);
                }
            }
            Command::Cancel { upload } => w.text_field("upload", upload),
            Command::Other { data, .. } => {
                if let Some(data) = data {
                    w.data_field("data", data);
                }
            }
        }
        w.close_map();
    }
}

fn write_upload(w: &mut impl Writer, upload: &Upload) {
    let NewFile { name, size, content_type, key } = match upload {
        Upload::Resume(upload) => return w.text_field("upload", upload),
        Upload::Begin(file) => file,
    };
    w.text_field("name", name);
    if let Some(size) = size {
        w.unsigned_field("size", *size);
    }
    if let Some(kind) = content_type {
        w.text_field("contentType", kind);
    }
    if let Some(key) = key {
        w.text_field("key", key);
    }
}

fn write_subscribe_to<W: Writer>(w: &mut W, to: &SubscribeTo) {
    w.open_map();
    w.text_field("channel", to.channel.as_str());
    if let Some(position) = to.position {
        w.position_field("position", position);
    }
    if let Some(token) = &to.token {
        w.text_field("token", token);
    }
    if let Some(history) = to.history {
        w.unsigned_field("history", u64::from(history));
    }
    w.close_map();
}

fn write_publish(w: &mut impl Writer, publish: &Publish) {
    w.text_field("channel", publish.channel.as_str());
    if let Some(event) = &publish.event {
        w.text_field("event", event);
    }
    w.data_field("data", &publish.data);
    if let Some(key) = &publish.key {
        w.text_field("key", key);
    }
    if !publish.echo {
        w.flag_field("echo", false);
    }
    if publish.volatile {
        w.flag_field("volatile", true);
    }
}

fn write_history(w: &mut impl Writer, query: &HistoryQuery) {
    w.text_field("channel", query.channel.as_str());
    if let Some(limit) = query.limit {
        w.unsigned_field("limit", u64::from(limit));
    }
    if let Some(since) = query.since {
        w.position_field("since", since);
    }
    if let Some(before) = query.before {
        w.position_field("before", before);
    }
    if let Some(time) = query.since_time {
        w.unsigned_field("sinceTime", time);
    }
    if query.reverse {
        w.flag_field("reverse", true);
    }
}

fn write_set_presence(
    w: &mut impl Writer,
    channel: Option<&ChannelName>,
    status: Option<&str>,
    data: Option<&Data>,
) {
    // With nothing beside it, an object in `data` that looks like parameters would be taken for them.
    let alone =
        channel.is_none() && status.is_none() && data.is_some_and(|data| *data != Data::null());
    if alone {
        w.key("data");
        w.open_map();
    }
    if let Some(channel) = channel {
        w.text_field("channel", channel.as_str());
    }
    if let Some(status) = status {
        w.text_field("status", status);
    }
    if let Some(data) = data {
        w.data_field("data", data);
    }
    if alone {
        w.close_map();
    }
}
