//! Files without sockets: with a virtual clock, and a disk that does as it is told.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beside;
mod disk;
mod limits;
mod restart;
mod transfers;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use openline_protocol::{Chunk, Complete, ErrorCode, Fault, NewFile, StoredFile};
use tokio::sync::{Semaphore, oneshot};

use super::{Network, Opened, Options, Owner, Stored, Tell, Uploads, WINDOW};
use crate::clock::Clock;
use crate::log::Log;

const HOUR: u64 = 3_600_000;

/// The uploads of a server, in a folder of their own.
struct Place {
    uploads: Uploads,
    options: Options,
    passed: &'static AtomicU64,
    line: Arc<Semaphore>,
    _folder: Folder,
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn ann() -> Owner {
    Owner::User("ann".into())
}

fn nobody(address: &str) -> Owner {
    Owner::Network(Network::from(address.parse::<std::net::IpAddr>().unwrap()))
}

fn file(name: &str) -> NewFile {
    NewFile { name: name.into(), size: None, content_type: None, key: None }
}

fn sized(name: &str, size: u64) -> NewFile {
    NewFile { size: Some(size), ..file(name) }
}

fn keyed(name: &str, key: &str) -> NewFile {
    NewFile { key: Some(key.into()), ..file(name) }
}

/// Bytes that are the same nowhere near.
fn bytes(len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8).collect()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().try_into().unwrap()
}

impl Place {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Options)) -> Self {
        let name = format!("openline-uploads-{:016x}", rand::random::<u64>());
        let folder = Folder(std::env::temp_dir().join(name));
        let mut options = Options {
            enabled: true,
            folder: Some(folder.0.clone()),
            reserve_bytes: 0,
            size_max: 4 << 20,
            total_max: 16 << 20,
            owner_max: 8 << 20,
            open_max: 4,
            resume_ms: HOUR,
            keep_ms: 24 * HOUR,
            chunk_max: 256 << 10,
        };
        change(&mut options);
        let passed: &'static AtomicU64 = Box::leak(Box::default());
        let clock = Clock::start_with(passed);
        let uploads = Uploads::open(options.clone(), clock, Log::quiet()).unwrap();
        Self { uploads, options, passed, line: line(), _folder: folder }
    }

    /// Stops, and starts again with what is on the disk.
    fn restart(self) -> Self {
        let Self { uploads, options, passed, line, _folder } = self;
        drop(uploads);
        let clock = Clock::start_with(passed);
        let uploads = Uploads::open(options.clone(), clock, Log::quiet()).unwrap();
        Self { uploads, options, passed, line, _folder }
    }

    fn wait(&self, ms: u64) {
        self.passed.fetch_add(ms, Ordering::SeqCst);
    }

    /// Names of files on the disk.
    fn files(&self) -> Vec<String> {
        let Some(folder) = &self.options.folder else { return Vec::new() };
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    async fn begin(&self, file: NewFile) -> Result<Opened, Fault> {
        self.uploads.begin(ann(), file).await
    }

    /// Hands a chunk over; what becomes of it comes later.
    async fn give(
        &self,
        upload: &str,
        offset: u64,
        data: &[u8],
    ) -> Result<oneshot::Receiver<Result<Stored, Fault>>, Fault> {
        let (told, outcome) = oneshot::channel();
        let tell: Tell = Box::new(move |result| drop(told.send(result)));
        let data = Bytes::copy_from_slice(data);
        let chunk = Chunk { upload: upload.into(), offset, data };
        self.uploads.chunk(&self.line, chunk, tell).await?;
        Ok(outcome)
    }

    async fn put(&self, upload: &str, offset: u64, data: &[u8]) -> Result<Stored, Fault> {
        self.give(upload, offset, data).await?.await.unwrap()
    }

    async fn send(&self, upload: &str, data: &[u8]) {
        let most = self.options.chunk_max as usize;
        for (index, piece) in data.chunks(most).enumerate() {
            self.put(upload, (index * most) as u64, piece).await.unwrap();
        }
    }

    async fn complete(&self, upload: &str) -> Result<StoredFile, Fault> {
        self.complete_with(upload, None).await
    }

    async fn complete_with(
        &self,
        upload: &str,
        sha256: Option<[u8; 32]>,
    ) -> Result<StoredFile, Fault> {
        self.uploads.complete(Complete { upload: upload.into(), sha256 }, None).await
    }

    fn content(&self, file: &StoredFile) -> Vec<u8> {
        self.uploads.shared.directory.read(&file.upload, 0, file.size as usize).unwrap()
    }
}

fn line() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(WINDOW as usize))
}

/// The code of a fault, and the offset that it names.
fn told<T: std::fmt::Debug>(result: Result<T, Fault>) -> (ErrorCode, Option<u64>) {
    let fault = result.unwrap_err();
    (fault.code, fault.transfer.and_then(|transfer| transfer.offset))
}
