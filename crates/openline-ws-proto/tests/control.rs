//! Pings and pongs (RFC 6455 §5.5), received, answered and sent.

mod support;

use bytes::Bytes;
use openline_ws_proto::{Compress, Connection, FrameKind, Role, SendError};
use support::{
    BINARY, CLOSE, NOW, PING, PONG, Seen, TEXT, client, decode, drain, feed, frame, sent, server,
};

/// Lets the transport take `count` bytes and no more.
fn write_some(connection: &mut Connection, count: usize) -> Vec<u8> {
    let out: Vec<u8> = connection.poll_transmit().flatten().copied().take(count).collect();
    connection.handle_transmitted(out.len(), NOW);
    out
}

#[test]
fn rfc6455_5_5_a_control_frame_carries_125_bytes_at_most() {
    for opcode in [CLOSE, PING, PONG] {
        for length in [126, 127, 65_535] {
            let outcome = server().run(&[frame(opcode, "").length16(length)]);
            let sentence = format!("control frame payload {length} > 125");
            assert_eq!(outcome.refused(), (1002, sentence), "opcode {opcode:#x}");
        }
        for length in [65_536, 1 << 40] {
            let outcome = server().run(&[frame(opcode, "").length64(length)]);
            let sentence = format!("control frame payload {length} > 125");
            assert_eq!(outcome.refused(), (1002, sentence), "opcode {opcode:#x}");
        }
        // Too long in its form, if not in its figure.
        assert_eq!(server().run(&[frame(opcode, "").length16(5)]).refused().0, 1002);
        assert_eq!(server().run(&[frame(opcode, "").length64(5)]).refused().0, 1002);
    }
}

#[test]
fn rfc6455_5_5_a_control_frame_is_not_fragmented() {
    for opcode in [CLOSE, PING, PONG] {
        for case in [server(), client()] {
            let outcome = case.run(&[frame(opcode, "").more().to(case.role)]);
            assert_eq!(outcome.refused(), (1002, "control frame is fragmented".into()));
        }
    }
}

#[test]
fn rfc6455_5_5_2_a_ping_is_answered_with_its_payload() {
    for len in [0, 1, 125] {
        for case in [server(), client()] {
            let payload = vec![b'p'; len];
            let outcome = case.run(&[frame(PING, &payload).to(case.role)]);
            assert_eq!(outcome.seen(), [Seen::Ping(payload.clone())]);
            assert_eq!(outcome.sent, [sent(PONG, payload)]);
        }
    }
}

#[test]
fn rfc6455_5_5_3_a_pong_is_not_answered() {
    let outcome = server().run(&[frame(PONG, "unasked")]);
    assert_eq!(outcome.seen(), [Seen::Pong(b"unasked".to_vec())]);
    assert_eq!(outcome.sent, []);
}

#[test]
fn a_few_pings_are_answered_in_order() {
    let mut connection = server().connection();
    let pings: Vec<_> = (0..10u8).map(|i| frame(PING, [i])).collect();
    feed(&mut connection, &support::bytes(&pings), NOW);
    let pongs: Vec<_> = (0..10u8).map(|i| sent(PONG, [i])).collect();
    assert_eq!(decode(Role::Server, &drain(&mut connection)), pongs);
}

#[test]
fn a_ping_flood_on_a_blocked_line_is_answered_for_the_latest_only() {
    for case in [server(), client()] {
        let mut connection = case.connection();
        connection.send(FrameKind::Binary, b"a message half written").unwrap();
        let mut out = write_some(&mut connection, 5);
        let mut most = 0;
        for i in 0..100_000u32 {
            let ping = frame(PING, i.to_be_bytes()).to(case.role).bytes();
            feed(&mut connection, &ping, NOW);
            // The writer tries, and the transport takes nothing.
            assert!(connection.poll_transmit().next().is_some());
            connection.handle_transmitted(0, NOW);
            most = most.max(connection.queued_bytes());
        }
        assert!(most < 200, "{most} bytes are queued");
        out.extend(drain(&mut connection));
        let frames = decode(case.role, &out);
        // One pong had found its place before the flood went on; of the rest, the latest is left.
        let expected = [
            sent(BINARY, "a message half written"),
            sent(PONG, 0u32.to_be_bytes()),
            sent(PONG, 99_999u32.to_be_bytes()),
        ];
        assert_eq!(frames, expected);
    }
}

#[test]
fn a_ping_flood_in_one_input_is_answered_with_a_bounded_number_of_pongs() {
    let mut connection = server().connection();
    let pings: Vec<_> = (0..10_000u32).map(|i| frame(PING, i.to_be_bytes())).collect();
    feed(&mut connection, &support::bytes(&pings), NOW);
    let pongs = decode(Role::Server, &drain(&mut connection));
    assert!(pongs.len() <= 33, "{} pongs", pongs.len());
    assert!(pongs.contains(&sent(PONG, 9_999u32.to_be_bytes())), "the latest is among them");
}

