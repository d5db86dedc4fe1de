//! permessage-deflate (RFC 7692) through connections and handshakes.

mod support;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use openline_ws_proto::handshake::client::{Handshake, ResponseError};
use openline_ws_proto::handshake::server::Offer;
use openline_ws_proto::{Compress, DeflateOptions, DeflateParams, FrameKind, Prepared, Role};
use support::{
    BINARY, CLOSE, CONTINUATION, Case, NOW, PING, PONG, Pair, Seen, TEXT, client, decode, deflated,
    drain, frame, server,
};

fn with_deflate(case: Case) -> Case {
    case.deflate(DeflateParams::default())
}

#[test]
fn rfc7692_6_1_rsv1_on_a_continuation_is_refused() {
    let wire = deflated(b"hello");
    for first in [frame(TEXT, &wire).rsv(4).more(), frame(TEXT, "plain").more()] {
        let outcome = with_deflate(server()).run(&[first, frame(CONTINUATION, &wire).rsv(4)]);
        assert_eq!(outcome.refused(), (1002, "RSV1 set on a continuation frame".into()));
    }
}

#[test]
fn rfc7692_6_1_rsv1_on_a_control_frame_is_refused() {
    for opcode in [CLOSE, PING, PONG] {
        let outcome = with_deflate(server()).run(&[frame(opcode, "").rsv(4)]);
        assert_eq!(outcome.refused(), (1002, "RSV1 set on a control frame".into()));
    }
}

#[test]
fn rsv1_without_deflate_is_refused() {
    let outcome = server().run(&[frame(TEXT, deflated(b"hello")).rsv(4)]);
    assert_eq!(outcome.refused(), (1002, "RSV1 set but no extension negotiated".into()));
}

#[test]
fn rsv2_and_rsv3_mean_nothing_with_deflate_either() {
    for (bits, named) in [(2, 2), (1, 3), (6, 2), (5, 3)] {
        let outcome = with_deflate(server()).run(&[frame(TEXT, "").rsv(bits)]);
        let sentence = format!("RSV{named} set but no extension negotiated");
        assert_eq!(outcome.refused(), (1002, sentence));
    }
}

#[test]
fn rfc7692_6_compressed_and_plain_messages_mix() {
    let text = "the same words, the same words, the same words";
    for case in [server(), client()] {
        let case = with_deflate(case);
        let outcome = case.run(&[
            frame(TEXT, deflated(text.as_bytes())).rsv(4).to(case.role),
            frame(TEXT, text).to(case.role),
            frame(TEXT, deflated(text.as_bytes())).rsv(4).to(case.role),
        ]);
        assert_eq!(outcome.seen(), vec![Seen::Text(text.into()); 3]);
    }
}

#[test]
fn rfc7692_6_2_a_compressed_message_may_be_cut_into_fragments_anywhere() {
    let text = "κόσμε ".repeat(20);
    let wire = deflated(text.as_bytes());
    for cut in 0..=wire.len() {
        let outcome = with_deflate(server()).run(&[
            frame(TEXT, &wire[..cut]).rsv(4).more(),
            frame(PING, "between"),
            frame(CONTINUATION, &wire[cut..]).more(),
            frame(CONTINUATION, ""),
        ]);
        let expected = [Seen::Ping(b"between".to_vec()), Seen::Text(text.clone())];
        assert_eq!(outcome.seen(), expected, "cut at {cut}");
    }
}

#[test]
fn rfc7692_7_2_3_the_examples_are_understood() {
    let two_blocks: &[u8] = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
    let examples: [&[u8]; 5] = [
        b"\xf2\x48\xcd\xc9\xc9\x07\x00",
        b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        two_blocks,
        b"\xf2\x48\xcd\xc9\xc9\x07\x00",
    ];
    for example in examples {
        let outcome = with_deflate(server()).run(&[frame(TEXT, example).rsv(4)]);
        assert_eq!(outcome.seen(), [Seen::Text("Hello".into())], "{example:x?}");
    }
    // §7.2.3.2: with the window kept, the second message refers to the first.
    let outcome = with_deflate(server()).run(&[
        frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00").rsv(4),
        frame(TEXT, b"\xf2\x00\x11\x00\x00").rsv(4),
    ]);
    assert_eq!(outcome.seen(), vec![Seen::Text("Hello".into()); 2]);
    // §7.2.3.6: an empty message.
    let outcome = with_deflate(server()).run(&[frame(TEXT, b"\x00").rsv(4)]);
    assert_eq!(outcome.seen(), [Seen::Text(String::new())]);
}

