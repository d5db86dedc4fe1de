//! `cycle`: lines that come, say hello, have their answer and go, one after the other.
//!
//! Without a hello it is the rate of connections that is seen, with one that asks for what was missed
//! the rate of recoveries.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::{Events, Poll};
use socket2::SockRef;

use crate::args::Args;
use crate::crowd::{Crowd, Hello};
use crate::frame::{self, Part, Reader};
use crate::latency::Latency;
use crate::prefix::Prefix;
use crate::target::{Target, head_end};
use crate::window::{Phase, Window};
use crate::wire::Wire;
use crate::{READ_BUFFER_BYTES, STALL_TIMEOUT};

/// One answer in this many is looked into.
const SAMPLE: u64 = 16;

struct Cycles {
    target: Target,
    poll: Poll,
    /// What is said when the line is open; an empty text is nothing.
    hello: Vec<u8>,
    answer: Prefix,
    /// What every answer holds.
    holds: Vec<u8>,
    visits: Vec<Visit>,
    done: u64,
    payload_bytes: u64,
    latency: Latency,
}

/// A line, from its request to its end.
struct Visit {
    wire: Wire<mio::net::TcpStream>,
    begun: Instant,
    /// What has come of the answer's head; none when it is over.
    head: Option<Vec<u8>>,
    reader: Reader,
    /// The message that comes, if it is one that is looked into.
    sample: Option<Vec<u8>>,
}

pub(crate) fn run(mut args: Args) -> Result<String, String> {
    let target = Target::take(&mut args)?;
    let lines: usize = args.required("lines")?;
    let window = Window::take(&mut args)?;
    let hello: String = args.take("hello")?.unwrap_or_default();
    let answer: String = args.take("answer")?.unwrap_or_default();
    let holds: String = args.take("holds")?.unwrap_or_default();
    let published = args.take::<usize>("published")?.unwrap_or(0);
    let publish: String = args.take("publish")?.unwrap_or_default();
    args.finish()?;

    let hello = match published {
        0 => hello,
        count => hello.replace("{position}", &publish_ahead(&target, &publish, count)?),
    };
    let mut cycles = Cycles {
        poll: Poll::new().map_err(|e| e.to_string())?,
        hello: hello.into_bytes(),
        answer: Prefix::new(&answer, lines),
        holds: holds.into_bytes(),
        visits: Vec::with_capacity(lines),
        done: 0,
        payload_bytes: 0,
        latency: Latency::new(),
        target,
    };
    for number in 0..lines {
        let visit = cycles.visit(number)?;
        cycles.visits.push(visit);
    }
    cycles.run(window)
}

/// Publishes so many messages; returns the position of the first.
fn publish_ahead(target: &Target, message: &str, count: usize) -> Result<String, String> {
    const POSITION: &str = "\"position\":\"";
    let hello = Hello::none();
    let mut crowd = Crowd::open(target, 1, &hello)?;
    let frame = frame::client_frame(frame::TEXT, message.as_bytes());
    let (mut first, mut text, mut answered) = (None, Vec::new(), 0);
    crowd.lines[0].write(&frame.repeat(count))?;
    let begun = Instant::now();
    while answered < count {
        crowd.turn(Duration::from_millis(100), |_, part| match part {
            Part::Body { bytes, .. } => text.extend_from_slice(bytes),
            Part::End { .. } => {
                let said = String::from_utf8_lossy(&text).into_owned();
                let position = said.split_once(POSITION).and_then(|(_, rest)| rest.split_once('"'));
                if let Some((position, _)) = position {
                    answered += 1;
                    first.get_or_insert_with(|| position.to_owned());
                }
                text.clear();
            }
        })?;
        if begun.elapsed() > STALL_TIMEOUT {
            return Err(format!("{answered} of {count} publications had a position"));
        }
    }
    first.ok_or_else(|| "--published must be at least 1".to_owned())
}

impl Cycles {
    fn visit(&self, number: usize) -> Result<Visit, String> {
        let text = |e: std::io::Error| format!("line {number}: {e}");
        let begun = Instant::now();
        let mut wire = self.target.connect(number).map_err(text)?;
        wire.write_all(self.target.request(number).as_bytes()).map_err(text)?;
        let wire = wire.register(self.poll.registry(), number).map_err(text)?;
        let sample = self.done.is_multiple_of(SAMPLE).then(Vec::new);
        Ok(Visit { wire, begun, head: Some(Vec::new()), reader: Reader::default(), sample })
    }

