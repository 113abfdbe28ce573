//! Which subscriptions want an event.

use super::explanation::{Verdict, VerdictOutcome};
use super::headers::joined_headers;
use super::order::Order;
use super::packed::Packed;
use crate::decision::{FilterFailure, Intent};
use crate::event::Event;
use crate::problem::Problem;
use crate::request::{Header, UnixMillis};
use anglerfish_filter::table::{
    Class, EventInput, ExpressionView, Matches, Reading, RuleKey, Supplied, Table,
};
use anglerfish_filter::{CompileError, Expression, Failure, explain};
use std::collections::BTreeMap;

/// The expression of a subscription without a filter.
const EVERYTHING: &str = "true";

/// What filters see of a request beside its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FilterInput<'a> {
    pub(crate) event: &'a Event,
    pub(crate) headers: &'a [Header<'a>],
    pub(crate) now: UnixMillis,
}

impl FilterInput<'_> {
    /// Runs with the input as a table reads it.
    pub(super) fn with<R>(self, run: impl FnOnce(&EventInput<'_>) -> R) -> R {
        let headers = joined_headers(self.headers);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        let event = self.event;
        let extensions: Vec<(&str, &str)> =
            event.extensions.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        run(&EventInput {
            id: &event.id,
            source: &event.source,
            kind: &event.kind,
            subject: event.subject.as_deref(),
            time: event.time.0,
            datacontenttype: event.datacontenttype.as_deref(),
            extensions: &extensions,
            headers: &headers,
            now: self.now.0,
        })
    }
}

/// What is kept of a subscription beside its place in the table.
struct Entry {
    key: RuleKey,
    sources: Vec<String>,
    /// Compiled again when someone asks why: the table keeps nothing that it does not need for matching.
    filter: Option<Box<str>>,
}

/// What makes an expression of a text.
type Compile = fn(&str) -> Result<Expression, CompileError>;

/// Whether a filter is true; why not, otherwise.
pub(super) fn tested(
    compile: Compile,
    filter: &str,
    input: FilterInput<'_>,
    data: &[u8],
) -> Result<(), String> {
    let expression = compile(filter).map_err(|error| error.to_string())?;
    let explanation = input.with(|seen| {
        let view = ExpressionView::new(&expression, seen, Some(data));
        view.with(|facts| expression.explain(facts))
    });
    match explanation.verdict {
        explain::Verdict::Matched => Ok(()),
        _ => Err(explanation.reason),
    }
}

/// The filters of all subscriptions.
pub(crate) struct Filters {
    compile: Compile,
    table: Table,
    entries: BTreeMap<String, Entry>,
    /// Ids by the number of their key; empty where a key is free.
    ids: Vec<String>,
    /// What orders their deliveries, likewise; shorter where none of the last ones is ordered.
    orders: Vec<Option<Order>>,
    free: Vec<RuleKey>,
    matches: Matches,
    /// Where the subscriptions are until an event comes that they may want. Then nothing else is here, and nothing is changed.
    packed: Option<Packed>,
}

impl Default for Filters {
    fn default() -> Self {
        Self::new(Expression::compile)
    }
}

impl Filters {
    /// None yet; their expressions are compiled like this.
    pub(super) fn new(compile: Compile) -> Self {
        Self {
            compile,
            table: Table::default(),
            entries: BTreeMap::new(),
            ids: Vec::new(),
            orders: Vec::new(),
            free: Vec::new(),
            matches: Matches::default(),
            packed: None,
        }
    }

    /// Those of a table that was packed.
    pub(super) fn packed(table: Table, packed: Packed) -> Self {
        let ids = vec![String::new(); packed.len()];
        Self { table, ids, packed: Some(packed), ..Self::default() }
    }

    /// Where subscriptions are packed, if they are.
    pub(super) fn is_packed(&self) -> Option<Packed> {
        self.packed.clone()
    }

