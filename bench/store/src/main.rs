//! Measures Openline's store beside the embedded stores that could have been used instead, and
//! prints Markdown tables. See the README beside this.

mod damage;
mod full;
mod record;
#[allow(dead_code, unused_imports, reason = "the server uses more of it than is measured here")]
#[path = "../../../crates/openline-server/src/store/mod.rs"]
mod store;
mod subjects;
mod write;

use std::path::{Path, PathBuf};
use std::process::Command;

use subjects::{Level, Result};

/// Each measurement runs in a process of its own: `store-bench child KIND …`.
const CHILD: &str = "child";

fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [CHILD, "write", rest @ ..] => write::child(rest),
        [CHILD, "fill", rest @ ..] => damage::fill(rest),
        [CHILD, "check", rest @ ..] => damage::check(rest),
        [CHILD, "full", rest @ ..] => full::child(rest),
        ["full", small] => full::report(Path::new(small)),
        ["damage"] => damage::report(&Scratch::new(&std::env::temp_dir())?),
        [] => report(&std::env::temp_dir(), 1),
        ["--quick"] => report(&std::env::temp_dir(), 20),
        ["--dir", dir] => report(Path::new(dir), 1),
        _ => {
            Err("usage: store-bench [--quick | --dir DIR | damage | full SMALL_FILE_SYSTEM]".into())
        }
    }
}

fn report(parent: &Path, divisor: u64) -> Result {
    let scratch = Scratch::new(parent)?;
    write::report(&scratch, divisor)?;
    damage::report(&scratch)
}

/// Runs one measurement and returns what it printed.
fn measured(arguments: &[&str]) -> Result<(bool, String)> {
    let output = Command::new(std::env::current_exe()?).arg(CHILD).args(arguments).output()?;
    let said = if output.status.success() { output.stdout } else { output.stderr };
    Ok((output.status.success(), String::from_utf8_lossy(&said).trim().to_owned()))
}

fn level(name: &str) -> Result<Level> {
    match name {
        "os" => Ok(Level::Os),
        "fsync" => Ok(Level::Fsync),
        _ => Err(format!("no level {name}; there are os and fsync").into()),
    }
}

/// A directory that goes when the measurement ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(parent: &Path) -> Result<Self> {
        let path = parent.join(format!("store-bench-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// An empty place in it.
    fn place(&self, name: &str) -> Result<PathBuf> {
        let path = self.0.join(name);
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
