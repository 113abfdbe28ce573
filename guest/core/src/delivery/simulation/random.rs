//! Random numbers that follow from a seed.

use crate::delivery::entropy::spread;

/// A stream of numbers.
#[derive(Debug, Clone)]
pub(super) struct Random {
    seed: u64,
    place: u64,
}

impl Random {
    /// The stream of one purpose; it does not depend on how much of another one was used.
    pub(super) fn new(seed: u64, purpose: u64) -> Self {
        Self { seed: spread(seed, purpose, 0), place: 0 }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.place += 1;
        spread(self.seed, self.place, 1)
    }

    /// A number from `from` to below `to`.
    pub(super) fn range(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from).max(1)
    }

    /// Once in so many times.
    pub(super) fn one_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let place = self.range(0, from.len() as u64);
        from[usize::try_from(place).unwrap()]
    }
}
