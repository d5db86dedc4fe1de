//! Properties: what one side encodes the other decodes, however it is cut on the way; and no bytes
//! whatever make a connection panic.

mod support;

use bytes::Bytes;
use openline_ws_proto::{
    Compress, Connection, DeflateParams, FrameKind, Prepared, Role, State, Timestamp,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Case, NOW, Seen, feed};

/// How one message is sent.
#[derive(Debug, Clone)]
enum Way {
    Send,
    Shared(Compress),
    Prepared,
    /// Cut at these places, each taken modulo what is left.
    Fragments(Vec<usize>),
}

#[derive(Debug, Clone)]
struct Message {
    kind: FrameKind,
    payload: Vec<u8>,
    way: Way,
    ping: Option<Vec<u8>>,
}

fn ways() -> impl Strategy<Value = Way> {
    prop_oneof![
        Just(Way::Send),
        prop_oneof![Just(Compress::Auto), Just(Compress::Always), Just(Compress::Never)]
            .prop_map(Way::Shared),
        Just(Way::Prepared),
        vec(0usize..2_000, 0..5).prop_map(Way::Fragments),
    ]
}

fn payloads() -> impl Strategy<Value = (FrameKind, Vec<u8>)> {
    prop_oneof![
        "\\PC{0,60}".prop_map(|text| (FrameKind::Text, text.into_bytes())),
        vec(any::<u8>(), 0..300).prop_map(|data| (FrameKind::Binary, data)),
        // Long and repetitive, across the sizes at which the head and the queue change.
        (0u8..4, prop_oneof![100usize..300, 16_000usize..17_000, 65_000usize..66_000]).prop_map(
            |(byte, len)| (FrameKind::Binary, (0..len).map(|i| byte * (i % 7) as u8).collect())
        ),
        (1usize..2_000).prop_map(|count| (FrameKind::Text, "wörd ".repeat(count).into_bytes())),
    ]
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let ping = proptest::option::of(vec(any::<u8>(), 0..126));
    let message = (payloads(), ways(), ping).prop_map(|((kind, payload), way, ping)| Message {
        kind,
        payload,
        way,
        ping,
    });
    vec(message, 1..6)
}

fn terms() -> impl Strategy<Value = Option<DeflateParams>> {
    proptest::option::of((any::<bool>(), any::<bool>(), 8u8..=15, 8u8..=15).prop_map(
        |(server, client, server_bits, client_bits)| DeflateParams {
            server_no_context_takeover: server,
            client_no_context_takeover: client,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
        },
    ))
}

fn send(connection: &mut Connection, message: &Message) {
    let Message { kind, payload, way, ping } = message;
    match way {
        Way::Send => connection.send(*kind, payload),
        Way::Shared(compress) => {
            connection.send_shared(*kind, Bytes::from(payload.clone()), *compress)
        }
        Way::Prepared => connection.send_prepared(&support::prepared(*kind, payload)),
        Way::Fragments(cuts) => {
            let mut rest = Bytes::from(payload.clone());
            let mut first = Some(*kind);
            for cut in cuts {
                let piece = rest.split_to(cut % (rest.len() + 1));
                connection.send_fragment(first.take(), piece, false).expect("in order");
                if let Some(ping) = ping {
                    connection.ping(ping).expect("pings go between fragments");
                }
            }
            connection.send_fragment(first, rest, true)
        }
    }
    .expect("the line is open");
    if let Some(ping) = ping {
        connection.ping(ping).expect("the line is open");
    }
}

/// Takes what waits, a bounded number of bytes at a time.
fn written(connection: &mut Connection, step: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while connection.wants_transmit() {
        let some: Vec<u8> = connection.poll_transmit().flatten().copied().take(step).collect();
        assert!(!some.is_empty());
        connection.handle_transmitted(some.len(), NOW);
        out.extend(some);
    }
    out
}

