//! [`Piece`]: requests and answers in parts that a broker carries, put together again.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::broker::NodeId;

/// What one part holds. Brokers take a megabyte, and the part has a head.
const PART_BYTES_MAX: usize = 512 << 10;

/// What may be begun at a time; more is only of nodes that begin and do not go on.
const BEGUN_MAX: usize = 20_000;

/// How long the rest of something may take. Its parts are sent together.
const REST_MS: u64 = 10_000;

/// What one node says to another about requests that it hands over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Piece {
    /// A part of a request or of its answer. What one node says to another stays in order.
    Part { number: u64, side: Side, at: u32, of: u32, bytes: Bytes },
    /// It is worked on, and takes a while.
    Taken { number: u64 },
    /// Whoever asked has gone.
    GivenUp { number: u64 },
}

/// Which of the two something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Side {
    Request,
    Answer,
}

/// The parts of something that has at least a byte.
pub(super) fn split(number: u64, side: Side, whole: &Bytes) -> impl Iterator<Item = Piece> {
    let of = u32::try_from(whole.len()).expect("nothing so long is carried");
    (0..whole.len()).step_by(PART_BYTES_MAX).map(move |at| {
        let end = whole.len().min(at + PART_BYTES_MAX);
        Piece::Part { number, side, at: at as u32, of, bytes: whole.slice(at..end) }
    })
}

/// Puts parts together. Memory follows what has come, never what a part claims.
#[derive(Debug)]
pub(super) struct Joiner {
    begun: HashMap<(NodeId, Side, u64), Begun>,
    bytes: usize,
    whole_bytes_max: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Begun {
    of: usize,
    bytes: BytesMut,
    since_ms: u64,
}

impl Joiner {
    /// For what has at most `whole_bytes_max`; so much of what is not whole is kept at a time.
    pub(super) fn new(whole_bytes_max: usize, bytes_max: usize) -> Self {
        Self { begun: HashMap::new(), bytes: 0, whole_bytes_max, bytes_max }
    }

    /// The whole, when this was the last part of it. What misses a part is dropped.
    pub(super) fn join(
        &mut self,
        (from, side, number): (NodeId, Side, u64),
        (at, of): (u32, u32),
        part: Bytes,
        now_ms: u64,
    ) -> Option<Bytes> {
        let (at, of) = (at as usize, of as usize);
        let key = (from, side, number);
        if at == 0 {
            self.drop_begun(&key);
            if part.len() == of {
                return (of <= self.whole_bytes_max).then_some(part);
            }
            self.make_room(part.len(), now_ms);
            if of > self.whole_bytes_max || self.begun.len() >= BEGUN_MAX {
                return None;
            }
            self.begun.insert(key, Begun { of, bytes: BytesMut::new(), since_ms: now_ms });
        }
        self.make_room(part.len(), now_ms);
        let begun = self.begun.get_mut(&key)?;
        let end = begun.bytes.len() + part.len();
        let fits = begun.of == of && begun.bytes.len() == at && end <= of && !part.is_empty();
        if !fits || self.bytes + part.len() > self.bytes_max {
            self.drop_begun(&key);
            return None;
        }
        self.bytes += part.len();
        begun.bytes.extend_from_slice(&part);
        if end < of {
            return None;
        }
        self.bytes -= of;
        self.begun.remove(&key).map(|begun| begun.bytes.freeze())
    }

    /// What it holds of all that is not whole.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn held_bytes(&self) -> usize {
        assert_eq!(self.bytes, self.begun.values().map(|begun| begun.bytes.len()).sum::<usize>());
        self.bytes
    }

