//! The client's side of opening a line.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use openline_ws::proto::handshake::client::ResponseError;
use openline_ws::proto::handshake::server::Offer;
use openline_ws::proto::handshake::{HeadReader, encode_response};
use openline_ws::{ConnectError, Connector, DeflateOptions, Proxy, Transport, WebSocket};
use support::frames::{TEXT, plain};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    (listener, url)
}

/// Reads a head to its end and nothing behind it.
async fn read_head(stream: &mut TcpStream) -> HeadReader {
    let mut head = HeadReader::new();
    while !head.handle_input(&[stream.read_u8().await.unwrap()]).unwrap() {}
    head
}

/// What a client makes of a server that sends `response` to its handshake and then goes.
async fn connected_to(response: &str) -> Result<WebSocket<Transport>, ConnectError> {
    let (listener, url) = listener().await;
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(response.as_bytes()).await.unwrap();
    };
    let connector = Connector::new();
    tokio::join!(connector.connect(&url), serving).0
}

async fn error_of(response: &str) -> ConnectError {
    connected_to(response).await.map(drop).unwrap_err()
}

/// An echo server that gives the first subprotocol that is offered.
async fn echo_server() -> (String, JoinHandle<http::Request<()>>) {
    let (listener, url) = listener().await;
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream).await
    });
    (url, task)
}

async fn serve<S>(stream: S) -> http::Request<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut pending = openline_ws::accept(stream).await.unwrap();
    let (parts, ()) = pending.request().clone().into_parts();
    if let Some(first) = pending.protocols().first().cloned() {
        pending = pending.protocol(first);
    }
    let mut ws = pending.accept().await.unwrap();
    while let Some(message) = ws.recv().await.unwrap() {
        ws.send(message).await.unwrap();
    }
    http::Request::from_parts(parts, ())
}

async fn echoes(ws: &mut WebSocket<Transport>) {
    ws.send("ping-pong").await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some("ping-pong".into()));
    ws.close(1000, "").await.unwrap();
}

#[tokio::test]
async fn subprotocols_headers_and_compression_are_offered() {
    let (url, server) = echo_server().await;
    let connector = Connector::new()
        .protocol("v2")
        .protocol("v1")
        .header(HeaderName::from_static("x-who"), HeaderValue::from_static("me"))
        .header(HeaderName::from_static("x-who"), HeaderValue::from_static("and me"));
    let mut ws = connector.connect(&format!("{url}path?query")).await.unwrap();
    assert_eq!(ws.protocol(), Some("v2"));
    assert!(ws.deflate().is_some());
    echoes(&mut ws).await;
    let request = server.await.unwrap();
    assert_eq!(request.uri(), "/path?query");
    assert_eq!(request.headers()["sec-websocket-protocol"], "v2, v1");
    assert_eq!(request.headers().get_all("x-who").iter().count(), 2);
    assert_eq!(format!("ws://{}/", request.headers()["host"].to_str().unwrap()), url);
}

#[tokio::test]
async fn compression_can_be_switched_off() {
    let (url, server) = echo_server().await;
    let connector = Connector::new().deflate(DeflateOptions::disabled());
    let mut ws = connector.connect(&url).await.unwrap();
    assert!(ws.deflate().is_none());
    echoes(&mut ws).await;
    assert!(!server.await.unwrap().headers().contains_key("sec-websocket-extensions"));
}

#[tokio::test]
async fn user_and_password_in_the_address_are_basic_authorization_and_not_in_host() {
    let (url, server) = echo_server().await;
    let with_user = url.replace("ws://", "ws://me:secret@");
    let mut ws = openline_ws::connect(&with_user).await.unwrap();
    echoes(&mut ws).await;
    let request = server.await.unwrap();
    assert_eq!(request.headers()["authorization"], "Basic bWU6c2VjcmV0");
    assert_eq!(format!("ws://{}/", request.headers()["host"].to_str().unwrap()), url);
}

#[tokio::test]
async fn a_host_header_of_the_callers_takes_the_place_of_the_addresss() {
    let (url, server) = echo_server().await;
    let host = HeaderValue::from_static("virtual.test");
    let connector = Connector::new().header(http::header::HOST, host);
    echoes(&mut connector.connect(&url).await.unwrap()).await;
    let request = server.await.unwrap();
    assert_eq!(request.headers().get_all("host").iter().collect::<Vec<_>>(), ["virtual.test"]);
}

