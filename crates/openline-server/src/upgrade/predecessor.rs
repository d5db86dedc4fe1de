//! [`Predecessor`]: the process before, as the one that takes over from it sees it.

use std::fmt;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use openline_protocol::close;

use super::newcomers::{self, Newcomers};
use super::revoked::take_down;
use super::talk::{Broken, PROTOCOL, RevokedEntry, Step, Talk};
use crate::exchange::Ending;
use crate::node::Node;
use crate::session::{Baggage, Expelled, Whom};

/// How long the running process may take to say whether it agrees.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// How often it is looked whether the broker is reached.
const BROKER_EVERY: Duration = Duration::from_millis(20);

/// Why a process could not take over from the one that runs.
#[derive(Debug)]
#[non_exhaustive]
pub enum TakeoverError {
    /// There is none.
    NoProcess {
        /// Where it was looked for.
        socket: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It did not agree, or not in time. It serves as before.
    Refused {
        /// Where it listens for upgrades.
        socket: PathBuf,
        /// Why.
        why: String,
    },
}

impl fmt::Display for TakeoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProcess { socket, error } => write!(
                f,
                "no process to take over from: {}: {error}; start without --takeover",
                socket.display()
            ),
            Self::Refused { socket, why } => write!(
                f,
                "the server at {} was not taken over from, it goes on: {why}",
                socket.display()
            ),
        }
    }
}

impl std::error::Error for TakeoverError {}

/// The process before. It takes back what it gave when this is dropped before [`Predecessor::serve`].
#[derive(Debug)]
pub(crate) struct Predecessor {
    talk: Talk,
    socket: PathBuf,
    timeout: Duration,
    revoked: Vec<RevokedEntry>,
    version: String,
    /// Upgrades of those before, done and failed.
    upgrades: (u64, u64),
    /// By which lines come.
    lines: Option<Talk>,
}

impl Predecessor {
    /// Asks for the listening socket. The other process serves on.
    pub(super) fn ask(
        socket: &Path,
        timeout: Duration,
    ) -> Result<(Self, TcpListener), TakeoverError> {
        let refused = |why: String| TakeoverError::Refused { socket: socket.to_owned(), why };
        let stream = connect(socket).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => refused(error.to_string()),
            _ => TakeoverError::NoProcess { socket: socket.to_owned(), error },
        })?;
        let heard = || -> Result<_, Broken> {
            let mut talk = Talk::on(stream)?;
            let version = env!("CARGO_PKG_VERSION").to_owned();
            // Who refuses may be gone before it has read why we came.
            let said = talk.say(&Step::Hello { protocol: PROTOCOL, version });
            let answer = talk.hear(HELLO_TIMEOUT);
            Ok((answer.or_else(|error| said.and(Err(error)))?, talk))
        };
        let (step, mut talk) = heard().map_err(|broken| refused(broken.to_string()))?;
        let (version, upgrades) = match step {
            Step::Listener { version, done, failed } => (version, (done, failed)),
            Step::Refused { why } => return Err(refused(why)),
            other => return Err(refused(strange(&other).to_string())),
        };
        let Some(listener) = talk.take_passed().pop() else {
            return Err(refused("it passed no socket".to_owned()));
        };
        let socket = socket.to_owned();
        let revoked = Vec::new();
        let predecessor = Self { talk, socket, timeout, revoked, version, upgrades, lines: None };
        Ok((predecessor, listener.into()))
    }

    /// Has it close the store, which can be opened from then on. It answers publications with an
    /// error until it is told that clients are taken, or has the store back. `takes_lines` says
    /// whether this process can go on with its lines.
    pub(crate) fn take_store(&mut self, takes_lines: bool) -> Result<(), TakeoverError> {
        let lines = if takes_lines { Baggage::VERSION } else { 0 };
        let taken = self.talk.say(&Step::Ready { lines }).and_then(|()| self.wait_for_store());
        match taken {
            // It is gone, and the system has given its lock back.
            Ok(()) | Err(Broken::Closed) => Ok(()),
            Err(broken) => Err(self.refused(broken.to_string())),
        }
    }

    fn wait_for_store(&mut self) -> Result<(), Broken> {
        loop {
            match self.talk.hear(self.timeout)? {
                Step::Given { lines } => {
                    let socket = self.talk.take_passed().pop().filter(|_| lines != 0);
                    self.lines = socket.map(|socket| Talk::on(socket.into())).transpose()?;
                    return Ok(());
                }
                Step::Revoked { mut entries } => self.revoked.append(&mut entries),
                other => return Err(strange(&other)),
            }
        }
    }

    /// Says that clients are taken from now on, and listens for what it still has to tell. To be
    /// called when nothing can fail any more, and right before connections are accepted.
    pub(crate) fn serve(mut self, node: &Arc<Node>) -> Result<Newcomers, TakeoverError> {
        self.wait_for_broker(node)?;
        match self.talk.say(&Step::Serving) {
            Ok(()) => {}
            Err(broken) => match self.talk.hear(Duration::ZERO) {
                Ok(Step::TakenBack { why }) => return Err(self.refused(why)),
                // It is gone: there is nobody else to serve.
                Err(Broken::Closed) => {}
                _ => return Err(self.refused(broken.to_string())),
            },
        }
        take_down(&node.revocations, &self.revoked);
        let (done, failed) = self.upgrades;
        node.metrics.upgraded(done + 1, failed);
        node.log.took_over(&self.version);
        let lines = self.lines.take();
        let newcomers = lines.map_or_else(Newcomers::default, |talk| newcomers::take(node, talk));
        self.keep_listening(node);
        Ok(newcomers)
    }

    /// A broker that nodes share is reached first: the process before publishes until then.
    fn wait_for_broker(&self, node: &Node) -> Result<(), TakeoverError> {
        let broker = node.exchange.broker();
        // The other has its own patience, which is not to end first.
        let until = Instant::now() + self.timeout / 2;
        while broker.link().is_some() {
            let Some(ailment) = broker.health().ailment else { break };
            if Instant::now() > until {
                return Err(self.refused(format!("the broker cannot be reached: {ailment}")));
            }
            thread::sleep(BROKER_EVERY);
        }
        Ok(())
    }

    fn refused(&self, why: String) -> TakeoverError {
        TakeoverError::Refused { socket: self.socket.clone(), why }
    }

    /// What is taken back there while it drains is taken back here too, and ends lines here.
    fn keep_listening(mut self, node: &Arc<Node>) {
        let node = Arc::downgrade(node);
        let listen = move || {
            loop {
                let step = self.talk.hear(Duration::from_secs(1));
                let Some(node) = node.upgrade() else { return };
                match step {
                    Ok(Step::Revoked { entries }) => {
                        if take_down(&node.revocations, &entries) {
                            let ending = Ending::new(close::INVALID_AUTH, "token revoked");
                            node.expel(Expelled::new(Whom::Revoked, ending));
                        }
                    }
                    Ok(_) | Err(Broken::TimedOut(_)) => {}
                    Err(_) => return,
                }
            }
        };
        // Without a thread the rest is missed, and clients are served all the same.
        let _ = thread::Builder::new().name("openline-upgrade".to_owned()).spawn(listen);
    }
}

fn connect(socket: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(socket)?;
    let (theirs, ours) = (fs::metadata(socket)?.uid(), rustix::process::geteuid().as_raw());
    if theirs != ours {
        let what =
            format!("it runs as user {theirs}, this program as {ours}; start it as the same");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    Ok(stream)
}

fn strange(step: &Step) -> Broken {
    let text = serde_json::to_string(step).unwrap_or_default();
    Broken::Strange(text.chars().take(100).collect())
}
