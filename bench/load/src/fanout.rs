//! `fanout`: one line publishes, all lines receive, the next burst waits for the last delivery.

use std::time::{Duration, Instant};

use mio::{Events, Poll};

use crate::args::Args;
use crate::frame::{self, Part, Reader};
use crate::latency::Latency;
use crate::line::{Line, Target};
use crate::window::{Phase, Window};
use crate::{READ_BUFFER_BYTES, STALL_TIMEOUT};

/// A server may greet, list users and so on; it is done when this long nothing came.
const QUIET: Duration = Duration::from_millis(600);
const QUIET_TIMEOUT: Duration = Duration::from_secs(20);

/// Lines opened between two looks at what the server sends to the open ones.
const OPEN_AT_ONCE: usize = 32;

const TEMPLATE: &str = r#"{"type":"chat","text":"<payload>"}"#;

/// What the published text is made of: ordinary words, so that deflate has real work.
const WORDS: &[&str] = &[
    "the",
    "line",
    "stays",
    "open",
    "between",
    "people",
    "and",
    "programs",
    "while",
    "messages",
    "travel",
    "in",
    "one",
    "order",
    "without",
    "silent",
    "gaps",
    "or",
    "duplicates",
    "so",
    "that",
    "every",
    "subscriber",
    "sees",
    "what",
    "was",
    "published",
    "to",
    "its",
    "channel",
    "today",
];

struct Fanout {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    lines: Vec<Line>,
    /// The text that every delivery must carry.
    text: Vec<u8>,
    deflate: bool,
    /// The publisher's own deliveries of this burst, kept for a look at their content.
    sample: Vec<u8>,
    deliveries: u64,
    payload_bytes: u64,
    others: u64,
}

pub(crate) fn run(mut args: Args) -> Result<String, String> {
    let mut target = Target::parse(&args.required::<String>("url")?)?;
    let subscribers: usize = args.required("lines")?;
    let burst: usize = args.required("burst")?;
    let size: usize = args.required("size")?;
    let seconds = Duration::from_secs_f64(args.required("seconds")?);
    let warmup = Duration::from_secs_f64(args.required("warmup")?);
    let template = args.take::<String>("template")?.unwrap_or_else(|| TEMPLATE.to_owned());
    target.deflate = args.switch("deflate");
    args.finish()?;

    let text = text(size);
    let message = template.replace("<payload>", &text);
    let publishes = frame::client_frame(frame::TEXT, message.as_bytes()).repeat(burst);
    let mut fanout = Fanout {
        poll: Poll::new().map_err(|e| e.to_string())?,
        events: Events::with_capacity(1024),
        buffer: vec![0; READ_BUFFER_BYTES],
        lines: Vec::new(),
        text: text.into_bytes(),
        deflate: target.deflate,
        sample: Vec::new(),
        deliveries: 0,
        payload_bytes: 0,
        others: 0,
    };
    fanout.open(&target, subscribers + 1)?;
    fanout.run(burst, &publishes, Window::new(warmup, seconds))
}

impl Fanout {
    fn open(&mut self, target: &Target, count: usize) -> Result<(), String> {
        for token in 0..count {
            let line = Line::open(target, Reader::default(), self.poll.registry(), token)?;
            self.lines.push(line);
            if token % OPEN_AT_ONCE == 0 {
                self.turn(Duration::ZERO)?;
            }
        }
        self.wait_for_quiet()
    }

    /// An event need not bring data, so that silence is judged by the clock.
    fn wait_for_quiet(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        let mut heard = begun;
        while heard.elapsed() < QUIET {
            if self.turn(QUIET / 4)? {
                heard = Instant::now();
            }
            if begun.elapsed() > QUIET_TIMEOUT {
                return Err("the server does not become quiet".into());
            }
        }
        Ok(())
    }

