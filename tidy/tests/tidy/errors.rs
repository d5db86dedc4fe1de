//! Errors point to docs/errors.md by their code.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::assert_none;
use crate::documents::headings;
use crate::source::{code, without_tests};
use crate::tree::{crate_sources, read};

/// What stands before a code in the sources. After it come only white space and, where the mark
/// ends in a parenthesis, one argument.
const BEFORE_A_CODE: [&str; 4] = ["StatusCode::", "Rejection::new(", "refuse(", "code:"];

#[test]
fn every_code_has_its_place_in_the_list_of_errors() {
    let codes = codes_in_use();
    for known in ["bad_handshake", "headers_too_large", "rejected", "origin_not_allowed"] {
        assert!(codes.contains(known), "the search for codes does not find {known}: {codes:?}");
    }
    let listed = headings(&read("docs/errors.md"));
    let codes = codes.into_iter().chain(codes_of_the_protocol());
    let findings: BTreeSet<String> = codes.filter(|code| !listed.contains(code)).collect();
    let findings: Vec<String> = findings.into_iter().collect();
    assert_none("docs/errors.md has no heading for these codes:", &findings);
}

#[test]
fn every_listed_code_is_in_use() {
    let sources: String = crate_sources().iter().map(|f| without_tests(&f.text)).collect();
    let is_code = |heading: &&String| {
        heading.contains('_') || heading.parse::<u16>().is_ok_and(|code| code >= 1000)
    };
    let findings: Vec<String> = headings(&read("docs/errors.md"))
        .iter()
        .filter(is_code)
        .filter(|code| {
            [format!("\"{code}\""), format!("({code})"), format!("u16 = {code};")]
                .iter()
                .all(|use_of_it| !sources.contains(use_of_it))
        })
        .cloned()
        .collect();
    assert_none("docs/errors.md lists codes that nothing uses:", &findings);
}

#[test]
fn every_exit_code_is_listed_with_its_meaning() {
    let listed = read("docs/errors.md");
    let table = read("crates/openline/src/exit.rs");
    let rows: Vec<String> = table
        .split_once("exits! {")
        .expect("exit.rs has its table")
        .1
        .lines()
        .map_while(|line| line.trim().strip_suffix(';').or(line.is_empty().then_some("")))
        .filter_map(|line| {
            let (code, meaning) = line.split_once("= ")?.1.split_once(", ")?;
            Some(format!("| {code} | {} |", meaning.trim_matches('"')))
        })
        .collect();
    assert!(rows.len() > 5, "the table in exit.rs was not understood: {rows:?}");
    let findings: Vec<String> = rows.into_iter().filter(|row| !listed.contains(row)).collect();
    assert_none("docs/errors.md lacks these rows:", &findings);
}

/// Errors, close codes and reasons.
fn codes_of_the_protocol() -> Vec<String> {
    let codes: Table = read("spec/codes.toml").parse().unwrap();
    let of_kind = |kind: &str| codes[kind].as_array().unwrap().iter();
    let entries = of_kind("error").chain(of_kind("close")).chain(of_kind("reason"));
    let code = |entry: &Value| match entry["code"].as_integer() {
        Some(number) => number.to_string(),
        None => entry["code"].as_str().unwrap().to_owned(),
    };
    entries.map(code).collect()
}

fn codes_in_use() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for file in crate_sources() {
        let code = code(without_tests(&file.text), true);
        for mark in BEFORE_A_CODE {
            for (at, _) in code.match_indices(mark) {
                codes.extend(code_behind(&code[at + mark.len()..], mark));
            }
        }
        // Close codes that are the server's own.
        if file.path.starts_with("crates/openline-server/") {
            for (at, mark) in code.match_indices("CloseCode(") {
                let number: String =
                    code[at + mark.len()..].chars().take_while(char::is_ascii_digit).collect();
                codes.extend((!number.is_empty()).then_some(number));
            }
        }
    }
    codes
}

/// The code that stands at the beginning of `rest`, or behind one argument.
fn code_behind(rest: &str, mark: &str) -> Option<String> {
    let rest = match mark {
        "code:" => rest,
        _ => rest.split_once(',').filter(|(argument, _)| !argument.contains([';', '{']))?.1,
    };
    let (found, _) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
    let is_code = !found.is_empty() && found.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    is_code.then(|| found.to_owned())
}
