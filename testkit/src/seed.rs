//! Numbers by chance that a seed determines.

/// A generator of numbers, the same for the same seed wherever it runs (SplitMix64).
#[derive(Debug, Clone)]
pub struct Seed(u64);

impl Seed {
    /// Begins with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for the part that bears this name, so that a draw more in one part
    /// changes no other.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        let mut part = Self(self.0);
        for byte in name.bytes() {
            part.0 = part.number() ^ u64::from(byte);
        }
        part
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to below `high`, which has to be greater.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.number() % (high - low)
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.number() % 100 < percent
    }

    /// One of these, of which there has to be one.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.between(0, of.len() as u64) as usize]
    }

    /// The index of one of these, as often as its weight says.
    pub fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut left = self.between(0, weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        weights.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let numbers =
            |seed| (0..4).map(move |_| 0).scan(Seed::new(seed), |seed, _: i32| Some(seed.number()));
        assert!(numbers(7).eq(numbers(7)));
        assert!(numbers(7).ne(numbers(8)));
        assert_ne!(Seed::new(7).part("a").number(), Seed::new(7).part("b").number());
    }

    #[test]
    fn weights_of_zero_are_never_drawn() {
        let mut seed = Seed::new(1);
        assert!((0..1000).all(|_| [1, 3].contains(&seed.weighted(&[0, 5, 0, 1, 0]))));
    }
}
