//! The PROXY protocol, versions 1 and 2: what a proxy that passes bytes on says first, about whose
//! they are.
//!
//! It is read only from trusted proxies, and only where the config says that they send it. To guess
//! by the first bytes would let clients say it themselves through a proxy that does not.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The longest line of version 1, its end included.
const V1_BYTES_MAX: usize = 107;
const V1_BEGIN: &[u8] = b"PROXY ";

const V2_BEGIN: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Up to the addresses.
const V2_FIXED_BYTES: usize = 16;

/// The longest header: it is to fit the smallest TCP segment, so that it comes at once.
const BYTES_MAX: usize = 536;

/// What the first bytes of a connection are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Header {
    /// All of them belong to a header, and more is to come.
    Incomplete,
    /// The header is over after `length` bytes.
    Done {
        length: usize,
        /// Whose connection it is; None if it is the proxy's own or unknown.
        source: Option<SocketAddr>,
    },
    /// Not a header, or not one that can be used.
    Invalid(&'static str),
}

/// Parses the bytes that came so far; call again with more while the header is incomplete.
pub(crate) fn parse(bytes: &[u8]) -> Header {
    let parsed = match bytes.first() {
        None => return Header::Incomplete,
        Some(b'P') => parse_v1(bytes),
        Some(_) => parse_v2(bytes),
    };
    match parsed {
        Ok(None) => Header::Incomplete,
        Ok(Some((length, source))) => Header::Done { length, source },
        Err(why) => Header::Invalid(why),
    }
}

/// Reads the header off a connection, and not a byte more: what follows may be TLS. The deadline is
/// the caller's; it may drop the future, and then the connection.
///
/// # Errors
/// `InvalidData` says what was wrong; `UnexpectedEof`; or an error of the socket.
pub(crate) async fn read(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut buffer = [0; BYTES_MAX];
    let mut filled = 0;
    loop {
        let peeked = stream.peek(&mut buffer[filled..]).await?;
        if peeked == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (taken, source) = match parse(&buffer[..filled + peeked]) {
            Header::Incomplete => (peeked, None),
            Header::Done { length, source } => (length - filled, Some(source)),
            Header::Invalid(why) => return Err(io::Error::new(io::ErrorKind::InvalidData, why)),
        };
        stream.read_exact(&mut buffer[filled..filled + taken]).await?;
        filled += taken;
        if let Some(source) = source {
            return Ok(source);
        }
    }
}

/// The length of the header and the address in it; None while it is incomplete.
type Parsed = Result<Option<(usize, Option<SocketAddr>)>, &'static str>;

fn parse_v1(bytes: &[u8]) -> Parsed {
    let begun = bytes.len().min(V1_BEGIN.len());
    if bytes[..begun] != V1_BEGIN[..begun] {
        return Err("does not begin with a PROXY header");
    }
    let window = &bytes[..bytes.len().min(V1_BYTES_MAX)];
    let end = window.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let may_go_on = bytes.len() < V1_BYTES_MAX;
    let end = match end.map(|end| (end, &window[end..])) {
        Some((end, [b'\r', b'\n', ..])) => end,
        None | Some((_, b"\r")) if may_go_on => return Ok(None),
        Some((_, [b'\n', ..] | [b'\r', _, ..])) => return Err("PROXY line must end with CR LF"),
        _ => return Err("PROXY line is too long"),
    };
    let line = std::str::from_utf8(&window[..end]).map_err(|_| "PROXY line is not ASCII")?;
    Ok(Some((end + 2, v1_source(line)?)))
}

fn v1_source(line: &str) -> Result<Option<SocketAddr>, &'static str> {
    let mut words = line.split(' ').skip(1);
    let mut word = || words.next().ok_or("PROXY line is incomplete");
    let family = word()?;
    if family == "UNKNOWN" {
        // What follows is to be ignored.
        return Ok(None);
    }
    let address = match family {
        "TCP4" => v4,
        "TCP6" => v6,
        _ => return Err("PROXY line must say TCP4, TCP6 or UNKNOWN"),
    };
    let source = address(word()?)?;
    // Where it went is of no use here, but must be lawful.
    address(word()?)?;
    let port = v1_port(word()?)?;
    v1_port(word()?)?;
    if words.next().is_some() {
        return Err("PROXY line goes on after the ports");
    }
    Ok(Some(SocketAddr::new(source, port)))
}

