//! The routing table: sources and subscriptions come and go.

use super::document::{RoutingDocument, RoutingSource, RoutingSubscription};
use super::filters::{Filters, expression_problems, filter_problems};
use super::order::Order;
use super::render::Rendering;
use super::resource::{Resources, RoutingResource};
use crate::config::is_built_in;
use crate::problem::Problem;
use crate::verify::{Names, Verifier};
use anglerfish_filter::table::Class;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

/// A routing table: sources with their verification, subscriptions with their filters.
pub struct Router {
    pub(super) sources: HashMap<String, Source>,
    pub(super) filters: Filters,
    /// What is made of events, of those subscriptions alone that have something made.
    pub(super) renderings: HashMap<String, Rendering>,
    /// Documents, and who is told of them.
    pub(super) resources: Resources,
}

/// A source's verification, and what it reads of a body as the filters' table has it.
pub(super) struct Source {
    pub(super) verifier: Verifier,
    pub(super) names: Names,
}

impl Router {
    /// Builds the table from a configuration document.
    ///
    /// # Errors
    ///
    /// Every problem of the document at once, each with its path.
    pub fn load(document: &[u8]) -> Result<Self, Vec<Problem>> {
        Self::of(parse(document)?, Filters::default())
    }

    fn empty() -> Self {
        Self {
            sources: HashMap::new(),
            filters: Filters::default(),
            renderings: HashMap::new(),
            resources: Resources::default(),
        }
    }

    /// The table of a document, beside the filters that are there already.
    pub(super) fn of(document: RoutingDocument, filters: Filters) -> Result<Self, Vec<Problem>> {
        let mut router = Self { filters, ..Self::empty() };
        let mut problems = Vec::new();
        for (index, source) in document.source.into_iter().enumerate() {
            let path = format!("source[{index}]");
            if router.sources.contains_key(&source.name) {
                let message = format!("there is another source {:?}", source.name);
                problems.push(Problem::new(format!("{path}.name"), message));
            }
            if let Err(found) = router.insert_source(&source, &path) {
                problems.extend(found);
            }
        }
        for (index, resource) in document.resource.iter().enumerate() {
            if let Err(found) = router.resources.put(resource, &format!("resource[{index}].")) {
                problems.extend(found);
            }
        }
        let mut ids = HashSet::new();
        for (index, subscription) in document.subscription.into_iter().enumerate() {
            let path = format!("subscription[{index}].");
            // Whether a source is missing or broken is said once, at the source.
            if let Err(found) = router.put(&subscription, &path, problems.is_empty()) {
                problems.extend(found);
            }
            if !ids.insert(subscription.id.clone()) {
                let message = format!("there is another subscription {:?}", subscription.id);
                problems.push(Problem::new(format!("{path}id"), message));
            }
        }
        if problems.is_empty() { Ok(router) } else { Err(problems) }
    }

    /// Adds or replaces one source without rebuilding the table; on an error the table stays as it was.
    ///
    /// # Errors
    ///
    /// Every problem of the source at once, each with its path within it.
    pub fn put_source(&mut self, source: &[u8]) -> Result<(), Vec<Problem>> {
        let source = parse(source)?;
        self.load_all()?;
        self.insert_source(&source, "")
    }

    fn insert_source(&mut self, source: &RoutingSource, path: &str) -> Result<(), Vec<Problem>> {
        let verifier = Verifier::try_new(path, &source.verification)?;
        let names = verifier.name(self.filters.open().0);
        // The new names come first, so that places which both versions read stay in the table.
        if let Some(old) = self.sources.insert(source.name.clone(), Source { verifier, names }) {
            old.names.forget(self.filters.open().0);
        }
        Ok(())
    }

    /// Removes one source; an unknown name is no error. Events that it accepted before can still be explained.
    ///
    /// # Errors
    ///
    /// A problem for each subscription that names it: a subscription never names a source that there is not.
    pub fn delete_source(&mut self, name: &str) -> Result<(), Vec<Problem>> {
        self.load_all()?;
        let problems: Vec<Problem> = self.filters.listening_to(name).map(|id| named_by(name, id)).collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        if let Some(source) = self.sources.remove(name) {
            source.names.forget(self.filters.open().0);
        }
        Ok(())
    }

