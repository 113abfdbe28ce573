//! Reading the log for one reader that is not near its end, and deciding about entries.

use super::feed::{Feed, locked};
use super::item::Item;
use super::registry::JsonFields;
use crate::log::{Log, ReadError};
use crate::store::{EventSeq, LogEntry, StoreError};
use anglerfish_core::decision::Routing;
use anglerfish_core::request::Header;
use anglerfish_core::router::{FilterTable, LoggedEvent};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many readers read the log by themselves at the same time: more would take the store from those who write it.
const AT_ONCE: usize = 4;

/// How many entries are read at once.
const ENTRIES: usize = 256;

/// Reads the log for those that are behind.
pub(super) struct CatchUp {
    log: Log,
    fields: JsonFields,
    places: Semaphore,
}

/// A stretch of the log.
pub(super) struct Stretch {
    /// What the feed wants of it.
    pub(super) items: Vec<Arc<Item>>,
    /// Where it ends; `None` if the log has no more.
    pub(super) to: Option<EventSeq>,
}

impl CatchUp {
    pub(super) fn new(log: Log, fields: JsonFields) -> Self {
        Self { log, fields, places: Semaphore::new(AT_ONCE) }
    }

    /// The next stretch behind a position, with so many bytes of data at most, the first entry's aside. Whoever drops this has
    /// read nothing.
    pub(super) async fn read(
        &self,
        feed: &Arc<Feed>,
        after: EventSeq,
        bytes: usize,
    ) -> Result<Stretch, ReadError> {
        // It is never closed.
        let _place = self.places.acquire().await.map_err(|_| StoreError::Closed)?;
        let entries = self.log.read(after, ENTRIES, bytes).await?;
        let Some(to) = entries.last().map(|entry| entry.seq) else {
            return Ok(Stretch { items: Vec::new(), to: None });
        };
        let (feed, fields) = (Arc::clone(feed), Arc::clone(&self.fields));
        // A filter may take a millisecond for an entry.
        let decided = tokio::task::spawn_blocking(move || {
            let mut filter = locked(&feed.filter);
            let wanted = entries.into_iter().filter(|entry| {
                feed.may_have(entry) && !route(&mut filter, entry, &fields).intents.is_empty()
            });
            wanted.map(|entry| Arc::new(Item::new(entry, vec![feed.number]))).collect()
        });
        let items = decided.await.map_err(|error| {
            tracing::error!(%error, "deciding about entries of the log broke off");
            StoreError::Internal("deciding about entries of the log broke off".into())
        })?;
        Ok(Stretch { items, to: Some(to) })
    }
}

/// Who of a table wants an entry.
pub(super) fn route(table: &mut FilterTable, entry: &LogEntry, fields: &JsonFields) -> Routing {
    let request = entry.request.as_ref();
    let headers: Vec<Header<'_>> = request
        .map(|request| &request.headers[..])
        .unwrap_or_default()
        .iter()
        .map(|(name, value)| Header { name, value: value.as_bytes() })
        .collect();
    let json_fields = fields(&entry.event.source);
    table.route(LoggedEvent {
        event: &entry.event,
        headers: &headers,
        data: &entry.data,
        received: entry.received,
        json_fields: &json_fields,
    })
}
