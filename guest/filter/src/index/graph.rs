//! All gates of a table.

use super::blocks::Blocks;
use super::chain::Chain;
use super::event_view::EventView;
use super::excerpt::ExcerptBuffer;
use super::gate::{Gate, GateId, Opaque, Shortcut};
use super::hash::{self, long};
use super::opaque;
use super::test::{Test, Truth};
use crate::ir::{Code, NodeId, PathId, Program};
use crate::json::{self, Raw, Trie};
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};
use std::sync::Arc;

#[derive(Debug)]
struct Entry {
    gate: Gate,
    /// Gates and rules that use it.
    users: u32,
    /// The gate's hash.
    hash: u32,
}

/// Gates by what they are: the same condition is there once, however many expressions hold it, and is answered once an event.
#[derive(Debug)]
pub(crate) struct Graph {
    entries: Blocks<Entry>,
    free: Vec<GateId>,
    known: HashTable<GateId>,
    /// For each gate the event that it was answered for and the answer.
    memo: Vec<u32>,
    epoch: u32,
    /// Shared gates that this event's rules could not answer with so many steps: who has no more need not try.
    too_long: HashMap<GateId, u32, FixedState>,
    /// Shorter ways to the answers of opaque gates.
    chains: Blocks<Chain>,
    free_chains: Vec<Shortcut>,
    /// The code of all opaque gates, each once.
    codes: HashTable<Arc<Code>>,
    scrap: ExcerptBuffer,
}

/// The work that one rule, or all rules that cannot take long, may still cause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Steps left.
    pub(crate) left: u32,
    /// The first gate that could not be answered for want of steps.
    pub(crate) stopped_at: Option<GateId>,
}

impl Run {
    /// A run of so many steps.
    pub(crate) const fn new(steps: u32) -> Self {
        Self { left: steps, stopped_at: None }
    }

    /// Takes steps for a gate, if so many are left.
    #[inline(always)]
    fn spend(&mut self, steps: u32, gate: GateId) -> bool {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.stop(gate);
                false
            }
        }
    }

    /// No steps are left for a gate.
    pub(super) fn stop(&mut self, gate: GateId) {
        self.left = 0;
        self.stopped_at = self.stopped_at.or(Some(gate));
    }
}

impl Default for Graph {
    fn default() -> Self {
        let mut graph = Self {
            entries: Blocks::default(),
            free: Vec::new(),
            known: HashTable::new(),
            memo: Vec::new(),
            epoch: 0,
            too_long: HashMap::default(),
            chains: Blocks::default(),
            free_chains: Vec::new(),
            codes: HashTable::new(),
            scrap: ExcerptBuffer::default(),
        };
        // GateId::TRUE
        let always = Gate::Constant(true);
        let hash = hash::of_gate(&always);
        graph.insert(always, hash);
        graph
    }
}

impl Graph {
    pub(crate) fn gate(&self, id: GateId) -> &Gate {
        self.entries.get(id.index()).map_or(&Gate::Unknown, |entry| &entry.gate)
    }

    /// Whether asking a gate can take long: it holds something opaque, or searches a string.
    pub(crate) fn is_heavy(&self, id: GateId) -> bool {
        match self.gate(id) {
            Gate::Constant(_) | Gate::Unknown => false,
            Gate::Test(_, test) => test.searches(),
            Gate::Not(inner) => self.is_heavy(*inner),
            Gate::And(parts) | Gate::Or(parts) => parts.iter().any(|part| self.is_heavy(*part)),
            Gate::Choose(condition, then, otherwise) => {
                [condition, then, otherwise].into_iter().any(|part| self.is_heavy(*part))
            }
            Gate::Opaque(..) => true,
        }
    }

    /// Takes one more use of a gate.
    pub(crate) fn hold(&mut self, id: GateId) {
        if let Some(entry) = self.entries.get_mut(id.index()) {
            entry.users += 1;
        }
    }

    /// The id of a gate. The gate given holds one use of each gate and path in it, and the caller gets one of the id.
    pub(crate) fn intern(&mut self, gate: Gate, trie: &mut Trie) -> GateId {
        let hash = hash::of_gate(&gate);
        let found = self.known.find(long(hash), |id| self.gate(*id) == &gate).copied();
        if let Some(id) = found {
            self.hold(id);
            self.release_parts(gate, trie);
            return id;
        }
        self.insert(gate, hash)
    }

    fn insert(&mut self, mut gate: Gate, hash: u32) -> GateId {
        if let Gate::Opaque(shortcut, opaque) = &mut gate {
            *shortcut = self.shortcut(&opaque.program);
        }
        let entry = Entry { gate, users: 1, hash };
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
        known.insert_unique(long(hash), id, |id| entries.get(id.index()).map_or(0, |entry| long(entry.hash)));
        id
    }

