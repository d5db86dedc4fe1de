//! Positions in a channel's stream.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The bytes of epoch and tag, which stand before the offset.
const FIXED_BYTES: usize = 12;
const BYTES_MAX: usize = FIXED_BYTES + 8;
/// What [`BYTES_MAX`] bytes need in base64.
const TEXT_MAX: usize = BYTES_MAX.div_ceil(3) * 4;

/// Where an entry stands in its channel's stream.
///
/// As text, which is all that clients see of it, it is opaque: base64url without padding of `epoch`
/// (4 bytes), `tag` (8 bytes) and `offset` in as few bytes as it needs, all big-endian. There is
/// exactly one text for each position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The incarnation of the stream.
    pub epoch: u32,
    /// Contiguous within an incarnation.
    pub offset: u64,
    /// A random number that the entry got when it was written, which tells two histories apart that
    /// share epoch and offset.
    pub tag: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; TEXT_MAX];
        f.write_str(self.text(&mut text))
    }
}

impl Position {
    /// The position as text, in memory of the caller's.
    pub(crate) fn text<'a>(&self, text: &'a mut [u8; TEXT_MAX]) -> &'a str {
        let mut bytes = [0; BYTES_MAX];
        bytes[..4].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[4..FIXED_BYTES].copy_from_slice(&self.tag.to_be_bytes());
        let zeros = self.offset.leading_zeros() as usize / 8;
        let offset = &self.offset.to_be_bytes()[zeros..];
        bytes[FIXED_BYTES..FIXED_BYTES + offset.len()].copy_from_slice(offset);
        let len = URL_SAFE_NO_PAD
            .encode_slice(&bytes[..FIXED_BYTES + offset.len()], text)
            .expect("TEXT_MAX is room for BYTES_MAX bytes");
        std::str::from_utf8(&text[..len]).expect("base64 is ASCII")
    }

    /// Room for [`Self::text`].
    pub(crate) const fn text_buffer() -> [u8; TEXT_MAX] {
        [0; TEXT_MAX]
    }
}

impl FromStr for Position {
    type Err = BadPosition;

    fn from_str(text: &str) -> Result<Self, BadPosition> {
        if text.len() > TEXT_MAX {
            return Err(BadPosition);
        }
        let mut bytes = [0; BYTES_MAX + 1];
        let len = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).map_err(|_| BadPosition)?;
        let (epoch, rest) = bytes[..len].split_first_chunk().ok_or(BadPosition)?;
        let (tag, minimal) = rest.split_first_chunk().ok_or(BadPosition)?;
        // A zero in front would be a second text for the same position.
        if minimal.len() > 8 || minimal.first() == Some(&0) {
            return Err(BadPosition);
        }
        let mut offset = [0; 8];
        offset[8 - minimal.len()..].copy_from_slice(minimal);
        Ok(Self {
            epoch: u32::from_be_bytes(*epoch),
            offset: u64::from_be_bytes(offset),
            tag: u64::from_be_bytes(*tag),
        })
    }
}

/// The text is not one that [`Position`] writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPosition;

impl fmt::Display for BadPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("position must come from a previous reply")
    }
}

impl std::error::Error for BadPosition {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_offset_takes_as_few_bytes_as_it_needs() {
        let text = |offset| Position { epoch: 1, offset, tag: 2 }.to_string();
        assert_eq!(text(0), "AAAAAQAAAAAAAAAC");
        assert_eq!(text(1), "AAAAAQAAAAAAAAACAQ");
        assert_eq!(text(u64::MAX).len(), 27);
    }

    #[test]
    fn a_second_text_for_a_position_is_refused() {
        let good = "AAAAAQAAAAAAAAACAQ";
        assert!(good.parse::<Position>().is_ok());
        // Bits after the end, padding, a zero in front of the offset, too short, too long, not base64.
        for bad in [
            "AAAAAQAAAAAAAAACAR",
            "AAAAAQAAAAAAAAACAQ==",
            "AAAAAQAAAAAAAAACAAE",
            "AAAAAQAAAAAAAAA",
            "AAAAAQAAAAAAAAACAQEBAQEBAQEB",
            "AAAAAQAAAAAAAAACAQEBAQEBAQEBAAAAAAAAAAAA",
            "",
            "AAAAAQAAAAAAAAA+",
            "12",
        ] {
            assert_eq!(bad.parse::<Position>(), Err(BadPosition), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_position_is_read_as_it_was_written(epoch: u32, offset: u64, tag: u64, shift in 0..64) {
            let position = Position { epoch, offset: offset >> shift, tag };
            prop_assert_eq!(position.to_string().parse(), Ok(position));
        }

        #[test]
        fn a_text_that_is_read_is_the_one_that_is_written(text in "[A-Za-z0-9_-]{0,30}") {
            if let Ok(position) = text.parse::<Position>() {
                prop_assert_eq!(position.to_string(), text);
            }
        }
    }
}
