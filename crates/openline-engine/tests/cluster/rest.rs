//! How a history ends: nothing goes wrong any more, but for one link that may stay broken; everybody
//! who is not behind that link has all there is within a bounded time.

use crate::plan::Stays;
use crate::promise::client::Client;
use crate::promise::model::Checked;
use crate::world::World;

/// Within which time an entry reaches those who are live on links that work, in milliseconds.
const LIVE_MS: u64 = 1_500;

impl World {
    pub(crate) fn come_to_rest(&mut self) -> Checked {
        self.rests = true;
        self.end_faults()?;
        self.run(self.patience())?;
        self.check_caught_up(|_| true)?;
        // Whoever has caught up is live: what is published now comes without a look at the store.
        self.publish_everywhere();
        self.run(LIVE_MS)?;
        self.check_caught_up(|world| world.plan.stays != Stays::Deaf)?;
        self.run(2 * self.plan.probe_ms + 3 * self.plan.timeout_ms)?;
        self.check_caught_up(|_| true)?;
        self.check_directories()
    }

    /// Noticing that a connection is gone, connecting, a question that fails, one that does not, and
    /// a look at all heads.
    fn patience(&self) -> u64 {
        6_000 + 4 * self.plan.timeout_ms + 2 * self.plan.probe_ms
    }

    fn end_faults(&mut self) -> Checked {
        self.resume_store()?;
        self.network.store_is_down = false;
        for node in 0..self.nodes.len() {
            self.heal(node);
            self.thaw(node)?;
            if self.nodes[node].is_down {
                self.start(node);
            }
        }
        match self.plan.stays {
            Stays::None => {}
            Stays::Cut => self.cut(0, u64::MAX / 2),
            Stays::Deaf => self.deafen(0, u64::MAX / 2),
        }
        Ok(())
    }

    fn publish_everywhere(&mut self) {
        let connected = |number: &usize| {
            self.crowd.clients[*number].connection.is_some() && !self.is_cut_off(*number)
        };
        let Some(number) = (0..self.crowd.clients.len()).find(connected) else { return };
        for channel in 0..self.names.len() {
            self.crowd.publish(number, channel, &mut self.shards, &mut self.random);
        }
        if let Some(connection) = &self.crowd.clients[number].connection {
            self.wake(connection.shard);
        }
    }

    fn is_cut_off(&self, number: usize) -> bool {
        self.plan.stays == Stays::Cut && self.is_on(number, 0)
    }

    /// Everybody whose node has a link has all there is. Those on the first node, whose link may
    /// be half broken, are looked at if `first` says so.
    fn check_caught_up(&self, first: impl Fn(&Self) -> bool) -> Checked {
        for (number, client) in self.crowd.clients.iter().enumerate() {
            if self.is_cut_off(number) || (self.is_on(number, 0) && !first(self)) {
                continue;
            }
            if !self.crowd.is_settled(client) {
                return Err(format!("client {number} is not settled: {:?}", client.views));
            }
            client.has_all(&self.model).map_err(|found| format!("client {number}: {found}"))?;
        }
        Ok(())
    }

    /// Each node knows those who are subscribed there, and no others.
    fn check_directories(&self) -> Checked {
        for (node, state) in self.nodes.iter().enumerate() {
            for name in &self.names {
                let subscribed = |client: &&Client| {
                    client.connection.as_ref().is_some_and(|at| {
                        self.node_of_shard(at.shard) == node
                            && self.shards[at.shard].hub.is_subscribed(at.session, name)
                    })
                };
                let subscribed = self.crowd.clients.iter().filter(subscribed).count() as u64;
                let known = state.directory.subscribers(name);
                let cut_off = self.plan.stays == Stays::Cut && node == 0;
                if known != subscribed && !cut_off {
                    return Err(format!("{name} has {subscribed} on node {node}, not {known}"));
                }
            }
        }
        Ok(())
    }
}