#[test]
fn without_takeover_a_message_cannot_refer_to_the_one_before() {
    let params = DeflateParams { client_no_context_takeover: true, ..DeflateParams::default() };
    let outcome = server().deflate(params).run(&[
        frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00").rsv(4),
        frame(TEXT, b"\xf2\x00\x11\x00\x00").rsv(4),
    ]);
    assert_eq!(outcome.error().to_string(), "compressed message does not inflate");
}

#[test]
fn what_does_not_inflate_is_refused() {
    for bad in [&b"\xff\xff\xff\xff"[..], b"\x06\x00", b"\x00\x05\x00\x00\x00hello\x00"] {
        let outcome = with_deflate(server()).run(&[frame(BINARY, bad).rsv(4)]);
        assert_eq!(outcome.refused(), (1007, "compressed message does not inflate".into()));
    }
}

#[test]
fn rfc7692_7_2_2_a_message_cut_inside_a_block_is_refused() {
    // "Hello" without its last two bytes came out as "Helh": the tail was read as codes.
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    for no_takeover in [false, true] {
        let params =
            DeflateParams { client_no_context_takeover: no_takeover, ..DeflateParams::default() };
        for cut in 0..hello.len() {
            let outcome = server().deflate(params).run(&[frame(TEXT, &hello[..cut]).rsv(4)]);
            let sentence = "compressed message does not inflate".to_owned();
            assert_eq!(outcome.refused(), (1007, sentence), "cut at {cut}");
        }
    }
}

#[test]
fn rfc7692_7_2_3_4_the_window_outlives_a_block_that_says_it_is_the_last() {
    // Both with the byte that should follow such a block and without.
    for first in [&b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"[..], b"\xf3\x48\xcd\xc9\xc9\x07\x00"] {
        let outcome = with_deflate(server()).run(&[
            frame(TEXT, first).rsv(4),
            frame(TEXT, "between"),
            frame(TEXT, b"\xf2\x00\x11\x00\x00").rsv(4),
        ]);
        let hello = Seen::Text("Hello".into());
        assert_eq!(outcome.seen(), [hello.clone(), Seen::Text("between".into()), hello]);
    }
}

#[test]
fn blocks_that_say_they_are_the_last_are_cheap_to_read() {
    // Each pair of bytes is an empty last block: the codec begins anew half a million times.
    let wire = b"\x03\x00".repeat(500_000);
    let mut connection = with_deflate(server()).connection();
    let mut input = frame(BINARY, &wire).rsv(4).bytes();
    let begun = std::time::Instant::now();
    let event = connection.handle_input(&mut input, NOW).map(|progress| progress.consumed);
    assert!(event.is_ok());
    assert!(begun.elapsed().as_secs() < 2, "it took {:?}", begun.elapsed());
}

#[test]
fn blocks_that_say_they_are_the_last_are_cheap_to_read_behind_a_full_window() {
    let mut wire = deflated(&noise(40_000));
    wire.extend([0x00, 0x00, 0xff, 0xff]);
    wire.extend(b"\x03\x00".repeat(400_000));
    let mut connection = with_deflate(server()).connection();
    let mut input = frame(BINARY, &wire).rsv(4).bytes();
    let begun = std::time::Instant::now();
    assert!(connection.handle_input(&mut input, NOW).is_ok());
    assert!(begun.elapsed().as_secs() < 2, "it took {:?}", begun.elapsed());
}

/// Bytes that do not compress.
fn noise(len: u32) -> Vec<u8> {
    (0..len)
        .map(|i| (i.wrapping_mul(i ^ 0x9e37_79b9).wrapping_mul(2_654_435_761) >> 23) as u8)
        .collect()
}

