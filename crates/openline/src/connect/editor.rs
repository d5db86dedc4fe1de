//! The line that is being typed, below what is shown.
//!
//! rustyline blocks while it reads, so it has a thread of its own, and so has what shows things
//! meanwhile: its external printer blocks as well. The printer has two traps. A message that comes
//! as a line is finished stays in it until the next line is begun, and one that comes between two
//! lines is written at once and so overtakes the former. The [`Gate`] keeps the printer to the times
//! when a line is being read.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, ExternalPrinter, Helper};
use signal_hook::consts::SIGINT;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::exit::Exit;

const PROMPT: &str = "> ";

/// Lines kept in the history file.
const HISTORY_LINES_MAX: usize = 1000;

/// Things to show that may wait; beyond them the line is not read.
const SHOWN_MAX: usize = 64;

/// Steps up one row and back down: shows nothing.
const NOTHING: &str = "\x1b[A\n";

/// Erases the row above, where the prompt of a line that was given up still stands.
const ERASE_PROMPT: &str = "\x1b[A\r\x1b[J";

/// Shows things above the line that is being typed.
pub(super) struct Editor {
    shown: Sender<String>,
    reading: JoinHandle<()>,
    showing: JoinHandle<()>,
    gate: Arc<Gate>,
}

impl Editor {
    /// Begins to read lines. They come from the receiver, which ends when the person does: with
    /// Ctrl-D or Ctrl-C.
    pub(super) fn start() -> Result<(Self, Receiver<String>), ReadlineError> {
        let config = Config::builder()
            .max_history_size(HISTORY_LINES_MAX)?
            .history_ignore_space(true)
            .auto_add_history(true)
            .build();
        let gate = Arc::new(Gate::default());
        let mut editor = rustyline::Editor::<AtGate, FileHistory>::with_config(config)?;
        editor.set_helper(Some(AtGate(gate.clone())));
        let printer = editor.create_external_printer()?;
        signal_hook::flag::register_conditional_shutdown(
            SIGINT,
            Exit::Interrupted as i32,
            gate.interruptible.clone(),
        )?;
        let (lines, typed) = channel(1);
        let (shown, to_show) = channel(SHOWN_MAX);
        let reading = {
            let gate = gate.clone();
            spawn("openline-typing", move || {
                read_lines(editor, &gate, &lines);
            })?
        };
        let showing = {
            let gate = gate.clone();
            spawn("openline-showing", move || show(to_show, printer, &gate))?
        };
        Ok((Self { shown, reading, showing, gate }, typed))
    }

    /// Shows something of one or more rows.
    pub(super) async fn show(&self, what: String) {
        // The other end is there until `finish`.
        let _ = self.shown.send(what).await;
    }

    /// Shows what is still to be shown, ends the reading and gives the terminal back as it was. The
    /// receiver of lines has to be dropped before, or a line that nobody takes holds all of it up.
    pub(super) async fn finish(self) {
        let given_up = self.gate.finish();
        drop(self.shown);
        until_finished(&self.showing, || ()).await;
        // rustyline ends a line on SIGINT and restores the terminal then. Sent again, because one
        // that comes between two lines is lost.
        until_finished(&self.reading, || drop(signal_hook::low_level::raise(SIGINT))).await;
        if given_up {
            let _ = io::stdout().write_all(ERASE_PROMPT.as_bytes());
            let _ = io::stdout().flush();
        }
    }
}

/// What the reading thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Reading {
    /// Something else than reading.
    #[default]
    Between,
    /// It reads a line, and shows what the printer is given.
    Line,
    /// It has ended.
    Over,
}

#[derive(Default)]
struct Gate {
    reading: Mutex<Reading>,
    changed: Condvar,
    /// [`Editor::finish`] has begun.
    finishing: AtomicBool,
    /// Whether a SIGINT ends the program. Not while the terminal is rustyline's, which takes those
    /// that come while it reads: one that comes between two lines is ignored.
    interruptible: Arc<AtomicBool>,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().expect("nothing under this lock panics")
    }

    fn set(&self, reading: Reading) {
        *self.lock() = reading;
        self.changed.notify_all();
    }

    /// The thread has read its last line. If the person ended it, the line may still take seconds to
    /// close, which the person may want to cut short.
    fn close(&self) {
        let mut reading = self.lock();
        *reading = Reading::Over;
        self.interruptible.store(!self.finishing.load(Relaxed), Relaxed);
        self.changed.notify_all();
    }

    /// From here on SIGINTs are our own. Returns whether a line is given up that the person may be
    /// typing.
    fn finish(&self) -> bool {
        let reading = self.lock();
        self.finishing.store(true, Relaxed);
        self.interruptible.store(false, Relaxed);
        *reading != Reading::Over
    }

    /// Waits until something can be shown; returns how.
    fn pass(&self) -> Reading {
        let between = |reading: &mut Reading| *reading == Reading::Between;
        *self.changed.wait_while(self.lock(), between).expect("nothing under this lock panics")
    }
}

/// Opens the gate once the terminal is set up for a line: rustyline asks for a hint then.
struct AtGate(Arc<Gate>);

impl Hinter for AtGate {
    type Hint = String;

    fn hint(&self, _line: &str, _position: usize, _context: &Context<'_>) -> Option<String> {
        self.0.set(Reading::Line);
        None
    }
}

impl Completer for AtGate {
    type Candidate = String;
}

impl Highlighter for AtGate {}
impl Validator for AtGate {}
impl Helper for AtGate {}

/// Reads lines until the person ends, or nobody wants them.
fn read_lines(
    mut editor: rustyline::Editor<AtGate, FileHistory>,
    gate: &Gate,
    lines: &Sender<String>,
) {
    let history = history_file();
    if let Some(file) = &history {
        // There is none the first time.
        let _ = editor.load_history(file);
    }
    loop {
        let line = editor.readline(PROMPT);
        gate.set(Reading::Between);
        let Ok(line) = line else { break };
        if lines.blocking_send(line).is_err() {
            break;
        }
    }
    gate.close();
    if let Some(file) = &history {
        // A history that cannot be kept is no reason to bother anybody.
        let _ = keep_history(&mut editor, file);
    }
}

fn keep_history(
    editor: &mut rustyline::Editor<AtGate, FileHistory>,
    file: &Path,
) -> Result<(), ReadlineError> {
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory)?;
    }
    // Appends, so that two clients at a time keep the lines of both.
    editor.append_history(file)
}

/// `connect_history` in the directory for state of the XDG specification.
fn history_file() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let state =
        absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|h| h.join(".local/state")))?;
    Some(state.join("openline").join("connect_history"))
}

/// Shows what there is to show, each when the gate is open.
fn show(mut shown: Receiver<String>, mut printer: impl ExternalPrinter, gate: &Gate) {
    let mut print = |what: String| match gate.pass() {
        Reading::Over => drop(io::stdout().write_all(what.as_bytes())),
        _ => drop(printer.print(what)),
    };
    while let Some(mut what) = shown.blocking_recv() {
        what.push('\n');
        print(what);
    }
    // The printer holds one thing, and takes the next when that one has been shown.
    print(NOTHING.to_owned());
}

fn spawn(name: &str, act: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(act)
}

/// Waits for a thread without blocking this one, doing `act` now and then.
async fn until_finished(thread: &JoinHandle<()>, act: impl Fn()) {
    while !thread.is_finished() {
        act();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
