//! What the system says about this process.

use std::fs;
use std::sync::OnceLock;

/// What Linux counts processor time in, for programs: the same on every machine we run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The process at a moment. Each is none where the system does not tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Process {
    pub(crate) cpu_seconds: Option<f64>,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) threads: Option<u64>,
    pub(crate) open_fds: Option<u64>,
    pub(crate) max_fds: Option<u64>,
    /// Seconds since 1970.
    pub(crate) start_time_seconds: Option<f64>,
}

impl Process {
    /// Reads files that the system makes up, which takes less than a millisecond.
    pub(crate) fn read() -> Self {
        static START: OnceLock<Option<f64>> = OnceLock::new();
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let stat = text("/proc/self/stat");
        // The system's own file gets long where there are many processors.
        let start = START.get_or_init(|| start_time(&stat, &text("/proc/stat")));
        Self {
            open_fds: open_fds(),
            start_time_seconds: *start,
            ..Self::parse(&stat, &text("/proc/self/status"), &text("/proc/self/limits"))
        }
    }

    /// From the files of these names in proc(5).
    fn parse(stat: &str, status: &str, limits: &str) -> Self {
        let (user, system) = (ticks(stat, 14), ticks(stat, 15));
        let used = user.zip(system).map(|(user, system)| user + system);
        Self {
            cpu_seconds: used.map(|ticks| ticks / TICKS_PER_SECOND),
            resident_bytes: word(status, "VmRSS:", 1).map(|kib| kib * 1024),
            threads: word(status, "Threads:", 1),
            max_fds: word(limits, "Max open files", 3),
            ..Self::default()
        }
    }
}

/// In seconds since 1970, from /proc/self/stat and /proc/stat.
fn start_time(stat: &str, system: &str) -> Option<f64> {
    let boot = word(system, "btime", 1)?;
    Some(boot as f64 + ticks(stat, 22)? / TICKS_PER_SECOND)
}

/// Linux 6.2 and later says how many as the size of the folder; before, it has to be listed.
fn open_fds() -> Option<u64> {
    const FOLDER: &str = "/proc/self/fd";
    match fs::metadata(FOLDER).ok()?.len() {
        // The one that reads the list is in it.
        0 => Some(fs::read_dir(FOLDER).ok()?.count().saturating_sub(1) as u64),
        count => Some(count),
    }
}

/// The number that is so many words into the line that begins so.
fn word(text: &str, begins: &str, index: usize) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(begins))?;
    line.split_whitespace().nth(index)?.parse().ok()
}

/// A field of /proc/self/stat by its number in proc(5). The second is the program's name in
/// brackets, which may hold anything.
fn ticks(stat: &str, number: usize) -> Option<f64> {
    let (_, after) = stat.rsplit_once(')')?;
    after.split_whitespace().nth(number - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "42 (a) b) 1 S) S 1 42 42 0 -1 4194560 7 8 9 10 250 50 0 0 20 0 3 0 12345 1 2";

    #[test]
    fn fields_are_found_whatever_the_program_is_called() {
        let status = "Name:\tVmRSS: 9\nVmRSS:\t    2048 kB\nThreads:\t3\n";
        let limits = "Limit  Soft\nMax open files            1024      4096     files\n";
        let process = Process::parse(STAT, status, limits);
        assert_eq!(process.cpu_seconds, Some(3.0));
        assert_eq!(process.resident_bytes, Some(2 << 20));
        assert_eq!(process.threads, Some(3));
        assert_eq!(process.max_fds, Some(1024));
        assert_eq!(start_time(STAT, "cpu 1 2\nbtime 1000000\n"), Some(1_000_123.45));
    }

    #[test]
    fn what_is_not_told_is_none() {
        let unlimited = "Max open files            unlimited            unlimited            files";
        assert_eq!(Process::parse("", "", unlimited), Process::default());
        assert_eq!(start_time("", ""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_found() {
        let process = Process::read();
        assert!(process.resident_bytes > Some(0));
        assert!(process.open_fds > Some(0) && process.open_fds <= process.max_fds);
        assert!(process.start_time_seconds > Some(1.0e9));
    }
}
