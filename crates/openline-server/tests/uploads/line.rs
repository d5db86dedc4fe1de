//! Files over lines of the protocol, and by POST.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openline_ws::Message;
use serde_json::{Value, json};

use crate::support::packed::pack;
use crate::support::talk::{MESSAGEPACK, Talk};
use crate::support::{TestServer, ask};
use crate::{KEYS, TOKEN, bytes, fetch, server_with};

const CHUNK: usize = 256 << 10;

fn chunk(upload: &str, offset: usize, data: &[u8]) -> Value {
    let data = json!({ "$bytes": STANDARD.encode(data) });
    json!({ "type": "chunk", "upload": upload, "offset": offset, "data": data })
}

/// Sends `data` from `offset` on to `end`, with no more on its way than the window allows; returns
/// what was acknowledged.
async fn send(talk: &mut Talk, begun: &Value, data: &[u8], end: usize) -> usize {
    let upload = begun["upload"].as_str().unwrap();
    let window = begun["window"].as_u64().unwrap() as usize;
    let mut acknowledged = begun["offset"].as_u64().unwrap() as usize;
    let mut sent = acknowledged;
    while acknowledged < end {
        let next = end.min(sent + CHUNK);
        if next > sent && next - acknowledged <= window {
            let message = pack(&chunk(upload, sent, &data[sent..next]));
            talk.put(Message::from(message)).await.unwrap();
            sent = next;
            continue;
        }
        let came = talk.next().await.unwrap();
        assert_eq!((&came["type"], &came["upload"]), (&json!("chunk"), &json!(upload)), "{came}");
        let offset = came["offset"].as_u64().unwrap() as usize;
        assert!(offset > acknowledged && offset <= sent, "{came}");
        acknowledged = offset;
    }
    acknowledged
}

#[tokio::test]
async fn twenty_megabytes_survive_a_cut_in_the_middle() {
    let server = TestServer::start();
    let data = bytes(20 << 20);
    let begin = json!({
        "type": "upload", "id": 1, "name": "big.bin", "size": data.len(), "key": "one-of-a-kind",
    });
    // A line of JSON, which sends chunks as they are.
    let (mut talk, _) = Talk::greeted(&server.url("/ws")).await;
    let begun = talk.ask(&begin).await["data"].clone();
    assert_eq!(begun["offset"], 0);
    let told = send(&mut talk, &begun, &data, 9 << 20).await;
    // More is on its way when the line is cut, without a word.
    let upload = begun["upload"].as_str().unwrap().to_owned();
    let more = pack(&chunk(&upload, told, &data[told..told + CHUNK]));
    talk.put(Message::from(more)).await.unwrap();
    drop(talk);

    let mut talk = Talk::open(&server.url("/ws"), Some(MESSAGEPACK)).await;
    let begun = talk.ask(&begin).await["data"].clone();
    assert_eq!(begun["upload"], upload);
    assert!(begun["offset"].as_u64().unwrap() as usize >= told, "{begun}");
    let mut end = Vec::from(&data[..]);
    end.truncate(data.len());
    send(&mut talk, &begun, &end, data.len()).await;
    let sha256 = sha256(&data);
    let complete = json!({ "type": "complete", "id": 2, "upload": upload, "sha256": sha256 });
    let done = talk.ask(&complete).await["data"].clone();
    assert_eq!((&done["name"], &done["size"]), (&json!("big.bin"), &json!(data.len())));

    let fetched = fetch(server.address(), done["url"].as_str().unwrap(), "").await;
    assert_eq!(fetched.status, 200);
    assert!(fetched.body == data, "byte for byte");
}

