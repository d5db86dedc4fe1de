//! Compressed messages of any content: no panic, the limit holds, cuts do not matter; and what our
//! compressor makes of the same bytes inflates to them again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openline_fuzz::{Seen, Setup, cut, drain};
use openline_ws_proto::{
    Compress, DeflateParams, FrameHead, FrameKind, Limits, Opcode, Prepared, Role,
};

const LIMIT: u64 = 40_000;

fuzz_target!(|data: &[u8]| {
    let [flags, seed, payload @ ..] = data else { return };
    let bits = 8 + (flags & 7);
    let params = DeflateParams {
        server_no_context_takeover: flags & 8 != 0,
        server_max_window_bits: bits,
        client_max_window_bits: bits,
        ..DeflateParams::default()
    };
    let limits = Limits { message_bytes_max: LIMIT, ..Limits::default() };
    let setup = Setup { role: Role::Client, deflate: Some(params), streaming: false, limits };
    any_payload(&setup, payload, u32::from(*seed));
    there_and_back(&setup, payload, usize::from(*seed));
});

/// The payload as the compressed form of two messages, the second cut into fragments.
fn any_payload(setup: &Setup, payload: &[u8], seed: u32) {
    let (first, second) = payload.split_at(payload.len() * (seed as usize + 1) / 256);
    let mut wire = Vec::new();
    frame(&mut wire, Opcode::Binary, true, true, first);
    let fragments = cut(second, seed);
    for (i, fragment) in fragments.iter().enumerate().take(100) {
        let opcode = if i == 0 { Opcode::Text } else { Opcode::Continuation };
        let last = i + 1 == fragments.len().min(100);
        frame(&mut wire, opcode, i == 0, last, fragment);
    }
    let whole = setup.run([&wire[..]]);
    let pieces = setup.run(cut(&wire, seed.wrapping_add(1)));
    assert_eq!(whole.seen, pieces.seen);
    assert_eq!(whole.error.is_some(), pieces.error.is_some());
    for event in whole.seen {
        let Seen::Message(_, data) = event else { panic!("{event:?}") };
        assert!(data.len() as u64 <= LIMIT);
    }
}

/// The payload as messages that a server compresses.
fn there_and_back(setup: &Setup, payload: &[u8], cut: usize) {
    let mut server = Setup { role: Role::Server, ..setup.clone() }.connection();
    let (a, b) = payload.split_at(cut.min(payload.len()));
    let prepared = Prepared::binary(a.to_vec());
    let send = |connection: &mut openline_ws_proto::Connection, data: &[u8]| {
        connection
            .send_shared(FrameKind::Binary, data.to_vec().into(), Compress::Always)
            .expect("the line is open");
    };
    send(&mut server, a);
    send(&mut server, b);
    server.send_prepared(&prepared).expect("the line is open");
    send(&mut server, payload);
    let outcome = setup.run([&drain(&mut server)[..]]);
    assert_eq!(outcome.error, None);
    let expected = [a, b, a, payload].map(|data| Seen::Message(FrameKind::Binary, data.to_vec()));
    assert!(outcome.seen == expected);
}

fn frame(out: &mut Vec<u8>, opcode: Opcode, compressed: bool, fin: bool, payload: &[u8]) {
    let payload_len = payload.len() as u64;
    FrameHead { fin, compressed, opcode, mask: None, payload_len }.encode(out);
    out.extend_from_slice(payload);
}
