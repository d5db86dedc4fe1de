//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold what others made: builds, packages, caches.
const NOT_OURS: [&str; 12] = [
    ".git",
    ".work",
    ".pytest_cache",
    ".ruff_cache",
    "__pycache__",
    "artifacts",
    "corpus",
    "coverage",
    "node_modules",
    "openline-data",
    "target",
    "venv",
];

/// A file, by its path from the root, with `/` between the parts.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tidy/ is a folder of the root").to_owned()
}

/// All text files of the repository with one of these endings.
pub(crate) fn files(endings: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    walk(&root(), endings, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "there is no file with any of the endings {endings:?}");
    found
}

/// The Rust sources of the crates; their integration tests are not among them.
pub(crate) fn crate_sources() -> Vec<File> {
    files(&["rs"])
        .into_iter()
        .filter(|file| file.path.starts_with("crates/") && file.path.contains("/src/"))
        .collect()
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names in a folder.
pub(crate) fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn walk(folder: &Path, endings: &[&str], found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !NOT_OURS.contains(&name.as_str()) {
                walk(&path, endings, found);
            }
            continue;
        }
        let ending = name.rsplit_once('.').map_or(name.as_str(), |(_, ending)| ending);
        if endings.contains(&ending)
            && let Ok(text) = fs::read_to_string(&path)
        {
            let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            found.push(File { path, text });
        }
    }
}
