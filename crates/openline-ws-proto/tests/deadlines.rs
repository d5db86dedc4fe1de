//! Deadlines: keepalive, unfinished messages, writing, closing. Time is a number here.

mod support;

use std::time::Duration;

use openline_ws_proto::{Connection, Expired, FrameKind, Role, State, Timeouts, Timestamp};
use support::{
    CLOSE, CONTINUATION, Case, PING, PONG, Seen, Sent, TEXT, client, decode, drain, feed, frame,
    reason, sent, sent_close, server,
};

/// Seconds after the connection was made.
fn at(seconds: u64) -> Timestamp {
    Timestamp(support::NOW.0 + seconds * 1_000)
}

fn no_timeouts() -> Timeouts {
    Timeouts { ping_interval: None, pong: None, message: None, write: None, close: None }
}

fn with(timeouts: Timeouts) -> Case {
    let mut case = server();
    case.config.timeouts = timeouts;
    case
}

fn seconds(count: u64) -> Option<Duration> {
    Some(Duration::from_secs(count))
}

/// Takes what waits, as a transport that takes everything at `now`.
fn sent_at(connection: &mut Connection, role: Role, now: Timestamp) -> Vec<Sent> {
    let out: Vec<u8> = connection.poll_transmit().flatten().copied().collect();
    connection.handle_transmitted(out.len(), now);
    decode(role, &out)
}

#[test]
fn after_25_seconds_of_quiet_a_ping_is_sent() {
    for case in [server(), client()] {
        let mut connection = case.connection();
        assert_eq!(connection.poll_timeout(), Some(at(25)));
        assert_eq!(connection.handle_timeout(Timestamp(at(25).0 - 1)), None);
        assert!(!connection.wants_transmit());
        assert_eq!(connection.handle_timeout(at(25)), None);
        assert_eq!(sent_at(&mut connection, case.role, at(25)), [sent(PING, "")]);
        assert_eq!(connection.poll_timeout(), Some(at(35)));
    }
}

#[test]
fn ten_seconds_after_an_unanswered_ping_the_line_ends() {
    let mut connection = server().connection();
    connection.handle_timeout(at(25));
    sent_at(&mut connection, Role::Server, at(25));
    assert_eq!(connection.handle_timeout(Timestamp(at(35).0 - 1)), None);
    assert_eq!(connection.handle_timeout(at(35)), Some(Expired::Pong));
    assert_eq!(connection.state(), State::Ended);
    assert_eq!(connection.poll_timeout(), None);
    assert_eq!(connection.closed().unwrap().reason, reason(1006, ""));
    assert!(!connection.wants_transmit());
}

#[test]
fn any_byte_counts_as_life() {
    let text = frame(TEXT, "hello").bytes();
    for (input, what) in [
        (frame(PONG, "").bytes(), "a pong"),
        (text.clone(), "a message"),
        (text[..1].to_vec(), "the first byte of a head"),
        (text[..8].to_vec(), "a piece of a message"),
    ] {
        let mut connection = with(Timeouts { message: None, ..Timeouts::default() }).connection();
        connection.handle_timeout(at(25));
        feed(&mut connection, &input, at(34));
        assert_eq!(connection.handle_timeout(at(35)), None, "{what}");
        assert!(drain(&mut connection).len() == 2, "one ping was sent");
        assert_eq!(connection.poll_timeout(), Some(at(34 + 25)), "{what}");
    }
}

#[test]
fn an_input_of_nothing_does_not_count_as_life() {
    // A caller gives one to be handed the first chunk of a message that is streamed from now on.
    let mut connection = server().connection();
    connection.handle_timeout(at(25));
    connection.handle_input(&mut [], at(30)).unwrap();
    assert_eq!(connection.handle_timeout(at(35)), Some(Expired::Pong));
}

#[test]
fn what_we_send_does_not_count_as_life() {
    let mut connection = server().connection();
    connection.send(FrameKind::Text, b"anybody there?").unwrap();
    sent_at(&mut connection, Role::Server, at(20));
    assert_eq!(connection.poll_timeout(), Some(at(25)));
}

