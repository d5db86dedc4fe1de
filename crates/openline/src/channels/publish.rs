//! `--publish`: each line of the input, in order.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, Read as _};
use std::pin::Pin;
use std::task::Poll;
use std::thread;

use openline_client::{ChannelName, Client, Data, Error, Published};
use tokio::sync::mpsc;

use super::failure::Stop;
use super::json::Object;
use super::output::Output;
use crate::exit::{Exit, Failure};

/// The longest line of input; more is no message of any server.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Lines that are read ahead.
const LINES_AHEAD: usize = 16;

/// Messages, and their bytes, that are under way at most.
const UNDER_WAY_MAX: usize = 64;
const BYTES_UNDER_WAY_MAX: usize = 512 * 1024;

/// How deep a value may be nested at most in any namespace.
const DEPTH_MAX: usize = 128;

type Answer = Pin<Box<dyn Future<Output = Result<Published, Error>> + Send>>;

pub(super) async fn run(
    client: &Client,
    channel: &ChannelName,
    event: Option<&str>,
    output: Output,
) -> Result<(), Stop> {
    let mut lines = read_input()?;
    let mut under_way = UnderWay { queue: VecDeque::new(), bytes: 0 };
    let mut number = 0_u64;
    let ended = loop {
        let line = tokio::select! {
            biased;
            line = lines.recv() => line,
            published = under_way.first(), if !under_way.queue.is_empty() => {
                print(channel, &published?, output)?;
                continue;
            }
        };
        let Some(line) = line else { break Ok(()) };
        number += 1;
        let data = match line.and_then(|line| data(&line, number)) {
            Ok(Some(data)) => data,
            Ok(None) => continue,
            Err(failure) => break Err(failure),
        };
        while under_way.is_full(&data) {
            print(channel, &under_way.first().await?, output)?;
        }
        let bytes = len(&data);
        let mut publish = client.publish_data(channel.as_str(), data);
        if let Some(event) = event {
            publish = publish.event(event.to_owned());
        }
        under_way.push(publish.into_future(), bytes).await;
    };
    // What came before a line that is wrong was published, and its answers are due.
    while !under_way.queue.is_empty() {
        print(channel, &under_way.first().await?, output)?;
    }
    Ok(ended?)
}

/// Messages that were handed over, oldest first.
struct UnderWay {
    queue: VecDeque<(State, usize)>,
    bytes: usize,
}

enum State {
    Waits(Answer),
    Answered(Result<Published, Error>),
}

impl UnderWay {
    fn is_full(&self, next: &Data) -> bool {
        !self.queue.is_empty()
            && (self.queue.len() >= UNDER_WAY_MAX || self.bytes + len(next) > BYTES_UNDER_WAY_MAX)
    }

    /// Hands a message over, which a future does when it is polled first.
    async fn push(&mut self, mut answer: Answer, bytes: usize) {
        let polled = std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await;
        let state = match polled {
            Poll::Ready(answer) => State::Answered(answer),
            Poll::Pending => State::Waits(answer),
        };
        self.queue.push_back((state, bytes));
        self.bytes += bytes;
    }

    /// The answer to the oldest. Nothing is lost when the future is dropped.
    async fn first(&mut self) -> Result<Published, Error> {
        let Some((state, _)) = self.queue.front_mut() else { return std::future::pending().await };
        if let State::Waits(answer) = state {
            let answered = answer.await;
            *state = State::Answered(answered);
        }
        match self.queue.pop_front() {
            Some((State::Answered(answered), bytes)) => {
                self.bytes -= bytes;
                answered
            }
            _ => Err(Error::Unexpected),
        }
    }
}

fn len(data: &Data) -> usize {
    match data {
        Data::Json(text) => text.len(),
        Data::Binary(bytes) => bytes.len(),
    }
}

/// The payload in a line; none in an empty one.
fn data(line: &str, number: u64) -> Result<Option<Data>, Failure> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(None);
    }
    let wrong = |what| Failure::new(Exit::Data, format!("line {number} of the input: {what}"));
    let hint = "text has quotes of its own: \"hello\"";
    Data::from_json_text(line.into(), DEPTH_MAX)
        .map(Some)
        .map_err(|fault| wrong(fault.message).hint(hint))
}

fn print(channel: &ChannelName, published: &Published, output: Output) -> io::Result<()> {
    let position = published.position;
    output.result(
        || {
            let object = Object::new("published").text("channel", channel);
            let object = object.text_if("position", position).raw("timestamp", published.timestamp);
            object.raw("duplicate", published.duplicate)
        },
        || position.map_or(String::new(), |position| position.to_string()),
    )
}

/// Lines of standard input, which is read by a thread: it cannot be waited for otherwise.
fn read_input() -> Result<mpsc::Receiver<Result<String, Failure>>, Failure> {
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    let read = move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = String::new();
            let read = (&mut input).take(LINE_BYTES_MAX + 1).read_line(&mut line);
            let line = match read {
                Ok(0) => return,
                Ok(bytes) if bytes as u64 > LINE_BYTES_MAX => {
                    Err(Failure::new(Exit::Data, "a line of the input has more than 64 MiB"))
                }
                Ok(_) => Ok(line),
                Err(error) => Err(Failure::new(Exit::Io, format!("standard input: {error}"))),
            };
            let is_last = line.is_err();
            if sender.blocking_send(line).is_err() || is_last {
                return;
            }
        }
    };
    let name = "input".to_owned();
    let started = thread::Builder::new().name(name).spawn(read);
    started.map_err(|error| Failure::new(Exit::Io, error))?;
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_line_is_one_json_value_or_empty() {
        assert_eq!(data(" {\"a\":1}\r\n", 1).unwrap(), Some(Data::Json("{\"a\":1}".into())));
        assert_eq!(data(" \n", 1).unwrap(), None);
        let failure = data("hello", 3).unwrap_err();
        assert_eq!(failure.exit, Exit::Data);
        assert!(failure.to_string().starts_with("line 3 of the input: "), "{failure}");
    }
}
