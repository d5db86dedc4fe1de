//! Writes the list of the built pages: every file of `web/dist`.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const FOLDER: &str = "../../web/dist";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={FOLDER}");
    let folder = Path::new(&variable("CARGO_MANIFEST_DIR")?).join(FOLDER).canonicalize()?;
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort_unstable();
    let mut list = "&[\n".to_owned();
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        // Both are written as Rust writes text.
        list += &format!("    ({name:?}, include_bytes!({:?})),\n", file.display().to_string());
    }
    list += "]\n";
    fs::write(Path::new(&variable("OUT_DIR")?).join("pages.rs"), list)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(io::Error::other)
}
