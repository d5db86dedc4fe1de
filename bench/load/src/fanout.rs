//! `fanout`: one line publishes, all lines receive, the next burst waits for the last delivery.

use std::time::{Duration, Instant};

use crate::STALL_TIMEOUT;
use crate::args::Args;
use crate::crowd::{Crowd, Hello, take_bearers};
use crate::frame::{self, Part};
use crate::latency::Latency;
use crate::prefix::Prefix;
use crate::target::Target;
use crate::window::{Phase, Window};

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

/// How late a poll with a timeout may end.
const WAKE_UP: Duration = Duration::from_millis(2);

struct Fanout {
    crowd: Crowd,
    /// Frames of one burst, one after the other.
    publishes: Vec<u8>,
    /// How many deliveries a burst means.
    expected: u64,
    /// From one burst to the next; without it the next begins when the last has arrived.
    interval: Option<Duration>,
    inbox: Inbox,
    /// From the publication to the last delivery.
    rounds: Latency,
}

/// What has arrived.
struct Inbox {
    /// The text that every delivery must carry.
    text: Vec<u8>,
    /// How deliveries begin that are not compressed.
    prefix: Prefix,
    deflate: bool,
    /// The publisher's own deliveries of this burst, kept for a look at their content.
    sample: Vec<u8>,
    /// Of this burst.
    deliveries: u64,
    payload_bytes: u64,
    others: u64,
    /// From the publication to each delivery.
    latency: Latency,
}

pub(crate) fn run(mut args: Args) -> Result<String, String> {
    let mut target = Target::take(&mut args)?;
    let subscribers: usize = args.required("lines")?;
    let burst: usize = args.required("burst")?;
    let size: usize = args.required("size")?;
    let window = Window::take(&mut args)?;
    let template = args.take::<String>("publish")?.unwrap_or_else(|| "{data}".to_owned());
    let prefix = args.take::<String>("delivery")?.unwrap_or_default();
    let rate = args.take::<f64>("rate")?;
    let hello = Hello::take(&mut args, &mut target)?;
    target.bearers = take_bearers(&mut args)?;
    target.deflate = args.switch("deflate");
    args.finish()?;

    let text = text(size);
    let message = template.replace("{data}", &text);
    let lines = subscribers + 1;
    let fanout = Fanout {
        crowd: Crowd::open(&target, lines, &hello)?,
        publishes: frame::client_frame(frame::TEXT, message.as_bytes()).repeat(burst),
        expected: (burst * lines) as u64,
        interval: rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
        inbox: Inbox {
            text: text.into_bytes(),
            prefix: Prefix::new(&prefix, lines),
            deflate: target.deflate,
            sample: Vec::new(),
            deliveries: 0,
            payload_bytes: 0,
            others: 0,
            latency: Latency::new(),
        },
        rounds: Latency::new(),
    };
    fanout.run(window)
}

impl Fanout {
    fn run(mut self, mut window: Window) -> Result<String, String> {
        let mut total = 0;
        let mut due = Instant::now();
        loop {
            self.round(due)?;
            let now = Instant::now();
            total += self.inbox.deliveries;
            match window.handle_time(now) {
                Phase::Going => {}
                Phase::Opened => {
                    total = 0;
                    self.rounds.clear();
                    self.inbox.latency.clear();
                    self.inbox.payload_bytes = 0;
                }
                Phase::Closed(taken) => return Ok(self.report(total, taken)),
            }
            due = self.wait_for_next(due)?;
        }
    }

    /// Returns when the next burst is due; it is late when the last one took too long.
    fn wait_for_next(&mut self, due: Instant) -> Result<Instant, String> {
        let Some(interval) = self.interval else {
            return Ok(Instant::now());
        };
        let next = due + interval;
        while let left @ 1.. = next.saturating_duration_since(Instant::now()).as_nanos() as u64 {
            self.crowd.turn(Duration::from_nanos(left), |_, _| {})?;
        }
        // Waking up late is this program's fault, being behind is the server's.
        let late = next.elapsed();
        Ok(if late < WAKE_UP { Instant::now() } else { next })
    }

    /// Publishes a burst and waits until everybody has all of it. It counts from `due`.
    fn round(&mut self, due: Instant) -> Result<(), String> {
        let Self { crowd, inbox, expected, .. } = self;
        inbox.deliveries = 0;
        inbox.sample.clear();
        crowd.lines[0].write(&self.publishes)?;
        let mut progress = Instant::now();
        while inbox.deliveries < *expected {
            let (mut reading, mut now) = (usize::MAX, due);
            let any = crowd.turn(Duration::from_millis(100), |line, part| {
                // The clock is asked once for each line, not for each of its deliveries.
                if line != reading {
                    (reading, now) = (line, Instant::now());
                }
                inbox.take(line, part, now - due);
            })?;
            if any {
                progress = Instant::now();
            } else if progress.elapsed() > STALL_TIMEOUT {
                return Err(format!("{} of {expected} deliveries came", inbox.deliveries));
            }
        }
        if inbox.deliveries > *expected {
            return Err(format!("{} deliveries, {expected} expected", inbox.deliveries));
        }
        self.rounds.record(due.elapsed(), 1);
        inbox.check_sample()
    }

    fn report(&self, messages: u64, taken: Duration) -> String {
        let seconds = taken.as_secs_f64();
        let Self { inbox, rounds, .. } = self;
        format!(
            "{{\"messages\":{messages},\"seconds\":{seconds:.6},\"per_second\":{:.1},\
             \"p50_us\":{:.1},\"p99_us\":{:.1},\
             \"delivery_p50_us\":{:.1},\"delivery_p99_us\":{:.1},\
             \"payload_bytes\":{:.1},\"others\":{},\"errors\":0}}",
            messages as f64 / seconds,
            rounds.quantile_us(0.5),
            rounds.quantile_us(0.99),
            inbox.latency.quantile_us(0.5),
            inbox.latency.quantile_us(0.99),
            inbox.payload_bytes as f64 / messages as f64,
            inbox.others
        )
    }
}

impl Inbox {
    #[inline]
    fn take(&mut self, line: usize, part: Part<'_>, after: Duration) {
        let alike = self.prefix.ends(line, &part);
        match part {
            Part::Body { bytes, .. } => {
                if line == 0 && !self.deflate {
                    self.sample.extend_from_slice(bytes);
                }
            }
            Part::End { len, compressed, .. } => {
                // The beginning of a compressed message cannot be seen.
                if compressed || (alike && !self.deflate && len >= self.text.len()) {
                    self.deliveries += 1;
                    self.payload_bytes += len as u64;
                    self.latency.record(after, 1);
                } else {
                    self.others += 1;
                }
            }
        }
    }

    fn check_sample(&self) -> Result<(), String> {
        let text = self.text.as_slice();
        if self.deflate || self.sample.windows(text.len()).any(|window| window == text) {
            return Ok(());
        }
        Err("a delivery does not carry the published text".into())
    }
}

/// `size` bytes of words in an order that repeats late.
pub(crate) fn text(size: usize) -> String {
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
