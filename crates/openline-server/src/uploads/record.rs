//! [`Record`]: what is kept on the disk about a file beside its bytes.

use serde::{Deserialize, Serialize};

use super::owner::Owner;

/// What a restarted server has to know of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    owner: String,
    pub(super) key: Option<String>,
    pub(super) name: String,
    pub(super) size: Option<u64>,
    pub(super) content_type: String,
    /// None before it is complete.
    pub(super) finished: Option<Finished>,
}

/// What is known of a file that is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Finished {
    /// In hexadecimal digits.
    pub(super) sha256: String,
    /// In milliseconds since 1970.
    pub(super) at: u64,
}

impl Record {
    pub(super) fn new(owner: &Owner, name: String, content_type: String) -> Self {
        let owner = owner.to_string();
        Self { owner, key: None, name, size: None, content_type, finished: None }
    }

    /// Whose it is; none if no server wrote that.
    pub(super) fn owner(&self) -> Option<Owner> {
        Owner::parse(&self.owner)
    }

    /// Whether a client that names its key means this file.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        self.name == other.name
            && self.content_type == other.content_type
            // A size that was not known at first is what came.
            && (self.size == other.size || (self.finished.is_some() && other.size.is_none()))
    }
}
