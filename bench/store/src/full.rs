//! What happens on a disk that is full: needs a small file system that may be filled.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::measured;
use crate::record::{BYTES, records};
use crate::subjects::{self, Level, NAMES, Result};

/// How long a store may take to notice that there is space again.
const PATIENCE: Duration = Duration::from_secs(10);

const BATCH: u64 = 64;

/// A larger file system is somebody's.
const SMALL_BYTES: u64 = 1 << 30;

pub fn report(small: &Path) -> Result {
    let stat = rustix::fs::statvfs(small)?;
    if stat.f_blocks * stat.f_frsize > SMALL_BYTES {
        let small = small.display();
        return Err(format!("{small} is more than 1 GiB; mount a small file system there").into());
    }
    println!(
        "A file system is filled by the store and a ballast of 8 MiB, which then goes. *Heals*:"
    );
    println!("the same process writes again without opening the store anew. *Acked*: of the");
    println!("records that were acked before and after, how many a new process finds.\n");
    println!("| Store | Heals | After opening anew | Acked | Error |");
    println!("|---|---|---|---|---|");
    for name in NAMES {
        let dir = small.join(name);
        let path = dir.to_str().ok_or("the directory's name is not UTF-8")?;
        let (ended, said) = measured(&["full", name, path])?;
        let (head, acked) = said.rsplit_once(' ').unwrap_or((&said, "0"));
        let (_, found) = measured(&["check", name, path])?;
        let found = found.trim_start_matches("records ").lines().last().unwrap_or_default();
        if ended {
            let (head, error) = head.split_once(' ').unwrap_or((head, ""));
            let (heals, anew) = head.split_once('/').unwrap_or((head, ""));
            println!("| {name} | {heals} | {anew} | {found} of {acked} | {error} |");
        } else {
            println!("| {name} | ended: {} | | {found} | |", said.lines().next().unwrap_or(""));
        }
        fs::remove_dir_all(&dir)?;
        let _ = fs::remove_file(small.join("ballast"));
    }
    Ok(())
}

fn name_and_dir<'a>(arguments: &[&'a str]) -> Result<(&'a str, &'a Path)> {
    let [name, dir] = arguments else { return Err("full takes a name and a directory".into()) };
    Ok((name, Path::new(*dir)))
}

fn parent(dir: &Path) -> Result<&Path> {
    dir.parent().ok_or_else(|| "the root is no place for this".into())
}

pub fn child(arguments: &[&str]) -> Result {
    let (name, dir) = name_and_dir(arguments)?;
    let ballast = parent(dir)?.join("ballast");
    fs::write(&ballast, vec![1; 8 << 20])?;
    let mut subject = subjects::open(name, dir, Level::Os)?;
    let mut next = 0;
    let error = loop {
        match subject.commit(next, &records(next, BATCH), 0..0) {
            Ok(()) => next += BATCH,
            Err(error) => break error.to_string(),
        }
        if next * BYTES as u64 > SMALL_BYTES {
            return Err("the file system is not small".into());
        }
    };
    fs::remove_file(&ballast)?;
    let heals = write_again(subject.as_mut(), &mut next);
    let anew = if heals || name == "openline" {
        "–"
    } else {
        drop(subject);
        let again = subjects::open(name, dir, Level::Os);
        if again.is_ok_and(|mut s| write_again(s.as_mut(), &mut next)) { "yes" } else { "no" }
    };
    let error = error.lines().next().unwrap_or_default().replace('|', "/");
    println!("{}/{anew} {error} {next}", if heals { "yes" } else { "no" });
    // Whatever was acked has to be there without an orderly end.
    std::io::Write::flush(&mut std::io::stdout())?;
    std::process::exit(0)
}

fn write_again(subject: &mut dyn subjects::Subject, next: &mut u64) -> bool {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if subject.commit(*next, &records(*next, BATCH), 0..0).is_ok() {
            *next += BATCH;
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}
