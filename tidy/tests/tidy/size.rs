//! How long files and functions may be: what has to be read at once.

use crate::assert_none;
use crate::source::{functions, without_tests};
use crate::tree::crate_sources;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Files that may be longer, up to how many lines, and why.
const LONG_FILES: &[(&str, usize, &str)] = &[];

/// Functions that may be longer, and why.
const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[];

#[test]
fn no_file_is_longer_than_600_lines() {
    let mut findings = Vec::new();
    for file in crate_sources() {
        let lines = without_tests(&file.text).lines().count();
        let max = LONG_FILES
            .iter()
            .find(|(path, _, _)| *path == file.path)
            .map_or(FILE_LINES_MAX, |(_, max, _)| *max);
        if lines > max {
            findings.push(format!("{}: {lines} lines, {max} is the end", file.path));
        }
    }
    assert_none("Split these, or except them in tidy/tests/tidy/size.rs with a reason:", &findings);
}

#[test]
fn no_function_is_longer_than_70_lines() {
    let mut findings = Vec::new();
    for file in crate_sources() {
        for function in functions(without_tests(&file.text)) {
            let excepted = LONG_FUNCTIONS
                .iter()
                .any(|(path, name, _)| *path == file.path && *name == function.name);
            if function.lines > FUNCTION_LINES_MAX && !excepted {
                findings.push(format!(
                    "{}:{}: {} has {} lines",
                    file.path, function.line, function.name, function.lines
                ));
            }
        }
    }
    assert_none("Split these, or except them in tidy/tests/tidy/size.rs with a reason:", &findings);
}

#[test]
fn exceptions_name_what_exists() {
    let sources = crate_sources();
    let mut findings = Vec::new();
    for (path, _, _) in LONG_FILES {
        if !sources.iter().any(|file| file.path == *path) {
            findings.push((*path).to_owned());
        }
    }
    for (path, name, _) in LONG_FUNCTIONS {
        let file = sources.iter().find(|file| file.path == *path);
        if !file.is_some_and(|file| functions(&file.text).iter().any(|f| f.name == *name)) {
            findings.push(format!("{path}: {name}"));
        }
    }
    assert_none("Remove these exceptions:", &findings);
}
