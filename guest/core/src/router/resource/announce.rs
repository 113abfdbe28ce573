//! Telling a subscriber of a document that did not change: what was there before it subscribed, what it has lost, and what another
//! filter wants.

use super::ANNOUNCED;
use super::change::{DocumentChange, event, intent};
use super::table::{Compared, Follower, Looked, Resource, Resources, Wish, held, stored};
use crate::decision::{AcceptedEvent, DocumentDecision, DocumentRejection};
use crate::event::Event;
use crate::request::UnixMillis;
use crate::resource::{DocumentUrl, Holding, StoredDocument, holding_key};
use crate::router::table::Router;
use crate::state::Keys;

/// Why a subscriber is told of a document that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announcement {
    /// It came later than the document, and wants what was there before.
    Missed,
    /// It has nothing of it any more, whatever it was told.
    Lost,
    /// It has another filter than when the document changed.
    Refiltered,
}

impl Router {
    /// Tells one subscriber of a document that is there, if that is news to it.
    pub fn announce_document(
        &mut self,
        subscription: &str,
        change: &DocumentChange<'_>,
        why: Announcement,
        keys: &mut dyn Keys,
    ) -> DocumentDecision {
        self.resources
            .announce(subscription, change, why, keys)
            .unwrap_or_else(|reason| DocumentDecision::Reject(DocumentRejection::unavailable(&reason)))
    }
}

impl Resources {
    fn announce(
        &self,
        id: &str,
        change: &DocumentChange<'_>,
        why: Announcement,
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
        let generation = self.resources.get(&follower.resource).map_or(0, Resource::generation);
        let event = event((follower.resource.as_str(), generation), ANNOUNCED, &document, change);
        let subscriber = (id, follower);
        let is_told = match (why, follower.looked(&document)) {
            (Announcement::Lost, _) => self.lost(subscriber, &event, &document, change.received, keys)?,
            // It was told of this one when it changed, or is about to be.
            (_, Looked::Present) => false,
            (_, Looked::Former(_)) => self.refilter(subscriber, &event, &document, change.received, keys)?,
            (why, Looked::Nothing) => {
                let wants = why == Announcement::Missed
                    && self.wants_now(subscriber, &event, &document, change.received);
                match held(id, url.as_str(), keys)? {
                    // It was told of it alone, by a filter that may have been another one.
                    Some(_) => wants || !follower.former.is_empty(),
                    None if wants => {
                        keys.set(&holding_key(id, url.as_str()), &Holding::default().encoded())?;
                        true
                    }
                    None => false,
                }
            }
        };
        if !is_told {
            return Ok(DocumentDecision::Ignore);
        }
        Ok(DocumentDecision::Accept(Box::new(AcceptedEvent {
            event,
            data: Some(document.content),
            intents: vec![intent(id, url.as_str())],
            failures: Vec::new(),
        })))
    }

    /// Writes down that a subscriber has nothing of a document any more. Says whether there may be something to tell.
    fn lost(
        &self,
        subscriber: (&str, &Follower),
        event: &Event,
        document: &StoredDocument,
        now: UnixMillis,
        keys: &mut dyn Keys,
    ) -> Result<bool, String> {
        let (id, follower) = subscriber;
        let key = holding_key(id, &document.url);
        if self.wants_now(subscriber, event, document, now) {
            // Who lost all may have lost less: should the document end before it is told anew, it is told of the end.
            let content = (follower.wish == Wish::Some).then(|| document.content.clone());
            keys.set(&key, &Holding { content, doubt: true, ..Holding::default() }.encoded())?;
            return Ok(true);
        }
        // It may have been told of it anew already, by the filter that it had when it began to be.
        if follower.former.is_empty() {
            return Ok(false);
        }
        if held(id, &document.url, keys)?.is_some() {
            return Ok(follower.wish != Wish::Changes);
        }
        let has = self.implied(id, follower, event, Some(document));
        if has.told.is_none() {
            return Ok(false);
        }
        keys.set(&key, &has.encoded())?;
        Ok(follower.wish != Wish::Changes)
    }

    /// Whether a subscriber's filter wants a document of which it has nothing.
    pub(super) fn wants_now(
        &self,
        (id, follower): (&str, &Follower),
        event: &Event,
        document: &StoredDocument,
        now: UnixMillis,
    ) -> bool {
        let compared =
            Compared { resource: &follower.resource, event, new: &document.content, old: None, now };
        self.wants(id, follower.wish, &compared).is_ok()
    }
}
