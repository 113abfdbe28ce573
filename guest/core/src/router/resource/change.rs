//! A document that is put or deleted: what is news, and to whom.

use super::refilter::Formerly;
use super::table::{Compared, Looked, Resource, Resources, Wish, held, stored};
use super::{ANNOUNCED, CREATED, DELETED, GENERATION, INCARNATION, RESOURCE, REVISION, UPDATED};
use crate::decision::{AcceptedEvent, DocumentDecision, DocumentRejection, FilterFailure, Intent};
use crate::event::Event;
use crate::request::UnixMillis;
use crate::resource::{
    DOCUMENTS_SOURCE, DocumentState, DocumentUrl, Holding, StoredDocument, Told, document_key, holding_key,
};
use crate::router::order;
use crate::router::table::Router;
use crate::state::Keys;
use std::collections::{HashMap, HashSet};

/// A document that is put or deleted.
#[derive(Debug, Clone, Copy)]
pub struct DocumentChange<'a> {
    /// A name that the shell gives to this change and to no other.
    pub id: &'a str,
    /// The document's URL, as it stands in the request's path.
    pub url: &'a str,
    /// The document; `None` deletes it.
    pub body: Option<&'a [u8]>,
    /// When the shell received it.
    pub received: UnixMillis,
}

/// What became of a document, before those who listen to the log are asked.
pub(super) enum Changed {
    Nothing,
    Told { accepted: Box<AcceptedEvent>, is_public: bool },
    Rejected(DocumentRejection),
}

impl Router {
    /// The whole decision about a document that is put or deleted.
    pub fn change_document(&mut self, change: &DocumentChange<'_>, keys: &mut dyn Keys) -> DocumentDecision {
        match self.resources.change(change, keys) {
            Ok(Changed::Nothing) => DocumentDecision::Ignore,
            Ok(Changed::Rejected(rejection)) => DocumentDecision::Reject(rejection),
            Ok(Changed::Told { mut accepted, is_public }) => {
                if is_public {
                    let data = accepted.data.as_deref().or(change.body).unwrap_or_default();
                    let routing = self.route(&accepted.event, &[], data, change.received);
                    accepted.intents.extend(routing.intents);
                    accepted.failures.extend(routing.failures);
                }
                DocumentDecision::Accept(accepted)
            }
            Err(reason) => DocumentDecision::Reject(DocumentRejection::unavailable(&reason)),
        }
    }
}

impl Resources {
    fn change(&mut self, change: &DocumentChange<'_>, keys: &mut dyn Keys) -> Result<Changed, String> {
        let url = match DocumentUrl::from_path(change.url) {
            Ok(url) => url,
            Err(error) => return Ok(rejected(400, "invalid id", &error.to_string())),
        };
        let Some(resource) = self.of(&url, keys)? else {
            let detail = format!("could not found a resource for this uri '{url}'");
            return Ok(rejected(404, "error during resource search", &detail));
        };
        match change.body {
            Some(body) => self.put_document(&resource, &url, body, change, keys),
            None => self.delete_document(&resource, &url, change, keys),
        }
    }

