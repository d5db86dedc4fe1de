//! Output buffers that lines borrow while they have something to write, so that an idle line holds
//! none and a busy one does not allocate.

use std::cell::RefCell;

/// Buffers kept for each thread.
const KEPT_MAX: usize = 16;
/// A buffer that grew larger is freed instead of kept.
const KEPT_CAPACITY_MAX: usize = 128 * 1024;
const CAPACITY_NEW: usize = 4 * 1024;

thread_local! {
    static FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with some capacity.
pub(crate) fn take() -> Vec<u8> {
    FREE.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(CAPACITY_NEW))
}

/// Frees the buffers that are kept.
pub(crate) fn free() {
    FREE.take();
}

/// Gives a buffer back, whatever it holds.
pub(crate) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > KEPT_CAPACITY_MAX {
        return;
    }
    buffer.clear();
    FREE.with_borrow_mut(|free| {
        if free.len() < KEPT_MAX {
            free.push(buffer);
        }
    });
}
