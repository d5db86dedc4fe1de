//! What holds of any address of a stream or a poll, and of any place that a reader says it is at.

use ::http::{HeaderMap, HeaderValue};

use super::asked::{Asked, SESSION_HEADER};
use super::secret::SessionSecret;
use crate::exchange::{CHANNELS_MAX, Cursor, Since};
use crate::fuzzing::halves;

/// Channels are as many as there may be, each once; what is read of a place or a session is what was
/// written.
pub fn queries(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return from_header(data) };
    if let Some(session) = SessionSecret::parse(text) {
        assert_eq!(session.text(), text);
    }
    if let Ok(cursor) = text.parse::<Cursor>() {
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }
    let Ok(asked) = Asked::read(Some(text), &HeaderMap::new()) else { return };
    assert!(asked.channels.len() <= CHANNELS_MAX);
    let mut names = asked.channels.clone();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), asked.channels.len());
    let since = Since::read(asked.position.as_deref(), &asked.channels);
    for channel in &asked.channels {
        let _ = since.position(channel);
    }
    let cursor = Cursor::continuing(&asked.channels, &since);
    let read = Since::read(cursor.text().as_deref(), &asked.channels);
    for channel in &asked.channels {
        assert_eq!(read.position(channel), since.position(channel));
    }
    let _ = Asked::ticket(Some(text));
}

/// The session may be in a header, of any bytes that a header may have.
fn from_header(data: &[u8]) {
    let (header, query) = halves(data);
    let Ok(value) = HeaderValue::from_bytes(header) else { return };
    let headers = HeaderMap::from_iter([(SESSION_HEADER.parse().expect("a name"), value)]);
    let query = std::str::from_utf8(query).ok();
    if let Ok(Asked { session: Some(session), .. }) = Asked::read(query, &headers) {
        assert_eq!(session.text().as_bytes(), header);
    }
}