#[tokio::test]
async fn a_request_that_cannot_be_made_opens_no_connection() {
    let (listener, url) = listener().await;
    let key = HeaderName::from_static("sec-websocket-key");
    let wrong = [
        Connector::new().header(key, HeaderValue::from_static("x")),
        Connector::new().protocol("not a token"),
        Connector::new().protocol("twice").protocol("twice"),
    ];
    for connector in wrong {
        let error = connector.connect(&url).await.map(drop).unwrap_err();
        assert!(matches!(error, ConnectError::Request(_)), "{error:?}");
    }
    assert!(support::is_waiting(listener.accept()).await);
}

#[tokio::test]
async fn addresses_that_are_none_are_refused_with_what_is_wrong() {
    for (url, what) in [
        ("http://a.test/", "has the scheme http; use ws"),
        ("a.test", "has to begin with ws:// or wss://"),
        ("ws://", "is not a URL"),
        ("ws:///path", "is not a URL"),
        ("", "is not a URL"),
    ] {
        let error = openline_ws::connect(url).await.map(drop).unwrap_err();
        assert_eq!(error.to_string(), format!("invalid address: {url:?} {what}"));
    }
}

#[tokio::test]
async fn frames_that_came_with_the_101_are_received() {
    let (listener, url) = listener().await;
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let offer = Offer::from_http1(&read_head(&mut stream).await.request().unwrap()).unwrap();
        let (response, _) = offer.accept(None, &DeflateOptions::disabled());
        let part = plain(TEXT, "cut in two");
        let first = [encode_response(&response.map(|()| [])), plain(TEXT, "1"), part[..5].to_vec()];
        stream.write_all(&first.concat()).await.unwrap();
        support::settle().await;
        stream.write_all(&part[5..]).await.unwrap();
        stream
    };
    let (ws, _stream) = tokio::join!(openline_ws::connect(&url), serving);
    let mut ws = ws.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some("1".into()));
    assert_eq!(ws.recv().await.unwrap(), Some("cut in two".into()));
}

// Servers that do not open the line.

#[tokio::test]
async fn a_wrong_accept_key_is_refused() {
    let error = error_of(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    )
    .await;
    assert_eq!(
        error.to_string(),
        "server's handshake is invalid: Sec-WebSocket-Accept does not match the key"
    );
}

