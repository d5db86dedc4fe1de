//! The server inside another program: `cargo run -p openline-server --example serve -- --listen 127.0.0.1:8000`.

use openline_server::{Options, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--listen");
    let listen = arguments.nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned()).parse()?;
    let threads = Some(std::num::NonZeroUsize::MIN);
    let server = Server::bind(&Options { listen, threads, ..Options::default() })?;
    println!("listening on http://{}", server.local_addr());
    server.run()?;
    Ok(())
}
