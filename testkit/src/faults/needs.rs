//! What of the faults this machine can make.

use super::clock::FalseClock;
use super::disk::SmallDisk;
use super::namespace::Namespace;

/// Network namespaces: an error says why not.
pub(super) async fn namespaces() -> Result<(), String> {
    let tried = Namespace::new().await;
    tried.map(|_| ()).map_err(|why| format!("needs root and network namespaces: {why}"))
}

/// File systems of one's own.
pub(super) async fn mounts() -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!("openline-check-try-{}", std::process::id()));
    let tried = SmallDisk::mount(&folder, 1).await.map(|_| ());
    // It was made for this alone.
    let _ = std::fs::remove_dir(&folder);
    tried.map_err(|why| format!("needs root: {why}"))
}

/// Clocks that jump.
pub(super) fn clocks() -> Result<(), String> {
    let file =
        std::env::temp_dir().join(format!("openline-check-try-{}.clock", std::process::id()));
    let tried = FalseClock::new(file.clone()).map(|_| ());
    let _ = std::fs::remove_file(file);
    tried
}
