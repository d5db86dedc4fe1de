//! `stream`: one line publishes, readers of event streams (SSE) receive; otherwise as `fanout`.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use crate::args::Args;
use crate::crowd::{Crowd, Hello};
use crate::fanout::text;
use crate::frame;
use crate::latency::Latency;
use crate::target::{Target, read_head};
use crate::window::{Phase, Window};
use crate::wire::Wire;
use crate::{READ_BUFFER_BYTES, STALL_TIMEOUT};

/// Streams are opened one by one; after the last the server has this long to settle.
const SETTLE: Duration = Duration::from_millis(600);

struct Streams {
    poll: Poll,
    readers: Vec<Reader>,
    publisher: Crowd,
    publishes: Vec<u8>,
    burst: u64,
    latency: Latency,
    rounds: Latency,
    bytes: u64,
}

/// A stream of events, and how many of them have come of this burst.
struct Reader {
    wire: Wire<mio::net::TcpStream>,
    events: Counter,
    deliveries: u64,
}

/// Counts a text in a stream of bytes, however reads cut it.
struct Counter {
    needle: Vec<u8>,
    /// The last bytes of the read before, which may begin the text.
    tail: Vec<u8>,
}

pub(crate) fn run(mut args: Args) -> Result<String, String> {
    let target = Target::take(&mut args)?;
    let lines: usize = args.required("lines")?;
    let burst: usize = args.required("burst")?;
    let size: usize = args.required("size")?;
    let window = Window::take(&mut args)?;
    let template = args.take::<String>("publish")?.unwrap_or_else(|| "{data}".to_owned());
    let delivery = args.take::<String>("delivery")?.unwrap_or_default();
    let publisher: String = args.required("publisher")?;
    args.finish()?;

    let needle = format!("\ndata: {delivery}").into_bytes();
    let poll = Poll::new().map_err(|e| e.to_string())?;
    let readers = (0..lines).map(|number| Reader::open(&target, &poll, number, &needle));
    let readers = readers.collect::<Result<_, _>>()?;
    let message = template.replace("{data}", &text(size));
    let mut streams = Streams {
        poll,
        readers,
        publisher: Crowd::open(&target.at(&publisher), 1, &Hello::none())?,
        publishes: frame::client_frame(frame::TEXT, message.as_bytes()).repeat(burst),
        burst: burst as u64,
        latency: Latency::new(),
        rounds: Latency::new(),
        bytes: 0,
    };
    streams.settle()?;
    streams.run(window)
}

impl Reader {
    fn open(target: &Target, poll: &Poll, number: usize, needle: &[u8]) -> Result<Self, String> {
        let text = |e: std::io::Error| format!("stream {number}: {e}");
        let mut wire = target.connect(number).map_err(text)?;
        wire.write_all(target.get(number, "text/event-stream").as_bytes()).map_err(text)?;
        let (head, rest) = read_head(&mut wire)?;
        if !head.starts_with("HTTP/1.1 200") || !head.contains("text/event-stream") {
            return Err(format!("stream {number}: {}", head.lines().next().unwrap_or_default()));
        }
        let wire = wire.register(poll.registry(), number).map_err(text)?;
        let mut events = Counter { needle: needle.to_vec(), tail: Vec::new() };
        events.count(&rest);
        Ok(Self { wire, events, deliveries: 0 })
    }
}

impl Counter {
    fn count(&mut self, bytes: &[u8]) -> u64 {
        self.tail.extend_from_slice(bytes);
        let len = self.needle.len();
        let (mut at, mut count) = (0, 0);
        while at + len <= self.tail.len() {
            let Some(step) = self.tail[at..].iter().position(|byte| *byte == self.needle[0]) else {
                at = self.tail.len();
                break;
            };
            at += step;
            if self.tail[at..].starts_with(&self.needle) {
                count += 1;
                at += len;
            } else if at + len <= self.tail.len() {
                at += 1;
            }
        }
        self.tail.drain(..at.min(self.tail.len()));
        count
    }
}

impl Streams {
    fn settle(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        while begun.elapsed() < SETTLE {
            self.turn(begun)?;
        }
        Ok(())
    }

    fn run(mut self, mut window: Window) -> Result<String, String> {
        let mut total = 0;
        loop {
            total += self.round()?;
            match window.handle_time(Instant::now()) {
                Phase::Going => {}
                Phase::Opened => {
                    total = 0;
                    self.bytes = 0;
                    self.rounds.clear();
                    self.latency.clear();
                }
                Phase::Closed(taken) => return Ok(self.report(total, taken)),
            }
        }
    }

    /// Publishes a burst and waits until everybody has all of it.
    fn round(&mut self) -> Result<u64, String> {
        let expected = self.burst * self.readers.len() as u64;
        for reader in &mut self.readers {
            reader.deliveries = 0;
        }
        let begun = Instant::now();
        self.publisher.lines[0].write(&self.publishes)?;
        let mut come = 0;
        while come < expected {
            come += self.turn(begun)?;
            // What the server answers the publisher is not of interest.
            self.publisher.turn(Duration::ZERO, |_, _| {})?;
            if begun.elapsed() > STALL_TIMEOUT {
                return Err(format!("{come} of {expected} events came"));
            }
        }
        self.rounds.record(begun.elapsed(), 1);
        match self.readers.iter().all(|reader| reader.deliveries == self.burst) {
            true => Ok(come),
            false => Err("some got more events than were published".into()),
        }
    }

    /// Reads what there is; returns how many events have come.
    fn turn(&mut self, since: Instant) -> Result<u64, String> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; READ_BUFFER_BYTES];
        self.poll.poll(&mut events, Some(Duration::from_millis(20))).map_err(|e| e.to_string())?;
        let mut come = 0;
        for event in &events {
            let reader = &mut self.readers[event.token().0];
            loop {
                let count = match reader.wire.read(&mut buffer) {
                    Ok(0) => return Err("the server ended a stream".into()),
                    Ok(count) => count,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                    Err(e) => return Err(e.to_string()),
                };
                self.bytes += count as u64;
                let now = reader.events.count(&buffer[..count]);
                reader.deliveries += now;
                come += now;
                self.latency.record(since.elapsed(), now);
                if count < buffer.len() && reader.wire.ends_short() {
                    break;
                }
            }
        }
        Ok(come)
    }

    fn report(&self, messages: u64, taken: Duration) -> String {
        let seconds = taken.as_secs_f64();
        format!(
            "{{\"messages\":{messages},\"seconds\":{seconds:.6},\"per_second\":{:.1},\
             \"p50_us\":{:.1},\"p99_us\":{:.1},\
             \"delivery_p50_us\":{:.1},\"delivery_p99_us\":{:.1},\
             \"payload_bytes\":{:.1},\"errors\":0}}",
            messages as f64 / seconds,
            self.rounds.quantile_us(0.5),
            self.rounds.quantile_us(0.99),
            self.latency.quantile_us(0.5),
            self.latency.quantile_us(0.99),
            self.bytes as f64 / messages.max(1) as f64,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_however_reads_cut_them() {
        let text = b": hello\n\nid: 1\ndata: ab\n\n\n\ndata: ab\n\ndata: a\n\ndata: ab";
        for size in 1..text.len() {
            let mut counter = Counter { needle: b"\ndata: ab".to_vec(), tail: Vec::new() };
            let count: u64 = text.chunks(size).map(|piece| counter.count(piece)).sum();
            assert_eq!(count, 3, "in pieces of {size}");
        }
    }
}
