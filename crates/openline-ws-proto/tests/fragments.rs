//! Fragmentation (RFC 6455 §5.4), received and sent.

mod support;

use bytes::Bytes;
use openline_ws_proto::{FrameKind, Limits, Prepared, Role, SendError, State};
use support::{
    BINARY, CLOSE, CONTINUATION, NOW, PING, PONG, Seen, Sent, TEXT, client, frame, sent, server,
};

#[test]
fn fragments_are_put_together() {
    for case in [server(), client()] {
        let outcome = case.run(&[
            frame(TEXT, "one ").more().to(case.role),
            frame(CONTINUATION, "two ").more().to(case.role),
            frame(CONTINUATION, "").more().to(case.role),
            frame(CONTINUATION, "three").to(case.role),
            frame(BINARY, "").more().to(case.role),
            frame(CONTINUATION, "").to(case.role),
        ]);
        let expected = [Seen::Text("one two three".into()), Seen::Binary(Vec::new())];
        assert_eq!(outcome.seen(), expected);
    }
}

#[test]
fn rfc6455_5_4_a_continuation_needs_a_message_to_continue() {
    for begin in [frame(CONTINUATION, "x"), frame(CONTINUATION, "x").more()] {
        let sentence = "continuation without a started message".to_owned();
        assert_eq!(server().run(&[begin]).refused(), (1002, sentence));
    }
}

#[test]
fn rfc6455_5_4_a_continuation_after_the_end_of_a_message_is_refused() {
    let outcome = server().run(&[
        frame(TEXT, "a").more(),
        frame(CONTINUATION, "b"),
        frame(CONTINUATION, "c"),
    ]);
    assert_eq!(outcome.seen[0], Seen::Text("ab".into()));
    assert_eq!(outcome.error().to_string(), "continuation without a started message");
}

#[test]
fn rfc6455_5_4_a_new_message_does_not_begin_inside_another() {
    for opcode in [TEXT, BINARY] {
        for second in [frame(opcode, "b"), frame(opcode, "b").more(), frame(opcode, "")] {
            let outcome = server().run(&[frame(TEXT, "a").more(), second]);
            let sentence = "new message before the last fragment of the one before".to_owned();
            assert_eq!(outcome.refused(), (1002, sentence));
        }
    }
}

#[test]
fn rfc6455_5_4_control_frames_come_between_fragments() {
    let outcome = server().run(&[
        frame(TEXT, "a").more(),
        frame(PING, "p"),
        frame(CONTINUATION, "b").more(),
        frame(PONG, "q"),
        frame(CONTINUATION, "c"),
    ]);
    let expected = [Seen::Ping(b"p".to_vec()), Seen::Pong(b"q".to_vec()), Seen::Text("abc".into())];
    assert_eq!(outcome.seen(), expected);
    assert_eq!(outcome.sent, [sent(PONG, "p")]);
}

#[test]
fn rfc6455_5_5_a_close_in_the_middle_of_a_message_ends_it() {
    let outcome = server().run(&[frame(TEXT, "half").more(), frame(CLOSE, [3, 0xe8])]);
    assert_eq!(outcome.seen(), [Seen::Close(support::reason(1000, ""))]);
    assert_eq!(outcome.state, State::Closed);
}

#[test]
fn the_limit_on_fragments_counts_empty_ones() {
    let limits = Limits { fragments_max: 4, ..Limits::default() };
    let fragments = |count: usize| {
        let mut frames = vec![frame(BINARY, "").more()];
        frames.extend((2..count).map(|_| frame(CONTINUATION, "").more()));
        frames.push(frame(CONTINUATION, ""));
        frames
    };
    let case = server().limits(limits);
    assert_eq!(case.run(&fragments(4)).seen(), [Seen::Binary(Vec::new())]);
    let sentence = "message has more than 4 fragments".to_owned();
    assert_eq!(case.run(&fragments(5)).refused(), (1008, sentence));
}

