//! Messages received piece by piece (`Connection::set_streaming`).

mod support;

use openline_ws_proto::{Connection, FrameKind, Limits};
use support::{
    BINARY, CLOSE, CONTINUATION, NOW, PING, Seen, TEXT, client, deflated, feed, frame, reason,
    server,
};

fn chunks(kind: FrameKind, data: impl AsRef<[u8]>, first: bool, last: bool) -> Seen {
    Seen::Chunks { kind, data: data.as_ref().to_vec(), first, last }
}

#[test]
fn a_message_comes_as_chunks_and_the_last_says_so() {
    for case in [server().streaming(), client().streaming()] {
        let outcome = case.run(&[
            frame(TEXT, "one ").more().to(case.role),
            frame(CONTINUATION, "two").to(case.role),
            frame(BINARY, "whole").to(case.role),
            frame(BINARY, "").to(case.role),
        ]);
        let expected = [
            chunks(FrameKind::Text, "one two", true, true),
            chunks(FrameKind::Binary, "whole", true, true),
            chunks(FrameKind::Binary, "", true, true),
        ];
        assert_eq!(outcome.seen(), expected);
    }
}

#[test]
fn what_has_come_is_handed_over_at_once() {
    let mut connection = server().streaming().connection();
    let input = frame(BINARY, "abcdef").bytes();
    assert_eq!(
        feed(&mut connection, &input[..8], NOW),
        [chunks(FrameKind::Binary, "ab", true, false)]
    );
    assert_eq!(
        feed(&mut connection, &input[8..11], NOW),
        [chunks(FrameKind::Binary, "cde", false, false)]
    );
    assert_eq!(
        feed(&mut connection, &input[11..], NOW),
        [chunks(FrameKind::Binary, "f", false, true)]
    );
}

#[test]
fn control_frames_come_between_chunks() {
    let outcome = server().streaming().run(&[
        frame(TEXT, "a").more(),
        frame(PING, "p"),
        frame(CONTINUATION, "b"),
    ]);
    let expected = [
        chunks(FrameKind::Text, "a", true, false),
        Seen::Ping(b"p".to_vec()),
        chunks(FrameKind::Text, "b", false, true),
    ];
    assert_eq!(outcome.seen(), expected);
}

#[test]
fn empty_fragments_are_no_chunks_but_an_empty_end_is() {
    let outcome = server().streaming().run(&[
        frame(TEXT, "").more(),
        frame(PING, "p"),
        frame(CONTINUATION, "").more(),
        frame(CONTINUATION, ""),
    ]);
    let expected = [Seen::Ping(b"p".to_vec()), chunks(FrameKind::Text, "", true, true)];
    assert_eq!(outcome.seen(), expected);
}

#[test]
fn rfc6455_8_1_a_streamed_text_is_checked_however_it_comes() {
    let sentence = "invalid UTF-8 at byte 2".to_owned();
    // Whole in one frame: it was handed over unchecked.
    let whole = server().streaming().pieces(&[&frame(TEXT, b"ab\xff").bytes()]);
    assert_eq!(whole.refused(), (1007, sentence.clone()));
    for frames in [
        vec![frame(TEXT, b"ab\xe2\x82")],
        vec![frame(TEXT, b"ab\xe2").more(), frame(CONTINUATION, b"\x28")],
        vec![frame(TEXT, b"ab").more(), frame(CONTINUATION, b"\xff")],
    ] {
        let input = support::bytes(&frames);
        for pieces in [vec![&input[..]], input.chunks(1).collect()] {
            let outcome = server().streaming().pieces(&pieces);
            assert_eq!(outcome.error().to_string(), sentence);
        }
    }
}

#[test]
fn a_chunk_of_text_may_end_inside_a_character() {
    let outcome = server().streaming().run(&[
        frame(TEXT, b"\xe2").more(),
        frame(CONTINUATION, b"\x82").more(),
        frame(CONTINUATION, b"\xac"),
    ]);
    assert_eq!(outcome.seen(), [chunks(FrameKind::Text, "€", true, true)]);
}

#[test]
fn a_message_larger_than_every_limit_can_be_streamed() {
    let limits = Limits { frame_bytes_max: 1_000, message_bytes_max: 1_000, fragments_max: 4 };
    let mut connection = server().limits(limits).streaming().connection();
    let (mut received, mut chunk) = (0, frame(BINARY, vec![7; 5_000]).more().bytes());
    for i in 0..1_000 {
        let seen = feed(&mut connection, &chunk, NOW);
        let [Seen::Chunks { data, first, last: false, .. }] = &seen[..] else { panic!("{seen:?}") };
        assert_eq!(*first, i == 0);
        received += data.len();
        chunk = frame(CONTINUATION, vec![7; 5_000]).more().bytes();
    }
    assert_eq!(received, 5_000_000);
    let end = feed(&mut connection, &frame(CONTINUATION, "").bytes(), NOW);
    assert_eq!(end, [chunks(FrameKind::Binary, "", false, true)]);
}

#[test]
fn streaming_a_large_message_holds_none_of_it() {
    let mut connection = server().streaming().connection();
    let mut input = frame(BINARY, vec![7; 1 << 20]).length64(1 << 30).bytes();
    let info = allocation_counter::measure(|| {
        for _ in 0..100 {
            assert!(connection.handle_input(&mut input, NOW).unwrap().event.is_some());
        }
    });
    assert!(info.bytes_max < 4_096, "{} bytes at the most", info.bytes_max);
}

