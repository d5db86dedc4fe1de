//! `GET /uploads/<transfer>`: a file for whoever knows what its transfer is called.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ::http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_RANGE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use openline_protocol::StoredFile;
use openline_ws::Rejection;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::Semaphore;

use super::{CONTENT_TYPE as UNKNOWN_TYPE, Shared, Uploads};
use crate::node::Node;

/// What stands before the name of the transfer.
pub(crate) const PREFIX: &str = "/uploads/";

/// What is read at a time, and held for a reader that is slow.
const READ_BYTES: u64 = 64 << 10;
/// Reads at a time, of all downloads.
pub(super) const READS_MAX: usize = 16;

/// RFC 8187 section 3.2.1: what may stand in a parameter as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Answers a request whose host is checked. The name of the transfer is all that it needs, so it is
/// not asked who it is from.
pub(crate) fn answer<B>(node: &Node, request: &Request<B>) -> Response<Body> {
    let mut response = respond(&node.uploads, request).unwrap_or_else(|rejection| {
        let mut response = rejection.response().map(Body::from);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    });
    node.settings().guard.cors(request).apply(response.headers_mut());
    response
}

fn respond<B>(uploads: &Uploads, request: &Request<B>) -> Result<Response<Body>, Rejection> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let message = format!("A file takes GET, got {}.", request.method());
        return Err(Rejection::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
            .header(ALLOW, HeaderValue::from_static("GET, HEAD")));
    }
    let id = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    let file = uploads.file(id).ok_or_else(|| {
        let message = "There is no such file, or none any more.";
        Rejection::new(StatusCode::NOT_FOUND, "not_found", message)
    })?;
    let part = part(request.headers(), &file)?;
    let range = part.clone().unwrap_or(0..file.size);
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    describe(headers, &file);
    if let Some(Range { start, end }) = part {
        let text = format!("bytes {start}-{}/{}", end - 1, file.size);
        insert(headers, CONTENT_RANGE, &text);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    if *request.method() == Method::GET {
        let reads = uploads.reads.clone();
        let shared = uploads.shared.clone();
        let file = FileBody { shared, reads, id: file.upload, left: range, reading: None };
        *response.body_mut() = Body::new(file);
    }
    Ok(response)
}

/// What a client sent is never shown as a page of this server.
fn describe(headers: &mut HeaderMap, file: &StoredFile) {
    let kind = HeaderValue::from_str(&file.content_type);
    headers.insert(CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static(UNKNOWN_TYPE)));
    let name = utf8_percent_encode(&file.name, PLAIN);
    insert(headers, CONTENT_DISPOSITION, &format!("attachment; filename*=UTF-8''{name}"));
    insert(headers, ETAG, &etag(file));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    let policy = HeaderValue::from_static("sandbox; default-src 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, policy);
}

fn etag(file: &StoredFile) -> String {
    format!("\"{}\"", file.sha256)
}

/// `text` is ASCII without control characters.
fn insert(headers: &mut HeaderMap, name: ::http::HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// The part that is asked for; none for the whole. RFC 9110 section 14.2: what cannot be read, or
/// asks for several parts, may be answered with the whole.
pub(super) fn part(
    headers: &HeaderMap,
    file: &StoredFile,
) -> Result<Option<Range<u64>>, Rejection> {
    let is_other = |tag: &HeaderValue| tag.as_bytes() != etag(file).as_bytes();
    if headers.get(IF_RANGE).is_some_and(is_other) {
        return Ok(None);
    }
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let Some((first, last)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
    else {
        return Ok(None);
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let range = match (first.trim(), last.trim()) {
        ("", last) => match number(last) {
            Some(count) => file.size.saturating_sub(count)..file.size,
            None => return Ok(None),
        },
        (first, "") => match number(first) {
            Some(first) => first..file.size,
            None => return Ok(None),
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => {
                first..file.size.min(last.saturating_add(1))
            }
            _ => return Ok(None),
        },
    };
    if range.is_empty() {
        let message = format!("The file has {} bytes, and the range none of them.", file.size);
        let all = format!("bytes */{}", file.size);
        let all = HeaderValue::from_str(&all).unwrap_or(HeaderValue::from_static("bytes */*"));
        return Err(Rejection::new(StatusCode::RANGE_NOT_SATISFIABLE, "bad_request", message)
            .header(CONTENT_RANGE, all));
    }
    Ok(Some(range))
}

type Reading = Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + Send>>;

/// A file, or a part of it, read as it is sent. It is opened for each read, so that one who does not
/// take it holds no descriptor.
struct FileBody {
    shared: Arc<Shared>,
    reads: Arc<Semaphore>,
    id: Arc<str>,
    left: Range<u64>,
    reading: Option<Reading>,
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if this.left.is_empty() {
            return Poll::Ready(None);
        }
        let reading = this.reading.get_or_insert_with(|| {
            let (shared, reads, id) = (this.shared.clone(), this.reads.clone(), this.id.clone());
            let (start, len) = (this.left.start, READ_BYTES.min(this.left.end - this.left.start));
            Box::pin(read(shared, reads, id, start, len))
        });
        let read = ready!(reading.as_mut().poll(cx));
        this.reading = None;
        Poll::Ready(Some(read.map(|bytes| {
            this.left.start += bytes.len() as u64;
            Frame::data(bytes.into())
        })))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.end - self.left.start)
    }
}

async fn read(
    shared: Arc<Shared>,
    reads: Arc<Semaphore>,
    id: Arc<str>,
    start: u64,
    len: u64,
) -> io::Result<Vec<u8>> {
    let _permit = reads.acquire().await.map_err(io::Error::other)?;
    // At most READ_BYTES.
    let read = move || shared.directory.read(&id, start, len as usize);
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn file(size: u64) -> StoredFile {
        StoredFile {
            upload: "u-1".into(),
            name: "a \"b\"\u{e4}.txt".to_owned(),
            size,
            content_type: "text/plain".to_owned(),
            sha256: "ab".to_owned(),
            url: String::new(),
            expires_at: 0,
        }
    }

    fn asked(range: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(RANGE, HeaderValue::from_static(range))])
    }

    #[test]
    fn one_part_is_given_and_what_is_odd_is_the_whole() {
        for (range, expected) in [
            ("bytes=0-0", Some(0..1)),
            ("bytes=2-5", Some(2..6)),
            ("bytes=2-", Some(2..10)),
            ("bytes=-3", Some(7..10)),
            ("bytes=-30", Some(0..10)),
            ("bytes=5-18446744073709551615", Some(5..10)),
            ("bytes=0-1,3-4", None),
            ("bytes=5-2", None),
            ("bytes=a-b", None),
            ("lines=1-2", None),
        ] {
            assert_eq!(part(&asked(range), &file(10)).unwrap(), expected, "{range}");
        }
        for range in ["bytes=10-", "bytes=99-100", "bytes=-0"] {
            assert!(part(&asked(range), &file(10)).is_err(), "{range}");
        }
        let mut other = asked("bytes=1-2");
        other.insert(IF_RANGE, HeaderValue::from_static("\"cd\""));
        assert_eq!(part(&other, &file(10)).unwrap(), None);
        other.insert(IF_RANGE, HeaderValue::from_static("\"ab\""));
        assert_eq!(part(&other, &file(10)).unwrap(), Some(1..3));
    }

    #[test]
    fn no_name_breaks_out_of_its_header() {
        let mut headers = HeaderMap::new();
        describe(&mut headers, &file(10));
        let expected = "attachment; filename*=UTF-8''a%20%22b%22%C3%A4.txt";
        assert_eq!(headers[CONTENT_DISPOSITION], expected);
    }
}
