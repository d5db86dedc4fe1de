//! The chat as pages speak it: docs/chat.md.

use serde::Serialize;
use serde_json::{Value, json};

use super::NAMESPACE;
use super::history::{self, MESSAGES_MAX, timestamp};
use super::member::Member;
use super::parameters::{Parameters, check_room};
use super::rooms::Rooms;
use crate::app::{Ack, Context, Goodbye, Handlers, Payload, Refusal, State};

/// The room of those who name none.
const ROOM: &str = "general";

type Message = (State<Rooms>, Parameters);

pub(super) fn handlers() -> Handlers {
    Handlers::new()
        .rooms(NAMESPACE)
        .state(Rooms::default())
        .one_at_a_time()
        .write_errors(error)
        .on_connect(connect)
        .on_disconnect(disconnect)
        .on("join", join)
        .on("chat", chat)
        .on("typing", typing)
        .on("setPresence", set_presence)
        .on("saveState", save_state)
        .on("ping", ping)
        .on("getHistory", history)
        .on("getUserInfo", user_info)
        .fallback(unknown)
}

async fn connect(cx: Context) -> Result<(), Refusal> {
    let rooms = rooms(&cx)?;
    let room = match cx.parameter() {
        "" => ROOM.to_owned(),
        room => check_room(room.to_owned())?,
    };
    let member = Member::new(&cx, &rooms, room);
    let message = format!("Welcome to {}, {}", member.room, member.user.username);
    cx.emit("welcome", &json!({ "clientId": cx.id(), "message": message }))?;
    cx.insert(member.clone());
    member.enter(&cx, &rooms).await?;
    super::member::list_changed(&cx, &rooms, &member.room);
    Ok(())
}

async fn disconnect(cx: Context, _: Goodbye) -> Result<(), Refusal> {
    Member::of(&cx)?.leave(&cx, &rooms(&cx)?).await
}

async fn join(cx: Context, (rooms, message): Message) -> Result<(), Refusal> {
    let (username, room) = (message.username()?, message.room()?);
    let mut member = Member::of(&cx)?;
    match room.filter(|name| *name != member.room) {
        None => member.rename(&cx, &rooms, username),
        Some(room) => {
            let before = member.clone();
            member.room = room;
            member.user.username = username.unwrap_or(member.user.username);
            // Should the client go meanwhile, this is where it is.
            cx.insert(member.clone());
            before.leave(&cx, &rooms).await?;
            member.enter(&cx, &rooms).await?;
        }
    }
    member.announce(&cx, &rooms).await
}

async fn chat(cx: Context, (rooms, message): Message) -> Result<(), Refusal> {
    let (text, username, echo) = (message.said()?, message.username()?, message.echo()?);
    let mut member = Member::of(&cx)?;
    member.rename(&cx, &rooms, username);
    let said = json!({
        "from": cx.id(),
        "username": member.user.username,
        "sender": member.user.username,
        "text": text,
        "timestamp": timestamp(),
    });
    let audience = match echo {
        true => cx.namespace().to(&member.room),
        false => cx.to(&member.room),
    };
    audience.emit("chat", &said).await
}

async fn typing(cx: Context, message: Parameters) -> Result<(), Refusal> {
    let is_typing = message.is_typing()?;
    let member = Member::of(&cx)?;
    let typing = json!({ "user": member.user.username, "isTyping": is_typing });
    cx.to(&member.room).emit("typing", &typing).await
}

async fn set_presence(cx: Context, (rooms, message): Message) -> Result<(), Refusal> {
    let mut member = Member::of(&cx)?;
    member.user.status = message.status()?;
    member.changed(&cx, &rooms);
    Ok(())
}

async fn save_state(cx: Context, message: Parameters) -> Result<impl Serialize, Refusal> {
    let mut member = Member::of(&cx)?;
    member.state = Some(message.state()?);
    cx.insert(member);
    Ok(json!({ "saved": true }))
}

async fn ping(cx: Context, ack: Ack) -> Result<Payload, Refusal> {
    answer(&cx, &ack, "pong", &json!({ "timestamp": timestamp() }))
}

async fn history(cx: Context, (ack, message): (Ack, Parameters)) -> Result<Payload, Refusal> {
    let room = match message.room()? {
        Some(room) => room,
        None => Member::of(&cx)?.room,
    };
    let limit = message.limit()?.unwrap_or(usize::MAX);
    let publications = cx.namespace().history(&room, MESSAGES_MAX).await?;
    answer(&cx, &ack, "getHistory", &history::messages(&publications, limit))
}

/// Of itself a page also hears what it had kept.
async fn user_info(
    cx: Context,
    (rooms, ack, message): (State<Rooms>, Ack, Parameters),
) -> Result<Payload, Refusal> {
    let (member, wanted) = (Member::of(&cx)?, message.user_id()?);
    let user = rooms.find(&member.room, &wanted).ok_or_else(|| {
        Refusal::new("unknown_user", format!("Nobody in this room is {wanted:?}."))
    })?;
    let mut info = user.json();
    info["room"] = json!(member.room);
    if let Some(state) = member.state.filter(|_| *user.client_id == *cx.id()) {
        info["state"] = state;
    }
    answer(&cx, &ack, "getUserInfo", &info)
}

async fn unknown(cx: Context, _: Payload) -> Result<(), Refusal> {
    let kind: String = cx.event().chars().take(64).collect();
    let known = "join, chat, typing, setPresence, saveState, ping, getHistory, getUserInfo";
    Err(Refusal::new("unknown_type", format!("{kind:?} is not one of {known}.")))
}

/// Answers, whether the request had an id or not.
fn answer<T: Serialize>(
    cx: &Context,
    ack: &Ack,
    event: &str,
    value: &T,
) -> Result<Payload, Refusal> {
    let payload = Payload::new(value)?;
    if !ack.is_wanted() {
        cx.emit_payload(event, &payload);
    }
    Ok(payload.answering_as(event))
}

/// `text`, `message` and `error` are the same sentence, because there are pages that read either.
fn error(refusal: &Refusal) -> Value {
    let text = match refusal.code() {
        "invalid_json" => "Invalid JSON",
        "unknown_type" => "Unknown message type",
        "missing_field" => "Missing field",
        "invalid_field" => "Invalid field",
        "unknown_user" => "Unknown user",
        "unsupported_data" => "Unsupported data",
        _ => refusal.message(),
    };
    json!({
        "code": refusal.code(),
        "detail": refusal.message(),
        "text": text,
        "message": text,
        "error": text,
    })
}

fn rooms(cx: &Context) -> Result<State<Rooms>, Refusal> {
    cx.state().map(State).ok_or_else(|| Refusal::new("unavailable", "there is no chat here"))
}
