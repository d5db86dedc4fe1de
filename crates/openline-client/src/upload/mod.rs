//! Sending files.

mod control;
mod source;

use std::collections::VecDeque;
use std::future::IntoFuture;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use openline_protocol::limits::SHA256_BYTES;
use openline_protocol::{
    Chunk, Command, Complete, ErrorCode, Message, NewFile, StoredFile, Upload as Begin, UploadOpen,
};
use tokio::io::{AsyncRead, AsyncSeek};
use tokio::sync::{oneshot, watch};

use crate::client::Client;
use crate::core::Outgoing;
use crate::error::Error;
use crate::machine::State;
use source::Source;

pub use control::UploadControl;

/// Bytes of a chunk at most, so that other messages need not wait for long behind one.
const CHUNK_MAX: u64 = 64 * 1024;
/// Bytes that are sent and not stored at most, so that others have room in the queue.
const WINDOW_MAX: u64 = 256 * 1024;

/// After so many disturbances in a row without headway it fails.
const DISTURBANCES_MAX: u32 = 8;
/// How long it rests after one where the server does not say, times how many there were in a row.
const DISTURBANCE_DELAY: Duration = Duration::from_millis(500);

type Answer = oneshot::Receiver<Result<Message, Error>>;
type Sha256 = [u8; SHA256_BYTES];

/// A file that is sent when it is awaited. A lost line does not end it: what was not stored goes out
/// again on the next, and it waits for that as long as the client tries.
///
/// After what may pass, such as a disk of the server's that fails, it asks how far the server is and goes
/// on from there, 8 times in a row without headway at most. What is under way, 256 KiB at most, is kept
/// for that; where the server has less still, the reader has to go back, which it can if it is
/// [`seekable`](Self::seekable).
///
/// Dropping the future ends it here and says nothing to the server, so that it can be begun again: under
/// its [`key`](Self::key), by another process too, or by the server's name of it
/// ([`resume`](Self::resume)). The server forgets it by itself when nothing comes of it for long, an hour
/// where nothing else is configured. [`UploadControl::cancel`] is for what is not wanted any more.
///
/// # Errors
/// What the server answers, such as `too_large`; [`Error::Payload`] where the reader fails, cannot go
/// back, or has less than the server, and where a sum is not one; [`Error::Cancelled`];
/// [`Error::Stopped`] where the client has stopped.
#[must_use = "it is sent when it is awaited"]
pub struct Upload<R> {
    client: Client,
    source: Source<R>,
    file: NewFile,
    sha256: Result<Option<Sha256>, Error>,
    control: UploadControl,
    progress: watch::Sender<u64>,
    /// The server's name of it, once that is known.
    name: watch::Sender<Option<ByteString>>,
    /// The answer that will say the name, while it is awaited.
    opening: Option<Answer>,
}

