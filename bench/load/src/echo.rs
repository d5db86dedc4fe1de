//! `echo`: every line keeps a number of messages outstanding.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use crate::args::Args;
use crate::frame::{self, Part, Reader};
use crate::latency::Latency;
use crate::line::Line;
use crate::target::Target;
use crate::window::{Phase, Window};
use crate::{READ_BUFFER_BYTES, STALL_TIMEOUT};

/// One echo in this many is compared byte by byte.
const SAMPLE: u64 = 16;

/// Messages that left in one write and have not come back: when, and how many.
type Outstanding = VecDeque<(Instant, usize)>;

struct Echoes {
    in_flight: usize,
    /// `in_flight` frames, one after the other.
    batch: Vec<u8>,
    frame_len: usize,
    /// What must come back for each of them.
    answer: Vec<u8>,
    opcode: u8,
    latency: Latency,
    messages: u64,
    errors: u64,
}

pub(crate) fn run(mut args: Args) -> Result<String, String> {
    let target = Target::take(&mut args)?;
    let lines: usize = args.required("lines")?;
    let size: usize = args.required("size")?;
    let in_flight: usize = args.required("in-flight")?;
    let window = Window::take(&mut args)?;
    let opcode = if args.switch("text") { frame::TEXT } else { frame::BINARY };
    let raw = args.switch("raw");
    args.finish()?;

    let payload: Vec<u8> = (0..size).map(|i| b'a' + (i % 26) as u8).collect();
    let frame = frame::client_frame(opcode, &payload);
    let frame_len = frame.len();
    let reader = || if raw { Reader::raw(frame_len) } else { Reader::default() };
    let echoes = Echoes {
        in_flight,
        batch: frame.repeat(in_flight),
        frame_len,
        answer: if raw { frame } else { payload },
        opcode: if raw { frame::BINARY } else { opcode },
        latency: Latency::new(),
        messages: 0,
        errors: 0,
    };

    let poll = Poll::new().map_err(|e| e.to_string())?;
    let lines = (0..lines)
        .map(|token| Line::open(&target, reader(), poll.registry(), token))
        .collect::<Result<Vec<_>, _>>()?;
    echoes.run(poll, lines, window)
}

impl Echoes {
    fn run(
        mut self,
        mut poll: Poll,
        mut lines: Vec<Line>,
        mut window: Window,
    ) -> Result<String, String> {
        let mut sent = vec![Outstanding::new(); lines.len()];
        for (line, sent) in lines.iter_mut().zip(&mut sent) {
            self.send(line, sent, self.in_flight, Instant::now())?;
        }
        let mut events = Events::with_capacity(lines.len());
        let mut buffer = vec![0; READ_BUFFER_BYTES];
        let mut progress = Instant::now();
        loop {
            poll.poll(&mut events, Some(Duration::from_millis(100))).map_err(|e| e.to_string())?;
            for event in &events {
                let token = event.token().0;
                let (line, sent) = (&mut lines[token], &mut sent[token]);
                line.flush()?;
                let count = self.receive(line, &mut buffer)?;
                if count > 0 {
                    progress = Instant::now();
                    self.account(sent, count, progress, window.is_open())?;
                    self.send(line, sent, count, progress)?;
                }
            }
            let now = Instant::now();
            if now - progress > STALL_TIMEOUT {
                return Err("no echo for too long".into());
            }
            match window.handle_time(now) {
                Phase::Going => {}
                Phase::Opened => {
                    self.messages = 0;
                    self.latency.clear();
                }
                Phase::Closed(taken) => return Ok(self.report(taken)),
            }
        }
    }

    /// Returns how many echoes were completed.
    fn receive(&mut self, line: &mut Line, buffer: &mut [u8]) -> Result<usize, String> {
        let mut count = 0;
        line.read(buffer, |part| match part {
            Part::Body { offset, bytes, .. } => {
                let sampled = (self.messages + count as u64).is_multiple_of(SAMPLE);
                if sampled && self.answer.get(offset..offset + bytes.len()) != Some(bytes) {
                    self.errors += 1;
                }
            }
            Part::End { opcode, len, .. } => {
                if opcode != self.opcode || len != self.answer.len() {
                    self.errors += 1;
                }
                count += 1;
            }
        })?;
        Ok(count)
    }

    fn account(
        &mut self,
        sent: &mut Outstanding,
        count: usize,
        now: Instant,
        measured: bool,
    ) -> Result<(), String> {
        self.messages += count as u64;
        let mut left = count;
        while left > 0 {
            let (since, waiting) = sent.front_mut().ok_or("more echoes than messages")?;
            let back = left.min(*waiting);
            if measured {
                self.latency.record(now - *since, back as u64);
            }
            left -= back;
            *waiting -= back;
            if *waiting == 0 {
                sent.pop_front();
            }
        }
        Ok(())
    }

    fn send(
        &self,
        line: &mut Line,
        sent: &mut Outstanding,
        count: usize,
        now: Instant,
    ) -> Result<(), String> {
        sent.push_back((now, count));
        line.write(&self.batch[..count * self.frame_len])
    }

    fn report(&self, taken: Duration) -> String {
        let seconds = taken.as_secs_f64();
        format!(
            "{{\"messages\":{},\"seconds\":{seconds:.6},\"per_second\":{:.1},\
             \"p50_us\":{:.1},\"p99_us\":{:.1},\"errors\":{}}}",
            self.messages,
            self.messages as f64 / seconds,
            self.latency.quantile_us(0.5),
            self.latency.quantile_us(0.99),
            self.errors
        )
    }
}
