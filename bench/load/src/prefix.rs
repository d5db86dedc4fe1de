//! Tells messages apart by how they begin, however reads cut them.

use crate::frame::Part;

pub(crate) struct Prefix {
    text: Vec<u8>,
    /// For each line, whether its current message began like the text so far.
    alike: Vec<bool>,
}

impl Prefix {
    pub(crate) fn new(text: &str, lines: usize) -> Self {
        Self { text: text.as_bytes().to_vec(), alike: vec![false; lines] }
    }

    /// Whether this part ends a message of that line which begins with the text.
    #[inline]
    pub(crate) fn ends(&mut self, line: usize, part: &Part<'_>) -> bool {
        match *part {
            Part::Body { offset, bytes, .. } => {
                let begun = self.text.get(offset..).unwrap_or_default();
                let both = begun.len().min(bytes.len());
                let alike = begun[..both] == bytes[..both];
                self.alike[line] = alike && (offset == 0 || self.alike[line]);
                false
            }
            Part::End { len, .. } => {
                self.text.is_empty() || (len >= self.text.len() && self.alike[line])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::TEXT;

    fn ends(prefix: &mut Prefix, line: usize, pieces: &[&str]) -> bool {
        let mut offset = 0;
        for piece in pieces {
            let bytes = piece.as_bytes();
            assert!(!prefix.ends(line, &Part::Body { opcode: TEXT, offset, bytes }));
            offset += bytes.len();
        }
        prefix.ends(line, &Part::End { opcode: TEXT, len: offset, compressed: false })
    }

    #[test]
    fn messages_are_known_by_their_beginning_however_they_are_cut() {
        let mut prefix = Prefix::new("news", 1);
        assert!(ends(&mut prefix, 0, &["newsreel"]));
        assert!(ends(&mut prefix, 0, &["n", "ew", "s!", "!"]));
        assert!(!ends(&mut prefix, 0, &["new"]));
        assert!(!ends(&mut prefix, 0, &["x", "ews"]));
        assert!(!ends(&mut prefix, 0, &["ne", "xt", "news"]));
        assert!(!ends(&mut prefix, 0, &[]));
    }

    #[test]
    fn lines_do_not_disturb_each_other() {
        let mut prefix = Prefix::new("ab", 2);
        let part = |bytes| Part::Body { opcode: TEXT, offset: 0, bytes };
        prefix.ends(0, &part(b"ab"));
        prefix.ends(1, &part(b"xy"));
        let end = Part::End { opcode: TEXT, len: 2, compressed: false };
        assert!(prefix.ends(0, &end));
        assert!(!prefix.ends(1, &end));
    }

    #[test]
    fn everything_begins_with_nothing() {
        assert!(ends(&mut Prefix::new("", 1), 0, &["any"]));
    }
}
