//! UTF-8 checked as it arrives (RFC 6455 §8.1), failing at the first byte that cannot belong.

/// Checks a text that comes in pieces, which may end in the middle of a character.
#[derive(Debug, Default, Clone)]
pub struct Utf8Validator {
    /// The start of a character whose end has not come yet.
    partial: [u8; 3],
    partial_len: u8,
    /// Bytes accepted so far, those of `partial` not counted.
    accepted: u64,
}

/// The text is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidUtf8 {
    /// Where in the whole text the first bad sequence begins, counted from 0.
    pub position: u64,
}

impl Utf8Validator {
    /// A validator at the start of a text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// At the first byte that no valid text could have here, even when the character it belongs to
    /// is not complete yet.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        if self.partial_len > 0 {
            let taken = self.complete_partial(piece)?;
            piece = &piece[taken..];
            if self.partial_len > 0 {
                return Ok(());
            }
        }
        match std::str::from_utf8(piece) {
            Ok(_) => self.accepted += piece.len() as u64,
            Err(error) => {
                self.accepted += error.valid_up_to() as u64;
                if error.error_len().is_some() {
                    return Err(InvalidUtf8 { position: self.accepted });
                }
                let rest = &piece[error.valid_up_to()..];
                self.partial[..rest.len()].copy_from_slice(rest);
                self.partial_len = rest.len() as u8;
            }
        }
        Ok(())
    }

    /// Ends the text.
    ///
    /// # Errors
    /// When the text stops in the middle of a character.
    pub fn finish(&self) -> Result<(), InvalidUtf8> {
        match self.partial_len {
            0 => Ok(()),
            _ => Err(InvalidUtf8 { position: self.accepted }),
        }
    }

    /// Feeds bytes to the unfinished character one at a time; returns how many it took.
    fn complete_partial(&mut self, piece: &[u8]) -> Result<usize, InvalidUtf8> {
        let mut character = [0; 4];
        let mut len = usize::from(self.partial_len);
        character[..len].copy_from_slice(&self.partial[..len]);
        for (taken, byte) in piece.iter().enumerate() {
            character[len] = *byte;
            len += 1;
            match std::str::from_utf8(&character[..len]) {
                Ok(_) => {
                    self.accepted += len as u64;
                    self.partial_len = 0;
                    return Ok(taken + 1);
                }
                Err(error) if error.error_len().is_none() => {
                    self.partial[..len].copy_from_slice(&character[..len]);
                    self.partial_len = len as u8;
                }
                Err(_) => return Err(InvalidUtf8 { position: self.accepted }),
            }
        }
        Ok(piece.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(pieces: &[&[u8]]) -> Result<(), InvalidUtf8> {
        let mut validator = Utf8Validator::new();
        for piece in pieces {
            validator.push(piece)?;
        }
        validator.finish()
    }

    #[test]
    fn a_character_may_be_cut_anywhere() {
        let text = "κόσμε €𐍈".as_bytes();
        for cut in 0..text.len() {
            assert_eq!(check(&[&text[..cut], &text[cut..]]), Ok(()), "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(check(&bytes), Ok(()));
    }

    #[test]
    fn fails_at_the_first_byte_that_cannot_belong() {
        // F4 90 would be beyond U+10FFFF: the second byte settles it, the other two need not come.
        let mut validator = Utf8Validator::new();
        assert_eq!(validator.push(b"ab\xf4"), Ok(()));
        assert_eq!(validator.push(b"\x90"), Err(InvalidUtf8 { position: 2 }));
    }

    #[test]
    fn a_text_may_not_end_inside_a_character() {
        assert_eq!(check(&[b"abc\xe2\x82"]), Err(InvalidUtf8 { position: 3 }));
    }

    #[test]
    fn surrogates_and_overlong_forms_are_refused() {
        for bad in [&b"\xed\xa0\x80"[..], b"\xc0\xaf", b"\xe0\x80\x80", b"\xf8\x88\x80\x80\x80"] {
            assert_eq!(check(&[bad]), Err(InvalidUtf8 { position: 0 }), "{bad:x?}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_standard_library(data in proptest::collection::vec(prop_oneof![0u8..128, 0x80u8..=0xff], 0..40), cuts: Vec<usize>) {
            let expected = std::str::from_utf8(&data).map_err(|e| e.valid_up_to() as u64);
            let mut validator = Utf8Validator::new();
            let mut seen = Ok(());
            let mut rest = &data[..];
            for cut in cuts {
                let (now, later) = rest.split_at(cut % (rest.len() + 1));
                seen = seen.and_then(|()| validator.push(now));
                rest = later;
            }
            let seen = seen.and_then(|()| validator.push(rest)).and_then(|()| validator.finish());
            prop_assert_eq!(seen.map_err(|e| e.position), expected.map(|_| ()));
        }
    }
}
