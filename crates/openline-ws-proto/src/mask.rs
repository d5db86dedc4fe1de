//! Masking (RFC 6455 §5.3): each payload byte is XORed with one of four key bytes in turn.

/// A masking key, as it stands in the frame.
pub type MaskKey = [u8; 4];

/// Masks or unmasks `data` in place; the two are the same act.
///
/// `offset` is the position of `data[0]` in the frame's payload, so that a payload can be unmasked
/// piece by piece as it arrives.
pub fn mask(data: &mut [u8], key: MaskKey, offset: u64) {
    let key = rotated(key, offset);
    // Blocks of fixed size, which the compiler turns into vector instructions: there is no
    // hand-written SIMD and no `unsafe` here.
    let (blocks, rest) = data.as_chunks_mut::<32>();
    let wide: [u8; 32] = std::array::from_fn(|i| key[i % 4]);
    for block in blocks {
        for (byte, key) in block.iter_mut().zip(wide) {
            *byte ^= key;
        }
    }
    let (words, rest) = rest.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// Appends `data`, unmasked, to `out`.
///
/// It works through blocks that stay in the first-level cache, so that a large payload is read from
/// memory once rather than once to copy and once to unmask.
pub(crate) fn append_unmasked(out: &mut Vec<u8>, data: &[u8], key: MaskKey, offset: u64) {
    const BLOCK: usize = 4096;
    out.reserve(data.len());
    let mut offset = offset;
    for block in data.chunks(BLOCK) {
        let start = out.len();
        out.extend_from_slice(block);
        mask(&mut out[start..], key, offset);
        offset += block.len() as u64;
    }
}

/// The key turned so that its first byte belongs to the payload position `offset`.
fn rotated(mut key: MaskKey, offset: u64) -> MaskKey {
    key.rotate_left((offset % 4) as usize);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 6455 §5.3, as written there.
    fn plain(data: &mut [u8], key: MaskKey, offset: u64) {
        for (i, byte) in data.iter_mut().enumerate() {
            *byte ^= key[((offset + i as u64) % 4) as usize];
        }
    }

    proptest! {
        #[test]
        fn equals_the_plain_twin(data: Vec<u8>, key: MaskKey, offset in 0u64..9) {
            let (mut fast, mut slow) = (data.clone(), data);
            mask(&mut fast, key, offset);
            plain(&mut slow, key, offset);
            prop_assert_eq!(fast, slow);
        }

        #[test]
        fn appending_equals_masking(before: Vec<u8>, len in 0usize..9000, key: MaskKey, offset in 0u64..9) {
            let data: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let mut expected = data.clone();
            plain(&mut expected, key, offset);
            let mut out = before.clone();
            append_unmasked(&mut out, &data, key, offset);
            prop_assert_eq!(&out[..before.len()], &before[..]);
            prop_assert_eq!(&out[before.len()..], &expected[..]);
        }
    }
}
