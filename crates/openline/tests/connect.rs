//! `openline connect` in a pipe, against small servers of this file's own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use openline_ws::{Acceptor, Incoming, Pending, WebSocket};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Socket = WebSocket<TcpStream>;

/// A server that does the same with every connection; returns `host:port`.
async fn serve<F>(handle: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handle(stream));
        }
    });
    address
}

async fn pending(stream: TcpStream) -> Pending<TcpStream> {
    Acceptor::new().accept(stream).await.unwrap()
}

async fn opened(stream: TcpStream) -> Socket {
    pending(stream).await.accept().await.unwrap()
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocket<S>) {
    while let Ok(Some(message)) = ws.recv().await {
        let _ = ws.send(message).await;
    }
}

async fn echo_server() -> String {
    serve(|stream| async { echo(opened(stream).await).await }).await
}

/// A server that answers whatever comes with these bytes.
async fn answering(answer: &'static str) -> String {
    serve(move |mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openline"));
    command.arg("connect").args(arguments).env("NO_PROXY", "*").env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the client to its end with this input.
async fn connect(arguments: &[&str], input: &[u8]) -> Run {
    let (mut command, input) = (command(arguments), input.to_vec());
    let run = move || {
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writing = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writing.join().unwrap();
        Run::from(output)
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[derive(Debug)]
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Run {
    /// Asserts that it failed with one line that says so, and with nothing else.
    #[track_caller]
    fn failed(&self, code: i32, what: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        assert!(self.err.starts_with("openline: "), "{self:?}");
        assert!(self.err.contains(what), "{self:?}");
    }

    #[track_caller]
    fn went_well(&self, out: &str) {
        assert_eq!((self.code, self.out.as_str()), (Some(0), out), "{self:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_come_back_from_an_echo() {
    let server = echo_server().await;
    let run = connect(&[&format!("ws://{server}/x")], b"hello\n{\"n\": 1}\n").await;
    run.went_well("hello\n{\"n\": 1}\n");
    let expected = format!(
        "connected to ws://{server}/x (no subprotocol, compression)\n\
         closed by you: 1000 (normal closure)\n"
    );
    assert_eq!(run.err, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_is_hex_in_both_directions() {
    let server = echo_server().await;
    let run = connect(&["--binary", &format!("ws://{server}")], b"00ff\n0x DE AD\n\n").await;
    run.went_well("00ff\ndead\n\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_of_lines_goes_through_in_order() {
    let server = echo_server().await;
    let lines: String = (0..20_000).map(|n| format!("line {n} {}\n", "x".repeat(50))).collect();
    let run = connect(&[&format!("ws://{server}")], lines.as_bytes()).await;
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.out == lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn input_waits_for_a_server_that_does_not_read() {
    let server = serve(|stream| async {
        let mut ws = opened(stream).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        let mut bytes = 0;
        while let Ok(Some(message)) = ws.recv().await {
            bytes += message.as_bytes().len() + 1;
            if message.as_text() == Some("end") {
                let _ = ws.send(bytes.to_string()).await;
            }
        }
    })
    .await;
    // Random, so that compression does not make it small.
    let mut input: String = (0..400_000_u64)
        .map(|n| format!("{:016x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    input.push_str("end\n");
    let run = connect(&["--no-deflate", &format!("ws://{server}")], input.as_bytes()).await;
    run.went_well(&format!("{}\n", input.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subprotocol_is_offered_and_told() {
    let server = serve(|stream| async {
        let pending = pending(stream).await;
        let chosen = pending.protocols().last().unwrap().clone();
        echo(pending.protocol(chosen).accept().await.unwrap()).await;
    })
    .await;
    let url = format!("ws://{server}");
    let run = connect(&["-s", "a", "--subprotocol", "b", "--no-deflate", &url], b"").await;
    run.went_well("");
    assert!(run.err.contains("(subprotocol b, no compression)"), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_sent() {
    let server = serve(|stream| async {
        let pending = pending(stream).await;
        let headers = pending.request().headers();
        let seen = format!("{:?} {:?}", headers["x-key"], headers["authorization"]);
        let mut ws = pending.accept().await.unwrap();
        let _ = ws.send(seen).await;
        echo(ws).await;
    })
    .await;
    let run = connect(&["-H", "X-Key: a: b", &format!("ws://me:secret@{server}")], b"").await;
    run.went_well("\"a: b\" \"Basic bWU6c2VjcmV0\"\n");
    assert!(!run.err.contains("secret"), "{}", run.err);
}

async fn closing_server(code: u16, reason: &'static str) -> String {
    serve(move |stream| async move {
        let mut ws = opened(stream).await;
        let _ = ws.send("bye").await;
        let _ = ws.close(code, reason).await;
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_for_an_error_is_told_and_is_an_error() {
    let server = closing_server(4001, "elsewhere").await;
    // The input stays open: the server's close ends the client all the same.
    let mut child = command(&[&format!("ws://{server}")]).spawn().unwrap();
    let input = child.stdin.take();
    let run = tokio::task::spawn_blocking(|| Run::from(child.wait_with_output().unwrap()));
    let run = run.await.unwrap();
    drop(input);
    assert_eq!((run.code, run.out.as_str()), (Some(1), "bye\n"), "{run:?}");
    let last = run.err.lines().last().unwrap();
    let expected =
        "openline: closed by the server: 4001 (the application's own code) \"elsewhere\"";
    assert_eq!(last, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_means_no_error_is_none() {
    for (code, name) in [(1000, "1000 (normal closure)"), (1001, "1001 (going away)")] {
        let server = closing_server(code, "").await;
        let run = connect(&["--linger", "5", &format!("ws://{server}")], b"").await;
        run.went_well("bye\n");
        assert_eq!(run.err.lines().last().unwrap(), format!("closed by the server: {name}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_without_a_close_frame_is_an_error() {
    let server = serve(|stream| async { drop(opened(stream).await) }).await;
    let run = connect(&["--linger", "5", &format!("ws://{server}")], b"").await;
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.err.contains("without a close frame (1006)"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_breaks_the_protocol_is_told_on() {
    let server = serve(|stream| async {
        let pending = pending(stream).await;
        let mut stream = pending.accept().await.unwrap();
        // The line above stays silent; what follows on the same socket is ours: a frame that no
        // server may send, masked.
        let raw = stream.get_ref();
        raw.writable().await.unwrap();
        raw.try_write(&[0x81, 0x80, 0, 0, 0, 0]).unwrap();
        let _ = stream.recv().await;
    })
    .await;
    let run = connect(&["--linger", "5", &format!("ws://{server}")], b"").await;
    assert_eq!(run.code, Some(76), "{run:?}");
    assert!(run.err.contains("closed with 1002: frame from server is masked"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_are_answered_and_told_if_wanted() {
    let server = serve(|stream| async {
        let mut ws = opened(stream).await;
        let _ = ws.ping(b"are you there").await;
        while let Ok(Some(incoming)) = ws.recv_any().await {
            if let Incoming::Pong(payload) = incoming {
                let _ = ws.send(payload).await;
            }
        }
    })
    .await;
    let run = connect(&["-v", &format!("ws://{server}")], b"").await;
    run.went_well("61726520796f75207468657265\n");
    assert!(run.err.contains("received ping \"are you there\"\n"), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_input_a_server_may_take_its_time_but_not_for_ever() {
    let server = serve(|stream| async {
        let mut ws = opened(stream).await;
        while let Ok(Some(message)) = ws.recv().await {
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_millis(200)).await;
                let _ = ws.send(message.clone()).await;
            }
        }
    })
    .await;
    let began = Instant::now();
    let run = connect(&[&format!("ws://{server}")], b"a\n").await;
    run.went_well("a\na\na\na\n");
    assert!(began.elapsed() >= Duration::from_millis(4 * 200 + 500));
    let run = connect(&["--linger", "0.05", &format!("ws://{server}")], b"a\n").await;
    run.went_well("");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_after_the_input_ends_too() {
    let server = serve(|stream| async {
        let (mut reader, sender) = opened(stream).await.split();
        tokio::spawn(async move { while sender.send("again").await.is_ok() {} });
        while let Ok(Some(_)) = reader.recv().await {}
    })
    .await;
    let began = Instant::now();
    let run = connect(&["--linger", "0.1", &format!("ws://{server}")], b"").await;
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(began.elapsed() >= Duration::from_secs(2));
    assert!(run.out.lines().all(|line| line == "again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_the_output_may_stop() {
    let server = serve(|stream| async {
        let mut ws = opened(stream).await;
        while ws.send("again and again").await.is_ok() {}
    })
    .await;
    let mut child = command(&[&format!("ws://{server}")]).spawn().unwrap();
    let input = child.stdin.take();
    child.stdout.take().unwrap().read_exact(&mut [0; 5]).unwrap();
    let run = tokio::task::spawn_blocking(|| Run::from(child.wait_with_output().unwrap()));
    let run = run.await.unwrap();
    drop(input);
    run.went_well("");
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_closes_the_line() {
    let server = echo_server().await;
    for signal in ["-INT", "-TERM"] {
        let mut child = command(&[&format!("ws://{server}")]).spawn().unwrap();
        let input = child.stdin.as_mut().unwrap();
        input.write_all(b"hello\n").unwrap();
        read_exactly(&mut child, "hello\n");
        let killed = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(killed.unwrap().success());
        let stdin = child.stdin.take();
        let run = tokio::task::spawn_blocking(|| Run::from(child.wait_with_output().unwrap()));
        let run = run.await.unwrap();
        drop(stdin);
        run.went_well("");
        assert!(run.err.ends_with("closed by you: 1000 (normal closure)\n"), "{}", run.err);
    }
}

fn read_exactly(child: &mut Child, expected: &str) {
    let mut read = vec![0; expected.len()];
    child.stdout.as_mut().unwrap().read_exact(&mut read).unwrap();
    assert_eq!(read, expected.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn input_that_cannot_be_sent_names_its_line() {
    let server = echo_server().await;
    let url = format!("ws://{server}");
    let run = connect(&["-b", &url], b"00\nxy\n01\n").await;
    assert_eq!((run.code, run.out.as_str()), (Some(65), "00\n"), "{run:?}");
    let last = run.err.lines().last().unwrap();
    assert_eq!(last, "openline: line 2 of the input is not hex: 'x' is no hex digit");
    let run = connect(&[&url], b"caf\xe9\n").await;
    assert_eq!(run.code, Some(65), "{run:?}");
    assert!(run.err.contains("line 1 of the input is not UTF-8"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_refuses_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let run = connect(&[&format!("ws://{address}")], b"").await;
    run.failed(69, &format!("cannot connect to {address}: Connection refused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_an_address_is_told() {
    let run = connect(&["--no-proxy", "ws://nowhere.invalid/"], b"").await;
    run.failed(68, "cannot resolve nowhere.invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_speak_websocket_is_told() {
    let cases = [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404 Not Found instead of 101"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "200 OK instead of 101"),
        (
            "HTTP/1.1 301 Moved\r\nLocation: wss://b.test/\r\n\r\n",
            "redirects (301) to wss://b.test/",
        ),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", "does not speak HTTP/1.1"),
        ("", "ended the connection during the handshake"),
    ];
    for (answer, what) in cases {
        let server = answering(answer).await;
        connect(&[&format!("ws://{server}")], b"").await.failed(76, what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_is_left() {
    let server = serve(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let run = connect(&["--timeout", "0.2", &format!("ws://{server}")], b"").await;
    run.failed(69, "no open line after 0.2 s (--timeout waits longer)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_is_told() {
    let proxy = answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
    let run = connect(&["--proxy", &format!("http://{proxy}"), "ws://a.test/"], b"").await;
    run.failed(69, "proxy: it answered 403 Forbidden to CONNECT a.test:80");
    connect(&["--proxy", "socks5://a", "ws://a.test/"], b"").await.failed(2, "proxy: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_are_told_in_one_line() {
    connect(&["http://127.0.0.1/"], b"").await.failed(2, "has the scheme http; use ws");
    connect(&["127.0.0.1:8000"], b"").await.failed(2, "invalid address");
    connect(&["ws://"], b"").await.failed(2, "is not a URL");
    connect(&["-H", "nonsense", "ws://a.test"], b"").await.failed(2, "it has no colon");
    connect(&["-H", "Upgrade: x", "ws://127.0.0.1:1"], b"").await.failed(2, "header upgrade");
    connect(&["-s", "a b", "ws://127.0.0.1:1"], b"").await.failed(2, "subprotocol \"a b\"");
    connect(&["--ca", "/none", "wss://a.test"], b"").await.failed(78, "/none: No such file");
    assert_eq!(connect(&["--none", "ws://a.test"], b"").await.code, Some(2));
}

/// An echo over TLS with a certificate of its own; returns its address and the PEM file.
async fn secure_server(name: &str) -> (String, PathBuf) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (certificate, key) =
        (directory.join(format!("{name}.pem")), directory.join(format!("{name}.key")));
    std::fs::write(&certificate, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let config = openline_ws::tls::server_config(&certificate, &key, &["http/1.1"]).unwrap();
    let acceptor = openline_ws::tls::TlsAcceptor::from(config);
    let acceptor = Arc::new(acceptor);
    let address = serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let pending = Acceptor::new().accept(stream).await.unwrap();
            echo(pending.accept().await.unwrap()).await;
        }
    })
    .await;
    (address.replace("127.0.0.1", "localhost"), certificate)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (server, _) = secure_server("refused").await;
    let run = connect(&[&format!("wss://{server}")], b"hello\n").await;
    run.failed(77, "invalid peer certificate: UnknownIssuer (--ca FILE trusts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_in_the_ca_file_is_believed_for_its_name() {
    let (server, certificate) = secure_server("trusted").await;
    let ca = certificate.to_str().unwrap();
    connect(&["--ca", ca, &format!("wss://{server}")], b"hello\n").await.went_well("hello\n");
    let other = server.replace("localhost", "127.0.0.1");
    let run = connect(&["--ca", ca, &format!("wss://{other}")], b"hello\n").await;
    run.failed(77, "certificate not valid for name");
}

#[tokio::test(flavor = "multi_thread")]
async fn insecure_accepts_any_certificate_and_warns() {
    let (server, _) = secure_server("insecure").await;
    let run = connect(&["--insecure", &format!("wss://{server}")], b"hello\n").await;
    run.went_well("hello\n");
    assert!(run.err.starts_with("warning: --insecure accepts any certificate"), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_to_a_server_without_it_is_told() {
    let server = answering("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let run = connect(&[&format!("wss://{server}")], b"").await;
    run.failed(77, "a server without TLS is reached by ws://");
}
