//! [`Files`]: certificates that are files, and whether these have changed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::certificate::Certificate;
use crate::config;

/// The files that the configuration names, and how they were when they were looked at last.
#[derive(Debug, Default)]
pub(super) struct Files {
    pairs: Vec<(PathBuf, PathBuf)>,
    stamps: Vec<Option<Stamp>>,
}

/// Which content a path has, as far as that can be told without reading it. Links are followed, as
/// certbot and Kubernetes change where these lead.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    real: PathBuf,
    bytes: u64,
    modified: SystemTime,
}

impl Files {
    pub(super) fn of(config: &config::Tls) -> Self {
        let owned = |(certificate, key): (&Path, &Path)| (certificate.into(), key.into());
        Self { pairs: config.files().map(owned).collect(), stamps: Vec::new() }
    }

    /// Reads all of them.
    ///
    /// # Errors
    /// What is wrong, and in which file.
    pub(super) fn read(&mut self) -> io::Result<Vec<Arc<Certificate>>> {
        // Before reading: what changes meanwhile is seen the next time.
        self.stamps = self.stamps();
        let pairs = self.pairs.iter();
        pairs
            .map(|(certificate, key)| Certificate::from_files(certificate, key).map(Arc::new))
            .collect()
    }

    /// Whether one of them is another than when they were read.
    pub(super) fn have_changed(&self) -> bool {
        self.stamps() != self.stamps
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        self.pairs.iter().flat_map(|(certificate, key)| [stamp(certificate), stamp(key)]).collect()
    }
}

/// A certificate among `new` that has expired and is not among `old`.
pub(super) fn newly_expired<'a>(
    new: &'a [Arc<Certificate>],
    old: &[Arc<Certificate>],
    now: SystemTime,
) -> Option<&'a Certificate> {
    let is_new = |certificate: &Certificate| !old.iter().any(|old| old.is(certificate));
    let mut new = new.iter().map(|certificate| &**certificate);
    new.find(|certificate| certificate.has_expired(now) && is_new(certificate))
}

fn stamp(path: &Path) -> Option<Stamp> {
    let real = fs::canonicalize(path).ok()?;
    let meta = fs::metadata(&real).ok()?;
    Some(Stamp { real, bytes: meta.len(), modified: meta.modified().ok()? })
}