#[test]
fn a_message_that_compression_does_not_make_smaller_goes_as_it_is() {
    let message = noise(5_000);
    for role in [Role::Server, Role::Client] {
        for takeover in [false, true] {
            let params = DeflateParams {
                server_no_context_takeover: !takeover,
                client_no_context_takeover: !takeover,
                ..DeflateParams::default()
            };
            let mut connection = Case::new(role).deflate(params).connection();
            connection.send(FrameKind::Binary, &message).unwrap();
            let shared = Bytes::from(message.clone());
            connection.send_shared(FrameKind::Binary, shared, Compress::Always).unwrap();
            let mut compressed = vec![takeover; 2];
            if role == Role::Server {
                // It refers to nothing and nothing refers to it.
                connection.send_prepared(&Prepared::binary(message.clone())).unwrap();
                compressed.push(false);
            }
            let frames = decode(role, &drain(&mut connection));
            let seen: Vec<bool> = frames.iter().map(|frame| frame.compressed).collect();
            assert_eq!(seen, compressed, "{role:?}, takeover {takeover}");
        }
    }
}

#[test]
fn messages_that_compress_and_such_that_do_not_can_take_turns() {
    for takeover in [false, true] {
        let mut pair = Pair::new(Some(DeflateParams {
            server_no_context_takeover: !takeover,
            client_no_context_takeover: !takeover,
            ..DeflateParams::default()
        }));
        let messages = [noise(5_000), vec![7; 5_000], noise(50_000), noise(5_000), vec![7; 5_000]];
        for message in &messages {
            pair.server.send(FrameKind::Binary, message).unwrap();
            pair.server.send_prepared(&Prepared::binary(message.clone())).unwrap();
            pair.client.send(FrameKind::Binary, message).unwrap();
        }
        let once: Vec<Seen> = messages.iter().cloned().map(Seen::Binary).collect();
        let twice: Vec<Seen> = once.iter().flat_map(|seen| [seen.clone(), seen.clone()]).collect();
        assert!(pair.client_sees() == twice);
        assert!(pair.server_sees() == once);
    }
}

#[test]
fn a_large_compressed_message_is_not_copied_into_the_queue() {
    // Half of it compresses, so what is left is large still.
    let message = [noise(30_000), vec![7; 30_000]].concat();
    for role in [Role::Server, Role::Client] {
        let mut connection = with_deflate(Case::new(role)).connection();
        connection.send(FrameKind::Binary, &message).unwrap();
        assert_eq!(connection.poll_transmit().count(), 2, "the head, and what is shared");
        let frames = decode(role, &drain(&mut connection));
        assert!(
            frames[0].compressed
                && inflates_within(15, &[frames[0].payload.clone()]) == [message.clone()]
        );
    }
}

#[test]
fn options_out_of_range_are_brought_into_it() {
    // Level 10 and a window of 16 bits were a panic at the first compression.
    let text = "words and words and more words ".repeat(100);
    for level in [9, 10, u32::MAX] {
        for bits in [0, 7, 15, 16, u8::MAX] {
            let params = DeflateParams {
                server_max_window_bits: bits,
                client_max_window_bits: bits,
                ..DeflateParams::default()
            };
            let mut case = server().deflate(params);
            case.config.deflate.level = level;
            let (mut connection, mut peer) =
                (case.connection(), client().deflate(params).connection());
            connection.send(FrameKind::Text, text.as_bytes()).unwrap();
            connection.send_prepared(&Prepared::text(text.clone()).level(level)).unwrap();
            let seen = support::feed(&mut peer, &drain(&mut connection), NOW);
            assert_eq!(seen, [Seen::Text(text.clone()), Seen::Text(text.clone())]);
        }
    }
}

/// Sends one message with each choice; returns which were compressed.
fn compressed(case: &Case, len: usize) -> [bool; 4] {
    let mut connection = case.connection();
    let payload = vec![b'x'; len];
    connection.send(FrameKind::Text, &payload).expect("the line is open");
    for compress in [Compress::Auto, Compress::Always, Compress::Never] {
        connection
            .send_shared(FrameKind::Text, payload.clone().into(), compress)
            .expect("the line is open");
    }
    let frames = decode(case.role, &drain(&mut connection));
    assert_eq!(frames.len(), 4);
    [0, 1, 2, 3].map(|i| frames[i].compressed)
}

