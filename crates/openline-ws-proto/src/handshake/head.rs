//! Heads of HTTP/1.1 messages: collected from bytes as they come, parsed once, written.

use std::fmt;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
};

/// The longest head, in bytes, its empty line included.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The most headers that a head may have.
pub const HEADERS_MAX: usize = 64;

/// Why a head cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// It is longer than [`HEAD_BYTES_MAX`].
    TooLong,
    /// It has more than [`HEADERS_MAX`] headers.
    TooManyHeaders,
    /// It is not HTTP/1.1; says what is wrong.
    Malformed(String),
}

impl HeadError {
    /// The status of the answer, and a code for programs.
    pub fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::TooLong | Self::TooManyHeaders => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large")
            }
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "bad_request"),
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "Request head exceeds {HEAD_BYTES_MAX} bytes."),
            Self::TooManyHeaders => write!(f, "Request head has more than {HEADERS_MAX} headers."),
            Self::Malformed(what) => write!(f, "Not an HTTP/1.1 head: {what}."),
        }
    }
}

impl std::error::Error for HeadError {}

/// Collects a head from pieces, looking at each byte once.
#[derive(Debug, Default)]
pub struct HeadReader {
    bytes: Vec<u8>,
    /// Length of the head with its empty line, once it is known.
    head_len: Option<usize>,
}

impl HeadReader {
    /// A reader that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes; returns whether the head is whole. All bytes are kept, those behind the
    /// head for [`HeadReader::into_rest`].
    ///
    /// # Errors
    /// [`HeadError::TooLong`] as soon as that is certain.
    pub fn handle_input(&mut self, bytes: &[u8]) -> Result<bool, HeadError> {
        if self.head_len.is_some() {
            self.bytes.extend_from_slice(bytes);
            return Ok(true);
        }
        // The end may have begun in the bytes before.
        let from = self.bytes.len().saturating_sub(3);
        self.bytes.extend_from_slice(bytes);
        let end = self.bytes[from..].windows(4).position(|window| window == b"\r\n\r\n");
        self.head_len = end.map(|at| from + at + 4);
        if self.head_len.unwrap_or(self.bytes.len()) > HEAD_BYTES_MAX {
            return Err(HeadError::TooLong);
        }
        Ok(self.head_len.is_some())
    }

    /// All bytes so far.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All bytes so far, for somebody else to read.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The bytes behind the head: a peer need not wait for the answer to the handshake.
    pub fn into_rest(mut self) -> Vec<u8> {
        let rest = self.bytes.split_off(self.head_len.unwrap_or(0));
        if rest.is_empty() { Vec::new() } else { rest }
    }

    /// The head as a request; to be called when it is whole.
    ///
    /// # Errors
    /// When it is not one.
    pub fn request(&self) -> Result<Request<()>, HeadError> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut headers);
        complete(parsed.parse(self.head()), self.head().len())?;
        let malformed = |what: &str| HeadError::Malformed(what.to_owned());
        let method = Method::from_bytes(parsed.method.unwrap_or_default().as_bytes())
            .map_err(|_| malformed("invalid method"))?;
        let uri: Uri =
            parsed.path.unwrap_or_default().parse().map_err(|_| malformed("invalid target"))?;
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.version_mut() = version(parsed.version);
        *request.headers_mut() = header_map(parsed.headers)?;
        Ok(request)
    }

    /// The head as a response; to be called when it is whole.
    ///
    /// # Errors
    /// When it is not one.
    pub fn response(&self) -> Result<Response<()>, HeadError> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Response::new(&mut headers);
        complete(parsed.parse(self.head()), self.head().len())?;
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(parsed.code.unwrap_or_default())
            .map_err(|_| HeadError::Malformed("invalid status".to_owned()))?;
        *response.version_mut() = version(parsed.version);
        *response.headers_mut() = header_map(parsed.headers)?;
        Ok(response)
    }

    fn head(&self) -> &[u8] {
        &self.bytes[..self.head_len.unwrap_or(self.bytes.len())]
    }
}