#[test]
fn control_frames_between_fragments_do_not_count_as_fragments() {
    let case = server().limits(Limits { fragments_max: 2, ..Limits::default() });
    let mut frames = vec![frame(TEXT, "a").more()];
    frames.extend((0..10).map(|_| frame(PONG, "")));
    frames.push(frame(CONTINUATION, "b"));
    assert_eq!(case.run(&frames).seen().last(), Some(&Seen::Text("ab".into())));
}

#[test]
fn a_million_empty_fragments_end_at_the_default_limit() {
    let mut connection = server().connection();
    let first = frame(TEXT, "").more().bytes();
    let next = frame(CONTINUATION, "").more().bytes().repeat(1_000_000);
    let seen = support::feed(&mut connection, &[first, next].concat(), NOW);
    let [Seen::Error(error)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(error.to_string(), "message has more than 1024 fragments");
}

#[test]
fn a_fragmented_message_leaves_frame_by_frame() {
    for case in [server(), client()] {
        let mut connection = case.connection();
        let piece = |text: &'static str| Bytes::from_static(text.as_bytes());
        connection.send_fragment(Some(FrameKind::Text), piece("a"), false).unwrap();
        connection.send_fragment(None, piece(""), false).unwrap();
        connection.send_fragment(None, piece("b"), true).unwrap();
        connection.send_fragment(Some(FrameKind::Binary), piece("alone"), true).unwrap();
        let out = support::decode(case.role, &support::drain(&mut connection));
        let expected = [
            Sent { fin: false, ..sent(TEXT, "a") },
            Sent { fin: false, ..sent(CONTINUATION, "") },
            sent(CONTINUATION, "b"),
            sent(BINARY, "alone"),
        ];
        assert_eq!(out, expected);
    }
}

#[test]
fn large_fragments_are_shared_and_keep_their_order() {
    for case in [server(), client()] {
        let mut connection = case.connection();
        let large: Vec<u8> = (0..40_000u32).map(|i| i as u8).collect();
        let kept = Bytes::from(large.clone());
        connection.send_fragment(Some(FrameKind::Binary), kept.clone(), false).unwrap();
        connection.send_fragment(None, Bytes::from_static(b"small"), false).unwrap();
        connection.send_fragment(None, Bytes::from(large.clone()), true).unwrap();
        let out = support::decode(case.role, &support::drain(&mut connection));
        let expected = [
            Sent { fin: false, ..sent(BINARY, &large) },
            Sent { fin: false, ..sent(CONTINUATION, "small") },
            sent(CONTINUATION, &large),
        ];
        assert!(out == expected);
        assert!(kept == large, "masking does not touch what others hold");
    }
}

#[test]
fn while_a_fragmented_message_is_sent_no_other_can_be_but_pings_can() {
    let mut connection = server().connection();
    let piece = || Bytes::from_static(b"x");
    let unfinished = Err(SendError::MessageUnfinished);
    assert_eq!(connection.send_fragment(None, piece(), true), Err(SendError::NoMessageStarted));
    connection.send_fragment(Some(FrameKind::Text), piece(), false).unwrap();
    assert_eq!(connection.send(FrameKind::Text, b"x"), unfinished);
    assert_eq!(connection.send_shared(FrameKind::Text, piece(), Default::default()), unfinished);
    assert_eq!(connection.send_prepared(&Prepared::text("x")), unfinished);
    assert_eq!(connection.send_fragment(Some(FrameKind::Text), piece(), true), unfinished);
    connection.ping(b"still there?").unwrap();
    connection.send_fragment(None, piece(), true).unwrap();
    connection.send(FrameKind::Text, b"next").unwrap();
    assert_eq!(connection.send_fragment(None, piece(), true), Err(SendError::NoMessageStarted));

    let out = support::decode(Role::Server, &support::drain(&mut connection));
    let opcodes: Vec<u8> = out.iter().map(|frame| frame.opcode).collect();
    assert_eq!(opcodes, [PING, TEXT, CONTINUATION, TEXT], "the refused ones left nothing behind");
}
