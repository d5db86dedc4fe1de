//! What goes wrong, and what ends it.

use crate::plan::Bug;
use crate::promise::model::Checked;
use crate::promise::shard::Shard;
use crate::store::Loss;
use crate::trace::Who;
use crate::world::{Event, World};

impl World {
    /// One thing goes wrong, and another will.
    pub(crate) fn something_goes_wrong(&mut self) -> Checked {
        if self.rests {
            return Ok(());
        }
        let delay = 50 + self.random.below(1_500);
        self.schedule.after(delay, Event::Fault);
        let node = self.random.index(self.nodes.len());
        let faults = self.plan.faults;
        let longest = if self.random.one_in(3) { 8_000 } else { 800 };
        let lasts = 10 + self.random.below(longest);
        match self.random.below(13) {
            0 if faults.node_crashes => self.crash(node, lasts),
            1 if faults.node_freezes => self.freeze(node, lasts),
            2 if faults.link_cut => self.cut(node, lasts),
            3 if faults.link_deaf => self.deafen(node, lasts),
            4 if faults.link_slow => self.slow_down(node, lasts),
            5 if faults.store_restarts => return self.restart_store(Loss::Nothing, lasts / 4),
            6 if faults.store_rolls_back => return self.restart_store(Loss::Recent, lasts / 4),
            7..9 if faults.store_rolls_back => self.store.take_copy(),
            9 if faults.store_loses_all => return self.restart_store(Loss::All, lasts / 4),
            10 if faults.store_hangs => self.hang_store(lasts),
            11 if faults.store_evicts => {
                let channel = self.random.index(self.names.len());
                self.note(Who::Store, "evicts", channel as u64);
                self.store.evict(channel, &mut self.model);
            }
            _ => {}
        }
        Ok(())
    }

    fn crash(&mut self, node: usize, lasts: u64) {
        if self.nodes[node].is_down {
            return;
        }
        self.note(Who::Node(node), "is killed", 0);
        for client in 0..self.crowd.clients.len() {
            if self.is_on(client, node) {
                self.crowd.cut(client);
            }
        }
        for shard in self.shards_of(node) {
            let bug = self.plan.bug.and_then(Bug::of_line);
            let is_awake = self.shards[shard].is_awake;
            self.shards[shard] = Shard::new(self.plan.line_frames_max, bug);
            self.shards[shard].is_awake = is_awake;
        }
        if self.nodes[node].is_frozen {
            // Its work is held with all else, and forgotten.
            self.shards_of(node).for_each(|shard| self.shards[shard].is_awake = false);
        }
        self.break_connection(node);
        self.nodes[node].crash();
        self.schedule.after(lasts, Event::Start(node));
    }

    fn freeze(&mut self, node: usize, lasts: u64) {
        let state = &mut self.nodes[node];
        if state.is_down || state.is_frozen {
            return;
        }
        state.is_frozen = true;
        self.note(Who::Node(node), "stands still for", lasts);
        if self.random.one_in(3) {
            // The store does not wait for it.
            self.break_connection(node);
            self.notice(node, 0);
        }
        self.schedule.after(lasts, Event::Thaw(node));
    }

    pub(crate) fn thaw(&mut self, node: usize) -> Checked {
        if !std::mem::take(&mut self.nodes[node].is_frozen) {
            return Ok(());
        }
        self.note(Who::Node(node), "goes on", 0);
        for event in std::mem::take(&mut self.nodes[node].held) {
            self.handle(event)?;
        }
        Ok(())
    }

    pub(crate) fn cut(&mut self, node: usize, lasts: u64) {
        self.note(Who::Node(node), "is cut off for", lasts);
        let is_cut = std::mem::replace(&mut self.network.links[node].is_cut, true);
        if !is_cut {
            self.break_connection(node);
            let delay = self.random.below(3_000);
            self.notice(node, delay);
        }
        self.schedule.after(lasts, Event::Heal(node));
    }

    pub(crate) fn deafen(&mut self, node: usize, lasts: u64) {
        self.note(Who::Node(node), "hears nothing for", lasts);
        self.network.links[node].is_deaf = true;
        self.schedule.after(lasts, Event::Heal(node));
    }

    fn slow_down(&mut self, node: usize, lasts: u64) {
        self.note(Who::Node(node), "has a slow link for", lasts);
        self.network.links[node].slow_ms = 20 + self.random.below(3_000);
        self.schedule.after(lasts, Event::Heal(node));
    }

    pub(crate) fn heal(&mut self, node: usize) {
        self.note(Who::Node(node), "has its link back", 0);
        let link = &mut self.network.links[node];
        (link.is_cut, link.is_deaf, link.slow_ms) = (false, false, 0);
    }

    fn hang_store(&mut self, lasts: u64) {
        self.note(Who::Store, "hangs for", lasts);
        self.network.store_hangs = true;
        self.schedule.after(lasts, Event::Resume);
    }

    fn restart_store(&mut self, loss: Loss, lasts: u64) -> Checked {
        let what = match loss {
            Loss::Nothing => "restarts",
            Loss::Recent => "restarts from an older state",
            Loss::All => "restarts empty",
        };
        self.note(Who::Store, what, lasts);
        self.drop_store();
        self.network.store_is_down = true;
        self.schedule.after(lasts, Event::Open);
        let now = self.schedule.now;
        self.store.restart(loss, &mut self.model, &mut self.random, now)
    }
}