/// Cuts the bytes into pieces of the given sizes, over and over.
fn cut<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut sizes = sizes.iter().cycle();
    while !bytes.is_empty() {
        let size = sizes.next().map_or(bytes.len(), |size| bytes.len().min(*size));
        let (piece, rest) = bytes.split_at(size);
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn encoding_cutting_anywhere_and_decoding_is_the_identity(
        messages in messages(),
        terms in terms(),
        from_server: bool,
        streaming: bool,
        step in prop_oneof![1usize..64, 1_000usize..100_000],
        sizes in vec(prop_oneof![1usize..8, 1usize..2_000], 0..6),
    ) {
        let role = if from_server { Role::Server } else { Role::Client };
        let sender = Case { deflate: terms, ..Case::new(role) }.threshold(64);
        let receiver = Case { deflate: terms, streaming, ..Case::new(role.peer()) };
        let mut connection = sender.connection();
        for message in &messages {
            send(&mut connection, message);
        }
        let wire = written(&mut connection, step);
        let outcome = receiver.pieces(&cut(&wire, &sizes));

        let (mut got, mut begun) = (Vec::new(), None);
        for event in outcome.seen() {
            match event {
                Seen::Text(text) => got.push((FrameKind::Text, text.clone().into_bytes())),
                Seen::Binary(data) => got.push((FrameKind::Binary, data.clone())),
                Seen::Chunks { kind, data, first, last } => {
                    prop_assert_eq!(*first, begun.is_none());
                    let (_, so_far) = begun.get_or_insert((*kind, Vec::new()));
                    so_far.extend_from_slice(data);
                    if *last {
                        got.extend(begun.take());
                    }
                }
                Seen::Ping(payload) => {
                    prop_assert!(messages.iter().any(|m| m.ping.as_ref() == Some(payload)));
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
        let expected: Vec<_> = messages.into_iter().map(|m| (m.kind, m.payload)).collect();
        prop_assert!(got == expected);
    }

    #[test]
    fn garbage_never_panics_and_after_an_error_input_is_ignored(
        garbage in vec(prop_oneof![
            any::<u8>(),
            Just(0x81), Just(0x01), Just(0x80), Just(0x00), Just(0xc1), Just(0x88), Just(0x89),
            0x80u8..0x90,
        ], 0..200),
        deflate: bool,
        client: bool,
        streaming: bool,
        sizes in vec(1usize..50, 0..4),
    ) {
        let role = if client { Role::Client } else { Role::Server };
        let deflate = deflate.then(DeflateParams::default);
        let case = Case { deflate, streaming, ..Case::new(role) };
        let mut connection = case.connection();
        for piece in cut(&garbage, &sizes) {
            let listened = connection.state().listens();
            let seen = feed(&mut connection, piece, NOW);
            prop_assert!(listened || seen.is_empty());
            let error = seen.iter().position(|event| matches!(event, Seen::Error(_)));
            prop_assert_eq!(error.is_some(), listened && connection.state() == State::Failed);
            prop_assert!(error.is_none_or(|at| at == seen.len() - 1));
        }
        support::decode(role, &support::drain(&mut connection));
    }

    #[test]
    fn no_order_of_calls_panics_or_sends_unlawful_frames(
        calls in vec((0u8..12, vec(any::<u8>(), 0..40), 0u64..40_000), 0..60),
        terms in terms(),
        client: bool,
    ) {
        let role = if client { Role::Client } else { Role::Server };
        let mut connection = Case { deflate: terms, ..Case::new(role) }.threshold(8).connection();
        let (mut out, mut now) = (Vec::new(), NOW);
        for (call, data, wait) in calls {
            now = Timestamp(now.0 + wait);
            let opcode = data.first().map_or(1, |byte| [0, 1, 2, 8, 9, 10][usize::from(byte % 6)]);
            let peer = support::frame(opcode, &data).to(role);
            match call {
                0 => drop(connection.send(FrameKind::Binary, &data.repeat(wait as usize / 100))),
                1 => drop(connection.send_prepared(&Prepared::binary(data))),
                2 => drop(connection.send_fragment(Some(FrameKind::Binary), data.into(), false)),
                3 => drop(connection.send_fragment(None, data.into(), wait % 2 == 0)),
                4 => drop(connection.ping(&data)),
                5 => drop(connection.pong(&data)),
                6 if wait % 8 == 0 => {
                    let _ = connection.close(support::reason(1000 + wait as u16 % 16, "x"), now);
                }
                7 => drop(feed(&mut connection, &peer.bytes(), now)),
                8 => drop(feed(&mut connection, &peer.more().bytes(), now)),
                9 if wait % 8 == 0 => {
                    connection.handle_timeout(now);
                }
                _ => {
                    let some: Vec<u8> =
                        connection.poll_transmit().flatten().copied().take(wait as usize / 50).collect();
                    connection.handle_transmitted(some.len(), now);
                    out.extend(some);
                }
            }
        }
        out.extend(support::drain(&mut connection));
        let frames = support::decode(role, &out);
        let close = frames.iter().position(|frame| frame.opcode == support::CLOSE);
        prop_assert!(close.is_none_or(|at| at == frames.len() - 1), "something after the close");
        let mut in_message = false;
        for frame in frames.iter().filter(|frame| frame.opcode < 8) {
            prop_assert_eq!(frame.opcode == support::CONTINUATION, in_message);
            in_message = !frame.fin;
        }
    }
}