    /// Adds or replaces one resource without rebuilding the table; on an error the table stays as it was.
    ///
    /// # Errors
    ///
    /// Every problem of the resource, each with its path within it.
    pub fn put_resource(&mut self, resource: &[u8]) -> Result<(), Vec<Problem>> {
        let resource: RoutingResource = parse(resource)?;
        self.load_all()?;
        self.resources.put(&resource, "")
    }

    /// Removes one resource; an unknown id is no error.
    ///
    /// # Errors
    ///
    /// A problem if it has subscriptions.
    pub fn delete_resource(&mut self, id: &str) -> Result<(), Vec<Problem>> {
        self.load_all()?;
        self.resources.delete(id)
    }

    /// Adds or replaces one subscription without rebuilding the table; on an error the table stays as it was.
    ///
    /// # Errors
    ///
    /// Every problem of the subscription at once, each with its path within it.
    pub fn put_subscription(&mut self, subscription: &[u8]) -> Result<(), Vec<Problem>> {
        let subscription = parse(subscription)?;
        self.load_all()?;
        self.put(&subscription, "", true)
    }

    fn put(
        &mut self,
        subscription: &RoutingSubscription,
        path: &str,
        sources_are_known: bool,
    ) -> Result<(), Vec<Problem>> {
        let RoutingSubscription { id, filter, interest, .. } = subscription;
        if let Some(interest) = interest {
            self.resources.follow(id, interest, filter.as_deref(), path)?;
            self.filters.remove(id);
            self.renderings.remove(id);
            return Ok(());
        }
        if sources_are_known {
            let unknown = |name: &String| !is_built_in(name) && !self.sources.contains_key(name);
            let problems: Vec<Problem> = subscription
                .sources
                .iter()
                .enumerate()
                .filter(|(_, name)| unknown(name))
                .map(|(index, name)| {
                    Problem::new(format!("{path}sources[{index}]"), format!("there is no source {name:?}"))
                })
                .collect();
            if !problems.is_empty() {
                return Err(problems);
            }
        }
        let order = Order::compile(&subscription.ordering)
            .map_err(|error| expression_problems(error, &format!("{path}ordering.key")))?;
        let rendering = Rendering::compile(&subscription.render, path)?;
        self.filters
            .put(&subscription.id, &subscription.sources, subscription.filter.as_deref())
            .map_err(|error| filter_problems(error, path))?;
        self.filters.order(&subscription.id, order);
        self.resources.forget(id);
        match rendering {
            Some(rendering) => drop(self.renderings.insert(subscription.id.clone(), rendering)),
            None => drop(self.renderings.remove(&subscription.id)),
        }
        Ok(())
    }

    /// Removes one subscription; an unknown id is no error.
    pub fn delete_subscription(&mut self, id: &str) {
        if self.load_all().is_err() {
            // It must not go on, and there is no other way to be rid of it: nothing is accepted any more.
            *self = Self::empty();
            return;
        }
        self.filters.remove(id);
        self.renderings.remove(id);
        self.resources.forget(id);
    }

    /// How each subscription is found, ordered by id: by conditions that are indexed, or by a look at every event. Nothing is
    /// said of a table that was packed.
    pub fn classes(&self) -> impl Iterator<Item = (&str, Class)> {
        self.filters.classes()
    }
}

/// The problem of a source that is to go while a subscription names it.
#[must_use]
pub fn named_by(source: &str, subscription: &str) -> Problem {
    Problem::new("", format!("the source {source:?} is named by the subscription {subscription:?}"))
}

pub(super) fn parse<'d, T: Deserialize<'d>>(document: &'d [u8]) -> Result<T, Vec<Problem>> {
    serde_json::from_slice(document).map_err(|error| {
        let mut problem = Problem::new("", format!("not a configuration document: {error}"));
        problem.line = u32::try_from(error.line()).ok();
        problem.column = u32::try_from(error.column()).ok();
        vec![problem]
    })
}
