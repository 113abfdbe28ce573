//! Outgoing calls.

use super::*;
use crate::store::{CallHead, CallQuery, CallStore, CallWrite, DueCalls};
use std::time::Duration;

impl State {
    pub(super) fn fits(&self, write: &CallWrite) -> bool {
        let head = &write.call.head;
        let mut known = self.calls.values();
        match write.expected {
            None => !known.any(|call| {
                call.head.id == head.id || (&call.head.api, &call.head.key) == (&head.api, &head.key)
            }),
            Some(revision) => known.any(|call| call.head.id == head.id && call.head.revision == revision),
        }
    }

    pub(super) fn write_call(&mut self, write: CallWrite, seqs: &[EventSeq]) {
        let mut call = write.call;
        call.head.entries.extend(seqs);
        if write.expected.is_none() {
            (call.head.seq, call.head.revision) = (seqs[0], 1);
        } else {
            let old = self.calls.values().find(|old| old.head.id == call.head.id).unwrap();
            call.body = old.body.clone();
            call.head.seq = old.head.seq;
            call.head.revision = old.head.revision + 1;
        }
        self.calls.insert(call.head.seq, call);
    }

    fn call_that(&self, is_it: impl Fn(&CallHead) -> bool) -> Option<StoredCall> {
        self.calls.values().find(|call| is_it(&call.head)).cloned()
    }
}

#[async_trait]
impl CallStore for ModelStore {
    async fn due_calls(&self, api: &str, now: UnixMillis, limit: usize) -> Result<DueCalls, StoreError> {
        let state = self.state();
        let open = state.calls.values().filter(|call| call.head.api == api && call.head.due.is_some());
        let mut open: Vec<StoredCall> = open.cloned().collect();
        open.sort_by_key(|call| (call.head.due, call.head.seq));
        let due = open.iter().take(limit).filter(|call| call.head.due.unwrap() <= now).count();
        let next = open.get(due).and_then(|call| call.head.due);
        open.truncate(due);
        Ok(DueCalls { calls: open, next })
    }

    async fn replan_calls(&self, now: UnixMillis) -> Result<u64, StoreError> {
        let mut planned = 0;
        for call in self.state().calls.values_mut() {
            let head = &mut call.head;
            let Some(due) = head.due.filter(|_| head.planned > now.after(Duration::from_secs(1))) else {
                continue;
            };
            let wait = due.0.saturating_sub(head.planned.0);
            (head.due, head.planned) = (Some(now.after(Duration::from_millis(wait))), now);
            planned += 1;
        }
        Ok(planned)
    }

    async fn call(&self, id: &str) -> Result<Option<StoredCall>, StoreError> {
        Ok(self.state().call_that(|head| head.id == id))
    }

    async fn call_of_key(&self, api: &str, key: &str) -> Result<Option<StoredCall>, StoreError> {
        Ok(self.state().call_that(|head| head.api == api && head.key == key))
    }

    async fn calls(&self, query: CallQuery) -> Result<Page<CallHead>, StoreError> {
        let CallQuery { state, api, cursor, limit } = query;
        let all = self.state().calls.values().rev().map(|call| call.head.clone()).collect::<Vec<_>>();
        let wanted = all.into_iter().filter(|head| {
            state.is_none_or(|state| head.state == state)
                && api.as_ref().is_none_or(|api| head.api == *api)
                && cursor.is_none_or(|cursor| head.seq < cursor)
        });
        Ok(page(wanted.collect(), limit))
    }

    async fn open_calls(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let mut open = BTreeMap::new();
        for call in self.state().calls.values().filter(|call| call.head.due.is_some()) {
            *open.entry(call.head.api.clone()).or_default() += 1;
        }
        Ok(open.into_iter().collect())
    }

    async fn apis(&self) -> Result<Vec<StoredApi>, StoreError> {
        Ok(self.state().apis.values().cloned().collect())
    }
}
