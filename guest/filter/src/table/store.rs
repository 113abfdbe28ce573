//! The table.

use super::reading::Reading;
use super::{Class, EventInput, Matches, Pointer};
use crate::index::{self, ByKey, Elements, GateId, Key, Place, Roots, Rules, Scalar, Witness};
use crate::json::{Extractor, JsonError, NodeId, Slots, Step, index, unescaped};
use crate::{Expression, Limits};

/// The caller's number for an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleKey(pub u32);

/// How much work one event may cause in the evaluator, over all expressions, in steps of some ten nanoseconds each. They are
/// shared fairly: see [`Reading::evaluate`].
pub(crate) const EVENT_STEPS: u32 = 2_000_000;
/// How many steps each expression gets however many there are: a hundred thousand of them are answered well within a decision's
/// deadline.
pub(crate) const LEAST_STEPS: u32 = 100;
/// How many more steps may go into evaluations that are begun anew with what others left over.
pub(crate) const RETRY_STEPS: u32 = 2 * EVENT_STEPS;
/// How many lookups in the index one event may cause.
const LOOKUPS: u32 = 10_000_000;
/// How much work of the evaluator one expression may cause.
pub(crate) const EXPRESSION_STEPS: u32 = Limits::FILTER.steps;

/// Many expressions, filed so that the work for one event grows with the number of those that might be true, not with the
/// number that there are.
///
/// Adding and removing one expression costs what that expression is long. An event sees the table as it is between two changes.
#[derive(Debug)]
pub struct Table {
    pub(super) rules: Rules,
    pub(super) roots: Roots,
    pub(super) slots: Slots,
    pub(super) elements: Elements,
    pub(super) extractor: Extractor,
    pub(super) epoch: u32,
    pub(super) open: Vec<index::LevelId>,
    pub(super) found: Vec<u32>,
    pub(super) missed: Vec<u32>,
    /// How many lookups one event may cause.
    pub(super) lookups: u32,
    pub(super) by_key: ByKey,
    /// Kept from event to event, see [`Probe`](index::Probe).
    pub(super) wanted: Vec<usize>,
}

impl Default for Table {
    fn default() -> Self {
        let mut rules = Rules::default();
        let roots = Roots::new(&mut rules.trie);
        Self {
            rules,
            roots,
            slots: Slots::default(),
            elements: Elements::default(),
            extractor: Extractor::default(),
            epoch: 0,
            open: Vec::new(),
            found: Vec::new(),
            missed: Vec::new(),
            lookups: LOOKUPS,
            by_key: ByKey::default(),
            wanted: Vec::new(),
        }
    }
}

impl Table {
    /// A table without expressions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A table that files nothing and holds every event against every expression: slow, and the measure of what is right.
    #[must_use]
    pub fn without_index() -> Self {
        let mut table = Self::default();
        table.rules.scans = true;
        table
    }

    /// Adds an expression, in place of the one that the key had before. With `sources` only events of these sources can make
    /// it true.
    pub fn insert(&mut self, key: RuleKey, expression: &Expression, sources: Option<&[&str]>) {
        self.remove(key);
        let gate = self.gate(expression, sources);
        let rule = self.rules.insert(key.0, gate);
        self.by_key.insert(key.0, rule);
    }

    /// What is to be asked of an event for an expression to be true; it comes with one use.
    pub(super) fn gate(&mut self, expression: &Expression, sources: Option<&[&str]>) -> GateId {
        let Rules { graph, trie, .. } = &mut self.rules;
        let gate = index::Lowering {
            program: expression.program(),
            paths: expression.paths(),
            graph,
            trie,
            roots: &self.roots,
        }
        .whole();
        match sources {
            None => gate,
            Some(sources) => index::within(graph, trie, &self.roots, gate, sources),
        }
    }

    /// Removes an expression; whether there was one.
    pub fn remove(&mut self, key: RuleKey) -> bool {
        let Some(rule) = self.by_key.remove(&key.0) else { return false };
        self.rules.remove(rule);
        true
    }

    /// The number of expressions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there is no expression.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// How an expression is found; `None` if there is none under the key. It can change as others come and go.
    #[must_use]
    pub fn class(&self, key: RuleKey) -> Option<Class> {
        if self.rules.levels.packed.is_some() {
            return None;
        }
        let rule = *self.by_key.get(&key.0)?;
        Some(match self.rules.place(rule) {
            Place::Never => Class::Never,
            Place::Scan => Class::Scanned,
            Place::Keys(ways) if ways.iter().any(|way| way.iter().all(|key| self.is_always_there(key))) => {
                Class::Scanned
            }
            Place::Keys(ways) => {
                let way = |keys: &Vec<Key>| {
                    let keys: Vec<String> = keys.iter().rev().map(|key| self.condition(key)).collect();
                    keys.join(" && ")
                };
                // Homes are filled from the last key to the first.
                Class::Indexed(ways.iter().rev().map(way).collect())
            }
        })
    }