fn complete(result: httparse::Result<usize>, head_len: usize) -> Result<(), HeadError> {
    match result {
        Ok(httparse::Status::Complete(len)) if len == head_len => Ok(()),
        // RFC 9112 §2.2 allows to take a bare LF for the end of a line, so the parser may see the
        // end of the head before this reader does. What two readers see differently is refused.
        Ok(httparse::Status::Complete(_)) => {
            Err(HeadError::Malformed("a line ends without CR".to_owned()))
        }
        Ok(httparse::Status::Partial) => Err(HeadError::Malformed("it is cut short".to_owned())),
        Err(httparse::Error::TooManyHeaders) => Err(HeadError::TooManyHeaders),
        Err(error) => Err(HeadError::Malformed(error.to_string())),
    }
}

fn version(minor: Option<u8>) -> Version {
    if minor == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 }
}

fn header_map(parsed: &[httparse::Header<'_>]) -> Result<HeaderMap, HeadError> {
    let mut headers = HeaderMap::with_capacity(parsed.len());
    for header in parsed {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok();
        let value = HeaderValue::from_bytes(header.value).ok();
        let (Some(name), Some(value)) = (name, value) else {
            return Err(HeadError::Malformed(format!("invalid header {:?}", header.name)));
        };
        headers.append(name, value);
    }
    Ok(headers)
}

/// Writes a request's head for HTTP/1.1.
pub fn encode_request<B>(request: &Request<B>) -> Vec<u8> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let mut out = format!("{} {target} HTTP/1.1\r\n", request.method()).into_bytes();
    encode_headers(request.headers(), &mut out);
    out
}

/// Writes a response, with its body if it has one, for HTTP/1.1.
pub fn encode_response(response: &Response<impl AsRef<[u8]>>) -> Vec<u8> {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or("");
    let mut out = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    encode_headers(response.headers(), &mut out);
    out.extend_from_slice(response.body().as_ref());
    out
}

fn encode_headers(headers: &HeaderMap, out: &mut Vec<u8>) {
    for (name, value) in headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "GET /chat?x=1 HTTP/1.1\r\nHost: a\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n";

    #[test]
    fn a_head_reads_the_same_whole_byte_by_byte_and_with_bytes_behind_it() {
        let chunkings: [Vec<&[u8]>; 2] =
            [vec![HEAD.as_bytes()], HEAD.as_bytes().chunks(1).collect()];
        for rest in [&b""[..], b"\x81\x80abcd\r\n\r\n"] {
            for chunks in &chunkings {
                let mut reader = HeadReader::new();
                let (last, before) = chunks.split_last().unwrap();
                for chunk in before {
                    assert_eq!(reader.handle_input(chunk), Ok(false));
                }
                assert_eq!(reader.handle_input(&[last, rest].concat()), Ok(true));
                let request = reader.request().unwrap();
                assert_eq!(request.uri(), "/chat?x=1");
                assert_eq!(request.headers().get_all("x-two").iter().count(), 2);
                assert_eq!(reader.into_rest(), rest);
            }
        }
    }

    #[test]
    fn a_head_of_17_kib_is_refused_before_it_ends() {
        let mut reader = HeadReader::new();
        let start = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(17 * 1024));
        assert_eq!(reader.handle_input(start.as_bytes()), Err(HeadError::TooLong));
    }

    #[test]
    fn of_65_headers_one_is_too_many() {
        for (count, fits) in [(64, true), (65, false)] {
            let mut reader = HeadReader::new();
            let head = format!("GET / HTTP/1.1\r\n{}\r\n", "A: 1\r\n".repeat(count));
            assert_eq!(reader.handle_input(head.as_bytes()), Ok(true));
            assert_eq!(
                reader.request().map(drop),
                if fits { Ok(()) } else { Err(HeadError::TooManyHeaders) }
            );
        }
    }

    #[test]
    fn other_protocols_are_named_as_not_http() {
        for bytes in
            [&b"\x16\x03\x01\x02\x00\r\n\r\n"[..], b"SSH-2.0-x\r\n\r\n", b"GET / HTTP/9\r\n\r\n"]
        {
            let mut reader = HeadReader::new();
            assert_eq!(reader.handle_input(bytes), Ok(true));
            assert!(matches!(reader.request(), Err(HeadError::Malformed(_))), "{bytes:?}");
        }
    }
}
