//! `openline token`: making tokens and looking into them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const SECRET: &str = "thirty-two bytes at the very least";

/// A file that is removed with the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("openline-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn config(name: &str, auth: &str) -> Self {
        let key = format!("{{ algorithm = \"HS256\", secret = \"{SECRET}\" }}");
        Self::new(name, &format!("[auth]\nkeys = [{key}]\n{auth}\n"))
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn token(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openline"));
    command.arg("token").args(arguments).stdin(Stdio::null()).env("TEST_SECRET", SECRET);
    command.env_remove("OPENLINE_CONFIG");
    command
}

/// Exit code, output, errors.
fn ended(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[track_caller]
fn mint(arguments: &[&str]) -> String {
    let (code, out, error) = ended(token(&[&["mint"], arguments].concat()).output().unwrap());
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert_eq!(out.trim_end().split('.').count(), 3, "{out}");
    out.trim_end().to_owned()
}

fn inspect(arguments: &[&str]) -> (Option<i32>, String, String) {
    ended(token(&[&["inspect"], arguments].concat()).output().unwrap())
}

#[track_caller]
fn assert_fails(arguments: &[&str], code: i32, what: &str) {
    let (exit, _, error) = ended(token(arguments).output().unwrap());
    assert_eq!(exit, Some(code), "{error}");
    assert!(error.contains(what), "{error}");
    assert!(!error.contains(SECRET), "{error}");
}

#[test]
fn a_token_for_a_configuration_is_accepted_by_it() {
    let config = Temporary::config("accepted.toml", "audience = \"chat\"\nissuer = \"me\"");
    let made = mint(&["--config", config.name(), "--user", "ann", "--id", "t1"]);
    let (code, out, error) = inspect(&[&made, "--config", config.name()]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(out.contains("header: {\"alg\":\"HS256\",\"typ\":\"JWT\"}\n"), "{out}");
    for claim in
        [r#""sub":"ann""#, r#""jti":"t1""#, r#""aud":"chat""#, r#""iss":"me""#, r#""exp":"#]
    {
        assert!(out.contains(claim), "{claim} is not in {out}");
    }
    assert!(out.contains("accepted") && !out.contains(SECRET), "{out}");
}

#[test]
fn a_token_that_a_configuration_refuses_is_shown_with_the_reason() {
    let config = Temporary::config("refused.toml", "audience = \"chat\"");
    let made = mint(&["--secret-env", "TEST_SECRET", "--user", "ann"]);
    let (code, out, error) = inspect(&[&made, "--config", config.name()]);
    assert_eq!(code, Some(1));
    assert!(out.contains(r#""sub":"ann""#), "{out}");
    assert_eq!(error, "openline: refused: token audience does not include chat\n");
}

#[test]
fn without_keys_a_token_is_shown_unchecked() {
    let secret = Temporary::new("secret", &format!("{SECRET}\n"));
    let grants = ["--channel", "chat:*=subscribe,publish", "--channel", "news"];
    let rest = ["--info", r#"{"name":"Ann"}"#, "--algorithm", "HS512", "--expires", "2m"];
    let made = mint(&[&["--secret-file", secret.name()], &grants[..], &rest].concat());
    let (code, out, _) = inspect(&[&made]);
    assert_eq!(code, Some(0));
    for part in [
        r#""alg":"HS512""#,
        r#""channels":{"chat:*":["subscribe","publish"],"news":["*"]}"#,
        r#""info":{"name":"Ann"}"#,
        "not checked",
    ] {
        assert!(out.contains(part), "{part} is not in {out}");
    }
}

#[test]
fn a_token_may_come_from_standard_input() {
    let config = Temporary::config("input.toml", "");
    let made = mint(&["--config", config.name()]);
    let mut command = token(&["inspect", "-", "--config", config.name()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{made}\n").as_bytes()).unwrap();
    let (code, out, _) = ended(child.wait_with_output().unwrap());
    assert_eq!(code, Some(0));
    assert!(out.contains("accepted"), "{out}");
}

#[test]
fn what_cannot_be_made_is_said() {
    assert_fails(&["mint"], 2, "a secret is needed: --config, --secret-file or --secret-env");
    let with_secret = |more: &[&str], code, what: &str| {
        assert_fails(&[&["mint", "--secret-env", "TEST_SECRET"], more].concat(), code, what);
    };
    with_secret(&["--channel", "a=fly"], 78, "\"fly\" is none of subscribe, publish");
    with_secret(&["--info", "{"], 78, "info is not JSON");
    with_secret(&["--algorithm", "RS256"], 78, "RS256 signs with a private key");
    with_secret(&["--algorithm", "none"], 78, "none is none of HS256");
    with_secret(&["--expires", "soon"], 2, "it has to be a number with s, m, h or d");
    let short = Temporary::new("short", "hunter2");
    let short = ["mint", "--secret-file", short.name()];
    assert_fails(&short, 78, "secret has 7 bytes; at least 32 are needed");
    let config = Temporary::config("id.toml", "");
    let unknown = ["mint", "--config", config.name(), "--key-id", "k9"];
    assert_fails(&unknown, 78, "auth.keys has no key with id \"k9\"");
    assert_fails(&["inspect", "abc"], 65, "token must have three parts");
}
