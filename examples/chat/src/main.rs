//! A chat for five kinds of clients at once: pages on `@openline/client`, on `socket.io-client` and on
//! a plain `WebSocket`, readers of a stream of events, and `openline connect`. They are in the same
//! rooms, because a room is a channel.
//!
//! ```text
//! cargo run -p chat-example
//! ```

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use openline_server::app::{Context, Goodbye, Handlers, Refusal};
use openline_server::{Config, Server};
use serde::{Deserialize, Serialize};

/// The longest text, in bytes.
const TEXT_BYTES_MAX: usize = 4096;

/// Who somebody is in the chat. The connection carries it.
#[derive(Clone)]
struct Person {
    name: String,
    room: String,
}

#[derive(Deserialize)]
struct Join {
    name: String,
    room: String,
}

#[derive(Serialize)]
struct Joined {
    room: String,
    people: usize,
}

#[derive(Deserialize)]
struct Say {
    text: String,
}

#[derive(Serialize)]
struct Said<'a> {
    from: &'a str,
    text: &'a str,
    timestamp: u128,
}

#[derive(Serialize)]
struct Delivered {
    status: &'static str,
}

#[derive(Deserialize)]
struct Typing {
    #[serde(rename = "isTyping")]
    is_typing: bool,
}

#[derive(Serialize)]
struct Types<'a> {
    user: &'a str,
    #[serde(rename = "isTyping")]
    is_typing: bool,
}

#[derive(Serialize)]
struct System {
    text: String,
}

/// Goes into a room, and out of the one before.
async fn join(cx: Context, join: Join) -> Result<Joined, Refusal> {
    if join.name.trim().is_empty() {
        return Err(Refusal::bad_request("`name` must not be empty"));
    }
    let Join { name, room } = join;
    if let Some(before) = cx.get::<Person>().filter(|before| before.room != room) {
        leave(&cx, &before).await?;
    }
    cx.join(&room).await?;
    cx.to(&room).emit("system", &System { text: format!("{name} joined") }).await?;
    cx.insert(Person { name, room: room.clone() });
    let people = cx.namespace().to(&room).ids()?.len();
    Ok(Joined { room, people })
}

async fn say(cx: Context, Say { text }: Say) -> Result<Delivered, Refusal> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Refusal::bad_request(format!("`text` has at most {TEXT_BYTES_MAX} bytes")));
    }
    let Person { name, room } = person(&cx)?;
    let timestamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let said = Said { from: &name, text: &text, timestamp };
    cx.namespace().to(&room).emit("chat", &said).await?;
    Ok(Delivered { status: "delivered" })
}

async fn types(cx: Context, Typing { is_typing }: Typing) -> Result<(), Refusal> {
    let Person { name, room } = person(&cx)?;
    cx.to(&room).volatile().emit("types", &Types { user: &name, is_typing }).await
}

async fn gone(cx: Context, _why: Goodbye) -> Result<(), Refusal> {
    match cx.get::<Person>() {
        Some(person) => leave(&cx, &person).await,
        None => Ok(()),
    }
}

async fn leave(cx: &Context, Person { name, room }: &Person) -> Result<(), Refusal> {
    cx.leave(room);
    cx.to(room).emit("system", &System { text: format!("{name} left") }).await
}

fn person(cx: &Context) -> Result<Person, Refusal> {
    cx.get().ok_or_else(|| Refusal::new("not_joined", "join a room first: send `join`"))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let chat = Handlers::new()
        .on("join", join)
        .on("chat", say)
        .on("types", types)
        .on_disconnect(gone)
        .rooms("chat");
    let pages = Router::new()
        .route("/", get(Html(include_str!("../pages/index.html"))))
        .route("/openline", get(Html(include_str!("../pages/openline.html"))))
        .route("/socketio", get(Html(include_str!("../pages/socketio.html"))))
        .route("/plain", get(Html(include_str!("../pages/plain.html"))))
        .route("/events", get(Html(include_str!("../pages/events.html"))));
    let listen: SocketAddr =
        std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:8000").parse()?;
    let mut config = Config::default();
    config.listen = listen;
    config.demo = false;
    let server =
        Server::builder().handlers(chat.clone()).plain("/chat", chat).routes(pages).bind(config)?;
    println!("listening on http://{}", server.local_addr());
    server.run()?;
    Ok(())
}
