//! Messages encoded once and sent to many.

mod support;

use openline_ws_proto::{DeflateParams, FrameKind, Prepared, Role};
use support::{BINARY, NOW, Pair, Seen, TEXT, client, decode, drain, feed, prepared, sent, server};

/// The terms with a window of `bits` for the server, whose compressor forgets or not.
fn terms(bits: u8, takeover: bool) -> DeflateParams {
    DeflateParams {
        server_max_window_bits: bits,
        server_no_context_takeover: !takeover,
        ..DeflateParams::default()
    }
}

fn sentences() -> String {
    "what everybody gets, and everybody gets the same; ".repeat(100)
}

#[test]
fn without_deflate_every_server_connection_sends_it_as_it_is() {
    for (kind, opcode) in [(FrameKind::Text, TEXT), (FrameKind::Binary, BINARY)] {
        // Small, and so large that the frame is shared rather than copied.
        for len in [0, 5, 125, 126, 20_000, 70_000] {
            let payload = vec![b'x'; len];
            let message = prepared(kind, &payload);
            for _ in 0..3 {
                let mut connection = server().connection();
                connection.send_prepared(&message).unwrap();
                connection.send_prepared(&message).unwrap();
                let out = decode(Role::Server, &drain(&mut connection));
                assert!(out == [sent(opcode, &payload), sent(opcode, &payload)], "{len} bytes");
            }
        }
    }
}

#[test]
fn a_client_masks_it_anew() {
    let message = Prepared::text("hello");
    let mut connection = client().connection();
    connection.send_prepared(&message).unwrap();
    assert_eq!(decode(Role::Client, &drain(&mut connection)), [sent(TEXT, "hello")]);
    let large = Prepared::binary(vec![1; 50_000]);
    let mut connection = client().connection();
    connection.send_prepared(&large).unwrap();
    assert!(decode(Role::Client, &drain(&mut connection)) == [sent(BINARY, vec![1; 50_000])]);
    assert!(large.payload().iter().all(|byte| *byte == 1), "masking leaves the original alone");
}

#[test]
fn every_window_and_takeover_gets_it_between_messages_of_its_own() {
    let message = Prepared::text(sentences());
    for bits in 8..=15 {
        for takeover in [false, true] {
            let mut pair = Pair::new(Some(terms(bits, takeover)));
            let own = "what everybody gets, and more of its own".repeat(20);
            for _ in 0..2 {
                pair.server.send(FrameKind::Text, own.as_bytes()).unwrap();
                pair.server.send_prepared(&message).unwrap();
                pair.server.send_prepared(&message).unwrap();
                pair.server.send(FrameKind::Text, own.as_bytes()).unwrap();
            }
            let (own, all) = (Seen::Text(own), Seen::Text(sentences()));
            let round = [own.clone(), all.clone(), all, own];
            assert!(pair.client_sees() == [&round[..], &round].concat(), "{bits} bits, {takeover}");
        }
    }
}

#[test]
fn lines_with_the_same_window_get_the_same_bytes_compressed_once() {
    let message = Prepared::text(sentences());
    let case = server().deflate(terms(12, false));
    let mut first = Vec::new();
    for i in 0..10 {
        let mut connection = case.connection();
        let before = allocation_counter::measure(|| connection.send_prepared(&message).unwrap());
        let out = drain(&mut connection);
        if i == 0 {
            first = out;
            continue;
        }
        assert_eq!(out, first);
        assert!(before.bytes_total < 10_000, "{} bytes: compressed again?", before.bytes_total);
    }
    assert!(decode(Role::Server, &first)[0].compressed);
    assert!(first.len() < sentences().len() / 10);
}

#[test]
fn the_threshold_of_each_line_decides() {
    let message = Prepared::text("x".repeat(100));
    for (threshold, compressed) in [(0, true), (100, true), (101, false)] {
        let mut connection = server().deflate(terms(15, false)).threshold(threshold).connection();
        connection.send_prepared(&message).unwrap();
        let out = decode(Role::Server, &drain(&mut connection));
        assert_eq!(out[0].compressed, compressed, "threshold {threshold}");
    }
}

#[test]
fn every_level_makes_the_same_message() {
    for level in 0..=9 {
        let message = Prepared::text(sentences()).level(level);
        for bits in 9..=15 {
            let mut pair = Pair::new(Some(terms(bits, false)));
            pair.server.send_prepared(&message).unwrap();
            assert!(pair.client_sees() == [Seen::Text(sentences())], "level {level}, {bits} bits");
        }
    }
}

#[test]
fn an_empty_message_can_be_prepared_and_compressed() {
    let mut pair = Pair::new(Some(terms(15, true)));
    pair.server.send_prepared(&Prepared::text("")).unwrap();
    pair.server.send_prepared(&Prepared::binary(Vec::new())).unwrap();
    assert_eq!(pair.client_sees(), [Seen::Text(String::new()), Seen::Binary(Vec::new())]);
}

#[test]
fn a_prepared_message_is_cut_by_the_transport_like_any_other() {
    let message = Prepared::binary((0..70_000u32).map(|i| i as u8).collect::<Vec<u8>>());
    let mut connection = server().connection();
    for _ in 0..3 {
        connection.send_prepared(&message).unwrap();
    }
    let mut out = Vec::new();
    while connection.wants_transmit() {
        let some: Vec<u8> = connection.poll_transmit().flatten().copied().take(4_999).collect();
        connection.handle_transmitted(some.len(), NOW);
        out.extend(some);
    }
    let expected = sent(BINARY, message.payload());
    assert!(decode(Role::Server, &out) == [expected.clone(), expected.clone(), expected]);
}

#[test]
fn what_a_server_prepared_a_client_understands() {
    let message = Prepared::text("hello");
    let mut connection = server().connection();
    connection.send_prepared(&message).unwrap();
    let mut peer = client().connection();
    let seen = feed(&mut peer, &drain(&mut connection), NOW);
    assert_eq!(seen, [Seen::Text("hello".into())]);
}
