//! An event's body, read once.

use super::store::{EVENT_STEPS, EXPRESSION_STEPS, LEAST_STEPS, RETRY_STEPS};
use super::{EventInput, FailedRule, Matches, RuleKey, Supply, Table};
use crate::index::{Blocks, EventView, Graph, Probe, Rule, Run, Truth, fill};
use crate::json::{Found, JsonError, NodeId, Raw, items, look, reach};
use foldhash::fast::FixedState;
use hashbrown::HashSet;

/// A value of the body that was named by [`Table::pointer`]. Other tables do not know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The path as far as it goes by names.
    pub(super) node: NodeId,
    /// The rest of it, which begins with a number or is empty.
    pub(super) inner: Box<str>,
}

/// A body that was read, with what the table's expressions and pointers name in it.
#[derive(Debug)]
pub struct Reading<'t, 'b> {
    pub(super) table: &'t mut Table,
    pub(super) text: Option<&'b str>,
    pub(super) error: Option<JsonError>,
}

/// An element of an array of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'r>(&'r str);

impl<'r> Element<'r> {
    /// The element as it stands in the body.
    #[must_use]
    pub const fn text(&self) -> &'r str {
        self.0
    }

    /// What is at a JSON pointer in the element.
    #[must_use]
    pub fn find(&self, pointer: &str) -> Found<'r> {
        look(self.0, pointer)
    }
}

impl Reading<'_, '_> {
    /// Why the body is not JSON, if it is not though it should be.
    #[must_use]
    pub const fn error(&self) -> Option<JsonError> {
        self.error
    }

