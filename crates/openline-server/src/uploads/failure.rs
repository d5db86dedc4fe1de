//! What goes wrong with transfers, as clients are told.

use std::io;

use bytestring::ByteString;
use openline_protocol::{ErrorCode, Fault};

use super::options::Options;
use super::table::NoRoom;

/// The disk did not do what it was asked for. What it said is for the log.
pub(super) fn of_disk(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Fault::new(ErrorCode::StorageFull, "the disk has no room left for files")
        }
        _ => Fault::new(ErrorCode::StorageFailed, "the disk could not be read or written"),
    }
}

pub(super) fn no_room(room: NoRoom, options: &Options) -> Fault {
    match room {
        NoRoom::Owner => Fault::new(
            ErrorCode::UploadLimit,
            format!(
                "more than the {} bytes of files that one user may have here (uploads.user_max)",
                options.owner_max
            ),
        ),
        NoRoom::Total => Fault::new(
            ErrorCode::StorageFull,
            "all files together may not take more (uploads.total_max); try again later",
        ),
    }
}

pub(super) fn no_such(id: &str) -> Fault {
    let message = "there is no such transfer, or none any more; begin it anew";
    Fault::new(ErrorCode::NotFound, message).of_transfer(ByteString::from(id), None)
}

pub(super) fn bad_offset(id: &str, offset: u64, expected: u64) -> Fault {
    let message = format!("the chunk begins at {offset}; go on from {expected}");
    Fault::new(ErrorCode::BadOffset, message).of_transfer(ByteString::from(id), Some(expected))
}

pub(super) fn incomplete(id: &str, stored: u64, all: u64) -> Fault {
    let message = format!("{stored} of {all} bytes are here; go on from {stored}");
    Fault::new(ErrorCode::Incomplete, message).of_transfer(ByteString::from(id), Some(stored))
}

pub(super) fn too_large(id: Option<&str>, message: String) -> Fault {
    let fault = Fault::new(ErrorCode::TooLarge, message);
    match id {
        Some(id) => fault.of_transfer(ByteString::from(id), None),
        None => fault,
    }
}

pub(super) fn over_size_max(id: Option<&str>, size_max: u64) -> Fault {
    too_large(id, format!("a file may have at most {size_max} bytes (uploads.size_max)"))
}

pub(super) fn checksum_mismatch(id: &str, found: &str) -> Fault {
    let message = format!("the SHA-256 of what came is {found}; send the file again");
    Fault::new(ErrorCode::ChecksumMismatch, message).of_transfer(ByteString::from(id), None)
}
