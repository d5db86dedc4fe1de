//! [`Newcomers`]: the lines of the process before, as they come.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use openline_protocol::{ChannelName, Member};

use super::talk::{Broken, Step, Talk};
use crate::cluster::{Name, Person};
use crate::node::Node;
use crate::session::{Baggage, Moving};
use crate::shard::{Arrivals, ShardInput};

/// How long the process before may take over its next step: nobody is accepted meanwhile.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// Lines that this process goes on with when it serves.
#[derive(Debug, Default)]
pub(crate) struct Newcomers {
    lines: Vec<Moving>,
    gone: Vec<(ChannelName, Vec<Member>)>,
}

/// Takes the lines that the process before passes, until it has no more or the time is over. Nobody
/// reads them yet, and no other clients are taken.
pub(super) fn take(node: &Node, mut talk: Talk) -> Newcomers {
    let mut newcomers = Newcomers::default();
    let until = Instant::now() + node.settings().config.upgrade.timeout;
    while let Ok(step) =
        talk.hear(STEP_TIMEOUT.min(until.saturating_duration_since(Instant::now())))
        && !node.lifecycle.is_stopped()
    {
        let went_on = match step {
            Step::Lines { sessions } => newcomers.take_lines(node, &mut talk, &sessions),
            Step::Gone { members } => newcomers.take_gone(&members),
            _ => break,
        };
        if went_on.is_err() {
            break;
        }
    }
    node.metrics.lines_arrived(newcomers.lines.len());
    node.log.lines_arrived(newcomers.lines.len());
    newcomers
}

impl Newcomers {
    /// Takes those for which there is room. The process before has all of them until it is told.
    fn take_lines(
        &mut self,
        node: &Node,
        talk: &mut Talk,
        sessions: &[String],
    ) -> Result<(), Broken> {
        let mut sockets = talk.take_passed().into_iter();
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for (index, session) in sessions.iter().enumerate() {
            let bytes = BASE64.decode(session).ok();
            let baggage = bytes.and_then(|bytes| Baggage::from_bytes(&bytes));
            let line = sockets.next().zip(baggage).and_then(|(socket, baggage)| {
                let room = node.exchange.overload.level().takes_lines();
                let guard = &node.settings().guard;
                let slot =
                    guard.readmit(baggage.address(), rand::random()).ok().filter(|_| room)?;
                Some(Moving { stream: TcpStream::from(socket), baggage, slot })
            });
            match line {
                Some(line) => taken.push(line),
                None => refused.push(index),
            }
        }
        talk.say(&Step::Taken { refused })?;
        self.lines.append(&mut taken);
        Ok(())
    }

    fn take_gone(&mut self, members: &str) -> Result<(), Broken> {
        let bytes = BASE64.decode(members).unwrap_or_default();
        let gone: Vec<(Name, Vec<Person>)> = postcard::from_bytes(&bytes)
            .map_err(|error| Broken::Strange(format!("members that cannot be read: {error}")))?;
        let gone = gone.into_iter().map(|(Name(channel), members)| {
            (channel, members.into_iter().map(Member::from).collect())
        });
        self.gone.extend(gone);
        Ok(())
    }

    /// Deals the lines out to the threads.
    pub(crate) fn deal(self, threads: &mut [ShardInput]) {
        let Self { lines, gone } = self;
        if lines.is_empty() {
            return;
        }
        let arrivals = Arrivals::deal(lines, gone, threads.len());
        for (thread, arrivals) in threads.iter_mut().zip(arrivals) {
            thread.arrivals = Some(arrivals);
        }
    }
}
