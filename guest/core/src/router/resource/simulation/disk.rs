//! What a crash leaves: keys, subscribers and deliveries, written in transactions that check what was read.

use crate::event::Event;
use crate::router::{Announcement, FormerFilter};
use crate::state::Keys;
use std::collections::BTreeMap;

/// A delivery that is to be made.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) subscription: String,
    pub(super) event: Event,
    pub(super) data: Vec<u8>,
    /// Where its change stands in the log.
    pub(super) place: u64,
    /// Whether it was given up; somebody may have it tried again.
    pub(super) is_dead: bool,
    /// Whether one of a later change of its document has ended, or it has itself.
    pub(super) is_outlived: bool,
    /// Whether an attempt of it was begun and nobody knows its end.
    pub(super) is_interrupted: bool,
}

impl Delivery {
    pub(super) fn url(&self) -> &str {
        self.event.subject.as_deref().unwrap()
    }
}

/// A subscription of the resource.
#[derive(Debug, Clone)]
pub(super) struct Follower {
    pub(super) generation: u64,
    pub(super) filter: Option<&'static str>,
    pub(super) every: bool,
    pub(super) filter_since: u64,
    pub(super) former: Vec<FormerFilter>,
    /// How far it was told of what is there, while it is; and why.
    pub(super) place: Option<(String, Announcement)>,
}

#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) keys: BTreeMap<String, Vec<u8>>,
    pub(super) followers: BTreeMap<String, Follower>,
    pub(super) deliveries: BTreeMap<u64, Delivery>,
    /// Those that have ended.
    pub(super) ended: Vec<Delivery>,
    /// Of each subscription and document the delivery that is due; the others wait for its end.
    due: BTreeMap<(String, String), u64>,
    pub(super) generation: u64,
    number: u64,
}

/// What a decision has read and wants to write.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    before: BTreeMap<String, Vec<u8>>,
    reads: BTreeMap<String, Option<Vec<u8>>>,
    writes: BTreeMap<String, Option<Vec<u8>>>,
}

impl Keys for Overlay {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, String> {
        if let Some(written) = self.writes.get(key) {
            return Ok(written.clone());
        }
        let value = self.before.get(key).cloned();
        self.reads.insert(key.to_owned(), value.clone());
        Ok(value)
    }

    fn set(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.writes.insert(key.to_owned(), Some(value.to_vec()));
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Result<(), String> {
        self.writes.insert(key.to_owned(), None);
        Ok(())
    }
}

impl Disk {
    /// The state as a decision that begins now sees it.
    pub(super) fn overlay(&self) -> Overlay {
        Overlay { before: self.keys.clone(), ..Overlay::default() }
    }

    /// Writes all of it, if nothing that was read is another by now, or if nobody looks.
    pub(super) fn commit(&mut self, overlay: Overlay, deliveries: Vec<Delivery>, checks: bool) -> bool {
        let same = |(key, value): (&String, &Option<Vec<u8>>)| self.keys.get(key) == value.as_ref();
        if checks && !overlay.reads.iter().all(same) {
            return false;
        }
        for (key, value) in overlay.writes {
            match value {
                Some(value) => drop(self.keys.insert(key, value)),
                None => drop(self.keys.remove(&key)),
            }
        }
        for delivery in deliveries.into_iter().filter(|one| self.followers.contains_key(&one.subscription)) {
            self.number += 1;
            self.deliveries.insert(self.number, Delivery { place: self.number, ..delivery });
        }
        true
    }

    /// A delivery has ended: those of earlier changes of its document are outlived.
    pub(super) fn end(&mut self, number: u64) {
        let Some(ended) = self.deliveries.remove(&number) else { return };
        for earlier in self.deliveries.values_mut() {
            let is_same = earlier.subscription == ended.subscription && earlier.url() == ended.url();
            earlier.is_outlived |= is_same && earlier.place < ended.place;
        }
        self.ended.push(ended);
    }

    /// Somebody has a delivery that ended made once more.
    pub(super) fn repeat(&mut self, ended: Delivery) {
        self.number += 1;
        self.deliveries.insert(self.number, Delivery { is_outlived: true, is_interrupted: false, ..ended });
    }

    /// Forgets a subscription with all that is kept for it.
    pub(super) fn dismiss(&mut self, id: &str) {
        self.followers.remove(id);
        self.deliveries.retain(|_, delivery| delivery.subscription != id);
        self.ended.retain(|delivery| delivery.subscription != id);
        self.keys.retain(|key, _| !key.starts_with(&format!("holding/{id}/")));
    }

    /// Has one delivery of each subscription and document due: the one that was, or else the first one. What is made due again from
    /// now on waits behind it.
    pub(super) fn free(&mut self) {
        let Self { deliveries, due, .. } = self;
        due.retain(|_, number| deliveries.get(number).is_some_and(|delivery| !delivery.is_dead));
        for (number, delivery) in deliveries.iter().filter(|(_, delivery)| !delivery.is_dead) {
            due.entry((delivery.subscription.clone(), delivery.url().to_owned())).or_insert(*number);
        }
    }

    /// The deliveries that may be attempted now.
    pub(super) fn ready(&mut self) -> Vec<u64> {
        self.free();
        self.due.values().copied().collect()
    }
}
