//! Why a request was not done.

use std::fmt;

use bytestring::ByteString;

use crate::json::{Broken, Explained};
use crate::{ErrorCode, Id};

/// What the sender of a request is told when it was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The id of the request, if one could be read.
    pub id: Option<Id>,
    /// For programs.
    pub code: ErrorCode,
    /// For people: what was wrong and what would be right.
    pub message: String,
    /// When to try again, in milliseconds from now.
    pub retry_after_ms: Option<u64>,
    /// Which transfer it is about.
    pub transfer: Option<Box<OfTransfer>>,
}

/// Which transfer a fault is about, and how far that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfTransfer {
    /// Its name.
    pub upload: ByteString,
    /// How many bytes of it are stored, where the client has to know that to go on.
    pub offset: Option<u64>,
}

impl Fault {
    /// A fault without an id and without a time to try again.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { id: None, code, message: message.into(), retry_after_ms: None, transfer: None }
    }

    /// The fault as the answer to the request with this id.
    #[must_use]
    pub fn with_id(mut self, id: Option<Id>) -> Self {
        self.id = id;
        self
    }

    /// The fault of a transfer, which is so far.
    #[must_use]
    pub fn of_transfer(mut self, upload: ByteString, offset: Option<u64>) -> Self {
        self.transfer = Some(Box::new(OfTransfer { upload, offset }));
        self
    }

    /// The fault with a time to try again.
    #[must_use]
    pub fn with_retry_after_ms(mut self, milliseconds: u64) -> Self {
        self.retry_after_ms = Some(milliseconds);
        self
    }
}

impl ErrorCode {
    /// The code that the text is. A text that is none of them is a mistake of the server's own.
    pub fn from_str_or_internal(text: &str) -> Self {
        text.parse().unwrap_or(Self::Internal)
    }
}

/// What goes wrong in both formats.
impl Fault {
    pub(crate) fn broken_json(text: &str, broken: Broken, depth_max: usize) -> Self {
        match broken {
            Broken::TooDeep => Self::too_deep(depth_max),
            Broken::Syntax { .. } => Self::new(
                ErrorCode::InvalidJson,
                format!("invalid JSON at {}", Explained(text, broken)),
            ),
        }
    }

    pub(crate) fn too_deep(depth_max: usize) -> Self {
        Self::new(ErrorCode::BadRequest, format!("nested more than {depth_max} deep"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Fault {}
