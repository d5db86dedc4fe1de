//! What a thread gives up when memory runs short.

use openline_engine::Hub;

use super::Level;
use crate::exchange::Seat;

/// A line for which less waits is none of those that do not keep up: it will be read in a moment.
const QUEUE_BYTES_MIN: usize = 16 << 10;

/// Frees what this thread keeps for later, and at the higher levels ends the lines that do not keep
/// up. To be called again while it lasts; returns how many lines were ended.
pub(crate) fn relieve(hub: &Hub<Seat>, level: Level) -> usize {
    openline_ws::free_spare_buffers();
    if level < Level::Shedding {
        return 0;
    }
    // What cannot be taken back of those that were ended before is no reason to end them again.
    let open = hub.lines().filter(|(_, seat)| !seat.line.is_ending());
    let queues = open.map(|(_, seat)| (seat.line.queued_bytes(), seat));
    let slowest = slowest(queues);
    for seat in &slowest {
        seat.line.give_up();
    }
    slowest.len()
}

/// Those for which most waits, until half of all that waits is theirs.
fn slowest<T>(queues: impl Iterator<Item = (usize, T)>) -> Vec<T> {
    let mut queues: Vec<_> = queues.filter(|(bytes, _)| *bytes >= QUEUE_BYTES_MIN).collect();
    queues.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    let half = queues.iter().map(|(bytes, _)| bytes).sum::<usize>().div_ceil(2);
    let mut freed = 0;
    let is_wanted = |(bytes, _): &(usize, T)| {
        let is_wanted = freed < half;
        freed += bytes;
        is_wanted
    };
    queues.into_iter().take_while(is_wanted).map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: usize = QUEUE_BYTES_MIN;

    fn of(queues: &[usize]) -> Vec<usize> {
        slowest(queues.iter().map(|bytes| (*bytes, *bytes)))
    }

    #[test]
    fn the_slowest_go_first_until_half_is_freed() {
        assert_eq!(of(&[MIN, 4 * MIN, 2 * MIN, MIN]), [4 * MIN]);
        assert_eq!(of(&[MIN; 8]).len(), 4);
        assert_eq!(of(&[MIN; 3]).len(), 2);
        assert_eq!(of(&[MIN]), [MIN]);
    }

    #[test]
    fn lines_that_keep_up_are_left_alone() {
        assert!(of(&[]).is_empty());
        assert!(of(&[0, 1, MIN - 1]).is_empty());
        assert_eq!(of(&[MIN - 1, 9 * MIN]), [9 * MIN]);
    }
}
