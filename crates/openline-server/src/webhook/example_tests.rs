//! The examples in `docs/webhooks.md`, run as a reader would.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Event, Kind, Options, Secret, Verdict, Webhooks};
use crate::outbound::backend::Backend;

const DOCUMENT: &str = include_str!("../../../../docs/webhooks.md");
const SECRETS: [&str; 2] = ["the new secret of many bytes", "the old secret of many bytes"];

/// What stands in the document's blocks of this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    DOCUMENT.split(&fence[..]).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// A post as it reached a backend, changed in some ways, and whether it is to be believed.
async fn cases() -> Vec<(Value, bool)> {
    let backend = Backend::always(200, "").await;
    let webhooks = Webhooks::new(Options {
        inform_url: Some(backend.url("/")),
        kinds: Kind::ALL[4..].to_vec(),
        secrets: SECRETS.map(|secret| Secret::new(secret).unwrap()).to_vec(),
        ..Options::default()
    });
    let webhooks = Arc::new(webhooks.unwrap());
    webhooks.inform(Event::client_gone("größe", None, "1000"));
    webhooks.run(async {}).await;
    let seen = &backend.wait_for(1).await[0];
    let header = seen.header("openline-signature");
    let body = String::from_utf8(seen.body.to_vec()).unwrap();
    let time: u64 = header[2..].split(',').next().unwrap().parse().unwrap();
    let case = |secret: &str, header: &str, body: &str, now: u64| json!({ "secret": secret, "header": header, "body": body, "now": now });
    let [new, old] = SECRETS;
    let forged = header.replace("v1=", "v1=0");
    vec![
        (case(new, header, &body, time), true),
        (case(old, header, &body, time), true),
        (case(new, header, &body, time + 300), true),
        (case(new, header, &body, time + 301), false),
        (case(new, header, &body, time - 301), false),
        (case("another secret", header, &body, time), false),
        (case(new, header, &body.replace("1000", "1001"), time), false),
        (case(new, &forged, &body, time), false),
        (case(new, &header.replace("t=", "t=1"), &body, time), false),
        (case(new, &header.replace("v1=", "v0="), &body, time), false),
        (case(new, "", &body, time), false),
        (case(new, "t=,v1=", &body, time), false),
        (case(new, &format!("t={time},v1"), &body, time), false),
    ]
}

/// Runs a program that reads cases and writes what it thinks of each.
fn run(command: &mut Command, cases: &[(Value, bool)]) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 and node are there to run the examples");
    let input: Vec<&Value> = cases.iter().map(|(case, _)| case).collect();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&serde_json::to_vec(&input).unwrap()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let found: Vec<bool> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found.len(), cases.len());
    for ((case, expected), found) in cases.iter().zip(found) {
        assert_eq!(found, *expected, "{case}");
    }
}

#[tokio::test]
async fn the_python_example_believes_what_the_server_signed_and_nothing_else() {
    let harness = r#"
import json, sys
cases = json.load(sys.stdin)
print(json.dumps([verify(c["secret"], c["header"], c["body"].encode(), c["now"]) for c in cases]))
"#;
    let [example] = blocks("python")[..] else { panic!("there is one example in Python") };
    run(Command::new("python3").arg("-c").arg(format!("{example}{harness}")), &cases().await);
}

#[tokio::test]
async fn the_node_example_believes_what_the_server_signed_and_nothing_else() {
    let harness = r#"
import { readFileSync } from "node:fs";
const cases = JSON.parse(readFileSync(0, "utf8"));
const verdicts = cases.map((c) => verify(c.secret, c.header, Buffer.from(c.body), c.now));
console.log(JSON.stringify(verdicts));
"#;
    let [example] = blocks("js")[..] else { panic!("there is one example for Node") };
    let program = format!("{example}{harness}");
    run(Command::new("node").args(["--input-type=module", "-e"]).arg(program), &cases().await);
}

#[test]
fn the_answers_shown_are_understood() {
    let answers: Vec<&str> =
        blocks("json").into_iter().filter(|block| block.contains("\"allow\"")).collect();
    assert_eq!(answers.len(), 3);
    for answer in answers {
        Verdict::parse(answer.as_bytes()).unwrap();
    }
}

#[test]
fn every_kind_is_explained() {
    for kind in Kind::ALL {
        assert!(DOCUMENT.contains(&format!("| `{kind}` | ")), "{kind}");
    }
}
