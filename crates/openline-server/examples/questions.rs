//! The server asks its clients: one, or all in a room.
//!
//! `cargo run --example questions -p openline-server`.

use std::time::Duration;

use openline_server::app::{Context, Handlers, Refusal};
use openline_server::{Config, Server};
use serde::Serialize;

const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct Votes {
    yes: usize,
    no: usize,
    silent: usize,
}

/// Asks this client back before it does what it was asked for.
async fn delete(cx: Context, file: String) -> Result<&'static str, Refusal> {
    match cx.ask("confirm", &file, PATIENCE).await? {
        true => Ok("deleted"),
        false => Err(Refusal::new("not_confirmed", "it was not confirmed")),
    }
}

/// Asks everybody in a room. Who does not answer in time counts as silent.
async fn vote(cx: Context, (room, question): (String, String)) -> Result<Votes, Refusal> {
    let answers = cx.to(&room).ask::<_, bool>("vote", &question, PATIENCE).await?;
    let mut votes = Votes { yes: 0, no: 0, silent: 0 };
    for answer in answers {
        match answer {
            Ok(true) => votes.yes += 1,
            Ok(false) => votes.no += 1,
            Err(_) => votes.silent += 1,
        }
    }
    Ok(votes)
}

pub(crate) fn handlers() -> Handlers {
    Handlers::new()
        .on("join", async |cx: Context, room: String| cx.join(&room).await)
        .on("delete", delete)
        .on("vote", vote)
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
