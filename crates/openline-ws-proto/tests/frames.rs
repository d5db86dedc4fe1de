//! Frame heads (RFC 6455 §5.1, §5.2), through a whole connection.

mod support;

use openline_ws_proto::{Limits, State};
use support::{BINARY, CONTINUATION, PING, Seen, TEXT, client, frame, server};

fn big() -> Limits {
    Limits { frame_bytes_max: 4 << 30, message_bytes_max: 4 << 30, ..Limits::default() }
}

#[test]
fn rfc6455_5_1_a_frame_from_a_client_is_masked() {
    let outcome = server().run(&[frame(TEXT, "hi").unmasked()]);
    assert_eq!(outcome.refused(), (1002, "frame from client is not masked".into()));
}

#[test]
fn rfc6455_5_1_a_frame_from_a_server_is_not_masked() {
    let outcome = client().run(&[frame(TEXT, "hi")]);
    assert_eq!(outcome.refused(), (1002, "frame from server is masked".into()));
}

#[test]
fn rfc6455_5_1_the_rule_holds_for_empty_and_control_frames_too() {
    for opcode in [TEXT, PING] {
        assert_eq!(server().run(&[frame(opcode, "").unmasked()]).refused().0, 1002);
        assert_eq!(client().run(&[frame(opcode, "")]).refused().0, 1002);
    }
}

#[test]
fn rfc6455_5_2_the_top_bit_of_a_64_bit_length_is_0() {
    for length in [1 << 63, u64::MAX, (1 << 63) | 5] {
        let outcome = server().limits(big()).run(&[frame(BINARY, "hello").length64(length)]);
        assert_eq!(outcome.refused(), (1002, "top bit of a 64-bit length is set".into()));
    }
}

#[test]
fn rfc6455_5_2_a_length_stands_in_its_shortest_form() {
    for length in [0, 1, 125] {
        let outcome = server().run(&[frame(BINARY, "hello").length16(length)]);
        let sentence = format!("length {length} is not in its shortest form");
        assert_eq!(outcome.refused(), (1002, sentence));
    }
    for length in [0, 125, 126, 65_535] {
        let outcome = server().run(&[frame(BINARY, "hello").length64(length)]);
        let sentence = format!("length {length} is not in its shortest form");
        assert_eq!(outcome.refused(), (1002, sentence));
    }
}

#[test]
fn rfc6455_5_2_every_form_of_length_is_read() {
    for len in [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 65_537] {
        let payload = vec![b'x'; len];
        for case in [server(), client()] {
            let frame = frame(BINARY, &payload).to(case.role);
            // Byte by byte and with bytes behind it is tried once, on lengths that are quick.
            let outcome =
                if len < 300 { case.run(&[frame]) } else { case.pieces(&[&frame.bytes()]) };
            assert!(outcome.seen() == [Seen::Binary(payload.clone())], "{len} bytes");
        }
    }
}

#[test]
fn rfc6455_5_2_reserved_opcodes_are_refused() {
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        for case in [server(), client()] {
            let outcome = case.run(&[frame(opcode, "").to(case.role)]);
            assert_eq!(outcome.refused(), (1002, format!("reserved opcode {opcode:#x}")));
        }
    }
}

#[test]
fn rfc6455_5_2_each_reserved_bit_is_refused_without_an_extension() {
    for (bits, named) in [(4, 1), (2, 2), (1, 3), (7, 2), (3, 2), (6, 2), (5, 3)] {
        for opcode in [TEXT, BINARY, PING] {
            let outcome = server().run(&[frame(opcode, "").rsv(bits)]);
            let sentence = format!("RSV{named} set but no extension negotiated");
            assert_eq!(outcome.refused(), (1002, sentence), "bits {bits:03b}");
        }
    }
}

#[test]
fn an_unlawful_first_byte_is_refused_before_a_second_comes() {
    for first in [0x83, 0xc1, 0x91, 0x09] {
        let outcome = server().run_unfinished(&[first]);
        assert_eq!(outcome.refused().0, 1002, "{first:#x}");
    }
}

#[test]
fn many_frames_in_one_input_come_out_one_by_one_in_order() {
    let frames: Vec<_> = (0..50).map(|i| frame(TEXT, i.to_string())).collect();
    let expected: Vec<_> = (0..50).map(|i| Seen::Text(i.to_string())).collect();
    assert_eq!(server().run(&frames).seen(), expected);
}

#[test]
fn an_input_of_nothing_changes_nothing() {
    let mut connection = server().connection();
    let progress = connection.handle_input(&mut [], support::NOW).unwrap();
    assert_eq!((progress.consumed, progress.event), (0, None));
    assert_eq!(connection.state(), State::Open);
}

#[test]
fn after_an_error_input_is_ignored_and_nothing_more_is_said() {
    for case in [server(), client()] {
        let bad = frame(CONTINUATION, "").to(case.role).bytes();
        let good = frame(TEXT, "hi").to(case.role).bytes();
        let mut connection = case.connection();
        assert_eq!(support::feed(&mut connection, &bad, support::NOW).len(), 1);
        assert_eq!(support::decode(case.role, &support::drain(&mut connection)).len(), 1);
        assert_eq!(support::feed(&mut connection, &good, support::NOW), []);
        assert_eq!(support::feed(&mut connection, &bad, support::NOW), []);
        assert!(!connection.wants_transmit());
    }
}

#[test]
fn what_is_whole_is_recognised_without_being_taken() {
    let connection = server().connection();
    let whole = frame(TEXT, "hello").bytes();
    for cut in 0..whole.len() {
        assert!(!connection.has_whole_frame(&whole[..cut]), "{cut}");
    }
    assert!(connection.has_whole_frame(&whole));
    assert!(connection.has_whole_frame(&[&whole[..], b"more"].concat()));
    assert!(connection.has_whole_frame(b"\xff"), "an error is something to do as well");
    assert_eq!(connection.state(), State::Open);
}
