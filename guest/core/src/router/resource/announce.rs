//! Telling a subscriber of a document that did not change: what was there before it subscribed, and what it has lost.

use super::ANNOUNCED;
use super::change::{DocumentChange, event, intent};
use super::table::{Compared, Resources, Wish, held, stored};
use crate::decision::{AcceptedEvent, DocumentDecision, DocumentRejection};
use crate::resource::{DocumentUrl, Holding, StoredDocument, holding_key};
use crate::router::table::Router;
use crate::state::Keys;

impl Router {
    /// Tells one subscriber of a document that is there, if it wants it and has not got it. With `lost` it has nothing of it
    /// any more, whatever it was told.
    pub fn announce_document(
        &mut self,
        subscription: &str,
        change: &DocumentChange<'_>,
        lost: bool,
        keys: &mut dyn Keys,
    ) -> DocumentDecision {
        self.resources
            .announce(subscription, change, lost, keys)
            .unwrap_or_else(|reason| DocumentDecision::Reject(DocumentRejection::unavailable(&reason)))
    }
}

impl Resources {
    fn announce(
        &self,
        id: &str,
        change: &DocumentChange<'_>,
        lost: bool,
        keys: &mut dyn Keys,
    ) -> Result<DocumentDecision, String> {
        // It is on disk before it is in the table: to ignore it would count as told.
        let Some(follower) = self.followers.get(id) else {
            return Err(format!("the subscription {id:?} is not in the table yet"));
        };
        let url = DocumentUrl::parse(change.url).map_err(|error| error.to_string())?;
        let kept = stored(&follower.resource, url.as_str(), keys)?;
        let Some(document) = kept.filter(StoredDocument::is_present) else {
            return Ok(DocumentDecision::Ignore);
        };
        // It was told of this one when it changed, or is about to be.
        if !lost && follower.generation <= document.generation {
            return Ok(DocumentDecision::Ignore);
        }
        let event = event(&follower.resource, ANNOUNCED, &document, change);
        let compared = Compared {
            resource: &follower.resource,
            event: &event,
            new: &document.content,
            old: None,
            now: change.received,
        };
        if self.wants(id, follower.wish, &compared).is_err() {
            return Ok(DocumentDecision::Ignore);
        }
        if lost || held(id, url.as_str(), keys)?.is_none() {
            // Who lost all may have lost less: should the document end before it is told anew, it is told of the end.
            let content = (lost && follower.wish == Wish::Some).then(|| document.content.clone());
            let holding = Holding { content, doubt: lost, ..Holding::default() };
            keys.set(&holding_key(id, url.as_str()), &holding.encoded())?;
        }
        Ok(DocumentDecision::Accept(Box::new(AcceptedEvent {
            event,
            data: Some(document.content),
            intents: vec![intent(id, url.as_str())],
            failures: Vec::new(),
        })))
    }
}
