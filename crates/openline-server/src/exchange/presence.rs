//! Telling subscribers who comes, goes and changes.

use std::sync::Arc;
use std::time::Duration;

use openline_engine::{Broadcast, PresenceChange};
use openline_protocol::ChannelName;

use super::Exchange;

impl Exchange {
    /// Has the change that is due at `due_ms` told then. One task for each channel and moment: what
    /// changes until then is told with it.
    pub(crate) fn tell_change(self: &Arc<Self>, channel: &ChannelName, due_ms: Option<u64>) {
        let Some(due_ms) = due_ms else { return };
        let (exchange, channel) = (self.clone(), channel.clone());
        tokio::spawn(async move {
            loop {
                let wait_ms = due_ms.saturating_sub(exchange.clock.now_ms());
                if wait_ms == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            let change = {
                let now = exchange.clock.now_ms();
                exchange.interest.stripe(&channel).poll_change(&channel, now)
            };
            let pushed =
                exchange.namespace(&channel).is_ok_and(|namespace| namespace.presence_push);
            if let Some(change) = change
                && pushed
            {
                // Who has come knows that; it is told once there is more to tell.
                let alone = change.updated.is_empty() && change.left.is_empty();
                let except = match &change.joined[..] {
                    [joined] if alone && change.complete => Some(joined.client_id.clone()),
                    _ => None,
                };
                let change = PresenceChange { channel: channel.clone(), change };
                exchange.broadcast_here(&channel, Broadcast::Presence(Arc::new(change)), except);
            }
        });
    }
}
