//! The chat as clients of Socket.IO speak it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::NAMESPACE;
use super::history::timestamp;
use super::parameters::{check_room, check_text};
use crate::app::{Context, Handlers, Refusal};

/// Something that is to be said.
#[derive(Debug, Deserialize)]
struct Chat {
    room: String,
    text: String,
}

pub(super) fn handlers() -> Handlers {
    Handlers::new().rooms(NAMESPACE).on("join-room", join_room).on("chat", chat)
}

async fn join_room(cx: Context, room: String) -> Result<(), Refusal> {
    let room = check_room(room)?;
    cx.join(&room).await?;
    let joined = format!("{} joined {room}", cx.id());
    cx.namespace().to(&room).volatile().emit("system", &joined).await
}

async fn chat(cx: Context, Chat { room, text }: Chat) -> Result<Value, Refusal> {
    let (room, text) = (check_room(room)?, check_text(text)?);
    let said = json!({ "from": cx.id(), "text": text, "timestamp": timestamp() });
    cx.namespace().to(&room).emit("chat", &said).await?;
    Ok(json!({ "status": "delivered" }))
}
