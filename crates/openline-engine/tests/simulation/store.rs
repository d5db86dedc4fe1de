//! A store whose work is done late and in order, and that fails now and then.

use std::collections::{BTreeMap, VecDeque};

use openline_protocol::ChannelName;

use crate::promise::model::Record;
use crate::promise::random::Random;

enum Operation {
    Append(Record),
    Remove(Vec<u64>),
}

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) disk: BTreeMap<u64, Record>,
    /// An older state of the disk.
    copy: BTreeMap<u64, Record>,
    queue: VecDeque<Operation>,
    done: VecDeque<(ChannelName, Option<u64>)>,
    appended: u64,
}

impl Store {
    pub(crate) fn append(&mut self, record: Record) {
        self.queue.push_back(Operation::Append(record));
    }

    pub(crate) fn remove(&mut self, sequences: Vec<u64>) {
        if !sequences.is_empty() {
            self.queue.push_back(Operation::Remove(sequences));
        }
    }

    /// Does the next piece of work.
    pub(crate) fn work(&mut self, random: &mut Random, fails: bool) {
        match self.queue.pop_front() {
            None => {}
            Some(Operation::Remove(sequences)) => {
                for sequence in sequences {
                    self.disk.remove(&sequence);
                }
            }
            Some(Operation::Append(record)) => {
                let channel = record.publication.channel.clone();
                self.appended += 1;
                let failed = fails && random.one_in(12);
                if !failed {
                    self.disk.insert(self.appended, record);
                }
                self.done.push_back((channel, (!failed).then_some(self.appended)));
            }
        }
    }

    /// What became of the oldest append that was not told yet.
    pub(crate) fn completion(&mut self) -> Option<(ChannelName, Option<u64>)> {
        self.done.pop_front()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.done.is_empty()
    }

    pub(crate) fn take_copy(&mut self) {
        self.copy = self.disk.clone();
    }

    /// What is on the disk stays; what waited for it, and what was not told, is gone.
    pub(crate) fn crash(&mut self) {
        self.queue.clear();
        self.done.clear();
    }

    pub(crate) fn lose_all(&mut self) {
        self.disk.clear();
    }

    pub(crate) fn roll_back(&mut self) {
        self.disk = self.copy.clone();
    }
}
