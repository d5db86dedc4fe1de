//! What the peer may send at most, and what that may cost in memory. Memory is counted by the
//! allocator, for the thread of the test alone.

mod support;

use allocation_counter::measure;
use openline_ws_proto::{Config, Connection, Limits, State};
use support::{BINARY, CONTINUATION, Case, NOW, Seen, TEXT, client, deflated, feed, frame, server};

/// Pools of the thread and boxes of the connection: what a test may hold besides payload.
const SMALL: u64 = 4 * 1024;

/// What the codec and the window beside it hold by themselves while a message inflates.
const CODEC: u64 = 80 * 1024;

/// A connection that has worked already, so that pools are filled.
fn warm(case: &Case) -> Connection {
    let mut connection = case.connection();
    for input in [frame(TEXT, "a").more().bytes(), frame(CONTINUATION, "b").bytes()] {
        feed(&mut connection, &input, NOW);
    }
    connection
}

#[test]
fn a_message_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    for case in [server(), client()] {
        let case = case.message_bytes_max(300);
        let whole = |len: usize| case.run(&[frame(BINARY, vec![0; len]).to(case.role)]);
        let fragmented = |len: usize| {
            case.run(&[
                frame(BINARY, [0; 100]).more().to(case.role),
                frame(CONTINUATION, vec![0; len - 100]).to(case.role),
            ])
        };
        let sentence = "message exceeds 300 bytes".to_owned();
        assert_eq!(whole(300).seen(), [Seen::Binary(vec![0; 300])]);
        assert_eq!(fragmented(300).seen(), [Seen::Binary(vec![0; 300])]);
        assert_eq!(whole(301).refused(), (1009, sentence.clone()));
        assert_eq!(fragmented(301).refused(), (1009, sentence));
    }
}

#[test]
fn a_message_too_big_is_refused_at_its_head_with_1009() {
    let case = server().message_bytes_max(65_536);
    let input = frame(TEXT, "").length64(70_000).bytes();
    let sentence = "message exceeds 65536 bytes".to_owned();
    assert_eq!(case.run_unfinished(&input).refused(), (1009, sentence));
}

#[test]
fn a_frame_too_big_is_refused_even_if_the_message_could_go_on() {
    let case = server().limits(Limits { frame_bytes_max: 10, ..Limits::default() });
    assert_eq!(case.run(&[frame(BINARY, [0; 10])]).seen(), [Seen::Binary(vec![0; 10])]);
    let sentence = "frame exceeds 10 bytes".to_owned();
    assert_eq!(case.run(&[frame(BINARY, [0; 11])]).refused(), (1009, sentence));
    let fragments: Vec<_> =
        (0..5).map(|i| frame(if i == 0 { BINARY } else { 0 }, [0; 10]).more()).collect();
    assert_eq!(case.run(&[fragments, vec![frame(CONTINUATION, "")]].concat()).seen().len(), 1);
}

#[test]
fn lengths_near_the_end_of_63_bits_do_not_wrap_around() {
    let limits =
        Limits { frame_bytes_max: u64::MAX, message_bytes_max: u64::MAX, ..Limits::default() };
    let case = server().limits(limits);
    let input = frame(BINARY, "some").length64(u64::MAX >> 1).bytes();
    assert_eq!(case.run_unfinished(&input).seen(), []);
    // The sum of the fragments passes 64 bits.
    let case = server().limits(Limits { message_bytes_max: 1 << 63, ..limits });
    let mut connection = case.connection();
    feed(&mut connection, &frame(BINARY, "x").more().bytes(), NOW);
    let input = frame(CONTINUATION, "").length64(u64::MAX >> 1).more().bytes();
    assert_eq!(feed(&mut connection, &input, NOW), []);
}

#[test]
fn without_a_limit_a_compressed_message_still_inflates() {
    let limits =
        Limits { frame_bytes_max: u64::MAX, message_bytes_max: u64::MAX, ..Limits::default() };
    let case = server().limits(limits).deflate(Default::default());
    let outcome = case.run(&[frame(TEXT, deflated(b"hello hello")).rsv(4)]);
    assert_eq!(outcome.seen(), [Seen::Text("hello hello".into())]);
}

