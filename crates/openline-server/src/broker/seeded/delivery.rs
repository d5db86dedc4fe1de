//! Bugs in what lines are handed.

use std::sync::Arc;

use openline_engine::Broadcast;
use openline_protocol::Publication;

use super::Bug;

/// One in so many entries is dropped.
const DROPPED: u64 = 1000;
/// One in so many changes places with the next, where both come together.
const SWAPPED: u64 = 20;
/// One in so many comes twice.
const DOUBLED: u64 = 200;

/// What a line is handed in place of `broadcasts`.
pub(crate) fn handed_on<'a>(broadcasts: &[&'a Broadcast]) -> Vec<&'a Broadcast> {
    match Bug::chosen() {
        Ok(Some(bug)) => bug.hand_on(broadcasts),
        _ => broadcasts.to_vec(),
    }
}

impl Bug {
    pub(super) fn hand_on<'a>(self, broadcasts: &[&'a Broadcast]) -> Vec<&'a Broadcast> {
        let mut handed = broadcasts.to_vec();
        match self {
            Self::Drop => handed.retain(|broadcast| !chance(tag(broadcast), DROPPED)),
            Self::Swap => swap(&mut handed, |broadcast| tag(broadcast)),
            Self::Twice => {
                let times =
                    |broadcast: &'a Broadcast| 1 + usize::from(chance(tag(broadcast), DOUBLED));
                handed = broadcasts
                    .iter()
                    .flat_map(|broadcast| std::iter::repeat_n(*broadcast, times(broadcast)))
                    .collect();
            }
            _ => {}
        }
        handed
    }

    /// What a reader of the history is given in place of `publications`.
    pub(super) fn answer(self, publications: &mut Vec<Arc<Publication>>) {
        let tag = |publication: &Arc<Publication>| publication.position.map(|at| at.tag);
        match self {
            Self::Drop => publications.retain(|publication| !chance(tag(publication), DROPPED)),
            Self::Swap => swap(publications, tag),
            _ => {}
        }
    }
}

/// The same for all lines and readers: what an entry's tag says.
fn chance(tag: Option<u64>, one_in: u64) -> bool {
    tag.is_some_and(|tag| tag.is_multiple_of(one_in))
}

fn swap<T>(list: &mut [T], tag: impl Fn(&T) -> Option<u64>) {
    let chosen = list.iter().position(|one| chance(tag(one), SWAPPED));
    if let Some(first) = chosen
        && first + 1 < list.len()
        && tag(&list[first + 1]).is_some()
    {
        list.swap(first, first + 1);
    }
}

fn tag(broadcast: &Broadcast) -> Option<u64> {
    match broadcast {
        Broadcast::Publication(publication) => publication.position.map(|at| at.tag),
        Broadcast::Presence(_) | Broadcast::Typing(_) | Broadcast::Event(_) => None,
    }
}
