//! Plain JSON: for pages with a vocabulary of their own, `{"type":"chat","text":"hi"}`.
//!
//! `cargo run --example plain -p openline-server`, then in a page
//! `new WebSocket("ws://127.0.0.1:8000/talk/42").send('{"type":"chat","text":"hi"}')`.

use openline_server::app::{Context, Handlers, Refusal, ServerBuilder};
use openline_server::{Config, Server};
use serde::{Deserialize, Serialize};

/// The message's own fields are the data.
#[derive(Deserialize)]
struct Chat {
    text: String,
}

/// What is sent is what is written here, with its `type`.
#[derive(Serialize)]
struct Said<'a> {
    from: &'a str,
    text: &'a str,
}

/// The last segment of the path is the room.
async fn came(cx: Context) -> Result<(), Refusal> {
    cx.join(cx.parameter()).await
}

async fn chat(cx: Context, chat: Chat) -> Result<(), Refusal> {
    let said = Said { from: cx.id(), text: &chat.text };
    cx.to(cx.parameter()).emit("chat", &said).await
}

pub(crate) fn server() -> ServerBuilder {
    let handlers = Handlers::new()
        // Rooms are the channels `talk:…`.
        .rooms("talk")
        .on_connect(came)
        .on("chat", chat)
        .on("shout", async |_cx, chat: Chat| chat.text.to_uppercase());
    Server::builder().plain("/talk/{room}", handlers)
}

#[allow(dead_code, reason = "the tests take the handlers alone")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::default();
    config.ephemeral = true;
    let server = server().bind(config)?;
    println!("listening on ws://{}/talk/42", server.local_addr());
    server.run()?;
    Ok(())
}
