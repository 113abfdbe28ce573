//! Who of several works on what is due.
//!
//! A store that only counts has no lease with a deadline; the deadline is in the counter's name. Time is cut into windows.
//! Who is the first to count a thing's counter of this window has it until the next window ends, unless it was taken in the
//! window before. So a lease lasts one window at least and two at most, nobody has to give it back, and of those who
//! ask at once one gets it.

use super::Bucket;
use std::collections::HashMap;

/// How long a lease lasts at least, in milliseconds: an attempt, and time to write what came of it.
pub const LEASE: u64 = 90_000;

/// The most windows that are looked back for what others have left.
const MOST_LEFT: u64 = 8;

/// The right to work on what stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    window: u64,
}

fn key(place: &str, window: u64) -> String {
    format!("lease/{place}/{window}")
}

impl Lease {
    /// The keys that say whether somebody has the lease of a place now.
    pub(super) fn held_by(place: &str, now: u64) -> [String; 2] {
        let window = now / LEASE;
        [key(place, window), key(place, window.saturating_sub(1))]
    }

    /// Whether somebody has it, by what was read of those keys.
    pub(super) fn is_held(place: &str, now: u64, read: &HashMap<String, Vec<u8>>) -> bool {
        Self::held_by(place, now).iter().any(|key| read.contains_key(key))
    }

    /// Takes the lease of a place that nobody was seen to have.
    pub(super) fn take(bucket: &dyn Bucket, place: &str, now: u64) -> Result<Option<Self>, String> {
        let window = now / LEASE;
        Ok((bucket.increment(&key(place, window), 1)? == 1).then_some(Self { window }))
    }

    /// Until when it is held, in Unix milliseconds.
    pub(super) const fn until(self) -> u64 {
        (self.window + 2).saturating_mul(LEASE)
    }

    /// The keys to delete when the place is given up: its own, and those of who had it before and did not come to it.
    pub(super) fn keys(self, place: &str) -> impl Iterator<Item = String> {
        let first = self.window.saturating_sub(MOST_LEFT);
        let place = place.to_owned();
        (first..=self.window).map(move |window| key(&place, window))
    }

    /// The key to delete in order to give it back.
    pub(super) fn own_key(self, place: &str) -> String {
        key(place, self.window)
    }
}
