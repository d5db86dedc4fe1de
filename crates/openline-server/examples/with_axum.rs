//! Beside a router of axum's on one port, and inside of an app of axum's.
//!
//! `cargo run --example with_axum -p openline-server`, then
//! `curl -d hello http://127.0.0.1:8000/rooms/lobby`.

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Extension, Router};
use openline_server::app::{Context, Handlers, Namespace, ServerBuilder};
use openline_server::{Config, Mounted, Server, StartError};

fn handlers() -> Handlers {
    Handlers::new().on("join", async |cx: Context, room: String| cx.join(&room).await)
}

async fn tell(namespace: &Namespace, room: &str, text: &str) -> String {
    match namespace.to(room).emit("said", text).await {
        Ok(()) => "told\n".to_owned(),
        Err(refusal) => format!("{refusal}\n"),
    }
}

/// Openline has the port. What it does not take goes to this router, on the threads of handlers.
pub(crate) fn beside() -> ServerBuilder {
    let say = async |Extension(clients): Extension<Namespace>,
                     Path(room): Path<String>,
                     text: String| { tell(&clients, &room, &text).await };
    Server::builder().handlers(handlers()).routes(Router::new().route("/rooms/{room}", post(say)))
}

/// An app of axum's has the port. What it does not take goes to Openline. Keep what comes with the
/// router: when it is dropped, Openline stops.
#[allow(dead_code, reason = "the other way to do it")]
pub(crate) fn inside(config: Config) -> Result<(Router, Mounted), StartError> {
    let mounted = Server::builder().handlers(handlers()).mount(config)?;
    let say =
        async |State(clients): State<Option<Namespace>>, Path(room): Path<String>, text: String| {
            match clients {
                Some(clients) => tell(&clients, &room, &text).await,
                None => "nobody is there\n".to_owned(),
            }
        };
    let app = Router::new()
        .route("/rooms/{room}", post(say))
        .fallback_service(mounted.router::<()>())
        .with_state(mounted.namespace("/"));
    // Serve it by `app.into_make_service_with_connect_info::<SocketAddr>()`.
    Ok((app, mounted))
}

#[allow(dead_code, reason = "the tests take the handlers alone")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::default();
    config.ephemeral = true;
    let server = beside().bind(config)?;
    println!("listening on http://{}", server.local_addr());
    server.run()?;
    Ok(())
}
