//! Namespaces of Socket.IO: sets of handlers that share a server and nothing else.
//!
//! `cargo run --example namespaces -p openline-server`, then in a page with socket.io-client
//! `io("http://127.0.0.1:8000/admin").emit("kick", "…")`.

use openline_server::app::{Context, Handlers, Refusal, ServerBuilder};
use openline_server::{Config, Server};

/// `/`: for Socket.IO clients and for those of protocol v1.
fn chat() -> Handlers {
    Handlers::new()
        .on("join", async |cx: Context, room: String| cx.join(&room).await)
        .on("whoami", async |cx: Context, ()| cx.id().to_owned())
        .on("chat", async |cx: Context, (room, text): (String, String)| {
            cx.to(&room).emit("chat", &text).await
        })
}

/// `/admin`: rooms of its own, which are channels that begin with `admin:`.
fn admin() -> Handlers {
    Handlers::new()
        .on("watch", async |cx: Context, ()| cx.join("alarms").await)
        .on("alarm", async |cx: Context, text: String| cx.to("alarms").emit("alarm", &text).await)
        // Reaches into the other namespace.
        .on("announce", async |cx: Context, text: String| {
            let Some(chat) = cx.namespace().other("/") else { return Ok(()) };
            chat.emit("announcement", &text).await
        })
        .on("clients", async |cx: Context, ()| {
            let chat = cx.namespace().other("/");
            let clients = chat.map(|chat| chat.everybody().ids()).transpose()?;
            Ok::<_, Refusal>(clients.unwrap_or_default().len())
        })
}

pub(crate) fn server() -> ServerBuilder {
    Server::builder().handlers(chat()).namespace("/admin", admin())
}

#[allow(dead_code, reason = "the tests take the handlers alone")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::default();
    config.ephemeral = true;
    let server = server().bind(config)?;
    println!("listening on http://{}", server.local_addr());
    server.run()?;
    Ok(())
}
