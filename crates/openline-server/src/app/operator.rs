//! [`Operator`]: the handlers of a node, their doors and their threads.

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use super::deadlines::Deadlines;
use super::doors::Doors;

/// Threads of handlers at least: one that blocks is not to be the only one.
const THREADS_MIN: usize = 4;

/// The handlers of a node, their doors and their threads.
pub(crate) struct Operator {
    pub(crate) doors: Doors,
    pub(crate) deadlines: Arc<Deadlines>,
    /// Where handlers run; none where there are none.
    handle: Option<Handle>,
    /// Its threads, where they are its own, until it ends.
    runtime: Mutex<Option<Runtime>>,
}

/// On which threads handlers run.
#[derive(Debug)]
pub(crate) enum HandlerThreads {
    /// On their own: so many, or as many as is usual.
    Own(Option<NonZeroUsize>),
    /// On those of somebody else, who may be blocked by a handler.
    Shared(Handle),
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator").field("doors", &self.doors).finish_non_exhaustive()
    }
}

impl Operator {
    /// Starts the threads, where there is something for them to do.
    pub(crate) fn start(doors: Doors, threads: HandlerThreads) -> std::io::Result<Self> {
        let (handle, runtime) = match threads {
            _ if doors.is_empty() => (None, None),
            HandlerThreads::Shared(handle) => (Some(handle), None),
            HandlerThreads::Own(threads) => {
                let runtime = own_runtime(threads)?;
                (Some(runtime.handle().clone()), Some(runtime))
            }
        };
        Ok(Self { doors, deadlines: Arc::default(), handle, runtime: Mutex::new(runtime) })
    }

    /// Where handlers run.
    pub(crate) fn runtime(&self) -> &Handle {
        self.handle.as_ref().expect("handlers are what asks for it")
    }

    /// Runs something where handlers run.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.runtime().spawn(future)
    }
}

impl Operator {
    /// Ends its threads: what is at work has so long to come to its next wait, and is dropped there.
    /// What a handler spawned holds the node until then.
    pub(crate) fn end(&self, grace: Duration) {
        if let Some(runtime) = self.own_runtime().take() {
            runtime.shutdown_timeout(grace);
        }
    }

    fn own_runtime(&self) -> MutexGuard<'_, Option<Runtime>> {
        self.runtime.lock().expect("nothing under this lock panics")
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if let Some(runtime) = self.own_runtime().take() {
            // A handler that blocks is not waited for.
            runtime.shutdown_background();
        }
    }
}

fn own_runtime(threads: Option<NonZeroUsize>) -> std::io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.map_or(cores.max(THREADS_MIN), usize::from);
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("openline-handler")
        .enable_all()
        .build()
}
