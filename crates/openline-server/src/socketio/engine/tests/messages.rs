//! Messages both ways, and what is none.

use std::time::Duration;

use openline_ws::Message as Frame;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::client::{Line, Poller, ask, much, read, send};
use super::{Ended, TestServer};

#[tokio::test]
async fn payloads_come_back_by_poll() {
    let server = TestServer::start();
    let client = Poller::open(&server).await;
    for body in
        ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA==", "4", "b", "4\0é\u{1f600}"]
    {
        client.say(body).await;
        let answer = client.poll().await;
        assert_eq!((answer.status, &*answer.body), (200, body));
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
    }
}

#[tokio::test]
async fn frames_come_back_by_websocket() {
    let server = TestServer::start();
    let mut line = Line::open(&server).await;
    for text in ["4hello", "4", "4\0é\u{1f600}"] {
        line.say(text).await;
        assert_eq!(line.next().await, text);
    }
    line.0.send(&[1, 2, 3, 4][..]).await.unwrap();
    assert_eq!(line.0.recv().await.unwrap(), Some(Frame::from(&[1, 2, 3, 4][..])));
}

#[tokio::test]
async fn a_poll_waits_until_there_is_something() {
    let server = TestServer::start();
    let client = Poller::open(&server).await;
    let mut waiting = client.begin_poll().await;
    client.say("4later").await;
    assert_eq!(read(&mut waiting).await.body, "4later");
}