fn sha256(data: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, data);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_file_may_be_sent_by_post() {
    let server = TestServer::start();
    let post = async |message: &Value| {
        let body = message.to_string();
        let length = body.len();
        let request = format!(
            "POST /sse HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        );
        let answer = ask(server.address(), &request).await;
        (answer.status, serde_json::from_str::<Value>(&answer.body).unwrap())
    };
    let (status, begun) = post(&json!({ "type": "upload", "name": "a.txt", "size": 6 })).await;
    assert_eq!(status, 200, "{begun}");
    let upload = begun["data"]["upload"].clone();
    for (offset, data) in [(0, "YWJj"), (3, "ZGVm"), (3, "ZGVm")] {
        let chunk = json!({
            "type": "chunk", "upload": upload, "offset": offset, "data": data, "encoding": "base64",
        });
        let (status, told) = post(&chunk).await;
        assert_eq!((status, &told["offset"]), (200, &json!(offset + 3)), "{told}");
    }
    let gap = json!({
        "type": "chunk", "id": 7, "upload": upload, "offset": 6, "data": "", "encoding": "base64",
    });
    let (status, told) = post(&gap).await;
    assert_eq!((status, &told["id"], &told["offset"]), (200, &json!(7), &json!(6)), "{told}");
    let (status, done) = post(&json!({ "type": "complete", "upload": upload })).await;
    assert_eq!((status, &done["data"]["size"]), (200, &json!(6)), "{done}");
    let fetched = fetch(server.address(), done["data"]["url"].as_str().unwrap(), "").await;
    assert_eq!(fetched.body, b"abcdef");
    let (status, told) = post(&json!({ "type": "complete", "upload": "u-none" })).await;
    assert_eq!((status, &told["code"]), (404, &json!("not_found")));
}

#[tokio::test]
async fn a_line_has_so_many_transfers_open_and_no_more() {
    let server = TestServer::start();
    let (mut talk, _) = Talk::greeted(&server.url("/ws")).await;
    let begin = |id: u32| json!({ "type": "upload", "id": id, "name": "a", "key": id.to_string() });
    let first = talk.ask(&begin(1)).await;
    for id in 2..=4 {
        assert_eq!(talk.ask(&begin(id)).await["type"], "upload");
    }
    assert_eq!(talk.ask(&begin(5)).await["code"], "upload_limit");
    let again = talk.ask(&begin(1)).await;
    assert_eq!(again["data"]["upload"], first["data"]["upload"], "one that it has is no more");
    let upload = &first["data"]["upload"];
    talk.ask(&json!({ "type": "complete", "id": 6, "upload": upload })).await;
    assert_eq!(talk.ask(&begin(5)).await["type"], "upload");
}

#[tokio::test]
async fn other_messages_go_on_beside_a_transfer() {
    let server = TestServer::start();
    let (mut talk, _) = Talk::greeted(&server.url("/ws")).await;
    let data = bytes(CHUNK);
    let begun = talk.ask(&json!({ "type": "upload", "id": 1, "name": "a" })).await["data"].clone();
    let upload = begun["upload"].as_str().unwrap();
    talk.put(Message::from(pack(&chunk(upload, 0, &data)))).await.unwrap();
    let published = json!({ "type": "publish", "id": 2, "channel": "news", "data": 1 });
    assert_eq!(talk.ask(&published).await["type"], "published");
    assert_eq!(talk.ask(&json!({ "type": "ping", "id": 3 })).await["type"], "pong");
    let done = talk.ask(&json!({ "type": "complete", "id": 4, "upload": upload })).await;
    assert_eq!(done["data"]["size"], CHUNK);
}

#[tokio::test]
async fn who_may_send_files_the_config_says() {
    for (enabled, allow, anonymous, with_token) in [
        ("false", "anyone", "forbidden", "forbidden"),
        ("true", "anyone", "", ""),
        ("true", "authenticated", "unauthorized", ""),
        ("true", "token", "forbidden", "forbidden"),
    ] {
        let server = server_with(&[
            ("OPENLINE_AUTH_KEYS", KEYS),
            ("OPENLINE_UPLOADS_ENABLED", enabled),
            ("OPENLINE_UPLOADS_ALLOW", allow),
        ]);
        let (mut talk, _) = Talk::greeted(&server.url("/ws")).await;
        let begin = json!({ "type": "upload", "id": 1, "name": "a" });
        let code = |told: Value| told["code"].as_str().unwrap_or_default().to_owned();
        assert_eq!(code(talk.ask(&begin).await), anonymous, "{enabled} {allow}");
        talk.ask(&json!({ "type": "auth", "id": 2, "token": TOKEN })).await;
        assert_eq!(code(talk.ask(&begin).await), with_token, "{enabled} {allow}");
    }
}

#[tokio::test]
async fn an_announced_size_is_held_to_the_limit_at_once() {
    let server = server_with(&[("OPENLINE_UPLOADS_SIZE_MAX", "1KiB")]);
    let (mut talk, _) = Talk::greeted(&server.url("/ws")).await;
    let told = talk.ask(&json!({ "type": "upload", "id": 1, "name": "a", "size": 1025 })).await;
    assert_eq!(told["code"], "too_large");
    assert!(told["error"].as_str().unwrap().contains("1024 bytes"), "{told}");
}
