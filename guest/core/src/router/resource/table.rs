//! The resources and their subscribers.

use crate::decision::FilterFailure;
use crate::event::Event;
use crate::problem::Problem;
use crate::request::UnixMillis;
use crate::resource::{
    Change, DocumentUrl, Holding, Layout, ResourcePattern, ResourceTree, StoredDocument, document_key,
    holding_key,
};
use crate::router::filters::{FilterInput, Filters, filter_problems, tested};
use crate::state::Keys;
use anglerfish_filter::{CompileError, Expression};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, HashSet};

/// A resource, as a shell hands it to the component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingResource {
    /// Its id.
    pub id: String,
    /// The pattern of its documents.
    pub endpoint: String,
    /// The field of a document that says how new it is.
    pub field: String,
    /// How its dates are written, if it is a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// For how many milliseconds the revision of a deleted document is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tombstones: Option<u64>,
}

/// What makes a subscription one of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingInterest {
    /// The resource.
    pub resource: String,
    /// When it subscribed, in an order that all subscriptions share: it has no documents that changed before. 0 means that
    /// it has them too.
    pub generation: u64,
    /// Whether it is told of every revision, rather than of the last one.
    pub every: bool,
    /// When its filter was changed last, in the same order; 0 if it never was.
    #[serde(default)]
    pub filter_since: u64,
    /// The filters that it had before, the oldest first, for as long as there may be documents that none but them have looked
    /// at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerFilter>,
}

/// A filter that a subscription had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerFilter {
    /// When another one came, in the order of generations: it has looked at no document that changed from then on.
    pub until: u64,
    /// What it was; `None` means that there was none.
    pub filter: Option<String>,
}

/// A resource, ready.
pub(super) struct Resource {
    pub(super) pattern: ResourcePattern,
    pub(super) change: Change,
    pub(super) tombstones: Option<u64>,
    /// Its subscribers, by when they subscribed or changed their filter.
    followers: BTreeSet<(u64, String)>,
    /// Those that have a filter which may not have looked at all documents yet.
    pub(super) refiltered: BTreeSet<String>,
    /// Those whose filter compares with what they have.
    pub(super) comparing: BTreeSet<String>,
    /// How many have a filter that does not.
    pub(super) filtered: usize,
}

impl Resource {
    pub(super) fn has_followers(&self) -> bool {
        !self.followers.is_empty()
    }

    /// The newest generation of its subscribers and of their filters.
    pub(super) fn generation(&self) -> u64 {
        self.followers.last().map_or(0, |(generation, _)| *generation)
    }
}

/// What a subscriber is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Every document.
    All,
    /// Those that its filter is true of.
    Some,
    /// Those changes that its filter is true of, which compares what comes with what it has.
    Changes,
}

/// A subscriber.
#[derive(Debug, Clone)]
pub(super) struct Follower {
    pub(super) resource: String,
    pub(super) generation: u64,
    pub(super) every: bool,
    pub(super) wish: Wish,
    /// When its filter was changed last.
    pub(super) filter_since: u64,
    pub(super) former: Vec<Former>,
}

/// A filter that a subscriber had.
#[derive(Debug, Clone)]
pub(super) struct Former {
    until: u64,
    wish: Wish,
    filter: Option<String>,
}

/// What looked at a document for a subscriber, when it changed last.
#[derive(Debug, Clone, Copy)]
pub(super) enum Looked<'f> {
    /// Nothing: it was not there yet.
    Nothing,
    /// A filter that it had then.
    Former(&'f Former),
    /// The filter that it has.
    Present,
}

impl Follower {
    pub(super) fn looked(&self, document: &StoredDocument) -> Looked<'_> {
        if document.generation < self.generation {
            return Looked::Nothing;
        }
        let former = self.former.iter().find(|former| document.generation < former.until);
        former.map_or(Looked::Present, Looked::Former)
    }

    /// Whether its filter has not looked at a document yet, and another one of it has: what is implied now is not what will be.
    pub(super) fn is_to_look_at(&self, document: Option<&StoredDocument>) -> bool {
        document.is_some_and(|document| matches!(self.looked(document), Looked::Former(_)))
    }

    /// Its place among the subscribers: who decided before it was in the table with its filter is of an earlier generation.
    pub(super) fn newest(&self) -> u64 {
        self.generation.max(self.filter_since)
    }
}

impl Former {
    /// What was compiled once and cannot be any more was true of nothing.
    fn new(former: &FormerFilter) -> Self {
        let FormerFilter { until, filter } = former.clone();
        Self { until, wish: wish(filter.as_deref()).unwrap_or(Wish::Some), filter }
    }

