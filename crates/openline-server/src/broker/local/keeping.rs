//! [`Keeping`]: where entries are kept beside memory, which another process may take over.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use crate::broker::stripes::{Stripes, Ticket};
use crate::broker::{BrokerError, GiveError};
use crate::store::{self, OpenError, Opened, Store};

/// Where entries are kept now, and how to open the store again.
pub(super) struct Keeping {
    kept: RwLock<Kept>,
    place: Option<(PathBuf, store::Options)>,
}

/// Where entries are kept.
pub(super) enum Kept {
    InMemory,
    InStore(Store<Ticket>),
    /// Given to another process, which orders and keeps from then on.
    Away,
    /// It was given away, and could not be had back.
    Lost(String),
}

impl Kept {
    /// Whether entries can be taken.
    pub(super) fn check(&self) -> Result<(), BrokerError> {
        match self {
            Self::InMemory | Self::InStore(_) => Ok(()),
            Self::Away => Err(BrokerError::HandedOver),
            Self::Lost(why) => Err(BrokerError::StorageFailed(why.clone())),
        }
    }

    pub(super) fn store(&self) -> Option<&Store<Ticket>> {
        match self {
            Self::InStore(store) => Some(store),
            Self::InMemory | Self::Away | Self::Lost(_) => None,
        }
    }
}

impl Keeping {
    pub(super) fn in_memory() -> Self {
        Self { kept: RwLock::new(Kept::InMemory), place: None }
    }

    /// Opens the store; `each` gets what is in it.
    pub(super) fn open(
        dir: &Path,
        options: store::Options,
        stripes: &Arc<Stripes>,
        each: impl FnMut(u64, Bytes),
    ) -> Result<(Self, Opened), OpenError> {
        let (store, opened) = open(dir, options.clone(), stripes, each)?;
        let kept = RwLock::new(Kept::InStore(store));
        Ok((Self { kept, place: Some((dir.to_owned(), options)) }, opened))
    }

    /// Held while something is ordered, so that what is ordered is kept or refused. Not to be asked
    /// for twice at a time.
    pub(super) fn kept(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_away(&self) -> bool {
        matches!(*self.kept(), Kept::Away)
    }

    /// Refuses what comes from now on, and returns when what came before is written and answered,
    /// and the store is closed. The streams in memory stay as they are.
    pub(super) fn give(&self) -> Result<(), GiveError> {
        let given = std::mem::replace(&mut *self.change(), Kept::Away);
        match given {
            // Not under the lock: what is settled now may ask how the store is.
            Kept::InStore(store) => {
                store.close().map_err(|error| GiveError::Other(error.to_string()))
            }
            Kept::InMemory | Kept::Away => Ok(()),
            Kept::Lost(why) => {
                *self.change() = Kept::Lost(why.clone());
                Err(GiveError::Other(why))
            }
        }
    }

    /// Opens the store again. What is in it is known, because nobody orders but who says that it
    /// does, and then nothing is taken back. One at a time.
    pub(super) fn take_back(&self, stripes: &Arc<Stripes>) -> Result<(), GiveError> {
        if !self.is_away() {
            return Ok(());
        }
        let Some((dir, options)) = &self.place else {
            *self.change() = Kept::InMemory;
            return Ok(());
        };
        let lost = |why: String| {
            *self.change() = Kept::Lost(why.clone());
            Err(GiveError::Other(why))
        };
        // Not under the lock either: a long history takes its time, and lines are served meanwhile.
        match open(dir, options.clone(), stripes, |_, _| {}) {
            // The entries in memory name records by their sequence, which a new store gives again.
            Ok((_, Opened { set_aside: Some(aside), .. })) => {
                let aside = aside.display();
                lost(format!("the store came back damaged, its files are in {aside}"))
            }
            Ok((store, _)) => {
                *self.change() = Kept::InStore(store);
                Ok(())
            }
            Err(OpenError::Locked { .. }) => Err(GiveError::Locked),
            Err(error) => lost(error.to_string()),
        }
    }

    fn change(&self) -> RwLockWriteGuard<'_, Kept> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(
    dir: &Path,
    options: store::Options,
    stripes: &Arc<Stripes>,
    each: impl FnMut(u64, Bytes),
) -> Result<(Store<Ticket>, Opened), OpenError> {
    let stripes = stripes.clone();
    Store::open(dir, options, each, move |group| stripes.commit(group))
}
