//! Files at `/upload`.

use openline_ws::{Message, Transport, WebSocket};
use serde_json::{Value, json};

use crate::support::{TestServer, ask, handshake, soon};
use crate::{KEYS, TOKEN, bytes, fetch, server_with};

async fn next(ws: &mut WebSocket<Transport>) -> Value {
    let message = soon(ws.recv()).await.unwrap().expect("the line is open");
    serde_json::from_str(message.as_text().unwrap()).unwrap()
}

async fn put(ws: &mut WebSocket<Transport>, message: impl Into<Message>) {
    soon(ws.send(message.into())).await.unwrap();
    soon(ws.flush()).await.unwrap();
}

async fn finish(ws: &mut WebSocket<Transport>, name: &str) -> Value {
    put(ws, json!({ "type": "file-complete", "name": name }).to_string()).await;
    next(ws).await
}

#[tokio::test]
async fn three_files_go_one_after_the_other() {
    let server = TestServer::start();
    let mut ws = server.line("/upload").await;
    let data = bytes(5 << 20);
    // In pieces; as one message; and with nothing in it.
    for piece in data.chunks(700_001) {
        put(&mut ws, piece.to_vec()).await;
    }
    let first = finish(&mut ws, "first.bin").await;
    put(&mut ws, data.clone()).await;
    let second = finish(&mut ws, "../second.bin").await;
    let third = finish(&mut ws, "third").await;
    for (told, name, expected) in
        [(&first, "first.bin", &data[..]), (&second, "second.bin", &data), (&third, "third", b"")]
    {
        assert_eq!(told["type"], "file-received", "{told}");
        assert_eq!((&told["name"], &told["size"]), (&json!(name), &json!(expected.len())));
        let fetched = fetch(server.address(), told["url"].as_str().unwrap(), "").await;
        assert!(fetched.body == expected, "{name}");
    }
    assert_eq!(first["sha256"], second["sha256"]);
    assert_eq!(third["sha256"], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[tokio::test]
async fn a_text_that_means_nothing_is_told_and_the_file_goes_on() {
    let server = TestServer::start();
    let mut ws = server.line("/upload").await;
    put(&mut ws, b"abc".to_vec()).await;
    let long = format!("{{\"type\":\"file-complete\",\"name\":\"{}\"}}", "n".repeat(5_000));
    for (text, code) in [
        ("hello", "invalid_json"),
        ("[]", "bad_request"),
        (r#"{"type":"complete"}"#, "unknown_type"),
        (r#"{"type":"file-complete"}"#, "bad_request"),
        (r#"{"type":"file-complete","name":""}"#, "bad_request"),
        (r#"{"type":"file-complete","name":5}"#, "bad_request"),
        (r#"{"type":"file-complete","name":"a","contentType":"\n"}"#, "bad_request"),
        (&long, "bad_request"),
    ] {
        put(&mut ws, text).await;
        let told = next(&mut ws).await;
        assert_eq!((&told["type"], &told["code"]), (&json!("error"), &json!(code)), "{text}");
        assert_eq!(told["error"], told["message"]);
    }
    put(&mut ws, b"def".to_vec()).await;
    let told = finish(&mut ws, "a.txt").await;
    assert_eq!(told["size"], 6, "{told}");
    let fetched = fetch(server.address(), told["url"].as_str().unwrap(), "").await;
    assert_eq!(fetched.body, b"abcdef");
}

#[tokio::test]
async fn a_file_that_is_too_long_ends_the_line_with_1009_after_a_sentence() {
    let server = server_with(&[("OPENLINE_UPLOADS_SIZE_MAX", "1MiB")]);
    let mut ws = server.line("/upload").await;
    put(&mut ws, bytes(1 << 20)).await;
    assert_eq!(finish(&mut ws, "fits").await["type"], "file-received");
    put(&mut ws, bytes(1 << 20)).await;
    put(&mut ws, vec![0]).await;
    let told = next(&mut ws).await;
    assert_eq!(told["code"], "too_large");
    assert!(told["error"].as_str().unwrap().contains("1048576 bytes"), "{told}");
    assert!(soon(ws.recv()).await.unwrap().is_none());
    assert_eq!(ws.closed().unwrap().reason.code.0, 1009);
}

#[tokio::test]
async fn a_file_without_an_end_leaves_nothing() {
    let server = server_with(&[("OPENLINE_UPLOADS_USER_MAX", "1MiB")]);
    for _ in 0..3 {
        let mut ws = server.line("/upload").await;
        put(&mut ws, bytes(1_000_000)).await;
        // It is all there when this is answered.
        put(&mut ws, "?").await;
        next(&mut ws).await;
        soon(ws.close(1000, "")).await.unwrap();
    }
    let mut ws = server.line("/upload").await;
    put(&mut ws, bytes(1_000_000)).await;
    assert_eq!(finish(&mut ws, "a").await["type"], "file-received");
    put(&mut ws, bytes(100_000)).await;
    assert_eq!(next(&mut ws).await["code"], "upload_limit");
    assert!(soon(ws.recv()).await.unwrap().is_none());
    assert_eq!(ws.closed().unwrap().reason.code.0, 1008);
}

#[tokio::test]
async fn who_may_send_files_is_settled_by_the_handshake() {
    let settings = [
        ("OPENLINE_AUTH_KEYS", KEYS),
        ("OPENLINE_AUTH_ANONYMOUS", "false"),
        ("OPENLINE_UPLOADS_ALLOW", "authenticated"),
    ];
    let server = server_with(&settings);
    let knock = async |server: &TestServer, headers: &str| {
        ask(server.address(), &handshake("/upload", headers)).await
    };
    assert_eq!(knock(&server, "").await.status, 401);
    assert_eq!(knock(&server, "Authorization: Bearer x\r\n").await.status, 401);
    let elsewhere = "Origin: https://elsewhere.example\r\n";
    assert_eq!(knock(&server, elsewhere).await.error().0, "origin_not_allowed");
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    server.raw_line("/upload", &token).await;
    let server = server_with(&[settings[0], settings[1], ("OPENLINE_UPLOADS_ALLOW", "token")]);
    assert_eq!(knock(&server, &token).await.error().0, "forbidden");
    let server = server_with(&[("OPENLINE_UPLOADS_ENABLED", "false")]);
    assert_eq!(knock(&server, "").await.error().0, "not_found");
}
