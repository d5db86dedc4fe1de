//! Uploads against a server that is played by the test, over a line in memory and under a paused clock.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "what is sent here is JSON")]
#[path = "../../openline-server/tests/support/packed.rs"]
mod packed;
mod script;

use std::io::Cursor;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openline_client::{Client, Error, StoredFile, Upload};
use openline_ws::Message;
use script::{Line, Script};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// SHA-256 of no bytes.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// When a test gives up, by the paused clock. The longest here takes half of it.
const PATIENCE: Duration = Duration::from_secs(1200);

type Uploading = JoinHandle<Result<StoredFile, Error>>;

async fn connected() -> (Client, Script, Line) {
    let (builder, mut script) = script::client();
    let client = builder.build().unwrap();
    let (line, connected) = tokio::join!(script.welcome(), client.connect());
    connected.unwrap();
    (client, script, line)
}

fn start<R: AsyncRead + Send + Unpin + 'static>(upload: Upload<R>) -> Uploading {
    tokio::spawn(upload.into_future())
}

/// A reader that gives the file from its beginning, once.
fn stream(file: &'static [u8]) -> impl AsyncRead + Send + Unpin + 'static {
    file.chain(tokio::io::empty())
}

/// The next message of this type, without its id, which is returned beside it. A ping is no message here.
async fn said(line: &mut Line, kind: &str) -> (Value, Value) {
    let until = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < until, "no {kind} comes");
        let mut message = said_any(line).await;
        if message["type"] == "ping" {
            line.send(json!({"type": "pong", "id": message["id"], "timestamp": 1})).await;
            continue;
        }
        assert_eq!(message["type"], kind, "{message}");
        let id = message.as_object_mut().unwrap().remove("id").unwrap();
        return (message, id);
    }
}

async fn soon<F: IntoFuture>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it comes in time")
}

/// Takes the message that begins the transfer, or asks how far it is, and answers it.
async fn open(line: &mut Line, offset: u64) -> Value {
    let (message, id) = said(line, "upload").await;
    line.send(json!({"type": "upload", "id": id, "data": {
        "upload": "u-1", "offset": offset, "chunkMax": 4, "window": 8, "expiresAt": 1}}))
        .await;
    message
}

/// The next chunk, which begins here and has these bytes.
async fn chunk(line: &mut Line, offset: u64, data: &str) -> Value {
    let (message, id) = said(line, "chunk").await;
    let bytes = STANDARD.decode(message["data"]["$bytes"].as_str().unwrap()).unwrap();
    let came = (message["upload"].as_str(), message["offset"].as_u64(), bytes.as_slice());
    assert_eq!(came, (Some("u-1"), Some(offset), data.as_bytes()));
    id
}

async fn stored(line: &mut Line, id: &Value, offset: u64) {
    line.send(json!({"type": "chunk", "id": id, "upload": "u-1", "offset": offset})).await;
}

async fn refused(line: &mut Line, id: &Value, code: &str, offset: u64) {
    line.send(json!({"type": "error", "id": id, "code": code, "error": "no", "message": "no",
        "upload": "u-1", "offset": offset}))
        .await;
}

async fn complete(line: &mut Line) -> Value {
    let (message, id) = said(line, "complete").await;
    line.send(
        json!({"type": "complete", "id": id, "data": {"upload": "u-1", "name": "f", "size": 0,
        "contentType": "text/plain", "sha256": EMPTY, "url": "/uploads/u-1", "expiresAt": 1}}),
    )
    .await;
    message
}

/// The next that the client says is a publish: nothing is left of the upload.
async fn says_no_more(client: &Client, line: &mut Line) {
    let publishing = tokio::spawn(client.publish("room", &1).into_future());
    said(line, "publish").await;
    publishing.abort();
}

