//! The repository's rules, as tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot read a file has failed")]

mod boundaries;
mod documents;
mod errors;
mod size;
mod source;
mod tree;

/// Fails with all findings at once, one a line.
#[track_caller]
fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}\n", findings.join("\n  "));
}
