//! Rules: what is filed.

use super::blocks::Blocks;
use super::gate::{Gate, GateId};
use super::graph::Graph;
use super::key::Key;
use super::level::{Index, LevelId, Levels, RuleId};
use super::lower::junction;
use super::need::{Needs, Placement};
use super::small_list::SmallList;
use crate::json::Trie;

/// A level with more rules than this gets an index of its own.
const SPLIT: usize = if cfg!(test) { 3 } else { 32 };

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The table's number for it.
    pub(crate) key: u32,
    /// What is left to ask once an event has one of the keys that it is filed under.
    pub(crate) rest: GateId,
    /// The levels that hold it; none if it is never true.
    homes: SmallList<LevelId>,
    /// The event that looked at it last.
    pub(crate) seen: u32,
    /// Whether that can take long.
    pub(crate) heavy: bool,
    /// Filed under several keys at once: what is asked must then be right for each.
    split: bool,
    /// Whether only its place is known, and what is to be asked is not: until then it is never true.
    pub(crate) pending: bool,
}

/// How a rule is filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is never true.
    Never,
    /// Under these keys: for each way to it the keys that an event must all have.
    Keys(Vec<Vec<Key>>),
    /// Every event is held against it.
    Scan,
}

/// All rules, with where they are filed and what they are made of.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) trie: Trie,
    pub(crate) graph: Graph,
    pub(crate) levels: Levels,
    pub(crate) list: Blocks<Rule>,
    free: Vec<RuleId>,
    /// Whether nothing is filed.
    pub(crate) scans: bool,
}

impl Rules {
    pub(crate) fn get(&self, id: RuleId) -> Option<&Rule> {
        self.list.get(id as usize)
    }

    pub(crate) fn get_mut(&mut self, id: RuleId) -> Option<&mut Rule> {
        self.list.get_mut(id as usize)
    }

    /// Adds a rule; `gate` comes with one use.
    pub(crate) fn insert(&mut self, key: u32, gate: GateId) -> RuleId {
        let heavy = self.graph.is_heavy(gate);
        let id = self.add(Rule {
            key,
            rest: gate,
            homes: SmallList::None,
            seen: 0,
            heavy,
            split: false,
            pending: false,
        });
        if self.scans {
            self.put_into(id, LevelId::ROOT);
        } else {
            self.file(id, LevelId::ROOT);
        }
        id
    }

    fn add(&mut self, rule: Rule) -> RuleId {
        let id = match self.free.pop() {
            Some(id) => id,
            None => u32::try_from(self.list.len()).unwrap_or(u32::MAX),
        };
        if let Some(place) = self.get_mut(id) {
            *place = rule;
        } else {
            self.list.push(rule);
        }
        id
    }

    /// Adds a rule of which only the place is known, which is for the caller to file.
    pub(super) fn await_gate(&mut self, key: u32) -> RuleId {
        // What is not known is an error, so that nobody can take the rule for one that is true.
        let rest = self.graph.intern(Gate::Unknown, &mut self.trie);
        self.add(Rule {
            key,
            rest,
            homes: SmallList::None,
            seen: 0,
            heavy: false,
            split: false,
            pending: true,
        })
    }

    /// Says what is to be asked of a rule that is filed already; `gate` comes with one use.
    pub(crate) fn complete(&mut self, id: RuleId, gate: GateId) {
        let heavy = self.graph.is_heavy(gate);
        let Some(rule) = self.get_mut(id) else { return };
        let before = std::mem::replace(&mut rule.rest, gate);
        (rule.heavy, rule.pending) = (heavy, false);
        self.graph.release(before, &mut self.trie);
    }

    /// Removes a rule.
    pub(crate) fn remove(&mut self, id: RuleId) {
        let Some(rule) = self.get_mut(id) else { return };
        let homes = std::mem::replace(&mut rule.homes, SmallList::None);
        let rest = std::mem::replace(&mut rule.rest, GateId::TRUE);
        for home in homes.all() {
            if let Some(level) = self.levels.get_mut(*home) {
                level.rules.remove(id);
            }
            self.levels.count(*home, false);
            self.levels.sweep(*home, &mut self.trie);
        }
        self.graph.release(rest, &mut self.trie);
        self.free.push(id);
    }

