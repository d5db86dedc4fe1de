//! What is written beside the code, held to the code.

use std::collections::BTreeSet;
use std::path::Path;

use crate::assert_none;
use crate::tree::{File, crate_sources, files, names, read, root};

const README_LINES_MAX: usize = 200;
const DECISION_LINES_MAX: usize = 60;
const ECHO: &str = "crates/openline-ws/examples/echo.rs";

#[test]
fn the_readme_has_fewer_than_200_lines() {
    let lines = read("README.md").lines().count();
    assert!(lines < README_LINES_MAX, "README.md has {lines} lines");
}

#[test]
fn the_readme_shows_the_echo_example() {
    let example = read(ECHO);
    let from = example.find("    loop {\n").unwrap_or_else(|| panic!("{ECHO} has no loop"));
    let end = example[from..].find("\n    }\n").expect("a block ends with a brace of its own");
    let served = &example[from..from + end + 7];
    assert!(
        read("README.md").contains(served),
        "README.md does not contain this, from {ECHO}:\n{served}"
    );
}

#[test]
fn the_readme_shows_the_client_that_the_crate_compiles() {
    let readme = read("README.md");
    let block = readme
        .split("```rust\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block)
        .find(|block| block.contains("openline_ws::connect("))
        .expect("README.md has a block of Rust that connects");
    let front = read("crates/openline-ws/src/lib.rs").replace("//! ", "");
    assert!(front.contains(block), "crates/openline-ws/src/lib.rs does not contain:\n{block}");
}

#[test]
fn the_front_page_of_the_client_shows_its_example() {
    let example = read("crates/openline-client/examples/talk.rs");
    let from = example.find("async fn talk(").expect("the example talks");
    let front = read("crates/openline-client/src/lib.rs").replace("//! ", "");
    assert!(front.contains(&example[from..]), "crates/openline-client/src/lib.rs: see the example");
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut findings = Vec::new();
    for file in files(&["md"]) {
        for link in links(&file.text) {
            if let Some(what) = broken(&file, &link) {
                findings.push(format!("{}: {link}: {what}", file.path));
            }
        }
    }
    assert_none("These links are broken:", &findings);
}

#[test]
fn nothing_is_left_to_do_in_a_comment() {
    // Cut in two, so that this file passes.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let kinds = ["rs", "toml", "md", "py", "sh", "ts", "mjs", "js", "css", "html", "Makefile"];
    let mut findings = Vec::new();
    for file in files(&kinds) {
        for (number, line) in file.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                findings.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    assert_none("Do these, or open an issue:", &findings);
}

#[test]
fn every_decision_has_its_form_and_stands_in_the_index() {
    let index = read("docs/adr/README.md");
    let mut findings = Vec::new();
    let decisions: Vec<String> =
        names("docs/adr").into_iter().filter(|name| name != "README.md").collect();
    for (number, name) in decisions.iter().enumerate() {
        if !name.starts_with(&format!("{:04}-", number + 1)) || !name.ends_with(".md") {
            findings.push(format!("{name}: the next number is {:04}", number + 1));
        }
        if !index.contains(&format!("({name})")) {
            findings.push(format!("{name}: docs/adr/README.md does not link it"));
        }
        let text = read(&format!("docs/adr/{name}"));
        // A table is looked into, not read.
        if text.lines().filter(|line| !line.starts_with('|')).count() > DECISION_LINES_MAX {
            findings.push(format!("{name}: longer than a page ({DECISION_LINES_MAX} lines)"));
        }
        let parts = [
            "Status: ",
            "## Question",
            "## Options",
            "## Decision",
            "## Consequences",
            "## How we would notice",
        ];
        for part in parts.iter().filter(|part| !text.contains(**part)) {
            findings.push(format!("{name}: {part:?} is missing"));
        }
    }
    assert_none("docs/adr:", &findings);
}

#[test]
fn the_code_map_names_every_source_file() {
    let map = read("ARCHITECTURE.md");
    let mut section = "";
    let mut named = BTreeSet::new();
    for line in map.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            section = heading.trim_matches('`');
        }
        for part in line.split('`').skip(1).step_by(2) {
            named.insert(format!("crates/{section}/src/{part}"));
        }
    }
    let findings: Vec<String> = crate_sources()
        .into_iter()
        .map(|file| file.path)
        .filter(|path| !path.ends_with("/lib.rs") && !named.contains(path))
        .collect();
    assert_none("The code map in ARCHITECTURE.md does not name these:", &findings);
}

#[test]
fn the_tests_that_the_threat_table_names_exist() {
    let sources: String = files(&["rs", "py", "ts"]).into_iter().map(|file| file.text).collect();
    let mut names = BTreeSet::new();
    for line in read("SECURITY.md").lines().filter(|line| line.starts_with("| ")) {
        let tests = line.trim_end_matches(" |").rsplit('|').next().unwrap_or_default();
        names.extend(tests.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    assert!(names.len() > 10, "the threat table in SECURITY.md was not found");
    let findings: Vec<String> = names
        .into_iter()
        .filter(|name| {
            !sources.contains(&format!("fn {name}(")) && !sources.contains(&format!("def {name}("))
        })
        .collect();
    assert_none("SECURITY.md names tests that do not exist:", &findings);
}

/// The anchors of a document's headings, as hosts of repositories make them.
pub(crate) fn headings(text: &str) -> BTreeSet<String> {
    outside_code(text)
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// The targets of the links and pictures in a document.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in outside_code(text) {
        for rest in line.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            found.push(target.split(' ').next().unwrap_or_default().to_owned());
        }
    }
    found
}

fn broken(file: &File, link: &str) -> Option<&'static str> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    let target = match path {
        "" => root().join(&file.path),
        _ => root().join(folder).join(path),
    };
    if !target.exists() {
        return Some("there is no such file");
    }
    if !anchor.is_empty() && target.extension().is_some_and(|ending| ending == "md") {
        let text = std::fs::read_to_string(&target).unwrap_or_default();
        if !headings(&text).contains(anchor) {
            return Some("there is no such heading");
        }
    }
    None
}

/// The lines of a document that are not in a block of code.
fn outside_code(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    })
}
