//! What is decided about documents and their subscribers, with the state in memory.

mod history;
mod notice;
mod refilter;

use super::*;
use crate::decision::{AcceptedEvent, DocumentDecision};
use crate::request::UnixMillis;
use crate::resource::{Action, DocumentUrl};
use crate::router::{Router, RoutingDocument};
use crate::state::Keys;
use std::collections::BTreeMap;

#[derive(Default, Clone)]
struct Memory(BTreeMap<String, Vec<u8>>);

impl Keys for Memory {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.get(key).cloned())
    }

    fn set(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.0.insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Result<(), String> {
        self.0.remove(key);
        Ok(())
    }
}

/// A delivery that waits: the subscriber, the log's entry and its data.
type Waiting = (String, crate::event::Event, Vec<u8>);

/// A router with one resource, its state, and the deliveries that it made.
struct World {
    router: Router,
    keys: Memory,
    waiting: Vec<Waiting>,
    generation: u64,
    count: u64,
    now: u64,
}

const URL: &str = "http://h/items/1";

impl World {
    fn new(tombstones: Option<u64>) -> Self {
        let resource = RoutingResource {
            id: "items".into(),
            endpoint: "http://h/items/{id}".into(),
            field: "v".into(),
            format: None,
            tombstones,
        };
        let document = RoutingDocument { resource: vec![resource], ..RoutingDocument::default() };
        let router = Router::load(&serde_json::to_vec(&document).unwrap()).unwrap();
        Self { router, keys: Memory::default(), waiting: Vec::new(), generation: 0, count: 0, now: 1000 }
    }

    fn subscribe(&mut self, id: &str, filter: Option<&str>, every: bool) {
        self.generation += 1;
        let interest = RoutingInterest {
            resource: "items".into(),
            generation: self.generation,
            every,
            ..RoutingInterest::default()
        };
        let subscription = serde_json::json!({"id": id, "filter": filter, "interest": interest});
        self.router.put_subscription(subscription.to_string().as_bytes()).unwrap();
    }

    fn change(&mut self, url: &str, body: Option<&str>) -> DocumentDecision {
        self.count += 1;
        self.now += 1;
        let change = DocumentChange {
            id: &format!("c{}", self.count),
            url,
            body: body.map(str::as_bytes),
            received: UnixMillis(self.now),
        };
        let decision = self.router.change_document(&change, &mut self.keys);
        if let DocumentDecision::Accept(accepted) = &decision {
            self.enqueue(accepted, body);
        }
        decision
    }

    fn enqueue(&mut self, accepted: &AcceptedEvent, body: Option<&str>) {
        let data = accepted.data.clone().or_else(|| body.map(|body| body.as_bytes().to_vec()));
        for intent in &accepted.intents {
            let data = data.clone().unwrap_or_default();
            self.waiting.push((intent.subscription.clone(), accepted.event.clone(), data));
        }
    }

    /// Gives a subscriber another filter, which has looked at no document yet.
    fn refilter(&mut self, id: &str, filter: Option<&str>, former: &[(u64, Option<&str>)]) {
        self.refilter_for(id, filter, former, false);
    }

    fn refilter_for(&mut self, id: &str, filter: Option<&str>, former: &[(u64, Option<&str>)], every: bool) {
        self.generation += 1;
        let filter_since = self.generation;
        let former = former
            .iter()
            .map(|(until, filter)| FormerFilter { until: *until, filter: filter.map(str::to_owned) });
        let interest = RoutingInterest {
            resource: "items".into(),
            generation: 1,
            every,
            filter_since,
            former: former.collect(),
        };
        let subscription = serde_json::json!({"id": id, "filter": filter, "interest": interest});
        self.router.put_subscription(subscription.to_string().as_bytes()).unwrap();
    }

    fn put(&mut self, body: &str) -> DocumentDecision {
        self.change(URL, Some(body))
    }

    fn announce(&mut self, id: &str, url: &str, lost: bool) {
        self.announce_for(id, url, if lost { Announcement::Lost } else { Announcement::Missed });
    }

    fn announce_for(&mut self, id: &str, url: &str, why: Announcement) {
        self.count += 1;
        let name = format!("c{}", self.count);
        let change = DocumentChange { id: &name, url, body: None, received: UnixMillis(self.now) };
        match self.router.announce_document(id, &change, why, &mut self.keys) {
            DocumentDecision::Accept(accepted) => self.enqueue(&accepted, None),
            DocumentDecision::Ignore => {}
            other => panic!("{other:?}"),
        }
    }

    fn notice(&mut self, waiting: &Waiting) -> Notice {
        self.notice_of(waiting, false)
    }

    fn notice_of(&mut self, waiting: &Waiting, outlived: bool) -> Notice {
        let (id, event, data) = waiting;
        let before = self.keys.0.clone();
        let notice =
            self.router.document_notice(id, (event, data.as_slice()), outlived, &mut self.keys).unwrap();
        assert_eq!(self.keys.0, before, "a notice writes nothing");
        notice
    }

    fn acknowledge(&mut self, waiting: &Waiting, notice: &Notice) {
        let url = waiting.1.subject.as_deref().unwrap();
        if !notice.receipt.is_empty() {
            self.router.acknowledge_document(&waiting.0, url, &notice.receipt, &mut self.keys).unwrap();
        }
    }

    /// An attempt of it was begun, and nobody knows what came of it.
    fn doubt(&mut self, waiting: &Waiting) {
        self.router.doubt_document(&waiting.0, &waiting.1, &waiting.2, &mut self.keys).unwrap();
    }

    /// Runs all deliveries; what each subscriber was told.
    fn deliver(&mut self) -> Vec<(String, Action, String)> {
        let mut told = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            let notice = self.notice(&waiting);
            if let Some(telling) = &notice.telling {
                let document = telling.document.clone().unwrap_or_default();
                told.push((waiting.0.clone(), telling.action, String::from_utf8(document).unwrap()));
            }
            self.acknowledge(&waiting, &notice);
        }
        told
    }

    fn holdings(&self) -> usize {
        self.keys.0.keys().filter(|key| key.starts_with("holding/")).count()
    }
}

fn told(id: &str, action: Action, document: &str) -> (String, Action, String) {
    (id.to_owned(), action, document.to_owned())
}
