//! A file for its owner alone, which is there as a whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Writes a file that nobody else may read: aside, and renames it then, so that neither a crash nor a
/// full disk leaves half of it. What had the name before is gone.
///
/// # Errors
/// What the system says; a file of this name is as it was.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = Path::new(&aside);
    // One that a crash left might be open to others.
    match fs::remove_file(aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(aside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(aside, path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn it_replaces_what_was_there_and_is_its_owners_alone() {
        let folder = std::env::temp_dir().join(format!("openline-{:016x}", rand::random::<u64>()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("key");
        // What others may read, under the name and beside it.
        fs::write(&path, "before").unwrap();
        fs::write(folder.join("key.new"), "half").unwrap();
        write(&path, b"after").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"after");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
        assert!(write(&folder.join("no/folder"), b"").is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