#[test]
fn a_head_that_claims_2_gib_costs_no_memory() {
    let limits =
        Limits { frame_bytes_max: 4 << 30, message_bytes_max: 4 << 30, ..Limits::default() };
    for fin in [true, false] {
        for claimed in [2 << 30, (4 << 30) - 1] {
            let mut connection = warm(&server().limits(limits));
            let head = frame(BINARY, "").length64(claimed);
            let input = if fin { head.bytes() } else { head.more().bytes() };
            let info = measure(|| {
                assert_eq!(feed(&mut connection, &input, NOW), []);
                assert_eq!(feed(&mut connection, b"a few bytes of it", NOW), []);
            });
            assert!(info.bytes_max < SMALL, "{} bytes at the most", info.bytes_max);
            assert_eq!(connection.state(), State::Open);
        }
    }
}

#[test]
fn a_million_empty_fragments_cost_no_memory_where_their_number_is_not_limited() {
    let limits = Limits { fragments_max: u32::MAX, ..Limits::default() };
    let mut connection = warm(&server().limits(limits));
    feed(&mut connection, &frame(TEXT, "").more().bytes(), NOW);
    let thousand = frame(CONTINUATION, "").more().bytes().repeat(1_000);
    let info = measure(|| {
        for _ in 0..1_000 {
            assert_eq!(feed(&mut connection, &thousand, NOW), []);
        }
    });
    let input = thousand.len() as u64;
    assert!(info.bytes_max < input + SMALL, "{} bytes at the most", info.bytes_max);
    assert!(info.bytes_current < SMALL as i64, "{} bytes stayed", info.bytes_current);
    let end = frame(CONTINUATION, "end").bytes();
    assert_eq!(feed(&mut connection, &end, NOW), [Seen::Text("end".into())]);
}

#[test]
fn a_message_in_tiny_pieces_costs_no_more_than_three_times_the_limit() {
    // The buffer doubles, and while it moves both are held.
    let limit = 256 * 1024;
    let limits = Limits { message_bytes_max: limit, fragments_max: u32::MAX, ..Limits::default() };
    let mut connection = warm(&server().limits(limits));
    let mut pieces = vec![frame(BINARY, [0; 8]).more().bytes()];
    pieces.extend((1..limit / 8).map(|_| frame(CONTINUATION, [0; 8]).more().bytes()));
    let info = measure(|| {
        for piece in &pieces {
            assert_eq!(feed(&mut connection, piece, NOW), []);
        }
    });
    assert!(info.bytes_max <= 3 * limit + SMALL, "{} bytes at the most", info.bytes_max);
    let sentence = format!("message exceeds {limit} bytes");
    let seen = feed(&mut connection, &frame(CONTINUATION, "x").bytes(), NOW);
    assert!(matches!(&seen[..], [Seen::Error(error)] if error.to_string() == sentence));
}

/// A message that inflates to a thousand times its size.
fn bomb(len: usize) -> Vec<u8> {
    let bomb = deflated(&vec![0; len]);
    assert!(bomb.len() * 900 < len, "{} bytes", bomb.len());
    bomb
}

#[test]
fn an_inflate_bomb_costs_no_more_than_twice_the_limit() {
    let bomb = bomb(64 << 20);
    for limit in [64 * 1024, 1 << 20] {
        for streaming in [false, true] {
            let case =
                Case { streaming, ..server() }.message_bytes_max(limit).deflate(Default::default());
            let mut connection = warm(&case);
            let mut input = frame(BINARY, &bomb).rsv(4).bytes();
            if !streaming && bomb.len() as u64 > limit {
                input = frame(BINARY, &bomb[..60_000]).rsv(4).more().bytes();
            }
            let mut error = None;
            let info = measure(|| error = connection.handle_input(&mut input, NOW).err());
            let sentence = format!("decompressed message exceeds {limit} bytes");
            assert_eq!(error.map(|error| error.to_string()), Some(sentence));
            assert!(info.bytes_max <= 2 * limit + CODEC, "{} bytes at most", info.bytes_max);
        }
    }
}

