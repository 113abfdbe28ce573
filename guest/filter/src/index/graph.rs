//! All gates of a table.

use super::gate::{Gate, GateId};
use super::moment::Moment;
use super::opaque;
use super::test::{Test, Tri};
use crate::json::{NodeId, Raw, Trie};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher as _;

#[derive(Debug)]
struct Entry {
    gate: Gate,
    /// Gates and rules that use it.
    users: u32,
    /// Whether asking it can take long: it holds something opaque, or searches a string.
    heavy: bool,
}

/// Gates by what they are: the same condition is there once, however many expressions hold it, and is answered once an event.
#[derive(Debug)]
pub(crate) struct Graph {
    entries: Vec<Entry>,
    free: Vec<GateId>,
    known: HashTable<GateId>,
    /// For each gate the event that it was answered for and the answer.
    memo: Vec<u32>,
    epoch: u32,
}

/// The work that one event may still cause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Steps left.
    pub(crate) left: u32,
    /// The most that one opaque gate may take.
    pub(crate) share: u32,
    /// Whether a gate could not be answered for want of steps.
    pub(crate) exhausted: bool,
}

impl Run {
    /// Takes steps, if so many are left.
    #[inline]
    fn spend(&mut self, steps: u32) -> bool {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.left = 0;
                self.exhausted = true;
                false
            }
        }
    }
}

fn hash(gate: &Gate) -> u64 {
    FixedState::with_seed(0).hash_one(gate)
}

impl Default for Graph {
    fn default() -> Self {
        let mut graph = Self {
            entries: Vec::new(),
            free: Vec::new(),
            known: HashTable::new(),
            memo: Vec::new(),
            epoch: 0,
        };
        // GateId::TRUE
        graph.insert(Gate::Constant(true));
        graph
    }
}

impl Graph {
    pub(crate) fn gate(&self, id: GateId) -> &Gate {
        self.entries.get(id.index()).map_or(&Gate::Unknown, |entry| &entry.gate)
    }

    /// Whether asking a gate can take long.
    pub(crate) fn is_heavy(&self, id: GateId) -> bool {
        self.entries.get(id.index()).is_some_and(|entry| entry.heavy)
    }

    /// Takes one more use of a gate.
    pub(crate) fn hold(&mut self, id: GateId) {
        if let Some(entry) = self.entries.get_mut(id.index()) {
            entry.users += 1;
        }
    }

    /// The id of a gate. The gate given holds one use of each gate and path in it, and the caller gets one of the id.
    pub(crate) fn intern(&mut self, gate: Gate, trie: &mut Trie) -> GateId {
        let found = self.known.find(hash(&gate), |id| self.gate(*id) == &gate).copied();
        if let Some(id) = found {
            self.hold(id);
            self.release_parts(gate, trie);
            return id;
        }
        self.insert(gate)
    }

    fn insert(&mut self, gate: Gate) -> GateId {
        let heavy = match &gate {
            Gate::Constant(_) | Gate::Unknown => false,
            Gate::Test(_, test) => test.searches(),
            Gate::Not(inner) => self.is_heavy(*inner),
            Gate::And(parts) | Gate::Or(parts) => parts.iter().any(|part| self.is_heavy(*part)),
            Gate::Choose(condition, then, otherwise) => {
                [condition, then, otherwise].into_iter().any(|part| self.is_heavy(*part))
            }
            Gate::Opaque(_) => true,
        };
        let hashed = hash(&gate);
        let entry = Entry { gate, users: 1, heavy };
        let id = match self.free.pop() {
            Some(id) => id,
            None => GateId(u32::try_from(self.entries.len()).unwrap_or(u32::MAX)),
        };
        if let Some(place) = self.entries.get_mut(id.index()) {
            *place = entry;
        } else {
            self.entries.push(entry);
            self.memo.push(0);
        }
        if let Some(memo) = self.memo.get_mut(id.index()) {
            *memo = 0;
        }
        let Self { entries, known, .. } = self;
        known.insert_unique(hashed, id, |id| entries.get(id.index()).map_or(0, |entry| hash(&entry.gate)));
        id
    }

    /// Gives back one use of a gate; one that nobody uses goes, with what only it used.
    pub(crate) fn release(&mut self, id: GateId, trie: &mut Trie) {
        let Some(entry) = self.entries.get_mut(id.index()) else { return };
        entry.users = entry.users.saturating_sub(1);
        if entry.users > 0 || id == GateId::TRUE {
            return;
        }
        let hashed = hash(&entry.gate);
        let gate = std::mem::replace(&mut entry.gate, Gate::Unknown);
        if let Ok(known) = self.known.find_entry(hashed, |other| *other == id) {
            known.remove();
        }
        self.free.push(id);
        self.release_parts(gate, trie);
    }

    fn release_parts(&mut self, gate: Gate, trie: &mut Trie) {
        match gate {
            Gate::Constant(_) | Gate::Unknown => {}
            Gate::Test(path, _) => trie.release(path),
            Gate::Not(inner) => self.release(inner, trie),
            Gate::And(parts) | Gate::Or(parts) => parts.into_iter().for_each(|part| self.release(part, trie)),
            Gate::Choose(condition, then, otherwise) => {
                for part in [condition, then, otherwise] {
                    self.release(part, trie);
                }
            }
            Gate::Opaque(opaque) => {
                opaque.paths.iter().for_each(|path| trie.release(*path));
                if let Some(hint) = opaque.hint {
                    trie.release(hint.path);
                    self.release(hint.gate, trie);
                }
            }
        }
    }

