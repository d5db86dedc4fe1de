//! Files, sent to a server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Cursor;

use support::{TestServer, soon};

/// Bytes that look like nothing else.
fn file(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// What the server hands out under a file's address.
async fn fetched(server: &TestServer, url: &str) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head = format!("GET {url} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..body]));
    answer.split_off(body)
}

#[tokio::test]
async fn a_file_is_stored_as_it_was_read_over_lines_that_are_cut() {
    let server = TestServer::start();
    let (builder, scissors) = server.client();
    let client = builder.build().unwrap();
    soon(client.connect()).await.unwrap();
    let sent = file(3 << 20);
    let upload = client.upload(Cursor::new(sent.clone()), "noise.bin").size(sent.len() as u64);
    let control = upload.control();
    let uploading = tokio::spawn(upload.into_future());
    let mut stored = control.stored();
    for quarter in 1..4_u64 {
        soon(stored.wait_for(|stored| *stored >= quarter * (3 << 18))).await.unwrap();
        scissors.cut();
    }
    let stored_file = soon(uploading).await.unwrap().unwrap();
    assert_eq!((stored_file.name.as_str(), stored_file.size), ("noise.bin", sent.len() as u64));
    assert!(fetched(&server, &stored_file.url).await == sent, "the file is another one");
    assert_eq!(*control.stored().borrow(), sent.len() as u64);
}

#[tokio::test]
async fn a_paused_upload_sends_nothing_until_it_goes_on_and_others_are_served() {
    let server = TestServer::start();
    let client = server.client().0.build().unwrap();
    soon(client.connect()).await.unwrap();
    let sent = file(1 << 20);
    let upload = client.upload(Cursor::new(sent.clone()), "noise.bin");
    let control = upload.control();
    control.pause();
    let uploading = tokio::spawn(upload.into_future());
    soon(client.publish("room", &1).into_future()).await.unwrap();
    assert_eq!(*control.stored().borrow(), 0);
    control.resume();
    let stored = soon(uploading).await.unwrap().unwrap();
    assert!(fetched(&server, &stored.url).await == sent, "the file is another one");
}

#[tokio::test]
async fn an_upload_is_begun_again_under_its_key_behind_what_is_stored() {
    let server = TestServer::start();
    let client = server.client().0.build().unwrap();
    soon(client.connect()).await.unwrap();
    let sent = file(1 << 20);
    // A reader that fails in the middle, as one does whose disk is taken away.
    let half = tokio::io::AsyncReadExt::chain(Cursor::new(sent[..1 << 19].to_vec()), Broken);
    let first = client.upload(half, "noise.bin").key("k").size(1 << 20);
    let error = soon(first.into_future()).await.unwrap_err();
    assert_eq!(error.code(), "bad_payload");
    let again = client.upload(Cursor::new(sent.clone()), "noise.bin").key("k").size(1 << 20);
    let stored = soon(again.into_future()).await.unwrap();
    assert!(fetched(&server, &stored.url).await == sent, "the file is another one");
}

#[tokio::test]
async fn the_server_compares_the_sum() {
    let server = TestServer::start();
    let client = server.client().0.build().unwrap();
    soon(client.connect()).await.unwrap();
    let sum = "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824";
    let upload = client.upload(Cursor::new(b"hello"), "hello.txt").sha256(sum);
    let stored = soon(upload.into_future()).await.unwrap();
    assert_eq!(stored.sha256, sum.to_lowercase());
    let upload = client.upload(Cursor::new(b"hell0"), "hello.txt").sha256(sum);
    let error = soon(upload.into_future()).await.unwrap_err();
    assert_eq!(error.code(), "checksum_mismatch");
}

#[tokio::test]
async fn another_client_goes_on_with_a_transfer_by_its_name() {
    let server = TestServer::start();
    let client = server.client().0.build().unwrap();
    soon(client.connect()).await.unwrap();
    let sent = file(1 << 20);
    let half = tokio::io::AsyncReadExt::chain(Cursor::new(sent[..1 << 19].to_vec()), Broken);
    let first = client.upload(half, "noise.bin").size(1 << 20);
    let control = first.control();
    soon(first.into_future()).await.unwrap_err();
    let name = control.upload_name().borrow().clone().unwrap();
    drop(client);

    let client = server.client().0.build().unwrap();
    soon(client.connect()).await.unwrap();
    let again = client.upload(Cursor::new(sent.clone()), "another").seekable().resume(name.clone());
    let stored = soon(again.into_future()).await.unwrap();
    assert_eq!((stored.name.as_str(), &*stored.upload), ("noise.bin", &*name));
    assert!(fetched(&server, &stored.url).await == sent, "the file is another one");
}

#[tokio::test]
async fn the_server_has_nothing_of_what_was_cancelled() {
    let server = TestServer::start();
    let client = server.client().0.build().unwrap();
    soon(client.connect()).await.unwrap();
    let upload = client.upload(Cursor::new(file(1 << 20)), "noise.bin").key("k");
    let control = upload.control();
    let uploading = tokio::spawn(upload.into_future());
    soon(control.stored().wait_for(|stored| *stored > 0)).await.unwrap();
    control.cancel();
    assert_eq!(soon(uploading).await.unwrap().unwrap_err(), openline_client::Error::Cancelled);
    let name = control.upload_name().borrow().clone().unwrap();
    let again = client.upload(Cursor::new(file(1 << 20)), "noise.bin").resume(name);
    assert_eq!(soon(again.into_future()).await.unwrap_err().code(), "not_found");
}

struct Broken;

impl tokio::io::AsyncRead for Broken {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Err(std::io::Error::other("the disk is gone")))
    }
}
