//! Writing MessagePack, each value in its shortest form.

use super::from_json;
use crate::writer::Writer;

/// Writes MessagePack to the end of a buffer.
///
/// How many elements a map or array has stands in front of them, but is known only at its end. One
/// byte is left for it, which nearly always is enough; otherwise the elements are moved.
pub(crate) struct MsgpackWriter<'a> {
    out: &'a mut Vec<u8>,
    open: Vec<Open>,
}

struct Open {
    /// Where its first byte stands.
    at: usize,
    /// Elements so far; of a map, keys.
    count: u32,
    is_map: bool,
}

/// First bytes of a kind of container: for up to 15 elements, up to 65,535, and more.
struct Markers(u8, u8, u8);

const MAP: Markers = Markers(0x80, 0xde, 0xdf);
const LIST: Markers = Markers(0x90, 0xdc, 0xdd);

impl<'a> MsgpackWriter<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, open: Vec::new() }
    }

    pub(super) fn null(&mut self) {
        self.element();
        self.out.push(0xc0);
    }

    pub(super) fn signed(&mut self, number: i64) {
        if let Ok(number) = u64::try_from(number) {
            return self.unsigned(number);
        }
        self.element();
        let bytes = number.to_be_bytes();
        match number {
            -32.. => self.out.push(number as u8),
            -0x80.. => self.out.extend_from_slice(&[0xd0, bytes[7]]),
            -0x8000.. => self.marked(0xd1, &bytes[6..]),
            -0x8000_0000.. => self.marked(0xd2, &bytes[4..]),
            _ => self.marked(0xd3, &bytes),
        }
    }

    pub(super) fn float(&mut self, number: f64) {
        self.element();
        self.marked(0xcb, &number.to_be_bytes());
    }

    pub(super) fn is_in_map(&self) -> bool {
        self.open.last().is_some_and(|open| open.is_map)
    }

    /// Counts a value that stands in a list; in a map, keys are counted.
    fn element(&mut self) {
        if let Some(open) = self.open.last_mut()
            && !open.is_map
        {
            open.count += 1;
        }
    }

    fn open(&mut self, is_map: bool) {
        self.element();
        self.open.push(Open { at: self.out.len(), count: 0, is_map });
        self.out.push(0);
    }

    fn close(&mut self) {
        let Some(Open { at, count, is_map }) = self.open.pop() else { return };
        let Markers(short, medium, long) = if is_map { MAP } else { LIST };
        let bytes = count.to_be_bytes();
        match count {
            0..16 => self.out[at] = short | bytes[3],
            16..0x1_0000 => self.widen(at, medium, &bytes[2..]),
            _ => self.widen(at, long, &bytes),
        }
    }

    fn widen(&mut self, at: usize, marker: u8, count: &[u8]) {
        self.out[at] = marker;
        self.out.splice(at + 1..at + 1, count.iter().copied());
    }

    fn string(&mut self, text: &str) {
        let len = text.len();
        let bytes = (len as u32).to_be_bytes();
        match len {
            0..32 => self.out.push(0xa0 | bytes[3]),
            32..0x100 => self.marked(0xd9, &bytes[3..]),
            0x100..0x1_0000 => self.marked(0xda, &bytes[2..]),
            _ => self.marked(0xdb, &bytes),
        }
        self.out.extend_from_slice(text.as_bytes());
    }

    fn marked(&mut self, marker: u8, bytes: &[u8]) {
        self.out.push(marker);
        self.out.extend_from_slice(bytes);
    }
}

impl Writer for MsgpackWriter<'_> {
    fn open_map(&mut self) {
        self.open(true);
    }

    fn close_map(&mut self) {
        self.close();
    }

    fn open_list(&mut self) {
        self.open(false);
    }

    fn close_list(&mut self) {
        self.close();
    }

    fn key(&mut self, key: &str) {
        if let Some(open) = self.open.last_mut() {
            open.count += 1;
        }
        self.string(key);
    }

    fn text(&mut self, text: &str) {
        self.element();
        self.string(text);
    }

    fn unsigned(&mut self, number: u64) {
        self.element();
        let bytes = number.to_be_bytes();
        match number {
            0..0x80 => self.out.push(bytes[7]),
            0x80..0x100 => self.marked(0xcc, &bytes[7..]),
            0x100..0x1_0000 => self.marked(0xcd, &bytes[6..]),
            0x1_0000..0x1_0000_0000 => self.marked(0xce, &bytes[4..]),
            _ => self.marked(0xcf, &bytes),
        }
    }

    fn number(&mut self, number: &serde_json::Number) {
        if let Some(number) = number.as_u64() {
            self.unsigned(number);
        } else if let Some(number) = number.as_i64() {
            self.signed(number);
        } else {
            self.float(number.as_f64().unwrap_or_default());
        }
    }

    fn flag(&mut self, flag: bool) {
        self.element();
        self.out.push(if flag { 0xc3 } else { 0xc2 });
    }

    fn json(&mut self, text: &str) {
        from_json::write(self, text);
    }

    fn bytes(&mut self, bytes: &[u8]) -> bool {
        self.element();
        let len = (bytes.len() as u32).to_be_bytes();
        match bytes.len() {
            0..0x100 => self.marked(0xc4, &len[3..]),
            0x100..0x1_0000 => self.marked(0xc5, &len[2..]),
            _ => self.marked(0xc6, &len),
        }
        self.out.extend_from_slice(bytes);
        true
    }
}
