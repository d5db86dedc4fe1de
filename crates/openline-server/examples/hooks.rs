//! Clients that come and go.
//!
//! `cargo run --example hooks -p openline-server`.

use std::sync::atomic::{AtomicUsize, Ordering};

use openline_server::app::{Context, Goodbye, Handlers, Refusal, State};
use openline_server::{Config, Server};

const GUESTS_MAX: usize = 2;

#[derive(Default)]
struct Door {
    inside: AtomicUsize,
}

/// Called before any message of the client. A refusal closes its line with 1008.
async fn came(cx: Context) -> Result<(), Refusal> {
    let Some(door) = cx.state::<Door>() else { return Ok(()) };
    if door.inside.fetch_add(1, Ordering::Relaxed) >= GUESTS_MAX {
        door.inside.fetch_sub(1, Ordering::Relaxed);
        return Err(Refusal::new("full", "the room is full"));
    }
    cx.join("lobby").await?;
    cx.to("lobby").emit("came", cx.id()).await
}

/// Called for those who were let in. The client is gone: what is emitted to it is dropped.
async fn went(cx: Context, goodbye: Goodbye) -> Result<(), Refusal> {
    if let Some(door) = cx.state::<Door>() {
        door.inside.fetch_sub(1, Ordering::Relaxed);
    }
    cx.to("lobby").emit("went", &(cx.id(), goodbye.code, goodbye.reason)).await
}

pub(crate) fn handlers() -> Handlers {
    Handlers::new()
        .state(Door::default())
        .on_connect(came)
        .on_disconnect(went)
        .on("inside", async |_cx, door: State<Door>| door.inside.load(Ordering::Relaxed))
        .on("quit", async |cx: Context, ()| cx.disconnect("as you wish"))
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