    fn run(mut self, mut window: Window) -> Result<String, String> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; READ_BUFFER_BYTES];
        let mut progress = Instant::now();
        loop {
            self.poll
                .poll(&mut events, Some(Duration::from_millis(100)))
                .map_err(|e| e.to_string())?;
            for event in &events {
                let number = event.token().0;
                if self.read(number, &mut buffer)? {
                    progress = Instant::now();
                    self.end(number, progress)?;
                }
            }
            let now = Instant::now();
            if now - progress > STALL_TIMEOUT {
                return Err("no line had its answer for too long".into());
            }
            match window.handle_time(now) {
                Phase::Going => {}
                Phase::Opened => {
                    (self.done, self.payload_bytes) = (0, 0);
                    self.latency.clear();
                }
                Phase::Closed(taken) => return Ok(self.report(taken)),
            }
        }
    }

    /// Reads what there is; returns whether the line had its answer.
    fn read(&mut self, number: usize, buffer: &mut [u8]) -> Result<bool, String> {
        loop {
            let visit = &mut self.visits[number];
            let count = match visit.wire.read(buffer) {
                Ok(0) => return Err("the server hung up".into()),
                Ok(count) => count,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(e.to_string()),
            };
            let Some(head) = &mut visit.head else {
                if self.take(number, &buffer[..count])? {
                    return Ok(true);
                }
                continue;
            };
            head.extend_from_slice(&buffer[..count]);
            let Some(end) = head_end(head) else { continue };
            self.target.check_answer(&String::from_utf8_lossy(&head[..end]))?;
            let rest = head.split_off(end);
            visit.head = None;
            if self.hello.is_empty() {
                return Ok(true);
            }
            let hello = frame::client_frame(frame::TEXT, &self.hello);
            visit.wire.write_all(&hello).map_err(|e| e.to_string())?;
            if self.take(number, &rest)? {
                return Ok(true);
            }
        }
    }

    /// Whether the answer is complete with these bytes.
    fn take(&mut self, number: usize, bytes: &[u8]) -> Result<bool, String> {
        let Visit { reader, sample, .. } = &mut self.visits[number];
        let (mut answered, mut wrong) = (false, false);
        reader.read(bytes, |part| {
            let ends = self.answer.ends(number, &part);
            if let (Part::Body { bytes, .. }, Some(sample)) = (&part, &mut *sample) {
                sample.extend_from_slice(bytes);
            }
            let Part::End { len, .. } = part else { return };
            if ends && !answered {
                answered = true;
                self.payload_bytes += len as u64;
                wrong = sample.as_ref().is_some_and(|sample| !contains(sample, &self.holds));
            }
            if let Some(sample) = sample {
                sample.clear();
            }
        })?;
        match wrong {
            true => Err("an answer does not hold what it should".into()),
            false => Ok(answered),
        }
    }

    /// Cuts the line, so that no port is kept from the next, and begins another in its place.
    fn end(&mut self, number: usize, now: Instant) -> Result<(), String> {
        self.done += 1;
        self.latency.record(now - self.visits[number].begun, 1);
        if let Wire::Plain(stream) = &self.visits[number].wire {
            SockRef::from(stream).set_linger(Some(Duration::ZERO)).map_err(|e| e.to_string())?;
        }
        self.visits[number] = self.visit(number)?;
        Ok(())
    }

    fn report(&self, taken: Duration) -> String {
        let seconds = taken.as_secs_f64();
        format!(
            "{{\"messages\":{},\"seconds\":{seconds:.6},\"per_second\":{:.1},\
             \"p50_us\":{:.1},\"p99_us\":{:.1},\"payload_bytes\":{:.1},\"errors\":0}}",
            self.done,
            self.done as f64 / seconds,
            self.latency.quantile_us(0.5),
            self.latency.quantile_us(0.99),
            self.payload_bytes as f64 / self.done.max(1) as f64,
        )
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}