#[test]
fn the_threshold_and_the_choice_decide_what_is_compressed() {
    for case in [server(), client()] {
        let deflate = with_deflate(case.clone());
        assert_eq!(compressed(&deflate, 1023), [false, false, true, false]);
        assert_eq!(compressed(&deflate, 1024), [true, true, true, false]);
        assert_eq!(compressed(&deflate.clone().threshold(0), 0), [true, true, true, false]);
        assert_eq!(compressed(&case, 100_000), [false; 4], "not agreed on");
    }
}

#[test]
fn a_window_of_8_bits_is_met_by_sending_messages_as_they_are() {
    let params = DeflateParams { server_max_window_bits: 8, ..DeflateParams::default() };
    assert_eq!(compressed(&server().deflate(params), 5000), [false; 4]);
    assert_eq!(compressed(&client().deflate(params), 5000), [true, true, true, false]);
}

/// Inflates with a window of `bits` and no more: what refers farther back fails.
fn inflates_within(bits: u8, wires: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut codec = flate2::Decompress::new_with_window_bits(false, bits);
    let mut messages = Vec::new();
    for wire in wires {
        let wire = [&wire[..], &[0, 0, 0xff, 0xff]].concat();
        let (mut message, start) = (Vec::new(), codec.total_in());
        // One byte of room at a time, so that all it refers to has to be in the window.
        loop {
            let mut byte = [0];
            let rest = &wire[(codec.total_in() - start) as usize..];
            let before = codec.total_out();
            codec
                .decompress(rest, &mut byte, flate2::FlushDecompress::Sync)
                .expect("within the window");
            if codec.total_out() == before {
                break;
            }
            message.push(byte[0]);
        }
        messages.push(message);
    }
    messages
}

