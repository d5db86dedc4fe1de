//! An echo endpoint in an axum server, over HTTP/1.1 and HTTP/2.
//!
//! ```sh
//! cargo run -p openline-ws --features axum --example axum_echo -- 127.0.0.1:9001
//! ```

use std::error::Error;

use axum::response::IntoResponse;
use axum::routing::any;
use axum::{Extension, Router};
use openline_ws::{Acceptor, Limits, WebSocketUpgrade};

async fn echo(upgrade: WebSocketUpgrade) -> impl IntoResponse {
    let known = upgrade.protocols().iter().find(|protocol| *protocol == "echo").cloned();
    let upgrade = match known {
        Some(protocol) => upgrade.protocol(protocol),
        None => upgrade,
    };
    upgrade.on_upgrade(|mut ws| async move {
        while let Ok(Some(message)) = ws.recv().await {
            if ws.send(message).await.is_err() {
                break;
            }
        }
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let acceptor =
        Acceptor::new().limits(Limits { message_bytes_max: 64 << 10, ..Limits::default() });
    // `any`, because over HTTP/2 the request is a CONNECT.
    let app = Router::new().route("/echo", any(echo)).layer(Extension(acceptor));
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("listening on ws://{}/echo", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
