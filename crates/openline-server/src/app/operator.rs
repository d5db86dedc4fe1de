//! [`Operator`]: the handlers of a node, their doors and their threads.

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;

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
    /// None where there are no handlers.
    runtime: Option<Runtime>,
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator").field("doors", &self.doors).finish_non_exhaustive()
    }
}

impl Operator {
    /// Starts the threads, where there is something for them to do.
    pub(crate) fn start(doors: Doors, threads: Option<NonZeroUsize>) -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.map_or(cores.max(THREADS_MIN), usize::from);
        let runtime = match doors.is_empty() {
            true => None,
            false => Some(
                Builder::new_multi_thread()
                    .worker_threads(threads)
                    .thread_name("openline-handler")
                    .enable_all()
                    .build()?,
            ),
        };
        Ok(Self { doors, deadlines: Arc::default(), runtime })
    }

    /// Where handlers run.
    pub(crate) fn runtime(&self) -> &Handle {
        let runtime = self.runtime.as_ref().expect("handlers are what asks for it");
        runtime.handle()
    }

    /// Runs something where handlers run.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.runtime().spawn(future)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A handler that blocks is not waited for.
            runtime.shutdown_background();
        }
    }
}
