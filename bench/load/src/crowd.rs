//! Many lines and the one poll behind them: opened, introduced to the server, read in turns.

use std::fs;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use crate::args::Args;
use crate::frame::{self, Part, Reader};
use crate::line::Line;
use crate::prefix::Prefix;
use crate::target::Target;
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

/// How each line is introduced to the server.
pub(crate) struct Hello {
    steps: Vec<Step>,
    /// How many rooms the lines are spread over.
    rooms: usize,
    /// A server may greet, list users and so on; it is done when this long nothing came.
    quiet: Duration,
}

/// What a line says, and how the answer begins that it waits for.
struct Step {
    message: Option<String>,
    answer: Option<String>,
}

impl Hello {
    /// Nothing is said.
    pub(crate) fn none() -> Self {
        Self { steps: Vec::new(), rooms: 1, quiet: Duration::ZERO }
    }

    pub(crate) fn take(args: &mut Args, target: &mut Target) -> Result<Self, String> {
        target.engine_io = args.switch("socketio");
        let mut steps = Vec::new();
        if target.engine_io {
            // The server opens the connection, then the client its namespace.
            steps.push(Step { message: None, answer: Some("0{".to_owned()) });
            steps.push(Step { message: Some("40".to_owned()), answer: Some("40{".to_owned()) });
        }
        steps.push(Step { message: args.take("hello")?, answer: args.take("answer")? });
        let rooms = args.take("rooms")?.unwrap_or(1);
        if rooms == 0 {
            return Err("--rooms must be at least 1".into());
        }
        let quiet = Duration::from_secs_f64(args.take("quiet")?.unwrap_or(0.0));
        Ok(Self { steps, rooms, quiet })
    }
}

impl Step {
    /// The frame with which the line of this number begins the step.
    fn frame(&self, number: usize, rooms: usize) -> Option<Vec<u8>> {
        let room = (number % rooms).to_string();
        let message = self.message.as_ref()?.replace("{room}", &room);
        Some(frame::client_frame(frame::TEXT, message.as_bytes()))
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
        while crowd.lines.len() < count {
            let first = crowd.lines.len();
            for token in first..count.min(first + OPEN_AT_ONCE) {
                let registry = crowd.poll.registry();
                crowd.lines.push(Line::open(target, Reader::default(), registry, token)?);
            }
            for step in &hello.steps {
                crowd.introduce(first, step, hello.rooms)?;
            }
        }
        crowd.wait_for_quiet(hello.quiet)?;
        Ok(crowd)
    }

    /// Takes the lines from `first` on through one step.
    fn introduce(&mut self, first: usize, step: &Step, rooms: usize) -> Result<(), String> {
        for (number, line) in self.lines.iter_mut().enumerate().skip(first) {
            if let Some(frame) = step.frame(number, rooms) {
                line.write(&frame)?;
            }
        }
        match &step.answer {
            Some(answer) => self.wait_for_answers(first, answer),
            None => self.turn(Duration::ZERO, |_, _| {}).map(drop),
        }
    }

    /// Waits until each line from `first` on has had an answer that begins like this. Lines that
    /// were introduced before may hear the like on account of the new ones.
    fn wait_for_answers(&mut self, first: usize, answer: &str) -> Result<(), String> {
        let mut answers = Prefix::new(answer, self.lines.len());
        let mut waiting = vec![true; self.lines.len() - first];
        let mut missing = waiting.len();
        let begun = Instant::now();
        while missing > 0 {
            self.turn(Duration::from_millis(100), |token, part| {
                if answers.ends(token, &part) && token >= first {
                    missing -= usize::from(std::mem::take(&mut waiting[token - first]));
                }
            })?;
            if begun.elapsed() > STALL_TIMEOUT {
                return Err(format!("{missing} lines had no answer that begins with {answer}"));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(words: &str) -> (Hello, Target) {
        let words = ["idle"].into_iter().chain(words.split(' '));
        let mut args = Args::parse(words.map(str::to_owned)).expect("the words are arguments");
        let mut target = Target::parse("ws://127.0.0.1:1/").expect("the address is loopback");
        let hello = Hello::take(&mut args, &mut target).expect("the arguments are right");
        (hello, target)
    }

    #[test]
    fn lines_are_spread_over_rooms() {
        let (hello, _) = hello("--hello join:{room} --rooms 2");
        let step = hello.steps.last().expect("there is a step");
        let said = |number| step.frame(number, hello.rooms).expect("the step has a message");
        assert_eq!(said(3), frame::client_frame(frame::TEXT, b"join:1"));
        assert_eq!(said(0), said(2));
    }

    #[test]
    fn a_socket_io_client_opens_and_connects_before_it_speaks() {
        let (hello, target) = hello("--socketio --hello hi --answer ha");
        let steps: Vec<_> = hello.steps.iter().map(|step| (&step.message, &step.answer)).collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            steps,
            [(&None, &text("0{")), (&text("40"), &text("40{")), (&text("hi"), &text("ha")),]
        );
        assert!(target.engine_io);
    }
}
