//! [`UploadControl`]: what others may do with an upload, and see of it.

use bytestring::ByteString;
use tokio::sync::watch;

/// Pauses and cancels an upload, and shows how far it is. Clones are of the same upload.
#[derive(Debug, Clone)]
pub struct UploadControl {
    wish: watch::Sender<Wish>,
    stored: watch::Receiver<u64>,
    name: watch::Receiver<Option<ByteString>>,
}

/// What is to become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    GoOn,
    Pause,
    /// For good.
    Cancel,
}

impl UploadControl {
    pub(super) fn new(
        stored: watch::Receiver<u64>,
        name: watch::Receiver<Option<ByteString>>,
    ) -> Self {
        Self { wish: watch::Sender::new(Wish::GoOn), stored, name }
    }

    /// Sends nothing more for now. What is on its way still arrives. A server forgets an upload of which
    /// nothing comes for long; for an hour where nothing else is configured.
    pub fn pause(&self) {
        self.want(Wish::Pause);
    }

    /// Goes on.
    pub fn resume(&self) {
        self.want(Wish::GoOn);
    }

    /// Ends it for good. Whoever awaits it gets [`Error::Cancelled`](crate::Error::Cancelled) at once,
    /// and the server is told to forget what it has, by this client's next line if there is none now. If
    /// the client ends before that, the server forgets it by itself, as after [`pause`](Self::pause).
    ///
    /// Before it was begun there is nothing to tell the server, unless it goes on with a transfer
    /// [by its name](crate::Upload::resume). After its end this does nothing.
    pub fn cancel(&self) {
        self.want(Wish::Cancel);
    }

    /// How many bytes the server has stored, and all changes of that from now on. It falls back where
    /// the server lost some.
    pub fn stored(&self) -> watch::Receiver<u64> {
        self.stored.clone()
    }

    /// The server's own name of the transfer, with which another [`Upload`](crate::Upload::resume) can go
    /// on with it: none before the server has said it. Whoever has it can also cancel the transfer and
    /// fetch the file, so it is shown to nobody else.
    pub fn upload_name(&self) -> watch::Receiver<Option<ByteString>> {
        self.name.clone()
    }

    /// Ready while it is not paused.
    pub(super) async fn going_on(&self) {
        self.wished(Wish::GoOn).await;
    }

    /// Ready when it is cancelled.
    pub(super) async fn cancelled(&self) {
        self.wished(Wish::Cancel).await;
    }

    async fn wished(&self, what: Wish) {
        // The sender lives as long as this does.
        let _ = self.wish.subscribe().wait_for(|wish| *wish == what).await;
    }

    fn want(&self, what: Wish) {
        self.wish.send_if_modified(|wish| {
            let changes = *wish != Wish::Cancel && *wish != what;
            if changes {
                *wish = what;
            }
            changes
        });
    }
}