    /// Forgets the answers for the event before.
    pub(crate) fn begin(&mut self) {
        if self.epoch >= u32::MAX >> 2 {
            self.memo.fill(0);
            self.epoch = 0;
        }
        self.epoch += 1;
    }

    /// The answer of a gate for an event. Without steps left it is an error, which is not remembered.
    #[inline]
    pub(crate) fn answer(&mut self, id: GateId, moment: &Moment<'_>, run: &mut Run) -> Tri {
        answer(&self.entries, &mut self.memo, self.epoch, id, moment, run)
    }

    /// Why a gate is an error for an event, in words.
    pub(crate) fn reason(&mut self, id: GateId, moment: &Moment<'_>, run: &mut Run) -> String {
        let mut id = id;
        loop {
            let parts: &[GateId] = match self.entries.get(id.index()).map(|entry| &entry.gate) {
                Some(Gate::Test(path, test)) => return test_reason(*path, test, moment),
                Some(Gate::Opaque(opaque)) => return opaque::reason(opaque, moment, run),
                Some(Gate::Not(inner)) => std::slice::from_ref(inner),
                Some(Gate::And(parts) | Gate::Or(parts)) => parts,
                Some(Gate::Choose(condition, then, otherwise)) => &[*condition, *then, *otherwise],
                _ => return "not a condition".to_owned(),
            };
            let failed = parts.iter().copied().find(|part| {
                answer(&self.entries, &mut self.memo, self.epoch, *part, moment, run) == Tri::Error
            });
            match failed {
                Some(part) => id = part,
                None => return "too much work".to_owned(),
            }
        }
    }

    /// The number of gates.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        let inner: usize = self
            .entries
            .iter()
            .map(|entry| match &entry.gate {
                Gate::Test(_, test) => test.heap_size(),
                Gate::And(parts) | Gate::Or(parts) => size_of_val(&**parts),
                Gate::Opaque(opaque) => opaque.heap_size(),
                _ => 0,
            })
            .sum();
        self.entries.capacity() * size_of::<Entry>()
            + self.memo.capacity() * 4
            + self.free.capacity() * 4
            + self.known.allocation_size()
            + inner
    }
}

fn answer(
    entries: &[Entry],
    memo: &mut [u32],
    epoch: u32,
    id: GateId,
    moment: &Moment<'_>,
    run: &mut Run,
) -> Tri {
    let Some(entry) = entries.get(id.index()) else { return Tri::Error };
    let shared = entry.users > 1;
    if shared
        && let Some(known) = memo.get(id.index())
        && known >> 2 == epoch
    {
        return match known & 3 {
            0 => Tri::False,
            1 => Tri::True,
            _ => Tri::Error,
        };
    }
    if !run.spend(1) {
        return Tri::Error;
    }
    let exhausted = run.exhausted;
    let answer = match &entry.gate {
        Gate::Test(path, test) => {
            if let (Test::Contains(_), Raw::Plain(start, end) | Raw::Decoded(start, end)) =
                (test, moment.raw(*path))
                && !run.spend((end - start) / 64)
            {
                return Tri::Error;
            }
            test.answer(*path, moment)
        }
        Gate::Constant(value) => (*value).into(),
        Gate::Not(inner) => self::answer(entries, memo, epoch, *inner, moment, run).not(),
        Gate::And(parts) => junction(parts, Tri::False, entries, memo, epoch, moment, run),
        Gate::Or(parts) => junction(parts, Tri::True, entries, memo, epoch, moment, run),
        Gate::Choose(condition, then, otherwise) => {
            match self::answer(entries, memo, epoch, *condition, moment, run) {
                Tri::True => self::answer(entries, memo, epoch, *then, moment, run),
                Tri::False => self::answer(entries, memo, epoch, *otherwise, moment, run),
                Tri::Error => Tri::Error,
            }
        }
        Gate::Opaque(opaque) => opaque::answer(opaque, moment, run),
        Gate::Unknown => Tri::Error,
    };
    // An error for want of steps is not the gate's.
    if shared
        && run.exhausted == exhausted
        && let Some(known) = memo.get_mut(id.index())
    {
        *known = epoch << 2 | answer as u32;
    }
    answer
}

/// `&&` (`decisive` false) or `||` (`decisive` true): a decisive part decides whatever the others are, else an error does.
#[inline]
fn junction(
    parts: &[GateId],
    decisive: Tri,
    entries: &[Entry],
    memo: &mut [u32],
    epoch: u32,
    moment: &Moment<'_>,
    run: &mut Run,
) -> Tri {
    let mut failed = false;
    for part in parts {
        let answer = answer(entries, memo, epoch, *part, moment, run);
        if answer == decisive {
            return decisive;
        }
        failed |= answer == Tri::Error;
    }
    if failed { Tri::Error } else { decisive.not() }
}

fn test_reason(path: NodeId, test: &Test, moment: &Moment<'_>) -> String {
    let name = moment.name(path);
    match moment.raw(path) {
        Raw::Absent => moment.absence(path),
        Raw::Overflow => format!("{name} is a number too large for a double"),
        Raw::Timestamp(_) | Raw::Map | Raw::Array(..) | Raw::Object(..) | Raw::Null => test_kind(&name, test),
        _ => test_kind(&name, test),
    }
}

fn test_kind(name: &str, test: &Test) -> String {
    match test {
        Test::Prefix(_) | Test::Suffix(_) | Test::Contains(_) => format!("{name} is not a string"),
        Test::Truth => format!("{name} is not a bool"),
        _ => format!("{name} has no order with the constant that it is compared to"),
    }
}
