//! Where rules are filed.

use super::blocks::Blocks;
use super::hash;
use super::key::{Clue, Key, Witness};
use super::packed::Packed;
use super::probe::grams_slot;
use super::scalar::BorrowedScalar;
use super::small_list::SmallList;
use crate::json::{NodeId, Trie};
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};
use std::collections::BTreeMap;

/// A place for rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LevelId(u32);

impl LevelId {
    /// The level that every event looks at.
    pub(crate) const ROOT: Self = Self(0);

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The number of a rule.
pub(crate) type RuleId = u32;

/// Rules that are looked at together: those under one key, and, where there are many, levels for further keys.
#[derive(Debug)]
pub(crate) struct Level {
    parent: LevelId,
    pub(super) key: Key,
    /// The hash of the key.
    hash: u32,
    pub(super) rules: SmallList<RuleId>,
    pub(super) index: Option<Box<Index>>,
    /// Filings in this level and those below it.
    count: u32,
    /// The event that looked at it last.
    pub(super) seen: u32,
}

/// The levels below a level.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Those whose key is found by hashing, by their keys.
    pub(super) hashed: HashTable<LevelId>,
    pub(super) paths: HashMap<NodeId, Probes, FixedState>,
    /// Whether some of those that are found by hashing are packed still.
    pub(super) is_packed: bool,
}

/// How an index uses a path.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    pub(super) present: Option<LevelId>,
    pub(super) object: Option<LevelId>,
    /// The number of levels for one value.
    pub(super) equal: u32,
    pub(super) ranges: Option<Box<Ranges>>,
    pub(super) affixes: Option<Box<Affixes>>,
}

#[derive(Debug)]
pub(crate) struct Ranges {
    pub(super) at_least: BTreeMap<u64, LevelId>,
    pub(super) at_most: BTreeMap<u64, LevelId>,
    /// The number of levels for cells of each size.
    pub(super) cells: [u32; 64],
    cell_count: u32,
    /// Filings below `at_least` and `at_most`.
    count: u32,
}

/// The number of levels for parts of strings.
#[derive(Debug)]
pub(crate) struct Affixes {
    pub(super) prefixes: BTreeMap<u16, u32>,
    pub(super) suffixes: BTreeMap<u16, u32>,
    /// By a hash of the gram, to turn most others away.
    pub(super) grams: Option<Box<[u32; 1024]>>,
    pub(super) gram_count: u32,
}

/// All levels of a table.
#[derive(Debug)]
pub(crate) struct Levels {
    levels: Blocks<Level>,
    free: Vec<LevelId>,
    /// Those below the root that are not unpacked yet.
    pub(crate) packed: Option<Box<Packed>>,
}

impl Default for Levels {
    fn default() -> Self {
        let root = Level {
            parent: LevelId::ROOT,
            key: Key { path: NodeId::NONE, witness: Witness::Present },
            hash: 0,
            rules: SmallList::None,
            index: Some(Box::default()),
            count: 0,
            seen: 0,
        };
        let mut levels = Blocks::default();
        levels.push(root);
        Self { levels, free: Vec::new(), packed: None }
    }
}

impl Levels {
    pub(super) fn get(&self, id: LevelId) -> Option<&Level> {
        self.levels.get(id.index())
    }

    pub(super) fn get_mut(&mut self, id: LevelId) -> Option<&mut Level> {
        self.levels.get_mut(id.index())
    }

    /// The keys of a level and of all above it.
    pub(super) fn chain(&self, mut id: LevelId) -> Vec<&Key> {
        let mut keys = Vec::new();
        while id != LevelId::ROOT
            && let Some(level) = self.get(id)
        {
            keys.push(&level.key);
            id = level.parent;
        }
        keys
    }

    /// The level for a key below a level.
    fn child(&self, parent: LevelId, key: &Key<Clue<'_>>) -> Option<LevelId> {
        let index = self.get(parent)?.index.as_ref()?;
        let probes = index.paths.get(&key.path)?;
        match &key.witness {
            Witness::Present => probes.present,
            Witness::Object => probes.object,
            Witness::AtLeast(place) => probes.ranges.as_ref()?.at_least.get(place).copied(),
            Witness::AtMost(place) => probes.ranges.as_ref()?.at_most.get(place).copied(),
            _ => index
                .hashed
                .find(hash::of_key(key), |id| self.get(*id).is_some_and(|level| level.key.clue() == *key))
                .copied(),
        }
    }

