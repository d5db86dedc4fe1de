//! [`SmallDisk`]: a disk that can be filled.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::program::{run, run_at_the_end};

/// What takes the space.
const FILLER: &str = "filler";
/// What mounts are called; the number of the process that made them follows.
const SOURCE: &str = "openline-check-";

/// A small file system in memory. Dropping it unmounts it.
pub(super) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one on a folder, which is made. Needs root.
    pub(super) async fn mount(folder: &Path, mebibytes: u32) -> Result<Self, String> {
        unmount_orphans();
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let source = format!("{SOURCE}{}", std::process::id());
        let size = format!("size={mebibytes}m");
        let path = folder.to_string_lossy().into_owned();
        run(&["mount", "-t", "tmpfs", "-o", &size, &source, &path]).await?;
        Ok(Self(folder.to_owned()))
    }

    /// Takes all space that is left.
    pub(super) fn fill(&self) -> Result<(), String> {
        let wrong = |error: io::Error| format!("{}: {error}", self.0.display());
        let mut filler = File::create(self.0.join(FILLER)).map_err(wrong)?;
        let zeros = vec![0; 64 << 10];
        loop {
            match filler.write_all(&zeros) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(wrong(error)),
            }
        }
    }

    /// Gives it back.
    pub(super) fn free(&self) {
        // Where nothing was filled there is nothing to give back.
        let _ = fs::remove_file(self.0.join(FILLER));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run_at_the_end(&["umount", "-l", &self.0.to_string_lossy()]);
    }
}

/// Unmounts what processes left behind that were killed.
fn unmount_orphans() {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    for mount in mounts.lines() {
        let mut fields = mount.split(' ');
        let (Some(source), Some(folder)) = (fields.next(), fields.next()) else { continue };
        let process = source.strip_prefix(SOURCE);
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            run_at_the_end(&["umount", "-l", folder]);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::faults::folder::Folder;

    #[tokio::test]
    #[ignore = "needs root"]
    async fn a_small_disk_is_full_and_has_space_again() {
        let folder = Folder::new().unwrap();
        let place = folder.path().join("disk");
        let disk = SmallDisk::mount(&place, 1).await.unwrap();
        fs::write(place.join("before"), [1; 1000]).unwrap();
        disk.fill().unwrap();
        let refused = fs::write(place.join("full"), vec![1; 8192]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        disk.free();
        fs::write(place.join("after"), vec![1; 8192]).unwrap();
        drop(disk);
        assert!(!place.join("before").exists());
    }
}
