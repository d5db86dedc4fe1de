//! Any bytes, in both roles, with and without deflate: no panic, and however they are cut they come
//! to the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openline_fuzz::{Outcome, Seen, Setup, cut};
use openline_ws_proto::{CloseCode, DeflateParams, Limits, ProtocolError, Role};

fuzz_target!(|data: &[u8]| {
    let [flags, seed, input @ ..] = data else { return };
    let bit = |n: u8| flags & (1 << n) != 0;
    let params = DeflateParams {
        server_no_context_takeover: bit(3),
        client_no_context_takeover: bit(3),
        ..DeflateParams::default()
    };
    let small = Limits { frame_bytes_max: 300, message_bytes_max: 400, fragments_max: 5 };
    let setup = Setup {
        role: if bit(0) { Role::Client } else { Role::Server },
        deflate: bit(1).then_some(params),
        streaming: bit(2),
        limits: if bit(4) { small } else { Limits::default() },
    };
    let whole = setup.run([input]);
    for pieces in [cut(input, u32::from(*seed)), input.chunks(1).collect()] {
        compare(&setup, &whole, &setup.run(pieces));
    }
});

fn compare(setup: &Setup, whole: &Outcome, cut: &Outcome) {
    if whole.error.is_none() && cut.error.is_none() {
        assert_eq!(whole, cut);
        return;
    }
    if setup.deflate.is_none() {
        assert_eq!(whole.error, cut.error);
        assert_eq!(whole.sent, cut.sent);
        assert_eq!(ended(whole), ended(cut));
        return;
    }
    // A piece is inflated before its text is checked, and the codec may find an error beyond the
    // limit in the same call: of several errors in one message any may come first.
    if setup.streaming && [whole, cut].iter().any(|outcome| too_big(outcome)) {
        // The limit is on what one piece of input inflates to, so the cut decides.
        return;
    }
    let codes = [whole, cut].map(|outcome| outcome.error.as_ref().map(ProtocolError::close_code));
    let data = |code| matches!(code, Some(CloseCode::INVALID_DATA | CloseCode::MESSAGE_TOO_BIG));
    assert!(codes[0] == codes[1] || codes.iter().all(|code| data(*code)), "{whole:?} {cut:?}");
    assert_eq!(ended(whole), ended(cut));
}

/// What was seen but for the chunks of a message that was not ended: those that came in the same
/// piece of input as the error are not handed over.
fn ended(outcome: &Outcome) -> &[Seen] {
    match &outcome.seen[..] {
        [before @ .., Seen::Chunks { last: false, .. }] => before,
        all => all,
    }
}

fn too_big(outcome: &Outcome) -> bool {
    matches!(outcome.error, Some(ProtocolError::MessageTooBig { inflated: true, .. }))
}
