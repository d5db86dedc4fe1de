//! The client in a pipe: lines in, lines out.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::thread;
use std::time::Duration;

use openline_ws::{CloseCode, Incoming, Message};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::session::{End, Line, Session, Turn};
use super::{hex, note, render};
use crate::cli::Connect;
use crate::exit::{Exit, Failure};
use crate::signals::Signals;

/// The longest line of input, which is also the longest message that the server may send.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// Lines are handed over together until they have this many bytes.
const BATCH_BYTES: usize = 64 * 1024;

/// A server that never goes quiet after the end of the input is left after this many times the quiet
/// that was waited for.
const LINGERS_MAX: u32 = 20;

/// How long a server has to answer our close frame once nobody takes the output.
const ABANDON_TIMEOUT: Duration = Duration::from_secs(1);

/// Lines of input that were there together, or why there are no more.
type Batch = Result<Vec<Message>, Failure>;

/// Talks until the end; `None` when nobody takes the output any more.
pub(super) async fn run(ws: Line, arguments: &Connect) -> Result<Option<End>, Failure> {
    note(&render::connected(&arguments.url, ws.protocol(), ws.deflate()));
    let failed = |error| Failure::new(Exit::Io, error);
    let mut signals = Signals::new().map_err(failed)?;
    let input = read_input(arguments.binary).map_err(failed)?;
    let mut pipe = Pipe {
        session: Session::new(ws, input),
        output: BufWriter::new(io::stdout().lock()),
        linger: Linger { quiet: arguments.linger, heard: None, until: None },
        verbose: arguments.verbose,
    };
    let mut unsendable = None;
    let end = loop {
        match pipe.turn(&mut signals, &mut unsendable).await {
            Ok(None) => {}
            Ok(Some(end)) => break end,
            Err(error) => return pipe.abandon(error).await,
        }
    };
    if let Err(error) = pipe.output.flush() {
        return pipe.abandon(error).await;
    }
    match unsendable {
        Some(failure) => Err(failure),
        None => Ok(Some(end)),
    }
}

struct Pipe<W> {
    session: Session<Batch>,
    output: W,
    linger: Linger,
    verbose: bool,
}

impl<W: Write> Pipe<W> {
    /// Handles the next thing that happens; returns the end when it has come.
    async fn turn(
        &mut self,
        signals: &mut Signals,
        unsendable: &mut Option<Failure>,
    ) -> io::Result<Option<End>> {
        let turn = match self.session.try_next().await {
            Some(turn) => turn,
            None => {
                // Nothing more is to be had at once, so whoever reads the output gets it all.
                self.output.flush()?;
                tokio::select! {
                    turn = self.session.next() => turn,
                    () = self.linger.over() => return Ok(self.linger_over().await),
                    () = signals.next() => return Ok(Some(self.close().await)),
                }
            }
        };
        match turn {
            Turn::Incoming(Incoming::Message(message)) => {
                self.write(&message)?;
                self.linger.hear();
                // A flood never gets to where the end of patience is waited for.
                if self.linger.is_exhausted() {
                    return Ok(Some(self.close().await));
                }
            }
            Turn::Incoming(Incoming::Ping(payload)) => self.tell("ping", &payload),
            Turn::Incoming(Incoming::Pong(payload)) => self.tell("pong", &payload),
            Turn::Input(Ok(lines)) => {
                for line in lines {
                    if let Err(error) = self.session.queue(line).await {
                        return Ok(Some(End::Failed(error)));
                    }
                }
            }
            Turn::Input(Err(failure)) => *unsendable = Some(failure),
            Turn::InputEnded => self.linger.begin(),
            Turn::Over(end) => return Ok(Some(end)),
        }
        Ok(None)
    }

    fn write(&mut self, message: &Message) -> io::Result<()> {
        match message {
            Message::Text(text) => self.output.write_all(text.as_bytes())?,
            Message::Binary(data) => self.output.write_all(hex::encode(data).as_bytes())?,
        }
        self.output.write_all(b"\n")
    }

    fn tell(&self, kind: &str, payload: &[u8]) {
        if self.verbose {
            note(&format!("received {}", render::control(kind, payload)));
        }
    }

    /// The server was quiet long enough; but what is not sent yet cannot have been answered.
    async fn linger_over(&mut self) -> Option<End> {
        if self.session.line().queued_bytes() > 0 && !self.linger.is_exhausted() {
            self.linger.hear();
            return None;
        }
        Some(self.close().await)
    }

    async fn close(&mut self) -> End {
        self.session.close(CloseCode::NORMAL, "").await
    }

    /// Ends because the output takes no more. That whoever read it has seen enough is no failure.
    async fn abandon(&mut self, error: io::Error) -> Result<Option<End>, Failure> {
        // Whoever ends a pipe wants it to end now; a server that is busy sending may answer late.
        let _ = tokio::time::timeout(ABANDON_TIMEOUT, self.close()).await;
        match error.kind() {
            io::ErrorKind::BrokenPipe => Ok(None),
            _ => Err(Failure::new(Exit::Io, format!("cannot write the output: {error}"))),
        }
    }
}

/// How long the server may still speak after the end of the input.
struct Linger {
    quiet: Duration,
    /// When something was heard last; `None` while there is input.
    heard: Option<Instant>,
    /// When patience ends, whatever is heard.
    until: Option<Instant>,
}

impl Linger {
    fn begin(&mut self) {
        let now = Instant::now();
        self.heard = Some(now);
        self.until = Some(now + LINGERS_MAX * self.quiet);
    }

    fn hear(&mut self) {
        if let Some(heard) = &mut self.heard {
            *heard = Instant::now();
        }
    }

