//! What is generated from the tables in spec/ is up to date.

use std::process::Command;

#[test]
fn codes_are_what_the_generator_writes() {
    check("codes", env!("CARGO_BIN_EXE_codes"));
}

#[test]
fn states_are_what_the_generator_writes() {
    check("states", env!("CARGO_BIN_EXE_states"));
}

fn check(name: &str, program: &str) {
    let output =
        Command::new(program).arg("--check").output().expect("cargo has built the generator");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}Run `cargo run -p tidy --bin {name}`.");
}
