//! What writing costs: bytes and time for each record.

use std::path::Path;
use std::time::Instant;

use crate::record::{BYTES, records};
use crate::subjects::{self, NAMES, Result};
use crate::{Scratch, level, measured};

/// Level, records in a commit, records, and how many stay when older ones are removed.
const RUNS: [(&str, u64, u64, Option<u64>); 7] = [
    ("os", 1, 200_000, None),
    ("os", 64, 640_000, None),
    ("os", 512, 640_000, None),
    ("fsync", 1, 2_000, None),
    ("fsync", 64, 64_000, None),
    ("fsync", 512, 256_000, None),
    ("os", 64, 1_280_000, Some(20_000)),
];

pub fn report(scratch: &Scratch, divisor: u64) -> Result {
    println!("Records of {BYTES} bytes. *Written* is `write_bytes` of `/proc/self/io`, including");
    println!("what the store does when it is closed and a last sync; in times of the records' own");
    println!("bytes. *Disk* is what the files take at the end, in times of the live records.\n");
    println!("| Level | In a commit | Kept | Store | Records/s | Written | Disk | Peak memory |");
    println!("|---|---|---|---|---|---|---|---|");
    for (level, batch, count, keep) in RUNS {
        for name in NAMES {
            let count = (count / divisor / batch).max(10) * batch;
            let keep = keep.map_or(count, |keep| (keep / divisor).max(batch));
            let dir = scratch.place("write")?;
            let dir = dir.to_str().ok_or("the directory's name is not UTF-8")?;
            let (batch, count, kept) = (batch.to_string(), count.to_string(), keep.to_string());
            let arguments = ["write", name, level, &batch, &count, &kept, dir];
            let (ended, figures) = measured(&arguments)?;
            if !ended {
                return Err(format!("{name}: {figures}").into());
            }
            let kept = if kept == count { "all".to_owned() } else { kept };
            println!("| {level} | {batch} | {kept} | {name} | {figures} |");
        }
    }
    println!();
    Ok(())
}

fn six<'a>(arguments: &[&'a str]) -> Result<[&'a str; 6]> {
    arguments.try_into().map_err(|_| "a child takes six arguments".into())
}

pub fn child(arguments: &[&str]) -> Result {
    let [name, at, batch, count, keep, dir] = six(arguments)?;
    let (batch, count): (u64, u64) = (batch.parse()?, count.parse()?);
    let (keep, dir) = (keep.parse::<u64>()?, Path::new(dir));
    let mut subject = subjects::open(name, dir, level(at)?)?;
    let written_before = written()?;
    let began = Instant::now();
    let mut first = 0;
    let mut spent_elsewhere = std::time::Duration::ZERO;
    while first < count {
        let making = Instant::now();
        let records = records(first, batch);
        spent_elsewhere += making.elapsed();
        let removed = first.saturating_sub(keep)..(first + batch).saturating_sub(keep);
        subject.commit(first, &records, removed)?;
        first += batch;
    }
    let took = began.elapsed() - spent_elsewhere;
    subject.close()?;
    sync(dir)?;
    let bytes = (count * BYTES as u64) as f64;
    println!(
        "{:.0} | {:.2} | {:.2} | {} MiB",
        count as f64 / took.as_secs_f64(),
        (written()? - written_before) as f64 / bytes,
        disk(dir)? as f64 / (keep * BYTES as u64) as f64,
        peak_memory()? >> 20,
    );
    Ok(())
}

fn written() -> Result<u64> {
    field("/proc/self/io", "write_bytes:")
}

fn peak_memory() -> Result<u64> {
    Ok(field("/proc/self/status", "VmHWM:")? << 10)
}

fn field(path: &str, name: &str) -> Result<u64> {
    let text = std::fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or_else(|| format!("no {name} in {path}"))?.parse()?)
}

fn sync(dir: &Path) -> Result {
    for path in files(dir)? {
        std::fs::File::open(path)?.sync_all()?;
    }
    Ok(())
}

/// Blocks that are taken, so that holes in files do not count.
fn disk(dir: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let files = files(dir)?;
    files.iter().map(|path| Ok(std::fs::metadata(path)?.blocks() * 512)).sum()
}

pub fn files(dir: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
