//! A line in the chat.

use std::sync::Arc;

use openline_ws::{
    CloseCode, CloseReason, Message, QueueOptions, Reader, Sender, SlowConsumer, WebSocket,
};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use super::command::{Command, Refusal, Request};
use super::reply;
use super::room::{Room, User};
use crate::connection::catch_panic;
use crate::node::Node;
use crate::shard::Shard;

/// What may wait for a line that does not keep up, or that asks without reading the answers: the
/// longest history and list, and some more.
const QUEUE_BYTES_MAX: usize = 4 << 20;
/// The close code of a line that does not keep up; see docs/errors.md.
const SLOW_CONSUMER: CloseCode = CloseCode(4006);

struct Member {
    number: u64,
    user: User,
    room: Arc<Room>,
    /// What it had kept, as JSON.
    state: Option<Box<str>>,
    line: Sender,
    shard: Arc<Shard>,
    node: Arc<Node>,
}

/// Serves a line until it closes.
pub(crate) async fn serve<S>(ws: WebSocket<S>, room: Arc<str>, shard: Arc<Shard>, node: Arc<Node>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let slow_consumer = SlowConsumer::Close(CloseReason::new(SLOW_CONSUMER, "slow consumer"));
    let (mut reader, line) =
        ws.split_with(QueueOptions { bytes_max: QUEUE_BYTES_MAX, slow_consumer });
    let mut member = Member::enter(&room, line, shard, node);
    if catch_panic(member.converse(&mut reader)).await.is_err() {
        let _ = member.line.close(CloseCode::INTERNAL_ERROR, "internal error");
        while let Ok(Some(_)) = reader.recv().await {}
    }
    member.leave().await;
}

impl Member {
    fn enter(room: &str, line: Sender, shard: Arc<Shard>, node: Arc<Node>) -> Self {
        let client_id: Arc<str> = format!("{:016x}", rand::random::<u64>()).into();
        let user = User {
            username: format!("guest-{}", &client_id[..4]),
            client_id,
            status: "online".to_owned(),
            joined_at: reply::timestamp(),
        };
        let number = node.rooms.next_number();
        let room = node.rooms.enter(room, number, user.clone());
        Self { number, user, room, state: None, line, shard, node }
    }

    async fn converse<S>(&mut self, reader: &mut Reader<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let welcome = json!({
            "clientId": self.user.client_id,
            "message": format!("Welcome to {}, {}", self.room.name, self.user.username),
        });
        self.tell(reply::message("welcome", None, &welcome));
        self.room.subscribe(&self.shard, self.number, &self.line).await;
        self.room.list_changed();
        // An error has been told to the peer and is the line's end, as a close is.
        while let Ok(Some(message)) = reader.recv().await {
            let request = match &message {
                Message::Text(text) => Request::parse(text),
                Message::Binary(_) => Err(Refusal {
                    id: None,
                    code: "unsupported_data",
                    text: "Unsupported data",
                    detail: "A message is JSON in a text frame.".to_owned(),
                }),
            };
            match request {
                Ok(request) => self.handle(request).await,
                Err(refusal) => self.tell(reply::error(&refusal)),
            }
            // One read brings thousands of short requests, and the thread has other lines.
            tokio::task::consume_budget().await;
        }
    }

    async fn handle(&mut self, request: Request) {
        let id = request.id.as_ref();
        match request.command {
            Command::Join { username, room } => self.join(username, room).await,
            Command::Chat { text, username, echo } => {
                self.rename(username);
                let except = (!echo).then_some(self.number);
                self.room.say(&self.user, text, except).await;
            }
            Command::Typing { is_typing } => {
                let typing = json!({ "user": self.user.username, "isTyping": is_typing });
                let typing = reply::message("typing", None, &typing);
                self.room.publish(typing, Some(self.number)).await;
            }
            Command::SetPresence { status } => {
                self.user.status.clone_from(&status);
                self.room.update(self.number, |user| user.status = status);
                self.room.list_changed();
            }
            Command::SaveState { data } => {
                self.state = Some(data.into());
                if id.is_some() {
                    self.tell(reply::message("saveState", id, &json!({ "saved": true })));
                }
            }
            Command::Ping => {
                let pong = json!({ "timestamp": reply::timestamp() });
                self.tell(reply::message("pong", id, &pong));
            }
            Command::History { room, limit } => {
                let history = match room {
                    None => self.room.history(limit).await,
                    Some(name) => match self.node.rooms.find(&name) {
                        Some(room) => room.history(limit).await,
                        None => json!({ "messages": [] }),
                    },
                };
                self.tell(reply::message("getHistory", id, &history));
            }
            Command::UserInfo { user_id } => self.user_info(&user_id, request.id),
        }
    }

    async fn join(&mut self, username: Option<String>, room: Option<String>) {
        if let Some(name) = room.filter(|name| **name != *self.room.name) {
            self.leave().await;
            self.rename(username);
            self.room = self.node.rooms.enter(&name, self.number, self.user.clone());
            self.room.subscribe(&self.shard, self.number, &self.line).await;
        } else {
            self.rename(username);
        }
        let text = format!("User {} joined the chat", self.user.username);
        self.room.announce(&text, Some(self.number)).await;
        self.room.list_changed();
    }

    fn rename(&mut self, username: Option<String>) {
        let Some(username) = username.filter(|name| *name != self.user.username) else { return };
        self.user.username.clone_from(&username);
        self.room.update(self.number, |user| user.username = username);
        self.room.list_changed();
    }

    /// Of itself a line also hears what it had kept.
    fn user_info(&self, user_id: &str, id: Option<Value>) {
        let Some(user) = self.room.find_user(user_id) else {
            let detail = format!("Nobody in this room is {user_id:?}.");
            let refusal = Refusal { id, code: "unknown_user", text: "Unknown user", detail };
            self.tell(reply::error(&refusal));
            return;
        };
        let mut info = user.json();
        info["room"] = json!(*self.room.name);
        if let Some(state) = self.state.as_deref().filter(|_| user.client_id == self.user.client_id)
        {
            info["state"] = serde_json::from_str(state).unwrap_or_default();
        }
        self.tell(reply::message("getUserInfo", id.as_ref(), &info));
    }

    /// Leaves the present room.
    async fn leave(&self) {
        self.shard.members.leave(self.room.id, self.number);
        self.node.rooms.exit(&self.room, self.number);
        let text = format!("User {} left the chat", self.user.username);
        self.room.announce(&text, None).await;
        self.room.list_changed();
    }

    /// Queues a message for this line alone.
    ///
    /// Without waiting for room: this task is also the one that writes, and would wait for itself. A
    /// line is not read from while 64 KiB wait for it, so only one that asks for megabytes at a time
    /// is closed by its queue.
    fn tell(&self, message: String) {
        // A line that is closed is found by the next receive.
        let _ = self.line.try_send(message);
    }
}