    /// What is at a pointer. Before [`Reading::evaluate`] only.
    #[must_use]
    pub fn find(&self, pointer: &Pointer) -> Found<'_> {
        let slots = &self.table.slots;
        let raw = slots.get(pointer.node);
        if self.is_doubtful(pointer.node) {
            return Found::Ambiguous;
        }
        if !pointer.inner.is_empty() {
            return self.text(raw).map_or(Found::Nothing, |text| look(text, &pointer.inner));
        }
        match raw {
            Raw::Absent | Raw::Null => Found::Nothing,
            Raw::Bool(value) => Found::Literal(if value { "true" } else { "false" }.into()),
            Raw::Int(value) => Found::Literal(value.to_string().into()),
            Raw::Uint(value) => Found::Literal(value.to_string().into()),
            Raw::Plain(..) | Raw::Decoded(..) => {
                slots.text(raw, self.body()).map_or(Found::Other, |text| Found::Text(text.into()))
            }
            _ => Found::Other,
        }
    }

    /// The elements of the array at a pointer, at most so many; `None` if there is no array, or readers of JSON differ on it.
    #[must_use]
    pub fn elements(&self, pointer: &Pointer, most: usize) -> Option<Vec<Element<'_>>> {
        let text = self.text(self.table.slots.get(pointer.node))?;
        let array = reach(text, &pointer.inner).ok().filter(|array| array.starts_with('['))?;
        (!self.is_doubtful(pointer.node)).then(|| items(array).take(most).map(Element).collect())
    }

    /// The text of an array or object.
    fn text(&self, raw: Raw) -> Option<&str> {
        match raw {
            Raw::Array(..) | Raw::Object(..) => self.table.slots.text(raw, self.body()),
            _ => None,
        }
    }

    fn body(&self) -> &str {
        self.text.unwrap_or_default()
    }

    /// Whether readers of JSON differ on what is at a path, or on the way to it.
    fn is_doubtful(&self, path: NodeId) -> bool {
        let Table { slots, rules, .. } = &*self.table;
        let mut node = path;
        while node != NodeId::NONE {
            if slots.is_doubtful(node) {
                return true;
            }
            node = rules.trie.parent(node);
        }
        false
    }

    /// Whether any expression of the table looks at `headers`; see [`Table::reads_headers`].
    #[must_use]
    pub fn reads_headers(&self) -> bool {
        self.table.reads_headers()
    }

    /// Which expressions are true of the event with this body and these attributes.
    pub fn evaluate(&mut self, input: &EventInput<'_>, matches: &mut Matches) {
        self.evaluate_with(input, matches, &mut |_| None);
    }

    /// The same of a table that was packed: `supply` gives the expressions that are not here yet and that the event may make true.
    pub fn evaluate_with(&mut self, input: &EventInput<'_>, matches: &mut Matches, supply: Supply<'_>) {
        matches.clear();
        self.fill(input);
        self.search(matches);
        if self.table.rules.levels.packed.is_some() && self.table.complete(supply) {
            // They look at places that nobody has looked at before.
            self.table.slots.begin(self.table.rules.trie.capacity());
            let Table { rules, roots, slots, extractor, .. } = &mut *self.table;
            if let Some(text) = self.text
                && let Err(error) = extractor.read(text.as_bytes(), &rules.trie, roots.message, slots)
            {
                slots.begin(rules.trie.capacity());
                (self.text, self.error) = (None, Some(error));
            }
            self.fill(input);
        }
        self.judge(input, matches);
    }

    /// Puts what the event has, beside what is in the body, where it is looked up.
    fn fill(&mut self, input: &EventInput<'_>) {
        let body = self.text.unwrap_or_default();
        let Table { rules, roots, slots, elements, extractor, .. } = &mut *self.table;
        fill(input, &rules.trie, roots, slots);
        elements.read(&rules.trie, slots, body, extractor);
    }

    /// Finds the rules that could be true.
    fn search(&mut self, matches: &mut Matches) {
        let body = self.text.unwrap_or_default();
        let Table { rules, slots, elements, epoch, open, found, missed, lookups, wanted, by_key, .. } =
            &mut *self.table;
        loop {
            if *epoch == u32::MAX {
                rules.forget_events();
                *epoch = 0;
            }
            *epoch += 1;
            found.clear();
            missed.clear();
            wanted.clear();
            let mut probe = Probe { slots, elements, body, epoch: *epoch, open, left: *lookups, wanted };
            probe.search(&mut rules.levels, found, missed);
            if probe.left == 0
                && let Some(packed) = &rules.levels.packed
            {
                // What is missed is told, so that it has to be known.
                wanted.extend(packed.all());
            }
            if wanted.is_empty() {
                break;
            }
            // Whatever was unpacked is found in the next round.
            if rules.unpack(wanted, by_key).is_none() {
                // It was opened by its checksum, so that it was packed wrong. Whose filters are lost is not known any more.
                let reason = "a part of the packed table cannot be read".to_owned();
                matches.failed.push(FailedRule { key: RuleKey(u32::MAX), reason });
                break;
            }
        }
    }

    /// Asks the rules that were found.
    fn judge(&mut self, input: &EventInput<'_>, matches: &mut Matches) {
        let body = self.text.unwrap_or_default();
        let Table { rules, roots, slots, epoch, found, missed, .. } = &mut *self.table;
        rules.graph.begin();
        let view = EventView::new(&rules.trie, *roots, slots, body, input);
        let list = &mut rules.list;
        let mut judge = Judge { graph: &mut rules.graph, view: &view, matches };
        // What tests single paths needs no limit: it does no more than the table has gates. It goes first, so that all that can
        // take long shares what an event may cost, and nothing else.
        let mut run = Run::new(u32::MAX);
        let mut heavy = 0;
        for place in 0..found.len() {
            let Some(id) = found.get(place).copied() else { break };
            let Some(rule) = list.get_mut(id as usize) else { continue };
            if rule.seen == *epoch {
                continue;
            }
            rule.seen = *epoch;
            if !rule.heavy {
                judge.ask(rule, &mut run);
            } else if !judge.ask_quickly(rule, &mut run)
                && let Some(later) = found.get_mut(heavy)
            {
                *later = id;
                heavy += 1;
            }
        }
        found.truncate(heavy);
        judge.share_out(list, found);
        for id in missed.iter() {
            let Some(rule) = list.get_mut(*id as usize).filter(|rule| rule.seen != *epoch) else { continue };
            rule.seen = *epoch;
            let reason = "the event has more values than can be looked up".to_owned();
            matches.failed.push(FailedRule { key: RuleKey(rule.key), reason });
        }
    }
}

