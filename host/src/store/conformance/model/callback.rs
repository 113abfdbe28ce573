//! Callbacks.

use super::*;
use crate::store::{CallbackAcked, CallbackStore, CallbackWrite, StoredCallback};

impl State {
    pub(super) fn takes(&self, write: &CallbackWrite, now: UnixMillis) -> bool {
        self.callbacks.get(&write.name).is_some_and(|there| there.takes(write, now))
    }

    /// Takes out of an inbox what came up to a position.
    fn empty(&mut self, name: &str, to: EventSeq) {
        self.inbox.retain(|seq, callback| callback != name || *seq > to);
        let waiting = self.inbox.values().filter(|callback| *callback == name).count() as u64;
        if let Some(there) = self.callbacks.get_mut(name) {
            there.waiting = waiting;
        }
    }
}

#[async_trait]
impl CallbackStore for ModelStore {
    async fn hold_callback(
        &self,
        new: StoredCallback,
        keeps: bool,
        now: UnixMillis,
    ) -> Result<StoredCallback, StoreError> {
        let mut state = self.state();
        let head = EventSeq(state.last.0);
        let mut held = match state.callbacks.get(&new.name).cloned() {
            Some(there) if there.is_held_again(now) => there.asking(&new.document, keeps),
            gone => {
                state.empty(&new.name, EventSeq(i64::MAX));
                let holder = gone.map_or(0, |gone| gone.holder);
                StoredCallback { holder, acked: head, waiting: 0, ..new }
            }
        };
        held.holder += 1;
        state.callbacks.insert(held.name.clone(), held.clone());
        Ok(held)
    }

    async fn callback(&self, name: &str) -> Result<Option<StoredCallback>, StoreError> {
        Ok(self.state().callbacks.get(name).cloned())
    }

    async fn callbacks(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredCallback>, StoreError> {
        let state = self.state();
        let behind =
            state.callbacks.values().filter(|one| after.is_none_or(|after| one.name.as_str() > after));
        Ok(behind.take(limit).cloned().collect())
    }

    async fn waiting_callback(&self, name: &str, after: EventSeq) -> Result<Option<EventRecord>, StoreError> {
        let state = self.state();
        let first = state.inbox.iter().find(|(seq, callback)| **seq > after && *callback == name);
        Ok(first.map(|(seq, _)| state.record(*seq)))
    }

    async fn ack_callback(
        &self,
        name: &str,
        holder: u64,
        seq: EventSeq,
    ) -> Result<CallbackAcked, StoreError> {
        let mut state = self.state();
        let seq = seq.min(EventSeq(state.last.0));
        match state.callbacks.get_mut(name) {
            None => Ok(CallbackAcked::Unknown),
            Some(there) if there.holder != holder => Ok(CallbackAcked::Fenced),
            Some(there) => {
                there.acked = there.acked.max(seq);
                state.empty(name, seq);
                Ok(CallbackAcked::Done)
            }
        }
    }

    async fn close_callback(
        &self,
        name: &str,
        now: UnixMillis,
    ) -> Result<Option<StoredCallback>, StoreError> {
        let mut state = self.state();
        let Some(there) = state.callbacks.get_mut(name) else { return Ok(None) };
        there.closed = there.closed.or(Some(now));
        there.cancelled = true;
        Ok(Some(there.clone()))
    }
}
