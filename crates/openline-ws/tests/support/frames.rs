//! Frames by hand (RFC 6455 §5.2).

pub(crate) const KEY: [u8; 4] = [0x11, 0x22, 0x33, 0x44];

pub(crate) const CONTINUATION: u8 = 0x80;
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;
/// To be taken off the first byte of a frame that others follow.
pub(crate) const FIN: u8 = 0x80;
/// To be added to the first byte of a compressed message.
pub(crate) const RSV1: u8 = 0x40;

/// A frame's first byte and its payload, unmasked.
pub(crate) type Frame = (u8, Vec<u8>);

/// A client's frame.
pub(crate) fn masked(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut frame = head(first, payload.len(), 0x80);
    frame.extend(KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// A server's frame.
pub(crate) fn plain(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut frame = head(first, payload.len(), 0);
    frame.extend_from_slice(payload);
    frame
}

fn head(first: u8, len: usize, mask_bit: u8) -> Vec<u8> {
    match len {
        0..126 => vec![first, mask_bit | len as u8],
        126..65536 => [&[first, mask_bit | 126][..], &(len as u16).to_be_bytes()].concat(),
        _ => [&[first, mask_bit | 127][..], &(len as u64).to_be_bytes()].concat(),
    }
}

/// The payload of a close frame.
pub(crate) fn reason(code: u16, text: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], text.as_bytes()].concat()
}

/// All frames in `bytes`, which has to end with a whole one.
pub(crate) fn read(bytes: &[u8]) -> Vec<Frame> {
    let (frames, rest) = read_whole(bytes);
    assert!(rest.is_empty(), "{} bytes of a frame that is not whole", rest.len());
    frames
}

/// The whole frames in `bytes`, and what is behind them.
pub(crate) fn read_whole(mut bytes: &[u8]) -> (Vec<Frame>, &[u8]) {
    let mut frames = Vec::new();
    while let Some((frame, rest)) = first(bytes) {
        frames.push(frame);
        bytes = rest;
    }
    (frames, bytes)
}

fn first(bytes: &[u8]) -> Option<(Frame, &[u8])> {
    let [first, second, rest @ ..] = bytes else { return None };
    let (len, rest) = match second & 0x7f {
        126 => {
            let (len, rest) = rest.split_first_chunk::<2>()?;
            (u16::from_be_bytes(*len) as usize, rest)
        }
        127 => {
            let (len, rest) = rest.split_first_chunk::<8>()?;
            (u64::from_be_bytes(*len) as usize, rest)
        }
        len => (len as usize, rest),
    };
    let (key, rest) = match second & 0x80 {
        0 => ([0; 4], rest),
        _ => rest.split_first_chunk::<4>().map(|(key, rest)| (*key, rest))?,
    };
    if rest.len() < len {
        return None;
    }
    let (payload, rest) = rest.split_at(len);
    let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    Some(((*first, payload), rest))
}
