//! The server in a program of your own.
//!
//! `cargo run --release --example serve -p openline-server`, then open the address it prints.

use openline_server::{Config, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::default();
    config.ephemeral = true;
    let server = Server::bind(config)?;
    println!("listening on http://{}", server.local_addr());
    server.run()?;
    Ok(())
}