    /// How many rules an event is expected to look at in vain because of one more filing under a key: how likely it is to have
    /// the key, by its kind and by what is filed there already.
    pub(super) fn cost(&self, parent: LevelId, key: &Key<Clue<'_>>) -> u32 {
        let filed = self.child(parent, key).and_then(|id| self.get(id)).map_or(0, |level| level.count);
        let filed = match &key.witness {
            Witness::AtLeast(_) | Witness::AtMost(_) => {
                let probes = self.get(parent).and_then(|level| level.index.as_ref()?.paths.get(&key.path));
                let ranges = probes.and_then(|probes| probes.ranges.as_ref());
                ranges.map_or(0, |ranges| ranges.count / 2).max(filed)
            }
            _ => filed,
        };
        let base = match &key.witness {
            Witness::Equal(BorrowedScalar::Bool(_) | BorrowedScalar::Null) => 8,
            Witness::Equal(_) => 1,
            Witness::Prefix(_) | Witness::Suffix(_) | Witness::Cell(..) => 2,
            Witness::Gram(_) => 6,
            Witness::AtLeast(_) | Witness::AtMost(_) => 8,
            Witness::Object => 12,
            Witness::Present => 24,
        };
        filed.saturating_add(base).min(u32::MAX - 1)
    }

    /// The level for a key below a level, added if it is not there.
    pub(super) fn child_or_new(&mut self, parent: LevelId, key: &Key<Clue<'_>>, trie: &mut Trie) -> LevelId {
        if let Some(id) = self.child(parent, key) {
            return id;
        }
        trie.hold(key.path);
        let hash = hash::short(hash::of_key(key));
        let level =
            Level { parent, key: key.owned(), hash, rules: SmallList::None, index: None, count: 0, seen: 0 };
        let id = match self.free.pop() {
            Some(id) => id,
            None => LevelId(u32::try_from(self.levels.len()).unwrap_or(u32::MAX)),
        };
        if let Some(place) = self.levels.get_mut(id.index()) {
            *place = level;
        } else {
            self.levels.push(level);
        }
        self.link(parent, key, id);
        id
    }

    /// The hash of a level's key, as it was when the level was made.
    fn rehash(&self, id: LevelId) -> u64 {
        self.get(id).map_or(0, |level| hash::long(level.hash))
    }

    /// Runs on an index that is taken out of its level meanwhile.
    fn with_index(&mut self, level: LevelId, run: impl FnOnce(&Self, &mut Index)) {
        let Some(mut index) = self.get_mut(level).and_then(|level| level.index.take()) else { return };
        run(self, &mut index);
        if let Some(level) = self.get_mut(level) {
            level.index = Some(index);
        }
    }

    /// How a level's index uses a path, for levels that are packed.
    pub(super) fn probes(&mut self, level: LevelId, path: NodeId) -> Option<&mut Probes> {
        Some(self.get_mut(level)?.index.as_mut()?.paths.entry(path).or_default())
    }

    fn link(&mut self, parent: LevelId, key: &Key<Clue<'_>>, id: LevelId) {
        self.with_index(parent, |levels, index| {
            let probes = index.paths.entry(key.path).or_default();
            match &key.witness {
                Witness::Present => probes.present = Some(id),
                Witness::Object => probes.object = Some(id),
                Witness::AtLeast(place) => {
                    probes.ranges().at_least.insert(*place, id);
                }
                Witness::AtMost(place) => {
                    probes.ranges().at_most.insert(*place, id);
                }
                Witness::Equal(_) => probes.note_equal(),
                Witness::Cell(size, _) => probes.note_cell(usize::from(*size)),
                Witness::Prefix(text) => probes.note_prefix(text.len()),
                Witness::Suffix(text) => probes.note_suffix(text.len()),
                Witness::Gram(gram) => probes.note_gram(grams_slot(*gram)),
            }
            if is_hashed(&key.witness) {
                index.hashed.insert_unique(hash::of_key(key), id, |id| levels.rehash(*id));
            }
        });
    }