    fn put_document(
        &mut self,
        id: &str,
        url: &DocumentUrl,
        body: &[u8],
        change: &DocumentChange<'_>,
        keys: &mut dyn Keys,
    ) -> Result<Changed, String> {
        // Nobody is told, so nothing is looked at: whoever subscribes later gets it with the next revision.
        let Some(resource) = self.resources.get(id).filter(|resource| resource.has_followers()) else {
            // What is kept of it since somebody subscribed is not what there is any more.
            if stored(id, url.as_str(), keys)?.is_some_and(|stored| stored.is_present()) {
                keys.delete(&document_key(id, url.as_str()))?;
            }
            return Ok(Changed::Nothing);
        };
        let revision = match resource.change.revision(body) {
            Ok(revision) => revision,
            Err(error) => return Ok(rejected(400, "invalid body", &error.to_string())),
        };
        let generation = resource.generation();
        let before = stored(id, url.as_str(), keys)?;
        let is_older = |stored: &StoredDocument| revision.value() <= stored.revision.value();
        let before = match before {
            Some(stored) if stored.is_present() && is_older(&stored) => {
                return self.catch_up(id, stored, generation, change, keys);
            }
            Some(stored)
                if matches!(stored.state, DocumentState::Deleted { until } if until > change.received)
                    && is_older(&stored) =>
            {
                return Ok(Changed::Nothing);
            }
            before => before.filter(StoredDocument::is_present),
        };
        let now = StoredDocument {
            url: url.as_str().to_owned(),
            state: DocumentState::Present,
            revision,
            born: before.as_ref().map_or_else(|| change.id.to_owned(), |before| before.born.clone()),
            entry: change.id.to_owned(),
            generation: before.as_ref().map_or(generation, |before| before.generation.max(generation)),
            updated: change.received,
            content: body.to_vec(),
        };
        let kind = if before.is_some() { UPDATED } else { CREATED };
        let event = event((id, generation), kind, &now, change);
        let old = before.as_ref().map(|before| before.content.as_slice());
        let compared = Compared { resource: id, event: &event, new: body, old, now: change.received };
        let (wanted, mut failures) = self.select(&compared);
        let (had, formerly) = match &before {
            Some(before) => self.had(id, before, &event, change.received, keys)?,
            None => (HashSet::new(), HashMap::new()),
        };
        let left = had.iter().filter(|id| !wanted.contains(*id) && self.wish(id) == Some(Wish::Some));
        if before.is_none() {
            // There is nothing to compare with yet, which is no fault.
            failures.retain(|failure| self.wish(&failure.subscription) != Some(Wish::Changes));
        }
        let mut intents = Vec::with_capacity(wanted.len());
        for subscriber in wanted.iter().chain(left) {
            self.hold(subscriber, before.as_ref(), (&had, &formerly), keys, url.as_str())?;
            intents.push(intent(subscriber, url.as_str()));
        }
        for (subscriber, (has, _)) in formerly {
            // Who compares from now on is passed over with this one, and has what it had.
            let is_passed = self.wish(&subscriber) == Some(Wish::Changes) && !wanted.contains(&subscriber);
            if is_passed && has.told.is_some() {
                let has = Holding { content: None, ..has };
                keys.set(&holding_key(&subscriber, url.as_str()), &has.encoded())?;
            }
        }
        keys.set(&document_key(id, url.as_str()), &now.encoded())?;
        Ok(told(event, None, intents, failures, true))
    }

    /// A revision that is not newer is none, but for those who subscribed or changed their filter since it was looked at: each
    /// gets the newest.
    fn catch_up(
        &mut self,
        id: &str,
        stored: StoredDocument,
        generation: u64,
        change: &DocumentChange<'_>,
        keys: &mut dyn Keys,
    ) -> Result<Changed, String> {
        if generation <= stored.generation {
            return Ok(Changed::Nothing);
        }
        let event = event((id, generation), ANNOUNCED, &stored, change);
        let now = change.received;
        let (mut wanted, failures) =
            self.select(&Compared { resource: id, event: &event, new: &stored.content, old: None, now });
        let is_late =
            |id: &str| self.followers.get(id).is_some_and(|follower| follower.generation > stored.generation);
        wanted.retain(|id| is_late(id));
        let failures = failures.into_iter().filter(|failure| {
            is_late(&failure.subscription) && self.wish(&failure.subscription) == Some(Wish::Some)
        });
        let failures: Vec<FilterFailure> = failures.collect();
        let refiltered =
            self.resources.get(id).map(|resource| resource.refiltered.clone()).unwrap_or_default();
        let refiltered: Vec<_> = refiltered
            .iter()
            .filter_map(|id| Some((id.as_str(), self.followers.get(id)?)))
            .filter(|(_, follower)| matches!(follower.looked(&stored), Looked::Former(_)))
            .collect();
        // A filter that fails is told of, also where nobody else wants it: that is written down as the others' is.
        if wanted.is_empty() && failures.is_empty() && refiltered.is_empty() {
            return Ok(Changed::Nothing);
        }
        let mut intents = Vec::with_capacity(wanted.len());
        for subscriber in &wanted {
            self.hold(subscriber, None, (&HashSet::new(), &HashMap::new()), keys, &stored.url)?;
            intents.push(intent(subscriber, &stored.url));
        }
        for subscriber in refiltered {
            if self.refilter(subscriber, &event, &stored, now, keys)? {
                intents.push(intent(subscriber.0, &stored.url));
            }
        }
        let stored = StoredDocument { generation, ..stored };
        keys.set(&document_key(id, &stored.url), &stored.encoded())?;
        if intents.is_empty() && failures.is_empty() {
            return Ok(Changed::Nothing);
        }
        Ok(told(event, Some(stored.content), intents, failures, false))
    }

