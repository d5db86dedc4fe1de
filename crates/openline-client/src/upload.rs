//! Sending files.

use std::collections::VecDeque;
use std::future::IntoFuture;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use openline_protocol::{
    Chunk, Command, Complete, Message, NewFile, StoredFile, Upload as Begin, UploadOpen,
};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{oneshot, watch};

use crate::client::Client;
use crate::core::Outgoing;
use crate::error::Error;

/// Bytes of a chunk at most, so that other messages need not wait for long behind one.
const CHUNK_MAX: u64 = 64 * 1024;
/// Bytes that are sent and not stored at most, so that others have room in the queue.
const WINDOW_MAX: usize = 256 * 1024;

/// A file that is sent when it is awaited. A lost line does not end it: what was not stored goes out
/// again on the next.
///
/// What ends it is an error of the server's, or of the reader. With a [`key`](Self::key) it can be begun
/// again, by another process too: what is stored already is read past.
#[must_use = "it is sent when it is awaited"]
pub struct Upload<R> {
    client: Client,
    reader: R,
    file: NewFile,
    control: UploadControl,
    progress: watch::Sender<u64>,
}

/// Pauses an upload, and shows how far it is. Clones are of the same upload.
#[derive(Debug, Clone)]
pub struct UploadControl {
    paused: watch::Sender<bool>,
    stored: watch::Receiver<u64>,
}

impl UploadControl {
    /// Sends nothing more for now. What is on its way still arrives.
    pub fn pause(&self) {
        self.paused.send_replace(true);
    }

    /// Goes on.
    pub fn resume(&self) {
        self.paused.send_replace(false);
    }

    /// How many bytes the server has stored, and all changes of that from now on.
    pub fn stored(&self) -> watch::Receiver<u64> {
        self.stored.clone()
    }
}

impl<R: AsyncRead + Send + Unpin + 'static> Upload<R> {
    pub(crate) fn new(client: Client, reader: R, name: &str) -> Self {
        let key = format!("{:032x}", rand::random::<u128>()).into();
        let (progress, stored) = watch::channel(0);
        let control = UploadControl { paused: watch::Sender::new(false), stored };
        let file = NewFile { name: name.into(), size: None, content_type: None, key: Some(key) };
        Self { client, reader, file, control, progress }
    }

    /// How many bytes there are, so that a file that is too long is refused at once.
    pub fn size(mut self, bytes: u64) -> Self {
        self.file.size = Some(bytes);
        self
    }

    /// What it is, as in HTTP.
    pub fn content_type(mut self, kind: impl Into<ByteString>) -> Self {
        self.file.content_type = Some(kind.into());
        self
    }

    /// The key under which it can be begun again: 1 to 64 bytes. Without this one is made.
    pub fn key(mut self, key: impl Into<ByteString>) -> Self {
        self.file.key = Some(key.into());
        self
    }

    /// What pauses it, and shows how far it is.
    pub fn control(&self) -> UploadControl {
        self.control.clone()
    }

    async fn send(mut self) -> Result<StoredFile, Error> {
        let begin = Command::Upload(Begin::Begin(self.file.clone()));
        let Message::UploadOpen { open, .. } = self.client.ask(begin).await? else {
            return Err(Error::Unexpected);
        };
        self.read_past(open.offset).await?;
        self.send_chunks(&open).await?;
        let complete = Complete { upload: open.upload, sha256: None };
        match self.client.ask(Command::Complete(complete)).await? {
            Message::UploadComplete { file, .. } => Ok(file),
            _ => Err(Error::Unexpected),
        }
    }

    /// What is stored already is not sent again.
    async fn read_past(&mut self, bytes: u64) -> Result<(), Error> {
        self.progress.send_replace(bytes);
        let mut past = (&mut self.reader).take(bytes);
        let read = tokio::io::copy(&mut past, &mut tokio::io::sink()).await.map_err(unreadable)?;
        match read == bytes {
            true => Ok(()),
            false => Err(Error::Payload(format!(
                "the server has {bytes} bytes of the file, and it has only {read}"
            ))),
        }
    }

    async fn send_chunks(&mut self, open: &UploadOpen) -> Result<(), Error> {
        let chunk_max = open.chunk_max.clamp(1, CHUNK_MAX) as usize;
        let window = usize::try_from(open.window).unwrap_or(usize::MAX).min(WINDOW_MAX);
        let mut offset = open.offset;
        let (mut under_way, mut bytes): (VecDeque<UnderWay>, usize) = (VecDeque::new(), 0);
        loop {
            let mut paused = self.control.paused.subscribe();
            // The sender lives as long as this does.
            let _ = paused.wait_for(|paused| !paused).await;
            let data = self.read_chunk(chunk_max).await?;
            let is_last = data.is_empty();
            while !under_way.is_empty() && (is_last || bytes + data.len() > window) {
                let Some(oldest) = under_way.pop_front() else { break };
                bytes -= oldest.bytes;
                self.progress.send_replace(oldest.stored().await?);
            }
            if is_last {
                return Ok(());
            }
            let len = data.len();
            let chunk = Command::Chunk(Chunk { upload: open.upload.clone(), offset, data });
            under_way
                .push_back(UnderWay { bytes: len, answer: self.client.hand_over(chunk).await? });
            offset += len as u64;
            bytes += len;
        }
    }

    /// The next bytes of the file; none at its end.
    async fn read_chunk(&mut self, max: usize) -> Result<Bytes, Error> {
        let mut chunk = BytesMut::with_capacity(max);
        while chunk.len() < max {
            let left = (max - chunk.len()) as u64;
            let read = (&mut self.reader).take(left).read_buf(&mut chunk).await;
            if read.map_err(unreadable)? == 0 {
                break;
            }
        }
        Ok(chunk.freeze())
    }
}

impl<R: AsyncRead + Send + Unpin + 'static> IntoFuture for Upload<R> {
    type Output = Result<StoredFile, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// A chunk that was handed over.
struct UnderWay {
    bytes: usize,
    answer: oneshot::Receiver<Result<Message, Error>>,
}

impl UnderWay {
    /// Waits until it is stored, and says how much is.
    async fn stored(self) -> Result<u64, Error> {
        match self.answer.await.unwrap_or(Err(Error::ConnectionLost))? {
            Message::ChunkStored { offset, .. } => Ok(offset),
            _ => Err(Error::Unexpected),
        }
    }
}

impl Client {
    /// Sends what `reader` gives as a file of this name.
    pub fn upload<R>(&self, reader: R, name: &str) -> Upload<R>
    where
        R: AsyncRead + Send + Unpin + 'static,
    {
        Upload::new(self.clone(), reader, name)
    }

    /// Hands a chunk over, once there is room for it. Where it was sent before, the server knows.
    async fn hand_over(
        &self,
        command: Command,
    ) -> Result<oneshot::Receiver<Result<Message, Error>>, Error> {
        let message =
            Outgoing { command, again: true, timeout: None, volatile: false, patient: true };
        self.handle.shared.hand_over(&message).await
    }
}

fn unreadable(error: std::io::Error) -> Error {
    Error::Payload(format!("the file cannot be read: {error}"))
}
