//! `/upload`: files as nothing but binary messages, for clients that know no protocol. Each ends with
//! a text that names it.

use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use ::http::{Request, StatusCode};
use bytes::Bytes;
use openline_protocol::{Chunk, Complete, ErrorCode, Fault, NewFile, StoredFile, close, limits};
use openline_ws::proto::FrameKind;
use openline_ws::{Config, DeflateOptions, Error, Rejection, WebSocket};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

use super::{Owner, Relabel, Tell, WINDOW, may_upload};
use crate::clock::Clock;
use crate::connection::{Site, catch_panic};
use crate::echo::Line;
use crate::node::Node;
use crate::transport::{Visitor, enter_without_line};

/// Where it is.
pub(crate) const PATH: &str = "/upload";

/// The longest text.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// Somebody who was let in.
pub(crate) struct Guest {
    visitor: Visitor,
    owner: Owner,
}

/// What the text has to be.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileComplete {
    r#type: String,
    name: Option<String>,
    content_type: Option<String>,
}

/// What is answered to it.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Answer<'a> {
    FileReceived { name: &'a str, size: u64, sha256: &'a str, url: &'a str },
    Error { code: &'a str, error: &'a str, message: &'a str },
}

/// Lets in who may send files. There is no message to authenticate with here, so it is settled by the
/// answer to the handshake.
pub(crate) async fn enter<B>(request: &Request<B>, site: &Site) -> Result<Guest, Rejection> {
    let visitor = enter_without_line(&site.node, request, site.peer).await?;
    let identity = visitor.identity.as_ref().ok().and_then(Option::as_ref);
    may_upload(&site.node.settings().config.uploads, identity).map_err(|fault| {
        let status = StatusCode::from_u16(fault.code.http_status());
        Rejection::new(status.unwrap_or(StatusCode::FORBIDDEN), fault.code.as_str(), fault.message)
    })?;
    let owner = match identity.and_then(|identity| identity.user.clone()) {
        Some(user) => Owner::User(user),
        None => Owner::Network(visitor.address.into()),
    };
    Ok(Guest { visitor, owner })
}

/// The settings of its lines. Messages are read as they arrive, so none is too long here; the file
/// may be.
pub(crate) fn settings() -> Arc<Config> {
    static SETTINGS: LazyLock<Arc<Config>> = LazyLock::new(|| {
        Arc::new(Config {
            deflate: DeflateOptions { enabled: false, ..DeflateOptions::default() },
            ..Config::default()
        })
    });
    SETTINGS.clone()
}

/// Serves a line until it closes.
pub(crate) async fn serve<S>(ws: WebSocket<S>, guest: Guest, node: Arc<Node>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut line = Line(ws);
    let left = time_left(&guest, &node);
    let mut desk = Desk { node, guest, file: None, window: window() };
    let talk = catch_panic(desk.talk(&mut line.0));
    let (code, reason) = match tokio::time::timeout(left, talk).await {
        Ok(Ok(_)) => return,
        Ok(Err(_)) => {
            desk.node.metrics.panicked();
            desk.node.log.panicked(&desk.guest.visitor.client);
            (close::INTERNAL_ERROR, "internal error")
        }
        Err(_) => (close::SESSION_EXPIRED, "token expired"),
    };
    let _ = line.0.close(code, reason).await;
}

fn window() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(WINDOW as usize))
}

/// Until the token ends.
fn time_left(guest: &Guest, node: &Node) -> Duration {
    let identity = guest.visitor.identity.as_ref().ok().and_then(Option::as_ref);
    let ends_at = identity.and_then(|identity| node.settings().verifier.line_ends_at(identity));
    ends_at.map_or(Duration::MAX, |ends_at| {
        Duration::from_secs(ends_at.saturating_sub(Clock::wall_seconds()))
    })
}

/// Takes files in, one after the other.
struct Desk {
    node: Arc<Node>,
    guest: Guest,
    file: Option<File>,
    window: Arc<Semaphore>,
}

/// The file that comes.
struct File {
    upload: Arc<str>,
    len: u64,
    /// What went wrong with what was on its way to the disk.
    failed: Arc<OnceLock<Fault>>,
}