    fn delete_document(
        &mut self,
        id: &str,
        url: &DocumentUrl,
        change: &DocumentChange<'_>,
        keys: &mut dyn Keys,
    ) -> Result<Changed, String> {
        let Some(before) = stored(id, url.as_str(), keys)?.filter(StoredDocument::is_present) else {
            return Ok(Changed::Nothing);
        };
        let generation = self.resources.get(id).map_or(0, Resource::generation);
        let event = event((id, generation), DELETED, &before, change);
        let now = change.received;
        let (mut has, _) =
            self.select(&Compared { resource: id, event: &event, new: &before.content, old: None, now });
        has.retain(|id| self.wish(id).is_some_and(|wish| wish != Wish::Changes));
        self.retain_known(&mut has, &before, keys)?;
        let formerly = self.formerly(id, &before, &event, keys)?;
        count_former(&mut has, &formerly);
        // Of those that are told of changes nobody can say what they have but what is kept of them: that they were told, or are
        // about to be.
        let comparing = self.resources.get(id).map(|resource| resource.comparing.clone()).unwrap_or_default();
        for subscriber in comparing {
            let Some(held) = held(&subscriber, url.as_str(), keys)? else { continue };
            if held.told.is_none() && held.content.is_some() {
                // What was passed over is gone: the next document of this URL is another one.
                let nothing = Holding { content: None, ..held };
                keys.set(&holding_key(&subscriber, url.as_str()), &nothing.encoded())?;
            }
            has.insert(subscriber);
        }
        let mut intents = Vec::with_capacity(has.len());
        for subscriber in &has {
            self.hold(subscriber, Some(&before), (&has, &formerly), keys, url.as_str())?;
            intents.push(intent(subscriber, url.as_str()));
        }
        let key = document_key(id, url.as_str());
        match self.resources.get(id).and_then(|resource| resource.tombstones) {
            Some(kept) => {
                let until = UnixMillis(now.0.saturating_add(kept));
                let state = DocumentState::Deleted { until };
                let buried = StoredDocument { state, content: Vec::new(), updated: now, ..before.clone() };
                keys.set(&key, &buried.encoded())?;
            }
            None => keys.delete(&key)?,
        }
        Ok(told(event, Some(before.content), intents, Vec::new(), true))
    }

    pub(super) fn wish(&self, id: &str) -> Option<Wish> {
        self.followers.get(id).map(|follower| follower.wish)
    }

    /// Those whose filter was true of a document as it was, and who were there then; and what those have who had another filter
    /// then. Who has no filter is not looked at.
    fn had(
        &mut self,
        resource: &str,
        before: &StoredDocument,
        event: &Event,
        now: UnixMillis,
        keys: &mut dyn Keys,
    ) -> Result<(HashSet<String>, Formerly), String> {
        if self.resources.get(resource).is_none_or(|known| known.filtered == 0 && known.refiltered.is_empty())
        {
            return Ok((HashSet::new(), HashMap::new()));
        }
        let (mut had, _) = self.select(&Compared { resource, event, new: &before.content, old: None, now });
        self.retain_known(&mut had, before, keys)?;
        let formerly = self.formerly(resource, before, event, keys)?;
        count_former(&mut had, &formerly);
        Ok((had, formerly))
    }

    /// Leaves those that may have a document: who was there when it was looked at for all, and who came later and was told of
    /// it alone, or is about to be.
    fn retain_known(
        &self,
        ids: &mut HashSet<String>,
        before: &StoredDocument,
        keys: &mut dyn Keys,
    ) -> Result<(), String> {
        let late = |id: &String| {
            self.followers.get(id).is_none_or(|follower| follower.generation > before.generation)
        };
        let late: Vec<String> = ids.iter().filter(|id| late(id)).cloned().collect();
        for id in late {
            if held(&id, &before.url, keys)?.is_none() {
                ids.remove(&id);
            }
        }
        Ok(())
    }

