//! What is generated from spec/codes.toml is up to date.

use std::process::Command;

#[test]
fn codes_are_what_the_generator_writes() {
    let output = Command::new(env!("CARGO_BIN_EXE_codes"))
        .arg("--check")
        .output()
        .expect("cargo has built the generator");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}Run `cargo run -p tidy --bin codes`.");
}
