//! What packages of the program are made with: health checks, completions, manual pages.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::{env, fs, process, thread};

fn openline(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openline"));
    command.args(arguments).env_remove("OPENLINE_CONFIG").env_remove("OPENLINE_LISTEN");
    command
}

/// The exit code, and what was said on standard output and on standard error.
fn said(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A server, ended with the test.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let listen = ["serve", "--ephemeral", "--listen", "127.0.0.1:0", "--threads", "1"];
        let mut command = openline(&[&listen, arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("listening on ").expect(&line).to_owned();
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("openline-packages-{}-{name}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn health_is_0_while_the_server_takes_clients_and_1_when_nothing_answers() {
    let server = Server::start(&[]);
    let ready = (Some(0), "ready\n".to_owned(), String::new());
    assert_eq!(said(&mut openline(&["health", &server.url])), ready);
    assert_eq!(said(&mut openline(&["health", &format!("{}/", server.url)])), ready);
    let listen = server.url.strip_prefix("http://").unwrap().to_owned();
    assert_eq!(said(openline(&["health"]).env("OPENLINE_LISTEN", &listen)), ready);
    let live = (Some(0), "live\n".to_owned(), String::new());
    assert_eq!(said(&mut openline(&["health", &server.url, "--live"])), live);
    let url = server.url.clone();
    drop(server);
    let (code, output, error) = said(&mut openline(&["health", &url]));
    assert_eq!((code, output.as_str()), (Some(1), ""));
    assert!(error.starts_with(&format!("openline: {url}: ")), "{error}");
}

#[test]
fn health_asks_a_server_with_tls() {
    let folder = folder("health");
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, secret) = (folder.join("a.pem"), folder.join("a.key"));
    fs::write(&certificate, key.cert.pem()).unwrap();
    fs::write(&secret, key.signing_key.serialize_pem()).unwrap();
    let (certificate, secret) = (certificate.to_str().unwrap(), secret.to_str().unwrap());
    let server = Server::start(&["--tls-certificate", certificate, "--tls-key", secret]);
    let port = server.url.rsplit_once(':').unwrap().1;
    let named = format!("https://localhost:{port}");

    assert_eq!(said(&mut openline(&["health", &named, "--ca", certificate])).0, Some(0));
    assert_eq!(said(&mut openline(&["health", &server.url, "-k"])).0, Some(0));
    let (code, _, error) = said(&mut openline(&["health", &named]));
    assert!(code == Some(1) && error.contains("certificate"), "{error}");
    // The server of the configuration is asked at its address, which no certificate names.
    let mut own = openline(&["health"]);
    own.env("OPENLINE_LISTEN", server.url.strip_prefix("https://").unwrap());
    own.env("OPENLINE_TLS_CERTIFICATE", certificate).env("OPENLINE_TLS_KEY", secret);
    assert_eq!(said(&mut own).0, Some(0));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn health_waits_no_longer_than_it_may_for_a_server_that_trickles() {
    let trickling = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", trickling.local_addr().unwrap());
    thread::spawn(move || {
        let (mut line, _) = trickling.accept().unwrap();
        let _ = line.read(&mut [0; 1024]);
        // Each byte comes well within the time; all of them do not.
        while line.write_all(b"x").is_ok() {
            thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    let (code, _, error) = said(&mut openline(&["health", &url, "--timeout", "0.5"]));
    assert_eq!((code, error), (Some(1), format!("openline: {url}: no answer in time\n")));
}

#[test]
fn health_says_what_is_wrong_with_a_url() {
    for wrong in
        ["127.0.0.1:8000", "ws://127.0.0.1:8000", "http://127.0.0.1:8000/health/live", "http://"]
    {
        let (code, _, error) = said(&mut openline(&["health", wrong]));
        assert!(code == Some(2) && error.contains(wrong), "{error}");
    }
}

#[test]
fn completions_know_the_commands_and_their_arguments() {
    for (shell, mark) in [
        ("bash", "complete -F _openline"),
        ("zsh", "#compdef openline"),
        ("fish", "complete -c openline"),
    ] {
        let (code, script, error) = said(&mut openline(&["completions", shell]));
        assert_eq!((code, error.as_str()), (Some(0), ""));
        for part in [mark, "serve", "data-dir", "health", "publish"] {
            assert!(script.contains(part), "{shell}: {part}");
        }
    }
    assert_eq!(said(&mut openline(&["completions", "cmd"])).0, Some(2));
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let folder = folder("man").join("man1");
    let folder_name = folder.to_str().unwrap();
    let done = (Some(0), String::new(), String::new());
    assert_eq!(said(&mut openline(&["man", "--dir", folder_name])), done);
    let page = |name: &str| fs::read_to_string(folder.join(name)).expect(name);
    assert!(page("openline.1").contains("openline\\-serve(1)"));
    assert!(page("openline-serve.1").contains("OPENLINE_DATA_DIR"));
    assert!(page("openline-token-mint.1").contains("openline\\-token\\-mint"));
    let (_, one, _) = said(&mut openline(&["man"]));
    assert_eq!(one, page("openline.1"));
    fs::remove_dir_all(folder.parent().unwrap()).unwrap();

    let (code, _, error) = said(&mut openline(&["man", "--dir", "/dev/null/man"]));
    assert!(code == Some(74) && error.contains("/dev/null/man"), "{error}");
}
