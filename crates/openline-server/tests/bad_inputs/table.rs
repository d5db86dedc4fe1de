//! Bad inputs by number, each with its exact answer. 17 is no bad input here: unknown fields are
//! ignored. 29 and 30 are about the config: see the tests of the `openline` program.

use openline_server::Config;
use openline_ws::Message;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::servers::{guarded_server, now_s, signed, token, token_of};
use crate::support::talk::{End, Talk};
use crate::support::{KEY, RawLine, TestServer, ask, frame, handshake};

pub(crate) const ROWS: usize = 27;

const MIB: usize = 1 << 20;

pub(crate) struct Row {
    pub(crate) number: u8,
    input: Input,
    answer: Answered,
}

enum Input {
    /// Of HTTP.
    Request(String),
    /// Behind the handshake. With or without deflate.
    Bytes(Vec<u8>),
    Deflated(Vec<u8>),
    /// To a server without a config.
    Messages(Vec<Value>),
    Text(&'static str),
    /// To a server that wants a token.
    Strange(Value),
    /// In `auth`.
    Token(String),
    /// By one who is authenticated.
    Known(Value),
    /// For as long as a token may take.
    Silence,
}

enum Answered {
    Http(u16, &'static str, &'static str),
    Close(u16, &'static str),
    /// The line stays open.
    Error(&'static str, &'static str),
    /// The code, the sentence, and what the line ends with.
    AuthFailed(&'static str, &'static str, u16),
    /// The last message is answered with this, once for each message.
    Done(&'static str),
}

/// What rows are tried on.
pub(crate) struct Servers {
    plain: TestServer,
    guarded: TestServer,
    hasty: TestServer,
}

impl Servers {
    pub(crate) fn start() -> Self {
        Self {
            plain: TestServer::with_config(Config::default()),
            guarded: guarded_server(""),
            hasty: guarded_server("deadline = \"1s\""),
        }
    }
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = handshakes();
    rows.extend(frames());
    rows.extend(messages());
    rows.extend(tokens());
    rows.sort_by_key(|row| row.number);
    rows
}

fn row(number: u8, input: Input, answer: Answered) -> Row {
    Row { number, input, answer }
}

fn handshakes() -> Vec<Row> {
    use Answered::Http;
    let good = handshake("/ws", "");
    let request = |text: String| Input::Request(text);
    let plain = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let upgrade = "This is a WebSocket endpoint; send Upgrade: websocket.";
    let key = "Sec-WebSocket-Key must decode to 16 bytes, got 12.";
    let origin = "Origin https://evil.test is not in http.allowed_origins.";
    let long = format!("X: {}\r\n", "x".repeat(20_000));
    vec![
        row(1, request(plain.to_owned()), Http(426, "upgrade_required", upgrade)),
        row(
            2,
            request(good.replace("Version: 13", "Version: 8")),
            Http(426, "upgrade_required", "Unsupported WebSocket version 8; supported: 13."),
        ),
        row(3, request(good.replace(KEY, "dGhlIHNhbXBsZSBu")), Http(400, "bad_handshake", key)),
        row(
            4,
            request(handshake("/ws", "Origin: https://evil.test\r\n")),
            Http(403, "origin_not_allowed", origin),
        ),
        row(
            5,
            request(handshake("/ws", &long)),
            Http(431, "headers_too_large", "Request head exceeds 16384 bytes."),
        ),
    ]
}

fn frames() -> Vec<Row> {
    use Answered::Close;
    let bytes = |bytes: Vec<u8>| Input::Bytes(bytes);
    let unmasked = b"\x81\x05hello".to_vec();
    // The head alone: it is refused before there is a payload.
    let mut long = vec![0x81, 0xff];
    long.extend((MIB as u64 + 1).to_be_bytes());
    long.extend([0; 4]);
    let bomb = frame(0xc1, &deflated_letters(MIB + 1));
    vec![
        row(6, bytes(unmasked), Close(1002, "frame from client is not masked")),
        row(7, bytes(frame(0xc1, b"x")), Close(1002, "RSV1 set but no extension negotiated")),
        row(8, bytes(frame(0x83, b"")), Close(1002, "reserved opcode 0x3")),
        row(9, bytes(frame(0x89, &[0; 126])), Close(1002, "control frame payload 126 > 125")),
        row(10, bytes(frame(0x80, b"x")), Close(1002, "continuation without a started message")),
        row(
            11,
            bytes(frame(0x81, b"seventeen letters\xff")),
            Close(1007, "invalid UTF-8 at byte 17"),
        ),
        row(12, bytes(long), Close(1009, "message exceeds 1048576 bytes")),
        row(13, Input::Deflated(bomb), Close(1009, "decompressed message exceeds 1048576 bytes")),
    ]
}

fn messages() -> Vec<Row> {
    use Answered::{Done, Error};
    let one = |message: Value| Input::Messages(vec![message]);
    let publish = |data: u8| json!({ "type": "publish", "id": 1, "channel": "a", "key": "k-1", "data": data });
    let mut subscribe: Vec<Value> = (0..128).map(|n| json!(format!("c{n}"))).collect();
    subscribe = vec![
        json!({ "type": "subscribe", "id": 1, "channels": subscribe }),
        json!({ "type": "subscribe", "id": 2, "channel": "one-more" }),
    ];
    let position = json!({ "type": "subscribe", "id": 1, "channel": "a", "position": "12" });
    let ping = json!({ "type": "ping", "id": 7 });
    vec![
        row(
            16,
            Input::Text("{\"type\":\"ping\",\"id\":12; \"x\":1}"),
            Error("invalid_json", "invalid JSON at line 1 column 23: expected , or }, got ;"),
        ),
        // An id is the client's own matter: both are answered.
        row(18, Input::Messages(vec![ping.clone(), ping]), Done("pong")),
        row(
            24,
            one(json!({ "type": "subscribe", "id": 1, "channel": "line1\n" })),
            Error("bad_channel", "channel contains control character U+000A at byte 5"),
        ),
        row(
            25,
            Input::Known(json!({ "type": "subscribe", "id": 1, "channel": "chat2:x" })),
            Error(
                "unknown_namespace",
                "there is no namespace chat2; see [namespace.…] in the config",
            ),
        ),
        row(
            26,
            Input::Messages(subscribe),
            Error("channel_limit", "128 channels per connection; unsubscribe from one first"),
        ),
        row(
            27,
            one(position),
            Error("bad_position", "`position` must be a position from a previous reply"),
        ),
        row(
            28,
            Input::Messages(vec![publish(1), publish(2)]),
            Error(
                "idempotency_conflict",
                "key k-1 was used * s ago with a different payload; use a new key",
            ),
        ),
    ]
}

fn tokens() -> Vec<Row> {
    use Answered::{AuthFailed, Close, Error};
    let token = |claims: Value| Input::Token(token_of(&claims));
    let good = json!({ "sub": "ann", "aud": "openline", "exp": now_s() + 3600 });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let unsigned = signed(&json!({ "alg": "none" }), &good);
    let unsigned = unsigned[..=unsigned.rfind('.').unwrap()].to_owned();
    let other_key = signed(&json!({ "alg": "HS256", "kid": "two" }), &good);
    vec![
        row(14, Input::Silence, Close(4007, "no auth within 1 s")),
        row(
            15,
            Input::Strange(json!({ "type": "subscribe", "id": 1, "channel": "a" })),
            Error("unauthorized", "authenticate first: send auth with a token"),
        ),
        row(
            19,
            Input::Token(unsigned),
            AuthFailed("auth_failed", "token algorithm none is not allowed; expected HS256", 4002),
        ),
        row(
            20,
            token(with("exp", json!(now_s() - 42))),
            AuthFailed("token_expired", "token expired 4* s ago (leeway 0 s)", 4000),
        ),
        row(
            21,
            token(with("exp", json!("tomorrow"))),
            AuthFailed("auth_failed", "claim exp must be a number, got string", 4002),
        ),
        row(
            22,
            token(with("aud", json!("another"))),
            AuthFailed("auth_failed", "token audience does not include openline", 4002),
        ),
        row(
            23,
            Input::Token(other_key),
            AuthFailed("auth_failed", "no key with the token's kid in the configured keys", 4002),
        ),
    ]
}

impl Row {
    pub(crate) async fn check(&self, servers: &Servers) {
        let number = self.number;
        match (&self.input, &self.answer) {
            (Input::Request(request), Answered::Http(status, code, message)) => {
                let answer = ask(servers.plain.address(), request).await;
                assert_eq!(answer.status, *status, "{number}");
                assert_eq!(answer.error(), ((*code).to_owned(), (*message).to_owned()), "{number}");
            }
            (Input::Bytes(bytes) | Input::Deflated(bytes), Answered::Close(code, reason)) => {
                let offer = match self.input {
                    Input::Deflated(_) => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
                    _ => "",
                };
                let mut line = servers.plain.raw_line("/ws", offer).await;
                line.stream.write_all(bytes).await.unwrap();
                assert_eq!(line.closed().await, (*code, (*reason).to_owned()), "{number}");
                assert!(RawLine::read(&mut line).await.is_none(), "{number}: the line goes on");
            }
            (Input::Silence, Answered::Close(code, reason)) => {
                let (mut line, _) = Talk::greeted(&servers.hasty.url("/ws")).await;
                let end = End { code: *code, reason: (*reason).to_owned() };
                assert_eq!(line.ended().await, end, "{number}");
            }
            _ => self.check_line(servers).await,
        }
    }

    async fn check_line(&self, servers: &Servers) {
        let number = self.number;
        let server = match self.input {
            Input::Messages(_) | Input::Text(_) => &servers.plain,
            _ => &servers.guarded,
        };
        let (mut line, _) = Talk::greeted(&server.url("/ws")).await;
        let count = match &self.input {
            Input::Text(text) => {
                line.put(Message::from(*text)).await.unwrap();
                1
            }
            Input::Messages(messages) => {
                for message in messages {
                    line.send(message).await;
                }
                messages.len()
            }
            Input::Token(token) => {
                line.send(&json!({ "type": "auth", "id": 1, "token": token })).await;
                1
            }
            Input::Known(message) => {
                let auth = json!({ "type": "auth", "id": 0, "token": token("ann", 3600) });
                assert_eq!(line.ask(&auth).await["type"], "auth_success");
                line.send(message).await;
                1
            }
            Input::Strange(message) => {
                line.send(message).await;
                1
            }
            Input::Request(_) | Input::Bytes(_) | Input::Deflated(_) | Input::Silence => {
                panic!("{number} has an answer of another kind")
            }
        };
        let mut last = Value::Null;
        for _ in 0..count {
            last = line.next().await.expect("each message is answered");
        }
        self.check_answer(&last, &mut line).await;
    }

    async fn check_answer(&self, answer: &Value, line: &mut Talk) {
        let number = self.number;
        let (kind, code, sentence) = match &self.answer {
            Answered::Error(code, sentence) => ("error", *code, *sentence),
            Answered::AuthFailed(code, sentence, _) => ("auth_failed", *code, *sentence),
            Answered::Done(kind) => return assert_eq!(answer["type"], *kind, "{number}"),
            Answered::Http(..) | Answered::Close(..) => panic!("{number} is not answered so"),
        };
        assert_eq!((&answer["type"], &answer["code"]), (&json!(kind), &json!(code)), "{number}");
        let said = answer["error"].as_str().unwrap();
        assert!(is_like(said, sentence), "{number}: {said}");
        assert_eq!(answer["error"], answer["message"], "{number}");
        if let Answered::AuthFailed(_, _, close) = self.answer {
            assert_eq!(answer["reason"], answer["error"], "{number}");
            let end = line.ended().await;
            assert_eq!((end.code, &*end.reason), (close, said), "{number}");
        } else {
            let pong = line.ask(&json!({ "type": "ping", "id": "still here" })).await;
            assert_eq!(pong["type"], "pong", "{number}");
        }
    }
}

/// Whether a text is a sentence in which `*` stands for anything.
fn is_like(text: &str, sentence: &str) -> bool {
    match sentence.split_once('*') {
        None => text == sentence,
        Some((before, after)) => {
            text.len() >= before.len() + after.len()
                && text.starts_with(before)
                && text.ends_with(after)
        }
    }
}

/// So many equal letters, as deflate writes them at best (RFC 1951 §3.2.6): one, and copies of 258.
fn deflated_letters(count: usize) -> Vec<u8> {
    let mut bits = Vec::new();
    let mut put = |value: u16, len: u16| bits.extend((0..len).map(|bit| value >> bit & 1 == 1));
    // A block with the fixed codes, of which the first bit stands first.
    put(0b010, 3);
    let letter = 0x30 + u16::from(b'a');
    put(letter.reverse_bits() >> 8, 8);
    for _ in 0..count.div_ceil(258) {
        // 258 letters, from one letter ago.
        put(0b1100_0101_u16.reverse_bits() >> 8, 8);
        put(0, 5);
    }
    put(0, 7);
    // The begin of the empty block that ends a message (RFC 7692 §7.2.1).
    put(0b000, 3);
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    bits.chunks(8).map(byte).collect()
}