impl<R: AsyncRead + Send + Unpin + 'static> Upload<R> {
    pub(crate) fn new(client: Client, reader: R, name: &str) -> Self {
        let key = format!("{:032x}", rand::random::<u128>()).into();
        let file = NewFile { name: name.into(), size: None, content_type: None, key: Some(key) };
        let (progress, name) = (watch::Sender::new(0), watch::Sender::new(None));
        let control = UploadControl::new(progress.subscribe(), name.subscribe());
        let (source, sha256, opening) = (Source::new(reader), Ok(None), None);
        Self { client, source, file, sha256, control, progress, name, opening }
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

    /// The key under which it can be begun again: 1 to 64 bytes. Without this one is made. The reader is
    /// then to give the file from its beginning; what the server has is passed over, and not compared.
    /// The same key with another name, size or type is refused with `idempotency_conflict`.
    pub fn key(mut self, key: impl Into<ByteString>) -> Self {
        self.file.key = Some(key.into());
        self
    }

    /// Goes on with a transfer by the server's name of it ([`UploadControl::upload_name`]), which decides
    /// instead of the key; name, size and type are those that it was begun with. The reader is to give
    /// the file from its beginning. If there is no such transfer any more, the answer is `not_found`.
    pub fn resume(self, upload: impl Into<ByteString>) -> Self {
        self.name.send_replace(Some(upload.into()));
        self
    }

    /// What the SHA-256 of the whole file is, in 64 hexadecimal digits, for the server to compare when it
    /// has all of it. If it has another, the answer is `checksum_mismatch`, and the transfer is gone. A
    /// text of another form is [`Error::Payload`], before anything is sent.
    pub fn sha256(mut self, digits: impl AsRef<str>) -> Self {
        let sum = digest(digits.as_ref());
        self.sha256 = sum.map(Some).ok_or_else(|| {
            Error::Payload("the SHA-256 of a file is 64 hexadecimal digits".to_owned())
        });
        self
    }

    /// The reader can go anywhere: it is sent from its beginning, wherever it is now, and what the server
    /// has need not be read again. Where the server lost what it had, this can send it again.
    pub fn seekable(mut self) -> Self
    where
        R: AsyncSeek,
    {
        self.source.make_seekable();
        self
    }

    /// What pauses and cancels it, and shows how far it is.
    pub fn control(&self) -> UploadControl {
        self.control.clone()
    }

    async fn send(mut self) -> Result<StoredFile, Error> {
        let control = self.control.clone();
        let ended = tokio::select! {
            biased;
            () = control.cancelled() => None,
            ended = self.run() => Some(ended),
        };
        match ended {
            Some(ended) => ended,
            None => {
                self.give_up().await;
                Err(Error::Cancelled)
            }
        }
    }

    async fn run(&mut self) -> Result<StoredFile, Error> {
        let sha256 = self.sha256.clone()?;
        let (mut disturbances, mut before) = (0, 0);
        loop {
            let error = match self.attempt(sha256).await {
                Err(error) if is_passing(&error) => error,
                ended => return ended,
            };
            let stored = *self.progress.borrow();
            disturbances = if stored > before { 0 } else { disturbances + 1 };
            before = stored;
            let is_idle = self.client.status().borrow().state == State::Idle;
            if disturbances > DISTURBANCES_MAX || is_idle {
                return Err(error);
            }
            self.rest(&error, disturbances).await;
        }
    }

    /// Sends what the server does not have, as the server sees it now.
    async fn attempt(&mut self, sha256: Option<Sha256>) -> Result<StoredFile, Error> {
        let open = self.open().await?;
        self.source.go_to(open.offset).await?;
        self.progress.send_replace(open.offset);
        self.send_chunks(&open).await?;
        let complete = Command::Complete(Complete { upload: open.upload, sha256 });
        match answer(self.client.ask_for_upload(complete).await?).await? {
            Message::UploadComplete { file, .. } => Ok(file),
            _ => Err(Error::Unexpected),
        }
    }

    /// Begins the transfer, or asks how far it is.
    async fn open(&mut self) -> Result<UploadOpen, Error> {
        let name = self.name.borrow().clone();
        let which = match name {
            Some(upload) => Begin::Resume(upload),
            None => Begin::Begin(self.file.clone()),
        };
        let opening = self.client.ask_for_upload(Command::Upload(which)).await?;
        let answer = answer(self.opening.insert(opening)).await;
        self.opening = None;
        let Message::UploadOpen { open, .. } = answer? else {
            return Err(Error::Unexpected);
        };
        self.name.send_replace(Some(open.upload.clone()));
        Ok(open)
    }

    /// Sends the rest of the file, and waits until all of it is stored.
    async fn send_chunks(&mut self, open: &UploadOpen) -> Result<(), Error> {
        let chunk_max = open.chunk_max.min(open.window).clamp(1, CHUNK_MAX) as usize;
        let window = open.window.min(WINDOW_MAX) as usize;
        let (mut under_way, mut is_read) = (UnderWay::default(), false);
        loop {
            let has_room = under_way.is_empty() || under_way.bytes + chunk_max <= window;
            tokio::select! {
                biased;
                stored = under_way.stored(), if !under_way.is_empty() => {
                    let stored = stored?;
                    self.source.release(stored);
                    self.progress.send_replace(stored);
                }
                read = read(&self.control, &mut self.source, chunk_max), if has_room && !is_read => {
                    let (offset, data) = read?;
                    is_read = data.is_empty();
                    if !is_read {
                        let (upload, bytes) = (open.upload.clone(), data.len());
                        let chunk = Command::Chunk(Chunk { upload, offset, data });
                        under_way.push(bytes, self.client.hand_over(chunk, None).await?);
                    }
                }
                else => return Ok(()),
            }
        }
    }

    /// Waits until it may be tried again: for as long as the server says, and until there is a line.
    async fn rest(&mut self, error: &Error, disturbances: u32) {
        let told = match error {
            Error::Server(failure) => failure.retry_after_ms.map(Duration::from_millis),
            _ => None,
        };
        tokio::time::sleep(told.unwrap_or(DISTURBANCE_DELAY * disturbances)).await;
        let mut status = self.client.status();
        let settled = status.wait_for(|at| at.is_online() || at.state == State::Stopped);
        // The status lasts as long as the client.
        let _ = settled.await;
    }

    /// Tells the server that it is not wanted any more, once it is known what it calls it.
    async fn give_up(&mut self) {
        let known = self.name.borrow().clone();
        let (client, opening) = (self.client.clone(), self.opening.take());
        let mut telling = Box::pin(async move {
            let upload = match (known, opening) {
                (Some(upload), _) => upload,
                (None, Some(opening)) => match answer(opening).await {
                    Ok(Message::UploadOpen { open, .. }) => open.upload,
                    _ => return,
                },
                (None, None) => return,
            };
            let _ = client.hand_over(Command::Cancel { upload }, None).await;
        });
        // What can be handed over now is, before whoever cancelled it closes the client.
        let is_told = std::future::poll_fn(|cx| Poll::Ready(telling.as_mut().poll(cx).is_ready()));
        if !is_told.await {
            tokio::spawn(telling);
        }
    }
}

