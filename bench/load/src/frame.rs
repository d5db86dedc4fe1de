//! Client frames written by hand, server frames read by their heads alone.

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// One key for the whole run: the server must unmask all the same, and the
/// frames can be made before the clock starts.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A complete masked frame.
pub(crate) fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ MASK[i % 4]));
    frame
}

/// What a read turned out to hold.
pub(crate) enum Part<'a> {
    /// A piece of a frame's payload; `offset` counts from the message's start
    /// (from the frame's for control frames).
    Body { opcode: u8, offset: usize, bytes: &'a [u8] },
    /// The last byte of a message, or of a control frame, has been read.
    End { opcode: u8, len: usize, compressed: bool },
}

/// Cuts a server's byte stream into frames without keeping payloads.
#[derive(Default)]
pub(crate) struct Reader {
    /// The length of every "frame" when there are no heads at all (`--raw`).
    raw_len: Option<usize>,
    head: [u8; 10],
    head_len: usize,
    in_body: bool,
    body_left: usize,
    /// The opcode of the data message in progress, which outlives its first frame.
    message: u8,
    message_len: usize,
    compressed: bool,
    /// The current frame.
    opcode: u8,
    fin: bool,
    frame_len: usize,
}

impl Reader {
    pub(crate) fn raw(frame_len: usize) -> Self {
        Self { raw_len: Some(frame_len), ..Self::default() }
    }

    /// Hands every part of `bytes` to `visit`, in order.
    pub(crate) fn read(
        &mut self,
        mut bytes: &[u8],
        mut visit: impl FnMut(Part<'_>),
    ) -> Result<(), String> {
        loop {
            if !self.in_body {
                bytes = self.read_head(bytes)?;
                if !self.in_body {
                    return Ok(());
                }
            }
            let (body, rest) = bytes.split_at(self.body_left.min(bytes.len()));
            bytes = rest;
            if !self.read_body(body, &mut visit) {
                return Ok(());
            }
        }
    }

    /// Consumes a head; `in_body` tells whether it is complete.
    fn read_head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        if let Some(len) = self.raw_len {
            if !bytes.is_empty() {
                self.begin_frame(0x80 | BINARY, len)?;
            }
            return Ok(bytes);
        }
        let mut bytes = bytes;
        if self.head_len == 0 && bytes.len() >= self.head.len() {
            // Nearly every head lies whole in one read; it is not copied then.
            let (first, len, size) = parse_head(bytes)?;
            self.begin_frame(first, len)?;
            return Ok(&bytes[size..]);
        }
        while self.head_len < head_size(&self.head[..self.head_len]) {
            let Some((&byte, rest)) = bytes.split_first() else {
                return Ok(bytes);
            };
            self.head[self.head_len] = byte;
            self.head_len += 1;
            bytes = rest;
        }
        let (first, len, _) = parse_head(&self.head)?;
        self.head_len = 0;
        self.begin_frame(first, len)?;
        Ok(bytes)
    }

    #[inline]
    fn begin_frame(&mut self, first: u8, len: usize) -> Result<(), String> {
        self.fin = first & 0x80 != 0;
        self.opcode = first & 0x0f;
        self.frame_len = len;
        self.body_left = len;
        self.in_body = true;
        match self.opcode {
            0 if self.message == 0 => Err("a continuation of nothing".into()),
            0 | PING | PONG => Ok(()),
            TEXT | BINARY => {
                self.message = self.opcode;
                self.message_len = 0;
                self.compressed = first & 0x40 != 0;
                Ok(())
            }
            CLOSE => Err("the server closed a line".into()),
            opcode => Err(format!("opcode {opcode} from the server")),
        }
    }

    /// Returns whether the frame is complete.
    fn read_body(&mut self, body: &[u8], visit: &mut impl FnMut(Part<'_>)) -> bool {
        let control = self.opcode >= CLOSE;
        let (opcode, offset) = if control {
            (self.opcode, self.frame_len - self.body_left)
        } else {
            (self.message, self.message_len)
        };
        if !body.is_empty() {
            visit(Part::Body { opcode, offset, bytes: body });
        }
        self.body_left -= body.len();
        if !control {
            self.message_len += body.len();
        }
        if self.body_left > 0 {
            return false;
        }
        self.in_body = false;
        if control {
            visit(Part::End { opcode, len: self.frame_len, compressed: false });
        } else if self.fin {
            self.message = 0;
            visit(Part::End { opcode, len: self.message_len, compressed: self.compressed });
        }
        true
    }
}

/// How long the head that begins like this is, as far as one can tell.
fn head_size(begun: &[u8]) -> usize {
    match begun.get(1) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    }
}

/// The first byte, the payload's length and the head's own.
fn parse_head(head: &[u8]) -> Result<(u8, usize, usize), String> {
    let len = match head[1] {
        len @ 0..=125 => usize::from(len),
        126 => usize::from(u16::from_be_bytes([head[2], head[3]])),
        127 => head[2..10].iter().fold(0, |len, &byte| len << 8 | usize::from(byte)),
        _ => return Err("the server masked a frame".into()),
    };
    Ok((head[0], len, head_size(head)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(reader: &mut Reader, chunks: &[&[u8]]) -> Vec<(u8, usize)> {
        let mut ends = Vec::new();
        for chunk in chunks {
            reader
                .read(chunk, |part| {
                    if let Part::End { opcode, len, .. } = part {
                        ends.push((opcode, len));
                    }
                })
                .expect("the stream is valid");
        }
        ends
    }

    #[test]
    fn frames_are_found_however_the_stream_is_cut() {
        let mut stream = vec![0x82, 3, 1, 2, 3, 0x01, 2, b'a', b'b', 0x89, 1, 9, 0x80, 126, 0, 130];
        stream.extend([b'c'; 130]);
        stream.extend([0x82, 0, 0x81, 127, 0, 0, 0, 0, 0, 0, 0, 1, b'z']);
        let expected = [(BINARY, 3), (PING, 1), (TEXT, 132), (BINARY, 0), (TEXT, 1)];
        assert_eq!(lengths(&mut Reader::default(), &[&stream]), expected);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(lengths(&mut Reader::default(), &bytes), expected);
    }

    #[test]
    fn raw_streams_are_cut_by_length() {
        let mut reader = Reader::raw(4);
        assert_eq!(lengths(&mut reader, &[&[0; 3], &[0; 6]]), [(BINARY, 4), (BINARY, 4)]);
    }

    #[test]
    fn a_masked_frame_from_the_server_is_an_error() {
        assert!(Reader::default().read(&[0x82, 0x80], |_| {}).is_err());
    }
}
