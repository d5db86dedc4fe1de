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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::net::SocketAddr;
    use std::thread;

    use openline_ws::{Connector, Transport, WebSocket};

    use super::*;
    use crate::app::Doors;
    use crate::config::Config;
    use crate::server::{Handle, Server};
    use crate::upgrade::Listening;

    /// A server whose lines of `/ws` have these handlers: they say what Socket.IO's clients say.
    fn serve() -> (SocketAddr, Handle) {
        let mut doors = Doors::default();
        doors.serve_default(handlers());
        let listening = Listening::at(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let config = Config { ephemeral: true, ..Config::default() };
        let threads = crate::app::HandlerThreads::Own(None);
        let server = Server::start(config, listening, doors, threads).unwrap();
        let (address, handle) = (server.local_addr(), server.handle());
        thread::spawn(|| server.run());
        (address, handle)
    }

    struct Line(WebSocket<Transport>);

    impl Line {
        async fn open(address: SocketAddr, path: &str) -> (Self, Value) {
            let url = format!("ws://{address}{path}");
            let mut line = Self(Connector::new().no_proxy().connect(&url).await.unwrap());
            let welcome = line.next_of("welcome").await;
            (line, welcome["clientId"].clone())
        }

        async fn say(&mut self, message: Value) {
            self.0.send(message.to_string()).await.unwrap();
            self.0.flush().await.unwrap();
        }

        async fn next_of(&mut self, kind: &str) -> Value {
            loop {
                let message = self.0.recv().await.unwrap().unwrap();
                let message: Value = serde_json::from_str(message.as_text().unwrap()).unwrap();
                if message["type"] == kind {
                    return message;
                }
            }
        }
    }

    #[tokio::test]
    async fn pages_and_clients_of_socket_io_are_in_the_same_rooms() {
        let (address, handle) = serve();
        let (mut page, page_id) = Line::open(address, "/chat/den").await;
        let (mut socket, id) = Line::open(address, "/ws").await;
        page.next_of("userList").await;

        socket.say(json!({ "type": "join-room", "data": "den" })).await;
        let joined = format!("{} joined den", id.as_str().unwrap());
        for line in [&mut socket, &mut page] {
            assert_eq!(line.next_of("system").await["data"], joined);
        }
        let chat = json!({ "room": "den", "text": "hi" });
        socket.say(json!({ "type": "chat", "id": 1, "data": chat })).await;
        let heard = page.next_of("chat").await;
        assert_eq!((&heard["from"], &heard["text"]), (&id, &json!("hi")));
        assert!(heard["timestamp"].as_u64().unwrap() > 1_600_000_000_000);
        page.say(json!({ "type": "chat", "text": "hello yourself" })).await;
        let mut heard = Vec::new();
        let mut answered = None;
        while heard.len() < 2 || answered.is_none() {
            let came = socket.next_of("chat").await;
            match came.get("id") {
                Some(_) => answered = Some(came["data"].clone()),
                None => heard.push(came["data"].clone()),
            }
        }
        assert_eq!(answered, Some(json!({ "status": "delivered" })));
        assert_eq!(heard[0].as_object().unwrap().len(), 3, "{heard:?}");
        let said = (&heard[1]["from"], &heard[1]["text"]);
        assert_eq!(said, (&page_id, &json!("hello yourself")));
        handle.stop();
    }

    #[tokio::test]
    async fn who_has_not_joined_may_say_something_all_the_same() {
        let (address, handle) = serve();
        let (mut page, _) = Line::open(address, "/chat/den").await;
        page.next_of("userList").await;
        let (mut socket, _) = Line::open(address, "/ws").await;
        let chat = json!({ "room": "den", "text": "from outside" });
        socket.say(json!({ "type": "chat", "id": 1, "data": chat })).await;
        let answer = socket.next_of("chat").await;
        assert_eq!(answer["data"], json!({ "status": "delivered" }));
        assert_eq!(page.next_of("chat").await["text"], "from outside");
        let nowhere = json!({ "room": "", "text": "x" });
        socket.say(json!({ "type": "chat", "id": 2, "data": nowhere })).await;
        assert_eq!(socket.next_of("error").await["code"], "invalid_field");
        handle.stop();
    }
}