    /// Whether who had this filter has the document, as far as that is implied.
    pub(super) fn has(&self, compared: &Compared<'_>) -> bool {
        match (self.wish, &self.filter) {
            (Wish::All, _) => true,
            (Wish::Some, Some(filter)) => {
                let seen = compared.seen();
                let input = FilterInput { event: &seen, headers: &[], now: compared.now };
                tested(Expression::compile_for_documents, filter, input, &compared.body()).is_ok()
            }
            // What was told of changes is written down.
            _ => false,
        }
    }
}

/// What a subscriber with this filter is told of.
fn wish(filter: Option<&str>) -> Result<Wish, CompileError> {
    Ok(match filter.map(Expression::compile_for_documents).transpose()? {
        None => Wish::All,
        Some(expression) if expression.names_old() => Wish::Changes,
        Some(_) => Wish::Some,
    })
}

/// All of them.
pub(in crate::router) struct Resources {
    tree: ResourceTree,
    pub(super) resources: HashMap<String, Resource>,
    pub(super) followers: HashMap<String, Follower>,
    pub(super) filters: Filters,
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            tree: ResourceTree::default(),
            resources: HashMap::new(),
            followers: HashMap::new(),
            filters: Filters::new(Expression::compile_for_documents),
        }
    }
}

impl Resources {
    /// Adds or replaces a resource. Its subscribers stay.
    pub(in crate::router) fn put(
        &mut self,
        resource: &RoutingResource,
        path: &str,
    ) -> Result<(), Vec<Problem>> {
        let problem = |key: &str, error: String| vec![Problem::new(format!("{path}{key}"), error)];
        let pattern = ResourcePattern::parse(&resource.endpoint)
            .map_err(|error| problem("endpoint", error.to_string()))?;
        let layout = resource.format.as_deref().map(Layout::parse).transpose();
        let layout = layout.map_err(|error| problem("change.format", error.to_string()))?;
        if let Some(old) = self.resources.get(&resource.id) {
            self.tree.remove(&old.pattern, &resource.id);
        }
        if let Err(other) = self.tree.insert(&pattern, &resource.id) {
            if let Some(old) = self.resources.get(&resource.id) {
                // It had a place of its own before.
                let _ = self.tree.insert(&old.pattern, &resource.id);
            }
            let message = format!("endpoint already associated to another resource '{other}'");
            return Err(problem("endpoint", message));
        }
        let change = Change { field: resource.field.clone(), layout };
        let tombstones = resource.tombstones;
        match self.resources.get_mut(&resource.id) {
            Some(known) => (known.pattern, known.change, known.tombstones) = (pattern, change, tombstones),
            None => {
                let new = Resource {
                    pattern,
                    change,
                    tombstones,
                    followers: BTreeSet::new(),
                    refiltered: BTreeSet::new(),
                    comparing: BTreeSet::new(),
                    filtered: 0,
                };
                self.resources.insert(resource.id.clone(), new);
            }
        }
        Ok(())
    }

    /// Removes a resource; an unknown id is no error.
    pub(in crate::router) fn delete(&mut self, id: &str) -> Result<(), Vec<Problem>> {
        if self.resources.get(id).is_some_and(Resource::has_followers) {
            let message = format!("there are subscriptions associated with this resource '{id}'");
            return Err(vec![Problem::new("", message)]);
        }
        if let Some(resource) = self.resources.remove(id) {
            self.tree.remove(&resource.pattern, id);
        }
        Ok(())
    }

    /// Adds or replaces a subscriber; on an error all is as it was.
    pub(in crate::router) fn follow(
        &mut self,
        id: &str,
        interest: &RoutingInterest,
        filter: Option<&str>,
        path: &str,
    ) -> Result<(), Vec<Problem>> {
        let RoutingInterest { resource, generation, every, filter_since, former } = interest;
        if !self.resources.contains_key(resource) {
            let problem =
                Problem::new(format!("{path}resource"), format!("there is no resource {resource:?}"));
            return Err(vec![problem]);
        }
        let wish = wish(filter).map_err(|error| filter_problems(error, path))?;
        self.forget(id);
        self.filters
            .put(id, std::slice::from_ref(resource), filter)
            .map_err(|error| filter_problems(error, path))?;
        let follower = Follower {
            resource: resource.clone(),
            generation: *generation,
            every: *every,
            wish,
            filter_since: *filter_since,
            former: former.iter().map(Former::new).collect(),
        };
        if let Some(resource) = self.resources.get_mut(resource) {
            resource.followers.insert((follower.newest(), id.to_owned()));
            if !follower.former.is_empty() {
                resource.refiltered.insert(id.to_owned());
            }
            match wish {
                Wish::All => {}
                Wish::Some => resource.filtered += 1,
                Wish::Changes => drop(resource.comparing.insert(id.to_owned())),
            }
        }
        self.followers.insert(id.to_owned(), follower);
        Ok(())
    }