    /// The part of a program below a node; `path` renames its paths.
    pub(super) fn excerpt(
        &mut self,
        program: &Program,
        node: NodeId,
        path: impl FnMut(PathId) -> PathId,
    ) -> Program {
        let Self { codes, scrap, .. } = self;
        scrap.cut(program, node, path);
        let ExcerptBuffer { nodes, children, comprehensions, .. } = &*scrap;
        let hash = hash::of_code(nodes, children, comprehensions);
        let same = |code: &Arc<Code>| {
            *code.nodes == **nodes && *code.children == **children && *code.comprehensions == **comprehensions
        };
        let code = match codes.find(hash, same) {
            Some(code) => Arc::clone(code),
            None => {
                let code = Arc::new(Code {
                    nodes: nodes.as_slice().into(),
                    children: children.as_slice().into(),
                    comprehensions: comprehensions.as_slice().into(),
                });
                let rehash =
                    |code: &Arc<Code>| hash::of_code(&code.nodes, &code.children, &code.comprehensions);
                codes.insert_unique(hash, Arc::clone(&code), rehash);
                code
            }
        };
        scrap.program(code)
    }

    /// Lets go of a code; one that nobody else has goes.
    fn release_code(&mut self, code: Arc<Code>) {
        // One is this, one is the graph's.
        if Arc::strong_count(&code) == 2 {
            let hash = hash::of_code(&code.nodes, &code.children, &code.comprehensions);
            if let Ok(entry) = self.codes.find_entry(hash, |known| Arc::ptr_eq(known, &code)) {
                entry.remove();
            }
        }
    }

    fn shortcut(&mut self, program: &Program) -> Shortcut {
        let Some(chain) = Chain::new(program) else { return Shortcut::NONE };
        match self.free_chains.pop() {
            Some(shortcut) => {
                if let Some(place) = self.chains.get_mut(shortcut.0 as usize) {
                    *place = chain;
                }
                shortcut
            }
            None => {
                self.chains.push(chain);
                Shortcut(u32::try_from(self.chains.len() - 1).unwrap_or(u32::MAX))
            }
        }
    }

    /// Gives back one use of a gate; one that nobody uses goes, with what only it used.
    pub(crate) fn release(&mut self, id: GateId, trie: &mut Trie) {
        let Some(entry) = self.entries.get_mut(id.index()) else { return };
        entry.users = entry.users.saturating_sub(1);
        if entry.users > 0 || id == GateId::TRUE {
            return;
        }
        let hash = entry.hash;
        let gate = std::mem::replace(&mut entry.gate, Gate::Unknown);
        if let Ok(known) = self.known.find_entry(long(hash), |other| *other == id) {
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
            Gate::Opaque(shortcut, opaque) => {
                if shortcut.0 != Shortcut::NONE.0 {
                    self.free_chains.push(shortcut);
                }
                opaque.paths().for_each(|path| trie.release(path));
                self.release_code(opaque.program.code);
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
        if !self.too_long.is_empty() {
            self.too_long.clear();
        }
    }

    /// The answer of a gate for an event. What lacks steps for it is an error, which is not remembered, and stops the run.
    #[inline]
    pub(crate) fn answer(&mut self, id: GateId, view: &EventView<'_>, run: &mut Run) -> Truth {
        let Self { entries, chains, memo, epoch, too_long, .. } = self;
        Inquiry { entries, chains, memo, epoch: *epoch, too_long, view, run }.answer(id)
    }

    /// The answer of a gate that can take long, if there is a short way to it for this event.
    #[inline(always)]
    pub(crate) fn quick(&self, id: GateId, view: &EventView<'_>, run: &mut Run) -> Option<bool> {
        let Gate::Opaque(shortcut, _) = self.gate(id) else { return None };
        let chain = self.chains.get(shortcut.0 as usize)?;
        if run.spend(1, id) { chain.answer(view) } else { None }
    }

    /// Why a gate is an error for an event, in words.
    pub(crate) fn reason(&mut self, id: GateId, view: &EventView<'_>, run: &mut Run) -> String {
        let mut id = id;
        let Self { entries, chains, memo, epoch, too_long, .. } = self;
        loop {
            let parts: &[GateId] = match entries.get(id.index()).map(|entry| &entry.gate) {
                Some(Gate::Test(path, test)) => return test_reason(*path, test, view),
                Some(Gate::Opaque(_, opaque)) => return opaque::reason(opaque, view, run.left),
                Some(Gate::Not(inner)) => std::slice::from_ref(inner),
                Some(Gate::And(parts) | Gate::Or(parts)) => parts,
                Some(Gate::Choose(condition, then, otherwise)) => &[*condition, *then, *otherwise],
                _ => return "not a condition".to_owned(),
            };
            let mut inquiry = Inquiry { entries, chains, memo, epoch: *epoch, too_long, view, run };
            let failed = parts.iter().copied().find(|part| inquiry.answer(*part) == Truth::Error);
            match failed {
                Some(part) => id = part,
                None => return "too much work".to_owned(),
            }
        }
    }

    /// The number of gates and of codes.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len() + self.codes.len()
    }

    /// Bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        let inner: usize = self
            .entries
            .iter()
            .map(|entry| match &entry.gate {
                Gate::Test(_, test) => test.heap_size(),
                Gate::And(parts) | Gate::Or(parts) => size_of_val(&**parts),
                Gate::Opaque(_, opaque) => opaque.heap_size(),
                _ => 0,
            })
            .sum();
        let codes: usize = self.codes.iter().map(|code| size_of::<Code>() + 8 + code.heap_size()).sum();
        self.entries.heap_size()
            + self.memo.capacity() * 4
            + self.free.capacity() * 4
            + self.known.allocation_size()
            + self.chains.heap_size()
            + self.codes.allocation_size()
            + codes
            + self.free_chains.capacity() * 4
            + inner
    }
}

