//! Faults of a disk that a test asks for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;
use std::sync::{Condvar, Mutex};

/// What is wrong with the disk.
#[derive(Debug, Default)]
pub(super) struct Faults {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stuck: bool,
    quota: Option<u64>,
}

impl Faults {
    /// While the disk is stuck no write returns.
    pub(super) fn set_stuck(&self, stuck: bool) {
        self.state.lock().unwrap().stuck = stuck;
        self.changed.notify_all();
    }

    /// Bytes that can be written before the disk is full.
    pub(super) fn set_quota(&self, quota: Option<u64>) {
        self.state.lock().unwrap().quota = quota;
    }

    pub(super) fn before_write<'a>(&self, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
        let state = self.state.lock().unwrap();
        let mut state = self.changed.wait_while(state, |state| state.stuck).unwrap();
        let Some(quota) = &mut state.quota else { return Ok(bytes) };
        if *quota < bytes.len() as u64 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        *quota -= bytes.len() as u64;
        Ok(bytes)
    }
}
