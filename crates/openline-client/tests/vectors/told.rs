//! What the client gave to whoever waited, in the shape of the message that it came in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openline_client::{
    ChannelEvent, Data, Error, GapReason, History, Member, Publication, Published, StoredFile,
};
use serde_json::{Map, Value, json};

pub(crate) fn published(published: &Published) -> Value {
    let mut told = json!({"level": &*published.level, "timestamp": published.timestamp});
    put(&mut told, "position", published.position.map(|position| position.to_string()));
    put(&mut told, "duplicate", published.duplicate.then_some(true));
    told
}

pub(crate) fn history(history: &History) -> Value {
    let mut told = json!({"more": history.more});
    told["messages"] = history.messages.iter().map(publication).collect();
    put(&mut told, "position", history.position.map(|position| position.to_string()));
    told
}

pub(crate) fn file(file: &StoredFile) -> Value {
    json!({
        "upload": &*file.upload,
        "name": file.name,
        "size": file.size,
        "contentType": file.content_type,
        "sha256": file.sha256,
        "url": file.url,
        "expiresAt": file.expires_at,
    })
}

pub(crate) fn members(members: &[Member]) -> Value {
    let member = |member: &Member| {
        let mut told = json!({"clientId": &*member.client_id});
        put(&mut told, "user", member.user.as_deref());
        put(&mut told, "info", member.info.as_ref().map(data));
        put(&mut told, "status", member.status.as_deref());
        put(&mut told, "data", member.data.as_ref().map(data));
        told
    };
    members.iter().map(member).collect()
}

/// What the server said, if it was the server.
pub(crate) fn failure(error: &Error) -> Value {
    let Error::Server(failure) = error else { return json!({"code": error.code()}) };
    let sentence = &*failure.message;
    let mut told = json!({"code": &*failure.code, "error": sentence, "message": sentence});
    put(&mut told, "retryAfter", failure.retry_after_ms);
    put(&mut told, "upload", failure.upload.as_deref());
    put(&mut told, "offset", failure.offset);
    told
}

pub(crate) fn event(event: &ChannelEvent) -> Value {
    match event {
        ChannelEvent::Publication(message) => publication(message),
        ChannelEvent::Gap { reason, position } => {
            let reason = match reason {
                GapReason::Server(reason) => reason.as_str().to_owned(),
                other => format!("{other:?}"),
            };
            json!({"gap": reason, "position": position.map(|position| position.to_string())})
        }
        ChannelEvent::Recovered { count } => json!({"recovered": count}),
        ChannelEvent::Presence(change) => json!({
            "joined": members(&change.joined),
            "updated": members(&change.updated),
            "left": members(&change.left),
            "count": change.count,
            "complete": change.complete,
        }),
        ChannelEvent::Typing { client_id, user, is_typing } => {
            let mut told = json!({"clientId": &**client_id, "isTyping": is_typing});
            put(&mut told, "user", user.as_deref());
            told
        }
        other => json!(format!("{other:?}")),
    }
}

/// What a call that is answered with this is to give.
pub(crate) fn to_be_given(sent: &Value) -> Value {
    match sent["type"].as_str().unwrap() {
        "error" | "published" => without(sent, &["type", "id"]),
        "setPresence" => Value::Null,
        "presence" => sent["data"]["members"].clone(),
        "history" => {
            let mut page = sent["data"].clone();
            for message in page["messages"].as_array_mut().unwrap() {
                *message = as_publication(message, true);
            }
            page
        }
        _ => sent["data"].clone(),
    }
}

/// A publication as the server sends it, as the client is to give it.
pub(crate) fn as_publication(sent: &Value, replayed: bool) -> Value {
    let mut sent = sent.clone();
    sent["replayed"] = replayed.into();
    if sent["encoding"] == "base64" {
        sent["data"] = json!({"$bytes": sent["data"]});
        sent.as_object_mut().unwrap().remove("encoding");
    }
    sent
}

/// The object without these fields.
pub(crate) fn without(object: &Value, names: &[&str]) -> Value {
    let fields = object.as_object().unwrap().iter();
    let left = fields.filter(|(name, _)| !names.contains(&name.as_str()));
    left.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into()
}

fn publication(message: &Publication) -> Value {
    let mut told = json!({
        "type": message.event.as_deref().unwrap_or("message"),
        "channel": message.channel.as_str(),
        "data": data(&message.data),
        "timestamp": message.timestamp,
        "replayed": message.replayed,
    });
    put(&mut told, "position", message.position.map(|position| position.to_string()));
    if let Some(from) = &message.from {
        told["from"] = json!({"clientId": &*from.client_id});
        put(&mut told["from"], "user", from.user.as_deref());
    }
    told
}

fn data(data: &Data) -> Value {
    match data {
        Data::Json(text) => serde_json::from_str(text).unwrap(),
        Data::Binary(bytes) => json!({"$bytes": STANDARD.encode(bytes)}),
    }
}

fn put(object: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object[name] = value.into();
    }
}
