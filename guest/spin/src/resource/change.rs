//! A document that is put or deleted.

use super::turn::{self, Held, TurnError};
use crate::binding::types;
use crate::bucket::Bucket;
use crate::outbox::outbox;
use crate::table::Table;
use crate::{clock, convert, diagnostic, ingress};
use anglerfish_core::decision::{AcceptedEvent, DocumentDecision, DocumentRejection};
use anglerfish_core::edge::{Bucket as _, NewEvent, Owed, owed_key, subscription_of};
use anglerfish_core::resource::{DocumentUrl, StoredDocument, document_key};
use std::rc::Rc;

/// How long others are waited for that change the same document, in milliseconds.
const PATIENCE: u64 = 5_000;

/// The longest document, in bytes: with what is kept of it, it is less than what every store takes.
pub(super) const LONGEST: usize = 1_000_000;

/// How much of one change the component may write, in bytes. To each subscriber whose filter is to compare with what it has, that is
/// written anew.
const MOST_WRITTEN: usize = 16 * 1024 * 1024;

/// Why a document was not taken. Nothing was written, or nobody knows.
#[derive(Debug)]
pub(super) enum ChangeError {
    /// The component refuses it.
    Rejected(DocumentRejection),
    /// There is no usable configuration.
    Unusable(String),
    /// It cannot be kept now.
    Unavailable(String),
    /// Others change the same document.
    Contended,
    /// What would have to be written for it is too much.
    TooMuch,
}

impl From<TurnError> for ChangeError {
    fn from(error: TurnError) -> Self {
        match error {
            TurnError::Table(crate::table::TableError::Store(reason)) => Self::Unavailable(reason),
            TurnError::Table(error) => Self::Unusable(error.to_string()),
            TurnError::Store(reason) => Self::Unavailable(reason),
        }
    }
}

/// Puts a document, or deletes it if there is no body. When this returns it is kept, with everything that follows; its subscribers are
/// told from then on.
pub(super) async fn change(url: &DocumentUrl, body: Option<Vec<u8>>) -> Result<(), ChangeError> {
    let Some(held) = turn::take(url.as_str(), PATIENCE).await? else { return Err(ChangeError::Contended) };
    let units = match decide(&held, url, body) {
        Ok(units) => units,
        Err(error) => {
            held.give_back();
            return Err(error);
        }
    };
    if !units.is_empty() {
        ingress::send(Rc::clone(&held.table), units);
    }
    Ok(())
}

/// Decides and writes, in the turn. The store is all that is waited for, so that a client that hangs up breaks nothing off.
fn decide(
    held: &Held,
    url: &DocumentUrl,
    body: Option<Vec<u8>>,
) -> Result<Vec<anglerfish_core::edge::Unit>, ChangeError> {
    let table = &held.table;
    let received = clock::now();
    let change = types::DocumentChange {
        id: clock::request_id(received),
        // As it would stand in an address: the component undoes escapes once.
        url: url.as_str().replace('%', "%25"),
        body: body.clone(),
        received,
    };
    table.router.hold_writes();
    let decision = convert::document_decision(table.router.change_document(&change));
    let writes = table.router.take_writes();
    let accepted = match decision {
        DocumentDecision::Accept(accepted) => Some(*accepted),
        DocumentDecision::Ignore => None,
        DocumentDecision::Reject(rejection) => return Err(ChangeError::Rejected(rejection)),
        DocumentDecision::Other(name) => {
            let reason = format!("this version does not know the decision {name:?}");
            return Err(ChangeError::Unavailable(reason));
        }
    };
    if writes.iter().map(|write| write.value.as_ref().map_or(0, Vec::len)).sum::<usize>() > MOST_WRITTEN {
        return Err(ChangeError::TooMuch);
    }
    let (mut last, mut deleted) = written(writes);
    let mut events: Vec<NewEvent> =
        accepted.and_then(|accepted| entry(accepted, body, received)).into_iter().collect();
    let told: Vec<String> = events.iter().flat_map(|event| event.deliveries.iter().cloned()).collect();
    if let Some(revived) = owed(table, url, &told, received).map_err(ChangeError::Unavailable)? {
        events.extend(revived);
        last.push((owed_key(url.as_str()), Vec::new()));
        deleted.push(owed_key(url.as_str()));
    }
    deleted.push(held.key());
    if !held.is_in_time() {
        return Err(ChangeError::Contended);
    }
    let kept = match events.is_empty() {
        true => Bucket::open().and_then(|bucket| bucket.set_many(last)).map(|()| Vec::new()),
        false => outbox(|outbox| outbox.keep_with(events, last)),
    };
    let units = kept.map_err(ChangeError::Unavailable)?;
    turn::forget(deleted);
    Ok(units)
}