#[test]
fn rfc7692_7_1_2_our_compressor_keeps_to_the_window_agreed_on() {
    // Repeats at a distance of 300 bytes, of 2,000 and of 20,000: some within each window, some not.
    let noise: Vec<u8> =
        (0..20_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let message = [&noise[..300], &noise[..300], &noise[..2_000], &noise[..2_000], &noise, &noise];
    let message = message.concat();
    for bits in 9..=15 {
        for level in [1, 4, 6, 9] {
            for role in [Role::Server, Role::Client] {
                let params = DeflateParams {
                    server_max_window_bits: bits,
                    client_max_window_bits: bits,
                    ..DeflateParams::default()
                };
                let mut case = Case::new(role).deflate(params).threshold(0);
                case.config.deflate.level = level;
                let mut connection = case.connection();
                for _ in 0..2 {
                    connection.send(FrameKind::Binary, &message).unwrap();
                }
                let frames = decode(role, &drain(&mut connection));
                let wires: Vec<Vec<u8>> = frames.into_iter().map(|frame| frame.payload).collect();
                let inflated = inflates_within(bits, &wires);
                assert!(inflated == [message.clone(), message.clone()], "{bits} bits, {level}");
            }
        }
    }
}

#[test]
fn the_window_is_kept_only_where_that_was_agreed_on() {
    let text = b"a sentence that is worth remembering, word by word".repeat(3);
    for (no_takeover, smaller) in [(false, true), (true, false)] {
        for role in [Role::Server, Role::Client] {
            let params = DeflateParams {
                server_no_context_takeover: no_takeover,
                client_no_context_takeover: no_takeover,
                ..DeflateParams::default()
            };
            let mut connection = Case::new(role).deflate(params).threshold(0).connection();
            for _ in 0..2 {
                connection.send(FrameKind::Text, &text).unwrap();
            }
            let frames = decode(role, &drain(&mut connection));
            assert_eq!(frames[1].payload.len() < frames[0].payload.len(), smaller);
        }
    }
}

#[test]
fn messages_survive_every_combination_of_takeover_and_window() {
    for bits in 8..=15 {
        for takeover in 0..4u8 {
            let mut pair = Pair::new(Some(DeflateParams {
                server_no_context_takeover: takeover & 1 != 0,
                client_no_context_takeover: takeover & 2 != 0,
                server_max_window_bits: bits,
                client_max_window_bits: 23 - bits,
            }));
            for i in 0..5 {
                let text = format!("message {i} ").repeat(i * 100);
                pair.server.send(FrameKind::Text, text.as_bytes()).unwrap();
                pair.client.send(FrameKind::Text, text.as_bytes()).unwrap();
                assert_eq!(pair.client_sees(), [Seen::Text(text.clone())]);
                assert_eq!(pair.server_sees(), [Seen::Text(text)]);
            }
        }
    }
}

#[test]
fn fragments_go_uncompressed_between_compressed_messages() {
    let mut pair = Pair::new(Some(DeflateParams::default()));
    pair.server.send(FrameKind::Text, b"compressed, compressed").unwrap();
    pair.server.send_fragment(Some(FrameKind::Text), Bytes::from_static(b"in "), false).unwrap();
    pair.server.send_fragment(None, Bytes::from_static(b"pieces"), true).unwrap();
    pair.server.send(FrameKind::Text, b"compressed, compressed").unwrap();
    let compressed = Seen::Text("compressed, compressed".into());
    assert_eq!(
        pair.client_sees(),
        [compressed.clone(), Seen::Text("in pieces".into()), compressed]
    );
}

/// A request that offers `extensions`.
fn offer(extensions: &str) -> Offer {
    let request = http::Request::builder()
        .uri("/")
        .header("host", "a")
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-extensions", extensions)
        .body(())
        .expect("a request");
    Offer::from_http1(&request).expect("a lawful one")
}

#[test]
fn rfc7692_7_1_2_a_server_declines_window_bits_out_of_range() {
    for bits in ["7", "16", "0", "-1", "1e1", "015", "256", "99999999999999999999", "\"\""] {
        for side in ["server", "client"] {
            let value = format!("permessage-deflate; {side}_max_window_bits={bits}");
            let (response, agreed) = offer(&value).accept(None, &DeflateOptions::default());
            assert_eq!(response.status(), 101, "the connection opens without compression");
            assert_eq!(response.headers().get("sec-websocket-extensions"), None, "{value}");
            assert_eq!(agreed.deflate, None);
        }
    }
}

#[test]
fn rfc7692_7_1_2_a_client_fails_on_window_bits_out_of_range() {
    for bits in ["7", "16", "0", "-1", "1e1", "015", "256", "99999999999999999999", "\"\""] {
        for side in ["server", "client"] {
            let uri = "ws://a/".parse().unwrap();
            let options = DeflateOptions::client();
            let (request, handshake) =
                Handshake::new(&uri, [1; 16], &[], &options, &HeaderMap::new()).unwrap();
            let (mut response, _) = Offer::from_http1(&request).unwrap().accept(None, &options);
            let value = format!("permessage-deflate; {side}_max_window_bits={bits}");
            let value = HeaderValue::from_str(&value).unwrap();
            response.headers_mut().insert("sec-websocket-extensions", value);
            assert!(matches!(handshake.check(&response), Err(ResponseError::Extension(_))));
        }
    }
}

#[test]
fn what_the_handshake_agreed_on_is_what_the_connections_speak() {
    for (server_options, client_options) in [
        (DeflateOptions::default(), DeflateOptions::client()),
        (DeflateOptions::client(), DeflateOptions::client()),
        (DeflateOptions::client(), DeflateOptions::default()),
        (
            DeflateOptions { window_bits_max: 9, ..DeflateOptions::client() },
            DeflateOptions::client(),
        ),
        (
            DeflateOptions::client(),
            DeflateOptions { window_bits_max: 9, ..DeflateOptions::client() },
        ),
    ] {
        let uri = "ws://a/".parse().unwrap();
        let (request, handshake) =
            Handshake::new(&uri, [1; 16], &[], &client_options, &HeaderMap::new()).unwrap();
        let (response, on_server) =
            Offer::from_http1(&request).unwrap().accept(None, &server_options);
        let on_client = handshake.check(&response).unwrap();
        assert_eq!(on_server, on_client);
        let mut pair = Pair::new(on_server.deflate);
        for _ in 0..3 {
            let text = "words and words and more words ".repeat(100);
            pair.client.send(FrameKind::Text, text.as_bytes()).unwrap();
            pair.server.send(FrameKind::Text, text.as_bytes()).unwrap();
            assert_eq!(pair.server_sees(), [Seen::Text(text.clone())]);
            assert_eq!(pair.client_sees(), [Seen::Text(text)]);
        }
    }
}
