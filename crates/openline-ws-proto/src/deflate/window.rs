//! The last bytes that a peer's messages inflated to.

/// A ring that grows with what comes, up to its size.
#[derive(Debug)]
pub(super) struct Window {
    bytes: Vec<u8>,
    /// Where the oldest byte stands, once the ring is full; 0 until then.
    oldest: usize,
    size: usize,
}

impl Window {
    pub(super) fn new(size: usize) -> Self {
        Self { bytes: Vec::new(), oldest: 0, size }
    }

    /// Takes in what came next.
    pub(super) fn push(&mut self, data: &[u8]) {
        let data = self.tail(data);
        let (fill, wrap) = data.split_at(data.len().min(self.size - self.bytes.len()));
        if !fill.is_empty() {
            self.grow(fill.len());
            self.bytes.extend_from_slice(fill);
        }
        let (end, start) = wrap.split_at(wrap.len().min(self.size - self.oldest));
        self.bytes[self.oldest..self.oldest + end.len()].copy_from_slice(end);
        self.bytes[..start.len()].copy_from_slice(start);
        self.oldest = (self.oldest + wrap.len()) % self.size;
    }

    /// What it holds, the oldest first.
    pub(super) fn pieces(&self) -> [&[u8]; 2] {
        let (newer, older) = self.bytes.split_at(self.oldest);
        [older, newer]
    }

    /// The end of `data` that fits.
    pub(super) fn tail<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        &data[data.len().saturating_sub(self.size)..]
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.size);
    }

    /// Doubles the memory as a `Vec` does, but never beyond the size.
    fn grow(&mut self, more: usize) {
        let len = self.bytes.len() + more;
        if len > self.bytes.capacity() {
            let capacity = len.max(self.bytes.capacity() * 2).min(self.size);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_holds_the_last_bytes_in_order(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..90), 0..20),
        ) {
            let mut window = Window::new(64);
            for piece in &pieces {
                window.push(piece);
            }
            let all = pieces.concat();
            prop_assert_eq!(window.pieces().concat(), &all[all.len().saturating_sub(64)..]);
            prop_assert!(window.bytes.capacity() <= 64);
        }
    }
}
