//! Which URLs the subscriptions of a resource have: no two have one in common.

use crate::subscription::{Subscription, Subscriptions};
use anglerfish_core::resource::Action;
use serde_json::Value;
use std::collections::HashMap;

/// The URLs, each with the subscription that has it. Looking one up costs the same with one subscription and with many.
#[derive(Debug, Default)]
pub(super) struct UrlTable {
    /// By resource and URL.
    owners: HashMap<(String, String), String>,
    /// How often a subscription had been written when this was made: see [`Subscriptions::written`].
    seen: Option<u64>,
}

impl UrlTable {
    /// The subscription of a resource that has one of these URLs, and the URL.
    pub(super) fn taken(
        &mut self,
        subscriptions: &Subscriptions,
        resource: &str,
        urls: &[String],
    ) -> Option<(String, String)> {
        let written = subscriptions.written();
        if self.seen != Some(written) {
            self.owners.clear();
            for entry in subscriptions.list(None, usize::MAX).0 {
                self.insert(&entry);
            }
            self.seen = Some(written);
        }
        urls.iter().find_map(|url| {
            let owner = self.owners.get(&(resource.to_owned(), url.clone()))?;
            // One that is gone has it no more.
            let entry = subscriptions.get(owner)?;
            let has = resource_of(entry.document()) == Some(resource)
                && urls_of(entry.document()).any(|other| other == *url);
            has.then(|| (owner.clone(), url.clone()))
        })
    }

    /// Takes up a subscription that was just written, the only one since the last look.
    pub(super) fn add(&mut self, subscriptions: &Subscriptions, entry: &Subscription) {
        self.insert(entry);
        let written = subscriptions.written();
        self.seen = self.seen.filter(|seen| seen + 1 == written).map(|_| written);
    }

    fn insert(&mut self, entry: &Subscription) {
        let Some(resource) = resource_of(entry.document()) else { return };
        for url in urls_of(entry.document()) {
            let _ = self.owners.insert((resource.to_owned(), url.to_owned()), entry.id.clone());
        }
    }
}

fn resource_of(document: &Value) -> Option<&str> {
    document.get("resource")?.as_str()
}

/// Every URL of a subscription's document.
fn urls_of(document: &Value) -> impl Iterator<Item = &str> {
    let endpoint = document.get("endpoint");
    let actions = endpoint.and_then(|endpoint| endpoint.get("actions"));
    let of_actions = Action::ALL.into_iter().filter_map(move |action| actions?.get(action.word()));
    endpoint.into_iter().chain(of_actions).filter_map(|place| place.get("url")?.as_str())
}
