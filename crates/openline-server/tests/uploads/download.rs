//! Files as they are fetched.

use openline_ws::{Transport, WebSocket};
use serde_json::{Value, json};

use crate::support::{TestServer, soon};
use crate::{fetch, request};

async fn store(ws: &mut WebSocket<Transport>, name: &str, kind: &str, data: &[u8]) -> String {
    ws.send(data.to_vec()).await.unwrap();
    let complete = json!({ "type": "file-complete", "name": name, "contentType": kind });
    ws.send(complete.to_string()).await.unwrap();
    let message = soon(ws.recv()).await.unwrap().unwrap();
    let told: Value = serde_json::from_str(message.as_text().unwrap()).unwrap();
    told["url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_file_is_an_attachment_that_nobody_takes_for_a_page() {
    let server = TestServer::start();
    let mut ws = server.line("/upload").await;
    let page = b"<script>alert(1)</script>";
    let url = store(&mut ws, "a \"b\"\r\n; ü.html", "text/html", page).await;
    let fetched = fetch(server.address(), &url, "").await;
    assert_eq!(fetched.body, page);
    for (name, value) in [
        ("content-disposition", "attachment; filename*=UTF-8''a%20%22b%22%3B%20%C3%BC.html"),
        ("content-type", "text/html"),
        ("content-length", "25"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "private"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(fetched.header(name), Some(value), "{}", fetched.head);
    }
    let head = request(server.address(), "HEAD", &url, "").await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("25")));
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn a_part_of_a_file_is_given() {
    let server = TestServer::start();
    let mut ws = server.line("/upload").await;
    let url = store(&mut ws, "a", "text/plain", b"0123456789").await;
    let part = fetch(server.address(), &url, "Range: bytes=3-5\r\n").await;
    assert_eq!((part.status, &*part.body), (206, &b"345"[..]));
    assert_eq!(part.header("content-range"), Some("bytes 3-5/10"));
    assert_eq!(part.header("content-length"), Some("3"));
    let beyond = fetch(server.address(), &url, "Range: bytes=10-\r\n").await;
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range"), Some("bytes */10"));
}

#[tokio::test]
async fn what_is_not_there_or_not_complete_is_not_found() {
    let server = TestServer::start();
    let (mut talk, _) = crate::support::talk::Talk::greeted(&server.url("/ws")).await;
    let begun = talk.ask(&json!({ "type": "upload", "id": 1, "name": "a" })).await;
    let unfinished = format!("/uploads/{}", begun["data"]["upload"].as_str().unwrap());
    let record = format!("{unfinished}.json");
    for path in [
        &*unfinished,
        &record,
        "/uploads/",
        "/uploads/u-none",
        "/uploads/../Cargo.toml",
        "/uploads/..%2f..%2fCargo.toml",
        "/uploads//etc/passwd",
    ] {
        let fetched = fetch(server.address(), path, "").await;
        assert_eq!(fetched.status, 404, "{path}: {}", fetched.head);
    }
    let posted = request(server.address(), "POST", &unfinished, "Content-Length: 0\r\n").await;
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
    let elsewhere = fetch(server.address(), &unfinished, "Host: elsewhere.example\r\n").await;
    assert_ne!(elsewhere.status, 200);
}