    /// Writes down what a subscriber has before it is told, unless that is known of an earlier change that is still on its
    /// way.
    fn hold(
        &self,
        id: &str,
        before: Option<&StoredDocument>,
        (had, formerly): (&HashSet<String>, &Formerly),
        keys: &mut dyn Keys,
        url: &str,
    ) -> Result<(), String> {
        let Some(follower) = self.followers.get(id) else { return Ok(()) };
        let seen = before.filter(|before| follower.generation <= before.generation);
        let known = held(id, url, keys)?;
        let content = |seen: Option<&StoredDocument>| seen.map(|seen| seen.content.clone());
        let holding = match (known, follower.wish) {
            // It has been told of this one, or was passed over with it. Who is about to be told of a first one compares with
            // nothing, whatever came meanwhile.
            (Some(held), Wish::Changes)
                if held.content.is_none()
                    && seen
                        .is_some_and(|seen| held.told.is_some() || !self.wants_first(id, follower, seen)) =>
            {
                Holding { content: content(seen), ..held }
            }
            (Some(held), Wish::Some)
                if held.content.is_none() && held.told.is_some() && held.told == seen.map(told_of) =>
            {
                Holding { content: content(seen), ..held }
            }
            (Some(_), _) => return Ok(()),
            (None, _) if let Some((has, _)) = formerly.get(id) => has.clone(),
            (None, Wish::All) => Holding { told: seen.map(told_of), ..Holding::default() },
            (None, Wish::Changes) => Holding { content: content(seen), ..Holding::default() },
            (None, Wish::Some) => {
                let seen = seen.filter(|_| had.contains(id));
                Holding { told: seen.map(told_of), content: content(seen), doubt: false }
            }
        };
        keys.set(&holding_key(id, url), &holding.encoded())
    }
}

/// Counts those among those who have a document who have it by what they had before, and no others of them.
fn count_former(had: &mut HashSet<String>, formerly: &Formerly) {
    for (id, (has, is_held)) in formerly {
        // What is on its way may have been told by the time that its answer comes.
        if *is_held || has.told.is_some() {
            had.insert(id.clone());
        } else {
            had.remove(id);
        }
    }
}

pub(super) fn told_of(stored: &StoredDocument) -> Told {
    Told { born: stored.born.clone(), revision: stored.revision }
}

/// Deliveries of one subscriber and one document are made one after another.
pub(super) fn intent(subscription: &str, url: &str) -> Intent {
    let ordering_key = Some(order::bounded(url));
    Intent { subscription: subscription.to_owned(), ordering_key, body: None }
}

/// The log's entry of a change, decided by the filters of a generation.
pub(super) fn event(
    (resource, generation): (&str, u64),
    kind: &str,
    document: &StoredDocument,
    change: &DocumentChange<'_>,
) -> Event {
    let extension = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Event {
        id: change.id.to_owned(),
        source: DOCUMENTS_SOURCE.to_owned(),
        kind: kind.to_owned(),
        subject: Some(document.url.clone()),
        time: change.received,
        datacontenttype: Some("application/json".to_owned()),
        extensions: [
            extension(RESOURCE, resource),
            extension(REVISION, &document.revision.text()),
            extension(INCARNATION, &document.born),
            extension(GENERATION, &generation.to_string()),
        ]
        .into_iter()
        .collect(),
    }
}

fn told(
    event: Event,
    data: Option<Vec<u8>>,
    intents: Vec<Intent>,
    failures: Vec<FilterFailure>,
    is_public: bool,
) -> Changed {
    let accepted = AcceptedEvent { event, data, intents, failures };
    Changed::Told { accepted: Box::new(accepted), is_public }
}

fn rejected(status: u16, title: &str, detail: &str) -> Changed {
    Changed::Rejected(DocumentRejection { status, title: title.to_owned(), detail: detail.to_owned() })
}