/// Gates asked about one event.
struct Inquiry<'g, 'r, 'e> {
    entries: &'g Blocks<Entry>,
    chains: &'g Blocks<Chain>,
    memo: &'g mut [u32],
    epoch: u32,
    too_long: &'g mut HashMap<GateId, u32, FixedState>,
    view: &'r EventView<'e>,
    run: &'r mut Run,
}

impl Inquiry<'_, '_, '_> {
    fn answer(&mut self, id: GateId) -> Truth {
        let Some(entry) = self.entries.get(id.index()) else { return Truth::Error };
        let shared = entry.users > 1;
        if shared
            && let Some(known) = self.memo.get(id.index())
            && known >> 2 == self.epoch
        {
            return match known & 3 {
                0 => Truth::False,
                1 => Truth::True,
                _ => Truth::Error,
            };
        }
        if !self.run.spend(1, id) {
            return Truth::Error;
        }
        let stopped_at = self.run.stopped_at;
        let answer = match &entry.gate {
            Gate::Test(path, test) => self.test(*path, test, id),
            Gate::Constant(value) => (*value).into(),
            Gate::Not(inner) => self.answer(*inner).not(),
            Gate::And(parts) => self.junction(parts, Truth::False),
            Gate::Or(parts) => self.junction(parts, Truth::True),
            Gate::Choose(condition, then, otherwise) => match self.answer(*condition) {
                Truth::True => self.answer(*then),
                Truth::False => self.answer(*otherwise),
                Truth::Error => Truth::Error,
            },
            Gate::Opaque(shortcut, opaque) => {
                let chain = self.chains.get(shortcut.0 as usize);
                match chain.and_then(|chain| chain.answer(self.view)) {
                    Some(answer) => answer.into(),
                    None => self.evaluate(opaque, id, shared),
                }
            }
            Gate::Unknown => Truth::Error,
        };
        // An error for want of steps is not the gate's.
        if shared
            && self.run.stopped_at == stopped_at
            && let Some(known) = self.memo.get_mut(id.index())
        {
            *known = self.epoch << 2 | answer as u32;
        }
        answer
    }

    /// What only the evaluator can answer. Rules that share it pay for it once, and those with no more steps than others had
    /// in vain do not try it again.
    fn evaluate(&mut self, opaque: &Opaque, id: GateId, shared: bool) -> Truth {
        let steps = self.run.left;
        if shared && self.too_long.get(&id).is_some_and(|vain| steps <= *vain) {
            self.run.stop(id);
            return Truth::Error;
        }
        let (answer, left) = opaque::answer(opaque, self.view, steps);
        self.run.left = left;
        answer.unwrap_or_else(|| {
            self.run.stop(id);
            if shared {
                self.too_long.insert(id, steps);
            }
            Truth::Error
        })
    }

    #[inline]
    fn test(&mut self, path: json::NodeId, test: &Test, id: GateId) -> Truth {
        if let (Test::Contains(_), Raw::Plain(start, end) | Raw::Decoded(start, end)) =
            (test, self.view.raw(path))
            && !self.run.spend((end - start) / 64, id)
        {
            return Truth::Error;
        }
        test.answer(path, self.view)
    }

    /// `&&` (`decisive` false) or `||` (`decisive` true): a decisive part decides whatever the others are, else an error does.
    #[inline]
    fn junction(&mut self, parts: &[GateId], decisive: Truth) -> Truth {
        let mut failed = false;
        for part in parts {
            let answer = self.answer(*part);
            if answer == decisive {
                return decisive;
            }
            failed |= answer == Truth::Error;
        }
        if failed { Truth::Error } else { decisive.not() }
    }
}

fn test_reason(path: json::NodeId, test: &Test, view: &EventView<'_>) -> String {
    let name = view.name(path);
    match view.raw(path) {
        Raw::Absent => view.absence(path),
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
