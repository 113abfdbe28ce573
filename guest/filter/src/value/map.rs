//! Maps as values.

use super::{Key, Text, Value};
use std::sync::Arc;

/// Up to this many entries a lookup compares one by one.
const LINEAR: usize = 12;

/// An immutable map in the order of its making, shared by its copies.
#[derive(Debug, Clone)]
pub struct Map<'a>(Arc<Inner<'a>>);

#[derive(Debug)]
struct Inner<'a> {
    entries: Vec<(Key<'a>, Value<'a>)>,
    /// Positions in `entries` by ascending key; empty if there are few entries.
    sorted: Vec<u32>,
}

/// A map literal named the same key twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicateKey;

impl<'a> Map<'a> {
    /// A map of entries whose keys must differ.
    ///
    /// # Errors
    /// Two entries have the same key.
    pub fn try_new(entries: Vec<(Key<'a>, Value<'a>)>) -> Result<Self, DuplicateKey> {
        let length = entries.len();
        let map = Self::with_last(entries);
        if map.len() == length { Ok(map) } else { Err(DuplicateKey) }
    }

    /// A map of entries of which the last one with the same key wins, as in a JSON object.
    #[must_use]
    pub fn with_last(mut entries: Vec<(Key<'a>, Value<'a>)>) -> Self {
        let mut sorted = order(&entries);
        let mut last = vec![true; entries.len()];
        for pair in sorted.windows(2) {
            if let [first, second] = *pair
                && same(&entries, first, second)
                && let Some(last) = last.get_mut(first as usize)
            {
                *last = false;
            }
        }
        if last.contains(&false) {
            let mut last = last.into_iter();
            entries.retain(|_| last.next().unwrap_or(true));
            sorted = order(&entries);
        }
        if entries.len() <= LINEAR {
            sorted = Vec::new();
        }
        Self(Arc::new(Inner { entries, sorted }))
    }

    /// The value under the key.
    #[must_use]
    pub fn get(&self, key: &Key<'_>) -> Option<&Value<'a>> {
        let entries = &self.0.entries;
        if self.0.sorted.is_empty() {
            return entries.iter().find(|(candidate, _)| candidate == key).map(|(_, value)| value);
        }
        let found = self
            .0
            .sorted
            .binary_search_by(|position| match entries.get(*position as usize) {
                Some((candidate, _)) => candidate.cmp(key),
                None => std::cmp::Ordering::Greater,
            })
            .ok()?;
        let position = *self.0.sorted.get(found)?;
        entries.get(position as usize).map(|(_, value)| value)
    }

    /// The value under the string key.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value<'a>> {
        self.get(&Key::String(Text::Borrowed(name)))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// The entries in the order of their making.
    #[must_use]
    pub fn entries(&self) -> &[(Key<'a>, Value<'a>)] {
        &self.0.entries
    }
}

/// Positions by ascending key; equal keys stay in the order written.
fn order(entries: &[(Key<'_>, Value<'_>)]) -> Vec<u32> {
    let mut sorted: Vec<u32> = (0..u32::try_from(entries.len()).unwrap_or(u32::MAX)).collect();
    sorted.sort_unstable_by(|left, right| {
        let key = |position: &u32| entries.get(*position as usize).map(|(key, _)| key);
        key(left).cmp(&key(right)).then(left.cmp(right))
    });
    sorted
}

fn same(entries: &[(Key<'_>, Value<'_>)], first: u32, second: u32) -> bool {
    match (entries.get(first as usize), entries.get(second as usize)) {
        (Some((first, _)), Some((second, _))) => first == second,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{DuplicateKey, Map};
    use crate::value::{Key, Text, Value};

    fn entry(name: &'static str, value: i64) -> (Key<'static>, Value<'static>) {
        (Key::String(Text::Borrowed(name)), Value::Int(value))
    }

    #[test]
    fn of_a_repeated_key_the_last_one_wins() {
        let map = Map::with_last(vec![entry("a", 1), entry("b", 2), entry("a", 3)]);
        assert_eq!(map.len(), 2);
        assert!(matches!(map.field("a"), Some(Value::Int(3))));
        assert!(matches!(map.field("b"), Some(Value::Int(2))));
        assert!(map.field("c").is_none());
    }

    #[test]
    fn a_literal_may_not_repeat_a_key_even_in_another_integer_type() {
        let entries = vec![(Key::Int(0), Value::Int(1)), (Key::Uint(0), Value::Int(2))];
        assert_eq!(Map::try_new(entries).err(), Some(DuplicateKey));
    }

    #[test]
    fn finds_every_key_of_a_large_map() {
        let names: Vec<String> = (0..100).map(|number| format!("k{number}")).collect();
        let entries = names
            .iter()
            .enumerate()
            .map(|(at, name)| (Key::String(Text::Borrowed(name)), Value::Uint(at as u64)));
        let map = Map::with_last(entries.collect());
        for (at, name) in names.iter().enumerate() {
            assert!(matches!(map.field(name), Some(Value::Uint(value)) if *value == at as u64));
        }
        assert!(map.field("k100").is_none());
    }
}