#[tokio::test]
async fn another_status_than_101_is_told() {
    for status in ["404 Not Found", "200 OK", "401 Unauthorized", "503 Service Unavailable"] {
        let error = error_of(&format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")).await;
        let ConnectError::Response(ResponseError::Status(told)) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(told.to_string(), status);
    }
}

#[tokio::test]
async fn a_redirect_is_refused_and_tells_where_to() {
    let error = error_of("HTTP/1.1 302 Found\r\nLocation: ws://elsewhere.test/\r\n\r\n").await;
    assert_eq!(
        error.to_string(),
        "server redirects (302) to ws://elsewhere.test/; redirects are not followed"
    );
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_told_as_that() {
    for bytes in ["SSH-2.0-OpenSSH_10.0\r\n\r\n", "\x15\x03\x01\x00\x02\r\n\r\n"] {
        let error = error_of(bytes).await;
        assert!(matches!(error, ConnectError::Head(_)), "{error:?}");
        assert!(error.to_string().starts_with("server does not speak HTTP/1.1: "), "{error}");
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_refused() {
    let error = error_of(&format!("HTTP/1.1 101 S\r\nX: {}", "x".repeat(20_000))).await;
    assert_eq!(error.to_string(), "server's response head is too large");
}

#[tokio::test]
async fn a_server_that_ends_the_connection_is_told_as_that() {
    for begun in ["", "HTTP/1.1 101 Swi"] {
        let error = error_of(begun).await;
        assert_eq!(error.to_string(), "server ended the connection during the handshake");
    }
}

#[tokio::test]
async fn a_port_that_refuses_is_named() {
    let (listener, url) = listener().await;
    drop(listener);
    let error = openline_ws::connect(&url).await.map(drop).unwrap_err();
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    assert!(matches!(error, ConnectError::Connect { .. }), "{error:?}");
    assert!(error.to_string().starts_with(&format!("cannot connect to {address}: ")), "{error}");
}

#[tokio::test]
async fn a_host_that_does_not_resolve_is_named() {
    let connector = Connector::new().no_proxy();
    let error = connector.connect("ws://no-such-host.invalid/").await.map(drop).unwrap_err();
    assert!(matches!(error, ConnectError::Resolve { .. }), "{error:?}");
    assert!(error.to_string().starts_with("cannot resolve no-such-host.invalid: "), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_after_the_timeout() {
    let (_listener, url) = listener().await;
    let connector = Connector::new().timeout(Duration::from_millis(50));
    let error = connector.connect(&url).await.map(drop).unwrap_err();
    assert!(matches!(error, ConnectError::Timeout(t) if t == Duration::from_millis(50)));
}

// Proxies.

/// A proxy that takes one CONNECT, and passes bytes on if it answers 200. Returns what it was asked.
async fn proxy(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let head = read_head(&mut client).await;
        let head = String::from_utf8(head.into_bytes()).unwrap();
        client.write_all(answer.as_bytes()).await.unwrap();
        if answer.contains(" 200 ") {
            let target = head.split(' ').nth(1).unwrap();
            let mut server = TcpStream::connect(target).await.unwrap();
            tokio::io::copy_bidirectional(&mut client, &mut server).await.unwrap();
        }
        head
    });
    (address, task)
}

#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel_with_authorization() {
    let (url, server) = echo_server().await;
    let (address, asked) = proxy("HTTP/1.1 200 Connection Established\r\n\r\n").await;
    let proxy = Proxy::parse(&format!("http://user:p%40ss@{address}")).unwrap();
    let mut ws = Connector::new().proxy(proxy).connect(&url).await.unwrap();
    assert_eq!(ws.get_ref().peer_address().unwrap(), address);
    echoes(&mut ws).await;
    server.await.unwrap();
    drop(ws);
    let target = url.trim_start_matches("ws://").trim_end_matches('/');
    assert_eq!(
        asked.await.unwrap(),
        format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\
             Proxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n"
        )
    );
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told_with_its_status() {
    let answers = [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407 Proxy Authentication Required"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "502 Bad Gateway"),
    ];
    for (answer, status) in answers {
        let (address, asked) = proxy(answer).await;
        let connector = Connector::new().proxy(Proxy::parse(&address.to_string()).unwrap());
        let error = connector.connect("ws://target.test:81/").await.map(drop).unwrap_err();
        let expected = format!("proxy: it answered {status} to CONNECT target.test:81");
        assert_eq!(error.to_string(), expected);
        // The proxy resolves the name, not this side.
        assert!(asked.await.unwrap().starts_with("CONNECT target.test:81 HTTP/1.1\r\n"));
    }
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let connector = Connector::new().proxy(Proxy::parse(&format!("http://{address}")).unwrap());
    let error = connector.connect("ws://target.test/").await.map(drop).unwrap_err();
    assert!(matches!(error, ConnectError::Proxy(_)), "{error:?}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[cfg(feature = "tls")]
mod tls {
    //! wss.

    use std::path::PathBuf;
    use std::sync::Arc;

    use openline_ws::tls::rustls::ClientConfig;
    use openline_ws::tls::{TlsAcceptor, certificates, client_config, server_config};

    use super::*;

    /// A certificate for `name`, as files that are removed in the end.
    struct Identity {
        folder: PathBuf,
    }

    impl Identity {
        fn new(test: &str, name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("{test}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            let issued = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
            std::fs::write(folder.join("cert.pem"), issued.cert.pem()).unwrap();
            std::fs::write(folder.join("key.pem"), issued.signing_key.serialize_pem()).unwrap();
            Self { folder }
        }

        fn certificate(&self) -> PathBuf {
            self.folder.join("cert.pem")
        }

        /// A client's settings that trust it.
        fn trusted(&self) -> Arc<ClientConfig> {
            client_config(certificates(&self.certificate()).unwrap())
        }

        /// A server that serves one line; returns its port.
        async fn server(&self, bind: &str) -> u16 {
            let key = self.folder.join("key.pem");
            let config = server_config(&self.certificate(), &key, &["http/1.1"]).unwrap();
            let listener = TcpListener::bind((bind, 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            tokio::spawn(async move {
                let (stream, _) = listener.accept().await.unwrap();
                if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                    serve(stream).await;
                }
            });
            port
        }
    }

    impl Drop for Identity {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }

    #[tokio::test]
    async fn a_certificate_of_a_known_issuer_is_accepted() {
        let identity = Identity::new("known", "localhost");
        let port = identity.server("127.0.0.1").await;
        let connector = Connector::new().tls(identity.trusted());
        let mut ws = connector.connect(&format!("wss://localhost:{port}/")).await.unwrap();
        echoes(&mut ws).await;
        assert!(ws.closed().unwrap().clean);
    }

    #[tokio::test]
    async fn large_messages_pass_through_tls_both_ways() {
        let identity = Identity::new("large", "localhost");
        let port = identity.server("127.0.0.1").await;
        let connector =
            Connector::new().tls(identity.trusted()).deflate(DeflateOptions::disabled());
        let mut ws = connector.connect(&format!("wss://localhost:{port}/")).await.unwrap();
        let large = vec![7; 1 << 20];
        ws.send(large.clone()).await.unwrap();
        assert!(ws.recv().await.unwrap() == Some(large.into()));
        ws.close(1000, "").await.unwrap();
    }

    #[tokio::test]
    async fn an_address_of_ipv6_is_checked_without_its_brackets() {
        let identity = Identity::new("ipv6", "::1");
        if TcpListener::bind("[::1]:0").await.is_err() {
            return;
        }
        let port = identity.server("::1").await;
        let connector = Connector::new().tls(identity.trusted());
        let mut ws = connector.connect(&format!("wss://[::1]:{port}/")).await.unwrap();
        echoes(&mut ws).await;
    }

    #[tokio::test]
    async fn a_certificate_of_an_unknown_issuer_is_refused() {
        let identity = Identity::new("unknown", "localhost");
        let port = identity.server("127.0.0.1").await;
        let url = format!("wss://localhost:{port}/");
        let error = openline_ws::connect(&url).await.map(drop).unwrap_err();
        assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    }

    #[tokio::test]
    async fn a_certificate_for_another_name_is_refused() {
        let identity = Identity::new("other", "other.test");
        let port = identity.server("127.0.0.1").await;
        let connector = Connector::new().tls(identity.trusted());
        let url = format!("wss://localhost:{port}/");
        let error = connector.connect(&url).await.map(drop).unwrap_err();
        assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");
        assert!(error.to_string().contains("not valid for name"), "{error}");
    }

    #[tokio::test]
    async fn a_server_without_tls_is_told_as_that() {
        let (listener, url) = listener().await;
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            stream
        };
        let url = url.replace("ws://", "wss://");
        let (connected, _stream) = tokio::join!(openline_ws::connect(&url), serving);
        let error = connected.map(drop).unwrap_err();
        assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");
    }

    #[tokio::test]
    async fn wss_passes_through_a_proxy() {
        let identity = Identity::new("proxied", "localhost");
        let port = identity.server("127.0.0.1").await;
        let (address, asked) = proxy("HTTP/1.1 200 OK\r\n\r\n").await;
        let connector = Connector::new()
            .tls(identity.trusted())
            .proxy(Proxy::parse(&format!("http://{address}")).unwrap());
        let mut ws = connector.connect(&format!("wss://localhost:{port}/")).await.unwrap();
        echoes(&mut ws).await;
        drop(ws);
        assert!(asked.await.unwrap().starts_with(&format!("CONNECT localhost:{port} ")));
    }

    #[test]
    fn files_that_are_no_certificates_are_named() {
        let missing = PathBuf::from("no-such-file.pem");
        let error = certificates(&missing).unwrap_err();
        assert!(error.to_string().starts_with("no-such-file.pem: "), "{error}");

        let identity = Identity::new("files", "localhost");
        let empty = identity.folder.join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        let error = certificates(&empty).unwrap_err();
        assert!(error.to_string().ends_with("there is no certificate in it"), "{error}");

        let other = Identity::new("files-other", "localhost");
        let key = other.folder.join("key.pem");
        let error = server_config(&identity.certificate(), &key, &[]).unwrap_err();
        assert!(error.to_string().contains("key.pem"), "{error}");
    }
}
