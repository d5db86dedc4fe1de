//! Requests that are not taken, and the exact answers. Each is asked as the first request of a
//! connection, which the server reads itself, and as the second, which hyper reads.

mod support;

use support::{Answer, KEY, TestServer, ask, ask_second, handshake};

/// The answers to a connection's first and second request.
async fn both(server: &TestServer, request: &str) -> [Answer; 2] {
    [ask(server.address(), request).await, ask_second(server.address(), request).await]
}

async fn assert_refused(request: &str, status: u16, code: &str, message: &str) -> [Answer; 2] {
    let server = TestServer::start();
    let answers = both(&server, request).await;
    for answer in &answers {
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.error(), (code.to_owned(), message.to_owned()));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    answers
}

#[tokio::test]
async fn a_plain_get_of_a_line_is_told_to_upgrade() {
    let message = "This is a WebSocket endpoint; send Upgrade: websocket.";
    for path in ["/echo", "/chat", "/chat/42"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        for answer in assert_refused(&request, 426, "upgrade_required", message).await {
            assert_eq!(answer.header("upgrade"), Some("websocket"));
            assert_eq!(answer.header("connection"), Some("Upgrade"));
            assert_eq!(answer.header("sec-websocket-version"), Some("13"));
        }
    }
}

#[tokio::test]
async fn another_version_is_told_the_one_there_is() {
    let request = handshake("/echo", "").replace("Version: 13", "Version: 8");
    let message = "Unsupported WebSocket version 8; supported: 13.";
    for answer in assert_refused(&request, 426, "upgrade_required", message).await {
        assert_eq!(answer.header("sec-websocket-version"), Some("13"));
    }
}

#[tokio::test]
async fn a_key_of_12_bytes_is_refused_by_its_length() {
    let request = handshake("/echo", "").replace(KEY, "dGhlIHNhbXBsZSBu");
    let message = "Sec-WebSocket-Key must decode to 16 bytes, got 12.";
    assert_refused(&request, 400, "bad_handshake", message).await;
}

#[tokio::test]
async fn a_post_that_means_to_upgrade_is_refused() {
    let request = handshake("/echo", "").replace("GET", "POST");
    let message = "A WebSocket handshake is a GET request, got POST.";
    assert_refused(&request, 400, "bad_handshake", message).await;
}

#[tokio::test]
async fn a_page_of_another_origin_opens_no_line() {
    let request = handshake("/chat", "Origin: https://evil.test\r\n");
    let message = "Origin https://evil.test is not in http.allowed_origins.";
    assert_refused(&request, 403, "origin_not_allowed", message).await;
}

#[tokio::test]
async fn a_host_that_is_not_this_machine_is_refused() {
    let message = "Host evil.test is not this machine; use localhost or 127.0.0.1.";
    let upgrade = handshake("/echo", "").replace("127.0.0.1", "evil.test");
    assert_refused(&upgrade, 403, "host_not_allowed", message).await;
    let page = "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n";
    assert_refused(page, 403, "host_not_allowed", message).await;
}

#[tokio::test]
async fn a_path_without_anything_is_not_found() {
    let message = "There is nothing at this path.";
    assert_refused("GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404, "not_found", message).await;
    let message = "There is no WebSocket endpoint here; there are /ws, /upload, /echo and /chat.";
    assert_refused(&handshake("/x", ""), 404, "not_found", message).await;
}

#[tokio::test]
async fn a_page_takes_get_only() {
    let request = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n";
    let message = "/ takes GET, got POST.";
    for answer in assert_refused(request, 405, "method_not_allowed", message).await {
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
}

/// Behind another request hyper answers: the same status, but it writes no body, and it looks at the
/// length of a head only where it must read on, so that a little more than 16 KiB may pass.
async fn assert_head_too_large(request: &str, message: &str) {
    let server = TestServer::start();
    let [first, second] = both(&server, request).await;
    assert_eq!(first.status, 431, "{first:?}");
    assert_eq!(first.error(), ("headers_too_large".to_owned(), message.to_owned()));
    assert_eq!(first.header("connection"), Some("close"));
    assert_eq!((second.status, second.body.as_str()), (431, ""));
}

#[tokio::test]
async fn a_head_of_64_kib_is_too_large() {
    let request = handshake("/echo", &format!("X: {}\r\n", "x".repeat(64 << 10)));
    assert_head_too_large(&request, "Request head exceeds 16384 bytes.").await;
}

#[tokio::test]
async fn a_head_of_17_kib_is_too_large() {
    let server = TestServer::start();
    let request = handshake("/echo", &format!("X: {}\r\n", "x".repeat(17 << 10)));
    assert_eq!(ask(server.address(), &request).await.status, 431);
}

#[tokio::test]
async fn a_head_of_65_headers_is_too_large() {
    let more: String = (0..60).map(|index| format!("X-{index}: x\r\n")).collect();
    assert_head_too_large(&handshake("/echo", &more), "Request head has more than 64 headers.")
        .await;
}

#[tokio::test]
async fn a_head_of_64_headers_opens_a_line() {
    let more: String = (0..59).map(|index| format!("X-{index}: x\r\n")).collect();
    let server = TestServer::start();
    for answer in both(&server, &handshake("/echo", &more)).await {
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }
}

#[tokio::test]
async fn what_is_not_http_is_told_so() {
    let server = TestServer::start();
    let answer = ask(server.address(), "HELO there\r\n\r\n").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.error().0, "bad_request");
}
