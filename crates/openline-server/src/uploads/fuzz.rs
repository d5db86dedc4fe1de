//! What holds of any name of a file, and of any header that asks for a part of one.

use ::http::header::{IF_RANGE, RANGE};
use ::http::{HeaderMap, HeaderValue};
use openline_protocol::StoredFile;

use super::download::part;
use super::label::label;
use super::owner::Owner;
use crate::fuzzing::halves;

/// A label is no path, hides nothing and stays as it is; a part is within the file; an owner is read as
/// it is written.
pub fn uploads(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let label_of = label(&text);
    assert!(
        !label_of.is_empty() && !label_of.starts_with('.') && label_of.len() <= text.len().max(4)
    );
    assert!(!label_of.contains(['/', '\\']) && !label_of.contains(char::is_control));
    assert_eq!(label(&label_of), label_of);
    if let Some(owner) = Owner::parse(&text) {
        assert_eq!(Owner::parse(&owner.to_string()), Some(owner));
    }
    let (range, tag) = halves(data);
    let mut headers = HeaderMap::new();
    for (name, value) in [(RANGE, range), (IF_RANGE, tag)] {
        if let (Ok(value), false) = (HeaderValue::from_bytes(value), value.is_empty()) {
            headers.insert(name, value);
        }
    }
    for size in [0, 1, 1000, u64::MAX] {
        if let Ok(Some(part)) = part(&headers, &file(size)) {
            assert!(part.start < part.end && part.end <= size);
        }
    }
}

fn file(size: u64) -> StoredFile {
    StoredFile {
        upload: "u".into(),
        name: "a".into(),
        size,
        content_type: "text/plain".into(),
        sha256: "0".into(),
        url: "/uploads/u".into(),
        expires_at: 0,
    }
}
