//! [`Talk`]: two processes of a server on a Unix socket, one step of JSON a line. A descriptor goes
//! with a step as `SCM_RIGHTS`.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

/// What both have to speak. It changes when a step does, or what follows on it.
pub(super) const PROTOCOL: u32 = 1;

/// Descriptors that go with one step.
pub(super) const PASSED_MAX: usize = 32;

/// Longer steps are something else.
pub(super) const STEP_BYTES_MAX: usize = 1 << 20;
const READ_BYTES: usize = 16 << 10;

/// How long the other may take to read what it is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// What is said, in the order in which it is said. The new process begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(super) enum Step {
    /// The new process wants to take over.
    Hello { protocol: u32, version: String },
    /// The running one will not have it.
    Refused { why: String },
    /// The running one agrees. The listening socket goes with it.
    Listener {
        version: String,
        /// The upgrades of those before, so that the counter goes on.
        done: u64,
        failed: u64,
    },
    /// The new one has all it needs but the store.
    Ready {
        /// The form in which it can go on with lines; 0 is none.
        #[serde(default, skip_serializing_if = "is_none")]
        lines: u32,
    },
    /// Some of what was taken back before its time. May come again, and after [`Step::Serving`] too.
    Revoked { entries: Vec<RevokedEntry> },
    /// The store is closed, and nothing is ordered any more.
    Given {
        /// Lines come in the form that was asked for, by the socket that goes with this: it is theirs
        /// alone, since the running process does not listen to this one for much longer.
        #[serde(default, skip_serializing_if = "is_none")]
        lines: u32,
    },
    /// The new one takes clients now. From here on there is no way back.
    Serving,
    /// It took too long: the running one has everything back.
    TakenBack { why: String },
    /// Sessions, each with the socket of its line. By the socket of the lines.
    Lines { sessions: Vec<String> },
    /// The new one has those lines now, but for these.
    Taken { refused: Vec<usize> },
    /// Members of channels who do not come along.
    Gone { members: String },
    /// That was all of them.
    LinesEnd,
}

fn is_none(form: &u32) -> bool {
    *form == 0
}

/// Who was taken back, since when and until when, in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RevokedEntry {
    pub(super) kind: RevokedKind,
    pub(super) name: String,
    pub(super) since: u64,
    pub(super) until: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RevokedKind {
    Token,
    User,
    Client,
}

/// Why a step did not come, or could not be said.
#[derive(Debug)]
pub(super) enum Broken {
    /// The other side ended.
    Closed,
    TimedOut(Duration),
    /// It said something else than what comes next.
    Strange(String),
    Io(io::Error),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("it ended meanwhile"),
            Self::TimedOut(time) => write!(f, "it said nothing for {time:?}"),
            Self::Strange(what) => write!(f, "it said something unexpected: {what}"),
            Self::Io(error) => write!(f, "{error}"),
        }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

/// The line between two processes. Blocks, but never for long.
#[derive(Debug)]
pub(super) struct Talk {
    stream: UnixStream,
    /// What came and is not a whole step yet, and what is behind it.
    input: Vec<u8>,
    passed: Vec<OwnedFd>,
}

impl Talk {
    pub(super) fn on(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        Ok(Self { stream, input: Vec::new(), passed: Vec::new() })
    }

    pub(super) fn say(&self, step: &Step) -> Result<(), Broken> {
        self.say_with(step, &[])
    }

