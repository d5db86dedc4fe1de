//! Many lines and the one poll behind them: opened, introduced to the server, read in turns.

use std::fs;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use crate::args::Args;
use crate::frame::{self, Part, Reader};
use crate::line::{Line, Target};
use crate::prefix::Prefix;
use crate::{READ_BUFFER_BYTES, STALL_TIMEOUT};

/// Lines opened between two looks at what the server sends to the open ones.
const OPEN_AT_ONCE: usize = 32;

/// A server that keeps talking for longer than this after the last line came is out of order.
const QUIET_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct Crowd {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    pub(crate) lines: Vec<Line>,
}

/// What a line says as soon as it is open, and how the answer begins that it waits for.
pub(crate) struct Hello {
    message: Option<String>,
    answer: Option<String>,
    /// A server may greet, list users and so on; it is done when this long nothing came.
    quiet: Duration,
}

impl Hello {
    pub(crate) fn take(args: &mut Args) -> Result<Self, String> {
        let quiet = args.take::<f64>("quiet")?.unwrap_or(0.0);
        Ok(Self {
            message: args.take("hello")?,
            answer: args.take("answer")?,
            quiet: Duration::from_secs_f64(quiet),
        })
    }
}

/// The tokens of `--bearers FILE`, one a line.
pub(crate) fn take_bearers(args: &mut Args) -> Result<Vec<String>, String> {
    let Some(path) = args.take::<String>("bearers")? else {
        return Ok(Vec::new());
    };
    let text = fs::read_to_string(&path).map_err(|e| format!("--bearers {path}: {e}"))?;
    Ok(text.lines().map(str::to_owned).collect())
}

impl Crowd {
    /// Opens `count` lines; returns when all had their answers and the server is quiet.
    pub(crate) fn open(target: &Target, count: usize, hello: &Hello) -> Result<Self, String> {
        let mut crowd = Self {
            poll: Poll::new().map_err(|e| e.to_string())?,
            events: Events::with_capacity(1024),
            buffer: vec![0; READ_BUFFER_BYTES],
            lines: Vec::with_capacity(count),
        };
        let greeting = hello
            .message
            .as_ref()
            .map(|message| frame::client_frame(frame::TEXT, message.as_bytes()));
        let mut answers = hello.answer.as_ref().map(|prefix| Prefix::new(prefix, count));
        let mut answered = 0;
        while crowd.lines.len() < count {
            for _ in 0..OPEN_AT_ONCE.min(count - crowd.lines.len()) {
                crowd.add(target, greeting.as_deref())?;
            }
            crowd.wait_for_answers(&mut answers, &mut answered)?;
        }
        crowd.wait_for_quiet(hello.quiet)?;
        Ok(crowd)
    }

    fn add(&mut self, target: &Target, greeting: Option<&[u8]>) -> Result<(), String> {
        let token = self.lines.len();
        let mut line = Line::open(target, Reader::default(), self.poll.registry(), token)?;
        if let Some(greeting) = greeting {
            line.write(greeting)?;
        }
        self.lines.push(line);
        Ok(())
    }

    fn wait_for_answers(
        &mut self,
        answers: &mut Option<Prefix>,
        answered: &mut usize,
    ) -> Result<(), String> {
        let Some(answers) = answers else {
            return self.turn(Duration::ZERO, |_, _| {}).map(drop);
        };
        let begun = Instant::now();
        while *answered < self.lines.len() {
            self.turn(Duration::from_millis(100), |token, part| {
                *answered += usize::from(answers.ends(token, &part));
            })?;
            if begun.elapsed() > STALL_TIMEOUT {
                return Err(format!("{answered} of {} lines were answered", self.lines.len()));
            }
        }
        Ok(())
    }

    /// An event need not bring data, so that silence is judged by the clock.
    fn wait_for_quiet(&mut self, quiet: Duration) -> Result<(), String> {
        let begun = Instant::now();
        let mut heard = begun;
        while heard.elapsed() < quiet {
            if self.turn(quiet / 4, |_, _| {})? {
                heard = Instant::now();
            }
            if begun.elapsed() > QUIET_TIMEOUT {
                return Err("the server does not become quiet".into());
            }
        }
        Ok(())
    }

    /// Reads what there is; returns whether there was anything.
    pub(crate) fn turn(
        &mut self,
        timeout: Duration,
        mut visit: impl FnMut(usize, Part<'_>),
    ) -> Result<bool, String> {
        self.poll.poll(&mut self.events, Some(timeout)).map_err(|e| e.to_string())?;
        let mut any = false;
        for event in &self.events {
            let token = event.token().0;
            let line = &mut self.lines[token];
            line.flush()?;
            line.read(&mut self.buffer, |part| {
                any = true;
                visit(token, part);
            })?;
        }
        Ok(any)
    }
}
