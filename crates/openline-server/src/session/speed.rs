//! How fast a client may ask, and when it has asked too much.

use std::hash::Hash;
use std::num::NonZeroU32;

use openline_protocol::{Command, ErrorCode, Fault, close};
use serde::{Deserialize, Serialize};

use super::Session;
use crate::config::{Rate, Rates};
use crate::guard::{Bucket, RetryAfter};
use crate::node::Node;
use crate::reload::Settings;

/// Refusals for speed that a line may collect before it is closed with 4003.
const PATIENCE: Rate =
    Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(50).expect("50 is not 0") };

/// A chunk that is shorter counts as a command. Others are held by the disk and by the limits on
/// bytes.
const CHUNK_BYTES_FREE: usize = 4 << 10;

/// What a line has used of its rates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Speed {
    commands: Bucket,
    subscribe: Bucket,
    publish: Bucket,
    patience: Bucket,
}

impl Speed {
    /// None where nothing is limited: an idle line holds nothing then.
    pub(super) fn new(rates: &Rates) -> Option<Self> {
        let limited = rates.commands.is_some()
            || rates.subscribe.is_some()
            || rates.publish.is_some()
            || rates.publish_user.is_some()
            || rates.publish_channel.is_some();
        limited.then(Self::default)
    }
}

impl Session {
    pub(super) fn check_speed(
        &mut self,
        command: &Command,
        settings: &Settings,
    ) -> Result<(), Fault> {
        let rates = &settings.config.rates;
        if self.speed.is_none() {
            // There may have been no rates when it began.
            self.speed = Speed::new(rates).map(Box::new);
        }
        let Some(speed) = &mut self.speed else { return Ok(()) };
        let now = self.node.exchange.clock.now_ms();
        if counts(command) {
            take(&mut speed.commands, rates.commands, 1, now, "commands")?;
        }
        match command {
            Command::Subscribe { channels } => {
                let count = u32::try_from(channels.len()).unwrap_or(u32::MAX);
                take(&mut speed.subscribe, rates.subscribe, count, now, "subscriptions")
            }
            Command::Publish(publish) => {
                take(&mut speed.publish, rates.publish, 1, now, "publications")?;
                if let (Some(rate), Some(user)) = (rates.publish_user, self.user()) {
                    let taken = self.node.user_rates.take(user, 1, &rate, now);
                    taken.map_err(|after| too_fast("publications of this user", after))?;
                }
                if let Some(rate) = rates.publish_channel {
                    let channel = publish.channel.as_str();
                    let taken = self.node.channel_rates.take(&channel, 1, &rate, now);
                    taken.map_err(|after| too_fast("publications on this channel", after))?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Tells the client that it was too fast; the line ends when it does not heed that.
    pub(super) fn refuse_speed(&mut self, fault: Fault) {
        self.refuse(fault);
        let now = self.node.exchange.clock.now_ms();
        let Some(speed) = &mut self.speed else { return };
        if speed.patience.take(&PATIENCE, now).is_err() {
            self.line.close(close::RATE_LIMITED, "too many commands over the limit");
        }
    }
}

/// Checks a request whose session is its own against the rates of `whose`, which it shares with those
/// before it.
pub(crate) fn check_request_speed<W: Hash>(
    node: &Node,
    whose: &W,
    command: &Command,
) -> Result<(), Fault> {
    let rates = &node.settings().config.rates;
    let now = node.exchange.clock.now_ms();
    let publish = rates.publish.filter(|_| matches!(command, Command::Publish(_)));
    let commands = rates.commands.filter(|_| counts(command));
    for (rate, what) in [(commands, "commands"), (publish, "publications")] {
        let Some(rate) = rate else { continue };
        let taken = node.request_rates.take(&(what, whose), 1, &rate, now);
        taken.map_err(|after| too_fast(what, after))?;
    }
    Ok(())
}

/// Whether it counts among the commands.
fn counts(command: &Command) -> bool {
    !matches!(command, Command::Chunk(chunk) if chunk.data.len() >= CHUNK_BYTES_FREE)
}

fn take(
    bucket: &mut Bucket,
    rate: Option<Rate>,
    count: u32,
    now: u64,
    what: &str,
) -> Result<(), Fault> {
    let Some(rate) = rate else { return Ok(()) };
    bucket.take_many(count, &rate, now).map_err(|after| too_fast(what, after))
}

fn too_fast(what: &str, RetryAfter(milliseconds): RetryAfter) -> Fault {
    if milliseconds == RetryAfter::NEVER.0 {
        let message = format!("more {what} at once than the limit allows; send fewer together");
        return Fault::new(ErrorCode::RateLimited, message);
    }
    let message = format!("too many {what}; try again in {milliseconds} ms");
    Fault::new(ErrorCode::RateLimited, message).with_retry_after_ms(milliseconds)
}
