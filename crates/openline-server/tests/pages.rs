//! The pages and the health checks.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::PathBuf;

use support::{TestServer, ask};

async fn get(server: &TestServer, path: &str) -> support::Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    ask(server.address(), &request).await
}

#[tokio::test]
async fn every_file_of_the_built_pages_is_served() {
    let server = TestServer::start();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../web/dist");
    let mut count = 0;
    for file in folder.read_dir().unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        let answer = get(&server, &format!("/{name}")).await;
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(answer.body, std::fs::read_to_string(file.path()).unwrap(), "{name}");
        count += 1;
    }
    assert!(count > 0);
}

#[tokio::test]
async fn the_root_is_the_index() {
    let server = TestServer::start();
    assert_eq!(get(&server, "/").await.body, get(&server, "/index.html").await.body);
}

#[tokio::test]
async fn every_page_is_at_its_name() {
    let server = TestServer::start();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../web/dist");
    let pages = folder.read_dir().unwrap().map(|file| file.unwrap().file_name());
    let pages = pages.filter_map(|name| Some(name.to_str()?.strip_suffix(".html")?.to_owned()));
    for page in pages.collect::<Vec<_>>() {
        let answer = get(&server, &format!("/{page}")).await;
        // A chat client knocks at this path.
        let expected = if page == "chat" { 426 } else { 200 };
        assert_eq!(answer.status, expected, "{page}");
    }
    assert_eq!(get(&server, "/nothing").await.status, 404);
}

#[tokio::test]
async fn without_the_demo_its_pages_are_not_there() {
    let mut config = openline_server::Config::default();
    config.demo = false;
    let server = TestServer::with_config(config);
    for path in ["/", "/index.html", "/chat.html"] {
        assert_eq!(get(&server, path).await.status, 404, "{path}");
    }
    assert_eq!(get(&server, "/style.css").await.status, 200);
}

#[tokio::test]
async fn a_page_says_what_it_is_and_what_it_may_do() {
    let server = TestServer::start();
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/chat.html", "text/html; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/chat.js", "text/javascript; charset=utf-8"),
        ("/bench.js", "text/javascript; charset=utf-8"),
        ("/favicon.svg", "image/svg+xml"),
    ] {
        let answer = get(&server, path).await;
        assert_eq!(answer.header("content-type"), Some(kind), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'self'; connect-src 'self' ws: wss:;"), "{policy}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
}

#[tokio::test]
async fn a_head_request_gets_the_head_alone() {
    let server = TestServer::start();
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let request = b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request).await.unwrap();
    let head = support::read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let mut rest = Vec::new();
    support::soon(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest)).await.unwrap();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn health_is_told() {
    let server = TestServer::start();
    for path in ["/health/live", "/health/ready"] {
        let answer = get(&server, path).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    }
}
