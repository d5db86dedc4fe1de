//! What the handles and the tasks of a client share.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use openline_protocol::{Data, Message};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use crate::auth::Auth;
use crate::core::{Admission, Core, LineControl, Outgoing};
use crate::dial::Dialer;
use crate::driver;
use crate::error::Error;
use crate::line;
use crate::machine::Input;

pub(crate) type HandlerFuture = Pin<Box<dyn Future<Output = Option<Data>> + Send>>;
pub(crate) type Handler = Arc<dyn Fn(Data) -> HandlerFuture + Send + Sync>;

/// Everything of a client.
pub(crate) struct Shared {
    core: Mutex<Core>,
    /// Told when there is something for the driver, or its deadline is nearer than before.
    pub(crate) wake: Notify,
    /// When it was made; the core's time begins there.
    origin: Instant,
    is_running: AtomicBool,
    pub(crate) dialer: Dialer,
    pub(crate) auth: Option<Auth>,
    pub(crate) handlers: RwLock<HashMap<String, Handler>>,
    /// Lines whose task has not ended: the one in use, one beside it, those that say their farewell.
    lines: watch::Sender<usize>,
}

/// One of the lines that have not ended, for as long as this lives.
struct Alive(Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.lines.send_modify(|lines| *lines -= 1);
    }
}

impl Shared {
    pub(crate) fn new(core: Core, dialer: Dialer, auth: Option<Auth>) -> Self {
        Self {
            core: Mutex::new(core),
            wake: Notify::new(),
            origin: Instant::now(),
            is_running: AtomicBool::new(false),
            dialer,
            auth,
            handlers: RwLock::default(),
            lines: watch::Sender::new(0),
        }
    }

    /// The core. Every change may have given the driver something to do: [`Shared::with`] tells it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the core, and tells the driver if that gave it something to do.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Core, u64) -> T) -> T {
        let mut core = self.lock();
        let before = core.deadline();
        let done = act(&mut core, self.now());
        let sooner = core.deadline().is_some_and(|now| before.is_none_or(|before| now < before));
        let tell = sooner || core.has_tasks() || core.is_over;
        drop(core);
        if tell {
            self.wake.notify_one();
        }
        done
    }

    pub(crate) fn input(&self, input: Input) {
        self.with(|core, now| core.handle_input(now, input));
    }

    /// Milliseconds since it was made.
    pub(crate) fn now(&self) -> u64 {
        self.origin.elapsed().as_millis() as u64
    }

    pub(crate) fn instant(&self, at: u64) -> Instant {
        // Times beyond that are as good as never.
        let far = std::time::Duration::from_secs(60 * 60 * 24 * 365);
        self.origin + std::time::Duration::from_millis(at).min(far)
    }

    /// Starts the task that runs the client. Called inside a runtime, by everything that waits.
    pub(crate) fn run(self: &Arc<Self>) {
        if !self.is_running.swap(true, Ordering::AcqRel) {
            tokio::spawn(driver::drive(self.clone()));
        }
    }

    /// Starts the task of a line.
    pub(crate) fn run_line(self: &Arc<Self>, generation: u64, control: Arc<LineControl>) {
        self.lines.send_modify(|lines| *lines += 1);
        let alive = Alive(self.clone());
        tokio::spawn(async move { line::run(&alive.0, generation, control).await });
    }

    /// Waits until no line is left.
    pub(crate) async fn lines_ended(&self) {
        // The sender lives as long as this does.
        let _ = self.lines.subscribe().wait_for(|lines| *lines == 0).await;
    }

    /// Hands a message over, once there is room for it.
    pub(crate) async fn hand_over(
        self: &Arc<Self>,
        message: &Outgoing,
    ) -> Result<oneshot::Receiver<Result<Message, Error>>, Error> {
        self.run();
        loop {
            match self.with(|core, now| core.submit(now, message))? {
                Admission::Taken(answer) => return Ok(answer),
                Admission::Full(room) => room.notified().await,
            }
        }
    }

    /// Sends a message and waits for its answer.
    pub(crate) async fn call(self: &Arc<Self>, message: Outgoing) -> Result<Message, Error> {
        let answer = self.hand_over(&message).await?;
        // The core answers everything before it goes.
        answer.await.unwrap_or(Err(Error::ConnectionLost))
    }
}