impl<R: AsyncRead + Send + Unpin + 'static> IntoFuture for Upload<R> {
    type Output = Result<StoredFile, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// The next chunk, once it is not paused. May be dropped at any time, and loses nothing.
async fn read<R: AsyncRead + Send + Unpin>(
    control: &UploadControl,
    source: &mut Source<R>,
    max: usize,
) -> Result<(u64, Bytes), Error> {
    control.going_on().await;
    source.read(max).await
}

/// Chunks that were handed over, and their bytes.
#[derive(Default)]
struct UnderWay {
    chunks: VecDeque<(usize, Answer)>,
    bytes: usize,
}

impl UnderWay {
    fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    fn push(&mut self, bytes: usize, answer: Answer) {
        self.bytes += bytes;
        self.chunks.push_back((bytes, answer));
    }

    /// Waits until the oldest is stored, and says how much of the file is. There is one.
    async fn stored(&mut self) -> Result<u64, Error> {
        let Some((bytes, oldest)) = self.chunks.front_mut() else { return Err(Error::Unexpected) };
        let answered = answer(oldest).await;
        self.bytes -= *bytes;
        self.chunks.pop_front();
        match answered? {
            Message::ChunkStored { offset, .. } => Ok(offset),
            _ => Err(Error::Unexpected),
        }
    }
}

impl Client {
    /// Sends what `reader` gives as a file of this name: 1 to 255 bytes, a label and never a path.
    pub fn upload<R>(&self, reader: R, name: &str) -> Upload<R>
    where
        R: AsyncRead + Send + Unpin + 'static,
    {
        Upload::new(self.clone(), reader, name)
    }

    /// Asks something about a transfer.
    async fn ask_for_upload(&self, command: Command) -> Result<Answer, Error> {
        self.hand_over(command, Some(self.handle.request_timeout)).await
    }

    /// Hands a command of a transfer over, once there is room for it. Where it was sent before, the
    /// server knows.
    async fn hand_over(
        &self,
        command: Command,
        timeout: Option<Duration>,
    ) -> Result<Answer, Error> {
        let message = Outgoing { command, again: true, timeout, volatile: false, patient: true };
        self.handle.shared.hand_over(&message).await
    }
}

async fn answer(
    answer: impl Future<Output = Result<Result<Message, Error>, oneshot::error::RecvError>>,
) -> Result<Message, Error> {
    // The core answers everything before it goes.
    answer.await.unwrap_or(Err(Error::ConnectionLost))
}

/// Whether the server is to be asked how far it is, to go on from there.
fn is_passing(error: &Error) -> bool {
    let codes = [ErrorCode::BadOffset, ErrorCode::Incomplete];
    error.is_retryable() || codes.iter().any(|code| code.as_str() == error.code())
}

fn digest(digits: &str) -> Option<Sha256> {
    let mut sum = [0; SHA256_BYTES];
    let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if digits.len() != 2 * SHA256_BYTES || !is_hexadecimal {
        return None;
    }
    for (at, byte) in sum.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(sum)
}