    /// Removes a subscriber; an unknown id is no error.
    pub(in crate::router) fn forget(&mut self, id: &str) {
        let Some(follower) = self.followers.remove(id) else { return };
        self.filters.remove(id);
        let Some(resource) = self.resources.get_mut(&follower.resource) else { return };
        resource.followers.remove(&(follower.newest(), id.to_owned()));
        resource.refiltered.remove(id);
        match follower.wish {
            Wish::All => {}
            Wish::Some => resource.filtered -= 1,
            Wish::Changes => drop(resource.comparing.remove(id)),
        }
    }

    /// The resource that a document belongs to: the one that has it already, else the one whose pattern is the most specific.
    pub(super) fn of(&self, url: &DocumentUrl, keys: &mut dyn Keys) -> Result<Option<String>, String> {
        let candidates = self.tree.find(url);
        if let [_, _, ..] = candidates.as_slice() {
            for id in &candidates {
                if stored(id, url.as_str(), keys)?.is_some_and(|stored| stored.is_present()) {
                    return Ok(Some((*id).to_owned()));
                }
            }
        }
        Ok(candidates.first().map(|id| (*id).to_owned()))
    }

    /// The subscribers of a resource whose filter is true, and those whose filter failed.
    pub(super) fn select(&mut self, compared: &Compared<'_>) -> (HashSet<String>, Vec<FilterFailure>) {
        let body = compared.body();
        let seen = compared.seen();
        let (table, selection) = self.filters.open();
        let mut reading = table.read(Some(&body));
        let input = FilterInput { event: &seen, headers: &[], now: compared.now };
        let (intents, failures) = selection.select(input, &mut reading, &body);
        (intents.into_iter().map(|intent| intent.subscription).collect(), failures)
    }

    /// Whether a subscriber's filter is true; why not, otherwise.
    pub(super) fn wants(&self, id: &str, wish: Wish, compared: &Compared<'_>) -> Result<(), String> {
        if wish == Wish::All {
            return Ok(());
        }
        let seen = compared.seen();
        let input = FilterInput { event: &seen, headers: &[], now: compared.now };
        self.filters.test(id, input, &compared.body())
    }
}

/// What filters look at: a document as it comes, and as its subscriber has it.
pub(super) struct Compared<'a> {
    pub(super) resource: &'a str,
    pub(super) event: &'a Event,
    pub(super) new: &'a [u8],
    pub(super) old: Option<&'a [u8]>,
    pub(super) now: UnixMillis,
}

impl Compared<'_> {
    /// Both are JSON, which was looked at when they came.
    fn body(&self) -> Vec<u8> {
        let old = self.old.unwrap_or(b"null");
        let mut body = Vec::with_capacity(self.new.len() + old.len() + 16);
        for part in [&b"{\"new\":"[..], self.new, b",\"old\":", old, b"}"] {
            body.extend_from_slice(part);
        }
        body
    }

    /// In the table the resource stands where the sources of other subscriptions do. What a filter wants must not depend on what
    /// else there is to say of the event.
    fn seen(&self) -> Event {
        Event { source: self.resource.to_owned(), subject: self.event.subject.clone(), ..Event::default() }
    }
}

/// What is kept of a document.
pub(super) fn stored(
    resource: &str,
    url: &str,
    keys: &mut dyn Keys,
) -> Result<Option<StoredDocument>, String> {
    let bytes = keys.get(&document_key(resource, url))?;
    let found = bytes.as_deref().map(StoredDocument::decoded).transpose()?;
    // A key that is a digest could be another document's, were there two of one digest.
    match found {
        Some(found) if found.url != url => Err("two documents have one key".to_owned()),
        found => Ok(found),
    }
}

/// What is kept of what a subscriber has.
pub(super) fn held(id: &str, url: &str, keys: &mut dyn Keys) -> Result<Option<Holding>, String> {
    keys.get(&holding_key(id, url))?.as_deref().map(Holding::decoded).transpose()
}
