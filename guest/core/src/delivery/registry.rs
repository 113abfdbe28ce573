//! The subscriptions of an engine, by key and by name.

use super::model::SubscriptionKey;
use super::queue::Queue;
use std::collections::HashMap;
use std::sync::Arc;

/// A place that one subscription after another may have.
#[derive(Debug)]
struct Slot<P> {
    generation: u32,
    queue: Option<Queue<P>>,
}

/// All queues. One that was removed stays until it holds nothing, but is not found by its name any more.
#[derive(Debug)]
pub(super) struct Registry<P> {
    slots: Vec<Slot<P>>,
    free: Vec<u32>,
    /// Only looked up, never walked through: its order is not the same in two runs.
    names: HashMap<Arc<str>, SubscriptionKey>,
}

impl<P> Registry<P> {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), names: HashMap::new() }
    }

    /// Adds a queue under its name, which has none.
    pub(super) fn insert(&mut self, queue: Queue<P>) -> SubscriptionKey {
        let name = Arc::clone(&queue.name);
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, queue: None });
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let mut generation = 0;
        if let Some(slot) = self.slots.get_mut(place(index)) {
            slot.queue = Some(queue);
            generation = slot.generation;
        }
        let key = SubscriptionKey { index, generation };
        self.names.insert(name, key);
        key
    }

    /// The present queue of a name.
    pub(super) fn find(&self, name: &str) -> Option<SubscriptionKey> {
        self.names.get(name).copied()
    }

    /// Takes a queue's name from it.
    pub(super) fn unname(&mut self, key: SubscriptionKey) {
        if let Some(queue) = self.get(key) {
            let name = Arc::clone(&queue.name);
            if self.names.get(&name) == Some(&key) {
                self.names.remove(&name);
            }
        }
    }

    pub(super) fn get(&self, key: SubscriptionKey) -> Option<&Queue<P>> {
        let slot = self.slots.get(key.index()).filter(|slot| slot.generation == key.generation)?;
        slot.queue.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: SubscriptionKey) -> Option<&mut Queue<P>> {
        let slot = self.slots.get_mut(key.index()).filter(|slot| slot.generation == key.generation)?;
        slot.queue.as_mut()
    }

    /// Frees a queue's place.
    pub(super) fn remove(&mut self, key: SubscriptionKey) {
        self.unname(key);
        if let Some(slot) = self.slots.get_mut(key.index())
            && slot.generation == key.generation
        {
            slot.queue = None;
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(key.index);
        }
    }

    /// All keys in use.
    pub(super) fn keys(&self) -> impl Iterator<Item = SubscriptionKey> + '_ {
        let used = |(index, slot): (u32, &Slot<P>)| {
            slot.queue.is_some().then_some(SubscriptionKey { index, generation: slot.generation })
        };
        (0..).zip(&self.slots).filter_map(used)
    }

    /// All queues.
    pub(super) fn queues_mut(&mut self) -> impl Iterator<Item = &mut Queue<P>> {
        self.slots.iter_mut().filter_map(|slot| slot.queue.as_mut())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    /// How many queues there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

fn place(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
