//! What others see of this client.

use openline_protocol::{ChannelName, Command, Data};

use super::Core;

/// A client that goes on writing says so this often.
const TYPING_MS: u64 = 2_000;

/// A status, and more.
pub(super) type Shown = (Option<String>, Option<Data>);

impl Core {
    /// Remembers what others are to see, for the next line. What is not said stays as it was.
    pub(crate) fn keep_presence(
        &mut self,
        channel: Option<&ChannelName>,
        status: &Option<String>,
        data: &Option<Data>,
    ) {
        let all = self.presence.clone();
        let change = |kept: &mut Option<Shown>| {
            let kept = kept.get_or_insert_with(|| all.clone().unwrap_or_default());
            kept.0 = status.clone().or(kept.0.take());
            kept.1 = data.clone().or(kept.1.take());
        };
        match channel {
            Some(name) => {
                if let Some(channel) = self.channels.get_mut(name) {
                    change(&mut channel.presence);
                }
            }
            None => {
                change(&mut self.presence);
                for channel in self.channels.values_mut().filter(|of| of.presence.is_some()) {
                    change(&mut channel.presence);
                }
            }
        }
    }

    /// What others saw of this client they are to see again.
    pub(super) fn restore_presence(&mut self, name: &ChannelName) {
        let own = self.channels.get(name).and_then(|channel| channel.presence.clone());
        if let Some((status, data)) = own.or_else(|| self.presence.clone()) {
            self.tell(Command::SetPresence { channel: Some(name.clone()), status, data });
        }
    }

    /// Somebody writes, or has stopped.
    pub(crate) fn typing(&mut self, now: u64, name: &ChannelName, is_typing: bool) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        let soon = channel.typed_at.is_some_and(|at| now < at + TYPING_MS);
        if is_typing && soon {
            return;
        }
        channel.typed_at = is_typing.then_some(now);
        self.tell(Command::Typing { channel: name.clone(), is_typing });
    }
}
