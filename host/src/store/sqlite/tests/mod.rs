//! The store on real files.

mod commit;
mod delivery;
mod expiry;
mod failure;
mod listing;
mod opening;

use super::{SqliteOptions, SqliteStore};
use crate::store::{
    Attempt, Commit, CommitOutcome, DeliveryId, EventSeq, KeyOverlay, LeasedDelivery, NewEvent,
    RequestRecord, Settled, Settlement, Store,
};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// A directory with one store in it.
struct Room {
    directory: TempDir,
}

impl Room {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("data").join("anglerfish.db")
    }

    fn open(&self) -> Arc<SqliteStore> {
        self.open_with(SqliteOptions::default())
    }

    fn open_with(&self, options: SqliteOptions) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(&self.file(), options).unwrap())
    }

    /// A second connection, as an operator would open it.
    fn tool(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file()).unwrap()
    }
}

fn later(millis: u64) -> UnixMillis {
    UnixMillis(NOW.0 + millis)
}

fn event(id: &str, subscriptions: &[&str]) -> NewEvent {
    NewEvent {
        event: Event {
            id: id.to_owned(),
            source: "shop".to_owned(),
            kind: "order.created".to_owned(),
            subject: Some("orders/1".to_owned()),
            time: UnixMillis(1),
            datacontenttype: Some("application/json".to_owned()),
            ..Event::default()
        },
        request: RequestRecord {
            method: "POST".to_owned(),
            url: "http://gateway.example/in/shop".to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        },
        data: Bytes::from(format!("{{\"id\":\"{id}\"}}")),
        received: NOW,
        subscriptions: subscriptions.iter().map(ToString::to_string).collect(),
    }
}

fn key(id: &str) -> String {
    format!("event/shop/{id}")
}

/// What the gateway does with a new event: it has seen no key for it and writes one.
fn accept(id: &str, subscriptions: &[&str]) -> Commit {
    Commit {
        keys: KeyOverlay {
            reads: vec![(key(id), None)],
            writes: vec![(key(id), Some(Bytes::from_static(b"1")))],
        },
        event: Some(event(id, subscriptions)),
        now: NOW,
    }
}

fn keys_only(reads: &[(&str, Option<&str>)], writes: &[(&str, Option<&str>)]) -> Commit {
    let own = |pairs: &[(&str, Option<&str>)]| {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.map(|value| Bytes::from(value.to_owned()))))
            .collect()
    };
    Commit { keys: KeyOverlay { reads: own(reads), writes: own(writes) }, event: None, now: NOW }
}

fn committed(outcome: CommitOutcome) -> (EventSeq, Vec<LeasedDelivery>) {
    match outcome {
        CommitOutcome::Committed { seq: Some(seq), deliveries } => (seq, deliveries),
        other => panic!("not committed with an event: {other:?}"),
    }
}

async fn put(store: &SqliteStore, id: &str, subscriptions: &[&str]) -> (EventSeq, Vec<LeasedDelivery>) {
    committed(store.commit(accept(id, subscriptions)).await.unwrap())
}

fn settlement(delivery: DeliveryId, settled: Settled) -> Settlement {
    Settlement {
        delivery,
        attempt: Attempt {
            number: 0,
            started: NOW,
            duration: Duration::from_micros(1500),
            status: Some(200),
            error: None,
            answer: Some("thanks".to_owned()),
        },
        settled,
    }
}

fn ids(deliveries: &[LeasedDelivery]) -> Vec<DeliveryId> {
    deliveries.iter().map(|delivery| delivery.id).collect()
}
