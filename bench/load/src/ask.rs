//! `ask`: every line keeps a number of requests outstanding, each of which is answered.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::STALL_TIMEOUT;
use crate::args::Args;
use crate::crowd::{Crowd, Hello};
use crate::fanout::text;
use crate::frame;
use crate::latency::Latency;
use crate::prefix::Prefix;
use crate::target::Target;
use crate::window::{Phase, Window};

struct Asking {
    crowd: Crowd,
    /// For each line its requests in turn, each a frame.
    requests: Vec<Vec<Vec<u8>>>,
    answers: Prefix,
    sent: Vec<Sent>,
    messages: u64,
    others: u64,
    latency: Latency,
}

/// When what is outstanding left, and which request is the next.
#[derive(Default, Clone)]
struct Sent {
    outstanding: VecDeque<Instant>,
    next: usize,
}

pub(crate) fn run(mut args: Args) -> Result<String, String> {
    let target = Target::take(&mut args)?;
    let lines: usize = args.required("lines")?;
    let size: usize = args.required("size")?;
    let in_flight: usize = args.required("in-flight")?;
    let window = Window::take(&mut args)?;
    let template: String = args.required("request")?;
    let answer: String = args.required("answer")?;
    args.finish()?;

    let data = text(size);
    let request = |line: usize, id: usize| {
        let (line, id) = (line.to_string(), id.to_string());
        let message = template.replace("{line}", &line).replace("{id}", &id);
        frame::client_frame(frame::TEXT, message.replace("{data}", &data).as_bytes())
    };
    let requests = |line| (0..in_flight).map(|id| request(line, id)).collect();
    let asking = Asking {
        crowd: Crowd::open(&target, lines, &Hello::none())?,
        requests: (0..lines).map(requests).collect(),
        answers: Prefix::new(&answer, lines),
        sent: vec![Sent::default(); lines],
        messages: 0,
        others: 0,
        latency: Latency::new(),
    };
    asking.run(in_flight, window)
}

impl Asking {
    fn run(mut self, in_flight: usize, mut window: Window) -> Result<String, String> {
        for line in 0..self.sent.len() {
            self.ask(line, in_flight)?;
        }
        let mut answered = vec![0; self.sent.len()];
        let mut progress = Instant::now();
        loop {
            let Self { crowd, answers, others, .. } = &mut self;
            crowd.turn(Duration::from_millis(100), |line, part| {
                let ends = matches!(part, frame::Part::End { .. });
                if answers.ends(line, &part) {
                    answered[line] += 1;
                } else if ends {
                    *others += 1;
                }
            })?;
            let now = Instant::now();
            for (line, count) in answered.iter_mut().enumerate() {
                if *count > 0 {
                    progress = now;
                    self.account(line, *count, now)?;
                    self.ask(line, std::mem::take(count))?;
                }
            }
            if now - progress > STALL_TIMEOUT {
                return Err(format!("no answer for too long, {} other messages", self.others));
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

    fn account(&mut self, line: usize, count: usize, now: Instant) -> Result<(), String> {
        self.messages += count as u64;
        for _ in 0..count {
            let since = self.sent[line].outstanding.pop_front();
            self.latency.record(now - since.ok_or("more answers than requests")?, 1);
        }
        Ok(())
    }

    /// Sends so many of the line's requests in one write.
    fn ask(&mut self, line: usize, count: usize) -> Result<(), String> {
        let (requests, sent) = (&self.requests[line], &mut self.sent[line]);
        let mut bytes = Vec::new();
        for _ in 0..count {
            bytes.extend_from_slice(&requests[sent.next]);
            sent.next = (sent.next + 1) % requests.len();
            sent.outstanding.push_back(Instant::now());
        }
        self.crowd.lines[line].write(&bytes)
    }

    fn report(&self, taken: Duration) -> String {
        let seconds = taken.as_secs_f64();
        format!(
            "{{\"messages\":{},\"seconds\":{seconds:.6},\"per_second\":{:.1},\
             \"p50_us\":{:.1},\"p99_us\":{:.1},\"others\":{},\"errors\":0}}",
            self.messages,
            self.messages as f64 / seconds,
            self.latency.quantile_us(0.5),
            self.latency.quantile_us(0.99),
            self.others
        )
    }
}
