//! Files through sockets: sent over lines, by POST and at `/upload`, and fetched.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod download;
mod line;
mod raw;
#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;

use openline_server::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use support::{TestServer, read_head, soon};

/// Of ann, until the year 2100; of the vectors.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4iLCJleHAiOjQxMDI0NDQ4MDB9.eyGdTN9aMmN_iAbA1ThI0VgdKH9mHaLuunDbt2Wsenw";
const KEYS: &str = r#"[{algorithm = "HS256", secret = "openline-vectors-hs256-secret-32b"}]"#;

/// What is fetched.
struct Fetched {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Fetched {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

async fn fetch(address: SocketAddr, path: &str, headers: &str) -> Fetched {
    request(address, "GET", path, headers).await
}

async fn request(address: SocketAddr, method: &str, path: &str, headers: &str) -> Fetched {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let asked = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}\r\n"
    );
    stream.write_all(asked.as_bytes()).await.unwrap();
    let head = read_head(&mut stream).await;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = Vec::new();
    soon(stream.read_to_end(&mut body)).await.unwrap();
    Fetched { status, head, body }
}

/// A server whose keys are set as in the environment.
fn server_with(settings: &[(&str, &str)]) -> TestServer {
    let environment = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    TestServer::with_config(Config::read(None, environment.collect::<Vec<_>>(), []).unwrap())
}

/// Bytes that are the same nowhere near.
fn bytes(len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8).collect()
}