#[test]
fn without_a_pong_deadline_pings_go_on() {
    let mut connection = with(Timeouts { pong: None, ..Timeouts::default() }).connection();
    for round in 1..5 {
        assert_eq!(connection.poll_timeout(), Some(at(25 * round)));
        assert_eq!(connection.handle_timeout(at(25 * round)), None);
        let out = sent_at(&mut connection, Role::Server, at(25 * round));
        assert_eq!(out, [sent(PING, "")]);
    }
}

#[test]
fn without_deadlines_nothing_is_due() {
    let mut connection = with(no_timeouts()).connection();
    feed(&mut connection, &frame(TEXT, "x").more().bytes(), at(1));
    connection.send(FrameKind::Text, b"x").unwrap();
    connection.handle_transmitted(0, at(1));
    connection.close(reason(1000, ""), at(1)).unwrap();
    assert_eq!(connection.poll_timeout(), None);
    assert_eq!(connection.handle_timeout(Timestamp(u64::MAX - 1)), None);
}

#[test]
fn a_message_that_is_not_finished_in_time_is_told_with_1008() {
    let timeouts = Timeouts { ping_interval: None, ..Timeouts::default() };
    for input in [
        frame(TEXT, "x").more().bytes(),
        frame(TEXT, "x").length16(1000).bytes(),
        frame(TEXT, "").bytes()[..1].to_vec(),
    ] {
        let mut connection = with(timeouts).connection();
        feed(&mut connection, &input, at(1));
        assert_eq!(connection.poll_timeout(), Some(at(61)));
        assert_eq!(connection.handle_timeout(Timestamp(at(61).0 - 1)), None);
        assert_eq!(connection.handle_timeout(at(61)), Some(Expired::Message));
        let told = sent_close(1008, "a message was not finished in time");
        assert_eq!(sent_at(&mut connection, Role::Server, at(61)), [told]);
        assert_eq!(connection.state(), State::Ended);
    }
}

#[test]
fn the_deadline_of_a_message_runs_from_its_first_byte_and_no_later_one() {
    let timeouts = Timeouts { message: seconds(10), ..no_timeouts() };
    let mut connection = with(timeouts).connection();
    feed(&mut connection, &frame(TEXT, "a").more().bytes(), at(0));
    for second in 1..10 {
        feed(&mut connection, &frame(CONTINUATION, "b").more().bytes(), at(second));
        feed(&mut connection, &frame(PING, "").bytes(), at(second));
        assert_eq!(connection.poll_timeout(), Some(at(10)));
    }
    drain(&mut connection);
    assert_eq!(connection.handle_timeout(at(10)), Some(Expired::Message));
}

#[test]
fn each_message_has_a_deadline_of_its_own() {
    let timeouts = Timeouts { message: seconds(10), ..no_timeouts() };
    let mut connection = with(timeouts).connection();
    feed(&mut connection, &frame(TEXT, "a").more().bytes(), at(0));
    // The end of one message and the beginning of the next come in one piece.
    let input = support::bytes(&[frame(CONTINUATION, "b"), frame(TEXT, "c").more()]);
    feed(&mut connection, &input, at(9));
    assert_eq!(connection.poll_timeout(), Some(at(19)));
    feed(&mut connection, &frame(CONTINUATION, "d").bytes(), at(18));
    assert_eq!(connection.poll_timeout(), None);
}

#[test]
fn a_streamed_message_may_take_its_time() {
    let timeouts = Timeouts { message: seconds(10), ..no_timeouts() };
    let mut connection = with(timeouts).connection();
    feed(&mut connection, &frame(TEXT, "a").more().bytes(), at(0));
    connection.set_streaming(true);
    assert_eq!(connection.poll_timeout(), None);
    feed(&mut connection, &frame(CONTINUATION, "b").more().bytes(), at(100));
    assert_eq!(connection.poll_timeout(), None);
}

#[test]
fn when_the_peer_takes_nothing_for_30_seconds_the_line_ends() {
    let timeouts = Timeouts { write: seconds(30), ..no_timeouts() };
    let mut connection = with(timeouts).connection();
    connection.send(FrameKind::Text, b"hello").unwrap();
    assert_eq!(connection.poll_timeout(), None, "nobody has tried to write yet");
    connection.handle_transmitted(0, at(1));
    connection.handle_transmitted(0, at(20));
    assert_eq!(connection.poll_timeout(), Some(at(31)));
    // Some of it went out: the deadline begins anew for the rest.
    connection.handle_transmitted(3, at(25));
    assert_eq!(connection.poll_timeout(), Some(at(55)));
    assert_eq!(connection.handle_timeout(at(55)), Some(Expired::Write));
    assert_eq!(connection.state(), State::Ended);
}

