//! UTF-8 in text messages (RFC 6455 §8.1), failing at the first bad byte.

mod support;

use support::{BINARY, CONTINUATION, PING, Seen, TEXT, client, deflated, frame, server};

const GREEK: &str = "Hello-µ@ßöäüàá-UTF-8!!";

#[test]
fn rfc6455_8_1_a_text_that_is_not_utf8_is_refused_with_its_position() {
    let outcome = server().run(&[frame(TEXT, b"seventeen bytes: \xff and more")]);
    assert_eq!(outcome.refused(), (1007, "invalid UTF-8 at byte 17".into()));
}

#[test]
fn surrogates_overlong_forms_and_characters_beyond_the_last_are_refused() {
    for bad in [
        &b"\xed\xa0\x80"[..],
        b"\xc0\xaf",
        b"\xe0\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\x80",
        b"\xfe",
    ] {
        for case in [server(), client()] {
            assert_eq!(case.run(&[frame(TEXT, bad).to(case.role)]).refused().0, 1007, "{bad:x?}");
        }
    }
}

#[test]
fn a_text_does_not_end_inside_a_character() {
    let sentence = "invalid UTF-8 at byte 2".to_owned();
    let whole = server().run(&[frame(TEXT, b"ab\xe2\x82")]);
    assert_eq!(whole.refused(), (1007, sentence.clone()));
    let fragmented = server().run(&[frame(TEXT, b"ab\xe2").more(), frame(CONTINUATION, b"\x82")]);
    assert_eq!(fragmented.refused(), (1007, sentence));
}

#[test]
fn rfc6455_5_6_a_fragment_may_end_inside_a_character() {
    let text = GREEK.as_bytes();
    for cut in 0..=text.len() {
        let outcome = server().run(&[
            frame(TEXT, &text[..cut]).more(),
            frame(PING, ""),
            frame(CONTINUATION, &text[cut..]),
        ]);
        assert_eq!(outcome.seen()[1], Seen::Text(GREEK.into()), "cut at {cut}");
    }
}

#[test]
fn every_byte_in_a_fragment_of_its_own_makes_the_same_text() {
    let mut frames = vec![frame(TEXT, "").more()];
    frames.extend(GREEK.bytes().map(|byte| frame(CONTINUATION, [byte]).more()));
    frames.push(frame(CONTINUATION, ""));
    assert_eq!(server().run(&frames).seen(), [Seen::Text(GREEK.into())]);
}

/// Autobahn 6.4.1: the bad sequence stands in a fragment that is not the last.
#[test]
fn fails_at_the_first_bad_byte_of_a_fragmented_text() {
    let good = "κόσμε".as_bytes();
    let bad = b"\xf4\x90\x80\x80";
    let outcome = server().run(&[
        frame(TEXT, good).more(),
        frame(CONTINUATION, bad).more(),
        frame(CONTINUATION, "edited"),
    ]);
    assert_eq!(outcome.refused(), (1007, format!("invalid UTF-8 at byte {}", good.len())));
}

/// Autobahn 6.4.3 and 6.4.4: the rest of the frame, or of the character, never comes.
#[test]
fn fails_at_the_first_bad_byte_of_an_unfinished_frame() {
    let good = "κόσμε".as_bytes();
    let sentence = format!("invalid UTF-8 at byte {}", good.len());
    let payload = [good, b"\xf4\x90\x80\x80edited"].concat();
    let frame = frame(TEXT, &payload).bytes();
    let head = frame.len() - payload.len();
    let last_good = head + good.len() + 1;
    for end in head..last_good {
        assert_eq!(server().run_unfinished(&frame[..end]).seen(), [], "nothing bad has come yet");
    }
    // F4 may begin a character, 90 cannot follow it.
    let outcome = server().run_unfinished(&frame[..=last_good]);
    assert_eq!(outcome.refused(), (1007, sentence));
}

#[test]
fn fails_at_the_first_bad_byte_inside_an_unfinished_fragment() {
    let first = frame(TEXT, b"a\xe2").more().bytes();
    let second = frame(CONTINUATION, b"\x28 never comes").bytes();
    let input = [&first[..], &second[..7]].concat();
    let outcome = server().run_unfinished(&input);
    assert_eq!(outcome.refused(), (1007, "invalid UTF-8 at byte 1".into()));
}

#[test]
fn binary_messages_are_not_looked_at() {
    let outcome = server().run(&[
        frame(BINARY, b"\xff\xfe"),
        frame(BINARY, b"\xff").more(),
        frame(CONTINUATION, b"\xfe"),
    ]);
    let expected = Seen::Binary(b"\xff\xfe".to_vec());
    assert_eq!(outcome.seen(), [expected.clone(), expected]);
}

#[test]
fn each_text_is_checked_on_its_own() {
    // Half a character at the end of one message is not completed by the next.
    let outcome = server().run(&[frame(BINARY, b"\xe2\x82"), frame(TEXT, b"\xac")]);
    assert_eq!(outcome.error().to_string(), "invalid UTF-8 at byte 0");
}

#[test]
fn a_compressed_text_that_is_not_utf8_is_refused() {
    let case = server().deflate(Default::default());
    let data = [&b"ok ".repeat(50)[..], b"\xff"].concat();
    let outcome = case.run(&[frame(TEXT, deflated(&data)).rsv(4)]);
    assert_eq!(outcome.refused(), (1007, "invalid UTF-8 at byte 150".into()));
    // Cut short inside a character.
    assert_eq!(case.run(&[frame(TEXT, deflated(b"ab\xe2\x82")).rsv(4)]).refused().0, 1007);
}
