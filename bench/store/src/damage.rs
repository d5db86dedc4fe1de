//! What is left after a kill, and after a byte has changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::record::{record, records};
use crate::subjects::{self, Level, NAMES, Result};
use crate::write::files;
use crate::{Scratch, measured};

const RECORDS: u64 = 20_000;
const BATCH: u64 = 64;

/// Bytes that are changed, one at a time, evenly over what the files have.
const FLIPS: u64 = 400;

/// The last commits are left out: damage there may pass for an unfinished write.
const TAIL_BYTES: u64 = 64 << 10;

pub fn report(scratch: &Scratch) -> Result {
    println!(
        "{RECORDS} records at `os` in commits of {BATCH}, then the process is killed. *Acked*"
    );
    println!("is how many came back. Then, {FLIPS} times, one byte of what it left is changed and");
    println!("the store is opened and read. *Told*: it says so, or ends. *Whole*: all records are");
    println!("there (the byte was of no use). *Silent*: records are missing or wrong and it does");
    println!("not say so.\n");
    println!("| Store | Acked | Told | Whole | Silent | Most records lost in silence |");
    println!("|---|---|---|---|---|---|");
    for name in NAMES {
        let filled = scratch.place("filled")?;
        measured(&["fill", name, text(&filled)?])?;
        let whole = scratch.place("whole")?;
        copy(&filled, &whole)?;
        let (_, acked) = measured(&["check", name, text(&whole)?])?;
        let acked = acked.strip_prefix("records ").unwrap_or(&acked).to_owned();
        let mut verdicts = BTreeMap::<&str, u64>::new();
        let mut lost_max = 0;
        let extents = extents(&filled)?;
        let bytes: u64 = extents.iter().map(|(_, bytes)| bytes).sum();
        for flip in 0..FLIPS {
            let damaged = scratch.place("damaged")?;
            copy(&filled, &damaged)?;
            let at = (bytes - TAIL_BYTES.min(bytes / 2)) * (2 * flip + 1) / (2 * FLIPS);
            change(&extents, at, &filled, &damaged)?;
            let (ended, said) = measured(&["check", name, text(&damaged)?])?;
            let found = said.strip_prefix("records ").and_then(|n| n.parse::<u64>().ok());
            let verdict = match found {
                Some(found) if ended && found == RECORDS => "whole",
                Some(found) if ended => {
                    lost_max = lost_max.max(RECORDS.saturating_sub(found));
                    "silent"
                }
                _ => "told",
            };
            *verdicts.entry(verdict).or_default() += 1;
        }
        let [told, whole, silent] =
            ["told", "whole", "silent"].map(|verdict| verdicts.get(verdict).copied().unwrap_or(0));
        println!("| {name} | {acked} of {RECORDS} | {told} | {whole} | {silent} | {lost_max} |");
    }
    println!();
    Ok(())
}

/// Writes and dies.
pub fn fill(arguments: &[&str]) -> Result {
    let [name, dir] = arguments else { return Err("fill takes a name and a directory".into()) };
    let mut subject = subjects::open(name, Path::new(dir), Level::Os)?;
    for first in (0..RECORDS).step_by(BATCH as usize) {
        let count = BATCH.min(RECORDS - first);
        subject.commit(first, &records(first, count), 0..0)?;
    }
    std::process::abort()
}

/// Reads everything and says how many of the first records are right, one after the other.
pub fn check(arguments: &[&str]) -> Result {
    let [name, dir] = arguments else { return Err("check takes a name and a directory".into()) };
    let mut subject = subjects::open(name, Path::new(dir), Level::Os)?;
    let (mut right, mut wrong) = (0, 0);
    subject.read(&mut |sequence, bytes| {
        if sequence == right && bytes == record(sequence) { right += 1 } else { wrong += 1 }
    })?;
    println!("records {}", right - wrong.min(right));
    Ok(())
}

/// The data files, smaller name first but the ones that only lock left out, and how far they have
/// something else than zeros.
fn extents(dir: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let mut extents = Vec::new();
    for path in files(dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        // SQLite makes its index of the write-ahead log anew.
        if name.contains("lock") || name.ends_with("-shm") {
            continue;
        }
        let bytes = std::fs::read(&path)?;
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        if end > 0 {
            extents.push((path, end));
        }
    }
    Ok(extents)
}

fn change(extents: &[(PathBuf, u64)], mut at: u64, from: &Path, to: &Path) -> Result {
    for (path, bytes) in extents {
        if at < *bytes {
            let path = to.join(path.strip_prefix(from)?);
            let mut content = std::fs::read(&path)?;
            content[at as usize] ^= 0x10;
            return Ok(std::fs::write(path, content)?);
        }
        at -= bytes;
    }
    Err("beyond the end".into())
}

fn copy(from: &Path, to: &Path) -> Result {
    for path in files(from)? {
        let target = to.join(path.strip_prefix(from)?);
        std::fs::create_dir_all(target.parent().ok_or("a file is in a directory")?)?;
        std::fs::copy(path, target)?;
    }
    Ok(())
}

fn text(path: &Path) -> Result<&str> {
    Ok(path.to_str().ok_or("the directory's name is not UTF-8")?)
}