#[test]
fn a_flood_that_is_answered_does_not_leave_the_line_in_another_state() {
    let mut connection = server().connection();
    for round in 0..200u32 {
        // Large messages take another way through the queue than small ones.
        let message = Bytes::from(vec![0; if round % 2 == 0 { 20_000 } else { 10 }]);
        feed(&mut connection, &frame(PING, round.to_be_bytes()).bytes(), NOW);
        connection.send_shared(FrameKind::Binary, message.clone(), Compress::Never).unwrap();
        let out = decode(Role::Server, &drain(&mut connection));
        assert_eq!(out.len(), 2);
        assert_eq!(out[0], sent(PONG, round.to_be_bytes()), "round {round}");
    }
}

/// How many whole frames stand before the first pong.
fn frames_before_pong(role: Role, out: &[u8]) -> usize {
    decode(role, out).iter().position(|frame| frame.opcode == PONG).expect("there is a pong")
}

#[test]
fn a_pong_overtakes_large_messages_at_the_next_frame_boundary() {
    for case in [server(), client()] {
        for written in [0, 1, 3, 4, 5, 20_000, 29_999] {
            let mut connection = case.connection();
            for _ in 0..50 {
                let large = Bytes::from(vec![1; 30_000]);
                connection.send_shared(FrameKind::Binary, large, Compress::Never).unwrap();
            }
            let mut out = write_some(&mut connection, written);
            feed(&mut connection, &frame(PING, "alive?").to(case.role).bytes(), NOW);
            out.extend(drain(&mut connection));
            let before = frames_before_pong(case.role, &out);
            assert_eq!(before, usize::from(written > 0), "{written} bytes were written");
        }
    }
}

#[test]
fn a_pong_overtakes_small_messages_within_a_bounded_number_of_bytes() {
    for case in [server(), client()] {
        let mut connection = case.connection();
        for _ in 0..10_000 {
            connection.send(FrameKind::Text, &[b'x'; 100]).unwrap();
        }
        let mut out = write_some(&mut connection, 1);
        feed(&mut connection, &frame(PING, "alive?").to(case.role).bytes(), NOW);
        out.extend(drain(&mut connection));
        let before = frames_before_pong(case.role, &out);
        assert!(before * 100 <= 64 * 1024, "{before} messages of 100 bytes went first");
    }
}

#[test]
fn our_own_ping_overtakes_queued_messages_and_replaces_one_that_waits() {
    let mut connection = server().connection();
    connection.send(FrameKind::Text, b"queued").unwrap();
    connection.ping(b"first").unwrap();
    connection.ping(b"second").unwrap();
    let out = decode(Role::Server, &drain(&mut connection));
    assert_eq!(out, [sent(PING, "second"), sent(TEXT, "queued")]);
}

#[test]
fn a_pong_that_nobody_asked_for_can_be_sent() {
    let mut connection = client().connection();
    connection.pong(b"here").unwrap();
    assert_eq!(decode(Role::Client, &drain(&mut connection)), [sent(PONG, "here")]);
}

#[test]
fn rfc6455_5_5_we_send_no_control_frame_over_125_bytes() {
    let mut connection = server().connection();
    assert_eq!(connection.ping(&[0; 126]), Err(SendError::ControlFrameTooLong));
    assert_eq!(connection.pong(&[0; 126]), Err(SendError::ControlFrameTooLong));
    assert!(!connection.wants_transmit());
    assert_eq!(connection.ping(&[0; 125]), Ok(()));
}

#[test]
fn aborting_drops_what_is_queued_and_closes() {
    // A ping that had its place among the queued frames was dropped with them, and the line then
    // waited for it to be written for ever.
    let mut connection = server().connection();
    connection.send(FrameKind::Text, b"queued").unwrap();
    connection.ping(b"overtakes").unwrap();
    assert!(connection.poll_transmit().next().is_some());
    connection.abort(support::reason(1013, "too slow"), NOW).unwrap();
    let out = decode(Role::Server, &drain(&mut connection));
    assert_eq!(out.last(), Some(&support::sent_close(1013, "too slow")));
    assert!(!out.contains(&sent(TEXT, "queued")));
    assert!(!connection.wants_transmit());
}

#[test]
#[should_panic(expected = "8 bytes were reported as written, and 7 wait")]
fn more_cannot_have_been_written_than_waits() {
    let mut connection = server().connection();
    connection.send(FrameKind::Text, b"hello").unwrap();
    connection.handle_transmitted(8, NOW);
}

#[test]
#[should_panic(expected = "1 bytes were reported as written, and none wait")]
fn nothing_can_have_been_written_when_nothing_waits() {
    server().connection().handle_transmitted(1, NOW);
}