#[tokio::test]
async fn batches_reach_both_kinds_of_client() {
    let server = TestServer::start();
    let client = Poller::open(&server).await;
    client.say("4batch").await;
    assert_eq!(client.packets().await, ["4batch", "bAQI=", "4batch", "bAQI="]);
    let mut line = Line::open(&server).await;
    line.say("4batch").await;
    for _ in 0..2 {
        assert_eq!(line.next().await, "4batch");
        assert_eq!(line.next().await, r#"b"\x01\x02""#);
    }
}

#[tokio::test]
async fn what_is_no_payload_ends_the_connection() {
    let mut server = TestServer::start();
    let many = ["4a"; 10_001].join("\x1e");
    for body in [
        &b"abc"[..],
        b"",
        b"\x1e",
        b"4a\x1e",
        b"4a\x1eb!",
        b"bAQ",
        b"2",
        b"2probe",
        b"5",
        b"0{}",
        b"4\xff",
        b"\0",
        many.as_bytes(),
    ] {
        let client = Poller::open(&server).await;
        let answer = client.post(body).await;
        assert_eq!((answer.status, answer.code()), (400, 3), "{body:?}");
        assert_eq!(server.ended().await, Ended::ParseError);
        assert_eq!(client.poll().await.code(), 1);
        assert_eq!(client.post(b"4a").await.code(), 1);
    }
}

#[tokio::test]
async fn nothing_of_a_payload_that_is_wrong_somewhere_is_taken() {
    let mut server = TestServer::start();
    let client = Poller::open(&server).await;
    assert_eq!(client.post(b"4a\x1e4b\x1eabc").await.status, 400);
    assert_eq!(server.news.recv().await, Some((Ended::ParseError, 0)));
}

#[tokio::test]
async fn a_frame_that_is_no_packet_ends_the_connection() {
    let mut server = TestServer::start();
    for text in ["abc", "", "2", "2probe", "5", "0{}", "b!", "\0"] {
        let mut line = Line::open(&server).await;
        line.say(text).await;
        assert_eq!(line.closed().await, 1007, "{text:?}");
        assert_eq!(server.ended().await, Ended::ParseError);
    }
}

#[tokio::test]
async fn a_body_may_be_as_long_as_it_was_said() {
    let server = TestServer::start();
    let client = Poller::open(&server).await;
    let whole = format!("4{}", "x".repeat(999_999));
    client.say(&whole).await;
    assert_eq!(client.packets().await, [whole.as_str()]);
    let answer = client.post(format!("{whole}x").as_bytes()).await;
    assert_eq!((answer.status, answer.code()), (413, 3));
    // One that does not say its length is read as far as it may.
    let head = format!("POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\n", client.path());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!("{head}Transfer-Encoding: chunked\r\n\r\nf4241\r\n4");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; 1_000_000]).await.unwrap();
    stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(read(&mut stream).await.status, 413);
    // One that is far too long is not read at all.
    let head = format!("POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\n", client.path());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(format!("{head}Content-Length: 10000000\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(read(&mut stream).await.status, 413);
    // It is the body that is refused, not the client.
    client.say("4a").await;
    assert_eq!(client.packets().await, ["4a"]);
}

#[tokio::test]
async fn a_second_poll_ends_the_connection() {
    let mut server = TestServer::start();
    let client = Poller::open(&server).await;
    let mut first = client.begin_poll().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = client.poll().await;
    assert_eq!((second.status, second.code()), (400, 3));
    let first = read(&mut first).await;
    assert_eq!((first.status, &*first.body), (200, "1"));
    assert_eq!(client.poll().await.code(), 1);
    assert_eq!(server.ended().await, Ended::TransportError);
}

#[tokio::test]
async fn a_second_post_ends_the_connection() {
    let mut server = TestServer::start();
    let client = Poller::open(&server).await;
    let mut first = send(server.address, "POST", &client.path(), "", b"4slow").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let second = client.post(b"4b").await;
    assert_eq!((second.status, second.code()), (400, 3));
    read(&mut first).await;
    assert_eq!(server.news.recv().await, Some((Ended::TransportError, 1)));
    assert_eq!(client.poll().await.code(), 1);
}

#[tokio::test]
async fn a_poll_that_goes_away_ends_the_connection() {
    let mut server = TestServer::start();
    let client = Poller::open(&server).await;
    let waiting = client.begin_poll().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(waiting);
    assert_eq!(server.ended().await, Ended::TransportError);
    assert_eq!(client.poll().await.code(), 1);
}

#[tokio::test]
async fn a_body_that_does_not_come_to_its_end_ends_the_connection() {
    let mut server = TestServer::start();
    let client = Poller::open(&server).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n4a", client.path());
    stream.write_all(head.replace("Host: x", "Host: 127.0.0.1").as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(stream);
    assert_eq!(server.ended().await, Ended::TransportError);
}

#[tokio::test]
async fn what_was_asked_for_is_done_even_if_who_asked_goes() {
    let mut server = TestServer::start();
    let client = Poller::open(&server).await;
    let stream = send(server.address, "POST", &client.path(), "", b"4slow\x1e4a\x1e4b").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(stream);
    assert_eq!(client.packets().await, ["4a", "4b"]);
    client.say("1").await;
    assert_eq!(server.news.recv().await, Some((Ended::TransportClose, 3)));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let mut server = TestServer::start();
    let client = Poller::open(&server).await;
    client.say("4flood").await;
    assert_eq!(server.ended().await, Ended::ForcedClose);
    // What waited is gone: the client is behind anyway.
    assert_eq!(client.packets().await, ["1"]);
    let answer = ask(server.address, "GET", &client.path(), "", b"").await;
    assert_eq!(answer.code(), 1);
}

#[tokio::test]
async fn a_post_waits_for_a_client_that_polls_less_than_it_asks() {
    let packets = much();
    posts_wait_for_polls(&packets).await;
}

/// What handlers answer does not wait yet when the next event is looked at.
#[tokio::test]
async fn a_post_waits_for_handlers_whose_answers_are_to_wait() {
    let packets: Vec<_> = much().iter().map(|text| format!("4work{}", &text[1..])).collect();
    posts_wait_for_polls(&packets).await;
}

/// Posts these, 800 kB, three times, while a client polls with pauses.
async fn posts_wait_for_polls(packets: &[String]) {
    let server = TestServer::start();
    let client = Poller::open(&server).await;
    let body = packets.join("\x1e");
    let asked = async {
        for _ in 0..3 {
            client.say(&body).await;
        }
    };
    let polled = async {
        let mut came = Vec::new();
        while came.len() < 3 * packets.len() {
            tokio::time::sleep(Duration::from_millis(200)).await;
            came.extend(client.packets().await);
        }
        came
    };
    let ((), came) = tokio::join!(asked, polled);
    assert!(came.chunks(packets.len()).all(|part| part == packets), "each once, and in order");
}
