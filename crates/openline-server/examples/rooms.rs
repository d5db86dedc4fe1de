//! Rooms: joining and leaving, and whom something is for.
//!
//! `cargo run --example rooms -p openline-server`, then in another terminal
//! `openline connect ws://127.0.0.1:8000/ws`, and type `{"type":"join","id":1,"data":"lobby"}`.

use openline_server::app::{Context, Handlers, Refusal};
use openline_server::{Config, Server};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
struct Chat {
    room: String,
    text: String,
}

/// Puts the client into the room, and shows it what was said there last before it hears the rest.
async fn join(cx: Context, room: String) -> Result<usize, Refusal> {
    let (mut before, client) = (0, cx.clone());
    cx.join_and(&room, 10, |publications| before = publications.len()).await?;
    // The others, without this client.
    client.to(&room).emit("joined", client.id()).await?;
    Ok(before)
}

pub(crate) fn handlers() -> Handlers {
    Handlers::new()
        .on("join", join)
        .on("leave", async |cx: Context, room: String| cx.leave(&room))
        .on("rooms", async |cx: Context, ()| cx.rooms())
        // Everybody in the room, the sender too. One room is a channel: this is kept in its history.
        .on("chat", async |cx: Context, chat: Chat| {
            cx.namespace().to(&chat.room).emit("chat", &chat).await
        })
        // Two rooms as one: who is in both hears it once. Who is away misses it.
        .on("both", async |cx: Context, (a, b, text): (String, String, String)| {
            cx.to(&a).to(&b).emit("note", &text).await
        })
        .on("without", async |cx: Context, (room, quiet, text): (String, String, String)| {
            cx.to(&room).except(&quiet).emit("note", &text).await
        })
        // Everybody but the sender, in rooms or not.
        .on("shout", async |cx: Context, text: String| cx.broadcast().emit("note", &text).await)
        // Not kept, and dropped for a client that is behind: the next one follows soon.
        .on("cursor", async |cx: Context, (room, x, y): (String, i32, i32)| {
            cx.to(&room).volatile().emit("cursor", &(x, y)).await
        })
}

#[allow(dead_code, reason = "the tests take the handlers alone")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::default();
    config.ephemeral = true;
    let server = Server::builder().handlers(handlers()).bind(config)?;
    println!("listening on ws://{}/ws", server.local_addr());
    server.run()?;
    Ok(())
}
