//! [`FalseClock`]: a time of day that jumps.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where Debian and others have it.
const FOLDERS: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu/faketime",
    "/usr/lib/aarch64-linux-gnu/faketime",
    "/usr/lib/faketime",
];
const LIBRARY: &str = "libfaketimeMT.so.1";

/// What a program is shown as the time of day, by libfaketime. Time that only goes forwards is not
/// touched.
pub(super) struct FalseClock {
    file: PathBuf,
    library: PathBuf,
}

impl FalseClock {
    /// A clock that is right so far. An error where libfaketime is not installed.
    pub(super) fn new(file: PathBuf) -> Result<Self, String> {
        let libraries = FOLDERS.iter().map(|folder| Path::new(folder).join(LIBRARY));
        let library = libraries.into_iter().find(|library| library.exists());
        let library = library.ok_or("libfaketime is not installed (Debian: faketime)")?;
        let this = Self { file, library };
        this.set(0).map_err(|error| format!("{}: {error}", this.file.display()))?;
        Ok(this)
    }

    /// What a program has to be started with.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let pairs = [
            ("LD_PRELOAD", &*self.library.to_string_lossy()),
            ("FAKETIME_TIMESTAMP_FILE", &*self.file.to_string_lossy()),
            ("FAKETIME_CACHE_DURATION", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
    }

    /// Has it be so many seconds ahead, or behind; seen within a second.
    pub(super) fn set(&self, seconds: i64) -> io::Result<()> {
        // In one piece: it may be read at any time.
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n"))?;
        fs::rename(new, &self.file)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::process::Command;

    use super::*;
    use crate::faults::folder::Folder;

    /// Seconds since 1970, and since the machine was started.
    fn times(clock: &FalseClock) -> (f64, f64) {
        let script = "import time; print(time.time(), time.monotonic())";
        let mut command = Command::new("python3");
        let output = command.args(["-c", script]).envs(clock.environment()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (wall, monotonic) = text.trim().split_once(' ').unwrap();
        (wall.parse().unwrap(), monotonic.parse().unwrap())
    }

    #[test]
    #[ignore = "needs libfaketime"]
    fn a_false_clock_jumps_and_time_goes_on_nevertheless() {
        let folder = Folder::new().unwrap();
        let clock = FalseClock::new(folder.path().join("clock")).unwrap();
        let before = times(&clock);
        clock.set(3600).unwrap();
        let after = times(&clock);
        assert!((3600.0..3660.0).contains(&(after.0 - before.0)), "{before:?} {after:?}");
        assert!((0.0..60.0).contains(&(after.1 - before.1)), "{before:?} {after:?}");
        clock.set(-3600).unwrap();
        let behind = times(&clock);
        assert!((-3600.0..-3500.0).contains(&(behind.0 - before.0)), "{before:?} {behind:?}");
    }
}
