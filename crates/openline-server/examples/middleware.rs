//! What stands in front of handlers: closures, and layers of tower's.
//!
//! `cargo run --example middleware -p openline-server`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openline_server::app::{Answer, Call, Handlers, Next, Refusal, State};
use openline_server::{Config, Server};
use tower::limit::ConcurrencyLimitLayer;

/// Only users pass, except with `login`.
async fn users_only(call: Call, next: Next) -> Result<Answer, Refusal> {
    if call.event() != "login" && call.context().user().is_none() {
        return Err(Refusal::new("unauthorized", "log in first"));
    }
    next.run(call).await
}

#[derive(Default)]
struct Failures(AtomicU64);

/// Sees what came of each call.
async fn count_failures(call: Call, next: Next) -> Result<Answer, Refusal> {
    let failures: Option<Arc<Failures>> = call.context().state();
    let result = next.run(call).await;
    if let (Err(_), Some(failures)) = (&result, failures) {
        failures.0.fetch_add(1, Ordering::Relaxed);
    }
    result
}

pub(crate) fn handlers() -> Handlers {
    Handlers::new()
        .state(Failures::default())
        // The first is the outermost.
        .wrap(count_failures)
        .wrap(users_only)
        // At most four calls of each event at a time; others wait.
        .layer(ConcurrencyLimitLayer::new(4))
        .on("login", async |_cx, (): ()| "nothing to do")
        .on("secret", async |_cx, (): ()| 42)
        .on("failures", async |_cx, failures: State<Failures>| failures.0.0.load(Ordering::Relaxed))
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
