//! Asking whether servers are there.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::seed::Seed;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// As much of an answer as anybody needs.
const ANSWER_BYTES_MAX: usize = 4096;

/// Ports that servers are given: below those that the system gives to connections, so that one is
/// free still when its server was away for a moment.
const PORTS: std::ops::Range<u64> = 20_000..32_000;
const TRIES: usize = 200;

/// Whether a server answers what is said with something that begins like this.
pub(super) async fn answers(address: SocketAddr, said: &[u8], wanted: &str) -> bool {
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(said).await?;
        let mut answer = Vec::new();
        while answer.len() < wanted.len().min(ANSWER_BYTES_MAX) {
            if stream.read_buf(&mut answer).await? == 0 {
                break;
            }
        }
        io::Result::Ok(answer.starts_with(wanted.as_bytes()))
    };
    matches!(timeout(PATIENCE, asking).await, Ok(Ok(true)))
}

/// Whether an HTTP server says that it is ready.
pub(super) async fn is_ready(address: SocketAddr) -> bool {
    let said = b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    answers(address, said, "HTTP/1.1 200").await
}

/// An address at which nobody listens.
pub(super) fn free_address(at: IpAddr) -> Result<SocketAddr, String> {
    // Others look for one at the same time.
    let seed = Seed::new(std::process::id().into());
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |now| now.subsec_nanos());
    let mut seed = seed.part(&now.to_string());
    for _ in 0..TRIES {
        let port = seed.between(PORTS.start, PORTS.end);
        let Ok(port) = u16::try_from(port) else { continue };
        if let Ok(listener) = TcpListener::bind((at, port)) {
            return listener.local_addr().map_err(|error| error.to_string());
        }
    }
    Err(format!("no free port on {at}"))
}