#[test]
fn a_compressed_message_larger_than_the_limit_can_be_streamed() {
    let text: String = (0..100_000).map(|i| format!("{i} ")).collect();
    let wire = deflated(text.as_bytes());
    let case = server().message_bytes_max(100_000).deflate(Default::default()).streaming();
    let mut pieces = wire.chunks(1_000);
    let mut frames = vec![frame(TEXT, pieces.next().unwrap()).rsv(4).more()];
    frames.extend(pieces.map(|piece| frame(CONTINUATION, piece).more()));
    frames.push(frame(CONTINUATION, ""));
    let input: Vec<Vec<u8>> = frames.iter().map(support::Frame::bytes).collect();
    let input: Vec<&[u8]> = input.iter().map(Vec::as_slice).collect();
    let outcome = case.pieces(&input);
    assert!(outcome.seen() == [chunks(FrameKind::Text, text, true, true)]);
}

/// Switches to streaming after `cut` bytes of the input and takes the rest.
fn switched_at(connection: &mut Connection, input: &[u8], cut: usize) -> Vec<Seen> {
    let (before, after) = input.split_at(cut);
    let mut seen = feed(connection, before, NOW);
    connection.set_streaming(true);
    // An input of nothing brings what was put together so far.
    let progress = connection.handle_input(&mut [], NOW).expect("nothing bad came");
    assert_eq!(progress.consumed, 0);
    seen.extend(progress.event.map(Seen::from));
    seen.extend(feed(connection, after, NOW));
    seen
}

#[test]
fn streaming_can_be_switched_on_in_the_middle_of_a_message() {
    let text = "κόσμε, in pieces";
    let bytes = text.as_bytes();
    let frames = |deflate: bool| match deflate {
        false => {
            vec![frame(TEXT, &bytes[..3]).more(), frame(PING, ""), frame(CONTINUATION, &bytes[3..])]
        }
        true => {
            let wire = deflated(bytes);
            vec![
                frame(TEXT, &wire[..5]).rsv(4).more(),
                frame(PING, ""),
                frame(CONTINUATION, &wire[5..]),
            ]
        }
    };
    for deflate in [false, true] {
        let input = support::bytes(&frames(deflate));
        for cut in 0..input.len() {
            let mut connection = server().deflate(Default::default()).connection();
            let seen = switched_at(&mut connection, &input, cut);
            let (mut data, mut firsts, mut lasts, mut pings) = (Vec::new(), 0, 0, 0);
            for event in seen {
                match event {
                    Seen::Chunks { kind: FrameKind::Text, data: more, first, last } => {
                        assert_eq!(first, firsts == 0, "cut at {cut}");
                        assert_eq!(lasts, 0);
                        firsts += usize::from(first);
                        lasts += usize::from(last);
                        data.extend(more);
                    }
                    Seen::Ping(_) => pings += 1,
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!((firsts, lasts, pings), (1, 1, 1), "cut at {cut}");
            assert_eq!(data, bytes, "cut at {cut}");
        }
    }
}

#[test]
fn after_a_streamed_message_the_next_can_come_whole() {
    let mut connection = server().streaming().connection();
    feed(&mut connection, &frame(TEXT, "a").more().bytes(), NOW);
    assert!(connection.in_streamed_message());
    feed(&mut connection, &frame(CONTINUATION, "b").bytes(), NOW);
    assert!(!connection.in_streamed_message());
    connection.set_streaming(false);
    let seen = feed(&mut connection, &frame(TEXT, "whole").bytes(), NOW);
    assert_eq!(seen, [Seen::Text("whole".into())]);
}

#[test]
fn a_streamed_message_may_be_cut_short_by_a_close_frame() {
    let outcome = server().streaming().run(&[frame(TEXT, "half").more(), frame(CLOSE, [3, 0xe9])]);
    let expected = [chunks(FrameKind::Text, "half", true, false), Seen::Close(reason(1001, ""))];
    assert_eq!(outcome.seen(), expected);
}

#[test]
fn what_is_left_to_do_is_recognised_in_the_middle_of_a_frame_too() {
    // After the chunk of what had been put together the rest begins inside a frame, and its payload
    // was read as a head.
    for payload in [vec![0x00; 20], vec![b'x'; 20]] {
        let input = frame(BINARY, &payload).unmasked().bytes();
        let mut connection = client().connection();
        feed(&mut connection, &input[..10], NOW);
        assert!(!connection.has_whole_frame(&[]), "all there is was taken in");
        assert!(connection.has_whole_frame(&[0]), "a piece of the frame can be taken in");
        connection.set_streaming(true);
        assert!(connection.has_whole_frame(&[]), "a chunk can be handed over");
        let mut rest = input[10..].to_vec();
        let progress = connection.handle_input(&mut rest, NOW).expect("lawful");
        assert_eq!(progress.consumed, 0);
        for cut in 1..rest.len() {
            assert!(connection.has_whole_frame(&rest[..cut]));
        }
        assert!(!connection.has_whole_frame(&[]));
    }
}

#[test]
fn what_is_left_to_do_is_recognised_in_the_middle_of_a_head_too() {
    let begin = frame(BINARY, "first").more().unmasked().bytes();
    let next = frame(CONTINUATION, [1; 300]).unmasked().bytes();
    for cut in 1..4 {
        let mut connection = client().connection();
        feed(&mut connection, &[&begin[..], &next[..cut]].concat(), NOW);
        connection.set_streaming(true);
        assert_eq!(connection.handle_input(&mut next.clone(), NOW).expect("lawful").consumed, 0);
        for end in cut..=next.len() {
            let whole = connection.has_whole_frame(&next[cut..end]);
            assert_eq!(whole, end == next.len(), "{cut}, {end}");
        }
    }
}

#[test]
fn on_a_line_that_listens_no_more_nothing_is_left_to_do() {
    let mut connection = server().connection();
    feed(&mut connection, &frame(CLOSE, "").bytes(), NOW);
    assert!(!connection.has_whole_frame(&frame(TEXT, "late").bytes()));
}