impl Desk {
    async fn talk<S>(&mut self, ws: &mut WebSocket<S>) -> Result<(), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            let Some(mut message) = ws.recv_long().await? else { return Ok(()) };
            if message.kind() == FrameKind::Binary {
                let mut taken = self.check_token();
                while let Some(bytes) = message.chunk().await? {
                    match taken {
                        Ok(()) => taken = self.take(bytes).await,
                        Err(_) => break,
                    }
                }
                if let Err(fault) = taken {
                    return self.end(ws, &fault).await;
                }
                continue;
            }
            let mut text = Vec::new();
            while let Some(bytes) = message.chunk().await? {
                if text.len() <= TEXT_BYTES_MAX {
                    text.extend_from_slice(&bytes);
                }
            }
            let answer = match self.complete(&text).await {
                Ok(file) => received(&file),
                Err(fault) => {
                    self.node.metrics.refused(fault.code);
                    error(&fault)
                }
            };
            ws.send(answer).await?;
        }
    }

    /// Whether the token is still good that was when the line was opened.
    fn check_token(&self) -> Result<(), Fault> {
        let Visitor { client, identity, .. } = &self.guest.visitor;
        let Ok(Some(identity)) = identity else { return Ok(()) };
        let revocations = &self.node.revocations;
        match revocations.covers_line(identity, client, Clock::wall_seconds()) {
            true => Err(Fault::new(ErrorCode::AuthFailed, "token revoked")),
            false => Ok(()),
        }
    }

    /// Takes a piece of the file, when there is room for it.
    async fn take(&mut self, mut bytes: Bytes) -> Result<(), Fault> {
        let uploads = &self.node.uploads;
        let piece_max = usize::try_from(uploads.options().chunk_max).unwrap_or(usize::MAX);
        while !bytes.is_empty() {
            let file = self.open_file().await?;
            if let Some(fault) = file.failed.get() {
                return Err(fault.clone());
            }
            let data = bytes.split_to(bytes.len().min(piece_max));
            let chunk = Chunk { upload: (&*file.upload).into(), offset: file.len, data };
            file.len += chunk.data.len() as u64;
            let failed = file.failed.clone();
            let tell: Tell = Box::new(move |told| {
                if let Err(fault) = told {
                    // The first is the cause of the others.
                    let _ = failed.set(fault);
                }
            });
            self.node.uploads.chunk(&self.window, chunk, tell).await?;
        }
        Ok(())
    }

    async fn open_file(&mut self) -> Result<&mut File, Fault> {
        if self.file.is_none() {
            // It gets its name in the end.
            let name = "file".into();
            let file = NewFile { name, size: None, content_type: None, key: None };
            let opened = self.node.uploads.begin(self.guest.owner.clone(), file).await?;
            self.file = Some(File { upload: opened.upload, len: 0, failed: Arc::default() });
        }
        self.file.as_mut().ok_or_else(|| Fault::new(ErrorCode::Internal, "the file is gone"))
    }

    /// The file is complete, if the text says that.
    async fn complete(&mut self, text: &[u8]) -> Result<StoredFile, Fault> {
        let relabel = read(text)?;
        self.check_token()?;
        let upload = self.open_file().await?.upload.clone();
        let complete = Complete { upload: (&*upload).into(), sha256: None };
        // From here on it is not this line's to forget.
        let file = self.node.uploads.complete(complete, Some(relabel)).await?;
        self.file = None;
        Ok(file)
    }

    /// Says what is wrong, and ends the line: what comes after it is not a file any more.
    async fn end<S>(&self, ws: &mut WebSocket<S>, fault: &Fault) -> Result<(), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.node.metrics.refused(fault.code);
        ws.send(error(fault)).await?;
        let code = match fault.code {
            ErrorCode::TooLarge => close::MESSAGE_TOO_BIG,
            ErrorCode::AuthFailed => close::INVALID_AUTH,
            ErrorCode::UploadLimit => close::POLICY_VIOLATION,
            ErrorCode::StorageFull | ErrorCode::ShuttingDown => close::TRY_AGAIN_LATER,
            _ => close::INTERNAL_ERROR,
        };
        ws.close(code, &fault.message).await.map(drop)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            self.node.uploads.abandon(&file.upload);
        }
    }
}

/// What the file is called, as the text says.
fn read(text: &[u8]) -> Result<Relabel, Fault> {
    let bad = |message: String| Fault::new(ErrorCode::BadRequest, message);
    if text.len() > TEXT_BYTES_MAX {
        return Err(bad(format!("a text may have at most {TEXT_BYTES_MAX} bytes here")));
    }
    let message: FileComplete = serde_json::from_slice(text).map_err(|error| {
        let code = if error.is_data() { ErrorCode::BadRequest } else { ErrorCode::InvalidJson };
        Fault::new(code, "a text here is {\"type\":\"file-complete\",\"name\":…}; files are binary")
    })?;
    if message.r#type != "file-complete" {
        let message = "the `type` of a text is file-complete here; files are binary";
        return Err(Fault::new(ErrorCode::UnknownType, message));
    }
    let name = message.name.unwrap_or_default();
    if !(1..=limits::NAME_BYTES_MAX).contains(&name.len()) {
        let most = limits::NAME_BYTES_MAX;
        return Err(bad(format!("file-complete needs `name` with 1 to {most} bytes")));
    }
    let is_header = |text: &String| {
        (1..=limits::CONTENT_TYPE_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    };
    if message.content_type.as_ref().is_some_and(|text| !is_header(text)) {
        let most = limits::CONTENT_TYPE_BYTES_MAX;
        return Err(bad(format!("`contentType` must be 1 to {most} printable ASCII letters")));
    }
    Ok(Relabel { name, content_type: message.content_type })
}

fn received(file: &StoredFile) -> String {
    let StoredFile { name, size, sha256, url, .. } = file;
    write(&Answer::FileReceived { name, size: *size, sha256, url })
}

fn error(fault: &Fault) -> String {
    let message = &*fault.message;
    write(&Answer::Error { code: fault.code.as_str(), error: message, message })
}

fn write(answer: &Answer<'_>) -> String {
    serde_json::to_string(answer).expect("text and numbers can be written")
}
