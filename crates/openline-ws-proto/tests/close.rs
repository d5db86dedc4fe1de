//! The closing handshake (RFC 6455 §5.5.1, §7).

mod support;

use bytes::Bytes;
use openline_ws_proto::{
    CLOSE_REASON_MAX, CloseCode, CloseReason, Closed, Compress, FrameKind, Prepared, Role,
    SendError, State,
};
use support::{
    BINARY, CLOSE, CONTINUATION, NOW, PING, PONG, Pair, Seen, TEXT, client, decode, drain, feed,
    frame, reason, sent, sent_close, server,
};

fn may_stand_in_a_close_frame(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[test]
fn rfc6455_7_4_of_all_65536_codes_the_lawful_ones_are_accepted_and_echoed() {
    for code in 0..=u16::MAX {
        // The three ways of cutting are run on a sample: they do not depend on the code.
        let frames = [frame(CLOSE, code.to_be_bytes())];
        let outcome = match code % 64 {
            0 => server().run(&frames),
            _ => server().pieces(&[&support::bytes(&frames)]),
        };
        if may_stand_in_a_close_frame(code) {
            assert_eq!(outcome.seen(), [Seen::Close(reason(code, ""))]);
            assert_eq!(outcome.sent, [sent_close(code, "")]);
            assert_eq!(outcome.state, State::Closed);
        } else {
            let sentence = format!("close code {code} may not be sent");
            assert_eq!(outcome.refused(), (1002, sentence));
        }
    }
}

#[test]
fn rfc6455_7_4_2_codes_of_libraries_and_applications_are_accepted_by_both_roles() {
    for code in 3000..=4999u16 {
        for case in [server(), client()] {
            let outcome = case.pieces(&[&frame(CLOSE, code.to_be_bytes()).to(case.role).bytes()]);
            assert_eq!(outcome.seen(), [Seen::Close(reason(code, ""))]);
        }
    }
}

#[test]
fn rfc6455_5_5_1_a_close_frame_may_be_empty_and_is_answered_with_an_empty_one() {
    let outcome = server().run(&[frame(CLOSE, "")]);
    assert_eq!(outcome.seen(), [Seen::Close(reason(1005, ""))]);
    assert_eq!(outcome.sent, [sent(CLOSE, "")]);
}

#[test]
fn rfc6455_5_5_1_a_close_payload_of_one_byte_is_refused() {
    let outcome = server().run(&[frame(CLOSE, [3])]);
    assert_eq!(outcome.refused(), (1002, "close frame payload of one byte".into()));
}

#[test]
fn rfc6455_5_5_1_the_reason_is_utf8() {
    let outcome = server().run(&[frame(CLOSE, b"\x03\xe8caf\xe9")]);
    assert_eq!(outcome.refused(), (1007, "invalid UTF-8 at byte 3 of the close reason".into()));
    // Cut off in the middle of a character is no better.
    assert_eq!(server().run(&[frame(CLOSE, b"\x03\xe8\xe2\x82")]).refused().0, 1007);
}

#[test]
fn the_reason_is_reported_and_echoed_with_its_text() {
    let text = "é".repeat(61);
    for case in [server(), client()] {
        let payload = [&1001u16.to_be_bytes()[..], text.as_bytes()].concat();
        let outcome = case.run(&[frame(CLOSE, &payload).to(case.role)]);
        assert_eq!(outcome.seen(), [Seen::Close(reason(1001, &text))]);
        assert_eq!(outcome.sent, [sent_close(1001, &text)]);
    }
}

#[test]
fn rfc6455_5_5_1_what_comes_after_a_close_frame_is_ignored() {
    for after in [
        frame(TEXT, "late"),
        frame(PING, "late"),
        frame(CLOSE, [3, 0xe8]),
        frame(CONTINUATION, ""),
        frame(TEXT, "").unmasked(),
        frame(0x3, ""),
    ] {
        let outcome = server().run(&[frame(CLOSE, [3, 0xe9]), after]);
        assert_eq!(outcome.seen(), [Seen::Close(reason(1001, ""))]);
        assert_eq!(outcome.sent, [sent_close(1001, "")]);
        assert_eq!(outcome.state, State::Closed);
    }
}

#[test]
fn rfc6455_5_5_1_after_our_close_frame_nothing_can_be_sent() {
    for case in [server(), client()] {
        let mut connection = case.connection();
        connection.close(reason(1000, "bye"), NOW).unwrap();
        let x = || Bytes::from_static(b"x");
        let closed = Err(SendError::Closed);
        assert_eq!(connection.send(FrameKind::Text, b"x"), closed);
        assert_eq!(connection.send_shared(FrameKind::Text, x(), Compress::Auto), closed);
        assert_eq!(connection.send_prepared(&Prepared::text("x")), closed);
        assert_eq!(connection.send_fragment(Some(FrameKind::Text), x(), true), closed);
        assert_eq!(connection.ping(b"x"), closed);
        assert_eq!(connection.pong(b"x"), closed);
        assert_eq!(connection.close(reason(1001, "again"), NOW), Ok(()));
        let peer_ping = frame(PING, "x").to(case.role).bytes();
        assert_eq!(feed(&mut connection, &peer_ping, NOW), [Seen::Ping(b"x".to_vec())]);
        let out = decode(case.role, &drain(&mut connection));
        assert_eq!(out, [sent_close(1000, "bye")]);
    }
}

#[test]
fn a_pong_that_waits_for_its_place_does_not_leave_after_the_close_frame() {
    // The first message is half written, so the pong waits for a frame boundary. The close frame
    // was laid right behind the message, and the pong behind both.
    for (case, peer_closes) in
        [(server(), false), (server(), true), (client(), false), (client(), true)]
    {
        let mut connection = case.connection();
        connection.send(FrameKind::Binary, b"message").unwrap();
        let mut out: Vec<u8> = connection.poll_transmit().flatten().copied().take(3).collect();
        connection.handle_transmitted(3, NOW);
        connection.ping(b"ours").unwrap();
        feed(&mut connection, &frame(PING, "theirs").to(case.role).bytes(), NOW);
        if peer_closes {
            feed(&mut connection, &frame(CLOSE, [3, 0xe8]).to(case.role).bytes(), NOW);
        } else {
            connection.close(reason(1000, ""), NOW).unwrap();
        }
        out.extend(drain(&mut connection));
        let frames = decode(case.role, &out);
        assert_eq!(frames[0], sent(BINARY, "message"));
        assert_eq!(frames.last(), Some(&sent_close(1000, "")), "{frames:?}");
        assert!(frames[1..].iter().all(|frame| [PING, PONG, CLOSE].contains(&frame.opcode)));
    }
}

#[test]
fn the_server_closes_the_client_answers_and_the_server_ends_the_transport() {
    let mut pair = Pair::new(None);
    pair.server.close(reason(4000, "enough"), NOW).unwrap();
    assert_eq!(pair.server.state(), State::Closing);
    assert_eq!(pair.client_sees(), [Seen::Close(reason(4000, "enough"))]);
    assert_eq!(pair.client.state(), State::Closed);
    // RFC 6455 §7.1.1: the client waits for the server to end the transport.
    assert!(!pair.client.should_end_transport());
    assert!(!pair.server.should_end_transport());
    assert_eq!(pair.server_sees(), [Seen::Close(reason(4000, "enough"))]);
    assert!(pair.server.should_end_transport());
    pair.client.handle_eof();
    pair.server.handle_eof();
    assert!(pair.client.should_end_transport());
    let on_client = Closed { reason: reason(4000, "enough"), clean: true };
    let on_server = on_client.clone();
    assert_eq!(pair.client.closed(), Some(&on_client));
    assert_eq!(pair.server.closed(), Some(&on_server));
}

#[test]
fn the_client_closes_and_the_server_ends_the_transport_once_its_answer_is_out() {
    let mut pair = Pair::new(None);
    pair.client.close(reason(1000, ""), NOW).unwrap();
    assert_eq!(pair.server_sees(), [Seen::Close(reason(1000, ""))]);
    assert!(!pair.server.should_end_transport(), "its answer still waits");
    assert_eq!(pair.client_sees(), [Seen::Close(reason(1000, ""))]);
    assert!(pair.server.should_end_transport());
    assert!(!pair.client.should_end_transport());
}

#[test]
fn when_both_close_at_once_neither_sends_a_second_close_frame() {
    let mut pair = Pair::new(None);
    pair.client.close(reason(1000, ""), NOW).unwrap();
    pair.server.close(reason(1001, ""), NOW).unwrap();
    let (from_client, from_server) = (drain(&mut pair.client), drain(&mut pair.server));
    assert_eq!(feed(&mut pair.server, &from_client, NOW), [Seen::Close(reason(1000, ""))]);
    assert_eq!(feed(&mut pair.client, &from_server, NOW), [Seen::Close(reason(1001, ""))]);
    assert!(!pair.client.wants_transmit() && !pair.server.wants_transmit());
    assert!(pair.client.closed().unwrap().clean && pair.server.closed().unwrap().clean);
}

#[test]
fn until_the_peer_closes_too_its_messages_still_come_in() {
    let mut connection = server().connection();
    connection.close(reason(1000, ""), NOW).unwrap();
    let input = support::bytes(&[frame(TEXT, "on its way"), frame(CLOSE, [3, 0xe8])]);
    let expected = [Seen::Text("on its way".into()), Seen::Close(reason(1000, ""))];
    assert_eq!(feed(&mut connection, &input, NOW), expected);
}

#[test]
fn what_was_queued_leaves_before_the_close_frame() {
    let mut connection = server().connection();
    connection.send(FrameKind::Text, b"last words").unwrap();
    connection.close(reason(1000, ""), NOW).unwrap();
    let out = decode(Role::Server, &drain(&mut connection));
    assert_eq!(out, [sent(TEXT, "last words"), sent_close(1000, "")]);
}

#[test]
fn a_fragmented_message_can_be_cut_short_by_closing() {
    let mut connection = server().connection();
    connection.send_fragment(Some(FrameKind::Text), Bytes::from_static(b"a"), false).unwrap();
    connection.close(reason(1000, ""), NOW).unwrap();
    let rest = connection.send_fragment(None, Bytes::from_static(b"b"), true);
    assert_eq!(rest, Err(SendError::Closed));
    let out = decode(Role::Server, &drain(&mut connection));
    assert_eq!(out.last(), Some(&sent_close(1000, "")));
}

#[test]
fn a_violation_after_our_close_frame_is_not_answered() {
    let mut connection = server().connection();
    connection.close(reason(1000, ""), NOW).unwrap();
    let seen = feed(&mut connection, &frame(CONTINUATION, "").bytes(), NOW);
    assert!(matches!(&seen[..], [Seen::Error(_)]));
    assert_eq!(connection.state(), State::Failed);
    assert_eq!(decode(Role::Server, &drain(&mut connection)), [sent_close(1000, "")]);
}

#[test]
fn rfc6455_7_1_5_without_a_close_frame_the_code_is_1006() {
    let mut connection = server().connection();
    connection.handle_eof();
    let abnormal = Closed { reason: reason(1006, ""), clean: false };
    assert_eq!(connection.closed(), Some(&abnormal));
    assert_eq!(connection.state(), State::Ended);
    assert!(connection.should_end_transport());
    assert_eq!(connection.poll_timeout(), None);
    assert_eq!(feed(&mut connection, &frame(TEXT, "late").bytes(), NOW), []);
    assert_eq!(connection.send(FrameKind::Text, b"late"), Err(SendError::Closed));
}

#[test]
fn an_end_after_our_close_frame_alone_is_not_clean() {
    let mut connection = client().connection();
    connection.close(reason(1000, ""), NOW).unwrap();
    drain(&mut connection);
    connection.handle_eof();
    assert_eq!(connection.closed(), Some(&Closed { reason: reason(1006, ""), clean: false }));
}

#[test]
fn after_a_violation_the_connection_ended_with_1006_and_the_sentence() {
    let mut connection = server().connection();
    feed(&mut connection, &frame(CONTINUATION, "").bytes(), NOW);
    connection.handle_eof();
    let sentence = "continuation without a started message";
    let closed = Closed { reason: reason(1006, sentence), clean: false };
    assert_eq!(connection.closed(), Some(&closed));
}

#[test]
fn rfc6455_7_4_we_send_no_code_that_may_not_be_sent() {
    for code in 0..=u16::MAX {
        let mut connection = server().connection();
        let result = connection.close(reason(code, ""), NOW);
        if may_stand_in_a_close_frame(code) {
            assert_eq!(result, Ok(()));
            assert_eq!(decode(Role::Server, &drain(&mut connection)), [sent_close(code, "")]);
        } else if code == 1005 {
            assert_eq!(decode(Role::Server, &drain(&mut connection)), [sent(CLOSE, "")]);
        } else {
            assert_eq!(result, Err(SendError::InvalidCloseCode(CloseCode(code))));
            assert_eq!(connection.state(), State::Open);
            assert!(!connection.wants_transmit());
        }
    }
}

#[test]
fn rfc6455_5_5_a_reason_that_is_too_long_is_cut_at_a_character() {
    // However the reason was made: its fields are public.
    let long = CloseReason { code: CloseCode::NORMAL, text: "é".repeat(100) };
    for reason in [CloseReason::new(1000, long.text.clone()), long] {
        let mut connection = server().connection();
        connection.close(reason, NOW).unwrap();
        let out = decode(Role::Server, &drain(&mut connection));
        assert_eq!(out, [sent_close(1000, &"é".repeat(CLOSE_REASON_MAX / 2))]);
    }
}

#[test]
fn aborting_cuts_a_fragmented_message_short_and_nothing_can_follow_it() {
    // The messages alone were dropped, and a continuation of one of them could be sent.
    for case in [server(), client()] {
        let mut connection = case.connection();
        let piece = || Bytes::from(vec![1; 20_000]);
        connection.send_fragment(Some(FrameKind::Binary), piece(), false).unwrap();
        let mut out: Vec<u8> = connection.poll_transmit().flatten().copied().take(3).collect();
        connection.handle_transmitted(3, NOW);
        connection.send_fragment(None, piece(), false).unwrap();
        let dropped = connection.abort(reason(1013, "too slow"), NOW).unwrap();
        assert!((20_000..20_020).contains(&dropped), "{dropped} bytes");
        assert_eq!(connection.send_fragment(None, piece(), true), Err(SendError::Closed));
        assert_eq!(connection.send(FrameKind::Binary, b"x"), Err(SendError::Closed));
        out.extend(drain(&mut connection));
        let frames = decode(case.role, &out);
        assert_eq!(frames.len(), 2, "what had begun, and the close frame");
        assert!(!frames[0].fin && frames[0].payload == vec![1; 20_000]);
        assert_eq!(frames[1], sent_close(1013, "too slow"));
    }
}

#[test]
fn aborting_with_a_code_that_may_not_be_sent_drops_nothing() {
    let mut connection = server().connection();
    connection.send(FrameKind::Text, b"queued").unwrap();
    let refused = Err(SendError::InvalidCloseCode(CloseCode(1006)));
    assert_eq!(connection.abort(reason(1006, ""), NOW), refused);
    assert_eq!(decode(Role::Server, &drain(&mut connection)), [sent(TEXT, "queued")]);
}

#[test]
fn aborting_a_line_that_closes_already_leaves_its_close_frame_alone() {
    let mut connection = server().connection();
    connection.send(FrameKind::Text, b"last words").unwrap();
    connection.close(reason(1000, ""), NOW).unwrap();
    assert_eq!(connection.abort(reason(1013, "too slow"), NOW), Ok(0));
    let out = decode(Role::Server, &drain(&mut connection));
    assert_eq!(out, [sent(TEXT, "last words"), sent_close(1000, "")]);
}

#[test]
fn when_the_transport_takes_no_more_nothing_waits_and_input_goes_on() {
    for case in [server(), client()] {
        let mut connection = case.connection();
        connection.send(FrameKind::Text, b"half written").unwrap();
        connection
            .send_fragment(Some(FrameKind::Text), Bytes::from(vec![b'a'; 20_000]), false)
            .unwrap();
        connection.ping(b"overtakes").unwrap();
        assert!(connection.poll_transmit().count() > 1);
        connection.handle_transmitted(3, NOW);
        connection.handle_write_end();
        assert!(!connection.wants_transmit());
        assert_eq!(connection.queued_bytes(), 0);
        let rest = connection.send_fragment(None, Bytes::from_static(b"b"), true);
        assert_eq!(rest, Err(SendError::Closed));
        assert_eq!(connection.ping(b""), Err(SendError::Closed));
        let input = support::bytes(&[
            frame(TEXT, "still coming").to(case.role),
            frame(PING, "").to(case.role),
            frame(CLOSE, [3, 0xe8]).to(case.role),
        ]);
        let expected = [
            Seen::Text("still coming".into()),
            Seen::Ping(Vec::new()),
            Seen::Close(reason(1000, "")),
        ];
        assert_eq!(feed(&mut connection, &input, NOW), expected);
        assert!(!connection.wants_transmit(), "the answers have nowhere to go");
        assert_eq!(connection.should_end_transport(), case.role == Role::Server);
    }
}

#[test]
fn on_a_closed_line_a_fragment_out_of_order_is_told_that_it_is_closed() {
    let x = || Bytes::from_static(b"x");
    let mut connection = server().connection();
    connection.close(reason(1000, ""), NOW).unwrap();
    assert_eq!(connection.send_fragment(None, x(), true), Err(SendError::Closed));
    let mut connection = server().connection();
    connection.send_fragment(Some(FrameKind::Text), x(), false).unwrap();
    connection.close(reason(1000, ""), NOW).unwrap();
    let second = connection.send_fragment(Some(FrameKind::Text), x(), true);
    assert_eq!(second, Err(SendError::Closed));
}
