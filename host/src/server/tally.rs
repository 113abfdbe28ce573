//! How many of something there are for each key, as of connections for each address.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many there are for each key. Cheap to clone; all clones are one.
#[derive(Debug)]
pub(crate) struct Tally<K> {
    counts: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K> Clone for Tally<K> {
    fn clone(&self) -> Self {
        Self { counts: Arc::clone(&self.counts) }
    }
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self { counts: Arc::default() }
    }
}

impl<K: Hash + Eq + Clone> Tally<K> {
    fn counts(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more for a key, until what is returned is dropped; `None` if there are `most` already.
    pub(crate) fn take(&self, key: K, most: usize) -> Option<Counted<K>> {
        let mut counts = self.counts();
        let count = counts.get(&key).copied().unwrap_or_default();
        if count >= most {
            return None;
        }
        counts.insert(key.clone(), count + 1);
        drop(counts);
        Some(Counted { tally: self.clone(), key })
    }
}

/// One of those that are counted.
#[derive(Debug)]
pub(crate) struct Counted<K: Hash + Eq + Clone> {
    tally: Tally<K>,
    key: K,
}

impl<K: Hash + Eq + Clone> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut counts = self.tally.counts();
        if let Some(count) = counts.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_and_what_is_dropped_is_free_again() {
        let tally = Tally::default();
        let (one, other) = (tally.take("a", 2), tally.take("a", 2));
        assert!(one.is_some() && other.is_some());
        assert!(tally.take("a", 2).is_none() && tally.take("b", 1).is_some());
        drop(one);
        assert!(tally.take("a", 2).is_some());
        drop(other);
        assert!(tally.counts().is_empty(), "nothing is kept of those who are gone");
    }
}
