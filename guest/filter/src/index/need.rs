//! What an event must have for a gate to be true.

use super::gate::{Gate, GateId};
use super::graph::Graph;
use super::key::{Clue, Key, Witness, affix_length};
use super::level::{LevelId, Levels};
use super::order::{cells, place};
use super::scalar::BorrowedScalar;
use super::small_list::SmallList;
use super::strict::strict_paths;
use super::test::Test;
use crate::ir::Comparison;
use crate::json::{NodeId, Trie};

/// More keys than this make no useful witness.
const KEY_LIMIT: usize = 64;

/// What an event must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need<'g> {
    /// Nothing helps: the gate is never true.
    Never,
    /// One of these.
    Keys(Keys<'g>),
    /// Nothing that is known.
    Always,
}

/// Keys of which an event must have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys<'g> {
    keys: SmallList<Key<Clue<'g>>>,
    /// How much work filing under them is expected to cost an event, in rules looked at in vain.
    cost: u32,
    /// Whether having one of them is enough for the gate to be true.
    exact: bool,
}

/// How to file a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placement<'g> {
    /// Nowhere: it is never true.
    Never,
    /// Under these keys. An event that has one of them makes part number `proven` of the rule's conjunction true, or the whole
    /// if there is only one.
    Under { keys: SmallList<Key<Clue<'g>>>, proven: Option<Option<usize>> },
    /// Among those that every event is held against.
    Scan,
}

/// Derives needs for filing in one level.
pub(crate) struct Needs<'g, 'i> {
    pub(crate) graph: &'g Graph,
    pub(crate) trie: &'i Trie,
    pub(crate) levels: &'i Levels,
    pub(crate) level: LevelId,
    /// The keys of the level and of those above it: filing under them again tells nothing new.
    pub(crate) used: Vec<&'i Key>,
}

