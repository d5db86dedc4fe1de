//! [`Table`]: the transfers that there are, and the room that they take.

use std::collections::HashMap;
use std::sync::Arc;

use super::options::Options;
use super::owner::Owner;
use super::record::Record;

/// What a file counts for at least: its block on the disk, its record, its place in memory. So the
/// limits on bytes are limits on the number of files too.
pub(super) const FILE_BYTES_MIN: u64 = 4 << 10;

/// All transfers, unfinished and complete.
#[derive(Debug, Default)]
pub(super) struct Table {
    transfers: HashMap<Arc<str>, Transfer>,
    by_key: HashMap<(Owner, String), Arc<str>>,
    by_owner: HashMap<Owner, u64>,
    total: u64,
    open: usize,
}

/// A file, as far as it came.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) owner: Owner,
    pub(super) record: Record,
    /// Where what is stored ends.
    pub(super) stored: u64,
    /// Where what is stored or on its way to the disk ends.
    pub(super) accepted: u64,
    /// How far the client was told.
    pub(super) acknowledged: u64,
    /// Where what the client said to have ends. What was refused is still to come.
    pub(super) claimed: u64,
    /// Grows when a write fails: what was behind it on its way is not written.
    pub(super) failures: u32,
    /// When something of it came, in milliseconds since 1970.
    pub(super) touched_ms: u64,
    /// What it counts for among the limits.
    charged: u64,
}

/// There is no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// For this owner.
    Owner,
    /// For anybody.
    Total,
}

impl Transfer {
    pub(super) fn new(owner: Owner, record: Record, len: u64, touched_ms: u64) -> Self {
        Self {
            owner,
            record,
            stored: len,
            accepted: len,
            acknowledged: len,
            claimed: len,
            failures: 0,
            touched_ms,
            charged: 0,
        }
    }

    /// When it is forgotten if nothing of it comes.
    pub(super) fn expires_at(&self, options: &Options) -> u64 {
        match &self.record.finished {
            Some(finished) => finished.at.saturating_add(options.keep_ms),
            None => self.touched_ms.saturating_add(options.resume_ms),
        }
    }
}

impl Table {
    pub(super) fn find(&mut self, id: &str) -> Option<&mut Transfer> {
        self.transfers.get_mut(id)
    }

    /// The transfer of a key.
    pub(super) fn with_key(&self, owner: &Owner, key: &str) -> Option<Arc<str>> {
        self.by_key.get(&(owner.clone(), key.to_owned())).cloned()
    }

    /// Takes a transfer in, whose size may be known.
    pub(super) fn add(
        &mut self,
        id: Arc<str>,
        mut transfer: Transfer,
        options: &Options,
    ) -> Result<(), NoRoom> {
        let bytes = transfer.record.size.unwrap_or_default().max(transfer.stored);
        let bytes = bytes.max(FILE_BYTES_MIN);
        self.take(&transfer.owner, bytes, options)?;
        transfer.charged = bytes;
        self.put(id, transfer);
        Ok(())
    }

    /// Takes a transfer in that was there before the server started, whatever the limits say now.
    pub(super) fn add_found(&mut self, id: Arc<str>, mut transfer: Transfer) {
        let bytes = transfer.record.size.unwrap_or_default().max(transfer.stored);
        transfer.charged = bytes.max(FILE_BYTES_MIN);
        *self.by_owner.entry(transfer.owner.clone()).or_default() += transfer.charged;
        self.total += transfer.charged;
        self.put(id, transfer);
    }

    fn put(&mut self, id: Arc<str>, transfer: Transfer) {
        if let Some(key) = &transfer.record.key {
            self.by_key.insert((transfer.owner.clone(), key.clone()), id.clone());
        }
        self.open += usize::from(transfer.record.finished.is_none());
        self.transfers.insert(id, transfer);
    }

    /// Makes room for a file that has come to `end` and whose size was not known.
    pub(super) fn grow(&mut self, id: &str, end: u64, options: &Options) -> Result<(), NoRoom> {
        let Some(transfer) = self.transfers.get(id) else { return Ok(()) };
        let Some(more) = end.checked_sub(transfer.charged).filter(|more| *more != 0) else {
            return Ok(());
        };
        let owner = transfer.owner.clone();
        self.take(&owner, more, options)?;
        if let Some(transfer) = self.transfers.get_mut(id) {
            transfer.charged = end;
        }
        Ok(())
    }

    fn take(&mut self, owner: &Owner, bytes: u64, options: &Options) -> Result<(), NoRoom> {
        let used = self.by_owner.get(owner).copied().unwrap_or_default();
        if used.saturating_add(bytes) > options.owner_max {
            return Err(NoRoom::Owner);
        }
        if self.total.saturating_add(bytes) > options.total_max {
            return Err(NoRoom::Total);
        }
        self.total += bytes;
        *self.by_owner.entry(owner.clone()).or_default() += bytes;
        Ok(())
    }

    /// A transfer is complete.
    pub(super) fn finished(&mut self) {
        self.open -= 1;
    }

    /// Forgets a transfer and gives back its room.
    pub(super) fn remove(&mut self, id: &str) -> Option<Transfer> {
        let transfer = self.transfers.remove(id)?;
        self.open -= usize::from(transfer.record.finished.is_none());
        self.total -= transfer.charged;
        if let Some(used) = self.by_owner.get_mut(&transfer.owner) {
            *used -= transfer.charged;
            if *used == 0 {
                self.by_owner.remove(&transfer.owner);
            }
        }
        if let Some(key) = &transfer.record.key {
            self.by_key.remove(&(transfer.owner.clone(), key.clone()));
        }
        Some(transfer)
    }

    /// Those whose time is over.
    pub(super) fn expired(&self, now_ms: u64, options: &Options) -> Vec<Arc<str>> {
        let expired = self.transfers.iter().filter(|(_, t)| t.expires_at(options) <= now_ms);
        expired.map(|(id, _)| id.clone()).collect()
    }

    /// Goes back to what is on the disk: what was on its way there is not written, and the clients
    /// send it again.
    pub(super) fn forget_unwritten(&mut self) {
        for transfer in self.transfers.values_mut() {
            if transfer.accepted != transfer.stored {
                transfer.accepted = transfer.stored;
                transfer.failures = transfer.failures.wrapping_add(1);
            }
        }
    }

    /// How many are not complete, and what all count for.
    pub(super) fn load(&self) -> (usize, u64) {
        (self.open, self.total)
    }
}