#[test]
fn when_all_is_written_no_deadline_for_writing_is_left() {
    let timeouts = Timeouts { write: seconds(30), ..no_timeouts() };
    let mut connection = with(timeouts).connection();
    connection.send(FrameKind::Text, b"hello").unwrap();
    connection.handle_transmitted(0, at(1));
    connection.handle_transmitted(7, at(2));
    assert_eq!(connection.poll_timeout(), None);
    connection.handle_transmitted(0, at(3));
    assert_eq!(connection.poll_timeout(), None);
}

#[test]
fn five_seconds_after_our_close_frame_the_line_ends_whatever_comes() {
    let mut connection = server().connection();
    connection.close(reason(1000, ""), at(1)).unwrap();
    sent_at(&mut connection, Role::Server, at(1));
    assert_eq!(connection.poll_timeout(), Some(at(6)));
    for second in 1..6 {
        feed(&mut connection, &frame(TEXT, "more").bytes(), at(second));
        assert_eq!(connection.poll_timeout(), Some(at(6)), "and no ping is due");
    }
    assert_eq!(connection.handle_timeout(at(6)), Some(Expired::Close));
    assert_eq!(connection.closed().unwrap().reason.code.0, 1006);
    assert!(!connection.closed().unwrap().clean);
}

#[test]
fn a_client_does_not_wait_for_ever_for_the_server_to_end_the_transport() {
    let mut connection = client().connection();
    feed(&mut connection, &frame(CLOSE, [3, 0xe8]).to(Role::Client).bytes(), at(1));
    sent_at(&mut connection, Role::Client, at(1));
    assert_eq!(connection.poll_timeout(), Some(at(6)));
    assert_eq!(connection.handle_timeout(at(6)), Some(Expired::Close));
    assert!(connection.closed().unwrap().clean, "both close frames were exchanged");
}

#[test]
fn after_a_violation_the_peer_has_five_seconds_to_go() {
    let mut connection = server().connection();
    let seen = feed(&mut connection, &frame(CONTINUATION, "").bytes(), at(1));
    assert!(matches!(&seen[..], [Seen::Error(_)]));
    sent_at(&mut connection, Role::Server, at(1));
    assert_eq!(connection.poll_timeout(), Some(at(6)));
    assert_eq!(connection.handle_timeout(at(6)), Some(Expired::Close));
}

#[test]
fn once_ended_nothing_expires_any_more() {
    let mut connection = server().connection();
    connection.close(reason(1000, ""), at(1)).unwrap();
    feed(&mut connection, &frame(CLOSE, [3, 0xe8]).bytes(), at(1));
    connection.handle_eof();
    assert_eq!(connection.handle_timeout(at(1_000)), None);
    assert!(connection.closed().unwrap().clean);
}

#[test]
fn time_near_its_end_does_not_wrap_around() {
    let case = server();
    let mut connection = case.connection();
    feed(&mut connection, &frame(PING, "").bytes(), Timestamp(u64::MAX - 1));
    assert_eq!(connection.handle_timeout(Timestamp(u64::MAX - 1)), None);
}

#[test]
fn the_keepalive_does_not_take_the_place_of_a_ping_that_waits() {
    let mut connection = server().connection();
    connection.send(FrameKind::Text, b"queued").unwrap();
    connection.ping(b"the application's").unwrap();
    assert_eq!(connection.handle_timeout(at(25)), None);
    let out = sent_at(&mut connection, Role::Server, at(25));
    // One ping is enough: its pong is a sign of life as well.
    assert_eq!(out, [sent(PING, "the application's"), sent(TEXT, "queued")]);
    assert_eq!(connection.handle_timeout(at(35)), Some(Expired::Pong));
}

#[test]
fn a_ping_of_the_applications_starts_no_deadline() {
    let mut connection = server().connection();
    connection.ping(b"").unwrap();
    sent_at(&mut connection, Role::Server, at(1));
    assert_eq!(connection.handle_timeout(at(24)), None);
    assert_eq!(connection.poll_timeout(), Some(at(25)), "the next keepalive");
}