impl<'g> Needs<'g, '_> {
    /// How to file a rule whose gate this is.
    pub(crate) fn filing(&self, gate: GateId) -> Placement<'g> {
        let (need, part) = match self.graph.gate(gate) {
            Gate::And(parts) => {
                let mut best = (self.between(parts), None);
                for (number, part) in parts.iter().enumerate() {
                    let need = self.need(*part, true);
                    if cost(&need) < cost(&best.0) {
                        best = (need, Some(number));
                    }
                }
                (best.0, best.1.map(Some))
            }
            _ => (self.need(gate, true), Some(None)),
        };
        match need {
            Need::Never => Placement::Never,
            Need::Always => Placement::Scan,
            Need::Keys(keys) => Placement::Under { proven: part.filter(|_| keys.exact), keys: keys.keys },
        }
    }

    /// What an event must have for a gate to be true, or (`truth` false) to be false.
    fn need(&self, gate: GateId, truth: bool) -> Need<'g> {
        match self.graph.gate(gate) {
            Gate::Constant(value) if *value == truth => Need::Always,
            Gate::Constant(_) => Need::Never,
            Gate::Test(path, test) => self.test(*path, test, truth),
            Gate::Not(inner) => self.need(*inner, !truth),
            Gate::And(parts) if truth => {
                let best =
                    parts.iter().map(|part| self.need(*part, true)).min_by_key(cost).unwrap_or(Need::Always);
                inexact(cheaper(self.between(parts), best))
            }
            Gate::Or(parts) if !truth => {
                let best = parts.iter().map(|part| self.need(*part, false)).min_by_key(cost);
                inexact(best.unwrap_or(Need::Always))
            }
            Gate::And(parts) | Gate::Or(parts) => {
                parts.iter().map(|part| self.need(*part, truth)).fold(Need::Never, either)
            }
            Gate::Choose(condition, then, otherwise) => inexact(either(
                cheaper(self.need(*condition, true), self.need(*then, truth)),
                cheaper(self.need(*condition, false), self.need(*otherwise, truth)),
            )),
            Gate::Opaque(_, opaque) => {
                let mut best = Need::Always;
                strict_paths(&opaque.program, &mut |path| {
                    let strict = self.key(path.into(), Witness::Present);
                    best = cheaper(std::mem::replace(&mut best, Need::Always), strict);
                });
                let hinted = match opaque.hint {
                    Some(hint) if truth => {
                        either(self.need(hint.gate, true), self.key(hint.path, Witness::Object))
                    }
                    _ => Need::Always,
                };
                inexact(cheaper(hinted, best))
            }
            Gate::Unknown => Need::Always,
        }
    }

    fn test(&self, path: NodeId, test: &'g Test, truth: bool) -> Need<'g> {
        let present = || inexact(self.key(path, Witness::Present));
        match test {
            Test::Compare(relation, constant) => {
                let relation = if truth { *relation } else { relation.opposite() };
                match (relation, place(constant.seen())) {
                    (Comparison::Equal, _) => self.equal(path, constant.seen()),
                    (Comparison::Less | Comparison::LessOrEqual, Some(place)) => {
                        inexact(self.key(path, Witness::AtMost(place)))
                    }
                    (Comparison::Greater | Comparison::GreaterOrEqual, Some(place)) => {
                        inexact(self.key(path, Witness::AtLeast(place)))
                    }
                    _ => present(),
                }
            }
            Test::In(constants) if truth => {
                constants.iter().map(|constant| self.equal(path, constant.seen())).fold(Need::Never, either)
            }
            Test::Prefix(text) if truth && !text.is_empty() => {
                let part = text.as_bytes().get(..affix_length(text.len())).unwrap_or_default();
                self.affix(path, Witness::Prefix(part), part.len() == text.len())
            }
            Test::Suffix(text) if truth && !text.is_empty() => {
                let start = text.len() - affix_length(text.len());
                let part = text.as_bytes().get(start..).unwrap_or_default();
                self.affix(path, Witness::Suffix(part), start == 0)
            }
            Test::Contains(text) if truth => {
                let grams = text.as_bytes().windows(4).filter_map(|gram| gram.first_chunk::<4>());
                let best = grams.map(|gram| self.key(path, Witness::Gram(*gram))).min_by_key(cost);
                inexact(cheaper(best.unwrap_or(Need::Always), present()))
            }
            Test::Has if truth => self.key(path, Witness::Present),
            Test::Has => inexact(self.key(self.trie.parent(path), Witness::Present)),
            Test::Truth => self.equal(path, BorrowedScalar::Bool(truth)),
            _ => present(),
        }
    }

    fn affix(&self, path: NodeId, witness: Clue<'g>, whole: bool) -> Need<'g> {
        let need = self.key(path, witness);
        if whole { need } else { inexact(need) }
    }

    fn equal(&self, path: NodeId, constant: BorrowedScalar<'g>) -> Need<'g> {
        match constant.canonical() {
            Some(constant) => self.key(path, Witness::Equal(constant)),
            None => Need::Never,
        }
    }

    /// A range with two ends from a conjunction's comparisons of one path.
    fn between(&self, parts: &[GateId]) -> Need<'g> {
        let bounds = parts.iter().filter_map(|part| {
            let Gate::Test(path, Test::Compare(relation, constant)) = self.graph.gate(*part) else {
                return None;
            };
            let place = place(constant.seen())?;
            match relation {
                Comparison::Less | Comparison::LessOrEqual => Some((*path, 0, place)),
                Comparison::Greater | Comparison::GreaterOrEqual => Some((*path, place, u64::MAX)),
                Comparison::Equal | Comparison::NotEqual => None,
            }
        });
        let mut ranges: Vec<(NodeId, u64, u64)> = Vec::new();
        for (path, low, high) in bounds {
            match ranges.iter_mut().find(|range| range.0 == path) {
                Some(range) => *range = (path, range.1.max(low), range.2.min(high)),
                None => ranges.push((path, low, high)),
            }
        }
        let needs = ranges.into_iter().filter(|(_, low, high)| *low != 0 && *high != u64::MAX).map(
            |(path, low, high)| {
                if low > high {
                    return Need::Never;
                }
                let [first, second] =
                    cells(low, high).map(|(size, cell)| self.key(path, Witness::Cell(size, cell)));
                inexact(if first == second { first } else { either(first, second) })
            },
        );
        needs.min_by_key(cost).unwrap_or(Need::Always)
    }

    /// The need of one key, unless the level's own keys imply it.
    fn key(&self, path: NodeId, witness: Clue<'g>) -> Need<'g> {
        let key = Key { path, witness };
        let implied = self.used.iter().any(|used| {
            used.path == path
                && (used.clue().witness == key.witness
                    || key.witness == Witness::Present
                    || (used.witness.is_range() && key.witness.is_range()))
        });
        if implied || path == NodeId::NONE {
            return Need::Always;
        }
        let cost = self.levels.cost(self.level, &key);
        Need::Keys(Keys { keys: SmallList::One(key), cost, exact: true })
    }
}

const fn cost(need: &Need<'_>) -> u32 {
    match need {
        Need::Never => 0,
        Need::Keys(keys) => keys.cost,
        Need::Always => u32::MAX,
    }
}

/// Both are needed: the cheaper of them will do.
fn cheaper<'g>(left: Need<'g>, right: Need<'g>) -> Need<'g> {
    if cost(&right) < cost(&left) { right } else { left }
}

/// One of them is needed.
fn either<'g>(left: Need<'g>, right: Need<'g>) -> Need<'g> {
    match (left, right) {
        (Need::Never, other) | (other, Need::Never) => other,
        (Need::Keys(left), Need::Keys(right))
            if left.keys.all().len() + right.keys.all().len() <= KEY_LIMIT =>
        {
            let mut keys = left.keys;
            for key in right.keys.all() {
                if !keys.all().contains(key) {
                    keys.push(*key);
                }
            }
            let cost = left.cost.saturating_add(right.cost).min(u32::MAX - 1);
            Need::Keys(Keys { keys, cost, exact: left.exact && right.exact })
        }
        _ => Need::Always,
    }
}

/// Having it is not enough.
fn inexact(need: Need<'_>) -> Need<'_> {
    match need {
        Need::Keys(keys) => Need::Keys(Keys { exact: false, ..keys }),
        other => other,
    }
}
