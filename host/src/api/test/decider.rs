//! The core's own decisions about documents over the store on disk, as the component makes them.

use crate::document::DocumentDecider;
use crate::engine::{DocumentAnswer, DocumentQuestion, EngineError, TableError};
use crate::store::{KeyOverlay, KeyReader, KeyStore, ResourceStore, SqliteStore, StoredFollower};
use anglerfish_core::config::{ResourceConfig, read_resource};
use anglerfish_core::router::{DocumentChange, Router, RoutingDocument, RoutingInterest, RoutingResource};
use anglerfish_core::state::Keys;
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub(super) struct Core {
    router: Mutex<Router>,
    store: Arc<SqliteStore>,
}

/// A resource of the configuration file.
pub(super) fn declared() -> ResourceConfig {
    let resource = json!({"id": "declared", "endpoint": "http://h/declared/{id}", "change": {"field": "v"}});
    read_resource(&resource, "").unwrap()
}

struct Overlay {
    reader: Arc<dyn KeyReader>,
    reads: BTreeMap<String, Option<Bytes>>,
    writes: BTreeMap<String, Option<Bytes>>,
}

impl Keys for Overlay {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, String> {
        let known = self.writes.get(key).or_else(|| self.reads.get(key)).cloned();
        let value = known.unwrap_or_else(|| {
            let value = self.reader.get(key).unwrap();
            self.reads.insert(key.to_owned(), value.clone());
            value
        });
        Ok(value.map(|value| value.to_vec()))
    }

    fn set(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.writes.insert(key.to_owned(), Some(Bytes::copy_from_slice(value)));
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Result<(), String> {
        self.writes.insert(key.to_owned(), None);
        Ok(())
    }
}

impl Core {
    pub(super) async fn new(store: Arc<SqliteStore>) -> Self {
        let document = RoutingDocument {
            resource: vec![RoutingResource::from(&declared())],
            ..RoutingDocument::default()
        };
        let router = Router::load(&serde_json::to_vec(&document).unwrap()).unwrap();
        let core = Self { router: Mutex::new(router), store };
        for resource in core.store.resources().await.unwrap() {
            let config = read_resource(&serde_json::from_str(&resource.document).unwrap(), "").unwrap();
            core.put_resource(&config).await.unwrap();
        }
        for follower in core.store.followers().await.unwrap() {
            core.follow(&follower);
        }
        core
    }

    /// Lets a subscriber of the store follow its resource.
    fn follow(&self, follower: &StoredFollower) {
        let StoredFollower { subscription, resource, generation, .. } = follower;
        let interest = RoutingInterest {
            resource: resource.clone(),
            generation: *generation,
            ..RoutingInterest::default()
        };
        let subscription = json!({"id": subscription, "interest": interest}).to_string();
        self.router.lock().unwrap().put_subscription(subscription.as_bytes()).unwrap();
    }
}

#[async_trait]
impl DocumentDecider for Core {
    async fn ask(&self, question: DocumentQuestion) -> Result<(DocumentAnswer, KeyOverlay), EngineError> {
        for follower in self.store.followers().await.unwrap() {
            self.follow(&follower);
        }
        let mut router = self.router.lock().unwrap();
        let reader = self.store.key_reader().unwrap();
        let mut keys = Overlay { reader, reads: BTreeMap::new(), writes: BTreeMap::new() };
        let answer = match question {
            DocumentQuestion::Change(change) => {
                let body = change.body.as_deref();
                let change =
                    DocumentChange { id: &change.id, url: &change.url, body, received: change.received };
                DocumentAnswer::Decision(router.change_document(&change, &mut keys))
            }
            DocumentQuestion::Announce { subscription, change, why } => {
                let change = DocumentChange {
                    id: &change.id,
                    url: &change.url,
                    body: None,
                    received: change.received,
                };
                DocumentAnswer::Decision(router.announce_document(&subscription, &change, why, &mut keys))
            }
            DocumentQuestion::Notice { subscription, event, data, outlived } => {
                let entry = (&event, &*data);
                DocumentAnswer::Notice(router.document_notice(&subscription, entry, outlived, &mut keys))
            }
            DocumentQuestion::Doubt { subscription, event, data } => {
                DocumentAnswer::Acknowledged(router.doubt_document(&subscription, &event, &data, &mut keys))
            }
            DocumentQuestion::Acknowledge { subscription, url, receipt } => DocumentAnswer::Acknowledged(
                router.acknowledge_document(&subscription, &url, &receipt, &mut keys),
            ),
        };
        let overlay =
            KeyOverlay { reads: keys.reads.into_iter().collect(), writes: keys.writes.into_iter().collect() };
        Ok((answer, overlay))
    }

    async fn put_resource(&self, resource: &ResourceConfig) -> Result<(), TableError> {
        let resource = serde_json::to_vec(&RoutingResource::from(resource)).unwrap();
        self.router.lock().unwrap().put_resource(&resource).map_err(TableError::Problems)
    }

    async fn delete_resource(&self, id: &str) -> Result<(), TableError> {
        self.router.lock().unwrap().delete_resource(id).map_err(TableError::Problems)
    }

    fn knows(&self, _follower: &StoredFollower) -> bool {
        true
    }

    async fn caught_up(&self, _follower: &StoredFollower) -> Result<(), TableError> {
        Ok(())
    }
}
