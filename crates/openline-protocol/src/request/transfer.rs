//! What a client says about files that it sends.

use bytes::Bytes;
use bytestring::ByteString;

use super::params::{Params, bad};
use crate::limits::{
    CONTENT_TYPE_BYTES_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX, SHA256_BYTES, UPLOAD_BYTES_MAX,
};
use crate::{Data, Fault};

/// `upload`: which transfer.
#[derive(Debug, Clone, PartialEq)]
pub enum Upload {
    /// A new one, or that of its key.
    Begin(NewFile),
    /// The one that this text of an earlier answer names.
    Resume(ByteString),
}

/// A file that a client wants to send.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFile {
    /// What it is called: 1 to 255 bytes as they came. It may look like a path.
    pub name: ByteString,
    /// Its bytes; none where that is not known yet.
    pub size: Option<u64>,
    /// What it is. Letters that a header may have, at most 127 bytes.
    pub content_type: Option<ByteString>,
    /// The same key gives the same transfer back. At most 64 bytes.
    pub key: Option<ByteString>,
}

/// `chunk`: bytes of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// The transfer.
    pub upload: ByteString,
    /// Where in the file they stand.
    pub offset: u64,
    /// The bytes.
    pub data: Bytes,
}

/// `complete`: all of a file was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Complete {
    /// The transfer.
    pub upload: ByteString,
    /// What the client has for the SHA-256 of the file.
    pub sha256: Option<[u8; SHA256_BYTES]>,
}

pub(super) fn upload(params: &Params<'_>) -> Result<Upload, Fault> {
    if let Some(upload) = optional_name(params)? {
        for ignored in ["name", "size", "contentType", "key"] {
            params.take(ignored);
        }
        return Ok(Upload::Resume(upload));
    }
    let name = params.name_up_to("name", NAME_BYTES_MAX)?;
    let content_type = params.name_up_to("contentType", CONTENT_TYPE_BYTES_MAX)?;
    let is_header = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if content_type.as_deref().is_some_and(|text| !is_header(text)) {
        return Err(bad("`contentType` must be of printable ASCII letters".to_owned()));
    }
    Ok(Upload::Begin(NewFile {
        name: params.source.byte_string(params.required("name", name)?),
        size: params.unsigned("size", u64::MAX)?,
        content_type: content_type.map(|text| params.source.byte_string(text)),
        key: params.name_up_to("key", KEY_BYTES_MAX)?.map(|key| params.source.byte_string(key)),
    }))
}

pub(super) fn chunk(params: &Params<'_>) -> Result<Chunk, Fault> {
    let upload = name(params)?;
    let offset = params.unsigned("offset", u64::MAX)?;
    let offset = params.required("offset", offset)?;
    match params.data()? {
        Some(Data::Binary(data)) => Ok(Chunk { upload, offset, data }),
        Some(Data::Json(_)) => {
            Err(bad("the `data` of a chunk must be bytes: bin in MessagePack, or base64 with \
             `encoding` base64"
                .to_owned()))
        }
        None => Err(bad(params.missing("data"))),
    }
}

pub(super) fn complete(params: &Params<'_>) -> Result<Complete, Fault> {
    let upload = name(params)?;
    let sha256 = params.text("sha256")?;
    let sha256 = sha256.map(|text| {
        digest(&text).ok_or_else(|| bad("`sha256` must be 64 hexadecimal digits".to_owned()))
    });
    Ok(Complete { upload, sha256: sha256.transpose()? })
}

/// Which transfer the message is about.
pub(super) fn name(params: &Params<'_>) -> Result<ByteString, Fault> {
    let upload = optional_name(params)?;
    params.required("upload", upload)
}

fn optional_name(params: &Params<'_>) -> Result<Option<ByteString>, Fault> {
    let upload = params.name_up_to("upload", UPLOAD_BYTES_MAX)?;
    Ok(upload.map(|upload| params.source.byte_string(upload)))
}

fn digest(text: &str) -> Option<[u8; SHA256_BYTES]> {
    let mut digest = [0; SHA256_BYTES];
    let text = text.as_bytes();
    if text.len() != 2 * SHA256_BYTES {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        // Two digits of four bits each.
        *byte = (high << 4 | low) as u8;
    }
    Some(digest)
}