fn v4(text: &str) -> Result<IpAddr, &'static str> {
    text.parse::<Ipv4Addr>().map(IpAddr::V4).map_err(|_| "PROXY line has a bad IPv4 address")
}

fn v6(text: &str) -> Result<IpAddr, &'static str> {
    text.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| "PROXY line has a bad IPv6 address")
}

fn v1_port(text: &str) -> Result<u16, &'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = plain && (text == "0" || !text.starts_with('0'));
    Some(text).filter(|_| plain).and_then(|t| t.parse().ok()).ok_or("PROXY line has a bad port")
}

fn parse_v2(bytes: &[u8]) -> Parsed {
    let begun = bytes.len().min(V2_BEGIN.len());
    if bytes[..begun] != V2_BEGIN[..begun] {
        return Err("does not begin with a PROXY header");
    }
    // What is wrong is said as early as it is seen.
    let proxied = match bytes.get(12) {
        None => return Ok(None),
        Some(0x20) => false,
        Some(0x21) => true,
        Some(_) => return Err("PROXY header has an unknown version or command"),
    };
    let address_bytes = match bytes.get(13) {
        None => return Ok(None),
        _ if !proxied => 0,
        Some(0x00) => 0,
        Some(0x11) => 12,
        Some(0x21) => 36,
        Some(0x31) => 216,
        Some(_) => return Err("PROXY header is not for a stream"),
    };
    let Some(length) = bytes.get(14..V2_FIXED_BYTES) else { return Ok(None) };
    let length = usize::from(length[0]) << 8 | usize::from(length[1]);
    if length < address_bytes {
        return Err("PROXY header is too short for its addresses");
    }
    if V2_FIXED_BYTES + length > BYTES_MAX {
        return Err("PROXY header is too long");
    }
    let Some(body) = bytes.get(V2_FIXED_BYTES..V2_FIXED_BYTES + length) else { return Ok(None) };
    let source = match address_bytes {
        12 => v2_source(&body[..4], &body[8..10]),
        36 => v2_source(&body[..16], &body[32..34]),
        _ => None,
    };
    Ok(Some((V2_FIXED_BYTES + length, source)))
}

