//! An index that is packed, and unpacked as far as events come to it.
//!
//! What stands in it is where each rule is filed, and no rule: those are *pending* until an event meets their keys. Of the root's
//! index, which is as large as there are rules, what is found by hashing stays packed, sorted by its hash; what is found otherwise
//! is unpacked at once, and so are the paths that events are read along.

use super::hash;
use super::key::{Clue, Key, Witness};
use super::level::{LevelId, RuleId, is_hashed};
use super::probe::grams_slot;
use super::roots::Roots;
use super::rule::Rules;
use super::scalar::BorrowedScalar;
use crate::json::{NodeId, Step};
use crate::pack::{Reader, Section, Writer};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// In the place of a level's parent: the root.
const ROOT: u32 = u32::MAX;
/// In the place of a path: it has no number yet.
const UNKNOWN: u32 = u32::MAX;

/// What events are told apart by in the root's index: how a path is probed.
const EQUAL: u64 = 0;
const PREFIX: u64 = 1;
const SUFFIX: u64 = 2;
const CELL: u64 = 3;
const GRAM: u64 = 4;

/// The rules of a table by the caller's keys.
pub(crate) type ByKey = HashMap<u32, RuleId, FixedState>;

/// The levels below the root that are still packed.
#[derive(Debug)]
pub(crate) struct Packed {
    /// Hashes of keys and where the levels of each begin.
    places: Section,
    levels: Section,
    /// Which of them are unpacked.
    taken: Vec<bool>,
}

impl Packed {
    /// The hash of one of them, and where its levels begin.
    fn place(&self, at: usize) -> Option<(u32, usize)> {
        let mut reader = Reader::new(self.places.bytes().get(at * 8..)?);
        Some((reader.u32()?, reader.u32()? as usize))
    }

    /// Adds those under this hash that are packed still.
    pub(super) fn seek(&self, hash: u64, wanted: &mut Vec<usize>) {
        let hash = hash::short(hash);
        let (mut low, mut high) = (0, self.taken.len());
        while low < high {
            let middle = low.midpoint(high);
            let Some((known, _)) = self.place(middle) else { return };
            if known < hash { low = middle + 1 } else { high = middle }
        }
        while self.place(low).is_some_and(|(known, _)| known == hash) {
            if self.taken.get(low) == Some(&false) {
                wanted.push(low);
            }
            low += 1;
        }
    }

    /// All that are packed still.
    pub(crate) fn all(&self) -> impl Iterator<Item = usize> {
        self.taken.iter().enumerate().filter(|(_, taken)| !**taken).map(|(at, _)| at)
    }
}

/// Packs the index of a table.
struct Packing<'r> {
    rules: &'r Rules,
    /// The numbers that paths get, by what they are now.
    numbers: Vec<u32>,
    paths: Writer,
    count: u32,
}

impl Packing<'_> {
    /// The number of a path, which comes after that of its parent.
    fn number(&mut self, path: NodeId) -> u32 {
        let trie = &self.rules.trie;
        let (mut steps, mut node) = (Vec::new(), path);
        while self.numbers.get(node.index()) == Some(&UNKNOWN) {
            steps.push(node);
            node = trie.parent(node);
        }
        while let Some(step) = steps.pop() {
            let parent = self.numbers.get(trie.parent(step).index()).copied().unwrap_or(UNKNOWN);
            self.paths.u32(parent);
            match trie.step(step) {
                Some(key) => {
                    self.paths.u8(1);
                    self.paths.bytes(key.as_bytes());
                }
                None => self.paths.u8(0),
            }
            if let Some(number) = self.numbers.get_mut(step.index()) {
                *number = self.count;
            }
            self.count += 1;
        }
        self.numbers.get(path.index()).copied().unwrap_or(UNKNOWN)
    }

    /// A key with its path's number.
    fn key(&mut self, id: LevelId) -> Option<Key<Clue<'_>>> {
        let path = self.rules.levels.get(id)?.key.path;
        let path = crate::ir::PathId(self.number(path)).into();
        Some(Key { path, ..self.rules.levels.get(id)?.key.clue() })
    }

    /// Levels with all that are below them, parents first.
    fn levels(&mut self, tops: impl Iterator<Item = LevelId>, number: &dyn Fn(u32) -> u32, out: &mut Writer) {
        let mut open: Vec<(LevelId, u32)> = tops.map(|top| (top, ROOT)).collect();
        let mut list = Writer::default();
        let mut count = 0;
        while let Some((id, parent)) = open.pop() {
            let rules = self.rules;
            let Some(level) = rules.levels.get(id) else { continue };
            list.u32(parent);
            if let Some(key) = self.key(id) {
                write_key(&key, &mut list);
            }
            list.count(level.rules.all().len());
            for rule in level.rules.all() {
                list.u32(rules.get(*rule).map_or(u32::MAX, |rule| number(rule.key)));
            }
            if let Some(index) = &level.index {
                open.extend(index.children().map(|child| (child, count)));
            }
            count += 1;
        }
        out.u32(count);
        out.append(list);
    }
}

