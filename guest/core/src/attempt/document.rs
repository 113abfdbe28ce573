//! What the subscriber of a resource is told, as an event that is sent in the place of the log's entry.

use crate::config::{ContentMode, DeliveryConfig, NotificationConfig};
use crate::event::Event;
use crate::resource::{Envelope, REVISION as REVISION_WILDCARD, fill_data};
use crate::router::{INCARNATION, REVISION, Telling};
use serde_json::value::RawValue;

/// The event that tells something of a document, and its data: it is that of the revision that is told, which may be a later one than
/// that of the log's entry.
///
/// # Errors
///
/// The document is no JSON, which was looked at when it came.
pub fn telling_event(
    notification: &NotificationConfig,
    entry: &Event,
    telling: &Telling,
) -> serde_json::Result<(Event, Vec<u8>)> {
    let NotificationConfig { document, envelope, cloudevent, data, .. } = notification;
    let content = telling.document.as_deref().filter(|_| *document);
    let told = match content {
        _ if *envelope && !*cloudevent => {
            let document = content.map(serde_json::from_slice::<&RawValue>).transpose()?;
            let updated = telling.updated.rfc3339().unwrap_or_default();
            let (action, id) = (telling.action, entry.subject.as_deref().unwrap_or_default());
            let data = fill_data(data, &telling.values);
            serde_json::to_vec(&Envelope { action, data: &data, document, id, updated: &updated })?
        }
        Some(content) => content.to_vec(),
        None => Vec::new(),
    };
    let kind = format!("document.{}", telling.action.word());
    let datacontenttype = (!told.is_empty()).then(|| "application/json".to_owned());
    let mut event =
        Event { id: telling.id.clone(), kind, datacontenttype, time: telling.updated, ..entry.clone() };
    let revision = telling.values.iter().find(|(name, _)| name == REVISION_WILDCARD);
    let attributes = [(REVISION, revision.map(|(_, text)| text)), (INCARNATION, Some(&telling.incarnation))];
    for (name, value) in attributes {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            event.extensions.insert(name.to_owned(), value.clone());
        }
    }
    Ok((event, told))
}

/// The policy by which that is sent: it is made before, and goes as it is, or as an event.
#[must_use]
pub fn telling_policy(delivery: &DeliveryConfig, notification: &NotificationConfig) -> DeliveryConfig {
    let content = if notification.cloudevent { ContentMode::CloudEvent } else { ContentMode::Raw };
    DeliveryConfig { content, ..delivery.clone() }
}