/// Asks of one event which rules are true.
struct Judge<'j, 'e> {
    graph: &'j mut Graph,
    view: &'j EventView<'e>,
    matches: &'j mut Matches,
}

impl Judge<'_, '_> {
    fn ask(&mut self, rule: &Rule, run: &mut Run) {
        self.matches.looked_at += 1;
        match self.graph.answer(rule.rest, self.view, run) {
            Truth::True => self.matches.matched.push(RuleKey(rule.key)),
            Truth::False => {}
            Truth::Error => self.fail(rule),
        }
    }

    /// Notes a rule that failed; whatever work finding the reason takes was allowed for its answer.
    fn fail(&mut self, rule: &Rule) {
        let reason = self.graph.reason(rule.rest, self.view, &mut Run::new(EXPRESSION_STEPS));
        self.matches.failed.push(FailedRule { key: RuleKey(rule.key), reason });
    }

    /// Asks the rules that can take long, which are left in `open`, and gives each a fair share of the steps.
    ///
    /// In the first round each may take as many steps as there are for one of them, so that a rule which needs no more than that
    /// is answered whatever the others need, and in whatever order they stand. What the answered ones leave over is shared by
    /// the rest in further rounds, which begin their evaluation anew; one who still lacks steps then has exceeded its share and
    /// fails. Rules that wait for the same gate need its steps only once.
    fn share_out(&mut self, rules: &Blocks<Rule>, open: &mut Vec<u32>) {
        let mut claims = open.len();
        let mut pool = EVENT_STEPS.max(saturated(claims).saturating_mul(LEAST_STEPS));
        let mut work = pool.saturating_add(RETRY_STEPS);
        let mut share = 0_u32;
        while !open.is_empty() {
            let next = (pool / saturated(claims).max(1)).min(EXPRESSION_STEPS).min(work);
            // A round that gives hardly more than the last one is work in vain.
            if next <= share.saturating_add(share / 8) {
                break;
            }
            let first = share == 0;
            share = next;
            let mut waiting = 0;
            let mut gates = HashSet::with_hasher(FixedState::with_seed(0));
            for place in 0..open.len() {
                let Some(id) = open.get(place).copied() else { break };
                let Some(rule) = rules.get(id as usize) else { continue };
                self.matches.looked_at += usize::from(first);
                let mut run = Run::new(share.min(work));
                let answer = self.graph.answer(rule.rest, self.view, &mut run);
                let taken = share.min(work) - run.left;
                work -= taken;
                match (answer, run.stopped_at) {
                    (Truth::True, _) => self.matches.matched.push(RuleKey(rule.key)),
                    (Truth::False, _) => {}
                    (Truth::Error, Some(gate)) => {
                        gates.insert(gate);
                        if let Some(place) = open.get_mut(waiting) {
                            *place = id;
                        }
                        waiting += 1;
                        continue;
                    }
                    (Truth::Error, None) => self.fail(rule),
                }
                pool = pool.saturating_sub(taken);
            }
            open.truncate(waiting);
            claims = gates.len();
            if share == EXPRESSION_STEPS {
                break;
            }
        }
        for id in open.iter() {
            let Some(rule) = rules.get(*id as usize) else { continue };
            let reason = if share >= EXPRESSION_STEPS {
                crate::Failure::Exhausted.to_string()
            } else {
                format!(
                    "the filters of this event take too many steps; this one takes more than its share of {share}"
                )
            };
            self.matches.failed.push(FailedRule { key: RuleKey(rule.key), reason });
        }
    }

    /// Asks about a rule that can take long, if there is a short way for this event; whether there was.
    #[inline(always)]
    fn ask_quickly(&mut self, rule: &Rule, run: &mut Run) -> bool {
        let Some(answer) = self.graph.quick(rule.rest, self.view, run) else { return false };
        self.matches.looked_at += 1;
        if answer {
            self.matches.matched.push(RuleKey(rule.key));
        }
        true
    }
}

fn saturated(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
