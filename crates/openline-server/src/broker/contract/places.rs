//! Where each kind of broker is opened.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use openline_protocol::ChannelName;

use super::shared::{Joining, Site};
use super::{CHANNELS_MAX, HISTORY, Place, WINDOW};
use crate::broker::shared::testing::{MemoryStore, Snapshot};
use crate::broker::{
    Broker, Ear, LocalBroker, LocalOptions, NodeId, SharedBroker, SharedOptions, Tail,
};
use crate::clock::Clock;
use crate::store::{self, Level, Opened};

pub(super) struct InMemory {
    bytes_max: usize,
    clock: TestClock,
}

pub(super) struct Embedded {
    pub(super) dir: Dir,
    pub(super) stored: store::Options,
    clock: TestClock,
}

/// A store in memory, elsewhere.
pub(super) struct Memory {
    store: MemoryStore,
    snapshot: Mutex<Option<Snapshot>>,
    clock: TestClock,
}

/// A clock that a test can have go on. Brokers opened one after the other share it.
pub(super) struct TestClock(&'static AtomicU64);

/// A directory that goes with the test.
pub(super) struct Dir(PathBuf);

impl InMemory {
    pub(super) fn new() -> Self {
        Self::with(1 << 30)
    }

    pub(super) fn with(bytes_max: usize) -> Self {
        Self { bytes_max, clock: TestClock::new() }
    }
}

impl Place for InMemory {
    fn open(&self, tail: Arc<dyn Tail>) -> Box<dyn Broker> {
        Box::new(LocalBroker::in_memory(options(self.bytes_max), self.clock.start(), tail))
    }

    fn let_pass(&self, time: Duration) {
        self.clock.let_pass(time);
    }
}

impl Embedded {
    pub(super) fn new(level: Level) -> Self {
        let stored = store::Options {
            level,
            reserve_bytes: 0,
            linger: Duration::ZERO,
            ..store::Options::default()
        };
        Self { dir: Dir::new(), stored, clock: TestClock::new() }
    }

    /// Opens what is in a directory, which may be a copy.
    pub(super) fn open_in(&self, dir: &Dir, tail: Arc<dyn Tail>) -> (LocalBroker, Opened) {
        let (options, clock) = (options(1 << 30), self.clock.start());
        let history = |_: &ChannelName| HISTORY;
        LocalBroker::open(&dir.0, self.stored.clone(), options, clock, tail, history).unwrap()
    }
}

impl Place for Embedded {
    fn open(&self, tail: Arc<dyn Tail>) -> Box<dyn Broker> {
        let (broker, opened) = self.open_in(&self.dir, tail);
        assert_eq!(opened.set_aside, None);
        Box::new(broker)
    }

    fn let_pass(&self, time: Duration) {
        self.clock.let_pass(time);
    }
}

impl Memory {
    pub(super) fn new() -> Self {
        let clock = TestClock::new();
        let window_ms = u64::try_from(WINDOW.as_millis()).unwrap();
        let store = MemoryStore::new(clock.start(), window_ms);
        Self { store, snapshot: Mutex::default(), clock }
    }
}

impl Place for Memory {
    fn open(&self, tail: Arc<dyn Tail>) -> Box<dyn Broker> {
        let node = NodeId(rand::random());
        let backend = self.store.backend(node);
        Box::new(SharedBroker::new(backend, shared_options(), tail, Arc::new(Deaf)))
    }

    fn let_pass(&self, time: Duration) {
        self.clock.let_pass(time);
    }

    fn is_shared(&self) -> bool {
        true
    }
}

impl Site for Memory {
    fn join(&self, joining: Joining) -> SharedBroker {
        let backend = self.store.backend(joining.node);
        joining.on(backend)
    }

    fn cut(&self, node: NodeId) {
        self.store.cut(node);
    }

    fn mend(&self, node: NodeId) {
        self.store.mend(node);
    }

    fn snapshot(&self) {
        *self.snapshot.lock().unwrap() = Some(self.store.snapshot());
    }

    fn roll_back(&self) {
        self.store.roll_back(self.snapshot.lock().unwrap().as_ref().unwrap());
    }
}

/// Who does not care for what other nodes say.
pub(super) struct Deaf;

impl Ear for Deaf {
    fn emitted(&self, _: NodeId, _: ChannelName, _: Bytes) {}
    fn told(&self, _: NodeId, _: Bytes) {}
    fn interrupted(&self) {}
}

/// How shared brokers work that are tested.
pub(super) fn shared_options() -> SharedOptions {
    let (timeout, probe_interval) = (Duration::from_secs(30), Duration::from_millis(300));
    SharedOptions::new("memory://test".to_owned(), timeout, probe_interval)
}

impl TestClock {
    pub(super) fn new() -> Self {
        Self(Box::leak(Box::default()))
    }

    pub(super) fn start(&self) -> Clock {
        Clock::start_with(self.0)
    }

    pub(super) fn let_pass(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Dir {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("openline-broker-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// What a process that is killed now leaves.
    pub(super) fn copy(&self) -> Self {
        let copy = Self::new();
        for entry in fs::read_dir(&self.0).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copy.0.join(path.file_name().unwrap())).unwrap();
        }
        copy
    }

    /// Spoils something that was written early.
    pub(super) fn damage(&self) {
        let files = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let longest = files.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
        let mut bytes = fs::read(&longest).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        fs::write(longest, bytes).unwrap();
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn options(bytes_max: usize) -> LocalOptions {
    let window_ms = u64::try_from(WINDOW.as_millis()).unwrap();
    LocalOptions { bytes_max, channels_max: CHANNELS_MAX, window_ms }
}
