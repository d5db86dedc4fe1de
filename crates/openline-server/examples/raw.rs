//! Messages without an envelope, text and binary, for those who speak something else.
//!
//! `cargo run --example raw -p openline-server`, then `openline connect ws://127.0.0.1:8000/raw`.

use openline_server::app::{Context, Handlers, ServerBuilder};
use openline_server::{Config, Server};

pub(crate) fn server() -> ServerBuilder {
    let handlers = Handlers::new()
        .on_text(async |cx: Context, text: String| cx.send_text(text.to_uppercase()))
        .on_binary(async |cx: Context, bytes| {
            let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
            cx.send_binary(reversed);
        });
    Server::builder().raw("/raw", handlers)
}

#[allow(dead_code, reason = "the tests take the handlers alone")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::default();
    config.ephemeral = true;
    let server = server().bind(config)?;
    println!("listening on ws://{}/raw", server.local_addr());
    server.run()?;
    Ok(())
}