    /// The keys of all filters, in the order of their subscriptions' ids.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&str, RuleKey)> {
        self.entries.iter().map(|(id, entry)| (id.as_str(), entry.key))
    }

    /// What finds the filters.
    pub(super) const fn table(&self) -> &Table {
        &self.table
    }

    /// Whether a subscription's filter is true; why not, otherwise.
    pub(super) fn test(&self, id: &str, input: FilterInput<'_>, data: &[u8]) -> Result<(), String> {
        match self.entries.get(id).and_then(|entry| entry.filter.as_deref()) {
            Some(filter) => tested(self.compile, filter, input, data),
            None => Ok(()),
        }
    }

    /// Adds or replaces a subscription's filter; on an error all is as it was.
    pub(crate) fn put(
        &mut self,
        id: &str,
        sources: &[String],
        filter: Option<&str>,
    ) -> Result<(), CompileError> {
        let expression = (self.compile)(filter.unwrap_or(EVERYTHING))?;
        let key = match self.entries.get(id) {
            Some(entry) => entry.key,
            None => self.free.pop().unwrap_or_else(|| {
                self.ids.push(String::new());
                // 2^32 subscriptions do not fit the memory that a component can have.
                RuleKey(u32::try_from(self.ids.len() - 1).unwrap_or(u32::MAX))
            }),
        };
        if let Some(place) = self.ids.get_mut(key.0 as usize) {
            id.clone_into(place);
        }
        let names: Vec<&str> = sources.iter().map(String::as_str).collect();
        self.table.insert(key, &expression, (!names.is_empty()).then_some(names.as_slice()));
        let entry = Entry { key, sources: sources.to_vec(), filter: filter.map(Box::from) };
        self.entries.insert(id.to_owned(), entry);
        Ok(())
    }

    /// Says what orders the deliveries of a subscription that is there.
    pub(super) fn order(&mut self, id: &str, order: Option<Order>) {
        let Some(entry) = self.entries.get(id) else { return };
        let place = entry.key.0 as usize;
        if place >= self.orders.len() && order.is_some() {
            self.orders.resize_with(place + 1, || None);
        }
        if let Some(known) = self.orders.get_mut(place) {
            *known = order;
        }
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.order(id, None);
        let Some(entry) = self.entries.remove(id) else { return };
        self.table.remove(entry.key);
        if let Some(place) = self.ids.get_mut(entry.key.0 as usize) {
            *place = String::new();
        }
        self.free.push(entry.key);
    }

    /// The table that reads a request's body, and what tells from its reading who wants the event.
    pub(crate) fn open(&mut self) -> (&mut Table, Selection<'_>) {
        let Self { compile, table, ids, orders, matches, packed, .. } = self;
        (table, Selection { compile: *compile, ids, orders, matches, packed: packed.as_ref() })
    }

    /// What each subscription, or `only` one, says of an event, ordered by id.
    pub(crate) fn explain(&self, input: FilterInput<'_>, data: &[u8], only: Option<&str>) -> Vec<Verdict> {
        input.with(|seen| {
            let verdict = |(id, entry): (&String, &Entry)| entry.verdict(id, seen, data);
            match only {
                Some(only) => self.entries.get_key_value(only).map(verdict).into_iter().collect(),
                None => self.entries.iter().map(verdict).collect(),
            }
        })
    }

    /// The subscriptions that name a source, ordered by id.
    pub(crate) fn listening_to(&self, source: &str) -> impl Iterator<Item = &str> {
        let names = move |entry: &Entry| entry.sources.iter().any(|name| name == source);
        self.entries.iter().filter(move |(_, entry)| names(entry)).map(|(id, _)| id.as_str())
    }

    /// How each subscription is found, ordered by id.
    pub(crate) fn classes(&self) -> impl Iterator<Item = (&str, Class)> {
        self.entries.iter().filter_map(|(id, entry)| Some((id.as_str(), self.table.class(entry.key)?)))
    }
}

/// Who wants an event.
pub(crate) struct Selection<'f> {
    /// As [`Filters`] has them.
    ids: &'f mut [String],
    orders: &'f mut Vec<Option<Order>>,
    matches: &'f mut Matches,
    packed: Option<&'f Packed>,
    compile: Compile,
}