    /// Whether only events with a body that is read as JSON can make an expression true. False where that is not known.
    #[must_use]
    pub fn needs_message(&self, key: RuleKey) -> bool {
        let Some(id) = self.by_key.get(&key.0) else { return false };
        let trie = &self.rules.trie;
        let is_in_message = |path: NodeId| {
            let mut node = path;
            while trie.parent(node) != NodeId::NONE {
                node = trie.parent(node);
            }
            node == self.roots.message
        };
        // What a key proves is asked no more.
        let by_key = match self.rules.place(*id) {
            Place::Keys(ways) => ways.iter().all(|way| way.iter().any(|key| is_in_message(key.path))),
            Place::Never | Place::Scan => false,
        };
        let rest = self.rules.get(*id).map(|rule| rule.rest);
        by_key || rest.is_some_and(|rest| !index::is_possible(&self.rules.graph, rest, true, &is_in_message))
    }

    /// Whether every event, or every one whose body is JSON, has a key.
    fn is_always_there(&self, key: &Key) -> bool {
        if !matches!(key.witness, Witness::Present | Witness::Object) {
            return false;
        }
        let trie = &self.rules.trie;
        let attribute = matches!(trie.step(key.path), Some("id" | "source" | "type" | "time" | "extensions"));
        let parent = trie.parent(key.path);
        parent == NodeId::NONE || (attribute && parent == self.roots.event)
    }

    fn condition(&self, key: &Key) -> String {
        let path = index::name(&self.rules.trie, &self.roots, key.path);
        let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
        match &key.witness {
            Witness::Present => format!("{path} is there"),
            Witness::Object => format!("{path} is a map"),
            Witness::Equal(scalar) => match scalar {
                Scalar::Null => format!("{path} == null"),
                Scalar::Bool(value) => format!("{path} == {value}"),
                Scalar::Int(value) => format!("{path} == {value}"),
                Scalar::Uint(value) => format!("{path} == {value}u"),
                Scalar::Double(bits) => format!("{path} == {:?}", f64::from_bits(*bits)),
                Scalar::Text(value) => format!("{path} == {value:?}"),
            },
            Witness::AtLeast(_) => format!("{path} has a lower bound"),
            Witness::AtMost(_) => format!("{path} has an upper bound"),
            Witness::Cell(..) => format!("{path} has two bounds"),
            Witness::Prefix(part) => format!("{path}.startsWith({:?})", text(part)),
            Witness::Suffix(part) => format!("{path}.endsWith({:?})", text(part)),
            Witness::Gram(part) => format!("{path}.contains({:?})", text(part)),
        }
    }

    /// Names a value of the body, by JSON pointer (RFC 6901), to be had from [`Reading::find`], so that the body is read only
    /// once. It stays named until [`Table::forget`].
    pub fn pointer(&mut self, pointer: &str) -> Pointer {
        let mut node = self.roots.message;
        self.rules.trie.hold(node);
        let mut rest = pointer;
        while let Some(steps) = rest.strip_prefix('/') {
            let end = steps.find('/').unwrap_or(steps.len());
            let (step, after) = steps.split_at(end);
            // What an array has, or an object under the name of a number, is looked for in its text.
            if index(step).is_some() {
                break;
            }
            let next = self.rules.trie.acquire(node, &Step::Key(&unescaped(step)));
            self.rules.trie.release(node);
            node = next;
            rest = after;
        }
        Pointer { node, inner: rest.into() }
    }

    /// Gives back a name that [`Table::pointer`] of this table gave.
    pub fn forget(&mut self, pointer: Pointer) {
        self.rules.trie.release(pointer.node);
    }

    /// Whether any expression looks at `headers`: without one [`EventInput::headers`] may be left empty.
    #[must_use]
    pub fn reads_headers(&self) -> bool {
        self.rules.trie.is_used(self.roots.headers)
    }

    /// Reads an event's body: the JSON text, or `None` if it is not JSON by its media type.
    pub fn read<'t, 'b>(&'t mut self, body: Option<&'b [u8]>) -> Reading<'t, 'b> {
        self.slots.begin(self.rules.trie.capacity());
        let Self { rules, roots, slots, extractor, .. } = self;
        let (text, error) = match body.map(|body| extractor.read(body, &rules.trie, roots.message, slots)) {
            None => (None, None),
            Some(Ok(text)) => (Some(text), None),
            Some(Err(error)) => {
                slots.begin(rules.trie.capacity());
                (None, Some(error))
            }
        };
        Reading { table: self, text, error }
    }

    /// Which expressions an event makes true. A body that is not JSON though it should be leaves `message` without a value,
    /// and is told.
    pub fn evaluate(
        &mut self,
        input: &EventInput<'_>,
        body: Option<&[u8]>,
        matches: &mut Matches,
    ) -> Option<JsonError> {
        let mut reading = self.read(body);
        reading.evaluate(input, matches);
        reading.error()
    }

    /// Bytes on the heap: expressions, index and what is kept from event to event.
    #[must_use]
    pub fn heap_size(&self) -> usize {
        self.rules.heap_size() + self.by_key.allocation_size() + self.slots.heap_size()
    }

    /// The number of paths, of gates with codes, of levels and of rules.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> [usize; 4] {
        let rules = &self.rules;
        [rules.trie.len(), rules.graph.len(), rules.levels.len(), rules.len()]
    }
}