    /// Forgets what a node has begun.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.keep(|key, _| key.0 != node);
    }

    /// Forgets all that is not whole.
    pub(super) fn clear(&mut self) {
        self.keep(|_, _| false);
    }

    /// What waits too long has lost a part.
    fn make_room(&mut self, bytes: usize, now_ms: u64) {
        if self.bytes + bytes > self.bytes_max || self.begun.len() >= BEGUN_MAX {
            self.keep(|_, begun| now_ms.saturating_sub(begun.since_ms) < REST_MS);
        }
    }

    fn keep(&mut self, stays: impl Fn(&(NodeId, Side, u64), &Begun) -> bool) {
        self.begun.retain(|key, begun| stays(key, begun));
        self.bytes = self.begun.values().map(|begun| begun.bytes.len()).sum();
    }

    fn drop_begun(&mut self, key: &(NodeId, Side, u64)) {
        if let Some(begun) = self.begun.remove(key) {
            self.bytes -= begun.bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);

    fn whole(length: usize, seed: u8) -> Bytes {
        (0..length).map(|index| (index % 251) as u8 ^ seed).collect()
    }

    fn join(joiner: &mut Joiner, from: NodeId, piece: Piece, now_ms: u64) -> Option<Bytes> {
        let Piece::Part { number, side, at, of, bytes } = piece else { panic!("{piece:?}") };
        joiner.join((from, side, number), (at, of), bytes, now_ms)
    }

    #[test]
    fn what_is_split_is_put_together() {
        for length in [1, PART_BYTES_MAX, PART_BYTES_MAX + 1, 3 * PART_BYTES_MAX] {
            let whole = whole(length, 0);
            let parts: Vec<_> = split(7, Side::Request, &whole).collect();
            assert_eq!(parts.len(), length.div_ceil(PART_BYTES_MAX));
            let mut joiner = Joiner::new(8 << 20, 8 << 20);
            let mut joined: Vec<_> =
                parts.into_iter().filter_map(|part| join(&mut joiner, A, part, 0)).collect();
            assert_eq!((joined.pop(), joined.len()), (Some(whole), 0), "{length}");
            assert_eq!((joiner.begun.len(), joiner.bytes), (0, 0));
        }
    }

    #[test]
    fn what_is_begun_and_not_gone_on_with_is_bounded_in_number() {
        let mut joiner = Joiner::new(8 << 20, 8 << 20);
        let mut begin = |number: u64, now_ms| {
            let part = Bytes::from_static(b"x");
            joiner.join((A, Side::Request, number), (0, 2), part, now_ms);
            joiner.begun.len()
        };
        let counts: Vec<_> = (0..BEGUN_MAX as u64 + 5).map(|number| begin(number, 0)).collect();
        assert_eq!(counts.last(), Some(&BEGUN_MAX));
        // What nobody goes on with makes room in time.
        assert_eq!(begin(0, REST_MS), 1);
    }

    #[test]
    fn several_may_be_on_their_way_between_each_other() {
        let mut joiner = Joiner::new(8 << 20, 8 << 20);
        let ways = [
            (A, Side::Request, 1),
            (A, Side::Answer, 1),
            (A, Side::Request, 2),
            (B, Side::Request, 1),
        ];
        let wholes: Vec<_> = (0..4).map(|seed| whole(2 * PART_BYTES_MAX, seed)).collect();
        let mut parts: Vec<Vec<_>> = ways
            .iter()
            .zip(&wholes)
            .map(|((_, side, number), whole)| split(*number, *side, whole).collect())
            .collect();
        let mut joined = Vec::new();
        for turn in 0..2 {
            for (way, parts) in ways.iter().zip(&mut parts) {
                let part = std::mem::replace(&mut parts[turn], Piece::GivenUp { number: 0 });
                joined.extend(join(&mut joiner, way.0, part, 0));
            }
        }
        assert_eq!(joined, wholes);
    }

    #[test]
    fn what_misses_a_part_is_dropped() {
        let whole = whole(3 * PART_BYTES_MAX, 0);
        for lost in 0..3 {
            let mut joiner = Joiner::new(8 << 20, 8 << 20);
            let mut parts: Vec<_> = split(7, Side::Request, &whole).collect();
            parts.remove(lost);
            assert!(parts.into_iter().all(|part| join(&mut joiner, A, part, 0).is_none()));
            assert!(lost == 2 || joiner.bytes == 0, "{lost}");
            // The same anew is whole.
            let last =
                split(7, Side::Request, &whole).filter_map(|part| join(&mut joiner, A, part, 0));
            assert_eq!(last.last().as_ref(), Some(&whole));
        }
    }

    #[test]
    fn what_is_too_long_is_dropped() {
        let mut joiner = Joiner::new(PART_BYTES_MAX + 1, 8 << 20);
        for length in [PART_BYTES_MAX + 2, 4 * PART_BYTES_MAX] {
            let whole = whole(length, 0);
            let all = split(7, Side::Answer, &whole);
            assert_eq!(all.filter_map(|part| join(&mut joiner, A, part, 0)).count(), 0);
            assert_eq!(joiner.bytes, 0);
        }
        let lie = Piece::Part { number: 1, side: Side::Answer, at: 0, of: 3, bytes: whole(4, 0) };
        assert_eq!(join(&mut joiner, A, lie, 0), None);
        let empty =
            Piece::Part { number: 1, side: Side::Answer, at: 0, of: 3, bytes: Bytes::new() };
        assert_eq!(join(&mut joiner, A, empty, 0), None);
        assert!(joiner.begun.is_empty());
    }

    #[test]
    fn what_is_begun_has_a_bound_and_gives_way_when_it_is_old() {
        let mut joiner = Joiner::new(4 << 20, 2 * PART_BYTES_MAX);
        let whole = whole(2 * PART_BYTES_MAX, 0);
        let first = |number| split(number, Side::Request, &whole).next().unwrap();
        for number in 0..100 {
            assert_eq!(join(&mut joiner, A, first(number), 0), None);
        }
        assert_eq!((joiner.begun.len(), joiner.bytes), (2, 2 * PART_BYTES_MAX));
        assert_eq!(join(&mut joiner, B, first(1), REST_MS), None);
        assert_eq!((joiner.begun.len(), joiner.bytes), (1, PART_BYTES_MAX));
        joiner.forget(A);
        assert_eq!(joiner.begun.len(), 1);
        joiner.forget(B);
        assert_eq!((joiner.begun.len(), joiner.bytes), (0, 0));
    }
}