impl Selection<'_> {
    /// The subscriptions that want the event whose body was read, and those whose filter was tried and failed. `data` is the
    /// body as JSON.
    pub(crate) fn select(
        self,
        input: FilterInput<'_>,
        body: &mut Reading<'_, '_>,
        data: &[u8],
    ) -> (Vec<Intent>, Vec<FilterFailure>) {
        let headers = if body.reads_headers() { input.headers } else { &[] };
        // A body that is not JSON leaves `message` without a value; what needs it does not match.
        let Self { ids, orders, matches, packed, compile } = self;
        FilterInput { headers, ..input }.with(|seen| {
            body.evaluate_with(seen, matches, &mut |key| supply(packed?, key, ids, orders, compile))
        });
        let id = |key: RuleKey| ids.get(key.0 as usize).cloned().unwrap_or_default();
        let order = |key: RuleKey| orders.get(key.0 as usize)?.as_ref();
        let intents = matches.matched.iter().map(|key| Intent {
            subscription: id(*key),
            ordering_key: order(*key).map(|order| order.key(input, data)),
            ..Intent::default()
        });
        let failures = matches
            .failed
            .drain(..)
            .map(|failure| FilterFailure { subscription: id(failure.key), reason: failure.reason });
        (intents.collect(), failures.collect())
    }
}

/// What is needed of a packed subscription that an event may be for. It compiled before it was packed.
fn supply(
    packed: &Packed,
    key: RuleKey,
    ids: &mut [String],
    orders: &mut Vec<Option<Order>>,
    compile: Compile,
) -> Option<Supplied> {
    let subscription = packed.of_key(key)?;
    let expression = compile(subscription.filter.as_deref().unwrap_or(EVERYTHING)).ok()?;
    let place = key.0 as usize;
    if let Some(order) = Order::compile(&subscription.ordering).ok()? {
        if place >= orders.len() {
            orders.resize_with(place + 1, || None);
        }
        *orders.get_mut(place)? = Some(order);
    }
    *ids.get_mut(place)? = subscription.id;
    Some(Supplied { expression, sources: subscription.sources })
}

impl Entry {
    fn verdict(&self, id: &str, seen: &EventInput<'_>, data: &[u8]) -> Verdict {
        let (outcome, reason) =
            if !self.sources.is_empty() && !self.sources.iter().any(|source| source == seen.source) {
                (VerdictOutcome::NoMatch, format!("it does not listen to source {:?}", seen.source))
            } else {
                match &self.filter {
                    None => (VerdictOutcome::Match, "it has no filter".to_owned()),
                    Some(filter) => match Expression::compile(filter) {
                        Ok(expression) => {
                            let view = ExpressionView::new(&expression, seen, Some(data));
                            let explanation = view.with(|facts| expression.explain(facts));
                            match explanation.verdict {
                                // The table may know a shorter way than the expression's own order.
                                explain::Verdict::Failed(error)
                                    if error.failure == Failure::Exhausted
                                        && matches_in_a_table(&expression, seen, data) =>
                                {
                                    (VerdictOutcome::Match, "the filter is true".to_owned())
                                }
                                _ => verdict(&explanation),
                            }
                        }
                        Err(error) => (VerdictOutcome::Error, error.to_string()),
                    },
                }
            };
        Verdict { subscription: id.to_owned(), outcome, reason }
    }
}

fn verdict(explanation: &explain::Explanation) -> (VerdictOutcome, String) {
    match explanation.verdict {
        explain::Verdict::Matched => (VerdictOutcome::Match, "the filter is true".to_owned()),
        explain::Verdict::NotMatched => (VerdictOutcome::NoMatch, explanation.reason.clone()),
        explain::Verdict::Failed(_) => (VerdictOutcome::Error, explanation.reason.clone()),
    }
}

/// Whether a table with nothing but this expression finds that an event makes it true.
fn matches_in_a_table(expression: &Expression, seen: &EventInput<'_>, data: &[u8]) -> bool {
    let mut table = Table::new();
    table.insert(RuleKey(0), expression, None);
    let mut matches = Matches::default();
    table.evaluate(seen, Some(data), &mut matches);
    !matches.matched.is_empty()
}

/// The problems of an expression, with its place in the document.
pub(super) fn filter_problems(error: CompileError, path: &str) -> Vec<Problem> {
    expression_problems(error, &format!("{path}filter"))
}

/// The problems of an expression at this place.
pub(super) fn expression_problems(error: CompileError, path: &str) -> Vec<Problem> {
    error
        .problems
        .into_iter()
        .map(|problem| Problem {
            line: u32::try_from(problem.line).ok(),
            column: u32::try_from(problem.column).ok(),
            ..Problem::new(path, problem.message)
        })
        .collect()
}
