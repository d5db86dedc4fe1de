//! Input that waits behind the message being handled.
//!
//! It is copied out of the thread's read buffer, which the next line needs, into a buffer that the
//! line borrows for as long as something waits.

use std::cell::RefCell;

/// Buffers kept for each thread.
const KEPT_MAX: usize = 16;
/// A buffer that grew larger is freed instead of kept.
const KEPT_CAPACITY_MAX: usize = 128 * 1024;

thread_local! {
    #[expect(clippy::vec_box, reason = "the boxes themselves are what is kept")]
    static FREE: RefCell<Vec<Box<Rest>>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug, Default)]
pub(crate) struct Rest {
    buffer: Vec<u8>,
    start: usize,
}

impl Rest {
    /// Keeps `input`, if there is any.
    pub(crate) fn keep(input: &[u8]) -> Option<Box<Self>> {
        if input.is_empty() {
            return None;
        }
        let mut rest = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
        rest.buffer.extend_from_slice(input);
        Some(rest)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..]
    }

    /// Lets go of the first `consumed` bytes; returns whether that was all.
    pub(crate) fn consume(&mut self, consumed: usize) -> bool {
        self.start += consumed;
        self.start == self.buffer.len()
    }

    /// Frees the buffers that are kept.
    pub(crate) fn free_spare() {
        FREE.take();
    }

    /// Gives a used-up buffer back.
    pub(crate) fn give(mut rest: Box<Self>) {
        rest.buffer.clear();
        rest.start = 0;
        FREE.with_borrow_mut(|free| {
            if free.len() < KEPT_MAX && rest.buffer.capacity() <= KEPT_CAPACITY_MAX {
                free.push(rest);
            }
        });
    }
}