    fn unlink(&mut self, parent: LevelId, key: &Key<Clue<'_>>, id: LevelId) {
        self.with_index(parent, |levels, index| {
            if is_hashed(&key.witness)
                && let Ok(found) = index.hashed.find_entry(hash::of_key(key), |other| *other == id)
            {
                found.remove();
            }
            let Some(probes) = index.paths.get_mut(&key.path) else { return };
            match &key.witness {
                Witness::Present => probes.present = None,
                Witness::Object => probes.object = None,
                Witness::AtLeast(place) => {
                    probes.ranges().at_least.remove(place);
                }
                Witness::AtMost(place) => {
                    probes.ranges().at_most.remove(place);
                }
                Witness::Equal(_) => probes.equal = probes.equal.saturating_sub(1),
                Witness::Cell(size, _) => {
                    let ranges = probes.ranges();
                    ranges.cell_count = ranges.cell_count.saturating_sub(1);
                    if let Some(count) = ranges.cells.get_mut(usize::from(*size)) {
                        *count = count.saturating_sub(1);
                    }
                }
                Witness::Prefix(text) => fewer(&mut probes.affixes().prefixes, length(text.len())),
                Witness::Suffix(text) => fewer(&mut probes.affixes().suffixes, length(text.len())),
                Witness::Gram(gram) => {
                    let affixes = probes.affixes();
                    affixes.gram_count = affixes.gram_count.saturating_sub(1);
                    if let Some(count) =
                        affixes.grams.as_mut().and_then(|grams| grams.get_mut(grams_slot(*gram)))
                    {
                        *count = count.saturating_sub(1);
                    }
                }
            }
            probes.shrink();
            if probes.is_empty() {
                index.paths.remove(&key.path);
            }
            // Tables give memory back when most of them is gone.
            if index.hashed.capacity() > 64 && index.hashed.len() * 8 < index.hashed.capacity() {
                index.hashed.shrink_to_fit(|id| levels.rehash(*id));
            }
        });
    }

    /// Counts one more filing (or one less) in a level and all above it.
    pub(super) fn count(&mut self, mut id: LevelId, more: bool) {
        loop {
            let Some(level) = self.get_mut(id) else { return };
            level.count = if more { level.count.saturating_add(1) } else { level.count.saturating_sub(1) };
            if id == LevelId::ROOT {
                return;
            }
            let (parent, range) =
                (level.parent, matches!(level.key.witness, Witness::AtLeast(_) | Witness::AtMost(_)));
            if range {
                let path = level.key.path;
                let index = self.get_mut(parent).and_then(|level| level.index.as_mut());
                if let Some(ranges) = index.and_then(|index| index.paths.get_mut(&path)?.ranges.as_mut()) {
                    ranges.count = if more { ranges.count + 1 } else { ranges.count.saturating_sub(1) };
                }
            }
            id = parent;
        }
    }

    /// Appends the rules of all levels below an index.
    pub(super) fn below(&self, index: &Index, rules: &mut Vec<RuleId>) {
        let mut open = vec![index];
        while let Some(index) = open.pop() {
            for level in index.children().filter_map(|id| self.get(id)) {
                rules.extend_from_slice(level.rules.all());
                open.extend(level.index.as_deref());
            }
        }
    }

    /// Removes a level without rules, and those above it that are empty then.
    pub(super) fn sweep(&mut self, mut id: LevelId, trie: &mut Trie) {
        while id != LevelId::ROOT {
            let Some(level) = self.get_mut(id) else { return };
            if level.count > 0 {
                return;
            }
            let parent = level.parent;
            let key =
                std::mem::replace(&mut level.key, Key { path: NodeId::NONE, witness: Witness::Present });
            level.index = None;
            level.rules = SmallList::None;
            self.unlink(parent, &key.clue(), id);
            trie.release(key.path);
            self.free.push(id);
            id = parent;
        }
    }

    /// Forgets which event looked at what.
    pub(super) fn forget_events(&mut self) {
        self.levels.iter_mut().for_each(|level| level.seen = 0);
    }

    /// The number of levels.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.levels.len() - self.free.len()
    }

    /// Bytes on the heap, roughly for what is in tree maps.
    pub(crate) fn heap_size(&self) -> usize {
        let inner: usize = self
            .levels
            .iter()
            .map(|level| {
                let index = level.index.as_ref().map_or(0, |index| {
                    let probes: usize = index.paths.values().map(Probes::heap_size).sum();
                    size_of::<Index>()
                        + index.hashed.allocation_size()
                        + index.paths.allocation_size()
                        + probes
                });
                level.key.heap_size() + level.rules.heap_size() + index
            })
            .sum();
        self.levels.heap_size() + self.free.capacity() * 4 + inner
    }
}