    /// Says this, and passes descriptors on with it, [`PASSED_MAX`] at most.
    pub(super) fn say_with(&self, step: &Step, passed: &[BorrowedFd<'_>]) -> Result<(), Broken> {
        let mut line = serde_json::to_vec(step).map_err(io::Error::from)?;
        line.push(b'\n');
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PASSED_MAX))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !passed.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(passed));
        }
        let mut rest = &line[..];
        while !rest.is_empty() {
            match sendmsg(&self.stream, &[IoSlice::new(rest)], &mut ancillary, SendFlags::empty()) {
                Ok(count) => rest = &rest[count..],
                Err(rustix::io::Errno::INTR) => continue,
                Err(rustix::io::Errno::AGAIN) => return Err(Broken::TimedOut(WRITE_TIMEOUT)),
                Err(error) => return Err(io::Error::from(error).into()),
            }
            ancillary.clear();
        }
        Ok(())
    }

    /// The next step. Zero asks for what has come already.
    pub(super) fn hear(&mut self, within: Duration) -> Result<Step, Broken> {
        let until = Instant::now() + within;
        loop {
            if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                return serde_json::from_slice(&line)
                    .map_err(|error| Broken::Strange(error.to_string()));
            }
            if self.input.len() > STEP_BYTES_MAX {
                return Err(Broken::Strange("a step without end".to_owned()));
            }
            // A timeout of zero would be none.
            let left = until.saturating_duration_since(Instant::now());
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match self.read() {
                Ok(0) => return Err(Broken::Closed),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if Instant::now() >= until {
                        return Err(Broken::TimedOut(within));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The descriptors that came since this was asked last. There may be fewer than were passed, where
    /// this process may have no more open.
    pub(super) fn take_passed(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.passed)
    }

    /// Has the other side's words fail from now on. What it has said already can still be heard, so
    /// that both agree on what was said.
    pub(super) fn stop_hearing(&self) {
        let _ = self.stream.shutdown(Shutdown::Read);
    }

    fn read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; READ_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PASSED_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            self.stream.as_fd(),
            &mut [IoSliceMut::new(&mut buffer)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.passed.extend(descriptors);
            }
        }
        self.input.extend_from_slice(&buffer[..received.bytes]);
        Ok(received.bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::{Read as _, Write as _};

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn pair() -> (Talk, Talk) {
        let (a, b) = UnixStream::pair().unwrap();
        (Talk::on(a).unwrap(), Talk::on(b).unwrap())
    }

    fn hello() -> Step {
        Step::Hello { protocol: PROTOCOL, version: "1.2.3".to_owned() }
    }

    #[test]
    fn steps_come_in_their_order_whole_or_in_pieces() {
        let (a, mut b) = pair();
        a.say(&hello()).unwrap();
        a.say(&Step::Ready { lines: 0 }).unwrap();
        assert_eq!(b.hear(SOON).unwrap(), hello());
        assert_eq!(b.hear(SOON).unwrap(), Step::Ready { lines: 0 });
        let line = br#"{"step":"serving","more":1}"#;
        let mut stream = &a.stream;
        for byte in line {
            stream.write_all(&[*byte]).unwrap();
        }
        assert!(matches!(b.hear(Duration::ZERO), Err(Broken::TimedOut(_))));
        stream.write_all(b"\n").unwrap();
        assert_eq!(b.hear(SOON).unwrap(), Step::Serving);
    }

    #[test]
    fn a_descriptor_goes_with_its_step() {
        let (a, mut b) = pair();
        let (passed, mut other) = UnixStream::pair().unwrap();
        a.say(&Step::Ready { lines: 0 }).unwrap();
        a.say_with(&Step::Given { lines: 0 }, &[passed.as_fd()]).unwrap();
        drop(passed);
        assert_eq!(b.hear(SOON).unwrap(), Step::Ready { lines: 0 });
        assert_eq!(b.hear(SOON).unwrap(), Step::Given { lines: 0 });
        let mut passed = UnixStream::from(b.take_passed().remove(0));
        assert!(b.take_passed().is_empty());
        passed.write_all(b"x").unwrap();
        drop(passed);
        let mut text = String::new();
        other.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
    }

    /// The agreement that keeps two processes from serving, or none.
    #[test]
    fn what_was_said_before_the_other_stopped_hearing_is_heard_and_nothing_later_is_said() {
        let (a, mut b) = pair();
        a.say(&Step::Serving).unwrap();
        b.stop_hearing();
        assert!(matches!(a.say(&Step::Serving), Err(Broken::Closed)));
        assert_eq!(b.hear(Duration::ZERO).unwrap(), Step::Serving);
        let (mut a, mut b) = pair();
        b.stop_hearing();
        assert!(matches!(b.hear(Duration::ZERO), Err(Broken::Closed)));
        b.say(&Step::TakenBack { why: "late".to_owned() }).unwrap();
        drop(b);
        assert!(matches!(a.say(&Step::Serving), Err(Broken::Closed)));
        assert_eq!(a.hear(SOON).unwrap(), Step::TakenBack { why: "late".to_owned() });
        assert!(matches!(a.hear(SOON), Err(Broken::Closed)));
    }

    #[test]
    fn what_is_no_step_is_strange() {
        for line in ["{}", "hello", r#"{"step":"dance"}"#] {
            let (a, mut b) = pair();
            (&a.stream).write_all(format!("{line}\n").as_bytes()).unwrap();
            assert!(matches!(b.hear(SOON), Err(Broken::Strange(_))), "{line}");
        }
        let (a, mut b) = pair();
        let writer = std::thread::spawn(move || {
            let _ = (&a.stream).write_all(&vec![b' '; STEP_BYTES_MAX + 2 * READ_BYTES]);
        });
        assert!(matches!(b.hear(SOON), Err(Broken::Strange(_))));
        drop(b);
        writer.join().unwrap();
    }
}