#[test]
fn an_inflate_bomb_that_comes_in_drops_costs_no_more_either() {
    let limit = 1 << 20;
    let case = server().message_bytes_max(limit).deflate(Default::default());
    let mut connection = warm(&case);
    let input = frame(TEXT, bomb(16 << 20)).rsv(4).bytes();
    let mut last = Vec::new();
    let info = measure(|| {
        for byte in &input {
            last = feed(&mut connection, &[*byte], NOW);
            if !last.is_empty() {
                break;
            }
        }
    });
    assert!(info.bytes_max <= 2 * limit + CODEC, "{} bytes at the most", info.bytes_max);
    let sentence = format!("decompressed message exceeds {limit} bytes");
    assert!(matches!(&last[..], [Seen::Error(error)] if error.to_string() == sentence));
}

#[test]
fn fragments_of_a_compressed_message_share_one_limit() {
    let case = server().message_bytes_max(1000).deflate(Default::default());
    let wire = deflated(&[7; 1001]);
    let (a, b) = wire.split_at(wire.len() / 2);
    let outcome = case.run(&[frame(BINARY, a).rsv(4).more(), frame(CONTINUATION, b)]);
    assert_eq!(outcome.refused(), (1009, "decompressed message exceeds 1000 bytes".into()));
    let wire = deflated(&[7; 1000]);
    assert_eq!(case.run(&[frame(BINARY, wire).rsv(4)]).seen(), [Seen::Binary(vec![7; 1000])]);
}

#[test]
fn an_idle_connection_holds_nothing_beside_itself() {
    let config = std::sync::Arc::new(Config::default());
    let role = openline_ws_proto::Role::Server;
    let mut connection = None;
    let made = measure(|| connection = Some(Connection::new(role, config, None, NOW)));
    assert_eq!(made.bytes_current, 0);
    let mut connection = connection.unwrap();
    let echo = |connection: &mut Connection| {
        for input in [
            frame(TEXT, "a").more().bytes(),
            frame(CONTINUATION, vec![b'b'; 40_000]).bytes(),
            frame(support::PING, "p").bytes(),
        ] {
            feed(connection, &input, NOW);
        }
        connection.send(openline_ws_proto::FrameKind::Text, b"hello").unwrap();
        connection.ping(b"").unwrap();
        support::drain(connection);
    };
    // What the pools of the thread keep is not the connection's.
    echo(&mut connection);
    let after = measure(|| echo(&mut connection));
    assert_eq!(after.bytes_current, 0, "after a message and its answer");
    assert!(size_of::<Connection>() <= 320, "{} bytes", size_of::<Connection>());
}

#[test]
fn after_an_error_or_a_close_frame_nothing_of_the_message_is_held() {
    // It was held until the transport ended, which the peer can put off until a deadline.
    let half = |compressed: bool| match compressed {
        false => frame(BINARY, vec![7; 500_000]).more(),
        true => frame(BINARY, deflated(&vec![7; 500_000])).rsv(4).more(),
    };
    for compressed in [false, true] {
        for end in [frame(TEXT, "not a continuation"), frame(support::CLOSE, "")] {
            let mut connection = server().deflate(Default::default()).connection();
            feed(&mut connection, &half(compressed).bytes(), NOW);
            let input = end.bytes();
            let info = measure(|| drop(feed(&mut connection, &input, NOW)));
            assert!(info.bytes_current < -490_000, "{} bytes", info.bytes_current);
        }
    }
}

#[test]
fn with_takeover_a_line_holds_the_window_that_was_agreed_on_and_no_more() {
    let takeover = |bits| openline_ws_proto::DeflateParams {
        client_max_window_bits: bits,
        ..Default::default()
    };
    // A message of its own, so that the thread's pool has a codec.
    let input = frame(BINARY, deflated(&[7; 200])).rsv(4).bytes();
    feed(&mut server().deflate(takeover(15)).connection(), &input, NOW);
    for (bits, len, held_max) in [(15, 200, 300), (9, 100_000, 600), (15, 100_000, 33_000)] {
        let mut connection = server().deflate(takeover(bits)).connection();
        let input = frame(BINARY, deflated(&vec![7; len])).rsv(4).bytes();
        let info = measure(|| drop(feed(&mut connection, &input, NOW)));
        assert!(info.bytes_current <= held_max, "{} bytes, {bits} bits", info.bytes_current);
    }
}