    fn is_exhausted(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    async fn over(&self) {
        match self.heard.zip(self.until) {
            Some((heard, until)) => sleep_until(until.min(heard + self.quiet)).await,
            None => std::future::pending().await,
        }
    }
}

/// Reads the input on a thread of its own, which waits while the line takes no more. Nobody joins
/// it: a read cannot be interrupted, and the end of the program ends it.
fn read_input(binary: bool) -> io::Result<mpsc::Receiver<Batch>> {
    let (sender, receiver) = mpsc::channel(1);
    let read = move || {
        let mut lines = Lines::new(io::stdin());
        while let Some(batch) = lines.next_batch(binary).transpose() {
            let failed = batch.is_err();
            if sender.blocking_send(batch).is_err() || failed {
                return;
            }
        }
    };
    thread::Builder::new().name("openline-input".to_owned()).spawn(read)?;
    Ok(receiver)
}

struct Lines<R> {
    input: BufReader<R>,
    number: u64,
    /// What is wrong with the next line, while those before it are on their way.
    failure: Option<Failure>,
}

impl<R: Read> Lines<R> {
    fn new(input: R) -> Self {
        let input = BufReader::with_capacity(BATCH_BYTES, input);
        Self { input, number: 0, failure: None }
    }

    /// The lines that are there together; waits for the first.
    fn next_batch(&mut self, binary: bool) -> Result<Option<Vec<Message>>, Failure> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while self.failure.is_none()
            && (bytes == 0 || (bytes < BATCH_BYTES && self.input.buffer().contains(&b'\n')))
        {
            match self.next_message(binary) {
                Ok(None) => break,
                Ok(Some(message)) => {
                    bytes += message.as_bytes().len() + 1;
                    batch.push(message);
                }
                Err(failure) => self.failure = Some(failure),
            }
        }
        match self.failure.take_if(|_| batch.is_empty()) {
            Some(failure) => Err(failure),
            None => Ok(Some(batch).filter(|batch| !batch.is_empty())),
        }
    }

    fn next_message(&mut self, binary: bool) -> Result<Option<Message>, Failure> {
        self.next_line()?.map(|line| self.message(line, binary)).transpose()
    }

    /// The next line without its end.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut line = Vec::new();
        // Two more, for the end of the line.
        let mut input = (&mut self.input).take(LINE_BYTES_MAX + 2);
        let read = input.read_until(b'\n', &mut line);
        read.map_err(|error| Failure::new(Exit::Io, format!("cannot read the input: {error}")))?;
        if line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        match line.len() as u64 > LINE_BYTES_MAX {
            true => Err(self.unsendable(&format!("is longer than {} MiB", LINE_BYTES_MAX >> 20))),
            false => Ok(Some(line)),
        }
    }

    fn message(&self, line: Vec<u8>, binary: bool) -> Result<Message, Failure> {
        match String::from_utf8(line) {
            Err(_) => Err(self.unsendable("is not UTF-8").hint("--binary sends hex as bytes")),
            Ok(line) if binary => match hex::decode(&line) {
                Ok(bytes) => Ok(bytes.into()),
                Err(what) => Err(self.unsendable(&format!("is not hex: {what}"))),
            },
            Ok(line) => Ok(line.into()),
        }
    }

    fn unsendable(&self, what: &str) -> Failure {
        Failure::new(Exit::Data, format!("line {} of the input {what}", self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(lines: &mut Lines<&[u8]>) -> Vec<String> {
        let batch = lines.next_batch(false).unwrap().unwrap_or_default();
        batch.iter().map(|message| message.as_text().unwrap().to_owned()).collect()
    }

    #[test]
    fn each_line_is_a_message_whatever_ends_it() {
        let mut lines = Lines::new(&b"a\r\n\nb\rc\nlast"[..]);
        assert_eq!(batch(&mut lines), ["a", "", "b\rc"]);
        assert_eq!(batch(&mut lines), ["last"]);
        assert!(lines.next_batch(false).unwrap().is_none());
    }

    #[test]
    fn a_batch_is_bounded() {
        let line = format!("{}\n", "x".repeat(1000));
        let input = line.repeat(1000);
        let mut lines = Lines::new(input.as_bytes());
        let first = lines.next_batch(false).unwrap().unwrap();
        assert!(first.len() < 100, "{}", first.len());
    }

    #[test]
    fn what_precedes_a_bad_line_is_sent_and_the_line_is_named() {
        let mut lines = Lines::new(&b"00\n01\nxy\n"[..]);
        assert_eq!(lines.next_batch(true).unwrap().unwrap().len(), 2);
        let failure = lines.next_batch(true).unwrap_err();
        assert_eq!(failure.exit, Exit::Data);
        assert_eq!(failure.to_string(), "line 3 of the input is not hex: 'x' is no hex digit");
    }

    #[test]
    fn a_line_that_is_not_utf8_is_refused() {
        let failure = Lines::new(&b"\xff\n"[..]).next_batch(false).unwrap_err();
        assert!(failure.to_string().starts_with("line 1 of the input is not UTF-8"));
    }

    #[test]
    fn a_line_that_is_too_long_is_refused() {
        let mut input = vec![b'x'; usize::try_from(LINE_BYTES_MAX).unwrap()];
        input.extend(b"\r\n");
        assert!(Lines::new(input.as_slice()).next_batch(false).is_ok());
        input.insert(0, b'x');
        let failure = Lines::new(input.as_slice()).next_batch(false).unwrap_err();
        assert_eq!(failure.to_string(), "line 1 of the input is longer than 16 MiB");
    }
}
