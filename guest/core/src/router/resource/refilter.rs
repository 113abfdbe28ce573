//! Subscribers whose filter was changed: what they have by the filter before, and whether that is news to the new one.

use super::change::told_of;
use super::table::{Follower, Looked, Resources, Wish, held};
use crate::event::Event;
use crate::request::UnixMillis;
use crate::resource::{Holding, StoredDocument, holding_key};
use crate::state::Keys;
use std::collections::HashMap;

/// What subscribers have of a document, and whether that is written down: then something is on its way to them.
pub(super) type Formerly = HashMap<String, (Holding, bool)>;

impl Resources {
    /// What those have of a document whose filter has not looked at it yet, for another one of theirs did.
    pub(super) fn formerly(
        &self,
        resource: &str,
        document: &StoredDocument,
        event: &Event,
        keys: &mut dyn Keys,
    ) -> Result<Formerly, String> {
        let mut found = HashMap::new();
        let refiltered = self.resources.get(resource).map(|resource| &resource.refiltered);
        for id in refiltered.into_iter().flatten() {
            let Some(follower) = self.followers.get(id) else { continue };
            if let Looked::Former(_) = follower.looked(document) {
                let has = match held(id, &document.url, keys)? {
                    Some(held) => (held, true),
                    None => (self.implied(id, follower, event, Some(document)), false),
                };
                found.insert(id.clone(), has);
            }
        }
        Ok(found)
    }

    /// Has its new filter look at a document for a subscriber that none but a former one has looked at, and writes down what it
    /// has, if that is not implied by the new one. Says whether there may be something to tell.
    pub(super) fn refilter(
        &self,
        (id, follower): (&str, &Follower),
        event: &Event,
        document: &StoredDocument,
        now: UnixMillis,
        keys: &mut dyn Keys,
    ) -> Result<bool, String> {
        // What is written down is about to be told of, or was given up: whether there is news is settled when its delivery runs.
        if held(id, &document.url, keys)?.is_some() {
            return Ok(follower.wish != Wish::Changes);
        }
        let has = self.implied(id, follower, event, Some(document));
        let key = holding_key(id, &document.url);
        if follower.wish == Wish::Changes {
            // A filter that is changed is no change of the document. But of its end it is to be told.
            if has.told.is_some() {
                keys.set(&key, &Holding { content: None, ..has }.encoded())?;
            }
            return Ok(false);
        }
        let wants = self.wants_now((id, follower), event, document, now);
        if wants == (has.told == Some(told_of(document))) {
            return Ok(false);
        }
        keys.set(&key, &has.encoded())?;
        Ok(true)
    }
}
