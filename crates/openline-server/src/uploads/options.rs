//! [`Options`]: the bounds of uploads.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::Config;

/// The folder in the data directory.
const FOLDER: &str = "uploads";

/// Bytes of a chunk, where messages may be long enough.
const CHUNK_BYTES_MAX: u64 = 256 << 10;
/// What a chunk's message has besides its bytes; more than there ever is.
const ENVELOPE_BYTES: u64 = 512;
/// Messages have at least 1 KiB, so that there is always room for this.
const CHUNK_BYTES_MIN: u64 = 256;

#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(super) enabled: bool,
    /// Where files are; none for a temporary folder.
    pub(super) folder: Option<PathBuf>,
    /// Disk that is left free.
    pub(super) reserve_bytes: u64,
    pub(super) size_max: u64,
    pub(super) total_max: u64,
    pub(super) owner_max: u64,
    pub(crate) open_max: usize,
    pub(super) resume_ms: u64,
    pub(super) keep_ms: u64,
    pub(crate) chunk_max: u64,
}

impl Options {
    pub(crate) fn of(config: &Config) -> Self {
        let uploads = &config.uploads;
        // In base64 four letters are three bytes.
        let fits = config.limits.message.bytes().saturating_sub(ENVELOPE_BYTES) / 4 * 3;
        Self {
            enabled: uploads.enabled,
            folder: (!config.ephemeral).then(|| config.data_dir.join(FOLDER)),
            reserve_bytes: config.history.reserve.bytes(),
            size_max: uploads.size_max.bytes(),
            total_max: uploads.total_max.bytes(),
            owner_max: uploads.user_max.bytes(),
            open_max: uploads.open_max as usize,
            resume_ms: milliseconds(uploads.resume),
            keep_ms: milliseconds(uploads.keep),
            chunk_max: fits.clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
