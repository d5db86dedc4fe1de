//! When output leaves: one read and one write for a burst.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use openline_ws::{Connector, Error, Message, WebSocket};
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, masked, plain, reason};
use support::wire::{Peer, Wire};
use support::{client, is_waiting, server};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(ws: &mut WebSocket<S>) -> Result<(), Error> {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

fn burst(count: usize) -> Vec<u8> {
    (0..count).flat_map(|i| masked(TEXT, format!("message {i}"))).collect()
}

fn is_echo_of_burst(peer: &Peer, count: usize) -> bool {
    let expected: Vec<_> =
        (0..count).map(|i| (TEXT, format!("message {i}").into_bytes())).collect();
    peer.take_frames() == expected
}

#[tokio::test]
async fn an_echo_loop_answers_32_messages_with_one_read_and_one_write() {
    let (mut ws, peer) = server().await;
    peer.push(&burst(32));
    assert!(is_waiting(echo(&mut ws)).await);
    assert_eq!(peer.counts(), (1, 1));
    assert!(is_echo_of_burst(&peer, 32));
}

#[tokio::test]
async fn a_lone_message_is_answered_before_the_next_receive() {
    let (mut ws, peer) = server().await;
    peer.push(&burst(1));
    let message = ws.recv().await.unwrap().unwrap();
    ws.send(message).await.unwrap();
    assert_eq!(peer.counts(), (1, 1));
    assert!(is_echo_of_burst(&peer, 1));
}

#[tokio::test]
async fn what_came_with_the_handshake_is_corked_as_well() {
    let (wire, peer) = support::wire::pair();
    let request = format!("{}\r\n", support::REQUEST);
    peer.push(&[request.as_bytes(), &burst(5)].concat());
    let mut ws = openline_ws::accept(wire).await.unwrap().accept().await.unwrap();
    peer.take();
    assert!(is_waiting(echo(&mut ws)).await);
    assert_eq!(peer.counts(), (1, 2), "one read, a write for the 101 and one for the answers");
    assert!(is_echo_of_burst(&peer, 5));
}

#[tokio::test]
async fn a_part_of_a_frame_behind_the_last_message_holds_nothing_back() {
    let (mut ws, peer) = server().await;
    let part = masked(TEXT, "this one comes later");
    peer.push(&[burst(2), part[..9].to_vec()].concat());
    for _ in 0..2 {
        let message = ws.recv().await.unwrap().unwrap();
        ws.send(message).await.unwrap();
    }
    assert_eq!(peer.counts().1, 1);
    assert!(is_echo_of_burst(&peer, 2));
    peer.push(&part[9..]);
    assert_eq!(ws.recv().await.unwrap(), Some("this one comes later".into()));
}

#[tokio::test]
async fn a_fragment_behind_the_last_message_holds_its_answer_back_no_longer_than_recv() {
    let (mut ws, peer) = server().await;
    peer.push(&[masked(TEXT, "a"), masked(TEXT & !FIN, "b")].concat());
    let message = ws.recv().await.unwrap().unwrap();
    ws.send(message).await.unwrap();
    assert!(is_waiting(ws.recv()).await);
    assert_eq!(peer.take_frames(), [(TEXT, b"a".to_vec())]);
    peer.push(&masked(CONTINUATION, "c"));
    assert_eq!(ws.recv().await.unwrap(), Some("bc".into()));
}

#[tokio::test]
async fn pongs_leave_in_the_same_write_as_the_answers() {
    let (mut ws, peer) = server().await;
    let input = [masked(TEXT, "a"), masked(PING, "p"), masked(TEXT, "b"), masked(PING, "q")];
    peer.push(&input.concat());
    assert!(is_waiting(echo(&mut ws)).await);
    assert_eq!(peer.counts(), (1, 1));
    let expected = [(TEXT, "a"), (PONG, "p"), (TEXT, "b"), (PONG, "q")]
        .map(|(first, payload)| (first, payload.as_bytes().to_vec()));
    assert_eq!(peer.take_frames(), expected);
}

#[tokio::test]
async fn the_answer_to_a_close_frame_leaves_in_the_same_write() {
    let (mut ws, peer) = server().await;
    peer.push(&[burst(3), masked(CLOSE, reason(1000, ""))].concat());
    echo(&mut ws).await.unwrap();
    assert_eq!(peer.counts(), (1, 1));
    assert_eq!(peer.take_frames().len(), 4);
}

#[tokio::test]
async fn no_more_than_64_kib_are_held_back() {
    let (mut ws, peer) = server().await;
    let message = [5; 1000];
    peer.push(&masked(BINARY, message).repeat(125));
    let mut most = 0;
    for _ in 0..125 {
        let message = ws.recv().await.unwrap().unwrap();
        ws.send(message).await.unwrap();
        most = most.max(ws.queued_bytes());
    }
    assert!(most < 64 * 1024, "{most}");
    assert_eq!(peer.counts(), (1, 2));
    assert_eq!(peer.take_frames().len(), 125);
}

#[tokio::test]
async fn flush_writes_in_the_middle_of_a_burst() {
    let (mut ws, peer) = server().await;
    peer.push(&burst(2));
    let message = ws.recv().await.unwrap().unwrap();
    ws.send(message).await.unwrap();
    assert_eq!(peer.take(), b"");
    ws.flush().await.unwrap();
    assert!(is_echo_of_burst(&peer, 1));
}

#[tokio::test]
async fn close_writes_in_the_middle_of_a_burst() {
    let (mut ws, peer) = server().await;
    peer.push(&burst(2));
    let message = ws.recv().await.unwrap().unwrap();
    ws.send(message).await.unwrap();
    assert!(is_waiting(ws.close(1000, "")).await);
    let frames = peer.take_frames();
    assert_eq!(frames.last(), Some(&(CLOSE, reason(1000, ""))));
    assert_eq!(frames.len(), 2);
}

#[tokio::test]
async fn feed_writes_nothing_until_flush() {
    let (mut ws, peer) = server().await;
    for i in 0..10 {
        ws.feed(format!("message {i}")).await.unwrap();
    }
    assert_eq!(peer.counts().1, 0);
    ws.flush().await.unwrap();
    assert_eq!(peer.counts().1, 1);
    assert!(is_echo_of_burst(&peer, 10));
}

#[tokio::test]
async fn feed_holds_back_no_more_than_64_kib() {
    let (mut ws, peer) = server().await;
    for _ in 0..100 {
        ws.feed(vec![1; 10_000]).await.unwrap();
        assert!(ws.queued_bytes() < 64 * 1024);
    }
    ws.flush().await.unwrap();
    assert_eq!(peer.take_frames().len(), 100);
}

#[tokio::test]
async fn feed_waits_for_a_peer_that_takes_nothing() {
    let (mut ws, peer) = server().await;
    peer.set_room(0);
    ws.feed(vec![1; 60_000]).await.unwrap();
    assert!(is_waiting(ws.feed(vec![2; 60_000])).await);
    peer.lift_room();
    ws.feed("end").await.unwrap();
    ws.flush().await.unwrap();
    assert_eq!(peer.take_frames().len(), 3);
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_not_read_beyond_64_kib_of_answers() {
    let (mut ws, peer) = server().await;
    peer.set_room(0);
    peer.push(&masked(BINARY, [5; 1000]).repeat(1000));
    assert!(is_waiting(echo(&mut ws)).await);
    assert!(peer.unread() > 800_000, "{} of a million bytes are unread", peer.unread());
    assert!(ws.queued_bytes() < 200_000, "{} bytes are queued", ws.queued_bytes());
    peer.lift_room();
    assert!(is_waiting(echo(&mut ws)).await);
    // The message whose answer was being sent when the loop was dropped is answered as well.
    assert_eq!(peer.take_frames().len(), 1000);
}

/// A server that does as the one above takes more only once its client has read.
#[tokio::test]
async fn a_client_reads_on_while_what_it_says_is_not_taken() {
    let (mut ws, peer) = client();
    peer.set_room(0);
    assert!(is_waiting(ws.send(vec![5; 300_000])).await);
    peer.push(&plain(TEXT, "m").repeat(100));
    for _ in 0..100 {
        assert_eq!(next(&mut ws).await, "m".into());
    }
    assert!(ws.queued_bytes() >= 300_000, "{} bytes are queued", ws.queued_bytes());
}

async fn next(ws: &mut WebSocket<Wire>) -> Message {
    ws.recv().await.unwrap().unwrap()
}

#[tokio::test]
async fn two_lines_of_a_thread_do_not_mix() {
    let (mut first, first_peer) = server().await;
    let (mut second, second_peer) = server().await;
    for round in 0..20 {
        let frames = |line: &str| -> Vec<u8> {
            (0..round).flat_map(|i| masked(TEXT, format!("{line} {round} {i}"))).collect()
        };
        first_peer.push(&frames("first"));
        second_peer.push(&frames("second"));
        for i in 0..round {
            assert_eq!(next(&mut first).await, format!("first {round} {i}").into());
            assert_eq!(next(&mut second).await, format!("second {round} {i}").into());
            first.send(format!("to first {round} {i}")).await.unwrap();
            second.send(format!("to second {round} {i}")).await.unwrap();
        }
        for (line, peer) in [("first", &first_peer), ("second", &second_peer)] {
            let expected: Vec<_> =
                (0..round).map(|i| (TEXT, format!("to {line} {round} {i}").into_bytes())).collect();
            assert_eq!(peer.take_frames(), expected);
        }
    }
}

/// A socket that counts the calls that moved bytes. tokio makes no others once it knows that a
/// socket is empty, which a read that fills less than the buffer tells it.
struct Counted {
    stream: TcpStream,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    reads: AtomicUsize,
    writes: AtomicUsize,
}

impl Counts {
    fn reset(&self) {
        self.reads.store(0, Ordering::Relaxed);
        self.writes.store(0, Ordering::Relaxed);
    }

    fn both(&self) -> (usize, usize) {
        (self.reads.load(Ordering::Relaxed), self.writes.load(Ordering::Relaxed))
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.counts.reads.fetch_add(usize::from(polled.is_ready()), Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.counts.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.counts.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn over_tcp_a_batch_costs_one_recv_and_one_send_on_either_side() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let counts = Arc::new(Counts::default());
    let of_server = counts.clone();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let stream = Counted { stream, counts: of_server.clone() };
        let mut ws = openline_ws::accept(stream).await.unwrap().accept().await.unwrap();
        of_server.reset();
        echo(&mut ws).await.unwrap();
    });
    let mut ws = Connector::new().no_proxy().connect(&url).await.unwrap();
    const BATCHES: usize = 50;
    for batch in 0..BATCHES {
        for i in 0..32 {
            ws.feed(format!("{batch} {i}")).await.unwrap();
        }
        // One write on loopback arrives as a whole.
        ws.flush().await.unwrap();
        for i in 0..32 {
            assert_eq!(ws.recv().await.unwrap(), Some(format!("{batch} {i}").into()));
        }
    }
    assert_eq!(counts.both(), (BATCHES, BATCHES));
    ws.close(1000, "").await.unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn an_idle_line_over_tcp_makes_no_calls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let counts = Arc::new(Counts::default());
    let (stream, _) = listener.accept().await.unwrap();
    client.write_all(format!("{}\r\n", support::REQUEST).as_bytes()).await.unwrap();
    let stream = Counted { stream, counts: counts.clone() };
    let mut ws = openline_ws::accept(stream).await.unwrap().accept().await.unwrap();
    counts.reset();
    assert!(is_waiting(ws.recv()).await);
    assert_eq!(counts.both(), (0, 0));
}
