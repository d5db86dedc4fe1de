//! Payloads.

use bytes::Bytes;
use bytestring::ByteString;

use crate::Fault;
use crate::json::Scanner;

/// What a publication, an answer or a member carries. It passes through as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Exactly one JSON value. Whoever makes one from text that it did not write itself uses
    /// [`Data::from_json_text`].
    Json(ByteString),
    /// Bytes, which only MessagePack can carry as they are.
    Binary(Bytes),
}

impl Data {
    /// JSON's `null`.
    pub fn null() -> Self {
        Self::Json(ByteString::from_static("null"))
    }

    /// Checks that the text is one JSON value, nested at most `depth_max` deep, and never more than
    /// 128. White space around it is taken off.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidJson`](crate::ErrorCode::InvalidJson) or
    /// [`ErrorCode::BadRequest`](crate::ErrorCode::BadRequest), with the place in the text.
    pub fn from_json_text(text: ByteString, depth_max: usize) -> Result<Self, Fault> {
        let mut scanner = Scanner::new(&text);
        let value = scanner.value(depth_max).and_then(|value| scanner.end().map(|()| value));
        match value {
            Ok(value) => Ok(Self::Json(text.slice_ref(value.text))),
            Err(broken) => Err(Fault::broken_json(&text, broken, depth_max)),
        }
    }

    /// How many bytes it has: of text, or as they are.
    pub fn len(&self) -> usize {
        match self {
            Self::Json(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether it has no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
