//! Typed handlers: what they take, what they answer, what they share.
//!
//! `cargo run --example handlers -p openline-server`, then in another terminal
//! `openline connect ws://127.0.0.1:8000/ws`, and type `{"type":"roll","id":1,"data":{"sides":6}}`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use openline_server::app::{Ack, Context, Extension, Handlers, Refusal, State, User};
use openline_server::{Config, Server};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Roll {
    sides: u32,
}

#[derive(Serialize)]
struct Rolled {
    value: u32,
}

/// What all handlers share.
#[derive(Default)]
struct Table {
    rolls: AtomicU32,
}

/// What a connection carries.
#[derive(Clone)]
struct Nickname(String);

/// The data is read from the message; the answer is a value, or why not.
async fn roll(_cx: Context, (table, roll): (State<Table>, Roll)) -> Result<Rolled, Refusal> {
    if roll.sides == 0 {
        return Err(Refusal::new("no_sides", "a die has at least one side"));
    }
    let number = table.rolls.fetch_add(1, Ordering::Relaxed);
    Ok(Rolled { value: number % roll.sides + 1 })
}

pub(crate) fn handlers() -> Handlers {
    Handlers::new()
        .state(Table::default())
        .on("roll", roll)
        // Without data.
        .on("rolls", async |_cx, table: State<Table>| table.rolls.load(Ordering::Relaxed))
        // For clients that showed a token; others are refused with `unauthorized`.
        .on("whoami", async |_cx, user: User| user.0.to_string())
        // The connection remembers.
        .on("rename", async |cx: Context, name: String| {
            cx.insert(Nickname(name));
        })
        .on("nickname", async |_cx, Extension(name): Extension<Nickname>| name.0)
        // Any error of a library is told to the client as `internal`; the log has what it says.
        .on("parse", async |_cx, text: String| Ok::<i64, Refusal>(text.parse()?))
        // Answered at once, and at work for a while longer. `spawn` outlives the client.
        .on("order", async |cx: Context, (ack, what): (Ack, String)| {
            ack.send("accepted")?;
            tokio::time::sleep(Duration::from_millis(10)).await;
            cx.emit("ready", &what)
        })
        // What nothing else is for.
        .fallback(async |cx: Context, ()| {
            let message = format!("there is no {} here; there are roll and rolls", cx.event());
            Err::<(), _>(Refusal::new("unknown_type", message))
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
