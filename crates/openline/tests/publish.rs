//! `openline publish`: against a server, and without one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A server with a data directory of its own.
struct Server {
    child: Child,
    url: String,
    folder: PathBuf,
}

impl Server {
    fn start(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("openline-publish-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let mut child = openline()
            .args(["serve", "--listen", "127.0.0.1:0", "--threads", "1", "--data-dir"])
            .arg(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("listening on ").expect(&line).to_owned();
        Self { child, url, folder }
    }

    fn publish(&self, arguments: &[&str]) -> Command {
        let mut command = publish(arguments);
        command.args(["--url", &self.url, "--data-dir"]).arg(&self.folder);
        command
    }

    fn key_file(&self) -> PathBuf {
        self.folder.join("api-key")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn openline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openline"));
    command.stdin(Stdio::null()).env_remove("OPENLINE_API_KEY").env_remove("OPENLINE_DATA_DIR");
    command
}

fn publish(arguments: &[&str]) -> Command {
    let mut command = openline();
    command.arg("publish").args(arguments);
    command
}

/// Exit code, output, errors.
fn ended(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[track_caller]
fn position(command: &mut Command) -> String {
    let (code, out, error) = ended(command.output().unwrap());
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert_eq!(out.lines().count(), 1, "{out}");
    out.trim_end().to_owned()
}

#[track_caller]
fn assert_fails(command: &mut Command, code: i32, what: &str) {
    let (exit, out, error) = ended(command.output().unwrap());
    assert_eq!((exit, out.as_str()), (Some(code), ""), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("openline: ") && error.contains(what), "{error}");
}

#[test]
fn a_message_is_published_with_the_key_of_the_data_directory() {
    let server = Server::start("key");
    let first = position(&mut server.publish(&["news", r#"{"n":1}"#]));
    assert!(!first.is_empty());
    assert_ne!(position(&mut server.publish(&["news", "-1", "--event", "fell"])), first);

    let once = ["news", "2", "--key", "k1"];
    let second = position(&mut server.publish(&once));
    assert_eq!(position(&mut server.publish(&once)), second, "the same key, the same message");
    let other = ["news", "3", "--key", "k1"];
    assert_fails(&mut server.publish(&other), 1, "[idempotency_conflict]");
}

#[test]
fn the_data_may_come_from_standard_input() {
    let server = Server::start("input");
    let mut child = server
        .publish(&["news", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"{\"from\":\n\"a pipe\"}\n").unwrap();
    let (code, out, error) = ended(child.wait_with_output().unwrap());
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(out.len() > 10, "{out}");
}

#[test]
fn the_key_may_come_from_a_file_or_the_environment() {
    let server = Server::start("keys");
    let key = fs::read_to_string(server.key_file()).unwrap();
    let elsewhere = |command: &mut Command| {
        command.args(["--url", &server.url, "--data-dir", "/nowhere"]);
    };
    let mut by_variable = publish(&["news", "1"]);
    by_variable.env("OPENLINE_API_KEY", key.trim());
    elsewhere(&mut by_variable);
    position(&mut by_variable);

    // What the command line says goes first.
    let mut by_file = publish(&["news", "1", "--api-key-file"]);
    by_file.arg(server.key_file()).env("OPENLINE_API_KEY", "wrong");
    elsewhere(&mut by_file);
    position(&mut by_file);

    let mut wrong = server.publish(&["news", "1"]);
    wrong.env("OPENLINE_API_KEY", "wrong");
    assert_fails(&mut wrong, 1, "this is not a key of this server [auth_failed]");
    let mut none = publish(&["news", "1"]);
    elsewhere(&mut none);
    assert_fails(&mut none, 78, "/nowhere/api-key");
}

#[test]
fn what_is_refused_is_said_in_one_line() {
    let server = Server::start("refused");
    assert_fails(&mut server.publish(&["a b", "1"]), 1, "[bad_channel]");
    let quotes = "text has quotes of its own: '\"hello\"'";
    assert_fails(&mut server.publish(&["news", "hello"]), 65, quotes);
    let mut ftp = publish(&["news", "1", "--url", "ftp://localhost", "--data-dir"]);
    assert_fails(ftp.arg(&server.folder), 2, "it has to begin with https:// or http://");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut command = publish(&["news", "1", "--url", &format!("http://{address}")]);
    command.env("OPENLINE_API_KEY", "some-key");
    assert_fails(&mut command, 69, &format!("cannot connect to {address}"));
}

#[test]
fn the_key_is_the_owners_alone_and_the_variable_is_no_key_of_the_configuration() {
    let server = Server::start("mode");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(server.key_file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert!(Path::new(&server.folder).join("history").exists());
    let mut check = openline();
    check.args(["config", "check"]).env("OPENLINE_API_KEY", "x");
    let (code, _, error) = ended(check.output().unwrap());
    assert_eq!(code, Some(0), "{error}");
}
