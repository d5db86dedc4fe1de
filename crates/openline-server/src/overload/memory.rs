//! How much memory is in use, and how much there may be: of the process, and of the control groups
//! that it is in.

use std::fs;
use std::path::{Path, PathBuf};

/// From here on version 1 says that a group has no limit.
const UNLIMITED: u64 = 1 << 60;

/// A bound of memory, and what is in use of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) used: u64,
    pub(super) max: u64,
}

impl Use {
    pub(super) fn thousandths(&self) -> u64 {
        (u128::from(self.used) * 1_000 / u128::from(self.max.max(1))).try_into().unwrap_or(u64::MAX)
    }

    /// Without what counts as used and is free.
    pub(super) fn without(self, free: u64) -> Self {
        Self { used: self.used.saturating_sub(free), ..self }
    }
}

/// Where to read it. Found once; a limit may change while the process runs.
#[derive(Debug)]
pub(super) struct Memory {
    proc: PathBuf,
    groups: Vec<Group>,
}

/// A moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// What the process has that is no file's.
    pub(super) process: u64,
    /// All bounds that there are.
    pub(super) uses: Vec<Use>,
}

/// A control group that the process is in.
#[derive(Debug)]
struct Group {
    folder: PathBuf,
    names: &'static Names,
}

/// How the files of a version are called.
#[derive(Debug)]
struct Names {
    limits: &'static [&'static str],
    usage: &'static str,
    /// In `memory.stat`: what the system takes back when it needs it.
    reclaimable: [&'static str; 2],
}

const VERSION_1: Names = Names {
    limits: &["memory.limit_in_bytes"],
    usage: "memory.usage_in_bytes",
    reclaimable: ["total_active_file", "total_inactive_file"],
};

const VERSION_2: Names = Names {
    // At `high` the system slows the process down until it has given something back.
    limits: &["memory.max", "memory.high"],
    usage: "memory.current",
    reclaimable: ["active_file", "inactive_file"],
};

impl Memory {
    /// Finds what there is.
    pub(super) fn find() -> Self {
        Self::find_in(Path::new("/proc"), Path::new("/sys/fs/cgroup"))
    }

    fn find_in(proc: &Path, mount: &Path) -> Self {
        let memberships = text(&proc.join("self/cgroup"));
        let groups = memberships.lines().flat_map(|line| groups(line, mount)).collect();
        Self { proc: proc.to_owned(), groups }
    }

    /// Reads files that the system makes up; none where it does not. `configured` is what the process
    /// may have, in place of what the machine has.
    pub(super) fn read(&self, configured: Option<u64>) -> Option<Sample> {
        let process = kib(&text(&self.proc.join("self/status")), "RssAnon:")?;
        let machine = || kib(&text(&self.proc.join("meminfo")), "MemTotal:");
        let own = configured.or_else(machine).map(|max| Use { used: process, max });
        let groups = self.groups.iter().filter_map(Group::read);
        Some(Sample { process, uses: own.into_iter().chain(groups).collect() })
    }
}

/// The groups with a limit that a line of /proc/self/cgroup is about: the process's own and those
/// around it.
fn groups(line: &str, mount: &Path) -> Vec<Group> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (root, names) = match controllers {
        "" => (mount.to_owned(), &VERSION_2),
        _ if controllers.split(',').any(|name| name == "memory") => {
            (mount.join("memory"), &VERSION_1)
        }
        _ => return Vec::new(),
    };
    let own = root.join(path.trim_start_matches('/'));
    // In a container the path may be that outside of it, and the root is the container's group.
    let is_inside = !path.split('/').any(|part| part == "..");
    let own = if is_inside && own.is_dir() { own } else { root.clone() };
    let folders = own.ancestors().take_while(|folder| folder.starts_with(&root));
    let has_usage = |folder: &&Path| folder.join(names.usage).is_file();
    folders.filter(has_usage).map(|folder| Group { folder: folder.to_owned(), names }).collect()
}

impl Group {
    /// None where it has no limit.
    fn read(&self) -> Option<Use> {
        let number = |name: &str| text(&self.folder.join(name)).trim().parse::<u64>().ok();
        let limits = self.names.limits.iter().filter_map(|name| number(name));
        let max = limits.filter(|limit| *limit < UNLIMITED).min()?;
        let stat = text(&self.folder.join("memory.stat"));
        let reclaimable = self.names.reclaimable.iter().filter_map(|name| {
            let line = stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
            line.trim().parse::<u64>().ok()
        });
        let reclaimable: u64 = reclaimable.sum();
        Some(Use { used: number(self.names.usage)?.saturating_sub(reclaimable), max })
    }
}

