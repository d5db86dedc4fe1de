//! Outboxes that lines borrow while they have something to write, so that an idle line holds none and a
//! busy one does not allocate.
//!
//! A thread keeps those that it made. Messages may be queued by one thread and written by another,
//! always in this direction: kept by the second, the outboxes of the first would pile up there, up to
//! the bound, while nobody asks for so many.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::outbox::Outbox;

/// Buffer bytes that a thread keeps for outboxes to come. A publication makes an outbox for each of
/// its subscribers at once, so it has to be many.
const KEPT_BYTES_MAX: usize = 4 << 20;
/// An outbox whose buffers grew larger than this is freed instead of kept.
const KEPT_BYTES_EACH_MAX: usize = 128 * 1024;

/// Empty outboxes of a thread.
struct Kept {
    /// Tells it from those of other threads.
    number: u64,
    #[expect(clippy::vec_box, reason = "the boxes themselves are what is kept for the next line")]
    outboxes: Vec<Box<Outbox>>,
    bytes: usize,
}

/// The number of the next thread's; 0 is nobody's.
static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::new(Kept {
        number: NEXT.fetch_add(1, Ordering::Relaxed),
        outboxes: Vec::new(),
        bytes: 0,
    });
}

/// An empty outbox, with buffers if the thread has one to spare.
pub(crate) fn take() -> Box<Outbox> {
    KEPT.with_borrow_mut(|kept| {
        let Some(outbox) = kept.outboxes.pop() else {
            return Box::new(Outbox::of_pool(kept.number));
        };
        kept.bytes -= outbox.capacity_bytes();
        outbox
    })
}

/// Gives an outbox back that is empty.
pub(crate) fn give(outbox: Box<Outbox>) {
    debug_assert!(outbox.is_empty());
    let bytes = outbox.capacity_bytes();
    KEPT.with_borrow_mut(|kept| {
        let is_own = outbox.home() == kept.number;
        if is_own && bytes <= KEPT_BYTES_EACH_MAX && kept.bytes + bytes <= KEPT_BYTES_MAX {
            kept.bytes += bytes;
            kept.outboxes.push(outbox);
        }
    });
}

/// Frees the outboxes that this thread keeps.
pub(crate) fn free_spare() {
    KEPT.with_borrow_mut(|kept| {
        kept.outboxes = Vec::new();
        kept.bytes = 0;
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> usize {
        KEPT.with_borrow(|kept| kept.outboxes.len())
    }

    #[test]
    fn an_outbox_is_kept_by_the_thread_that_made_it() {
        let own = take();
        give(own);
        assert_eq!(kept(), 1);
        give(take());
        assert_eq!(kept(), 1, "it was taken and came back");
    }

    #[test]
    fn outboxes_of_another_thread_do_not_pile_up() {
        for _ in 0..100 {
            give(Box::new(Outbox::of_pool(u64::MAX)));
            give(Box::default());
        }
        assert_eq!(kept(), 0);
    }
}
