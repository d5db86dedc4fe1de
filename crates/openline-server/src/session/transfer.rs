//! Files that the client sends.

use std::sync::Arc;

use openline_protocol::{Chunk, Command, ErrorCode, Fault, Id, Reply, Upload};
use tokio::sync::Semaphore;

use super::Session;
use crate::uploads::{Owner, Tell, Uploads, WINDOW, may_upload};

/// What a line has on its way.
#[derive(Debug)]
pub(super) struct Transfers {
    /// Those that it began or went on with, as far as they are not complete.
    open: Vec<Arc<str>>,
    /// A permit for each byte that may wait for the disk.
    window: Arc<Semaphore>,
}

impl Default for Transfers {
    fn default() -> Self {
        Self { open: Vec::new(), window: Arc::new(Semaphore::new(WINDOW as usize)) }
    }
}

impl Transfers {
    /// Whether none is open and nothing waits for the disk.
    pub(super) fn is_quiet(&self, uploads: &Uploads) -> bool {
        let is_idle = self.window.available_permits() == WINDOW as usize;
        is_idle && !self.open.iter().any(|upload| uploads.is_open(upload))
    }
}

impl Session {
    /// `upload`, `chunk`, `complete` and `cancel`.
    pub(super) async fn transfer(
        &mut self,
        command: Command,
        id: Option<&Id>,
    ) -> Result<(), Fault> {
        may_upload(&self.node.settings().config.uploads, self.identity.as_deref())?;
        match command {
            Command::Upload(upload) => self.upload(upload, id).await,
            Command::Chunk(chunk) => self.chunk(chunk, id).await,
            Command::Complete(complete) => {
                let file = self.node.uploads.complete(complete, None).await?;
                self.reply(&Reply::UploadComplete { id, file: &file });
                Ok(())
            }
            Command::Cancel { upload } => {
                self.node.uploads.cancel(&upload).await;
                self.reply(&Reply::UploadCancelled { id, upload: &upload });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn upload(&mut self, upload: Upload, id: Option<&Id>) -> Result<(), Fault> {
        let owner = match self.user() {
            Some(user) => Owner::User(user.clone()),
            None => Owner::Network(self.network),
        };
        let uploads = &self.node.uploads;
        let known = match &upload {
            Upload::Resume(upload) => Some(Arc::from(&**upload)),
            Upload::Begin(file) => uploads.with_key(&owner, file),
        };
        let transfers = self.transfers.get_or_insert_default();
        transfers.open.retain(|open| uploads.is_open(open));
        let most = uploads.options().open_max;
        let is_own = known.is_some_and(|known| transfers.open.contains(&known));
        if !is_own && transfers.open.len() >= most {
            let message = format!("a line may have {most} transfers open (uploads.open_max)");
            return Err(Fault::new(ErrorCode::UploadLimit, message));
        }
        let opened = match upload {
            Upload::Begin(file) => uploads.begin(owner, file).await?,
            Upload::Resume(upload) => uploads.resume(&upload)?,
        };
        if !is_own && uploads.is_open(&opened.upload) {
            transfers.open.push(opened.upload.clone());
        }
        self.reply(&Reply::UploadOpen {
            id,
            upload: &opened.upload,
            offset: opened.offset,
            chunk_max: self.node.uploads.options().chunk_max,
            window: WINDOW,
            expires_at: opened.expires_at,
        });
        Ok(())
    }

    /// `chunk`. The next message is read when there is room for this one; it is told what became of
    /// it when that is known.
    async fn chunk(&mut self, chunk: Chunk, id: Option<&Id>) -> Result<(), Fault> {
        let (line, node, id) = (self.line.clone(), self.node.clone(), id.cloned());
        let upload = chunk.upload.clone();
        // A request of its own has one answer.
        let (is_wanted, is_apart) = (self.is_answered(id.as_ref()), self.answers_all);
        let tell: Tell = Box::new(move |told| match told {
            Ok(stored) => {
                if is_wanted {
                    let id = id.as_ref();
                    line.reply(&Reply::ChunkStored { id, upload: &upload, offset: stored.end });
                }
                if let Some(offset) = stored.acknowledge.filter(|_| !is_apart) {
                    line.reply(&Reply::ChunkStored { id: None, upload: &upload, offset });
                }
            }
            Err(fault) => {
                let fault = fault.with_id(id);
                node.metrics.refused(fault.code);
                line.reply(&Reply::Error(&fault));
            }
        });
        let window = &self.transfers.get_or_insert_default().window;
        self.node.uploads.chunk(window, chunk, tell).await
    }
}
