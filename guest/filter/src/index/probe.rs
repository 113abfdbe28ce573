//! Looking up what an event has.

use super::hash;
use super::key::Witness;
use super::level::{Index, LevelId, Levels, Probes, RuleId};
use super::order::place;
use super::scalar::BorrowedScalar;
use crate::json::{Extractor, NodeId, Raw, Slots, Trie, elements};
use std::ops::Range;

/// What the elements of an event's arrays have at the paths that go through every element.
#[derive(Debug, Default)]
pub(crate) struct Elements {
    slots: Slots,
    /// By path.
    values: Vec<(NodeId, Raw)>,
    /// Each path once, with the places of its values.
    groups: Vec<(NodeId, Range<usize>)>,
}

impl Elements {
    /// Reads the elements of the arrays in `slots` that some path goes through.
    pub(crate) fn read(&mut self, trie: &Trie, slots: &Slots, body: &str, extractor: &mut Extractor) {
        self.values.clear();
        self.groups.clear();
        if !trie.has_elements() {
            return;
        }
        self.slots.begin(trie.capacity());
        let is_open =
            |(node, raw): &(NodeId, Raw)| matches!(raw, Raw::Array(..)) && trie.each(*node) != NodeId::NONE;
        let present = slots.present().iter().map(|node| (*node, slots.get(*node)));
        let mut open: Vec<(NodeId, Raw)> = present.filter(is_open).collect();
        let Self { slots, values, groups } = self;
        while let Some((node, raw)) = open.pop() {
            let Raw::Array(start, _) = raw else { continue };
            // The text was read as a whole before, so that it cannot fail here.
            let _ = elements(extractor, body, start as usize, trie, trie.each(node), slots, |slots| {
                for node in slots.present().iter().filter(|node| **node != NodeId::NONE) {
                    let value = (*node, slots.get(*node));
                    values.push(value);
                    if is_open(&value) {
                        open.push(value);
                    }
                }
            });
        }
        values.sort_unstable_by_key(|(node, _)| *node);
        let mut start = 0;
        for group in values.chunk_by(|(left, _), (right, _)| left == right) {
            let end = start + group.len();
            groups.extend(group.first().map(|(path, _)| (*path, start..end)));
            start = end;
        }
    }

    /// The values at one path.
    fn of(&self, path: NodeId) -> &[(NodeId, Raw)] {
        match self.groups.binary_search_by_key(&path, |(path, _)| *path) {
            Ok(group) => self.groups.get(group).map_or(&[], |(_, range)| self.values(range)),
            Err(_) => &[],
        }
    }

    fn values(&self, range: &Range<usize>) -> &[(NodeId, Raw)] {
        self.values.get(range.clone()).unwrap_or_default()
    }
}

/// One event's search for the rules that could match it.
pub(crate) struct Probe<'p> {
    pub(crate) slots: &'p Slots,
    pub(crate) elements: &'p Elements,
    pub(crate) body: &'p str,
    /// The number of the event.
    pub(crate) epoch: u32,
    /// Levels still to look at; kept from event to event.
    pub(crate) open: &'p mut Vec<LevelId>,
    /// How many lookups may still be made.
    pub(crate) left: u32,
    /// Levels that the event came to and that are packed still, by their places: with them there may be more to find.
    pub(crate) wanted: &'p mut Vec<usize>,
}