fn write_key(key: &Key<Clue<'_>>, out: &mut Writer) {
    out.u32(crate::ir::PathId::from(key.path).0);
    let mut number = |kind: u8, value: u64| {
        out.u8(kind);
        out.u64(value);
    };
    match &key.witness {
        Witness::Present => out.u8(0),
        Witness::Object => out.u8(1),
        Witness::AtLeast(place) => number(2, *place),
        Witness::AtMost(place) => number(3, *place),
        Witness::Cell(size, cell) => {
            number(4, *cell);
            out.u8(*size);
        }
        Witness::Prefix(part) => text(5, part, out),
        Witness::Suffix(part) => text(6, part, out),
        Witness::Gram(gram) => text(7, gram, out),
        Witness::Equal(scalar) => match scalar {
            BorrowedScalar::Null => out.u8(8),
            BorrowedScalar::Bool(value) => out.u8(9 + u8::from(*value)),
            BorrowedScalar::Int(value) => number(11, value.cast_unsigned()),
            BorrowedScalar::Uint(value) => number(12, *value),
            BorrowedScalar::Double(bits) => number(13, *bits),
            BorrowedScalar::Text(part) => text(14, part.as_bytes(), out),
        },
    }
}

fn text(kind: u8, text: &[u8], out: &mut Writer) {
    out.u8(kind);
    out.bytes(text);
}

fn read_key<'a>(reader: &mut Reader<'a>) -> Option<Key<Clue<'a>>> {
    let path = crate::ir::PathId(reader.u32()?).into();
    let witness = match reader.u8()? {
        0 => Witness::Present,
        1 => Witness::Object,
        2 => Witness::AtLeast(reader.u64()?),
        3 => Witness::AtMost(reader.u64()?),
        4 => {
            let cell = reader.u64()?;
            Witness::Cell(reader.u8()?, cell)
        }
        5 => Witness::Prefix(reader.bytes()?),
        6 => Witness::Suffix(reader.bytes()?),
        7 => Witness::Gram(reader.bytes()?.try_into().ok()?),
        8 => Witness::Equal(BorrowedScalar::Null),
        9 => Witness::Equal(BorrowedScalar::Bool(false)),
        10 => Witness::Equal(BorrowedScalar::Bool(true)),
        11 => Witness::Equal(BorrowedScalar::Int(reader.u64()?.cast_signed())),
        12 => Witness::Equal(BorrowedScalar::Uint(reader.u64()?)),
        13 => Witness::Equal(BorrowedScalar::Double(reader.u64()?)),
        14 => Witness::Equal(BorrowedScalar::Text(reader.text()?)),
        _ => return None,
    };
    Some(Key { path, witness })
}

/// How the root's index probes a path because of a key that is found by hashing: the path's number, then how.
fn probe_of(key: &Key<Clue<'_>>) -> u64 {
    let (how, value) = match &key.witness {
        Witness::Prefix(part) => (PREFIX, part.len()),
        Witness::Suffix(part) => (SUFFIX, part.len()),
        Witness::Cell(size, _) => (CELL, usize::from(*size)),
        Witness::Gram(gram) => (GRAM, grams_slot(*gram)),
        _ => (EQUAL, 0),
    };
    (key.path.index() as u64) << 32 | how << 24 | value as u64
}

/// Packs the index, with the numbers that the caller gives to its rules.
pub(crate) fn pack(rules: &Rules, roots: &Roots, number: &dyn Fn(u32) -> u32) -> Vec<u8> {
    let mut numbers = vec![UNKNOWN; rules.trie.capacity()];
    let first = roots.unbound.index() + 1;
    for (number, place) in (0..).zip(numbers.iter_mut().take(first)) {
        *place = number;
    }
    let count = u32::try_from(first).unwrap_or(u32::MAX);
    let mut packing = Packing { rules, numbers, paths: Writer::default(), count };
    let mut out = Writer::default();
    let root = rules.levels.get(LevelId::ROOT);
    let filed = root.map_or(&[][..], |root| root.rules.all());
    out.count(filed.len());
    filed.iter().for_each(|rule| out.u32(rules.get(*rule).map_or(u32::MAX, |rule| number(rule.key))));
    let index = root.and_then(|root| root.index.as_deref());
    let children = || index.into_iter().flat_map(super::level::Index::children);
    let is_sorted =
        |id: &LevelId| rules.levels.get(*id).is_some_and(|level| is_hashed(&level.key.clue().witness));
    packing.levels(children().filter(|id| !is_sorted(id)), number, &mut out);

    let hashed: Vec<LevelId> = children().filter(is_sorted).collect();
    let (mut order, mut probes) = (Vec::with_capacity(hashed.len()), Vec::new());
    for (place, id) in (0_u64..).zip(&hashed) {
        let Some(key) = packing.key(*id) else { continue };
        order.push(u64::from(hash::short(hash::of_key(&key))) << 32 | place);
        let probe = probe_of(&key);
        // Few differ: they say what paths are asked for, and not for which values.
        if !probes.contains(&probe) {
            probes.push(probe);
        }
    }
    order.sort_unstable();
    out.count(probes.len());
    probes.iter().for_each(|probe| out.u64(*probe));
    let (mut places, mut levels) = (Writer::default(), Writer::default());
    for entry in order {
        let Some(id) = hashed.get((entry & u64::from(u32::MAX)) as usize) else { continue };
        places.u32((entry >> 32) as u32);
        places.count(levels.len());
        packing.levels(std::iter::once(*id), number, &mut levels);
    }
    out.bytes(&places.finish());
    out.bytes(&levels.finish());

    let mut all = Writer::default();
    all.u8(u8::from(rules.trie.is_used(roots.headers)));
    all.u32(packing.count - count);
    all.bytes(&packing.paths.finish());
    all.bytes(&out.finish());
    all.finish()
}