impl Index {
    /// The levels below.
    pub(super) fn children(&self) -> impl Iterator<Item = LevelId> {
        let tested = self.paths.values().flat_map(|probes| {
            let ranges = probes
                .ranges
                .iter()
                .flat_map(|ranges| ranges.at_least.values().chain(ranges.at_most.values()).copied());
            probes.present.into_iter().chain(probes.object).chain(ranges)
        });
        self.hashed.iter().copied().chain(tested)
    }
}

/// Whether a level for this is found by hashing its key.
pub(super) const fn is_hashed(witness: &Clue<'_>) -> bool {
    matches!(
        witness,
        Witness::Equal(_) | Witness::Cell(..) | Witness::Prefix(_) | Witness::Suffix(_) | Witness::Gram(_)
    )
}

fn length(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

fn fewer(lengths: &mut BTreeMap<u16, u32>, length: u16) {
    if let Some(count) = lengths.get_mut(&length) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            lengths.remove(&length);
        }
    }
}

impl Probes {
    fn ranges(&mut self) -> &mut Ranges {
        self.ranges.get_or_insert_with(|| {
            Box::new(Ranges {
                at_least: BTreeMap::new(),
                at_most: BTreeMap::new(),
                cells: [0; 64],
                cell_count: 0,
                count: 0,
            })
        })
    }

    fn affixes(&mut self) -> &mut Affixes {
        self.affixes.get_or_insert_with(|| {
            Box::new(Affixes {
                prefixes: BTreeMap::new(),
                suffixes: BTreeMap::new(),
                grams: None,
                gram_count: 0,
            })
        })
    }

    /// One more level for one value.
    pub(super) fn note_equal(&mut self) {
        self.equal += 1;
    }

    /// One more for a cell of this size.
    pub(super) fn note_cell(&mut self, size: usize) {
        let ranges = self.ranges();
        ranges.cell_count += 1;
        if let Some(count) = ranges.cells.get_mut(size) {
            *count += 1;
        }
    }

    /// One more for a prefix of this length.
    pub(super) fn note_prefix(&mut self, bytes: usize) {
        *self.affixes().prefixes.entry(length(bytes)).or_default() += 1;
    }

    /// One more for a suffix of this length.
    pub(super) fn note_suffix(&mut self, bytes: usize) {
        *self.affixes().suffixes.entry(length(bytes)).or_default() += 1;
    }

    /// One more for a gram in this place.
    pub(super) fn note_gram(&mut self, slot: usize) {
        let affixes = self.affixes();
        affixes.gram_count += 1;
        let grams = affixes.grams.get_or_insert_with(|| Box::new([0; 1024]));
        if let Some(count) = grams.get_mut(slot) {
            *count += 1;
        }
    }

    fn shrink(&mut self) {
        if self.ranges.as_ref().is_some_and(|ranges| ranges.is_empty()) {
            self.ranges = None;
        }
        if self.affixes.as_ref().is_some_and(|affixes| affixes.is_empty()) {
            self.affixes = None;
        }
    }

    const fn is_empty(&self) -> bool {
        self.present.is_none()
            && self.object.is_none()
            && self.equal == 0
            && self.ranges.is_none()
            && self.affixes.is_none()
    }

    fn heap_size(&self) -> usize {
        let ranges = self
            .ranges
            .as_ref()
            .map_or(0, |ranges| size_of::<Ranges>() + (ranges.at_least.len() + ranges.at_most.len()) * 18);
        let affixes = self.affixes.as_ref().map_or(0, |affixes| {
            let grams = affixes.grams.as_ref().map_or(0, |grams| size_of_val(&**grams));
            size_of::<Affixes>() + (affixes.prefixes.len() + affixes.suffixes.len()) * 9 + grams
        });
        ranges + affixes
    }
}

impl Ranges {
    /// Whether there is a level for any cell.
    pub(super) const fn has_cells(&self) -> bool {
        self.cell_count > 0
    }

    fn is_empty(&self) -> bool {
        self.at_least.is_empty() && self.at_most.is_empty() && self.cell_count == 0
    }
}

impl Affixes {
    fn is_empty(&self) -> bool {
        self.prefixes.is_empty() && self.suffixes.is_empty() && self.gram_count == 0
    }
}
