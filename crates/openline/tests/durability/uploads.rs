//! `kill -9` while a client sends a file, again and again.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::home::{Home, Running};

const ALLOWED: [&str; 3] = ["--uploads-enabled", "--uploads-allow", "anyone"];
const CHUNK: usize = 48 << 10;
const ROUNDS: usize = 5;
/// Acks that a round waits for before it kills. With these and a window on its way, no round comes
/// further than 2 MB: the file is not complete before the last.
const ACKS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_of_a_file_outlives_kills_and_the_rest_follows() {
    let home = Home::new();
    let data: Vec<u8> = (0..12_000_000_u64)
        .map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8)
        .collect();
    let begin = json!({
        "type": "upload", "id": 1, "name": "a.bin", "size": data.len(), "key": "one-of-a-kind",
    });
    let mut acknowledged = 0;
    for _ in 0..ROUNDS {
        let server = home.start_with(&ALLOWED);
        let begun = send(&server, &begin, &data, Some(ACKS)).await;
        assert!(begun.stored >= acknowledged, "{} bytes are lost", acknowledged - begun.stored);
        acknowledged = begun.acknowledged;
        server.kill();
    }
    assert!(acknowledged > 0 && acknowledged < data.len(), "{acknowledged}");
    let server = home.start_with(&ALLOWED);
    let begun = send(&server, &begin, &data, None).await;
    assert!(begun.stored >= acknowledged);
    let mut line = server.line().await;
    line.say(&json!({ "type": "complete", "id": 2, "upload": begun.upload })).await;
    let done = line.next_of("complete").await;
    assert_eq!(done["data"]["size"], data.len());
    // What is complete is so after a kill too.
    server.kill();
    let server = home.start_with(&ALLOWED);
    assert!(fetch(&server, done["data"]["url"].as_str().unwrap()) == data, "byte for byte");
    server.stop();
}

struct Begun {
    upload: String,
    /// What the server had at first.
    stored: usize,
    acknowledged: usize,
}

/// Sends what the server does not have, until so many acks have come or all of it is acknowledged.
async fn send(
    server: &Running,
    begin: &serde_json::Value,
    data: &[u8],
    acks: Option<usize>,
) -> Begun {
    let mut line = server.line().await;
    assert!(line.say(begin).await);
    let begun = line.next_of("upload").await["data"].clone();
    let upload = begun["upload"].as_str().unwrap().to_owned();
    let window = begun["window"].as_u64().unwrap() as usize;
    let stored = begun["offset"].as_u64().unwrap() as usize;
    let (mut sent, mut acknowledged, mut seen) = (stored, stored, 0);
    while acknowledged < data.len() && acks != Some(seen) {
        let end = data.len().min(sent + CHUNK);
        if sent < end && end - acknowledged <= window {
            let chunk = json!({
                "type": "chunk", "upload": upload, "offset": sent,
                "data": base64(&data[sent..end]), "encoding": "base64",
            });
            assert!(line.say(&chunk).await);
            sent = end;
            continue;
        }
        acknowledged = line.next_of("chunk").await["offset"].as_u64().unwrap() as usize;
        seen += 1;
    }
    Begun { upload, stored, acknowledged }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for letter in 0..=group.len() {
            let index = bits >> (18 - 6 * letter) & 63;
            text.push(char::from(LETTERS[index as usize]));
        }
    }
    text
}

fn fetch(server: &Running, url: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let host = &server.address;
    let request = format!("GET {url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    answer.split_off(end + 4)
}
