//! What is wrong or odd in a configuration whose parts are valid each by itself.

use crate::gateway::routing::source_facts;
use anglerfish_core::config::{Document, SubscriptionConfig, item_path, key_path};
use anglerfish_core::problem::Problem;
use anglerfish_core::router::{RoutingDocument, RoutingSubscription, SourceFacts, review_filter};
use anglerfish_core::verify::Verifier;
use anglerfish_filter::Expression;
use serde_json::Value;
use std::time::Duration;

/// What is odd about the filters of a document that has no problems, of the sources that there are.
pub(super) fn reviewed(document: &Document) -> Vec<Problem> {
    let routing = RoutingDocument::from(document);
    let sources: Vec<SourceFacts<'_>> = routing.source.iter().map(source_facts).collect();
    let review = |(path, subscription): &(String, SubscriptionConfig)| {
        let found = review_filter(&RoutingSubscription::from(subscription), &sources);
        let path = path.clone();
        found.into_iter().map(move |problem| Problem { path: key_path(&path, &problem.path), ..problem })
    };
    document.subscriptions.iter().flat_map(review).collect()
}

/// What is wrong with the filters. When all else is well the component says that, and once is enough at start.
pub(super) fn filter_problems(subscriptions: &[Value]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, subscription) in subscriptions.iter().enumerate() {
        let Some(filter) = subscription.get("filter").and_then(Value::as_str) else { continue };
        // That one is empty is said where it is read.
        let Err(error) = Expression::compile(filter) else { continue };
        let path = key_path(&item_path("subscription", index), "filter");
        problems.extend(error.problems.into_iter().filter(|_| !filter.trim().is_empty()).map(|problem| {
            Problem {
                line: u32::try_from(problem.line).ok(),
                column: u32::try_from(problem.column).ok(),
                ..Problem::new(path.clone(), problem.message)
            }
        }));
    }
    problems
}

/// What was accepted is remembered for as long as it is kept: shorter than it is fresh would let it be replayed.
pub(super) fn forgetful(source: &str, verifier: &Verifier, retention: Duration) -> Option<Problem> {
    let window = Duration::from_secs(verifier.replay_window());
    (retention < window).then(|| {
        let message = format!(
            "is shorter than the window of source {source:?}, in which a request that was forgotten could come again"
        );
        let hint = format!("keep events for {} s at least, or narrow the source's tolerance", window.as_secs());
        Problem::new("store.retention", message).with_hint(hint)
    })
}