impl Rules {
    /// Takes an index as it was packed, into a table without rules. `None` if it is no such index.
    pub(crate) fn take_packed(&mut self, packed: &Section, roots: &Roots, by_key: &mut ByKey) -> Option<()> {
        let mut reader = Reader::new(packed.bytes());
        if reader.u8()? == 1 {
            // Some filter that is not here yet looks at them.
            self.trie.hold(roots.headers);
        }
        let first = self.trie.capacity();
        let count = reader.u32()? as usize;
        let mut paths = Reader::new(reader.bytes()?);
        let range = reader.range()?;
        for number in first..first + count {
            let parent: NodeId = crate::ir::PathId(paths.u32()?).into();
            let step = match paths.u8()? {
                0 => Step::Each,
                _ => Step::Key(paths.text()?),
            };
            if parent.index() >= number || self.trie.acquire(parent, &step).index() != number {
                return None;
            }
        }
        let index = packed.part(range)?;
        let mut reader = Reader::new(index.bytes());
        for _ in 0..reader.u32()? {
            let rule = self.pending(reader.u32()?, by_key);
            self.levels.get_mut(LevelId::ROOT)?.rules.push(rule);
        }
        self.take_levels(&mut reader, by_key)?;
        for _ in 0..reader.u32()? {
            let probe = reader.u64()?;
            let path = crate::ir::PathId((probe >> 32) as u32).into();
            let value = (probe & 0xff_ffff) as usize;
            let probes = self.levels.probes(LevelId::ROOT, path)?;
            match probe >> 24 & 0xff {
                EQUAL => probes.note_equal(),
                PREFIX => probes.note_prefix(value),
                SUFFIX => probes.note_suffix(value),
                CELL => probes.note_cell(value),
                GRAM => probes.note_gram(value),
                _ => return None,
            }
        }
        let (places, levels) = (reader.range()?, reader.range()?);
        let taken = vec![false; places.len() / 8];
        let packed = Packed { places: index.part(places)?, levels: index.part(levels)?, taken };
        self.levels.packed = Some(Box::new(packed));
        self.levels.get_mut(LevelId::ROOT)?.index.as_mut()?.is_packed = true;
        Some(())
    }

    /// Unpacks what an event came to.
    pub(crate) fn unpack(&mut self, wanted: &[usize], by_key: &mut ByKey) -> Option<()> {
        for at in wanted {
            let packed = self.levels.packed.as_mut()?;
            if std::mem::replace(packed.taken.get_mut(*at)?, true) {
                continue;
            }
            let (_, start) = packed.place(*at)?;
            let levels = packed.levels.clone();
            self.take_levels(&mut Reader::new(levels.bytes().get(start..)?), by_key)?;
        }
        Some(())
    }

    fn take_levels(&mut self, reader: &mut Reader<'_>, by_key: &mut ByKey) -> Option<()> {
        let mut ids: Vec<LevelId> = Vec::new();
        for _ in 0..reader.u32()? {
            let parent = match reader.u32()? {
                ROOT => LevelId::ROOT,
                parent => *ids.get(parent as usize)?,
            };
            let key = read_key(reader)?;
            self.levels.get_mut(parent)?.index.get_or_insert_default();
            let id = self.levels.child_or_new(parent, &key, &mut self.trie);
            for _ in 0..reader.u32()? {
                let rule = self.pending(reader.u32()?, by_key);
                self.levels.get_mut(id)?.rules.push(rule);
            }
            ids.push(id);
        }
        Some(())
    }

    /// The rule of a key, which waits for its gate if it is not there yet.
    fn pending(&mut self, key: u32, by_key: &mut ByKey) -> RuleId {
        match by_key.get(&key) {
            Some(rule) => *rule,
            None => {
                let rule = self.await_gate(key);
                by_key.insert(key, rule);
                rule
            }
        }
    }
}
