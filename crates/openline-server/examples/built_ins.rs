//! Taking over what protocol v1 has built in: refused, replaced, or let through.
//!
//! `cargo run --example built_ins -p openline-server`.

use openline_server::app::{Answer, BuiltIn, Context, Handlers, Payload, Refusal};
use openline_server::{Config, Server};
use serde::Deserialize;

/// The fields of the message, as far as they matter here.
#[derive(Deserialize)]
struct Publish {
    channel: String,
    data: serde_json::Value,
}

async fn publish(cx: Context, publish: Publish) -> Result<Answer, Refusal> {
    match &*publish.channel {
        "announcements" => Err(Refusal::forbidden("only the server announces")),
        // Done in another way: with the name of the sender in it. What is returned is the answer.
        "signed" => {
            let signed = serde_json::json!({ "by": cx.id(), "says": publish.data });
            cx.namespace().to("signed").emit("message", &signed).await?;
            Ok(Payload::new("signed")?.into())
        }
        // As if there were no handler.
        _ => Ok(BuiltIn.into()),
    }
}

pub(crate) fn handlers() -> Handlers {
    Handlers::new().on("publish", publish).on("typing", async |_cx, _: serde_json::Value| {
        Err::<BuiltIn, _>(Refusal::forbidden("nobody is told who types"))
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
