//! Rules: what is filed.

use super::gate::{Gate, GateId};
use super::graph::Graph;
use super::key::Key;
use super::level::{Index, LevelId, Levels, RuleId};
use super::lower::junction;
use super::need::{Filing, Needs};
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
    homes: Homes,
    /// The event that looked at it last.
    pub(crate) seen: u32,
    /// Whether that can take long.
    pub(crate) heavy: bool,
    /// Filed under several keys at once: what is asked must then be right for each.
    split: bool,
}

/// One home takes no memory of its own; nearly all rules have one.
#[derive(Debug)]
enum Homes {
    One(LevelId),
    #[expect(clippy::box_collection, reason = "a rule is smaller so, and few have several")]
    Many(Box<Vec<LevelId>>),
}

impl Homes {
    fn none() -> Self {
        Self::Many(Box::default())
    }

    fn all(&self) -> &[LevelId] {
        match self {
            Self::One(home) => std::slice::from_ref(home),
            Self::Many(homes) => homes,
        }
    }

    fn add(&mut self, home: LevelId) {
        match self {
            Self::One(first) => *self = Self::Many(Box::new(vec![*first, home])),
            Self::Many(homes) if homes.is_empty() => *self = Self::One(home),
            Self::Many(homes) => homes.push(home),
        }
    }

    fn remove(&mut self, home: LevelId) {
        match self {
            Self::One(only) if *only == home => *self = Self::none(),
            Self::One(_) => {}
            Self::Many(homes) => {
                homes.retain(|other| *other != home);
                if let [only] = ***homes {
                    *self = Self::One(only);
                }
            }
        }
    }
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
    pub(crate) list: Vec<Rule>,
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
        let rule = Rule { key, rest: gate, homes: Homes::none(), seen: 0, heavy, split: false };
        let id = match self.free.pop() {
            Some(id) => id,
            None => u32::try_from(self.list.len()).unwrap_or(u32::MAX),
        };
        if let Some(place) = self.get_mut(id) {
            *place = rule;
        } else {
            self.list.push(rule);
        }
        if self.scans {
            self.settle(id, LevelId::ROOT);
        } else {
            self.file(id, LevelId::ROOT);
        }
        id
    }

    /// Removes a rule.
    pub(crate) fn remove(&mut self, id: RuleId) {
        let Some(rule) = self.get_mut(id) else { return };
        let homes = std::mem::replace(&mut rule.homes, Homes::none());
        let rest = std::mem::replace(&mut rule.rest, GateId::TRUE);
        for home in homes.all() {
            if let Some(level) = self.levels.get_mut(*home)
                && let Some(place) = level.rules.iter().position(|other| *other == id)
            {
                level.rules.swap_remove(place);
                if level.rules.capacity() > 64 && level.rules.len() * 4 < level.rules.capacity() {
                    level.rules.shrink_to(level.rules.len() * 2);
                }
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
        Place::Keys(homes.iter().map(|home| self.levels.chain(*home)).collect())
    }

    /// Files a rule in a level or below it.
    fn file(&mut self, id: RuleId, level: LevelId) {
        let mut open = vec![level];
        while let Some(level) = open.pop() {
            let Some(rule) = self.get(id) else { return };
            let (rest, split) = (rule.rest, rule.split);
            let indexed = self.levels.get(level).is_some_and(|level| level.index.is_some());
            let filing = if indexed { self.filing(rest, level) } else { Filing::Scan };
            match filing {
                Filing::Never if level == LevelId::ROOT => {}
                Filing::Never | Filing::Scan => self.settle(id, level),
                Filing::Under { keys, proven } => {
                    // The levels hold their paths before the gates that they replace let go of them.
                    let Self { levels, trie, .. } = self;
                    open.extend(keys.iter().map(|key| levels.child_or_new(level, key, trie)));
                    if !split && let Some(part) = proven {
                        self.prove(id, part);
                    }
                    if keys.len() > 1
                        && let Some(rule) = self.get_mut(id)
                    {
                        rule.split = true;
                    }
                }
            }
        }
    }

    fn filing(&self, gate: GateId, level: LevelId) -> Filing {
        let needs = Needs {
            graph: &self.graph,
            trie: &self.trie,
            levels: &self.levels,
            level,
            used: self.levels.chain(level),
        };
        needs.filing(gate)
    }

    /// Puts a rule into a level itself, and gives the level an index once it has many.
    fn settle(&mut self, id: RuleId, home: LevelId) {
        if let Some(rule) = self.get_mut(id) {
            rule.homes.add(home);
        }
        self.levels.count(home, true);
        let Some(level) = self.levels.get_mut(home) else { return };
        level.rules.push(id);
        if level.rules.len() <= SPLIT || level.index.is_some() {
            return;
        }
        level.index = Some(Box::<Index>::default());
        for id in std::mem::take(&mut level.rules) {
            self.levels.count(home, false);
            if let Some(rule) = self.get_mut(id) {
                rule.homes.remove(home);
            }
            self.file(id, home);
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
        let homes: usize = self
            .list
            .iter()
            .map(|rule| match &rule.homes {
                Homes::One(_) => 0,
                Homes::Many(homes) => size_of::<Vec<LevelId>>() + homes.capacity() * 4,
            })
            .sum();
        self.list.capacity() * size_of::<Rule>()
            + self.free.capacity() * 4
            + homes
            + self.trie.heap_size()
            + self.graph.heap_size()
            + self.levels.heap_size()
    }
}
