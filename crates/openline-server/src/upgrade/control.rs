//! [`Control`]: the Unix socket on which a new process can ask to take over.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::config::Config;

/// In the data directory, if the configuration names no other.
const NAME: &str = "upgrade.sock";

/// Where a server of this configuration listens; none if it does not.
pub(super) fn path(config: &Config) -> Option<PathBuf> {
    match &config.upgrade.socket {
        Some(path) => Some(path.clone()),
        None if config.ephemeral => None,
        None => Some(config.data_dir.join(NAME)),
    }
}

/// Listens for whoever runs as the same user. One that is there already is replaced if nobody
/// listens on it, or if it is that of the process before, which is `succeeded`.
pub(super) fn listen(path: &Path, succeeded: bool) -> io::Result<UnixListener> {
    if !succeeded && UnixStream::connect(path).is_ok() {
        let what = "another server listens there; give each its own upgrade.socket";
        return Err(io::Error::new(io::ErrorKind::AddrInUse, what));
    }
    let made = path.with_extension(format!("{}.new", std::process::id()));
    let _ = fs::remove_file(&made);
    let listener = UnixListener::bind(&made)?;
    // By the time it has its name it is closed to others; whoever comes is asked who it is as well.
    let named = fs::set_permissions(&made, fs::Permissions::from_mode(0o600))
        .and_then(|()| fs::rename(&made, path))
        .and_then(|()| listener.set_nonblocking(true));
    if named.is_err() {
        let _ = fs::remove_file(&made);
    }
    named.map(|()| listener)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let name = format!("openline-control-{:016x}", rand::random::<u64>());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn it_is_for_its_user_alone_and_leaves_nothing_beside_it() {
        let folder = Folder::new();
        let path = folder.0.join("upgrade.sock");
        let _listener = listen(&path, false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    }

    #[test]
    fn one_that_nobody_listens_on_is_replaced_and_one_of_another_server_is_not() {
        let folder = Folder::new();
        let path = folder.0.join("upgrade.sock");
        drop(listen(&path, false).unwrap());
        let first = listen(&path, false).unwrap();
        let error = listen(&path, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let second = listen(&path, true).unwrap();
        drop(first);
        UnixStream::connect(&path).unwrap();
        second.set_nonblocking(false).unwrap();
        second.accept().unwrap();
    }

    #[test]
    fn a_server_that_keeps_nothing_has_one_only_where_it_is_told() {
        let mut config = Config { ephemeral: true, ..Config::default() };
        assert_eq!(path(&config), None);
        config.upgrade.socket = Some("/run/x.sock".into());
        assert_eq!(path(&config), Some("/run/x.sock".into()));
        config = Config { data_dir: "/data".into(), ..Config::default() };
        assert_eq!(path(&config), Some("/data/upgrade.sock".into()));
    }
}
