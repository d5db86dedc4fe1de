//! What a thread keeps so that busy connections need not allocate.

use crate::{buffer_pool, deflate, outbox_pool};

/// Frees the buffers and codecs that connections of this thread have given back and that are kept
/// for the next ones. For when memory runs short: the next connections allocate anew.
pub fn free_spare_buffers() {
    buffer_pool::free();
    deflate::free_spare_codecs();
    outbox_pool::free_spare();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_freed_and_the_next_is_as_good() {
        let mut buffer = buffer_pool::take();
        buffer.reserve_exact(9_999);
        buffer_pool::give(buffer);
        assert!(buffer_pool::take().capacity() >= 9_999, "it was kept");
        let mut buffer = buffer_pool::take();
        buffer.reserve_exact(9_999);
        buffer_pool::give(buffer);
        free_spare_buffers();
        assert!(buffer_pool::take().capacity() < 9_999);
        let compressed = deflate::compress_once(&[b'a'; 1_000], 4, 15);
        free_spare_buffers();
        assert_eq!(deflate::compress_once(&[b'a'; 1_000], 4, 15), compressed);
    }
}