    /// How a rule is filed.
    pub(crate) fn place(&self, id: RuleId) -> Place {
        let homes = self.get(id).map_or(&[][..], |rule| rule.homes.all());
        if homes.is_empty() {
            return Place::Never;
        }
        if homes.contains(&LevelId::ROOT) {
            return Place::Scan;
        }
        let way = |home: &LevelId| self.levels.chain(*home).into_iter().cloned().collect();
        Place::Keys(homes.iter().map(way).collect())
    }

    /// Files a rule in a level or below it.
    fn file(&mut self, id: RuleId, level: LevelId) {
        let mut open = vec![level];
        while let Some(level) = open.pop() {
            let Some(rule) = self.get(id) else { return };
            let (rest, split) = (rule.rest, rule.split);
            let indexed = self.levels.get(level).is_some_and(|level| level.index.is_some());
            let Self { graph, trie, levels, .. } = self;
            let filing = if indexed { filing(graph, trie, levels, rest, level) } else { Placement::Scan };
            match filing {
                Placement::Never if level == LevelId::ROOT => {}
                Placement::Never | Placement::Scan => self.put_into(id, level),
                Placement::Under { keys, proven } => {
                    // The levels hold their paths before the gates that they replace let go of them.
                    let keys = keys.all();
                    open.extend(keys.iter().map(|key| levels.child_or_new(level, key, trie)));
                    let several = keys.len() > 1;
                    if !split && let Some(part) = proven {
                        self.prove(id, part);
                    }
                    if several && let Some(rule) = self.get_mut(id) {
                        rule.split = true;
                    }
                }
            }
        }
    }

    /// Puts a rule into a level itself, and gives the level an index once it has many.
    fn put_into(&mut self, id: RuleId, home: LevelId) {
        if let Some(rule) = self.get_mut(id) {
            rule.homes.push(home);
        }
        self.levels.count(home, true);
        let Some(level) = self.levels.get_mut(home) else { return };
        level.rules.push(id);
        if level.rules.all().len() <= SPLIT || level.index.is_some() {
            return;
        }
        level.index = Some(Box::<Index>::default());
        let rules = std::mem::replace(&mut level.rules, SmallList::None);
        for id in rules.all() {
            self.levels.count(home, false);
            if let Some(rule) = self.get_mut(*id) {
                rule.homes.remove(home);
            }
            self.file(*id, home);
        }
    }

    /// Takes what its keys prove out of what is left to ask of a rule: one part of its conjunction, or all.
    fn prove(&mut self, id: RuleId, part: Option<usize>) {
        let Some(rest) = self.get(id).map(|rule| rule.rest) else { return };
        let left = match (self.graph.gate(rest), part) {
            (Gate::And(parts), Some(proven)) => {
                let others = parts.iter().enumerate().filter(|(number, _)| *number != proven);
                let others: Vec<GateId> = others.map(|(_, part)| *part).collect();
                others.iter().for_each(|part| self.graph.hold(*part));
                junction(&mut self.graph, &mut self.trie, others, true)
            }
            (_, None) => GateId::TRUE,
            _ => return,
        };
        self.graph.release(rest, &mut self.trie);
        let heavy = self.graph.is_heavy(left);
        if let Some(rule) = self.get_mut(id) {
            rule.rest = left;
            rule.heavy = heavy;
        }
    }

    /// Forgets which event looked at what, because the numbers of events start anew.
    pub(crate) fn forget_events(&mut self) {
        self.list.iter_mut().for_each(|rule| rule.seen = 0);
        self.levels.forget_events();
    }

    /// The number of rules.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.list.len() - self.free.len()
    }

    /// Bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        let homes: usize = self.list.iter().map(|rule| rule.homes.heap_size()).sum();
        self.list.heap_size()
            + self.free.capacity() * 4
            + homes
            + self.trie.heap_size()
            + self.graph.heap_size()
            + self.levels.heap_size()
    }
}

/// How to file a rule with this gate in a level.
fn filing<'g>(graph: &'g Graph, trie: &Trie, levels: &Levels, gate: GateId, level: LevelId) -> Placement<'g> {
    Needs { graph, trie, levels, level, used: levels.chain(level) }.filing(gate)
}
