//! Which subscriptions want an event.

use super::explanation::{Verdict, VerdictOutcome};
use super::facts::EventFacts;
use crate::decision::{FilterFailure, Intent};
use crate::event::Event;
use crate::request::{Header, UnixMillis};
use anglerfish_filter::{CompileError, Expression};
use std::collections::BTreeMap;

/// What filters see of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FilterInput<'a> {
    pub(crate) event: &'a Event,
    pub(crate) headers: &'a [Header<'a>],
    pub(crate) data: &'a [u8],
    pub(crate) now: UnixMillis,
}

struct Entry {
    sources: Vec<String>,
    expression: Option<Expression>,
}

/// The filters of all subscriptions.
#[derive(Default)]
pub(crate) struct Filters {
    entries: BTreeMap<String, Entry>,
}

impl Filters {
    /// Adds or replaces a subscription's filter; on an error all is as it was.
    pub(crate) fn put(
        &mut self,
        id: &str,
        sources: &[String],
        filter: Option<&str>,
    ) -> Result<(), CompileError> {
        let expression = filter.map(Expression::compile).transpose()?;
        self.entries.insert(id.to_owned(), Entry { sources: sources.to_vec(), expression });
        Ok(())
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.entries.remove(id);
    }

    /// The subscriptions that want an event, and those whose filter was tried and failed.
    pub(crate) fn matches(&mut self, input: FilterInput<'_>) -> (Vec<Intent>, Vec<FilterFailure>) {
        let facts = EventFacts::new(input);
        let (mut intents, mut failures) = (Vec::new(), Vec::new());
        for (id, entry) in &self.entries {
            let Verdict { subscription, outcome, reason } = entry.verdict(id, input.event, &facts);
            match outcome {
                VerdictOutcome::Match => intents.push(Intent { subscription }),
                VerdictOutcome::Error => failures.push(FilterFailure { subscription, reason }),
                VerdictOutcome::NoMatch => {}
            }
        }
        (intents, failures)
    }

    /// What each subscription, or `only` one, says of an event, ordered by id.
    pub(crate) fn explain(&self, input: FilterInput<'_>, only: Option<&str>) -> Vec<Verdict> {
        let facts = EventFacts::new(input);
        self.entries
            .iter()
            .filter(|(id, _)| only.is_none_or(|only| only == id.as_str()))
            .map(|(id, entry)| entry.verdict(id, input.event, &facts))
            .collect()
    }
}

impl Entry {
    fn verdict(&self, id: &str, event: &Event, facts: &EventFacts<'_>) -> Verdict {
        let (outcome, reason) = if !self.sources.is_empty() && !self.sources.contains(&event.source) {
            (VerdictOutcome::NoMatch, format!("it does not listen to source {:?}", event.source))
        } else {
            match self.expression.as_ref().map(|expression| facts.evaluate(expression)) {
                None => (VerdictOutcome::Match, "it has no filter".to_owned()),
                Some(Ok(true)) => (VerdictOutcome::Match, "the filter is true".to_owned()),
                Some(Ok(false)) => (VerdictOutcome::NoMatch, "the filter is false".to_owned()),
                Some(Err(error)) => (VerdictOutcome::Error, error.to_string()),
            }
        };
        Verdict { subscription: id.to_owned(), outcome, reason }
    }
}
