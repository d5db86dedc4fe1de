//! The client against real servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::backend::{Backend, redirect, reply};
use super::{Allowed, Client, Options, OutboundError, Resolve, Response};

fn allowing(list: &[&str]) -> Options {
    let allow_private = list.iter().map(|text| text.parse().unwrap()).collect();
    Options { allow_private, ..Options::default() }
}

/// Resolves every name to these, the first at first and the last ever after; counts how often.
fn scripted(answers: &[&[&str]]) -> (Resolve, Arc<AtomicUsize>) {
    let answers: Vec<Vec<IpAddr>> =
        answers.iter().map(|list| list.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let resolve: Resolve = Arc::new(move |_, port| {
        let turn = count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        let found = answers[turn].iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        Box::pin(async move { Ok(found) })
    });
    (resolve, asked)
}

async fn get(client: &Client, url: &str) -> Result<Response, OutboundError> {
    client.get(url, HeaderMap::new()).await
}

#[tokio::test]
async fn an_answer_comes_with_status_headers_and_body() {
    let backend = Backend::start(|_, seen| async move {
        let mut response = reply(418, seen.body);
        response.headers_mut().insert("x-mood", HeaderValue::from_static("good"));
        response
    })
    .await;
    let client = Client::new(allowing(&["127.0.0.0/8"]));
    let mut headers = HeaderMap::new();
    headers.insert("x-own", HeaderValue::from_static("yes"));
    let body = Bytes::from_static(b"{}");
    let response = client.post(&backend.url("/a?b=c"), headers, body).await.unwrap();
    assert_eq!(response.status, StatusCode::IM_A_TEAPOT);
    assert_eq!(response.headers["x-mood"], "good");
    assert_eq!(response.body, "{}");
    get(&client, &backend.url("/")).await.unwrap();
    let seen = backend.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("POST", "/a?b=c"));
    assert_eq!(seen[0].header("content-type"), "application/json");
    assert_eq!(seen[0].header("x-own"), "yes");
    assert!(seen[0].header("user-agent").starts_with("openline/"));
    assert_eq!(seen[0].header("host"), format!("127.0.0.1:{}", backend.port()));
    assert_eq!(seen[1].method.as_str(), "GET");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let aim = Backend::always(200, "secret").await;
    let to = aim.url("/latest/meta-data/");
    for (status, to) in [
        (301, "http://169.254.169.254/latest/meta-data/"),
        (302, to.as_str()),
        (303, to.as_str()),
        (307, to.as_str()),
        (308, to.as_str()),
    ] {
        let to = to.to_owned();
        let backend = Backend::start(move |_, _| {
            let to = to.clone();
            async move { redirect(status, &to) }
        })
        .await;
        // Even where all would be allowed.
        let client = Client::new(allowing(&["0.0.0.0/0"]));
        let response = get(&client, &backend.url("/")).await.unwrap();
        assert_eq!(response.status, status);
        assert_eq!(backend.seen().len(), 1);
    }
    assert!(aim.seen().is_empty());
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_however_they_are_written() {
    let backend = Backend::always(200, "secret").await;
    let client = Client::new(Options::default());
    for host in [
        "127.0.0.1",
        "127.0.0.2",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "localhost",
        "LOCALHOST.",
        "0.0.0.0",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        let url = format!("http://{host}:{}/", backend.port());
        let error = get(&client, &url).await.unwrap_err();
        assert!(matches!(error, OutboundError::Refused { .. }), "{host}: {error}");
    }
    assert!(backend.seen().is_empty());
}

#[tokio::test]
async fn a_name_that_resolves_to_a_private_address_is_refused() {
    let backend = Backend::always(200, "secret").await;
    let (resolver, _) = scripted(&[&["127.0.0.1", "10.0.0.1"]]);
    let client = Client::new(Options { resolver, ..Options::default() });
    let url = format!("http://hook.test:{}/path?token=secret", backend.port());
    let error = get(&client, &url).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "hook.test:{} is 127.0.0.1, a loopback address; list 127.0.0.1 if this is meant",
            backend.port()
        )
    );
    assert!(backend.seen().is_empty());
}