fn v2_source(address: &[u8], port: &[u8]) -> Option<SocketAddr> {
    let address = match <[u8; 4]>::try_from(address) {
        Ok(v4) => IpAddr::from(v4),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(address).ok()?),
    };
    Some(SocketAddr::new(address, u16::from_be_bytes(port.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = V2_BEGIN.to_vec();
        bytes.extend([command, family]);
        bytes.extend((body.len() as u16).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn tcp4_body() -> Vec<u8> {
        [&[198, 51, 100, 7, 127, 0, 0, 1][..], &4711_u16.to_be_bytes(), &[0x1f, 0x40]].concat()
    }

    fn tcp6_body() -> Vec<u8> {
        let address = "2a02::1".parse::<Ipv6Addr>().unwrap().octets();
        [&address[..], &[0; 16], &4711_u16.to_be_bytes(), &[0x1f, 0x40]].concat()
    }

    fn lawful() -> Vec<(Vec<u8>, Option<&'static str>)> {
        let line = |text: &str| text.as_bytes().to_vec();
        let with_tlv = [&tcp4_body()[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        let longest = [&tcp4_body()[..], &[0; BYTES_MAX - V2_FIXED_BYTES - 12]].concat();
        let v6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        vec![
            (line("PROXY TCP4 198.51.100.7 127.0.0.1 4711 8000\r\n"), Some("198.51.100.7:4711")),
            (line("PROXY TCP6 2a02::1 ::1 4711 8000\r\n"), Some("[2a02::1]:4711")),
            (line("PROXY TCP4 198.51.100.7 127.0.0.1 0 65535\r\n"), Some("198.51.100.7:0")),
            (line("PROXY UNKNOWN\r\n"), None),
            (line("PROXY UNKNOWN what ever it says\r\n"), None),
            (line(&format!("PROXY UNKNOWN {v6} {v6} 65535 65535\r\n")), None),
            (v2(0x21, 0x11, &tcp4_body()), Some("198.51.100.7:4711")),
            (v2(0x21, 0x21, &tcp6_body()), Some("[2a02::1]:4711")),
            (v2(0x21, 0x11, &with_tlv), Some("198.51.100.7:4711")),
            (v2(0x21, 0x11, &longest), Some("198.51.100.7:4711")),
            (v2(0x21, 0x31, &[b'/'; 216]), None),
            (v2(0x21, 0x00, &[]), None),
            (v2(0x21, 0x00, b"ignored"), None),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x20, 0x11, &tcp4_body()), None),
            (v2(0x20, 0x99, b"ignored"), None),
        ]
    }

    #[test]
    fn a_lawful_header_is_found_whole_byte_by_byte_and_with_what_follows() {
        for (bytes, source) in lawful() {
            let source = source.map(|text| text.parse().unwrap());
            let done = Header::Done { length: bytes.len(), source };
            assert_eq!(parse(&bytes), done, "{bytes:?}");
            for length in 0..bytes.len() {
                assert_eq!(parse(&bytes[..length]), Header::Incomplete, "{:?}", &bytes[..length]);
            }
            for next in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01", b"\r\n", &bytes] {
                assert_eq!(parse(&[&bytes, next].concat()), done, "{bytes:?}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_refused_with_the_reason() {
        let table: &[(&[u8], &str)] = &[
            (b"GET / HTTP/1.1\r\n", "does not begin"),
            (b"POST / HTTP/1.1\r\n", "does not begin"),
            (b"PRI * HTTP/2.0\r\n", "does not begin"),
            (b"\x16\x03\x01", "does not begin"),
            (b"\r\n\r\nGET /", "does not begin"),
            (b"proxy TCP4", "does not begin"),
            (b"PROXY TCP4 198.51.100.7 127.0.0.1 1 2\n", "CR LF"),
            (b"PROXY TCP4 198.51.100.7 127.0.0.1 1 2\rX", "CR LF"),
            (b"PROXY TCP4 198.51.100.7\n 127.0.0.1 1 2\r\n", "CR LF"),
            (b"PROXY \r\n", "TCP4, TCP6 or UNKNOWN"),
            (b"PROXY  TCP4 198.51.100.7 127.0.0.1 1 2\r\n", "TCP4, TCP6 or UNKNOWN"),
            (b"PROXY UDP4 198.51.100.7 127.0.0.1 1 2\r\n", "TCP4, TCP6 or UNKNOWN"),
            (b"PROXY tcp4 198.51.100.7 127.0.0.1 1 2\r\n", "TCP4, TCP6 or UNKNOWN"),
            (b"PROXY TCP4\r\n", "incomplete"),
            (b"PROXY TCP4 198.51.100.7 127.0.0.1 1\r\n", "incomplete"),
            (b"PROXY TCP4 198.51.100.7 127.0.0.1 1 2 3\r\n", "goes on"),
            (b"PROXY TCP4 198.51.100.7 127.0.0.1 1 2 \r\n", "goes on"),
            (b"PROXY TCP4 ::1 ::1 1 2\r\n", "bad IPv4"),
            (b"PROXY TCP4 198.51.100.07 127.0.0.1 1 2\r\n", "bad IPv4"),
            (b"PROXY TCP6 198.51.100.7 ::1 1 2\r\n", "bad IPv6"),
            (b"PROXY TCP6 ::1 x 1 2\r\n", "bad IPv6"),
            (b"PROXY TCP4 198.51.100.7 127.0.0.1 01 2\r\n", "bad port"),
            (b"PROXY TCP4 198.51.100.7 127.0.0.1 +1 2\r\n", "bad port"),
            (b"PROXY TCP4 198.51.100.7 127.0.0.1 65536 2\r\n", "bad port"),
            (b"PROXY TCP4 198.51.100.7 127.0.0.1 1 -2\r\n", "bad port"),
            (b"PROXY TCP4 198.51.100.7 127.0.0.1  2\r\n", "bad port"),
            (b"PROXY UNKNOWN \xff\r\n", "ASCII"),
        ];
        let too_long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
        let headers = [
            (v2(0x11, 0x11, &tcp4_body()), "unknown version"),
            (v2(0x22, 0x11, &tcp4_body()), "unknown version"),
            (v2(0x21, 0x12, &tcp4_body()), "not for a stream"),
            (v2(0x21, 0x41, &tcp4_body()), "not for a stream"),
            (v2(0x21, 0x11, &tcp4_body()[..11]), "too short"),
            (v2(0x21, 0x21, &tcp6_body()[..35]), "too short"),
            (v2(0x21, 0x31, &[0; 215]), "too short"),
            (v2(0x21, 0x11, &[0; BYTES_MAX - V2_FIXED_BYTES + 1]), "too long"),
            (v2(0x20, 0x00, &[0; 60_000]), "too long"),
            (too_long.clone().into_bytes(), "too long"),
            (too_long.as_bytes()[..107].to_vec(), "too long"),
        ];
        let table = table.iter().map(|(bytes, said)| (bytes.to_vec(), *said));
        for (bytes, said) in table.chain(headers) {
            let shown = String::from_utf8_lossy(&bytes).into_owned();
            let Header::Invalid(why) = parse(&bytes) else {
                panic!("{shown}: {:?}", parse(&bytes))
            };
            assert!(why.contains(said), "{shown}: {why}");
            // Once found out it stays so, and nothing shorter was taken for whole.
            assert_eq!(parse(&[&bytes[..], b"\r\n"].concat()), Header::Invalid(why));
            for length in 0..bytes.len() {
                assert!(!matches!(parse(&bytes[..length]), Header::Done { .. }), "{shown}");
            }
        }
    }

    /// However a header is damaged: no panic, the answer does not depend on how the bytes are cut,
    /// and nothing incomplete is longer than a header may be.
    #[test]
    fn damaged_headers_get_one_answer_however_they_are_cut() {
        let lawful = lawful();
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move |below: usize| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for turn in 0..20_000 {
            let mut bytes = lawful[turn % lawful.len()].0.clone();
            for _ in 0..=random(3) {
                if bytes.is_empty() {
                    break;
                }
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes[at] = random(256) as u8,
                    1 => drop(bytes.remove(at)),
                    2 => bytes.insert(at, b" \r\n0:P\0\x21"[random(8)]),
                    _ => bytes.truncate(at + 1),
                }
            }
            let whole = parse(&bytes);
            match &whole {
                Header::Done { length, .. } => assert!(*length <= bytes.len().min(BYTES_MAX)),
                Header::Incomplete => assert!(bytes.len() < BYTES_MAX),
                Header::Invalid(_) => {}
            }
            // The first answer that is not "incomplete" is the last.
            let first =
                (0..=bytes.len()).map(|n| parse(&bytes[..n])).find(|h| *h != Header::Incomplete);
            match (&whole, first.unwrap_or(Header::Incomplete)) {
                (Header::Invalid(_), Header::Invalid(_)) => {}
                (whole, first) => assert_eq!(*whole, first, "{bytes:?}"),
            }
        }
    }

    /// Both ends of a connection on this machine.
    async fn connection() -> (TcpStream, TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn reading_stops_where_the_header_ends() {
        use tokio::io::AsyncWriteExt;
        for (header, source) in lawful() {
            let (mut client, mut server) = connection().await;
            let sent = tokio::spawn(async move {
                client.set_nodelay(true).unwrap();
                let (first, rest) = header.split_at(header.len() / 2);
                client.write_all(first).await.unwrap();
                tokio::task::yield_now().await;
                client.write_all(&[rest, b"next"].concat()).await.unwrap();
            });
            let read = read(&mut server).await.unwrap();
            assert_eq!(read, source.map(|source| source.parse().unwrap()));
            let mut next = String::new();
            server.read_to_string(&mut next).await.unwrap();
            assert_eq!(next, "next");
            sent.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_connection_that_does_not_begin_with_a_header_is_an_error() {
        use tokio::io::AsyncWriteExt;
        for (bytes, kind) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], io::ErrorKind::InvalidData),
            (b"PROXY TCP4 198.51.100.7", io::ErrorKind::UnexpectedEof),
            (b"", io::ErrorKind::UnexpectedEof),
        ] {
            let (mut client, mut server) = connection().await;
            client.write_all(bytes).await.unwrap();
            drop(client);
            assert_eq!(read(&mut server).await.unwrap_err().kind(), kind);
        }
    }
}
