//! [`Member`]: a page that is in the chat, and what the others are told of it.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::history::{self, MESSAGES_MAX, timestamp};
use super::rooms::{ANNOUNCED_MAX, Rooms, User};
use crate::app::{Context, Namespace, Refusal, State};

/// A page that is in the chat. The connection carries it from message to message.
#[derive(Debug, Clone)]
pub(super) struct Member {
    number: u64,
    pub(super) user: User,
    pub(super) room: String,
    /// What it had kept.
    pub(super) state: Option<Value>,
}

impl Member {
    /// Somebody comes.
    pub(super) fn new(cx: &Context, rooms: &Rooms, room: String) -> Self {
        let client_id: Arc<str> = cx.id().into();
        let user = User {
            username: format!("guest-{}", client_id.get(..4).unwrap_or_default()),
            client_id,
            status: "online".to_owned(),
            joined_at: timestamp(),
        };
        Self { number: rooms.next_number(), user, room, state: None }
    }

    /// The page whose message this is.
    pub(super) fn of(cx: &Context) -> Result<Self, Refusal> {
        cx.get().ok_or_else(|| Refusal::new("unavailable", "the line is not in the chat"))
    }

    /// Enters its room: it is told what was said and who is there, and hears what comes after.
    pub(super) async fn enter(&self, cx: &Context, rooms: &Rooms) -> Result<(), Refusal> {
        rooms.put(&self.room, self.number, self.user.clone());
        let greet = |publications: &[_]| {
            let history = history::messages(publications, MESSAGES_MAX as usize);
            let told = cx.emit("history", &history);
            told.and_then(|()| cx.emit("userList", &rooms.list(&self.room).user_list()))
        };
        let mut greeted = Ok(());
        cx.join_and(&self.room, MESSAGES_MAX, |publications| greeted = greet(publications)).await?;
        greeted
    }

    /// Leaves its room.
    pub(super) async fn leave(&self, cx: &Context, rooms: &State<Rooms>) -> Result<(), Refusal> {
        cx.leave(&self.room);
        rooms.take(&self.room, self.number);
        let text = format!("User {} left the chat", self.user.username);
        let announced = announce(&cx.namespace(), rooms, &self.room, &text, None).await;
        list_changed(cx, rooms, &self.room);
        announced
    }

    /// Tells the others that it has come.
    pub(super) async fn announce(&self, cx: &Context, rooms: &State<Rooms>) -> Result<(), Refusal> {
        let text = format!("User {} joined the chat", self.user.username);
        let announced = announce(&cx.namespace(), rooms, &self.room, &text, Some(cx.id())).await;
        list_changed(cx, rooms, &self.room);
        announced
    }

    /// It is called otherwise, if it says so.
    pub(super) fn rename(&mut self, cx: &Context, rooms: &State<Rooms>, username: Option<String>) {
        if let Some(username) = username.filter(|name| *name != self.user.username) {
            self.user.username = username;
            self.changed(cx, rooms);
        }
    }

    /// Something about it changed that the others see.
    pub(super) fn changed(&self, cx: &Context, rooms: &State<Rooms>) {
        cx.insert(self.clone());
        rooms.put(&self.room, self.number, self.user.clone());
        list_changed(cx, rooms, &self.room);
    }
}

/// Says who came or went, if the room is small enough for that.
async fn announce(
    everybody: &Namespace,
    rooms: &Rooms,
    room: &str,
    text: &str,
    except: Option<&str>,
) -> Result<(), Refusal> {
    if rooms.count(room) > ANNOUNCED_MAX {
        return Ok(());
    }
    let mut audience = everybody.to(room).volatile();
    if let Some(client) = except {
        audience = audience.except_client(client);
    }
    audience.emit("system", &json!({ "text": text, "message": text })).await
}

/// Has everybody told who is here, soon: many changes make one list.
pub(super) fn list_changed(cx: &Context, rooms: &State<Rooms>, room: &str) {
    let Some(delay) = rooms.list_changed(room) else { return };
    let (everybody, rooms, room) = (cx.namespace(), rooms.0.clone(), room.to_owned());
    cx.spawn(async move {
        tokio::time::sleep(delay).await;
        let Some(list) = rooms.take_list(&room) else { return };
        // Who does not hear this one hears the next.
        let _ = tell(&everybody, &room, "userList", &list.user_list()).await;
        let _ = tell(&everybody, &room, "presence", &list.presence()).await;
    });
}

async fn tell<T: Serialize>(
    everybody: &Namespace,
    room: &str,
    event: &str,
    what: &T,
) -> Result<(), Refusal> {
    everybody.to(room).volatile().emit(event, what).await
}