impl Probe<'_> {
    /// Appends to `found` every rule that could be true; one can be there more than once. When there are no lookups left, what
    /// was not reached is in `missed`.
    pub(crate) fn search(&mut self, levels: &mut Levels, found: &mut Vec<RuleId>, missed: &mut Vec<RuleId>) {
        self.open.clear();
        self.open.push(LevelId::ROOT);
        while let Some(id) = self.open.pop() {
            let Some(level) = levels.get_mut(id) else { continue };
            if level.seen == self.epoch {
                continue;
            }
            level.seen = self.epoch;
            found.extend_from_slice(level.rules.all());
            let Some(index) = levels.get(id).and_then(|level| level.index.as_deref()) else { continue };
            self.index(levels, index);
            if self.left == 0 {
                levels.below(index, missed);
            }
        }
    }

    /// Pays for lookups; whether there were so many left.
    #[inline]
    fn spend(&mut self, lookups: usize) -> bool {
        match u32::try_from(lookups).ok().and_then(|lookups| self.left.checked_sub(lookups)) {
            Some(left) => self.left = left,
            None => self.left = 0,
        }
        self.left > 0
    }

    fn index(&mut self, levels: &Levels, index: &Index) {
        let (present, elements) = (self.slots.present(), self.elements);
        if index.paths.len() <= present.len() {
            for (path, probes) in &index.paths {
                let raw = self.slots.get(*path);
                if raw != Raw::Absent {
                    self.values(levels, index, *path, probes, &[(*path, raw)], self.slots);
                }
                self.values(levels, index, *path, probes, elements.of(*path), &elements.slots);
            }
            return;
        }
        for path in present {
            if let Some(probes) = index.paths.get(path) {
                self.values(levels, index, *path, probes, &[(*path, self.slots.get(*path))], self.slots);
            }
        }
        for (path, range) in &elements.groups {
            if let Some(probes) = index.paths.get(path) {
                self.values(levels, index, *path, probes, elements.values(range), &elements.slots);
            }
        }
    }

    /// Looks up the values of one path: one, or those of all elements.
    #[inline]
    fn values(
        &mut self,
        levels: &Levels,
        index: &Index,
        path: NodeId,
        probes: &Probes,
        values: &[(NodeId, Raw)],
        slots: &Slots,
    ) {
        if !self.spend(values.len()) {
            return;
        }
        let (mut low, mut high) = (u64::MAX, 0);
        for (_, raw) in values {
            if let Some(place) = self.value(levels, index, path, probes, *raw, slots) {
                (low, high) = (low.min(place), high.max(place));
            }
        }
        // The greatest of many values has every lower bound that any of them has.
        if let Some(ranges) = &probes.ranges
            && low <= high
        {
            self.open.extend(ranges.at_least.range(..=high).map(|(_, id)| *id));
            self.open.extend(ranges.at_most.range(low..).map(|(_, id)| *id));
        }
    }

    /// Looks up one value in all but the ranges; its place in those.
    #[inline]
    fn value(
        &mut self,
        levels: &Levels,
        index: &Index,
        path: NodeId,
        probes: &Probes,
        raw: Raw,
        slots: &Slots,
    ) -> Option<u64> {
        self.open.extend(probes.present);
        if matches!(raw, Raw::Object(..) | Raw::Map) {
            self.open.extend(probes.object);
        }
        let seen = BorrowedScalar::new(raw, slots, self.body)?;
        if probes.equal > 0
            && let Some(value) = seen.canonical()
        {
            let hash = hash::of_equal(path, value);
            self.seek(levels, index, hash);
            let found = index.hashed.find(hash, |id| {
                levels.get(*id).is_some_and(|level| {
                    level.key.path == path
                        && matches!(&level.key.witness, Witness::Equal(scalar) if scalar.seen() == value)
                })
            });
            self.open.extend(found.copied());
        }
        if let (Some(_), BorrowedScalar::Text(text)) = (&probes.affixes, seen) {
            self.affixes(levels, index, path, probes, text.as_bytes());
        }
        let ranges = probes.ranges.as_ref()?;
        let place = place(seen)?;
        if ranges.has_cells() {
            for (size, _) in (0_u8..).zip(&ranges.cells).filter(|(_, count)| **count > 0) {
                let cell = place >> size;
                let hash = hash::of_cell(path, size, cell);
                self.seek(levels, index, hash);
                let found = index.hashed.find(hash, |id| {
                    levels.get(*id).is_some_and(|level| {
                        level.key.path == path && level.key.witness == Witness::Cell(size, cell)
                    })
                });
                self.open.extend(found.copied());
            }
        }
        Some(place)
    }

    /// Notes what is packed under a hash.
    #[inline]
    fn seek(&mut self, levels: &Levels, index: &Index, hash: u64) {
        if index.is_packed
            && let Some(packed) = &levels.packed
        {
            packed.seek(hash, self.wanted);
        }
    }

    fn affixes(&mut self, levels: &Levels, index: &Index, path: NodeId, probes: &Probes, text: &[u8]) {
        let Some(affixes) = &probes.affixes else { return };
        let part = |wanted: &mut Vec<usize>, kind: u64, part: &[u8]| {
            let hash = hash::of_part(path, kind, part);
            if index.is_packed
                && let Some(packed) = &levels.packed
            {
                packed.seek(hash, wanted);
            }
            let found = index.hashed.find(hash, |id| {
                levels.get(*id).is_some_and(|level| {
                    level.key.path == path
                        && match (&level.key.witness, kind) {
                            (Witness::Prefix(text), 0) | (Witness::Suffix(text), 1) => **text == *part,
                            (Witness::Gram(gram), 2) => *gram == *part,
                            _ => false,
                        }
                })
            });
            found.copied()
        };
        let lengths = affixes.prefixes.len() + affixes.suffixes.len();
        let windows = if affixes.gram_count > 0 { text.len() / 8 } else { 0 };
        if !self.spend(lengths + windows) {
            return;
        }
        for length in affixes.prefixes.keys() {
            let Some(prefix) = text.get(..usize::from(*length)) else { break };
            self.open.extend(part(self.wanted, 0, prefix));
        }
        for length in affixes.suffixes.keys() {
            let Some(start) = text.len().checked_sub(usize::from(*length)) else { break };
            self.open.extend(part(self.wanted, 1, text.get(start..).unwrap_or_default()));
        }
        if affixes.gram_count > 0
            && let Some(counts) = &affixes.grams
        {
            for gram in text.windows(4).filter_map(|gram| gram.first_chunk::<4>()) {
                if counts.get(grams_slot(*gram)).is_some_and(|count| *count > 0) {
                    if !self.spend(1) {
                        return;
                    }
                    self.open.extend(part(self.wanted, 2, gram));
                }
            }
        }
    }
}

/// The place of a gram among the counts that turn most strings' grams away.
#[inline]
pub(super) fn grams_slot(gram: [u8; 4]) -> usize {
    (u32::from_le_bytes(gram).wrapping_mul(0x9e37_79b1) >> 22) as usize
}