#[tokio::test(start_paused = true)]
async fn the_sum_goes_with_complete() {
    let (client, _script, mut line) = connected().await;
    for digits in [EMPTY.to_owned(), EMPTY.to_uppercase()] {
        let uploading = start(client.upload(Cursor::new([]), "f").sha256(digits));
        open(&mut line, 0).await;
        assert_eq!(complete(&mut line).await["sha256"], EMPTY);
        soon(uploading).await.unwrap().unwrap();
    }
    let uploading = start(client.upload(Cursor::new([]), "f"));
    open(&mut line, 0).await;
    assert_eq!(complete(&mut line).await.get("sha256"), None);
    soon(uploading).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sum_of_another_form_is_refused_before_anything_is_sent() {
    let (client, _script, mut line) = connected().await;
    let with_sign = format!("+{}", &EMPTY[1..]);
    for digits in ["", "12", &EMPTY[..63], &"ä".repeat(32), &"g".repeat(64), &with_sign] {
        let error = client.upload(Cursor::new([]), "f").sha256(digits).await.unwrap_err();
        let Error::Payload(why) = error else { panic!("{error:?}") };
        assert!(why.contains("64 hexadecimal digits"), "{why}");
    }
    says_no_more(&client, &mut line).await;
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_by_the_servers_name_which_is_told_once_known() {
    let (client, _script, mut line) = connected().await;
    let first = client.upload(stream(b"abcdef"), "f").size(6).key("k");
    let mut name = first.control().upload_name();
    assert_eq!(*name.borrow(), None);
    let first = start(first);
    let begun = open(&mut line, 0).await;
    assert_eq!(begun, json!({"type": "upload", "name": "f", "size": 6, "key": "k"}));
    let name = name.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert_eq!(name, "u-1");
    // The second chunk is under way before the first is stored.
    let one = chunk(&mut line, 0, "abcd").await;
    chunk(&mut line, 4, "ef").await;
    stored(&mut line, &one, 4).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());

    let second = start(client.upload(stream(b"abcdef"), "other").size(1).resume(name));
    let asked = open(&mut line, 4).await;
    assert_eq!(asked, json!({"type": "upload", "upload": "u-1"}));
    let rest = chunk(&mut line, 4, "ef").await;
    stored(&mut line, &rest, 6).await;
    complete(&mut line).await;
    soon(second).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_it_here_and_on_the_server() {
    let (client, _script, mut line) = connected().await;
    let upload = client.upload(stream(b"abcdefgh"), "f");
    let control = upload.control();
    let uploading = start(upload);
    open(&mut line, 0).await;
    chunk(&mut line, 0, "abcd").await;
    control.cancel();
    // Not even a pause holds it up.
    control.pause();
    let error = soon(uploading).await.unwrap().unwrap_err();
    assert_eq!((&error, error.code()), (&Error::Cancelled, "aborted"));
    let mut next = said_any(&mut line).await;
    if next["type"] == "chunk" {
        // It was handed over before.
        next = said_any(&mut line).await;
    }
    assert_eq!((next["type"].as_str(), next["upload"].as_str()), (Some("cancel"), Some("u-1")));
    says_no_more(&client, &mut line).await;
}

async fn said_any(line: &mut Line) -> Value {
    match soon(line.0.recv()).await.unwrap().unwrap() {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        Message::Binary(bytes) => packed::unpack(&bytes),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_cancelled_before_the_server_has_named_it_is_cancelled_when_it_has() {
    let (client, _script, mut line) = connected().await;
    let upload = client.upload(stream(b"abcd"), "f");
    let control = upload.control();
    let uploading = start(upload);
    let (_, id) = said(&mut line, "upload").await;
    control.cancel();
    assert_eq!(soon(uploading).await.unwrap().unwrap_err(), Error::Cancelled);
    line.send(json!({"type": "upload", "id": id, "data": {
        "upload": "u-7", "offset": 0, "chunkMax": 4, "window": 8, "expiresAt": 1}}))
        .await;
    assert_eq!(said(&mut line, "cancel").await.0["upload"], "u-7");
}

#[tokio::test(start_paused = true)]
async fn what_is_cancelled_before_it_is_awaited_is_never_begun() {
    let (client, _script, mut line) = connected().await;
    let upload = client.upload(stream(b"abcd"), "f");
    upload.control().cancel();
    assert_eq!(upload.await.unwrap_err(), Error::Cancelled);
    says_no_more(&client, &mut line).await;
    // One that the server knows by its name is there.
    let upload = client.upload(stream(b"abcd"), "f").resume("u-1");
    upload.control().cancel();
    assert_eq!(upload.await.unwrap_err(), Error::Cancelled);
    assert_eq!(said(&mut line, "cancel").await.0["upload"], "u-1");
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_tells_the_server_nothing() {
    let (client, _script, mut line) = connected().await;
    let uploading = start(client.upload(stream(b"abcd"), "f"));
    open(&mut line, 0).await;
    chunk(&mut line, 0, "abcd").await;
    uploading.abort();
    assert!(uploading.await.unwrap_err().is_cancelled());
    says_no_more(&client, &mut line).await;
}

/// The server's disk fails for a moment: the chunk and those behind it are refused.
#[tokio::test(start_paused = true)]
async fn what_was_under_way_is_sent_again_after_what_passes_by_any_reader() {
    let (client, _script, mut line) = connected().await;
    let upload = client.upload(stream(b"abcdefghij"), "f");
    let mut progress = upload.control().stored();
    let uploading = start(upload);
    open(&mut line, 0).await;
    let first = chunk(&mut line, 0, "abcd").await;
    let second = chunk(&mut line, 4, "efgh").await;
    stored(&mut line, &first, 4).await;
    let third = chunk(&mut line, 8, "ij").await;
    refused(&mut line, &second, "storage_failed", 4).await;
    refused(&mut line, &third, "bad_offset", 4).await;
    assert_eq!(open(&mut line, 4).await, json!({"type": "upload", "upload": "u-1"}));
    let second = chunk(&mut line, 4, "efgh").await;
    let third = chunk(&mut line, 8, "ij").await;
    stored(&mut line, &second, 8).await;
    stored(&mut line, &third, 10).await;
    let (_, id) = said(&mut line, "complete").await;
    // A piece of what was under way is missing after all.
    refused(&mut line, &id, "incomplete", 10).await;
    open(&mut line, 10).await;
    complete(&mut line).await;
    soon(uploading).await.unwrap().unwrap();
    assert_eq!(*progress.borrow_and_update(), 10);
}

/// The server had acknowledged it, and lost its disk.
#[tokio::test(start_paused = true)]
async fn what_the_server_lost_is_sent_again_by_a_reader_that_can_go_back() {
    let (client, _script, mut line) = connected().await;
    // Wherever the reader is, the file begins at its beginning.
    let mut file = Cursor::new(b"abcdef");
    file.set_position(2);
    let uploading = start(client.upload(file, "f").seekable());
    lose_all(&mut line).await;
    let first = chunk(&mut line, 0, "abcd").await;
    let second = chunk(&mut line, 4, "ef").await;
    stored(&mut line, &first, 4).await;
    stored(&mut line, &second, 6).await;
    complete(&mut line).await;
    soon(uploading).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_cannot_go_back_to_what_the_server_lost_is_an_error_that_says_so() {
    let (client, _script, mut line) = connected().await;
    let uploading = start(client.upload(stream(b"abcdef"), "f"));
    lose_all(&mut line).await;
    let error = soon(uploading).await.unwrap().unwrap_err();
    let Error::Payload(why) = error else { panic!("{error:?}") };
    assert!(why.contains("only 0 bytes") && why.contains("cannot go back"), "{why}");
    says_no_more(&client, &mut line).await;
}

/// Plays a server that stores six bytes and then has none of them.
async fn lose_all(line: &mut Line) {
    open(line, 0).await;
    let first = chunk(line, 0, "abcd").await;
    let second = chunk(line, 4, "ef").await;
    stored(line, &first, 4).await;
    stored(line, &second, 6).await;
    let (_, id) = said(line, "complete").await;
    refused(line, &id, "incomplete", 0).await;
    open(line, 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_shorter_than_what_the_server_has_is_an_error() {
    let (client, _script, mut line) = connected().await;
    for seekable in [true, false] {
        let upload = client.upload(Cursor::new(b"abc"), "f").key("k");
        let uploading = start(if seekable { upload.seekable() } else { upload });
        open(&mut line, 4).await;
        let error = soon(uploading).await.unwrap().unwrap_err();
        assert!(error.to_string().contains("it has only 3"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_gives_up_after_disturbances_without_headway() {
    let (client, _script, mut line) = connected().await;
    let uploading = start(client.upload(stream(b"abcd"), "f"));
    for _ in 0..9 {
        open(&mut line, 0).await;
        let id = chunk(&mut line, 0, "abcd").await;
        refused(&mut line, &id, "storage_failed", 0).await;
    }
    let error = soon(uploading).await.unwrap().unwrap_err();
    assert_eq!(error.code(), "storage_failed");
    says_no_more(&client, &mut line).await;
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_a_line_as_long_as_the_client_tries() {
    let (client, mut script, mut line) = connected().await;
    let uploading = start(client.upload(stream(b"abcdef"), "f"));
    open(&mut line, 0).await;
    let first = chunk(&mut line, 0, "abcd").await;
    chunk(&mut line, 4, "ef").await;
    stored(&mut line, &first, 4).await;
    drop(line);
    let began = Instant::now();
    // Longer than messages wait for a line.
    while began.elapsed() < Duration::from_secs(300) {
        drop(script.lines.recv().await.unwrap());
    }
    let mut line = script.welcome().await;
    open(&mut line, 4).await;
    let rest = chunk(&mut line, 4, "ef").await;
    stored(&mut line, &rest, 6).await;
    complete(&mut line).await;
    soon(uploading).await.unwrap().unwrap();
}
