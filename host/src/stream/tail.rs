//! The one who follows the log to its end, for all readers that are near it.

use super::catch_up::route;
use super::feed::{Feed, Ring};
use super::item::Item;
use super::registry::JsonFields;
use crate::log::{Cursor, Log, ReadError, ReadLimits};
use crate::store::{EventSeq, LogEntry, StoreError};
use anglerfish_core::router::{FilterTable, RoutingSubscription};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// When it is tried again to read a store that could not be read.
const AGAIN: Duration = Duration::from_millis(500);

/// How much is read at once.
const LIMITS: ReadLimits = ReadLimits { entries: 256, bytes: 1 << 20 };

/// Follows the log while anybody reads.
pub(super) struct Tail {
    log: Log,
    fields: JsonFields,
    pub(super) ring: Ring,
    /// Feeds that have come and are not followed yet.
    come: Mutex<Vec<Weak<Feed>>>,
    wake: Notify,
}

/// The feeds that are followed, with their filters in one table.
#[derive(Default)]
struct Followed {
    /// By the id that the feed has in the table, which is its number: there may be an old one of the same subscription.
    feeds: HashMap<String, Weak<Feed>>,
    table: FilterTable,
}

impl Tail {
    pub(super) fn new(log: Log, fields: JsonFields) -> Self {
        Self { log, fields, ring: Ring::default(), come: Mutex::default(), wake: Notify::new() }
    }

    /// Has a feed followed too, soon. Until then its readers read the log by themselves.
    pub(super) fn follow(&self, feed: &Arc<Feed>) {
        self.come.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(feed));
        self.wake.notify_one();
    }

    /// Follows the log until the store is closed. One that was broken off may be followed by another.
    pub(super) async fn run(self: Arc<Self>) {
        let mut followed = Followed::default();
        let mut cursor: Option<Cursor> = None;
        loop {
            followed.forget_gone();
            self.admit(&mut followed, &mut cursor);
            if followed.feeds.is_empty() {
                cursor = None;
                // It keeps nothing for nobody, and reaches back to nowhere.
                self.ring.begin(EventSeq(i64::MAX));
                self.wake.notified().await;
                continue;
            }
            let cursor = cursor.get_or_insert_with(|| self.begin());
            let read = tokio::select! {
                // Whoever has come is looked at above; a cursor that is dropped while it waits skips nothing.
                () = self.wake.notified() => continue,
                read = cursor.next() => read,
            };
            let is_followed = match read {
                Ok(entries) => {
                    let to = cursor.position();
                    self.decide(&mut followed, entries, to).await
                }
                Err(ReadError::Store(StoreError::Closed)) => return,
                Err(error) => {
                    tracing::warn!(%error, "the log cannot be followed now; readers read it by themselves");
                    tokio::time::sleep(AGAIN).await;
                    false
                }
            };
            if !is_followed {
                // At the end as it is now; who reads finds by himself what is before it, or that it is missing.
                *cursor = self.begin();
                followed.begin(cursor.position());
            }
        }
    }

    /// Begins at the end of the log as it is now.
    fn begin(&self) -> Cursor {
        let head = *self.log.head().borrow();
        self.ring.begin(head);
        self.log.cursor(head, LIMITS)
    }

    fn admit(&self, followed: &mut Followed, cursor: &mut Option<Cursor>) {
        let come = std::mem::take(&mut *self.come.lock().unwrap_or_else(PoisonError::into_inner));
        for feed in come.iter().filter_map(Weak::upgrade) {
            let position = cursor.get_or_insert_with(|| self.begin()).position();
            followed.add(&feed, position);
        }
    }

    /// Decides who wants entries, and tells them; `false` if that broke off, and nothing was told.
    async fn decide(&self, followed: &mut Followed, entries: Vec<LogEntry>, to: EventSeq) -> bool {
        let (mut table, fields) = (std::mem::take(&mut followed.table), Arc::clone(&self.fields));
        // Many filters may take longer than a thread that serves others may be kept.
        let decided = tokio::task::spawn_blocking(move || {
            let wanted: Vec<(LogEntry, Vec<String>)> = entries
                .into_iter()
                .map(|entry| {
                    let intents = route(&mut table, &entry, &fields).intents.into_iter();
                    let names = intents.map(|intent| intent.subscription).collect::<Vec<_>>();
                    (entry, names)
                })
                .filter(|(_, names)| !names.is_empty())
                .collect();
            (table, wanted)
        });
        let wanted = match decided.await {
            Ok((table, wanted)) => {
                followed.table = table;
                wanted
            }
            Err(error) => {
                tracing::error!(%error, "deciding about entries of the log broke off");
                followed.compile();
                return false;
            }
        };
        let mut told: HashMap<u64, (Arc<Feed>, EventSeq)> = HashMap::new();
        let mut items = Vec::with_capacity(wanted.len());
        for (entry, names) in wanted {
            let feeds = names.iter().filter_map(|name| followed.feeds.get(name)?.upgrade());
            let feeds: Vec<Arc<Feed>> = feeds.filter(|feed| feed.may_have(&entry)).collect();
            if feeds.is_empty() {
                continue;
            }
            let seq = entry.seq;
            items.push(Arc::new(Item::new(entry, feeds.iter().map(|feed| feed.number).collect())));
            for feed in feeds {
                told.insert(feed.number, (feed, seq));
            }
        }
        // Before anybody is told: whoever looks finds it.
        self.ring.add(items, to);
        for (feed, seq) in told.into_values() {
            feed.tell(seq);
        }
        true
    }
}

impl Followed {
    fn add(&mut self, feed: &Arc<Feed>, position: EventSeq) {
        if self.put(feed) {
            self.feeds.insert(feed.number.to_string(), Arc::downgrade(feed));
            feed.begin(position);
        }
    }

    fn put(&mut self, feed: &Feed) -> bool {
        let id = feed.number.to_string();
        // It compiled when the feed was made.
        let put = self.table.put(&RoutingSubscription { id, ..feed.subscription.clone() });
        if let Err(problems) = &put {
            tracing::error!(?problems, "a filter cannot be followed; its readers read the log by themselves");
        }
        put.is_ok()
    }

    /// Makes the table anew.
    fn compile(&mut self) {
        self.table = FilterTable::default();
        for feed in self.feeds.values().filter_map(Weak::upgrade).collect::<Vec<_>>() {
            self.put(&feed);
        }
    }

    /// The ring begins at this position: what it says about what is behind it holds for nobody.
    fn begin(&self, position: EventSeq) {
        for feed in self.feeds.values().filter_map(Weak::upgrade) {
            feed.begin(position);
        }
    }

    fn forget_gone(&mut self) {
        let gone: Vec<String> = { self.feeds.iter() }
            .filter(|(_, feed)| feed.strong_count() == 0)
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            self.feeds.remove(&name);
            self.table.remove(&name);
        }
    }
}
