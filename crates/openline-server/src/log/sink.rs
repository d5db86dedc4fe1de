//! The way of lines to where they are written, without waiting for it.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Lines that may wait. A line is 2 KiB at most, but for escaping.
const LINES_MAX: usize = 1_024;

/// How long the end of the server waits for lines to be written. Tests wait for what they read.
const FLUSH_MAX: Duration = Duration::from_secs(if cfg!(test) { 60 } else { 1 });

/// Takes lines and never waits; a thread writes them. Without room a line is dropped and counted.
pub(super) struct Sink {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// There are lines, or it is closed.
    filled: Condvar,
    /// All has been written.
    emptied: Condvar,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<String>,
    dropped: u64,
    writing: bool,
    closed: bool,
}

impl Sink {
    /// `told` is the line that says how many were dropped.
    pub(super) fn new(
        mut out: impl Write + Send + 'static,
        told: impl Fn(u64) -> String + Send + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        });
        let its = shared.clone();
        let write = move || {
            while let Some((lines, dropped)) = its.take() {
                for line in lines {
                    // There is nowhere to say that standard error is gone.
                    let _ = out.write_all(line.as_bytes());
                }
                if dropped != 0 {
                    let _ = out.write_all(told(dropped).as_bytes());
                }
                let _ = out.flush();
            }
        };
        if thread::Builder::new().name("log".into()).spawn(write).is_err() {
            // A server without threads does not get far, and says so by itself.
            shared.queue().closed = true;
        }
        Self { shared }
    }

    pub(super) fn push(&self, line: String) {
        let mut queue = self.shared.queue();
        if queue.closed {
            return;
        }
        if queue.lines.len() == LINES_MAX {
            queue.dropped += 1;
            return;
        }
        queue.lines.push_back(line);
        drop(queue);
        self.shared.filled.notify_one();
    }

    /// Waits until all is written, or a second.
    pub(super) fn flush(&self) {
        let queue = self.shared.queue();
        let wait = |queue: &mut Queue| queue.writing || !queue.lines.is_empty();
        let _ = self.shared.emptied.wait_timeout_while(queue, FLUSH_MAX, wait);
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.filled.notify_one();
        self.flush();
    }
}

impl Shared {
    /// The lines that wait, and how many were dropped after them; none at the end.
    fn take(&self) -> Option<(VecDeque<String>, u64)> {
        let mut queue = self.queue();
        queue.writing = false;
        if queue.lines.is_empty() {
            self.emptied.notify_all();
        }
        let is_idle = |queue: &mut Queue| queue.lines.is_empty() && !queue.closed;
        let waited = self.filled.wait_while(queue, is_idle);
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
        if queue.lines.is_empty() {
            return None;
        }
        queue.writing = true;
        Some((std::mem::take(&mut queue.lines), std::mem::take(&mut queue.dropped)))
    }

    /// Nothing under this lock is half done when something panics.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc;

    use super::*;

    /// Takes nothing until it is let go.
    struct Stuck {
        gate: Option<mpsc::Receiver<()>>,
        out: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(gate) = self.gate.take() {
                gate.recv().expect("the test lets it go");
            }
            self.out.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stops_costs_lines_which_are_counted_and_no_time() {
        let (open, gate) = mpsc::channel();
        let out = Arc::default();
        let stuck = Stuck { gate: Some(gate), out: Arc::clone(&out) };
        let sink = Sink::new(stuck, |count| format!("dropped {count}\n"));
        for index in 0..3 * LINES_MAX {
            sink.push(format!("{index}\n"));
        }
        open.send(()).unwrap();
        drop(sink);
        let out = String::from_utf8(out.lock().unwrap().clone()).unwrap();
        let (told, lines): (Vec<_>, Vec<_>) =
            out.lines().partition(|line| line.starts_with("dropped"));
        assert!(lines.len() < 3 * LINES_MAX && lines.len() >= LINES_MAX);
        // Twice where the writer only began when the queue was full.
        let count = |line: &&str| line.strip_prefix("dropped ")?.parse::<usize>().ok();
        let dropped: usize = told.iter().filter_map(count).sum();
        assert_eq!(dropped, 3 * LINES_MAX - lines.len(), "{told:?}");
        assert!(matches!(told.len(), 1 | 2), "{told:?}");
    }

    #[test]
    fn lines_come_in_order_and_whole() {
        let out = Arc::default();
        let sink = Sink::new(Stuck { gate: None, out: Arc::clone(&out) }, |_| String::new());
        let expected: String = (0..100).map(|index| format!("{index}\n")).collect();
        (0..100).for_each(|index| sink.push(format!("{index}\n")));
        sink.flush();
        assert_eq!(String::from_utf8(out.lock().unwrap().clone()).unwrap(), expected);
    }
}
