//! What clients may do wrong, and what each of it is answered.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod canary;
mod floods;
mod limits;
mod servers;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod tokens;

#[tokio::test]
async fn each_bad_input_has_its_exact_answer() {
    let rows = table::rows();
    assert_eq!(rows.len(), table::ROWS);
    let servers = table::Servers::start();
    for row in &rows {
        row.check(&servers).await;
    }
}