/// What the component has written, as it is set, and what of it is deleted after that: a store sets and deletes nothing in one
/// write, and what has no length is none for the component.
pub(crate) fn written(writes: Vec<types::Write>) -> (Vec<(String, Vec<u8>)>, Vec<String>) {
    let deleted =
        writes.iter().filter(|write| write.value.is_none()).map(|write| write.key.clone()).collect();
    let set =
        writes.into_iter().map(|types::Write { key, value }| (key, value.unwrap_or_default())).collect();
    (set, deleted)
}

/// The entry of a change, if anybody is to be told of it.
fn entry(accepted: AcceptedEvent, body: Option<Vec<u8>>, received: u64) -> Option<NewEvent> {
    let AcceptedEvent { event, data, intents, failures } = accepted;
    let about = event.subject.as_deref().unwrap_or_default();
    for failure in &failures {
        diagnostic::report(&format!(
            "document {about:?}: the filter of {:?} failed: {}",
            subscription_of(&failure.subscription),
            failure.reason
        ));
    }
    if intents.is_empty() {
        return None;
    }
    let of = |name: &str| subscription_of(name).to_owned();
    Some(NewEvent {
        data: data.or(body).unwrap_or_default(),
        event,
        received,
        deliveries: intents.iter().map(|intent| of(&intent.subscription)).collect(),
        failures: failures
            .into_iter()
            .map(|mut failure| {
                failure.subscription = of(&failure.subscription);
                failure.into()
            })
            .collect(),
    })
}

/// What was given up of a document and is tried again with this change of it, each as an entry of its own; `None` if nothing was. Who
/// is told of the change in any case is told by that.
fn owed(
    table: &Table,
    url: &DocumentUrl,
    told: &[String],
    received: u64,
) -> Result<Option<Vec<NewEvent>>, String> {
    let Some(list) = owed_list(url.as_str())? else { return Ok(None) };
    let mut events = Vec::new();
    for Owed { subscription, event } in list {
        if told.contains(&subscription) || table.directory.follower(&subscription).is_none() {
            continue;
        }
        let data = outbox(|outbox| outbox.data(&event.source, &event.id))?.unwrap_or_default();
        let event = anglerfish_core::event::Event { id: clock::request_id(received), ..event };
        let deliveries = vec![subscription];
        events.push(NewEvent { event, data, received, deliveries, failures: Vec::new() });
    }
    Ok(Some(events))
}

/// What is owed of a document, if anything is.
pub(super) fn owed_list(url: &str) -> Result<Option<Vec<Owed>>, String> {
    let Some(value) = Bucket::open()?.get(&owed_key(url))?.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    match serde_json::from_slice(&value) {
        Ok(list) => Ok(Some(list)),
        Err(error) => Err(format!("what is owed of a document cannot be read: {error}")),
    }
}

/// A document that is there, with the resource that has it.
pub(super) fn read(table: &Table, url: &DocumentUrl) -> Result<Option<(String, StoredDocument)>, String> {
    let bucket = Bucket::open()?;
    for resource in table.directory.tree().find(url) {
        let found = bucket.get(&document_key(resource, url.as_str()))?.filter(|value| !value.is_empty());
        if let Some(found) = found.map(|bytes| StoredDocument::decoded(&bytes)).transpose()?
            && found.is_present()
            && found.url == url.as_str()
        {
            return Ok(Some((resource.to_owned(), found)));
        }
    }
    Ok(None)
}
