//! What a crate may depend on and know.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::assert_none;
use crate::source::{code, without_tests};
use crate::tree::{crate_sources, names, read};

/// Direct dependencies, those for tests alone excepted. A new one needs a line here and one in
/// docs/adr/0009-dependencies.md.
const ALLOWED: &[(&str, &[&str])] = &[
    ("openline-ws-proto", &["base64", "bytes", "flate2", "http", "httparse", "sha1"]),
    (
        "openline-ws",
        &[
            "axum-core",
            "base64",
            "bytes",
            "bytestring",
            "futures-core",
            "futures-sink",
            "http",
            "http-body",
            "hyper",
            "hyper-util",
            "openline-ws-proto",
            "rand",
            "rustls-native-certs",
            "tokio",
            "tokio-rustls",
            "webpki-roots",
        ],
    ),
    ("openline-protocol", &["base64", "bytes", "bytestring", "serde_json"]),
    ("openline-engine", &["bytestring", "openline-protocol", "slab"]),
    (
        "openline-client",
        &[
            "bytes",
            "bytestring",
            "futures-core",
            "http",
            "openline-protocol",
            "openline-ws",
            "rand",
            "serde",
            "serde_json",
            "tokio",
        ],
    ),
    (
        "openline-server",
        &[
            "arc-swap",
            "async-nats",
            "axum",
            "base64",
            "bytes",
            "bytestring",
            "crc32fast",
            "futures-core",
            "http",
            "http-body",
            "http-body-util",
            "hyper-util",
            "instant-acme",
            "listenfd",
            "openline-engine",
            "openline-protocol",
            "openline-ws",
            "percent-encoding",
            "pin-project-lite",
            "postcard",
            "rand",
            "rcgen",
            "redis",
            "ring",
            "rustix",
            "rustls-pki-types",
            "serde",
            "serde_json",
            "socket2",
            "strsim",
            "subtle",
            "tokio",
            "toml",
            "tower-layer",
            "tower-service",
            "x509-cert",
        ],
    ),
    (
        "openline",
        &[
            "anstream",
            "anstyle",
            "clap",
            "clap_complete",
            "clap_mangen",
            "http",
            "mimalloc",
            "openline-client",
            "openline-server",
            "openline-ws",
            "ring",
            "rustyline",
            "serde_json",
            "signal-hook",
            "tokio",
        ],
    ),
];

/// Hashers whose collisions can be made beforehand.
const UNKEYED: &[&str] =
    &["DefaultHasher::", "BuildHasherDefault", "with_hasher(", "hashbrown", "FxHash", "fnv::"];

/// What it is for there: to tell a retry from another message, across restarts too.
const UNKEYED_IN: &[&str] = &["crates/openline-engine/src/streams.rs"];

/// Crates to which time, entropy and the outside world are passed in, and what their code may not
/// name.
const PURE: &[&str] = &["openline-engine", "openline-protocol", "openline-ws-proto"];
const IMPURE: &[&str] = &[
    "std::net",
    "std::io",
    "std::fs",
    "std::env",
    "std::thread",
    "Instant",
    "SystemTime",
    "tokio",
    "rand::",
];

#[test]
fn crates_depend_only_on_what_they_may() {
    let mut findings = Vec::new();
    for name in names("crates") {
        let Some((_, allowed)) = ALLOWED.iter().find(|(of, _)| **of == name) else {
            findings.push(format!("crates/{name} has no list; a new crate needs a reason as well"));
            continue;
        };
        let dependencies = dependencies(&name);
        for dependency in &dependencies {
            if !allowed.contains(&dependency.as_str()) {
                findings.push(format!("crates/{name} may not depend on {dependency}"));
            }
        }
        for unused in allowed.iter().filter(|allowed| !dependencies.contains(**allowed)) {
            findings
                .push(format!("crates/{name} does not depend on {unused}: take it off the list"));
        }
    }
    assert_none("See the list in tidy/tests/tidy/boundaries.rs:", &findings);
}

#[test]
fn every_dependency_has_its_reason() {
    let reasons = read("docs/adr/0009-dependencies.md");
    let all: BTreeSet<String> =
        names("crates").iter().flat_map(|name| dependencies(name)).collect();
    let findings: Vec<String> = all
        .into_iter()
        .filter(|name| !name.starts_with("openline") && !reasons.contains(&format!("`{name}`")))
        .collect();
    assert_none("docs/adr/0009-dependencies.md does not say why these are here:", &findings);
}

#[test]
fn pure_crates_know_no_socket_no_clock_and_no_runtime() {
    let mut findings = Vec::new();
    for name in PURE {
        let folder = format!("crates/{name}/src/");
        for file in crate_sources().into_iter().filter(|file| file.path.starts_with(&folder)) {
            let code = code(&file.text, false);
            for (number, line) in code.lines().enumerate() {
                for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                    findings.push(format!("{}:{}: {word}", file.path, number + 1));
                }
            }
        }
    }
    assert_none("These crates get time, entropy and bytes as arguments:", &findings);
}

#[test]
fn tables_are_hashed_under_a_secret_of_the_process() {
    let mut findings = Vec::new();
    for file in crate_sources() {
        for (number, line) in code(without_tests(&file.text), false).lines().enumerate() {
            let found = UNKEYED.iter().any(|word| line.contains(word));
            if found && !UNKEYED_IN.contains(&file.path.as_str()) {
                findings.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    assert_none("Clients choose names, so a table's hasher is std's RandomState:", &findings);
    for path in UNKEYED_IN {
        let names_one = UNKEYED.iter().any(|word| read(path).contains(word));
        assert!(names_one, "{path} is an exception and names no hasher");
    }
}

#[test]
fn every_crate_forbids_unsafe_code() {
    let manifest: Table = read("Cargo.toml").parse().unwrap();
    let level = &manifest["workspace"]["lints"]["rust"]["unsafe_code"];
    assert_eq!(level.as_str(), Some("forbid"), "Cargo.toml: workspace.lints.rust.unsafe_code");
    let mut findings = Vec::new();
    for name in names("crates") {
        let manifest: Table = read(&format!("crates/{name}/Cargo.toml")).parse().unwrap();
        let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        if inherits.and_then(Value::as_bool) != Some(true) {
            findings.push(format!("crates/{name}/Cargo.toml: [lints] workspace = true is missing"));
        }
    }
    assert_none("Every crate inherits the workspace's lints:", &findings);
}

/// The direct dependencies of a crate, by the names of their packages, those for tests alone
/// excepted.
fn dependencies(name: &str) -> BTreeSet<String> {
    let manifest: Table = read(&format!("crates/{name}/Cargo.toml")).parse().unwrap();
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let mut found = BTreeSet::new();
    for table in std::iter::once(&manifest).chain(tables) {
        for kind in ["dependencies", "build-dependencies"] {
            for (key, value) in table.get(kind).and_then(Value::as_table).into_iter().flatten() {
                let package = value.get("package").and_then(Value::as_str).unwrap_or(key);
                found.insert(package.to_owned());
            }
        }
    }
    found
}
