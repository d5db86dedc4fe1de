//! Uploads, whose files the test gives as the vector's chunks come.

use std::time::Duration;

use openline_client::{Client, UploadControl};
use serde_json::Value;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

use crate::calls::{Call, text};
use crate::{said, told};

/// More than a file of a vector has.
const FILE_MAX: usize = 64 * 1024;

pub(crate) struct Uploading {
    pub(crate) call: Call,
    control: UploadControl,
    /// Where the reader's bytes come from; the file ends when this is dropped.
    file: DuplexStream,
}

/// An upload of a file whose bytes are not known yet, but their sum, if it is to be said.
pub(crate) fn begin(client: &Client, message: &Value, sum: Option<&str>) -> Uploading {
    let (file, reader) = duplex(FILE_MAX);
    let mut upload = client.upload(reader, text(message, "name").unwrap_or("none"));
    if let Some(bytes) = message["size"].as_u64() {
        upload = upload.size(bytes);
    }
    if let Some(kind) = text(message, "contentType") {
        upload = upload.content_type(kind);
    }
    if let Some(key) = text(message, "key") {
        upload = upload.key(key);
    }
    if let Some(name) = text(message, "upload") {
        upload = upload.resume(name);
    }
    if let Some(digits) = sum {
        upload = upload.sha256(digits);
    }
    let control = upload.control();
    let call = tokio::spawn(async { upload.await.map(|file| told::file(&file)) });
    Uploading { call, control, file }
}

impl Uploading {
    /// Whether the server calls it so.
    pub(crate) fn is(&self, message: &Value) -> bool {
        self.control.upload_name().borrow().as_deref() == text(message, "upload")
    }

    /// The server has so much of it.
    pub(crate) async fn opened(&mut self, answer: &Value) -> Result<(), String> {
        let stored = answer["data"]["offset"].as_u64().unwrap();
        let name = text(&answer["data"], "upload");
        let mut told = self.control.upload_name();
        let told = told.wait_for(|told| told.as_deref() == name);
        soon(told, "what the server calls it").await?;
        // What the server has is read past, whatever it is.
        self.file.write_all(&vec![0; stored as usize]).await.unwrap();
        self.has_stored(stored).await
    }

    /// The file has this chunk.
    pub(crate) async fn give(&mut self, chunk: &Value) {
        self.file.write_all(&said::bytes(chunk)).await.unwrap();
    }

    pub(crate) async fn has_stored(&self, offset: u64) -> Result<(), String> {
        let mut stored = self.control.stored();
        let reached = stored.wait_for(|stored| *stored == offset);
        soon(reached, "how much is stored").await
    }

    /// That was all.
    pub(crate) fn end(self) -> Call {
        self.call
    }

    pub(crate) fn cancel(self) -> Call {
        self.control.cancel();
        self.call
    }
}

/// Waits until it is told.
async fn soon<T>(told: impl Future<Output = T>, what: &str) -> Result<(), String> {
    let told = tokio::time::timeout(Duration::from_secs(5), told).await;
    told.map(drop).map_err(|_| format!("{what} is not told"))
}
