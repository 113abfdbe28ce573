//! The store on real files.

mod commit;
mod delivery;
mod expiry;
mod failure;
mod listing;
mod migration;
mod opening;
mod trust;

use super::{SqliteOptions, SqliteStore};
use crate::store::{
    Attempt, Commit, CommitOutcome, DeliveryId, DeliveryStore, EventSeq, KeyOverlay, KeyStore, LeaseTerms,
    LeasedDelivery, LogStore, NewEvent, Recorded, RequestRecord, RetentionStore, Settled, Settlement, Store,
    StoreError, SubscriptionStore,
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
struct StoreDirectory {
    directory: TempDir,
}

impl StoreDirectory {
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
    let event = Event {
        id: id.to_owned(),
        source: "shop".to_owned(),
        kind: "order.created".to_owned(),
        subject: Some("orders/1".to_owned()),
        time: UnixMillis(1),
        datacontenttype: Some("application/json".to_owned()),
        ..Event::default()
    };
    let request = RequestRecord {
        method: "POST".to_owned(),
        url: "http://gateway.example/in/shop".to_owned(),
        added_prefix: "/hooks".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
    };
    NewEvent {
        request: Some(request),
        subscriptions: subscriptions.iter().map(ToString::to_string).collect(),
        ..NewEvent::new(event, Bytes::from(format!("{{\"id\":\"{id}\"}}")), NOW)
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
        events: vec![event(id, subscriptions)],
        ..Commit::new(NOW)
    }
}

fn keys_only(reads: &[(&str, Option<&str>)], writes: &[(&str, Option<&str>)]) -> Commit {
    let own = |pairs: &[(&str, Option<&str>)]| {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.map(|value| Bytes::from(value.to_owned()))))
            .collect()
    };
    Commit { keys: KeyOverlay { reads: own(reads), writes: own(writes) }, ..Commit::new(NOW) }
}

fn committed(outcome: CommitOutcome) -> (EventSeq, Vec<LeasedDelivery>) {
    match outcome {
        CommitOutcome::Committed { seqs, deliveries, .. } if seqs.len() == 1 => (seqs[0], deliveries),
        other => panic!("not committed with an event: {other:?}"),
    }
}

async fn put(store: &SqliteStore, id: &str, subscriptions: &[&str]) -> (EventSeq, Vec<LeasedDelivery>) {
    committed(store.commit(accept(id, subscriptions)).await.unwrap())
}

/// An attempt to record, whoever has the delivery leased.
#[derive(Clone)]
struct Unleased {
    delivery: DeliveryId,
    attempt: Attempt,
    settled: Settled,
}

fn settlement(delivery: DeliveryId, settled: Settled) -> Unleased {
    let attempt = Attempt {
        number: 0,
        started: NOW,
        duration: Duration::from_micros(1500),
        status: Some(200),
        error: None,
        answer: Some("thanks".to_owned()),
    };
    Unleased { delivery, attempt, settled }
}

impl SqliteStore {
    /// Settles under the lease that there is, or under one that is made for it.
    async fn settle_now(&self, settlement: Unleased) -> Result<Recorded, StoreError> {
        let Unleased { delivery, attempt, settled } = settlement;
        let lease = self.lease_one(delivery);
        let recorded = self.record(vec![Settlement { lease, attempt, settled, now: NOW }]).await?;
        Ok(recorded[0])
    }

    async fn lease_some(&self, subscription: &str, now: UnixMillis, limit: usize) -> Vec<LeasedDelivery> {
        self.lease(subscription, now, limit, LeaseTerms::default()).await.unwrap().deliveries
    }

    async fn next_due(&self, subscription: &str) -> Option<UnixMillis> {
        self.lease(subscription, NOW, 0, LeaseTerms::default()).await.unwrap().next()
    }
}

fn leases(deliveries: &[LeasedDelivery]) -> Vec<crate::store::Lease> {
    deliveries.iter().map(LeasedDelivery::lease).collect()
}

fn ids(deliveries: &[LeasedDelivery]) -> Vec<DeliveryId> {
    deliveries.iter().map(|delivery| delivery.id).collect()
}