#[tokio::test]
async fn the_address_connected_to_is_the_one_that_was_checked() {
    let backend = Backend::start(|_, _| async {
        let mut response = reply(200, "");
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    })
    .await;
    // The name answers with a permitted address once, and with another from then on.
    let (resolver, asked) = scripted(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let client = Client::new(Options { resolver, ..allowing(&["127.0.0.1"]) });
    let url = format!("http://rebinding.test:{}/", backend.port());
    assert_eq!(get(&client, &url).await.unwrap().status, 200);
    assert_eq!(asked.load(Ordering::SeqCst), 1, "one connection resolves once");
    // A new connection is a new check.
    let error = get(&client, &url).await.unwrap_err();
    assert!(matches!(error, OutboundError::Refused { .. }), "{error}");
    assert_eq!(backend.seen().len(), 1);
}

#[tokio::test]
async fn of_several_addresses_only_the_permitted_are_tried() {
    let backend = Backend::always(200, "").await;
    let url = format!("http://mixed.test:{}/", backend.port());
    let (resolver, _) = scripted(&[&["169.254.169.254", "127.0.0.1"]]);
    let client = Client::new(Options { resolver, ..allowing(&["127.0.0.1"]) });
    assert_eq!(get(&client, &url).await.unwrap().status, 200);
    // The one that would answer is refused, and nobody is at the one that is permitted.
    let (resolver, _) = scripted(&[&["127.0.0.1", "127.0.0.2"]]);
    let client = Client::new(Options { resolver, ..allowing(&["127.0.0.2"]) });
    let error = get(&client, &url).await.unwrap_err();
    assert!(matches!(error, OutboundError::Connect { .. }), "{error}");
    assert_eq!(backend.seen().len(), 1);
}

#[tokio::test]
async fn a_listed_host_is_permitted_on_its_port_alone() {
    let listed = Backend::always(200, "listed").await;
    let other = Backend::always(200, "other").await;
    for name in ["127.0.0.1", "localhost"] {
        let allow_private = vec![Allowed::host(name, listed.port())];
        let client = Client::new(Options { allow_private, ..Options::default() });
        let url = |port| format!("http://{name}:{port}/");
        assert_eq!(get(&client, &url(listed.port())).await.unwrap().body, "listed");
        let error = get(&client, &url(other.port())).await.unwrap_err();
        assert!(matches!(error, OutboundError::Refused { .. }), "{error}");
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn connections_are_kept_and_used_again() {
    let backend = Backend::always(200, "").await;
    let (resolver, asked) = scripted(&[&["127.0.0.1"]]);
    let client = Client::new(Options { resolver, ..allowing(&["127.0.0.1"]) });
    for _ in 0..10 {
        let url = format!("http://kept.test:{}/", backend.port());
        assert_eq!(get(&client, &url).await.unwrap().status, 200);
        // A connection goes back when its task has run.
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(asked.load(Ordering::SeqCst) < 10, "no connection was used again");
}

/// Answers with `head` and then with `more` every few milliseconds, without end.
async fn endless(head: &'static str, more: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let more = more.clone();
            tokio::spawn(async move {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(head.as_bytes()).await;
                while stream.write_all(more.as_bytes()).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
    });
    format!("http://{address}/")
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_taken() {
    let options = Options { response_bytes_max: 1000, ..allowing(&["127.0.0.0/8"]) };
    let client = Client::new(options);
    let backend = Backend::start(|number, _| async move {
        reply(201, Body::from(vec![b'x'; if number == 0 { 1000 } else { 1001 }]))
    })
    .await;
    assert_eq!(get(&client, &backend.url("/")).await.unwrap().body.len(), 1000);
    let chunked = "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunked = endless(chunked, "10\r\n0123456789abcdef\r\n".to_owned()).await;
    for url in [backend.url("/"), chunked] {
        let error = get(&client, &url).await.unwrap_err();
        assert_eq!(error.to_string(), "the answer (status 201) is longer than 1000 bytes");
    }
}

#[tokio::test]
async fn a_head_that_is_too_long_is_not_taken() {
    let client = Client::new(allowing(&["127.0.0.0/8"]));
    let url = endless("HTTP/1.1 200 OK\r\n", format!("x-more: {}\r\n", "x".repeat(4096))).await;
    let error = get(&client, &url).await.unwrap_err();
    assert!(matches!(error, OutboundError::Ended(_)), "{error}");
}

#[tokio::test]
async fn the_time_is_for_all_of_an_answer() {
    let url = endless("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", "x".to_owned()).await;
    let timeout = Duration::from_millis(200);
    let client = Client::new(Options { timeout, ..allowing(&["127.0.0.0/8"]) });
    let error = get(&client, &url).await.unwrap_err();
    assert!(matches!(error, OutboundError::Timeout(after) if after == timeout), "{error}");
}

#[tokio::test]
async fn connecting_has_a_time_of_its_own() {
    let resolver: Resolve = Arc::new(|_, _| Box::pin(std::future::pending()));
    let connect_timeout = Duration::from_millis(50);
    let client = Client::new(Options { resolver, connect_timeout, ..Options::default() });
    let error = get(&client, "http://silent.test/").await.unwrap_err();
    assert!(matches!(error, OutboundError::Timeout(after) if after == connect_timeout), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let client = Client::new(allowing(&["127.0.0.0/8"]));
    let text = get(&client, "http://127.0.0.1:1/?key=secret").await.unwrap_err().to_string();
    assert!(text.starts_with("cannot connect to 127.0.0.1:1: "), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn what_is_wrong_with_a_url_is_said_without_showing_it() {
    let client = Client::new(Options::default());
    for (url, what) in [
        ("secret", "http://"),
        ("ftp://a.test/secret", "http://"),
        ("http:///secret", "URL"),
        ("http://user:secret@a.test/", "header"),
        ("http://a.test:0/secret", "port"),
        ("http://a b/secret", "not a URL"),
    ] {
        let text = get(&client, url).await.unwrap_err().to_string();
        assert!(text.contains(what) && !text.contains("secret"), "{url}: {text}");
    }
}