/// Bytes, from a line like `RssAnon:  2048 kB`.
fn kib(text: &str, begins: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(begins))?;
    rest.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const STATUS: &str = "Name:\topenline\nVmRSS:\t 300 kB\nRssAnon:\t     100 kB\n";

    /// A system with these files, below a folder of its own.
    struct System(PathBuf);

    impl Drop for System {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    impl System {
        fn new(files: &[(&str, &str)]) -> Self {
            let name = format!("openline-memory-{:016x}", rand::random::<u64>());
            let folder = std::env::temp_dir().join(name);
            let always = [("proc/self/status", STATUS), ("proc/meminfo", "MemTotal: 1000 kB\n")];
            for (path, text) in always.iter().chain(files) {
                let path = folder.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Self(folder)
        }

        fn memory(&self) -> Memory {
            Memory::find_in(&self.0.join("proc"), &self.0.join("cg"))
        }

        fn uses(&self, configured: Option<u64>) -> Vec<Use> {
            self.memory().read(configured).unwrap().uses
        }
    }

    const OWN: Use = Use { used: 100 << 10, max: 1000 << 10 };

    #[test]
    fn without_groups_the_process_is_held_against_the_machine_or_the_configuration() {
        let system = System::new(&[]);
        assert_eq!(system.uses(None), [OWN]);
        assert_eq!(system.uses(Some(5)), [Use { max: 5, ..OWN }]);
        assert_eq!(system.memory().read(None).unwrap().process, 100 << 10);
    }

    #[test]
    fn version_2_counts_all_but_files_against_the_lower_of_its_limits() {
        let system = System::new(&[
            ("proc/self/cgroup", "0::/a/b\n"),
            ("cg/a/b/memory.current", "700\n"),
            ("cg/a/b/memory.max", "max\n"),
            ("cg/a/b/memory.high", "max\n"),
            ("cg/a/b/memory.stat", "anon 1\nfile 250\ninactive_file 100\nactive_file 50\n"),
            ("cg/a/memory.current", "900\n"),
            ("cg/a/memory.max", "2000\n"),
            ("cg/a/memory.high", "1500\n"),
            ("cg/a/memory.stat", "inactive_file 300\nactive_file 0\nworkingset_inactive_file 9\n"),
        ]);
        assert_eq!(system.uses(None), [OWN, Use { used: 600, max: 1500 }]);
        fs::write(system.0.join("cg/a/b/memory.max"), "1000").unwrap();
        let both = [OWN, Use { used: 550, max: 1000 }, Use { used: 600, max: 1500 }];
        assert_eq!(system.uses(None), both);
    }

    #[test]
    fn version_1_is_read_where_the_memory_controller_is() {
        let system = System::new(&[
            ("proc/self/cgroup", "9:cpu,cpuacct:/x\n4:memory:/box\n0::/\n"),
            ("cg/memory/box/memory.usage_in_bytes", "700\n"),
            ("cg/memory/box/memory.limit_in_bytes", "1000\n"),
            ("cg/memory/box/memory.stat", "total_active_file 30\ntotal_inactive_file 70\n"),
            ("cg/memory/memory.usage_in_bytes", "800\n"),
            ("cg/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ]);
        assert_eq!(system.uses(None), [OWN, Use { used: 600, max: 1000 }]);
    }

    #[test]
    fn in_a_container_the_root_is_the_group() {
        let system = System::new(&[
            ("proc/self/cgroup", "4:memory:/docker/0123\n"),
            ("cg/memory/memory.usage_in_bytes", "700\n"),
            ("cg/memory/memory.limit_in_bytes", "1000\n"),
        ]);
        assert_eq!(system.uses(None), [OWN, Use { used: 700, max: 1000 }]);
    }

    #[test]
    fn a_path_does_not_lead_out_of_the_groups() {
        let system = System::new(&[
            ("proc/self/cgroup", "nonsense\n4:memory\n0::/../proc\n"),
            ("proc/memory.current", "1\n"),
            ("proc/memory.max", "2\n"),
        ]);
        assert_eq!(system.uses(None), [OWN]);
    }

    #[test]
    fn where_the_system_does_not_tell_there_is_no_sample() {
        assert_eq!(Memory::find_in(Path::new("/nowhere"), Path::new("/")).read(Some(1)), None);
    }

    #[test]
    fn fullness_is_in_thousandths() {
        assert_eq!(Use { used: 1, max: 3 }.thousandths(), 333);
        assert_eq!(Use { used: u64::MAX, max: 0 }.thousandths(), u64::MAX);
        assert_eq!(Use { used: 5, max: 10 }.without(9).thousandths(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_found() {
        let sample = Memory::find().read(None).unwrap();
        assert!(sample.process > 0 && !sample.uses.is_empty());
        assert!(sample.uses.iter().all(|found| found.max > 0));
    }
}
