//! `openline config`, and what `openline serve` is told by files, variables and flags.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A file that is removed with the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, text: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("openline-{}-{name}.toml", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
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

fn openline(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openline"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Exit code, output, errors.
fn ended(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_default_file_is_right_once_it_says_who_may_come_in() {
    let (code, file, _) = ended(openline(&["config", "default"]).output().unwrap());
    assert_eq!(code, Some(0));
    let file = Temporary::new("default", &file.replace("#anonymous = false", "anonymous = true"));
    let checked = ended(openline(&["config", "check", file.name()]).output().unwrap());
    assert_eq!(checked, (Some(0), format!("{}: ok\n", file.name()), String::new()));
}

#[test]
fn a_broken_file_ends_check_and_serve_alike() {
    let file = Temporary::new("broken", "lisen = 1\n[log]\nlevel = 1\n");
    for arguments in [["config", "check", file.name()], ["serve", "--config", file.name()]] {
        let (code, out, said) = ended(openline(&arguments).output().unwrap());
        assert_eq!((code, out.as_str()), (Some(78), ""));
        let name = file.name();
        let expected = format!(
            "openline: {name}:1:1: unknown key \"lisen\"; did you mean \"listen\"?\n\
             openline: {name}:3:9: log.level: 1 is not one of \"error\", \"warn\", \"info\", \
             \"debug\" or \"trace\"\n"
        );
        assert_eq!(said, expected);
    }
}

#[test]
fn a_slip_in_a_key_is_named_with_its_place() {
    let text = "[auth]\nanonymous = true\n\n[namespace.chat]\n  histroy_size = 5\n";
    let file = Temporary::new("slip", text);
    for arguments in [["config", "check", file.name()], ["serve", "--config", file.name()]] {
        let (code, out, said) = ended(openline(&arguments).output().unwrap());
        assert_eq!((code, out.as_str()), (Some(78), ""));
        let name = file.name();
        let expected = format!(
            "openline: {name}:5:3: unknown key \"histroy_size\" in [namespace.chat]; did you mean \
             \"history_size\"?\n"
        );
        assert_eq!(said, expected);
    }
}

#[test]
fn an_unsafe_file_is_not_served_without_the_flag_that_says_so() {
    let text = "listen = \"0.0.0.0:8000\"\n[auth]\nanonymous = true\n[http]\n\
                allowed_origins = [\"*\"]\n";
    let file = Temporary::new("unsafe", text);
    for arguments in [["config", "check", file.name()], ["serve", "--config", file.name()]] {
        let (code, out, said) = ended(openline(&arguments).output().unwrap());
        assert_eq!((code, out.as_str()), (Some(78), ""));
        let expected = "openline: auth.anonymous=true with http.allowed_origins=[\"*\"] on \
                        0.0.0.0:8000; set --insecure-dev to allow this\n";
        assert_eq!(said, expected);
    }
}

#[test]
fn a_wrong_variable_or_flag_is_named() {
    let mut command = openline(&["config", "check"]);
    let (code, _, said) = ended(command.env("OPENLINE_THREADS", "x").output().unwrap());
    assert_eq!(code, Some(78));
    assert!(said.starts_with("openline: OPENLINE_THREADS: \"x\" is not "), "{said}");
    let (code, _, said) = ended(openline(&["serve", "--listen", "8000"]).output().unwrap());
    assert_eq!(code, Some(78));
    assert!(said.starts_with("openline: --listen: \"8000\" is not an address "), "{said}");
}

#[test]
fn check_looks_for_the_files_that_are_named() {
    let text = "auth.anonymous = true\n[tls]\ncertificate = \"/none/a\"\nkey = \"/none/b\"\n";
    let file = Temporary::new("files", text);
    let (code, _, said) = ended(openline(&["config", "check", file.name()]).output().unwrap());
    assert_eq!(code, Some(78));
    assert!(said.starts_with("openline: /none/a: tls.certificate cannot be opened: "), "{said}");
}

#[test]
fn a_flag_wins_over_the_variable_over_the_file_and_warnings_are_said() {
    let file = Temporary::new("serve", "listen = \"127.0.0.1:1\"\n");
    let mut server = openline(&["serve", "--ephemeral", "--listen", "127.0.0.1:0"])
        .env("OPENLINE_CONFIG", file.name())
        .env("OPENLINE_LISTEN", "127.0.0.1:2")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    server.kill().unwrap();
    let (_, _, said) = ended(server.wait_with_output().unwrap());
    assert!(line.starts_with("listening on http://127.0.0.1:"), "{line}{said}");
    assert!(said.starts_with("openline: warning: nobody can come in: "), "{said}");
}

#[test]
fn help_lists_every_section_and_short_help_what_is_common() {
    let (code, long, _) = ended(openline(&["serve", "--help"]).output().unwrap());
    assert_eq!(code, Some(0));
    for part in ["[auth]:", "--http-allowed-origins <ORIGIN,…>", "[env: OPENLINE_LOG_LEVEL]"] {
        assert!(long.contains(part), "{part}");
    }
    let (_, short, _) = ended(openline(&["serve", "-h"]).output().unwrap());
    for flag in ["--listen", "--data-dir", "--config", "--threads", "--ephemeral"] {
        assert!(short.contains(flag), "{flag}");
    }
    assert!(!short.contains("--auth-"), "{short}");
}