    fn run(
        &mut self,
        burst: usize,
        publishes: &[u8],
        mut window: Window,
    ) -> Result<String, String> {
        let mut latency = Latency::new();
        let mut total = 0;
        let mut payload_bytes = 0;
        loop {
            let begun = Instant::now();
            self.round(burst, publishes)?;
            let now = Instant::now();
            latency.record(now - begun, 1);
            total += self.deliveries;
            payload_bytes += self.payload_bytes;
            match window.handle_time(now) {
                Phase::Going => {}
                Phase::Opened => {
                    latency.clear();
                    (total, payload_bytes) = (0, 0);
                }
                Phase::Closed(taken) => {
                    return Ok(self.report(total, payload_bytes, taken, &latency));
                }
            }
        }
    }

    /// Publishes a burst and waits until everybody has all of it.
    fn round(&mut self, burst: usize, publishes: &[u8]) -> Result<(), String> {
        (self.deliveries, self.payload_bytes) = (0, 0);
        self.sample.clear();
        self.lines[0].write(publishes)?;
        let expected = (burst * self.lines.len()) as u64;
        let mut progress = Instant::now();
        while self.deliveries < expected {
            if self.turn(Duration::from_millis(100))? {
                progress = Instant::now();
            } else if progress.elapsed() > STALL_TIMEOUT {
                return Err(format!("{} of {expected} deliveries came", self.deliveries));
            }
        }
        if self.deliveries > expected {
            return Err(format!("{} deliveries, {expected} expected", self.deliveries));
        }
        self.check_sample()
    }

    fn check_sample(&self) -> Result<(), String> {
        let text = self.text.as_slice();
        if self.deflate || self.sample.windows(text.len()).any(|window| window == text) {
            return Ok(());
        }
        Err("a delivery does not carry the published text".into())
    }

    /// Reads what there is; returns whether there was anything.
    fn turn(&mut self, timeout: Duration) -> Result<bool, String> {
        self.poll.poll(&mut self.events, Some(timeout)).map_err(|e| e.to_string())?;
        let mut any = false;
        for event in &self.events {
            let token = event.token().0;
            let line = &mut self.lines[token];
            line.flush()?;
            line.read(&mut self.buffer, |part| match part {
                Part::Body { bytes, .. } => {
                    any = true;
                    if token == 0 && !self.deflate {
                        self.sample.extend_from_slice(bytes);
                    }
                }
                Part::End { len, compressed, .. } => {
                    any = true;
                    if is_delivery(len, compressed, self.text.len(), self.deflate) {
                        self.deliveries += 1;
                        self.payload_bytes += len as u64;
                    } else {
                        self.others += 1;
                    }
                }
            })?;
        }
        Ok(any)
    }

    fn report(&self, messages: u64, bytes: u64, taken: Duration, latency: &Latency) -> String {
        let seconds = taken.as_secs_f64();
        format!(
            "{{\"messages\":{messages},\"seconds\":{seconds:.6},\"per_second\":{:.1},\
             \"p50_us\":{:.1},\"p99_us\":{:.1},\"payload_bytes\":{:.1},\"others\":{},\"errors\":0}}",
            messages as f64 / seconds,
            latency.quantile_us(0.5),
            latency.quantile_us(0.99),
            bytes as f64 / messages as f64,
            self.others
        )
    }
}

/// `size` bytes of words in an order that repeats late.
fn text(size: usize) -> String {
    let mut text = String::with_capacity(size + 16);
    let mut seed: u32 = 1;
    while text.len() < size {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(WORDS[(seed >> 16) as usize % WORDS.len()]);
        text.push(' ');
    }
    text.truncate(size);
    text
}

/// Whether a frame carries the publication. Lists of users and the like may come late; they are
/// longer than any delivery, which has the text at most twice.
fn is_delivery(len: usize, compressed: bool, text_len: usize, deflate: bool) -> bool {
    const ENVELOPE_BYTES_MAX: usize = 512;
    match (deflate, compressed) {
        (true, true) => len <= text_len + ENVELOPE_BYTES_MAX,
        (false, false) => (text_len..=2 * text_len + ENVELOPE_BYTES_MAX).contains(&len),
        _ => false,
    }
}
