//! How server-sent events are written (the HTML standard, section 9.2).

use std::fmt::{self, Write as _};

use openline_protocol::Format;
use openline_protocol::close::{self, Policy};

use crate::exchange::Ending;

/// What begins the id of the last event of a stream that is not to be opened again: a browser sends
/// it back when it comes again all the same, and is told to stop.
pub(super) const STOP_MARK: char = '!';

/// A comment: keeps proxies from taking a quiet stream for a dead one, and finds out who is gone.
pub(super) const COMMENT: &str = ":\n\n";

/// How long a browser waits at least before it opens a stream again that ended: it knows no delay
/// that grows.
pub(super) const RETRY_MS: u64 = 1_000;

/// Appends how long a browser waits before it opens a stream again that broke.
pub(super) fn write_retry(out: &mut String, ms: u64) {
    let _ = writeln!(out, "retry: {ms}");
}

/// Appends an event. It has no name, so that a page's `onmessage` gets it.
pub(super) fn write_event(out: &mut String, id: Option<&dyn fmt::Display>, data: &str) {
    if let Some(id) = id {
        let _ = writeln!(out, "id: {id}");
    }
    let is_one_line = !data.as_bytes().contains(&b'\n') && !data.as_bytes().contains(&b'\r');
    if is_one_line {
        write_line(out, data);
    } else {
        // A line ends with any of the three.
        let data = data.replace("\r\n", "\n").replace('\r', "\n");
        data.split('\n').for_each(|line| write_line(out, line));
    }
    out.push('\n');
}

fn write_line(out: &mut String, line: &str) {
    out.push_str("data: ");
    out.push_str(line);
    out.push('\n');
}

/// Appends the last event: why the stream ends, and when to open another: `chance_ms` later than the
/// first moment there is. `position` is what the reader has.
pub(super) fn write_close(
    out: &mut String,
    ending: &Ending,
    position: Option<&str>,
    chance_ms: u64,
) {
    let after_ms = ending.retry_after_ms.unwrap_or(RETRY_MS);
    let retry_ms = match close::policy(Some(ending.code)) {
        // A token that ended is renewed with the cookie of then.
        Policy::Retry | Policy::RetryLater | Policy::NewToken => {
            Some(after_ms.saturating_add(chance_ms))
        }
        Policy::Stop => None,
    };
    let id = match retry_ms {
        Some(ms) => {
            write_retry(out, ms);
            None
        }
        None => Some(format!("{STOP_MARK}{}", position.unwrap_or_default())),
    };
    let id = id.as_ref().map(|id| id as &dyn fmt::Display);
    write_event(out, id, &close_message(ending));
}

/// What a close code is where there is no WebSocket to close.
pub(super) fn close_message(ending: &Ending) -> String {
    let mut bytes = Vec::new();
    ending.message().encode(Format::Json, &mut bytes);
    String::from_utf8(bytes).expect("the encoder writes JSON, which is UTF-8")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn event(id: Option<&str>, data: &str) -> String {
        let mut out = String::new();
        write_event(&mut out, id.as_ref().map(|id| id as &dyn fmt::Display), data);
        out
    }

    #[test]
    fn an_event_is_an_id_and_data() {
        assert_eq!(event(Some("x"), "{}"), "id: x\ndata: {}\n\n");
        assert_eq!(event(None, "{}"), "data: {}\n\n");
        assert_eq!(event(None, ""), "data: \n\n");
    }

    #[test]
    fn each_line_of_the_data_is_a_line_of_its_own() {
        for data in ["a\nb", "a\r\nb", "a\rb"] {
            assert_eq!(event(None, data), "data: a\ndata: b\n\n", "{data:?}");
        }
        assert_eq!(event(None, "a\n"), "data: a\ndata: \n\n");
        assert_eq!(event(None, "\n\r"), "data: \ndata: \ndata: \n\n");
    }

    #[test]
    fn the_last_event_says_whether_and_when_to_come_again() {
        let last = |code| {
            let mut out = String::new();
            write_close(&mut out, &Ending::new(code, "so"), Some("P"), 7);
            out
        };
        let data = |code, more| {
            format!("data: {{\"type\":\"close\",\"code\":{code},\"reason\":\"so\"{more}}}\n\n")
        };
        let later = data(1013, ",\"retryAfter\":30000");
        assert_eq!(last(1001), format!("retry: 1007\n{}", data(1001, "")));
        assert_eq!(last(1013), format!("retry: 30007\n{later}"));
        assert_eq!(last(4000), format!("retry: 1007\n{}", data(4000, "")));
        assert_eq!(last(4005), format!("id: !P\n{}", data(4005, "")));
    }

    #[test]
    fn a_reason_is_json() {
        let message = close_message(&Ending::new(4005, "say \"bye\"\n"));
        let read: serde_json::Value = serde_json::from_str(&message).unwrap();
        assert_eq!(read["reason"], "say \"bye\"\n");
    }
}
